"""Posting, reversing and reading journal entries."""

from __future__ import annotations

import dataclasses
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from finance import DatabaseManager, NewEntry, NewPosting, UnitOfWork
from finance.errors import (
    AccountClosedError,
    AccountNotFoundError,
    AlreadyReversedError,
    AmountError,
    BalanceLimitError,
    EntryConflictError,
    EntryNotFoundError,
    InvalidError,
    PeriodClosedError,
    SealedError,
    UnbalancedEntryError,
)
from finance.identifiers import uuid7
from tests.factories import TODAY, entry, open_books


async def test_post_moves_both_balances(uow: UnitOfWork) -> None:
    """A posted entry is on both of its accounts, to the last digit."""
    books = await open_books(uow)

    posted = await uow.journal.post(entry(books.food, books.checking, "42.10"))

    assert not posted.is_replay
    balances = await uow.accounts.balances(accounts=[books.food, books.checking.id])
    assert balances == {books.food.id: Decimal("42.10"), books.checking.id: Decimal("-42.10")}


async def test_post_stores_what_was_given(uow: UnitOfWork) -> None:
    """An entry is read back as it was handed in, its postings in order."""
    books = await open_books(uow)
    lines = [NewPosting(books.food, "42.10", "milk"), NewPosting(books.checking, "-42.1")]
    given = NewEntry(date(2026, 2, 28), "Groceries", lines, details={"shop": ["x", 1]})

    await uow.journal.post(given)

    stored = await uow.journal.get_one(given.id)
    assert (stored.date, stored.description, stored.kind) == (given.date, "Groceries", "normal")
    assert (stored.details, stored.content_hash) == ({"shop": ["x", 1]}, given.content_hash())
    assert [(p.line, p.account_id, str(p.amount), p.memo, p.currency) for p in stored.postings] == [
        (1, books.food.id, "42.10", "milk", "EUR"),
        (2, books.checking.id, "-42.1", None, "EUR"),
    ]


async def test_same_id_with_same_content_is_a_replay(uow: UnitOfWork) -> None:
    """Posting again changes nothing, and says so."""
    books = await open_books(uow)
    given = entry(books.food, books.checking, 5)
    await uow.journal.post(given)

    again = await uow.journal.post(given)

    assert again.is_replay
    assert (await uow.accounts.balances(accounts=[books.food]))[books.food.id] == 5


@pytest.mark.parametrize(
    "change",
    [{"description": "Another"}, {"date": TODAY - timedelta(days=1)}, {"details": {"a": 1}}],
    ids=["description", "date", "details"],
)
async def test_same_id_with_other_content_is_refused(uow: UnitOfWork, change: dict[str, Any]) -> None:
    """The id of an entry belongs to its content."""
    books = await open_books(uow)
    given = entry(books.food, books.checking, 5)
    await uow.journal.post(given)

    with pytest.raises(EntryConflictError) as caught:
        await uow.journal.post(dataclasses.replace(given, **change))

    assert caught.value.entry_id == given.id


async def test_id_of_an_entry_written_by_hand_is_no_replay(uow: UnitOfWork) -> None:
    """What was not written by the library has no content hash to agree with."""
    books = await open_books(uow)
    given = entry(books.food, books.checking, 5)
    await uow.connection.execute(
        """WITH e AS (INSERT INTO journal_entries (ledger_id, id, date) VALUES ($1, $2, $3) RETURNING *)
        INSERT INTO postings (ledger_id, entry_id, line, account_id, date, currency, amount)
        SELECT e.ledger_id, e.id, l.line, l.account, e.date, 'EUR', l.amount
          FROM e, unnest($4::int[], $5::bigint[], $6::numeric[]) AS l(line, account, amount)""",
        uow.ledger_id, given.id, TODAY, [1, 2], [books.food.id, books.checking.id], [5, -5],
    )  # fmt: skip

    with pytest.raises(EntryConflictError):
        await uow.journal.post(given)


async def test_unbalanced_entry_names_currency_and_difference(uow: UnitOfWork) -> None:
    """What is wrong is said before anything is sent, and the unit of work goes on."""
    books = await open_books(uow)

    with pytest.raises(UnbalancedEntryError, match=r"EUR postings sum to 0\.10") as caught:
        await uow.journal.post(NewEntry(TODAY, "", [NewPosting(books.food, "1.10"), NewPosting(books.checking, -1)]))

    assert (caught.value.currency, caught.value.difference) == ("EUR", Decimal("0.10"))
    assert not (await uow.journal.post(entry(books.food, books.checking, 1))).is_replay


async def test_entry_balanced_in_total_but_not_per_currency_is_refused(uow: UnitOfWork) -> None:
    """One euro is not one yen."""
    books = await open_books(uow)
    yen = await uow.accounts.open("Assets:Yen", currency="JPY")

    with pytest.raises(UnbalancedEntryError) as caught:
        await uow.journal.post(entry(yen, books.checking, 100))

    assert caught.value.currency == "EUR"


async def test_account_of_another_ledger_is_unknown(uow: UnitOfWork, shared_db: tuple[DatabaseManager, Any]) -> None:
    """A ledger's books know their own accounts only, by row and by id."""
    manager, _ = shared_db
    books = await open_books(uow)
    stranger = await manager.ledgers.get_or_create("Stranger", base_currency="EUR")
    async with manager.unit_of_work(stranger) as other:
        foreign = await other.accounts.get_or_open("Assets:Foreign", currency="EUR")

    for account in (foreign, foreign.id, 999_999_999):
        with pytest.raises(AccountNotFoundError):
            await uow.journal.post(entry(books.food, account, 1))


async def test_amount_finer_than_its_currency_names_the_amount(db: DatabaseManager) -> None:
    """The database refuses it, and the error says which amount and what to do."""
    ledger = await db.ledgers.create("Fine", base_currency="EUR")

    async def post(uow: UnitOfWork) -> None:
        books = await open_books(uow)
        await uow.journal.post(entry(books.food, books.checking, "0.001"))

    with pytest.raises(AmountError, match=r"amount 0\.001: has more than the 2 decimals of EUR; round it"):
        await db.run(post, ledger=ledger)


async def test_closed_account_limit_and_period_are_refused(db: DatabaseManager) -> None:
    """Each rule of the database comes back as its own error, and nothing is stored."""
    ledger = await db.ledgers.create("Rules", base_currency="EUR")
    async with db.unit_of_work(ledger) as uow:
        books = await open_books(uow)
        await uow.accounts.close(books.salary, on=TODAY)
        await uow.accounts.update(books.checking, minimum_balance=-10)
    await db.ledgers.close_through(ledger, date(2026, 6, 30))
    refused: list[tuple[NewEntry, type[Exception], str]] = [
        (entry(books.checking, books.salary, 1), AccountClosedError, str(books.salary.id)),
        (entry(books.food, books.checking, "10.01"), BalanceLimitError, "minimum"),
        (entry(books.food, books.checking, 1, on=date(2026, 6, 30)), PeriodClosedError, "2026-06-30"),
    ]

    for given, error, said in refused:
        with pytest.raises(error, match=said):
            async with db.unit_of_work(ledger) as uow:
                await uow.journal.post(given)

    async with db.unit_of_work(ledger) as uow:
        assert not any((await uow.accounts.balances()).values())
    assert (await db.verify(ledger)).is_clean


async def test_reverse_posts_the_opposite_on_the_same_day(uow: UnitOfWork) -> None:
    """A reversal takes an entry back, line by line, and names it."""
    books = await open_books(uow)
    given = entry(books.food, books.checking, 5, on=date(2026, 3, 1))
    await uow.journal.post(given)

    reversal = await uow.journal.reverse(given.id)

    stored = await uow.journal.get_one(reversal.id)
    assert (stored.kind, stored.reverses_id, stored.date) == ("reversal", given.id, date(2026, 3, 1))
    assert [(p.account_id, p.amount) for p in stored.postings] == [
        (books.food.id, Decimal(-5)),
        (books.checking.id, Decimal(5)),
    ]
    assert not any((await uow.accounts.balances(accounts=[books.food, books.checking])).values())


async def test_reverse_takes_a_day_a_text_and_an_id(uow: UnitOfWork) -> None:
    """A correction may count today, and its own id makes it repeatable."""
    books = await open_books(uow)
    given = entry(books.food, books.checking, 5, on=date(2026, 3, 1))
    await uow.journal.post(given)
    chosen = uuid7()

    first = await uow.journal.reverse(given.id, on=TODAY, description="Paid twice", id=chosen)
    again = await uow.journal.reverse(given.id, on=TODAY, description="Paid twice", id=chosen)

    stored = await uow.journal.get_one(chosen)
    assert (stored.date, stored.description) == (TODAY, "Paid twice")
    assert (first.is_replay, again.is_replay) == (False, True)


async def test_entry_is_reversed_once(db: DatabaseManager) -> None:
    """The second reversal names the entry that has one."""
    ledger = await db.ledgers.create("Once", base_currency="EUR")
    async with db.unit_of_work(ledger) as uow:
        books = await open_books(uow)
        given = entry(books.food, books.checking, 5)
        await uow.journal.post(given)
        await uow.journal.reverse(given.id)

    with pytest.raises(AlreadyReversedError, match=str(given.id)):
        async with db.unit_of_work(ledger) as uow:
            await uow.journal.reverse(given.id)


async def test_unknown_entry_is_told(uow: UnitOfWork) -> None:
    """Reading one gives None, requiring or reversing one an error."""
    nobody = uuid7()

    assert await uow.journal.get(nobody) is None
    with pytest.raises(EntryNotFoundError, match=str(nobody)):
        await uow.journal.get_one(nobody)
    with pytest.raises(EntryNotFoundError):
        await uow.journal.reverse(nobody)


async def test_page_reads_entries_in_order_of_date(db: DatabaseManager) -> None:
    """Pages follow each other without a gap or a repetition, with the postings of each entry."""
    ledger = await db.ledgers.create("Pages", base_currency="EUR")
    async with db.unit_of_work(ledger) as uow:
        books = await open_books(uow)
        for day in (5, 3, 1, 4, 2):
            await uow.journal.post(entry(books.food, books.checking, day, on=date(2026, 1, day)))

        first = await uow.journal.page(limit=2)
        second = await uow.journal.page(limit=2, after=first.next_cursor)
        last = await uow.journal.page(limit=2, after=second.next_cursor)

    found = [e.postings[0].amount for page in (first, second, last) for e in page.items]
    assert found == [1, 2, 3, 4, 5]
    assert last.next_cursor is None


async def test_cursor_of_another_list_is_refused(uow: UnitOfWork) -> None:
    """A cursor belongs to the list that gave it."""
    await open_books(uow)
    cursor = (await uow.accounts.page(limit=1)).next_cursor

    for wrong in (cursor, "nonsense", ""):
        with pytest.raises(InvalidError):
            await uow.journal.page(after=wrong)


async def test_committed_entry_is_not_removed(db: DatabaseManager) -> None:
    """A correction is a new entry."""
    ledger = await db.ledgers.create("Sealed", base_currency="EUR")
    async with db.unit_of_work(ledger) as uow:
        books = await open_books(uow)
        given = entry(books.food, books.checking, 5)
        await uow.journal.post(given)

    with pytest.raises(SealedError):
        async with db.unit_of_work(ledger) as uow:
            await uow.journal.remove(await uow.journal.get_one(given.id))


# --- postings as rows ------------------------------------------------------------------------------------


async def test_postings_come_as_plain_rows(uow: UnitOfWork) -> None:
    """In order of date, entry and line; of one account or all, between two days."""
    books = await open_books(uow)
    days = [date(2026, 3, 1), date(2026, 1, 1), date(2026, 2, 1), date(2026, 2, 1)]
    for number, day in enumerate(days, 1):
        await uow.journal.post(entry(books.food, books.checking, number, on=day))

    everything = [row async for row in uow.journal.postings()]
    food = [row async for row in uow.journal.postings(books.food)]
    february = [
        row
        async for row in uow.journal.postings(books.checking.id, start_on=date(2026, 2, 1), end_on=date(2026, 2, 28))
    ]

    assert len(everything) == 8
    assert [(row.date, row.entry_id, row.line) for row in everything] == sorted(
        (row.date, row.entry_id, row.line) for row in everything
    )
    assert [row.amount for row in food] == [2, 3, 4, 1]
    assert [row.amount for row in february] == [-3, -4]
    assert {(row.account_id, row.currency, row.memo) for row in food} == {(books.food.id, "EUR", None)}
    with pytest.raises(AttributeError):
        food[0].memo = "new"  # type: ignore[misc]


async def test_postings_of_an_unknown_account_are_refused(uow: UnitOfWork) -> None:
    """As are bounds that are no days."""
    with pytest.raises(AccountNotFoundError):
        _ = [row async for row in uow.journal.postings(987_654_321)]
    with pytest.raises(InvalidError, match=r"datetime\.date"):
        _ = [row async for row in uow.journal.postings(start_on="2026-01-01")]  # type: ignore[arg-type]


async def test_postings_are_read_in_batches(uow: UnitOfWork) -> None:
    """More of them than one batch has, each once; leaving early ends the reading."""
    books = await open_books(uow)
    await uow.journal.post_many([entry(books.food, books.checking, 1) for _ in range(1200)])

    rows = [row async for row in uow.journal.postings()]
    async for _ in uow.journal.postings():
        break

    assert len({(row.entry_id, row.line) for row in rows}) == len(rows) == 2400
    assert await uow.accounts.balance(books.food) == 1200
