"""Posting many entries in one statement: what `post()` promises holds for each, and all or none are stored."""

from __future__ import annotations

import asyncio
from datetime import date

import pytest

from finance import Account, DatabaseManager, NewEntry, NewPosting, UnitOfWork
from finance.errors import (
    AccountNotFoundError,
    AmountError,
    EntryConflictError,
    InvalidError,
    UnbalancedEntryError,
)

TODAY = date(2026, 11, 22)


async def two_accounts(uow: UnitOfWork) -> tuple[Account, Account]:
    """Open an account for money and one for food."""
    return (
        await uow.accounts.get_or_open("Assets:Many", currency="EUR"),
        await uow.accounts.get_or_open("Expenses:Many", currency="EUR"),
    )


def lunch(checking: Account, food: Account, amount: str = "1.00") -> NewEntry:
    """Make an entry that pays for food."""
    return NewEntry(TODAY, "Lunch", [NewPosting(food, amount, "soup"), NewPosting(checking, f"-{amount}")])


async def test_each_entry_keeps_its_own_postings(uow: UnitOfWork) -> None:
    """Entries of one call are stored apart, with their postings in the order in which they were given."""
    checking, food = await two_accounts(uow)
    given = [lunch(checking, food, f"{number}.25") for number in range(1, 30)]

    answers = await uow.journal.post_many(given)

    assert [answer.id for answer in answers] == [entry.id for entry in given]
    for entry in given:
        stored = await uow.journal.get_one(entry.id)
        assert [(line.account_id, line.amount, line.memo) for line in stored.postings] == [
            (line.account_id, line.value, line.memo) for line in entry.postings
        ]
        assert stored.content_hash == entry.content_hash()


async def test_replays_are_told_entry_by_entry(uow: UnitOfWork) -> None:
    """An entry that was stored before changes nothing and says so; its neighbours are new."""
    checking, food = await two_accounts(uow)
    old, new = lunch(checking, food), lunch(checking, food)
    await uow.journal.post(old)

    answers = await uow.journal.post_many([new, old])

    assert [answer.is_replay for answer in answers] == [False, True]
    assert str((await uow.accounts.balances(accounts=[food]))[food.id]) == "2.00"


async def test_one_id_twice_in_a_call_is_refused(uow: UnitOfWork) -> None:
    """Two entries of one call cannot both be the one that is stored."""
    checking, food = await two_accounts(uow)
    entry = lunch(checking, food)

    with pytest.raises(InvalidError, match="same id"):
        await uow.journal.post_many([entry, entry])


async def test_an_id_with_other_content_is_refused_among_many(uow: UnitOfWork) -> None:
    """The id of a stored entry does not become another entry's, and none of the others is stored."""
    checking, food = await two_accounts(uow)
    stored = lunch(checking, food)
    await uow.journal.post(stored)
    other = NewEntry(TODAY, "Dinner", lunch(checking, food).postings, id=stored.id)

    with pytest.raises(EntryConflictError) as caught:
        async with uow.connection.transaction():
            await uow.journal.post_many([lunch(checking, food), other])

    assert caught.value.entry_id == stored.id
    assert str((await uow.accounts.balances(accounts=[food]))[food.id]) == "1.00"


async def test_one_bad_entry_refuses_all(uow: UnitOfWork) -> None:
    """All or none: a good entry is not stored beside one that does not balance, is too fine, or names no account."""
    checking, food = await two_accounts(uow)
    good = lunch(checking, food)
    unbalanced = NewEntry(TODAY, "Oops", [NewPosting(food, 1), NewPosting(checking, -2)])
    unknown = NewEntry(TODAY, "Oops", [NewPosting(food, 1), NewPosting(2**40, -1)])
    too_fine = lunch(checking, food, "0.001")

    for bad, error in ((unbalanced, UnbalancedEntryError), (unknown, AccountNotFoundError), (too_fine, AmountError)):
        with pytest.raises(error):
            async with uow.connection.transaction():
                await uow.journal.post_many([good, bad])

    assert await uow.journal.get(good.id) is None


async def test_same_entries_in_opposite_orders_at_once_are_stored_once(db: DatabaseManager) -> None:
    """Two who post the same ids wait for each other in one order, whatever order they were given in."""
    books = await db.ledgers.create("Household", base_currency="EUR")
    async with db.unit_of_work(books) as uow:
        checking, food = await two_accounts(uow)
    entries = [lunch(checking, food) for _ in range(500)]

    async def post(given: list[NewEntry]) -> set[bool]:
        async with db.unit_of_work(books) as uow:
            return {answer.is_replay for answer in await uow.journal.post_many(given)}

    answers = await asyncio.gather(post(entries), post(entries[::-1]))

    assert sorted(answers, key=str) == [{False}, {True}]


async def test_nothing_to_post_is_no_error(uow: UnitOfWork) -> None:
    """An empty list posts nothing."""
    assert await uow.journal.post_many([]) == []


async def test_a_reversal_negates_every_digit(uow: UnitOfWork) -> None:
    """Arithmetic at the default precision of 28 digits would round a large amount with many decimals."""
    await uow.currencies.open("WEI", exponent=18)
    amount = "123456789012345678901.123456789012345678"
    one = await uow.accounts.open("Assets:Large", currency="WEI")
    other = await uow.accounts.open("Equity:Large", currency="WEI")
    entry = NewEntry(TODAY, "Large", [NewPosting(one, amount), NewPosting(other, f"-{amount}")])
    await uow.journal.post(entry)

    reversal = await uow.journal.reverse(entry.id)

    assert [str(line.amount) for line in (await uow.journal.get_one(reversal.id)).postings] == [f"-{amount}", amount]
