"""C3: callers are cancelled while the server is busy with their COMMIT."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Coroutine
from dataclasses import dataclass

from benchmarks.chaos.cluster import wait_until
from benchmarks.chaos.lab import Books, Lab
from benchmarks.chaos.proxy import Proxy
from benchmarks.chaos.verdict import Verdict
from finance import DatabaseManager, Outcome

#: Seconds for which a cancelled caller may wait for the answer to its COMMIT, and for the connection's end.
_BOUND = 2.0
#: How long COMMITs take: well below that, and beyond it.
SECONDS = (0.5, 3.0)

_SLOW = """
CREATE FUNCTION sleep_on_{table}() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN PERFORM pg_sleep({seconds}); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER zz_slow AFTER INSERT ON {table} DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION sleep_on_{table}();
"""


async def _unit_of_work(db: DatabaseManager, books: Books, number: int) -> None:
    """Post between two accounts that no other caller has: COMMIT is to wait, and not a lock."""
    key = books.key()
    while {*books.accounts_of(key)} != {2 * number, 2 * number + 1}:
        key = books.key()
    await books.post(db, key)


async def _transaction(db: DatabaseManager, books: Books, _number: int) -> None:
    await books.mark(db, books.key())


@dataclass
class _Times:
    faults: int = 0
    slowest: float = 0.0


async def slow_commit(lab: Lab, seconds: float) -> Verdict:
    """C3: a deferred trigger takes its time; half a second is waited for, and of three nobody is told an untruth."""
    name = f"C3 trigger {seconds:g} s"
    async with lab.books(name) as books, lab.network() as network, lab.patience(_BOUND) as bound:
        async with lab.node.administered(books.database) as admin:
            await admin.execute(_SLOW.format(seconds=seconds, table="journal_entries"))
            await admin.execute(_SLOW.format(seconds=seconds / 2, table="marks"))  # which gets two rows
        times = await _cancel_each(network, books, rounds=lab.size(4, 1))
        await _committed(lab, books)
        unknown = books.record.keys(Outcome.UNKNOWN)
        failures = [f"{len(unknown)} were told UNKNOWN"] if unknown and seconds <= 1 else []
        return await books.judge(_row(lab, name, times), failures=[*failures, *_problems(network, times, bound())])


async def absent_standby(lab: Lab) -> Verdict:
    """C3: COMMIT waits for a standby that is not there; nobody is told that it was not stored."""
    name = "C3 standby absent"
    async with lab.books(name) as books, lab.network() as network, lab.patience(_BOUND) as bound:
        warnings = lab.node.log().count("canceling wait for synchronous replication")
        async with _standby_named(lab, "nobody"):
            times = await _cancel_each(network, books, rounds=lab.size(4, 1))
        await _committed(lab, books)
        warnings = lab.node.log().count("canceling wait for synchronous replication") - warnings
        failures = [f"{warnings} waits for the standby were cancelled"] if warnings else []
        return await books.judge(_row(lab, name, times), failures=[*failures, *_problems(network, times, bound())])


async def _cancel_each(network: Proxy, books: Books, *, rounds: int) -> _Times:
    """Cancel, time out, and cancel twice, each in a transaction and in a unit of work, all at once, in COMMIT."""
    times = _Times()
    strikes = [(work, *strike) for work in (_unit_of_work, _transaction) for strike in enumerate(_STRIKES)]
    for turn in range(rounds):
        committing = _Committing(network, network.counts.commits + len(strikes))
        db = DatabaseManager(network.dsn(books.database), min_size=len(strikes))
        await db.connect()
        try:
            async with asyncio.TaskGroup() as group:
                for work, number, strike in strikes:
                    group.create_task(_timed(times, strike(work(db, books, len(_STRIKES) * turn + number), committing)))
        finally:
            await db.disconnect(0.2)  # some of them wait for an answer that will not come
    return times


class _Committing:
    """Is over when every caller's COMMIT has been sent."""

    def __init__(self, network: Proxy, commits: int) -> None:
        self._network = network
        self._commits = commits

    async def wait(self) -> None:
        """Wait for that, and a moment more for the server to have heard of them."""

        async def are_sent() -> bool:
            return self._network.counts.commits >= self._commits

        await wait_until(are_sent, "every COMMIT to be sent", 10)
        await asyncio.sleep(0.05)


async def _timed(times: _Times, strike: Awaitable[float]) -> None:
    struck = await strike
    times.faults += 1
    times.slowest = max(times.slowest, asyncio.get_running_loop().time() - struck)


async def _cancel(work: Coroutine[None, None, None], committing: _Committing) -> float:
    task = asyncio.create_task(work)
    await committing.wait()
    return await _struck(task, 1)


async def _cancel_twice(work: Coroutine[None, None, None], committing: _Committing) -> float:
    task = asyncio.create_task(work)
    await committing.wait()
    return await _struck(task, 2)


async def _struck(task: asyncio.Task[None], times: int) -> float:
    struck = asyncio.get_running_loop().time()
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0.05)
    await asyncio.wait([task])
    return struck


async def _time_out(work: Coroutine[None, None, None], committing: _Committing) -> float:
    loop = asyncio.get_running_loop()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(None) as limit:
            waiting = loop.create_task(committing.wait())
            waiting.add_done_callback(lambda _: limit.reschedule(loop.time()))
            await work
    return limit.when() or loop.time()


_STRIKES = (_cancel, _time_out, _cancel_twice)


async def _committed(lab: Lab, books: Books) -> None:
    """Wait until the server is done with every COMMIT that somebody has given up on."""
    async with lab.node.administered() as admin:

        async def is_idle() -> bool:
            query = "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = $1 AND state <> 'idle')"
            return bool(await admin.fetchval(query, books.database))

        await wait_until(is_idle, "the last COMMIT")


def _problems(network: Proxy, times: _Times, bound: float) -> list[str]:
    problems = []
    if network.counts.cancels:
        problems.append(f"{network.counts.cancels} COMMITs were cancelled at the server")
    if times.slowest > bound:
        problems.append(f"a cancelled call returned after {times.slowest:.2f} s")
    return problems


def _row(lab: Lab, name: str, times: _Times) -> Verdict:
    return lab.verdict(name, faults=times.faults, overrun=max(0.0, times.slowest))


@contextlib.asynccontextmanager
async def _standby_named(lab: Lab, name: str) -> AsyncIterator[None]:
    await lab.node.configure("synchronous_standby_names", name)
    try:
        yield
    finally:
        await lab.node.configure("synchronous_standby_names", "")
