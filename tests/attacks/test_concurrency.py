"""Many at once: equal ids, opposite orders, closings, limits, and balances that are set directly."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from finance import NewEntry, NewPosting, Posted, Retry
from finance.database.transactions import Isolation
from finance.errors import (
    AccountNotFoundError,
    AlreadyReversedError,
    BalanceLimitError,
    DeadlockError,
    EntryConflictError,
    PeriodClosedError,
    SealedError,
    SerializationError,
    UnbalancedEntryError,
)
from tests.attacks.victim import Victim
from tests.factories import TODAY

_ISOLATIONS: tuple[Isolation, ...] = ("read_committed", "repeatable_read", "serializable")


async def _all(*calls: Awaitable[Any]) -> tuple[list[Any], Counter[str]]:
    """Await *calls* at once; return their results, and how often each class of error was raised."""
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    results = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    return results, Counter(type(outcome).__name__ for outcome in outcomes if isinstance(outcome, BaseException))


async def _post(victim: Victim, entry: NewEntry, isolation: Isolation | None = None) -> Posted:
    async with victim.db.unit_of_work(victim.ledger, isolation=isolation) as uow:
        return await uow.journal.post(entry)


def _entry(lines: Sequence[tuple[int, int]], *, id: UUID | None = None) -> NewEntry:  # noqa: A002 - the field's word
    postings = [NewPosting(account, amount) for account, amount in lines]
    return NewEntry(TODAY, "At once", postings, id=id or uuid4())


# --- equal ids ---------------------------------------------------------------------------------------


async def test_one_entry_posted_fifty_times_at_once_is_stored_once(victim: Victim) -> None:
    """One caller stores it, and forty-nine are told that it is a replay."""
    entry = victim.new_entry(7)

    posted, errors = await _all(*(_post(victim, entry) for _ in range(50)))

    assert not errors
    assert Counter(answer.is_replay for answer in posted) == {True: 49, False: 1}
    assert await victim.balances() == (-47, 47)


async def test_one_id_with_other_contents_at_once_is_stored_once(victim: Victim) -> None:
    """One caller wins; the others are told that the id is taken by other content."""
    entries = [_entry([(victim.food, amount), (victim.checking, -amount)], id=victim.new) for amount in range(1, 51)]

    posted, errors = await _all(*(_post(victim, entry) for entry in entries))

    assert [answer.is_replay for answer in posted] == [False]
    assert errors == {EntryConflictError.__name__: 49}
    stored = await victim.fetchval("SELECT amount FROM postings WHERE entry_id = {new} AND line = 1")
    assert await victim.balance(victim.food) == 40 + stored


@pytest.mark.parametrize("isolation", ["repeatable_read", "serializable"])
async def test_a_replay_that_an_old_snapshot_cannot_see_is_retryable(victim: Victim, isolation: Isolation) -> None:
    """A transaction that began before the entry was stored is told to run again, rather than guess."""
    entry = victim.new_entry()

    with pytest.raises(SerializationError):
        async with victim.db.unit_of_work(victim.ledger, isolation=isolation) as uow:
            await uow.accounts.get_one(victim.food)
            await _post(victim, entry)
            await uow.journal.post(entry)

    assert await victim.balances() == (-41, 41)


async def test_half_an_entry_each_at_once_does_not_make_a_whole(victim: Victim) -> None:
    """Two transactions cannot put an entry together: the second waits, and then finds it refused or sealed."""

    async def half(account: int, amount: int, line: int) -> None:
        async with victim.db.transaction() as conn:
            await conn.execute(
                victim.sql("INSERT INTO journal_entries (ledger_id, id, date) VALUES ({ledger}, {new}, {day})")
                + " ON CONFLICT DO NOTHING"
            )
            await asyncio.sleep(0.01)
            await conn.execute(
                "INSERT INTO postings (ledger_id, entry_id, line, account_id, date, currency, amount)"
                " VALUES ($1, $2, $3, $4, $5, 'EUR', $6)",
                victim.ledger.id,
                victim.new,
                line,
                account,
                TODAY,
                Decimal(amount),
            )

    stored, errors = await _all(half(victim.food, 10, 1), half(victim.checking, -10, 2))

    assert (stored, errors) == ([], {UnbalancedEntryError.__name__: 2})


async def test_an_entry_is_reversed_once_at_once(victim: Victim) -> None:
    """Of eight that reverse the same entry, one does."""

    async def reverse() -> Posted:
        async with victim.db.unit_of_work(victim.ledger) as uow:
            return await uow.journal.reverse(victim.entry)

    posted, errors = await _all(*(reverse() for _ in range(8)))

    assert len(posted) == 1
    assert errors == {AlreadyReversedError.__name__: 7}
    assert await victim.balances() == (0, 0)


# --- orders ------------------------------------------------------------------------------------------


async def test_posters_in_random_orders_do_not_deadlock(victim: Victim) -> None:
    """Sixteen tasks post 400 entries of two to six postings on four accounts, each in an order of its own."""
    seed = random.randrange(2**32)
    rng = random.Random(seed)
    accounts = [victim.checking, victim.food, *await _open(victim, 2)]
    entries = []
    for _ in range(400):
        lines = [(rng.choice(accounts), rng.choice([-3, -2, -1, 1, 2, 3])) for _ in range(rng.randint(1, 5))]
        rest = -sum(amount for _, amount in lines)
        entries.append(_entry([*lines, (rng.choice(accounts), rest or 1), *([] if rest else [(accounts[0], -1)])]))

    async def poster(number: int) -> int:
        for entry in entries[number::16]:
            await _post(victim, entry)
        return len(entries[number::16])

    posted, errors = await _all(*(poster(number) for number in range(16)))

    assert not errors, f"seed {seed}"
    assert sum(posted) == 400


async def _open(victim: Victim, count: int) -> list[int]:
    async with victim.db.unit_of_work(victim.ledger) as uow:
        opened = [await uow.accounts.open(f"Assets:Account {number}", currency="EUR") for number in range(count)]
    return [account.id for account in opened]


async def test_adjusters_of_one_account_each_do_not_deadlock(victim: Victim) -> None:
    """Sixteen tasks set balances 320 times; the one adjustments account that they share is locked last."""
    accounts = [victim.checking, victim.food, *await _open(victim, 2)]

    async def adjuster(number: int) -> None:
        for turn in range(20):
            account = accounts[(number + turn) % len(accounts)]
            await victim.db.execute("UPDATE accounts SET balance = balance + 1 WHERE id = $1", account)

    _, errors = await _all(*(adjuster(number) for number in range(16)))

    assert not errors
    assert await victim.adjusted() == -320


@pytest.mark.parametrize("is_open", [False, True])
async def test_the_first_adjusters_of_a_ledger_agree_on_its_account(victim: Victim, *, is_open: bool) -> None:
    """Twelve at once, in ten ledgers each: one makes the adjustments account, or takes what somebody has opened."""
    names = [*(f"Assets:{number}" for number in range(12)), *(["Equity:Adjustments"] if is_open else [])]
    for _ in range(10):
        ledger = await victim.db.ledgers.create(uuid4().hex, base_currency="EUR")
        accounts = await victim.db.fetch(
            "INSERT INTO accounts (ledger_id, name, type, currency)"
            " SELECT $1, n, 'asset', 'EUR' FROM unnest($2::text[]) AS n RETURNING id",
            ledger.id,
            names,
        )

        _, errors = await _all(
            *(
                victim.db.execute("UPDATE accounts SET balance = balance + 1 WHERE id = $1", account["id"])
                for account in accounts[:12]
            )
        )

        assert not errors
        found = await victim.db.fetch(
            "SELECT balance FROM accounts WHERE ledger_id = $1 AND purpose IS NOT NULL", ledger.id
        )
        assert [row["balance"] for row in found] == [-12]


async def test_adjusters_and_posters_do_not_lose_an_update(victim: Victim) -> None:
    """Each adds one at a time, some by posting and some directly; nothing is lost."""

    async def adjust() -> None:
        for _ in range(10):
            await victim.db.execute("UPDATE accounts SET balance = balance + 1 WHERE id = $1", victim.food)

    async def post() -> None:
        for _ in range(10):
            await _post(victim, _entry([(victim.food, 1), (victim.checking, -1)]))

    _, errors = await _all(*(adjust() for _ in range(6)), *(post() for _ in range(6)))

    assert not errors
    assert (*await victim.balances(), await victim.adjusted()) == (-100, 160, -60)


@pytest.mark.parametrize("isolation", ["repeatable_read", "serializable"])
async def test_retried_posters_lose_nothing(victim: Victim, isolation: Isolation) -> None:
    """Under a snapshot for the whole transaction the loser of a race is told to run again, and `run()` does."""

    async def post() -> None:
        entry = _entry([(victim.food, 1), (victim.checking, -1)])
        for _ in range(8):
            await victim.db.run(
                lambda uow, entry=entry: uow.journal.post(entry),  # type: ignore[misc]
                ledger=victim.ledger,
                isolation=isolation,
                retry=Retry(attempts=50),
            )
            entry = _entry([(victim.food, 1), (victim.checking, -1)])

    _, errors = await _all(*(post() for _ in range(4)))

    assert not errors
    assert await victim.balances() == (-72, 72)


# --- limits ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["post", "update"])
async def test_a_minimum_holds_against_many_at_once(victim: Victim, way: str) -> None:
    """Of twenty that each take 100 of the 1,000 there are, ten get it."""
    await _post(victim, _entry([(victim.capped, 1000), (victim.checking, -1000)]))

    async def take() -> object:
        if way == "post":
            return await _post(victim, _entry([(victim.food, 100), (victim.capped, -100)]))
        return await victim.db.execute("UPDATE accounts SET balance = balance - 100 WHERE id = $1", victim.capped)

    taken, errors = await _all(*(take() for _ in range(20)))

    assert (len(taken), errors) == (10, {BalanceLimitError.__name__: 10})
    assert await victim.balance(victim.capped) == 0


async def test_a_minimum_holds_between_a_poster_and_an_adjuster(victim: Victim) -> None:
    """Two ways to take the last 60 of 100; one of them does."""
    await _post(victim, _entry([(victim.capped, 100), (victim.checking, -100)]))

    _, errors = await _all(
        _post(victim, _entry([(victim.food, 60), (victim.capped, -60)])),
        victim.db.execute("UPDATE accounts SET balance = balance - 60 WHERE id = $1", victim.capped),
    )

    assert errors == {BalanceLimitError.__name__: 1}
    assert await victim.balance(victim.capped) == 40


# --- closing -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("isolation", _ISOLATIONS)
async def test_nothing_lands_behind_a_closing(victim: Victim, isolation: Isolation) -> None:
    """While sixteen post, each day is closed in turn: what was recorded after a closing is dated after it."""
    acknowledged: dict[UUID, int] = {}
    first = TODAY - timedelta(days=10)
    closed: Counter[str] = Counter()

    async def poster(number: int) -> None:
        rng = random.Random(number)
        while not done.is_set():
            day = first + timedelta(days=rng.randrange(10))
            entry = NewEntry(day, "", [NewPosting(victim.food, 1), NewPosting(victim.checking, -1)])
            try:
                await _post(victim, entry, isolation)
                acknowledged[entry.id] = 1
            except (PeriodClosedError, SerializationError) as error:
                closed[type(error).__name__] += 1

    async def closer() -> None:
        for day in range(10):
            await asyncio.sleep(0.03)
            await victim.db.ledgers.close_through(victim.ledger, first + timedelta(days=day))
            # The closing is over: whatever is dated in it is there by now.
            there[day] = await victim.db.fetchval(
                "SELECT count(*) FROM journal_entries WHERE ledger_id = $1 AND date <= $2",
                victim.ledger.id,
                first + timedelta(days=day),
            )
        done.set()

    done = asyncio.Event()
    there: dict[int, int] = {}
    _, errors = await _all(closer(), *(poster(number) for number in range(16)))

    assert not errors
    for day, count in there.items():
        later = await victim.db.fetchval(
            "SELECT count(*) FROM journal_entries WHERE ledger_id = $1 AND date <= $2",
            victim.ledger.id,
            first + timedelta(days=day),
        )
        assert later == count, f"an entry landed behind the closing of day {day}"
    stored = await victim.fetchval(
        "SELECT count(*) FROM journal_entries WHERE ledger_id = {ledger} AND description = ''"
    )
    assert stored == len(acknowledged) > 0
    assert closed[PeriodClosedError.__name__] > 0


@pytest.mark.parametrize("isolation", _ISOLATIONS)
async def test_a_reopened_day_takes_postings_and_a_closed_one_none(victim: Victim, isolation: Isolation) -> None:
    """While sixteen post, a day is closed and reopened in turn: the count stands still whenever it is closed."""
    done = asyncio.Event()
    outcomes: Counter[str] = Counter()
    counted = "SELECT count(*) FROM journal_entries WHERE ledger_id = $1"

    async def poster() -> None:
        while not done.is_set():
            try:
                await _post(victim, _entry([(victim.food, 1), (victim.checking, -1)]), isolation)
                outcomes["posted"] += 1
            except PeriodClosedError as error:
                assert (error.on, error.closed_through) == (TODAY, TODAY)
                outcomes["closed"] += 1
            except SerializationError:
                outcomes["again"] += 1

    async def closer() -> list[tuple[int, int]]:
        stands = []
        for _ in range(6):
            await victim.db.ledgers.close_through(victim.ledger, TODAY)
            first = await victim.db.fetchval(counted, victim.ledger.id)
            await asyncio.sleep(0.03)
            stands.append((first, await victim.db.fetchval(counted, victim.ledger.id)))
            await victim.db.ledgers.reopen(victim.ledger, through=TODAY - timedelta(days=1))
            await asyncio.sleep(0.03)
        done.set()
        return stands

    results, errors = await _all(closer(), *(poster() for _ in range(16)))

    assert not errors
    assert all(first == second for first, second in next(each for each in results if each is not None))
    assert outcomes["posted"] > 0
    assert outcomes["closed"] > 0


async def test_an_old_snapshot_cannot_post_behind_a_closing(victim: Victim) -> None:
    """A transaction that began before the closing reads the ledger's row as it was; it is told to run again."""
    for isolation in ("repeatable_read", "serializable"):
        with pytest.raises(SerializationError):
            async with victim.db.unit_of_work(victim.ledger, isolation=isolation) as uow:
                await uow.connection.fetchval("SELECT count(*) FROM journal_entries")
                await victim.db.ledgers.close_through(victim.ledger, TODAY)
                await uow.journal.post(victim.new_entry())
        await victim.db.ledgers.reopen(victim.ledger)

    assert await victim.balances() == (-40, 40)


# --- deleting ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("isolation", _ISOLATIONS)
async def test_an_account_is_not_deleted_under_a_posting(victim: Victim, isolation: Isolation) -> None:
    """Whoever deletes it waits for the poster, and then finds the posting: also one that nets to nothing."""
    (spare,) = await _open(victim, 1)
    deleting, posted = asyncio.Event(), asyncio.Event()

    async def delete() -> None:
        async with victim.db.transaction(isolation=isolation) as conn:
            await conn.fetchval("SELECT count(*) FROM postings")
            deleting.set()
            await posted.wait()
            await conn.execute("DELETE FROM accounts WHERE id = $1", spare)

    async def post() -> None:
        await deleting.wait()
        async with victim.db.unit_of_work(victim.ledger) as uow:
            await uow.journal.post(_entry([(spare, 5), (spare, -5)]))
            posted.set()
            await asyncio.sleep(0.15)

    _, errors = await _all(delete(), post())

    assert errors in ({SealedError.__name__: 1}, {SerializationError.__name__: 1})
    assert await victim.fetchval(f"SELECT count(*) FROM accounts WHERE id = {spare}") == 1


async def test_a_posting_does_not_reach_an_account_that_is_being_deleted(victim: Victim) -> None:
    """The poster waits for the deletion, and then does not find the account."""
    (spare,) = await _open(victim, 1)
    deleted = asyncio.Event()

    async def delete() -> None:
        async with victim.db.transaction() as conn:
            await conn.execute("DELETE FROM accounts WHERE id = $1", spare)
            deleted.set()
            await asyncio.sleep(0.1)

    async def post() -> None:
        async with victim.db.unit_of_work(victim.ledger) as uow:
            account = await uow.accounts.get_one(spare)
            await deleted.wait()
            await uow.journal.post(NewEntry(TODAY, "", [NewPosting(account, 5), NewPosting(victim.food, -5)]))

    _, errors = await _all(delete(), post())

    assert errors == {AccountNotFoundError.__name__: 1}


async def test_opposite_adjusters_are_told_of_their_deadlock(victim: Victim) -> None:
    """Two accounts by hand in opposite orders is a deadlock that no guard can prevent; its error is retryable."""
    met = asyncio.Barrier(2)

    async def adjust(*accounts: int) -> None:
        async with victim.db.transaction() as conn:
            await conn.execute("UPDATE accounts SET balance = balance + 1 WHERE id = $1", accounts[0])
            await met.wait()
            await conn.execute("UPDATE accounts SET balance = balance - 1 WHERE id = $1", accounts[1])

    _, errors = await _all(adjust(victim.food, victim.checking), adjust(victim.checking, victim.food))

    assert errors == {DeadlockError.__name__: 1}
    assert DeadlockError.retryable
