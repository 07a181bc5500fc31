"""Posting what is due, by several at once and after faults: each occurrence once, and one refusal harms no other."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from decimal import Decimal
from typing import Literal

import pytest

from finance import DatabaseManager, NewEntry, NewPosting, NewSchedule, PostedDue, Retry, UnitOfWork
from finance.errors import (
    AccountClosedError,
    BalanceLimitError,
    DeadlockError,
    FinanceError,
    OutcomeUnknownError,
    PeriodClosedError,
    SealedError,
)
from finance.testing import Fault, Faults
from tests.factories import Books, entry, open_books

FIRST = date(2026, 1, 1)
THROUGH = FIRST + timedelta(19)
WAITING = """
SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()
"""


async def make(db: DatabaseManager, schedules: int = 3) -> Books:
    """Open books with some schedules, each of which posts one euro every day."""
    async with db.unit_of_work("Household", base_currency="EUR") as uow:
        books = await open_books(uow)
        for _ in range(schedules):
            postings = [NewPosting(books.food, 1), NewPosting(books.checking, -1)]
            await uow.schedules.create(NewSchedule("Coffee", postings, "FREQ=DAILY", FIRST))
    return books


async def post(uow: UnitOfWork) -> PostedDue:
    """Post what is due."""
    return await uow.schedules.post_due(through=THROUGH)


async def spent(db: DatabaseManager, books: Books) -> Decimal:
    """Read what was spent, and look that the books are right."""
    assert (await db.verify(books.food.ledger_id)).is_clean
    found: Decimal = await db.fetchval("SELECT balance FROM accounts WHERE id = $1", books.food.id)
    return found


async def test_several_workers_at_once_post_each_occurrence_once(each_db: DatabaseManager) -> None:
    """While somebody edits a schedule; each occurrence is told to one worker as its own."""
    books = await make(each_db)
    async with each_db.unit_of_work("Household") as uow:
        (schedule, *_) = (await uow.schedules.page()).items

    async def edit(uow: UnitOfWork) -> None:
        await uow.schedules.update(schedule.id, description="Tea")

    answers = await asyncio.gather(
        *(each_db.run(post, ledger="Household", retry=Retry(attempts=20)) for _ in range(6)),
        *(each_db.run(edit, ledger="Household") for _ in range(2)),
    )

    posted = [each.entry.id for answer in answers if answer is not None for each in answer.posted]
    assert len(posted) == len(set(posted)) == 60
    assert await spent(each_db, books) == 60


@pytest.mark.parametrize("isolation", ["repeatable_read", "serializable"])
async def test_workers_of_any_isolation_post_each_occurrence_once(
    db: DatabaseManager, isolation: Literal["repeatable_read", "serializable"]
) -> None:
    """Whose snapshot is too old is told so, and tries again."""
    books = await make(db)

    async def work() -> None:
        for _ in range(20):
            try:
                async with db.unit_of_work("Household", isolation=isolation) as uow:
                    await post(uow)
                    return
            except FinanceError as error:
                if not error.retryable:
                    raise

    await asyncio.gather(*(work() for _ in range(4)))

    assert await spent(db, books) == 60


async def test_who_posted_the_entry_by_hand_posted_the_occurrence(db: DatabaseManager) -> None:
    """Its id is the entry's, whatever the entry says; also if that comes in the middle."""
    books = await make(db, schedules=1)
    async with db.unit_of_work("Household") as uow:
        first = (await uow.schedules.due(FIRST))[0]
        lines = [NewPosting(books.food, 7), NewPosting(books.checking, -7)]
        await uow.journal.post(NewEntry(FIRST, "Champagne", lines, id=first.entry.id))

        assert len((await post(uow)).posted) == 19

    assert await spent(db, books) == 26


async def test_what_another_posts_in_the_middle_is_posted_already(db: DatabaseManager) -> None:
    """A stranger who knows the id holds the occurrence up; neither is posted twice, nor is the rest harmed."""
    books = await make(db, schedules=1)
    async with db.unit_of_work("Household") as uow:
        first = (await uow.schedules.due(FIRST))[0]
    lines = [NewPosting(books.food, 7), NewPosting(books.checking, -7)]
    async with db.unit_of_work("Household") as stranger:
        await stranger.journal.post(NewEntry(FIRST, "Champagne", lines, id=first.entry.id))
        worker = asyncio.ensure_future(db.run(post, ledger="Household"))
        while not worker.done() and not await db.fetchval(WAITING):  # noqa: ASYNC110 - it waits for the server
            await asyncio.sleep(0.01)

    answer = await worker

    assert (len(answer.posted), answer.refused) == (19, ())
    assert await spent(db, books) == 26


async def test_who_skips_waits_for_who_posts(db: DatabaseManager) -> None:
    """And is told that the occurrence is posted."""
    books = await make(db, schedules=1)

    async def skip(uow: UnitOfWork) -> None:
        await uow.schedules.skip((await uow.schedules.page()).items[0], FIRST)

    async with db.unit_of_work("Household") as uow:
        await post(uow)
        worker = asyncio.ensure_future(db.run(skip, ledger="Household"))
        while not worker.done() and not await db.fetchval(WAITING):  # noqa: ASYNC110 - it waits for the server
            await asyncio.sleep(0.01)
    with pytest.raises(SealedError):
        await worker

    assert await spent(db, books) == 20


async def test_who_posts_waits_for_who_skips(db: DatabaseManager) -> None:
    """And leaves the occurrence out."""
    books = await make(db, schedules=1)
    async with db.unit_of_work("Household") as uow:
        await uow.schedules.skip((await uow.schedules.page()).items[0], FIRST)
        worker = asyncio.ensure_future(db.run(post, ledger="Household"))
        while not worker.done() and not await db.fetchval(WAITING):  # noqa: ASYNC110 - it waits for the server
            await asyncio.sleep(0.01)

    assert FIRST not in {each.occurs_on for each in (await worker).posted}
    assert await spent(db, books) == 19


FAULTS = {
    Fault.COMMIT_UNANSWERED: 0.4,
    Fault.COMMIT_LOST: 0.3,
    Fault.LOST_AFTER: 0.03,
    Fault.DEADLOCK: 0.03,
    Fault.SERIALIZATION: 0.03,
}


@pytest.mark.parametrize("seed", range(4))
async def test_faults_and_lost_commits_post_each_occurrence_once(db: DatabaseManager, seed: int) -> None:
    """Several workers run again whatever became of their last try, which is what a crash leaves to the next one."""
    books = await make(db)
    retry = Retry(attempts=200, deadline=None, longest_pause=0.05, idempotent=True)

    with Faults(seed, chance=FAULTS).injected_into(db) as faults:
        await asyncio.gather(*(db.run(post, ledger="Household", retry=retry) for _ in range(3)))

    assert sum(faults.fired.values()) > 0
    assert await spent(db, books) == 60


async def test_a_commit_whose_answer_is_lost_is_told_as_unknown(db: DatabaseManager) -> None:
    """Without leave to run it again; the next worker finds out what is stored."""
    books = await make(db)
    with Faults(chance={Fault.COMMIT_UNANSWERED: 1}).injected_into(db), pytest.raises(OutcomeUnknownError):
        await db.run(post, ledger="Household")

    answer = await db.run(post, ledger="Household")

    assert (answer.posted, answer.left) == ((), 0)
    assert await spent(db, books) == 60


# --- refusals ----------------------------------------------------------------------------------------


async def test_a_refused_occurrence_harms_no_other(each_db: DatabaseManager) -> None:
    """A closed account, a limit, a closed period: each is told, stays due, and the others are posted."""
    async with each_db.unit_of_work("Household", base_currency="EUR") as uow:
        books = await open_books(uow)
        closed = await uow.accounts.open("Expenses:Club", currency="EUR")
        capped = await uow.accounts.open("Assets:Cash", currency="EUR", minimum_balance=0)
        await uow.journal.post(entry(capped, books.salary, 10, on=FIRST))
        for target, payer, amount in (
            (books.food, books.checking, 1),
            (closed, books.checking, 2),
            (books.food, capped, 7),
        ):
            lines = [NewPosting(target, amount), NewPosting(payer, -amount)]
            await uow.schedules.create(NewSchedule("x", lines, "FREQ=WEEKLY;COUNT=3", FIRST))
        await uow.accounts.close(closed, on=FIRST)
    await each_db.ledgers.close_through(books.food.ledger_id, FIRST)

    answer = await each_db.run(post, ledger="Household")

    assert sorted((str(each.posts_on), int(each.entry.postings[0].value)) for each in answer.posted) == [
        ("2026-01-08", 1),
        ("2026-01-08", 7),
        ("2026-01-15", 1),
    ]
    refused = {
        (each.occurrence.posts_on.day, int(each.occurrence.entry.postings[0].value)): each.error
        for each in answer.refused
    }
    assert {key: type(error) for key, error in refused.items()} == {
        (1, 1): PeriodClosedError,
        (1, 2): PeriodClosedError,
        (1, 7): PeriodClosedError,
        (8, 2): AccountClosedError,
        (15, 2): AccountClosedError,
        (15, 7): BalanceLimitError,
    }
    assert await spent(each_db, books) == 9
    async with each_db.unit_of_work("Household") as uow:
        await uow.accounts.reopen(closed)
        assert len((await post(uow)).posted) == 2


async def test_a_fault_is_not_taken_for_a_refusal(db: DatabaseManager) -> None:
    """It undoes the unit of work: nothing is told as posted that is not."""
    books = await make(db)
    with Faults(chance={Fault.DEADLOCK: 1}).injected_into(db), pytest.raises(DeadlockError):
        async with db.unit_of_work("Household") as uow:
            await post(uow)

    assert await spent(db, books) == 0
