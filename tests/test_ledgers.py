"""Ledgers: `db.ledgers`, each call in a transaction of its own, and `uow.ledgers` inside one."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from typing import Any

import pytest
import pytest_asyncio

from finance import DatabaseManager, Ledger, UnitOfWork
from finance.errors import (
    AlreadyExistsError,
    ConflictError,
    CurrencyError,
    InvalidError,
    LedgerNotFoundError,
    PeriodClosedError,
)
from tests.factories import entry, open_books


@pytest_asyncio.fixture
async def dsn(emptied_dsn: str) -> str:
    """A database without books."""
    return emptied_dsn


async def test_a_new_ledger_has_its_base_currency(db: DatabaseManager) -> None:
    """It is stored when the call returns, and the currency is one of its own already."""
    ledger = await db.ledgers.create("Household", base_currency="chf")

    assert (ledger.name, ledger.base_currency, ledger.closed_through) == ("Household", "CHF", None)
    async with db.unit_of_work(ledger) as uow:
        assert (await uow.currencies.get_one("CHF")).exponent == 2


async def test_a_ledger_is_made_once(db: DatabaseManager) -> None:
    """The error names it."""
    await db.ledgers.create("Household", base_currency="EUR")

    with pytest.raises(AlreadyExistsError, match="Household"):
        await db.ledgers.create("Household", base_currency="EUR")


async def test_get_or_create_keeps_what_is_there(db: DatabaseManager) -> None:
    """The base currency of an existing ledger is its own."""
    created = await db.ledgers.get_or_create("Household", base_currency="EUR")

    found = await db.ledgers.get_or_create("Household", base_currency="USD")

    assert (found.id, found.base_currency) == (created.id, "EUR")


async def test_many_may_make_the_same_ledger_at_once(db: DatabaseManager) -> None:
    """One of them makes it, all of them get it."""
    ledgers = await asyncio.gather(*(db.ledgers.get_or_create("Household", base_currency="EUR") for _ in range(8)))

    assert len({ledger.id for ledger in ledgers}) == 1


async def test_a_ledger_is_found_by_id_and_by_name(db: DatabaseManager) -> None:
    """Or not at all, without an error."""
    ledger = await db.ledgers.create("Household", base_currency="EUR")

    by_id, by_name = await db.ledgers.get(ledger.id), await db.ledgers.get_by_name("Household")

    assert by_id is not None
    assert by_name is not None
    assert by_id.id == by_name.id == ledger.id
    assert await db.ledgers.get(ledger.id + 1) is None
    assert await db.ledgers.get_by_name("household") is None


async def test_an_unknown_base_currency_is_refused(db: DatabaseManager) -> None:
    """Nothing is stored."""
    for way in (db.ledgers.create, db.ledgers.get_or_create):
        with pytest.raises(CurrencyError, match="DOGE"):
            await way("Household", base_currency="DOGE")

    assert await db.ledgers.get_by_name("Household") is None


@pytest.mark.parametrize("name", ["", " ", " Household", "Household ", "x" * 201])
async def test_a_malformed_name_is_refused(db: DatabaseManager, name: str) -> None:
    """The error says what a name is."""
    with pytest.raises(InvalidError, match="1 to 200 characters, and no blanks at its ends"):
        await db.ledgers.create(name, base_currency="EUR")


async def test_ledgers_are_paged_in_the_order_of_their_ids(db: DatabaseManager) -> None:
    """Each is on one page."""
    for name in ("c", "a", "b"):
        await db.ledgers.create(name, base_currency="EUR")

    first = await db.ledgers.page(limit=2)
    second = await db.ledgers.page(limit=2, after=first.next_cursor)

    assert [ledger.name for ledger in (*first.items, *second.items)] == ["c", "a", "b"]
    assert second.next_cursor is None


async def test_a_closed_period_takes_no_posting_until_it_is_reopened(db: DatabaseManager) -> None:
    """The last closed day included; the ledger may be named by row or id."""
    ledger = await db.ledgers.create("Household", base_currency="EUR")
    async with db.unit_of_work(ledger) as uow:
        books = await open_books(uow)
    closed = await db.ledgers.close_through(ledger, date(2025, 12, 31))
    assert closed.closed_through == date(2025, 12, 31)

    on_the_day = entry(books.food, books.checking, 1, on=date(2025, 12, 31))
    with pytest.raises(PeriodClosedError) as caught:
        await db.run(lambda uow: uow.journal.post(on_the_day), ledger=ledger)
    assert (caught.value.on, caught.value.closed_through) == (date(2025, 12, 31), date(2025, 12, 31))

    await db.run(lambda uow: uow.journal.post(entry(books.food, books.checking, 1, on=date(2026, 1, 1))), ledger=ledger)
    assert (await db.ledgers.reopen(ledger.id)).closed_through is None
    await db.run(lambda uow: uow.journal.post(on_the_day), ledger=ledger)


async def test_a_closing_never_moves_back_by_accident(db: DatabaseManager) -> None:
    """An earlier day is reopening, and a later one closing; each says which of them was meant."""
    ledger = await db.ledgers.create("Household", base_currency="EUR")
    march, april, may = date(2026, 3, 31), date(2026, 4, 30), date(2026, 5, 31)
    with pytest.raises(InvalidError, match="would close more"):
        await db.ledgers.reopen(ledger, through=march)
    await db.ledgers.close_through(ledger, april)

    with pytest.raises(PeriodClosedError) as caught:
        await db.ledgers.close_through(ledger, march)
    assert (caught.value.on, caught.value.closed_through) == (march, april)
    with pytest.raises(InvalidError, match=r"would close more \(closed through 2026-04-30\)"):
        await db.ledgers.reopen(ledger, through=may)

    assert (await db.ledgers.close_through(ledger, april)).closed_through == april
    assert (await db.ledgers.reopen(ledger, through=march)).closed_through == march
    assert (await db.ledgers.close_through(ledger, may)).closed_through == may
    assert (await db.ledgers.reopen(ledger)).closed_through is None


@pytest.mark.parametrize("through", [datetime(2026, 3, 31, tzinfo=UTC), "2026-03-31", None])
async def test_a_period_is_closed_through_a_plain_day(db: DatabaseManager, through: Any) -> None:
    """None is not how one reopens it."""
    ledger = await db.ledgers.create("Household", base_currency="EUR")

    with pytest.raises(InvalidError):
        await db.ledgers.close_through(ledger, through)


async def test_two_who_close_at_once_do_not_undo_each_other(db: DatabaseManager) -> None:
    """Whoever comes second and earlier is told, having waited for the first."""
    ledger = await db.ledgers.create("Household", base_currency="EUR")
    days = [date(2026, 3, 31), date(2026, 2, 28), date(2026, 1, 31)] * 4

    results = await asyncio.gather(*(db.ledgers.close_through(ledger, day) for day in days), return_exceptions=True)

    assert all(isinstance(result, Ledger | PeriodClosedError) for result in results)
    found = await db.ledgers.get(ledger.id)
    assert found is not None
    assert found.closed_through == date(2026, 3, 31)


async def test_closing_an_unknown_ledger_is_told(db: DatabaseManager) -> None:
    """By its id."""
    with pytest.raises(LedgerNotFoundError, match="999") as caught:
        await db.ledgers.close_through(999, date(2025, 12, 31))

    assert caught.value.ledger == 999


async def test_an_unused_ledger_is_removed(uow: UnitOfWork) -> None:
    """One with books is not."""
    used = await uow.ledgers.create("Used", base_currency="EUR")
    unused = await uow.ledgers.add(Ledger(name="Unused", base_currency="EUR"))

    await uow.ledgers.remove(unused)

    assert await uow.ledgers.get_by_name("Unused") is None
    with pytest.raises(ConflictError):
        async with uow.savepoint():
            await uow.ledgers.remove(used)
