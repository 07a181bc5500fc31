"""Balances on a day, and as they were known at an instant."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from finance import DatabaseManager, Ledger, UnitOfWork
from finance.errors import AccountNotFoundError, InvalidError
from tests.factories import TODAY, Books, entry, open_books


async def _now(uow: UnitOfWork) -> datetime:
    """The server's clock: what was recorded before it is known at it."""
    instant: datetime = await uow.connection.fetchval("SELECT clock_timestamp()")
    return instant


@pytest.mark.parametrize("day", [date(1, 1, 2), date(2024, 2, 29), date(2026, 11, 15), date(9999, 12, 30)])
async def test_one_balance_on_every_side_of_a_day(uow: UnitOfWork, day: date) -> None:
    """At the ends of the calendar too."""
    books = await open_books(uow)
    await uow.journal.post(entry(books.food, books.checking, "42.10", on=day))

    assert await uow.accounts.balance(books.food, on=day) == Decimal("42.10")
    assert await uow.accounts.balance(books.food, on=day - timedelta(days=1)) == 0
    assert await uow.accounts.balance(books.food, on=day + timedelta(days=1)) == Decimal("42.10")
    assert await uow.accounts.balance(books.food.id) == Decimal("42.10")


async def test_a_balance_is_the_sum_of_the_postings_whatever_the_day(uow: UnitOfWork) -> None:
    """On each day of two years, compared with a sum in Python."""
    books, rng = await open_books(uow), random.Random(5)
    posted = [(date(2025, 1, 1) + timedelta(days=rng.randrange(730)), rng.randrange(1, 9999)) for _ in range(150)]
    await uow.journal.post_many([entry(books.food, books.checking, cents, on=day) for day, cents in posted])

    for offset in range(-1, 735, 3):
        on = date(2025, 1, 1) + timedelta(days=offset)
        expected = sum(amount for day, amount in posted if day <= on)
        assert await uow.accounts.balance(books.food, on=on) == expected, on
        assert (await uow.accounts.balances(on=on))[books.checking.id] == -expected, on


async def test_the_balance_of_an_unknown_account_is_refused(uow: UnitOfWork) -> None:
    """Whatever is asked of it."""
    for asked in ({}, {"on": TODAY}, {"known_at": datetime.now(UTC)}):
        with pytest.raises(AccountNotFoundError):
            await uow.accounts.balance(987_654_321, **asked)


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({"known_at": datetime(2026, 11, 22, 12)}, "time zone"),  # noqa: DTZ001 - that is the point
        ({"known_at": TODAY}, "time zone"),
        ({"on": datetime(2026, 11, 22, tzinfo=UTC)}, r"datetime\.date"),
        ({"on": "2026-11-22"}, r"datetime\.date"),
    ],
)
async def test_a_day_is_a_day_and_an_instant_has_a_time_zone(uow: UnitOfWork, asked: dict[str, Any], text: str) -> None:
    """A naive datetime could be any of a day's instants; it is refused before anything is asked."""
    books = await open_books(uow)
    calls: list[Callable[[], Any]] = [
        lambda: uow.accounts.balance(books.food, **asked),
        lambda: uow.accounts.balances(**asked),
        lambda: uow.reports.trial_balance(**asked),
        lambda: uow.reports.balance_sheets(**asked),
    ]
    for call in calls:
        with pytest.raises(InvalidError, match=text):
            await call()


async def test_what_was_recorded_later_is_not_known_yet(each_db: DatabaseManager) -> None:
    """Neither what is dated before the instant nor what is dated after it."""
    books, ledger, instants = await _three_steps(each_db)
    async with each_db.unit_of_work(ledger) as uow:
        known = [await uow.accounts.balance(books.food, known_at=instant) for instant in instants]
        dated = [await uow.accounts.balance(books.food, on=date(2026, 1, 31), known_at=at) for at in instants]
        several = [await uow.accounts.balances(known_at=at, accounts=[books.checking]) for at in instants]
        trial = await uow.reports.trial_balance(on=date(2026, 1, 31), known_at=instants[1])
        (sheet,) = await uow.reports.balance_sheets(known_at=instants[2])

    assert known == [0, 100, 130, 137]
    assert dated == [0, 0, 30, 30]
    assert several == [{books.checking.id: -each} for each in known]
    assert trial.totals() == {"EUR": (0, 0)}
    assert sheet.assets.lines == (("Assets:Checking", Decimal(-130)),)


async def _three_steps(db: DatabaseManager) -> tuple[Books, Ledger, list[datetime]]:
    """Post, post backdated, post ahead; return the instants before, between and after."""
    ledger = await db.ledgers.create("Steps", base_currency="EUR")
    async with db.unit_of_work(ledger) as uow:
        books = await open_books(uow)
        instants = [await _now(uow)]
    for amount, day in ((100, date(2026, 3, 1)), (30, date(2026, 1, 10)), (7, date(2027, 1, 1))):
        async with db.unit_of_work(ledger) as uow:
            await uow.journal.post(entry(books.food, books.checking, amount, on=day))
            instants.append(await _now(uow))
    return books, ledger, instants


async def test_known_is_what_was_recorded_not_what_was_committed(db: DatabaseManager) -> None:
    """An entry under way at the instant joins the answer when it commits, and then the answer is final."""
    ledger = await db.ledgers.create("Slow", base_currency="EUR")
    async with db.unit_of_work(ledger) as uow:
        books = await open_books(uow)
    async with db.unit_of_work(ledger) as slow:
        await slow.journal.post(entry(books.food, books.checking, 5))
        async with db.unit_of_work(ledger) as reader:
            instant = await _now(reader)
            assert await reader.accounts.balance(books.food, known_at=instant) == 0
    async with db.unit_of_work(ledger) as reader:
        assert await reader.accounts.balance(books.food, known_at=instant) == 5


async def test_a_balance_on_a_day_reads_the_months_and_half_of_one(each_db: DatabaseManager, each_dsn: str) -> None:
    """Counted in rows by the server: of 36,500 postings of ten years, no more than half a month's."""
    ledger = await each_db.ledgers.create("Long", base_currency="EUR")
    async with each_db.unit_of_work(ledger) as uow:
        books = await open_books(uow)
        days = [date(2016, 1, 1) + timedelta(days=number) for number in range(3650)]
        for start in range(0, len(days), 730):
            await uow.journal.post_many(
                [entry(books.food, books.checking, 1, on=day) for day in days[start : start + 730] for _ in range(10)]
            )
    await _analyze(each_dsn)

    async with each_db.unit_of_work(ledger) as uow:
        for on in (date(2020, 5, 3), date(2020, 5, 15), date(2020, 5, 16), date(2020, 5, 31)):
            before = await _rows_read(uow)
            balance = await uow.accounts.balance(books.food, on=on)
            months, postings = (await _rows_read(uow) - before).values()
            assert balance == 10 * ((on - date(2016, 1, 1)).days + 1)
            # So few months are quicker read as they lie than by an index, but for the first and the last.
            assert (months <= 242, postings <= 160) == (True, True), (on, months, postings)


class _Rows(dict[str, int]):
    """How many rows of a table's indexes were read."""

    def __sub__(self, other: dict[str, int]) -> dict[str, int]:
        return {table: count - other[table] for table, count in self.items()}


async def _rows_read(uow: UnitOfWork) -> _Rows:
    rows = await uow.connection.fetch(
        "SELECT t.relname,"
        " sum(pg_stat_get_xact_tuples_returned(i.indexrelid)) + pg_stat_get_xact_tuples_returned(t.oid) AS count"
        " FROM pg_class AS t JOIN pg_index AS i ON i.indrelid = t.oid"
        " WHERE t.relname IN ('monthly_totals', 'postings') AND t.relnamespace = 'public'::regnamespace"
        " GROUP BY t.relname, t.oid ORDER BY t.relname"
    )
    return _Rows({row["relname"]: int(row["count"]) for row in rows})


async def _analyze(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    # Pages are marked as visible to all only when what wrote them, and whatever came near it, is on disk.
    await connection.execute("SET synchronous_commit = on")
    await connection.execute("CHECKPOINT")
    await connection.execute("VACUUM ANALYZE")
    await connection.close()
