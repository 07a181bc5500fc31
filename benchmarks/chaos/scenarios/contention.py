"""X4: deadlocks wanted. X5: one key from fifty at once. X6: reversed twice at once. X7: everybody wants one account."""

from __future__ import annotations

import asyncio
import statistics
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from uuid import UUID

from benchmarks.chaos.lab import DAY, Books, Lab
from benchmarks.chaos.load import all_of, load
from benchmarks.chaos.verdict import Verdict
from finance import DatabaseManager, NewEntry, NewPosting, Outcome, Posted, Retry, UnitOfWork
from finance.errors import AlreadyReversedError, EntryConflictError

_DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = $1"
_PATIENT = Retry(attempts=100, deadline=60.0, pause=0.005, longest_pause=0.2)

# --- X4 ------------------------------------------------------------------------------------------------


Post = Callable[[UnitOfWork, list[NewEntry]], Awaitable[None]]


async def _in_one_statement(uow: UnitOfWork, entries: list[NewEntry]) -> None:
    await uow.journal.post_many(entries)


async def _one_by_one(uow: UnitOfWork, entries: list[NewEntry]) -> None:
    for entry in entries:
        await uow.journal.post(entry)


#: How several entries are posted, and by how many at once. One by one they lock accounts in their caller's own order:
#: the server meets deadlocks, and `db.run()` runs their losers again.
POSTINGS: dict[str, tuple[Post | None, int]] = {
    "lane": (None, 64),
    "one statement": (_in_one_statement, 64),
    "one by one": (_one_by_one, 4),
}
WAYS = ("run", "lane")


async def wanted_deadlocks(lab: Lab, how: str) -> Verdict:
    """X4: many tasks post to four accounts in random orders, and none hears of a deadlock."""
    name = f"X4 {how}"
    post, callers = POSTINGS[how]
    async with lab.books(name) as books, DatabaseManager(books.dsn, max_size=32, max_waiting=None) as db:
        times: list[float] = []

        async def one() -> None:
            started = asyncio.get_running_loop().time()
            await _post_several(db, books, post)
            times.append(asyncio.get_running_loop().time() - started)

        await all_of((one for _ in range(lab.size(60, 3) * callers)), callers=callers)
        met = await _deadlocks(lab, books)
        failures = [f"{count} times {kind}" for kind, count in books.record.errors.items()]
        failures += [f"{met} deadlocks at the server"] if met and how != "one by one" else []
        retries = db.stats().retries / len(times)
        note = f"{met} deadlocks at the server, {retries:.2f} retries a call, p99 {_percentile(times, 99):.2f} s"
        return await books.judge(lab.verdict(name, faults=met, note=note), db, failures=failures)


async def _deadlocks(lab: Lab, books: Books) -> int:
    await asyncio.sleep(0.3)  # backends report what they have met when they rest
    async with lab.node.administered() as admin:
        return int(await admin.fetchval(_DEADLOCKS, books.database))


async def _post_several(db: DatabaseManager, books: Books, post: Post | None) -> None:
    entries = []
    for _ in range(books.random.randint(2, 5)):
        key = books.key()
        debit, credit = books.random.sample(books.accounts[:4], 2)
        entries.append(NewEntry(DAY, str(key), [NewPosting(debit, 1), NewPosting(credit, -1)], id=key))
    with books.record.of(entries[0].id):
        if post is None:
            await asyncio.gather(*(db.journal.post(entry, ledger=books.ledger) for entry in entries))
        else:
            await db.run(lambda uow: post(uow, entries), ledger=books.ledger, retry=_PATIENT)
    for entry in entries[1:]:
        books.record.told[entry.id] = books.record.told[entries[0].id]


def _percentile(times: list[float], percent: int) -> float:
    return statistics.quantiles(times, n=100)[percent - 1] if len(times) > 1 else 0.0


# --- X5 ------------------------------------------------------------------------------------------------

_CROWD = 50


async def one_key(lab: Lab, way: str) -> Verdict:
    """X5: of fifty with one key one applies, and the others replay, or conflict where their content is another."""
    failures: list[str] = []
    async with lab.books(f"X5 {way}") as books, DatabaseManager(books.dsn, max_size=25) as db:
        rounds = lab.size(40, 2)
        for _ in range(rounds):
            key = books.key()
            failures += await _crowd(db, books, key, [1] * _CROWD, way=way)
            key = books.key()
            failures += await _crowd(db, books, key, list(range(1, _CROWD + 1)), way=way)
        verdict = lab.verdict(
            f"X5 {way}", tries=2 * rounds * _CROWD, faults=2 * rounds, note=f"{rounds} rounds of each"
        )
        return await books.judge(verdict, db, failures=failures)


async def _crowd(db: DatabaseManager, books: Books, key: UUID, amounts: list[int], *, way: str) -> list[str]:
    replays = amounts.count(amounts[0]) - 1
    debit, credit = (books.accounts[number] for number in books.accounts_of(key))
    entries = [
        NewEntry(DAY, str(key), [NewPosting(debit, amount), NewPosting(credit, -amount)], id=key) for amount in amounts
    ]
    calls = [_post(db, books, entry, way) for entry in entries]
    ends = Counter(map(_named, await asyncio.gather(*calls, return_exceptions=True)))
    books.record.told[key] = Outcome.APPLIED if ends["applied"] else Outcome.NOT_APPLIED
    expected = Counter(applied=1, replayed=replays, conflict=len(amounts) - 1 - replays)
    return [] if ends == expected else [f"{dict(ends)} instead of {dict(expected)}"]


async def _post(db: DatabaseManager, books: Books, entry: NewEntry, way: str) -> Posted:
    if way == "lane":
        return await db.journal.post(entry, ledger=books.ledger)
    return await db.run(lambda uow: uow.journal.post(entry), ledger=books.ledger)


def _named(end: Posted | BaseException) -> str:
    if isinstance(end, EntryConflictError):
        return "conflict"
    if isinstance(end, BaseException):
        return repr(end)
    return "replayed" if end.is_replay else "applied"


# --- X6 ------------------------------------------------------------------------------------------------


async def double_reversal(lab: Lab) -> Verdict:
    """X6: of two that reverse an entry at once, exactly one does."""
    async with lab.books("X6") as books, DatabaseManager(books.dsn, max_size=16) as db:
        keys = [books.key() for _ in range(lab.size(500, 30))]
        await all_of((partial(books.post, db, key) for key in keys), callers=16)
        reversals = {key: (books.key(), books.key()) for key in keys}
        calls = [partial(_reverse, db, books, key, chosen) for key, both in reversals.items() for chosen in both]
        await all_of(calls, callers=16)
        told = books.record.told
        wins = Counter(sum(told[each] is Outcome.APPLIED for each in both) for both in reversals.values())
        refused = books.record.errors.pop(AlreadyReversedError.__name__, 0)
        failures = [f"{count} times {kind}" for kind, count in books.record.errors.items()]
        failures += [] if wins == Counter({1: len(keys)}) else [f"reversals an entry: {dict(wins)}"]
        verdict = lab.verdict("X6", faults=len(keys), note=f"{wins[1]} reversed once, {refused} refused")
        return await books.judge(verdict, db, failures=failures)


async def _reverse(db: DatabaseManager, books: Books, key: UUID, chosen: UUID) -> None:
    with books.record.of(chosen):
        await db.run(lambda uow: uow.journal.reverse(key, id=chosen), ledger=books.ledger)


# --- X7 ------------------------------------------------------------------------------------------------


async def hot_account(lab: Lab, way: str) -> Verdict:
    """X7: when every entry touches one account, all get their turn."""
    callers = 64
    async with lab.books(f"X7 {way}") as books, DatabaseManager(books.dsn, max_size=16) as db:
        times: list[float] = []
        turns: Counter[str] = Counter()
        hot, others = books.accounts[0], books.accounts[1:]
        clock = asyncio.get_running_loop().time

        async def one() -> None:
            key = books.key()
            lines = [NewPosting(hot, 1), NewPosting(books.random.choice(others), -1)]
            entry = NewEntry(DAY, str(key), lines, id=key)
            started = clock()
            with books.record.of(key):
                await _post(db, books, entry, way)
            times.append(clock() - started)
            turns[task.get_name() if (task := asyncio.current_task()) else ""] += 1

        began = clock()
        async with load(one, callers=callers, pause=0.0):
            await asyncio.sleep(lab.size(20.0, 1.0))
        speed = len(times) / (clock() - began)
        fewest, mean = min(turns.values()), len(times) / callers
        failures = [f"{count} times {kind}" for kind, count in books.record.errors.items()]
        failures += [f"{callers - len(turns)} callers got no turn"] if len(turns) < callers else []
        failures += [f"a caller had {fewest} turns, the mean is {mean:.1f}"] if fewest < mean / 4 else []
        p99, p50 = _percentile(times, 99), _percentile(times, 50)
        note = f"{speed:.0f} entries/s, p50 {p50:.3f} s, p99 {p99:.3f} s, fewest turns {fewest} of {mean:.0f}"
        return await books.judge(lab.verdict(f"X7 {way}", faults=1, note=note), db, failures=failures)
