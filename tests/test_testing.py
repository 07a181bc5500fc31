"""Faults on purpose: each is what it says, tells what is stored, and is gone when its block ends."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import pytest

from finance import DatabaseManager, FinanceError, Outcome, Retry, UnitOfWork
from finance.connection import PooledConnection
from finance.errors import (
    ConnectionLostError,
    DeadlockError,
    InvalidError,
    LockTimeoutError,
    OutcomeUnknownError,
    SerializationError,
)
from finance.testing import Fault, Faults
from tests.factories import entry, open_books

Work = Callable[[DatabaseManager], Awaitable[object]]
_INSERT = "INSERT INTO things VALUES ($1)"


async def _in_transaction(db: DatabaseManager) -> None:
    async with db.transaction() as conn:
        await conn.execute(_INSERT, 1)


async def _in_unit_of_work(db: DatabaseManager) -> None:
    async with db.unit_of_work() as uow:
        await uow.connection.execute(_INSERT, 1)


async def _alone(db: DatabaseManager) -> None:
    await db.execute(_INSERT, 1)


@pytest.mark.parametrize("work", [_in_transaction, _in_unit_of_work])
@pytest.mark.parametrize(
    ("fault", "error", "stored"),
    [
        (Fault.LOST_BEFORE, ConnectionLostError, 0),
        (Fault.LOST_AFTER, ConnectionLostError, 0),
        (Fault.COMMIT_LOST, OutcomeUnknownError, 0),
        (Fault.COMMIT_UNANSWERED, OutcomeUnknownError, 1),
        (Fault.SERIALIZATION, SerializationError, 0),
        (Fault.DEADLOCK, DeadlockError, 0),
        (Fault.LOCK_TIMEOUT, LockTimeoutError, 0),
    ],
)
async def test_a_fault_is_what_it_says(
    db: DatabaseManager, work: Work, fault: Fault, error: type[FinanceError], stored: int
) -> None:
    """The error, its outcome, and what is stored are those of the fault in earnest."""
    await db.execute("CREATE TABLE things (n int)")
    await work(db)  # so that nothing is asked for the first time
    await db.execute("DELETE FROM things")

    with Faults(chance={fault: 1.0}).injected_into(db) as faults, pytest.raises(error) as caught:
        await work(db)

    assert caught.type is error
    assert caught.value.outcome in (Outcome.UNKNOWN, Outcome.APPLIED if stored else Outcome.NOT_APPLIED)
    assert faults.fired[fault] == 1
    assert await db.fetchval("SELECT count(*) FROM things") == stored


@pytest.mark.parametrize(("fault", "stored"), [(Fault.LOST_BEFORE, 0), (Fault.LOST_AFTER, 1)])
async def test_a_statement_alone_ends_unknown(db: DatabaseManager, fault: Fault, stored: int) -> None:
    """It commits by itself, so that a lost connection says nothing."""
    await db.execute("CREATE TABLE things (n int)")

    with Faults(chance={fault: 1}).injected_into(db), pytest.raises(OutcomeUnknownError):
        await _alone(db)

    assert await db.fetchval("SELECT count(*) FROM things") == stored


async def test_a_slow_answer_is_late(db: DatabaseManager) -> None:
    """By the delay."""
    started = time.perf_counter()

    with Faults(chance={Fault.SLOW: 1}, delay=0.2).injected_into(db):
        await db.fetchval("SELECT 1")

    assert time.perf_counter() - started > 0.19


async def test_idempotent_work_goes_on_through_faults(db: DatabaseManager) -> None:
    """`db.run()` with the ids made outside stores each entry once, whatever strikes."""
    ledger = await db.ledgers.create("Faulty", base_currency="EUR")
    async with db.unit_of_work(ledger) as uow:
        books = await open_books(uow)
    faults = Faults(seed=3, active=1, chance=0.05, delay=0.001)
    entries = [entry(books.food, books.checking, 1) for _ in range(40)]

    async def post(uow: UnitOfWork) -> None:
        await uow.journal.post(entries[0])

    with faults.injected_into(db):
        while entries:
            await db.run(post, ledger=ledger, retry=Retry(attempts=100, idempotent=True, pause=0.001))
            entries.pop(0)

    assert await db.fetchval("SELECT count(*) FROM journal_entries") == 40
    assert (await db.verify(ledger)).is_clean
    assert len(faults.fired) > 3, faults


def test_a_seed_makes_the_same_choices() -> None:
    """So that a run can be repeated."""
    first, second = Faults(5, chance=0.5), Faults(5, chance=0.5)

    assert first.chances == second.chances
    assert [first.strikes(fault) for fault in [*Fault] * 20] == [second.strikes(fault) for fault in [*Fault] * 20]
    assert len({frozenset(Faults(seed).chances) for seed in range(40)}) > 5, "seeds choose other faults"
    assert "seed=5" in repr(first)


async def test_nothing_is_in_the_way_outside_of_the_block(db: DatabaseManager) -> None:
    """The connections are what they were, those that were made inside of it among them."""
    with Faults(chance={Fault.LOST_AFTER: 1}).injected_into(db), pytest.raises(OutcomeUnknownError):
        await db.fetchval("SELECT 1")

    async with db.transaction() as conn:
        assert type(conn.driver) is PooledConnection
    for _ in range(5):
        await db.fetchval("SELECT 1")


@pytest.mark.parametrize("options", [{"active": 2}, {"chance": -0.1, "active": 1}, {"delay": -1}])
def test_chances_are_chances(options: dict[str, float]) -> None:
    """Between never and always."""
    with pytest.raises(InvalidError):
        Faults(1, **options)
