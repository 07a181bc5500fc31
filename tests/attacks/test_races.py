"""Many at once: each outcome is told, and the books agree with what was acknowledged."""

from __future__ import annotations

import asyncio
import dataclasses
import random
from collections import Counter
from collections.abc import Awaitable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Literal

import pytest

from finance import NewEntry, NewPosting, Posted
from finance.errors import (
    AlreadyReversedError,
    BalanceLimitError,
    EntryConflictError,
    PeriodClosedError,
    SerializationError,
)
from tests.attacks.victim import Victim
from tests.factories import TODAY, entry

Isolation = Literal["read_committed", "repeatable_read", "serializable"]


async def _post(victim: Victim, given: NewEntry, isolation: Isolation | None = None) -> Posted:
    async with victim.db.unit_of_work(victim.ledger, isolation=isolation) as uow:
        return await uow.journal.post(given)


async def _outcomes(calls: list[Awaitable[Any]]) -> Counter[str]:
    results = await asyncio.gather(*calls, return_exceptions=True)
    return Counter(
        type(result).__name__ if isinstance(result, BaseException) else str(getattr(result, "is_replay", "done"))
        for result in results
    )


async def test_same_entry_fifty_times_at_once_is_stored_once(victim: Victim) -> None:
    """One stores it, forty-nine are told that it is a replay."""
    given = victim.new_entry()

    outcomes = await _outcomes([_post(victim, given) for _ in range(50)])

    assert outcomes == {"False": 1, "True": 49}
    assert await victim.balances() == (-41, 41)


async def test_same_id_with_other_content_fifty_times_at_once(victim: Victim) -> None:
    """One content wins, and every other is told so."""
    given = victim.new_entry()
    others = [dataclasses.replace(given, description=f"{number}") for number in range(50)]

    outcomes = await _outcomes([_post(victim, other) for other in others])

    assert outcomes == {"False": 1, EntryConflictError.__name__: 49}


async def test_replay_under_an_old_snapshot_is_retryable(victim: Victim) -> None:
    """A transaction that cannot see the stored entry says so, rather than guess."""
    given = victim.new_entry()

    with pytest.raises(SerializationError):
        async with victim.db.unit_of_work(victim.ledger, isolation="repeatable_read") as uow:
            await uow.accounts.get_one(victim.food)
            await _post(victim, given)
            await uow.journal.post(given)


async def test_entry_is_reversed_by_one_of_twenty(victim: Victim) -> None:
    """Whoever comes second is told that it is reversed already."""

    async def reverse() -> Posted:
        async with victim.db.unit_of_work(victim.ledger) as uow:
            return await uow.journal.reverse(victim.entry)

    outcomes = await _outcomes([reverse() for _ in range(20)])

    assert outcomes == {"False": 1, AlreadyReversedError.__name__: 19}
    assert await victim.balances() == (0, 0)


@pytest.mark.parametrize("isolation", ["read_committed", "repeatable_read", "serializable"])
async def test_nobody_lands_behind_a_closing(victim: Victim, isolation: Isolation) -> None:
    """While sixteen post into a period it is closed: what was acknowledged is stored, and nothing follows."""
    closed = asyncio.Event()
    late: list[Posted] = []
    stored: list[Posted] = []

    async def poster() -> None:
        while True:
            was_closed = closed.is_set()
            try:
                posted = await _post(victim, entry(victim.food, victim.checking, 1), isolation)
            except PeriodClosedError:
                return
            except SerializationError:
                continue
            (late if was_closed else stored).append(posted)

    async def closer() -> None:
        await asyncio.sleep(0.1)
        await victim.db.ledgers.close_through(victim.ledger, TODAY)
        closed.set()

    async with asyncio.timeout(60):
        await asyncio.gather(closer(), *(poster() for _ in range(16)))

    assert late == []
    assert await victim.balance(victim.food) == 40 + len(stored)


@pytest.mark.parametrize("way", ["post", "update"])
async def test_minimum_holds_against_everybody_at_once(victim: Victim, way: str) -> None:
    """Of twenty that take 100 from 1,000, ten get it."""
    await _post(victim, entry(victim.capped, victim.checking, 1000))

    async def take() -> Any:
        if way == "post":
            return await _post(victim, entry(victim.food, victim.capped, 100))
        return await victim.db.execute("UPDATE accounts SET balance = balance - 100 WHERE id = $1", victim.capped)

    outcomes = await _outcomes([take() for _ in range(20)])

    assert outcomes[BalanceLimitError.__name__] == 10
    assert outcomes.total() == 20
    assert await victim.balance(victim.capped) == 0


async def test_posters_in_any_order_of_accounts_do_not_deadlock(victim: Victim) -> None:
    """Accounts are locked in the order of their ids, however an entry names them: no deadlock in 320 entries."""
    async with victim.db.unit_of_work(victim.ledger) as uow:
        accounts = [(await uow.accounts.open(f"Assets:Race {n}", currency="EUR")).id for n in range(4)]
    chance = random.Random(20261122)  # noqa: S311 - it is to be repeatable
    model: Counter[int] = Counter()

    def entry_of_many() -> NewEntry:
        chosen = [chance.choice(accounts) for _ in range(chance.randint(2, 6))]
        amounts = [Decimal(chance.randint(1, 500)) for _ in chosen[1:]]
        amounts.append(-sum(amounts, Decimal(0)))
        for account, amount in zip(chosen, amounts, strict=True):
            model[account] += int(amount)
        day = date(2026, 1, 1) + timedelta(days=chance.randint(0, 300))
        return NewEntry(day, "race", [NewPosting(a, m) for a, m in zip(chosen, amounts, strict=True)])

    async def worker(entries: list[NewEntry]) -> int:
        for each in entries:
            await _post(victim, each)
        return len(entries)

    batches = [[entry_of_many() for _ in range(20)] for _ in range(16)]
    outcomes = await _outcomes([worker(batch) for batch in batches])

    assert outcomes == {"done": 16}
    assert {account: await victim.balance(account) for account in accounts} == {a: model[a] for a in accounts}
