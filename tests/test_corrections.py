"""Correcting what was posted: amended in one step, described anew, never changed in its money."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter
from collections.abc import Awaitable
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from finance import Amended, DatabaseManager, EntryKind, Ledger, NewEntry, NewPosting, UnitOfWork
from finance.errors import (
    AlreadyReversedError,
    EntryConflictError,
    EntryNotFoundError,
    InvalidError,
    StaleVersionError,
    UnbalancedEntryError,
)
from finance.identifiers import uuid7
from tests.conftest import Queries
from tests.factories import TODAY, Books, entry, open_books


async def outcomes(*calls: Awaitable[Any]) -> tuple[list[Any], Counter[str]]:
    """Await *calls* at once; return their results, and how often each class of error was raised."""
    done = await asyncio.gather(*calls, return_exceptions=True)
    results = [outcome for outcome in done if not isinstance(outcome, BaseException)]
    return results, Counter(type(outcome).__name__ for outcome in done if isinstance(outcome, BaseException))


@pytest_asyncio.fixture
async def posted(db: DatabaseManager) -> tuple[Ledger, Books, NewEntry]:
    """A ledger with a committed entry of five euros for food."""
    ledger = await db.ledgers.create("Corrections", base_currency="EUR")
    async with db.unit_of_work(ledger) as uow:
        books = await open_books(uow)
        given = entry(books.food, books.checking, 5)
        await uow.journal.post(given)
    return ledger, books, given


# --- amending ------------------------------------------------------------------------------------------


async def test_amend_takes_back_and_posts_anew(uow: UnitOfWork) -> None:
    """The books are as if the replacement alone had been posted, and each entry names the amended one."""
    books = await open_books(uow)
    given = entry(books.food, books.checking, 5, on=date(2026, 3, 1))
    await uow.journal.post(given)

    amended = await uow.journal.amend(given.id, entry(books.food, books.checking, 7, on=date(2026, 3, 2)))

    replacement = await uow.journal.get_one(amended.id)
    reversal = await uow.journal.get_one(amended.reversal_id)
    assert (replacement.amends_id, replacement.kind, replacement.date) == (given.id, "normal", date(2026, 3, 2))
    assert (reversal.reverses_id, reversal.kind, reversal.date) == (given.id, "reversal", date(2026, 3, 1))
    assert (await uow.accounts.balances(accounts=[books.food]))[books.food.id] == 7
    assert not amended.is_replay


async def test_a_replacement_is_amended_in_its_turn(uow: UnitOfWork) -> None:
    """A chain of corrections, each naming the one before."""
    books = await open_books(uow)
    first = entry(books.food, books.checking, 5)
    await uow.journal.post(first)

    second = await uow.journal.amend(first.id, entry(books.food, books.checking, 7), on=TODAY)
    third = await uow.journal.amend(second.id, entry(books.food, books.checking, 8))

    assert (await uow.journal.get_one(third.id)).amends_id == second.id
    assert (await uow.accounts.balances(accounts=[books.food]))[books.food.id] == 8


@pytest.mark.parametrize("reversal_id", [None, uuid4()])
async def test_amending_again_with_the_same_replacement_is_a_replay(
    db: DatabaseManager, posted: tuple[Ledger, Books, NewEntry], reversal_id: UUID | None
) -> None:
    """Also when the entry was described anew in between."""
    ledger, books, given = posted
    replacement = entry(books.food, books.checking, 7)

    async def amend() -> Amended:
        async with db.unit_of_work(ledger) as uow:
            return await uow.journal.amend(given.id, replacement, reversal_id=reversal_id)

    first = await amend()
    async with db.unit_of_work(ledger) as uow:
        await uow.journal.describe(given.id, description="In other words")
    again = await amend()

    assert (first.is_replay, again.is_replay) == (False, True)
    assert (first.id, first.reversal_id) == (again.id, again.reversal_id)
    assert reversal_id is None or first.reversal_id == reversal_id


async def test_other_content_under_the_same_ids_is_refused(
    db: DatabaseManager, posted: tuple[Ledger, Books, NewEntry]
) -> None:
    """The replacement's content includes what it amends."""
    ledger, books, given = posted
    replacement = entry(books.food, books.checking, 7)
    async with db.unit_of_work(ledger) as uow:
        await uow.journal.amend(given.id, replacement)

        with pytest.raises(EntryConflictError):
            await uow.journal.amend(given.id, dataclasses.replace(replacement, description="Other"))
        with pytest.raises(EntryConflictError):
            await uow.journal.post(replacement)


async def test_an_entry_is_amended_or_reversed_once(
    db: DatabaseManager, posted: tuple[Ledger, Books, NewEntry]
) -> None:
    """Whichever came first."""
    ledger, books, given = posted
    async with db.unit_of_work(ledger) as uow:
        amended = await uow.journal.amend(given.id, entry(books.food, books.checking, 7))
        await uow.journal.reverse(amended.id)

    for wanted in (given.id, amended.id):
        with pytest.raises(AlreadyReversedError, match=str(wanted)):
            async with db.unit_of_work(ledger) as uow:
                await uow.journal.amend(wanted, entry(books.food, books.checking, 8))
    with pytest.raises(AlreadyReversedError, match=str(given.id)):
        async with db.unit_of_work(ledger) as uow:
            await uow.journal.reverse(given.id)


async def test_of_many_who_amend_at_once_one_does(db: DatabaseManager, posted: tuple[Ledger, Books, NewEntry]) -> None:
    """The others are told that it was reversed, and none of a deadlock; nothing of theirs is stored."""
    ledger, books, given = posted

    async def amend(number: int) -> Amended:
        async with db.unit_of_work(ledger) as uow:
            return await uow.journal.amend(given.id, entry(books.food, books.checking, number))

    async def reverse() -> object:
        async with db.unit_of_work(ledger) as uow:
            return await uow.journal.reverse(given.id)

    done, errors = await outcomes(*(amend(number) for number in range(10, 18)), *(reverse() for _ in range(2)))

    assert (len(done), errors) == (1, {"AlreadyReversedError": 9})
    assert await db.fetchval("SELECT count(*) FROM journal_entries") == (3 if isinstance(done[0], Amended) else 2)
    assert (await db.verify(ledger)).is_clean


async def test_the_same_amendment_many_times_at_once_is_stored_once(
    db: DatabaseManager, posted: tuple[Ledger, Books, NewEntry]
) -> None:
    """One stores it, and the others are told that it is a replay."""
    ledger, books, given = posted
    replacement = entry(books.food, books.checking, 7)

    async def amend() -> Amended:
        async with db.unit_of_work(ledger) as uow:
            return await uow.journal.amend(given.id, replacement)

    done, errors = await outcomes(*(amend() for _ in range(8)))

    assert not errors
    assert Counter(answer.is_replay for answer in done) == {False: 1, True: 7}
    assert await db.fetchval("SELECT balance FROM accounts WHERE id = $1", books.food.id) == 7


async def test_a_refused_replacement_leaves_the_entry_as_it_was(
    db: DatabaseManager, posted: tuple[Ledger, Books, NewEntry]
) -> None:
    """One step: no reversal without its replacement."""
    ledger, books, given = posted
    wrong = NewEntry(TODAY, "", [NewPosting(books.food, 1), NewPosting(books.checking, -2)])

    with pytest.raises(UnbalancedEntryError):
        async with db.unit_of_work(ledger) as uow:
            await uow.journal.amend(given.id, wrong)

    assert await db.fetchval("SELECT count(*) FROM journal_entries") == 1


async def test_what_cannot_be_an_amendment_is_refused(uow: UnitOfWork) -> None:
    """An unknown entry, a replacement of another, one of another kind."""
    books = await open_books(uow)
    given = entry(books.food, books.checking, 5)
    await uow.journal.post(given)

    with pytest.raises(EntryNotFoundError):
        await uow.journal.amend(uuid7(), entry(books.food, books.checking, 1))
    for change in ({"amends_id": uuid7()}, {"kind": EntryKind.REVERSAL, "reverses_id": given.id}):
        with pytest.raises(InvalidError):
            await uow.journal.amend(given.id, dataclasses.replace(given, id=uuid7(), **change))


# --- describing ----------------------------------------------------------------------------------------


async def test_describe_changes_what_is_given(uow: UnitOfWork) -> None:
    """The rest stays; an instance that one has is refreshed."""
    books = await open_books(uow)
    given = dataclasses.replace(entry(books.food, books.checking, 5), details={"shop": "x"})
    await uow.journal.post(given)
    held = await uow.journal.get_one(given.id)

    await uow.journal.describe(given.id, description="Groceries")
    assert (held.description, held.details) == ("Groceries", {"shop": "x"})
    stored = await uow.journal.describe(given.id, details={})

    assert (stored.description, stored.details, stored.content_hash) == ("Groceries", {}, given.content_hash())


async def test_history_tells_every_description(db: DatabaseManager, posted: tuple[Ledger, Books, NewEntry]) -> None:
    """The oldest first, the current one last, each with the instant at which it was recorded."""
    ledger, _, given = posted
    async with db.unit_of_work(ledger) as uow:
        await uow.journal.describe(given.id, description="Second", details={"a": [1, "b"]})
    async with db.unit_of_work(ledger) as uow:
        await uow.journal.describe(given.id, description="Third")
        await uow.journal.describe(given.id, description="Third")

        history = await uow.journal.history(given.id)
        stored = await uow.journal.get_one(given.id)

    assert [(r.revision, r.description, r.details) for r in history] == [
        (1, "Something", {}),
        (2, "Second", {"a": [1, "b"]}),
        (3, "Third", {"a": [1, "b"]}),
    ]
    assert history[0].recorded_at == stored.recorded_at < history[1].recorded_at < history[2].recorded_at
    assert {r.recorded_by for r in history} == {stored.recorded_by}
    assert (await db.verify(ledger)).is_clean


async def test_posting_the_original_after_an_edit_is_a_replay(
    db: DatabaseManager, posted: tuple[Ledger, Books, NewEntry]
) -> None:
    """The content hash is that of what was posted; the edited content is other content."""
    ledger, _, given = posted
    async with db.unit_of_work(ledger) as uow:
        await uow.journal.describe(given.id, description="Edited")

        assert (await uow.journal.post(given)).is_replay
        with pytest.raises(EntryConflictError):
            await uow.journal.post(dataclasses.replace(given, description="Edited"))


async def test_a_reversal_replays_after_an_edit(db: DatabaseManager, posted: tuple[Ledger, Books, NewEntry]) -> None:
    """It tells of the entry as it was posted."""
    ledger, _, given = posted
    chosen = uuid7()
    async with db.unit_of_work(ledger) as uow:
        await uow.journal.reverse(given.id, id=chosen)
        await uow.journal.describe(given.id, description="Edited")

        assert (await uow.journal.reverse(given.id, id=chosen)).is_replay


async def test_the_expected_revision_is_held_against_others(
    db: DatabaseManager, posted: tuple[Ledger, Books, NewEntry]
) -> None:
    """Of many who read the first revision and describe it anew, one does; the others are told."""
    ledger, _, given = posted

    async def describe(number: int) -> None:
        async with db.unit_of_work(ledger) as uow:
            await uow.journal.describe(given.id, description=f"By {number}", expected_revision=1)

    _, errors = await outcomes(*(describe(number) for number in range(6)))

    assert errors == {"StaleVersionError": 5}
    async with db.unit_of_work(ledger) as uow:
        assert len(await uow.journal.history(given.id)) == 2
        with pytest.raises(StaleVersionError):
            await uow.journal.describe(given.id, description="x", expected_revision=1)
        await uow.journal.describe(given.id, description="x", expected_revision=2)


async def test_what_cannot_be_described_is_told(uow: UnitOfWork) -> None:
    """An unknown entry, text that no database can store, details that are no JSON."""
    books = await open_books(uow)
    given = entry(books.food, books.checking, 5)
    await uow.journal.post(given)

    for call in (uow.journal.describe(uuid7(), description="x"), uow.journal.history(uuid7())):
        with pytest.raises(EntryNotFoundError):
            await call
    for wrong in ({"description": "a\x00b"}, {"details": {"a": float("nan")}}):
        with pytest.raises(InvalidError):
            await uow.journal.describe(given.id, **wrong)
    assert len(await uow.journal.history(given.id)) == 1


async def test_an_entry_of_another_ledger_is_unknown(
    db: DatabaseManager, posted: tuple[Ledger, Books, NewEntry]
) -> None:
    """Neither amended, nor described, nor told of."""
    _, _, given = posted
    async with db.unit_of_work("Other", base_currency="EUR") as uow:
        books = await open_books(uow)
        for call in (
            uow.journal.amend(given.id, entry(books.food, books.checking, 1)),
            uow.journal.describe(given.id, description="x"),
            uow.journal.history(given.id),
        ):
            with pytest.raises(EntryNotFoundError):
                await call


async def test_corrections_take_the_statements_that_they_state(
    db: DatabaseManager, posted: tuple[Ledger, Books, NewEntry], queries: Queries
) -> None:
    """Their docstrings say how many."""
    ledger, books, given = posted
    async with db.unit_of_work(ledger) as uow:
        amend = uow.journal.amend(given.id, entry(books.food, books.checking, 7))
        assert await queries.of(amend) == ["SELECT", "SELECT", "SELECT", "SELECT", "INSERT", "INSERT"]
        describe = uow.journal.describe(given.id, description="x", expected_revision=1)
        assert await queries.of(describe) == ["SELECT", "SELECT", "UPDATE", "SELECT", "SELECT", "SELECT"]
        assert await queries.of(uow.journal.history(given.id)) == ["SELECT"]
