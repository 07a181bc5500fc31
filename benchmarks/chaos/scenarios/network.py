"""N1: COMMITs are lost on their way. N2: idle connections are forgotten. N3: silence. N5: a slow network."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Awaitable, Callable, Sequence

from benchmarks.chaos.cluster import wait_until
from benchmarks.chaos.lab import Books, Lab
from benchmarks.chaos.load import all_of, load, recovery
from benchmarks.chaos.proxy import AtCommit, Proxy
from benchmarks.chaos.verdict import Verdict
from finance import DatabaseManager, FinanceError, Outcome, Retry

#: Seconds that a call may go on after its deadline.
GRACE = 2.0

# --- N1 ------------------------------------------------------------------------------------------------

WAYS = ("run", "lane")
LOSSES = {"request": AtCommit.LOSE_REQUEST, "reply": AtCommit.LOSE_REPLY, "late": AtCommit.LATE}


async def lost_commits(lab: Lab, loss: str, way: str) -> Verdict:
    """N1: with the same entry id, work whose COMMIT was lost is stored exactly once."""
    name = f"N1 {loss} {way}"
    async with lab.books(name) as books, lab.network() as network, lab.patience(1.0) as bound:
        network.commit_delay = lab.size(1.0, 0.3)
        wanted = lab.size(500, 15)
        network.at_commit = lambda: (
            LOSSES[loss] if network.counts.faults < wanted and books.random.random() < 0.5 else None
        )
        retry = Retry(attempts=20, deadline=60.0, idempotent=True)
        callers = lab.size(16, 8)
        async with DatabaseManager(network.dsn(books.database), max_size=callers) as db:

            async def post() -> None:
                await (books.run(db, books.key(), retry) if way == "run" else books.lane(db, books.key(), 60.0))

            async with load(post, callers=callers, pause=0.0) as running:
                await _had_faults(network, wanted)
            healed = asyncio.get_running_loop().time()
            await post()
            healing = await recovery(books.record, healed)
            failures = [*_errors(books), *_if(healing > bound(), f"{healing:.2f} s from the last fault to a success")]
            figures = {"faults": network.counts.faults, "slowest_recovery": healing}
            note = f"slowest call {running.slowest:.2f} s, {db.stats().retries} retries"
            verdict = lab.verdict(name, **figures, note=note)
            return await books.judge(verdict, db, failures=failures)


# --- N2 ------------------------------------------------------------------------------------------------


async def forgotten_connections(lab: Lab) -> Verdict:
    """N2: connections that a firewall forgot while they rested fail nobody."""
    failures: list[str] = []
    slowest = 0.0
    rounds, size = lab.size(5, 1), 5
    async with lab.books("N2") as books, lab.network() as network, lab.patience(3.0) as bound:
        options = {"min_size": size, "max_size": size, "ping_after_idle": 0.2}
        async with DatabaseManager(network.dsn(books.database), **options) as db:
            for _ in range(rounds):
                await all_of((lambda: db.fetchval("SELECT pg_sleep(0.02)") for _ in range(size)), callers=size)
                await wait_until(functools.partial(_all_rest, db), "all connections to rest", 30)
                await asyncio.sleep(0.5)
                network.drop()
                calls = [functools.partial(books.post, db, books.key()) for _ in range(2 * size)]
                slowest = max(slowest, await _slowest(calls, callers=size))
            failures += _errors(books)
            failures += _if(slowest > bound(), f"the slowest call took {slowest:.2f} s")
            network.cut()
            verdict = lab.verdict("N2", faults=rounds * size, slowest_recovery=slowest)
            return await books.judge(verdict, db, failures=failures)


async def _all_rest(db: DatabaseManager) -> bool:
    return db.stats().idle == db.stats().max_size


async def _slowest(calls: Sequence[Callable[[], Awaitable[None]]], *, callers: int) -> float:
    clock = asyncio.get_running_loop().time
    slowest = 0.0

    async def timed(call: Callable[[], Awaitable[None]]) -> None:
        nonlocal slowest
        started = clock()
        await call()
        slowest = max(slowest, clock() - started)

    await all_of((functools.partial(timed, call) for call in calls), callers=callers)
    return slowest


# --- N3 ------------------------------------------------------------------------------------------------

SILENCES = {"statement": None, "commit request": AtCommit.HOLD_REQUEST, "commit reply": AtCommit.HOLD_REPLY}


async def silence(lab: Lab, where: str) -> Verdict:
    """N3: when the network falls silent, every call returns by its deadline and two seconds more."""
    name = f"N3 {where}"
    async with (
        lab.books(name) as books,
        lab.network() as network,
        lab.patience(1.0) as bound,
        DatabaseManager(network.dsn(books.database), max_size=8, acquire_timeout=5) as db,
    ):
        deadline = 1.0
        async with load(lambda: bounded(db, books, deadline), callers=lab.size(8, 4)) as running:
            await asyncio.sleep(0.3)
            await _fall_silent(network, SILENCES[where])
            # The short form is just long enough for a call that goes on too long to be found out.
            await asyncio.sleep(lab.size(10.0, deadline + GRACE + 0.2))
            network.at_commit = lambda: None
            network.heal()
            healing = await recovery(books.record, asyncio.get_running_loop().time())
        overrun = max(0.0, running.slowest - deadline)
        failures = [
            *_if(overrun > GRACE - 1 + bound(), f"a call went on for {overrun:.2f} s after its deadline"),
            *_if(healing > bound(), f"{healing:.2f} s after the end of the silence until a success"),
        ]
        figures = {"tries": running.calls, "faults": 1, "slowest_recovery": healing, "overrun": overrun}
        return await books.judge(lab.verdict(name, **figures), db, failures=failures)


async def _fall_silent(network: Proxy, fault: AtCommit | None) -> None:
    """Fall silent now, or at the next COMMITs of one connection each."""
    if fault is not None:
        network.at_commit = lambda: fault
        await _had_faults(network, network.counts.faults + 4)
    network.hold()


async def bounded(db: DatabaseManager, books: Books, seconds: float) -> None:
    """Post, mark, or only read, within a deadline."""
    async with asyncio.timeout(seconds):
        match books.random.randrange(3):
            case 0:
                await books.post(db, books.key())
            case 1:
                await books.mark(db, books.key())
            case _:
                with contextlib.suppress(FinanceError):
                    await db.fetchval("SELECT pg_sleep(0.02)")


# --- N5 ------------------------------------------------------------------------------------------------


async def slow_network(lab: Lab, milliseconds: int, *, is_fragmenting: bool = False) -> Verdict:
    """N5: latency, and pieces of one byte, make calls slow and nothing else."""
    milliseconds = round(lab.size(1.0, 0.2) * milliseconds)
    name = f"N5 {milliseconds} ms" + (", 1 byte" if is_fragmenting else "")
    async with lab.books(name) as books, lab.network() as network:
        network.latency = milliseconds / 1000
        network.is_fragmenting = is_fragmenting
        async with DatabaseManager(network.dsn(books.database), max_size=4) as db:
            tries = max(4, lab.size(2000, 40) // max(milliseconds, 5))
            retry = Retry(idempotent=True)
            calls = [functools.partial(books.post, db, books.key()) for _ in range(tries // 2)]
            calls += [functools.partial(books.run, db, books.key(), retry) for _ in range(tries // 2)]
            slowest = await _slowest(calls, callers=4)
            verdict = lab.verdict(name, tries=len(calls), note=f"slowest call {slowest:.2f} s")
            failures = [*_errors(books), *_if(network.counts.cancels > 0, "a statement was cancelled")]
            network.latency = 0.0  # the audit need not be slow
            return await books.judge(verdict, db, failures=failures)


async def _had_faults(network: Proxy, wanted: int) -> None:
    async def has() -> bool:
        return network.counts.faults >= wanted

    await wait_until(has, f"{wanted} faults", 240)


def _errors(books: Books) -> list[str]:
    unknown = len(books.record.keys(Outcome.UNKNOWN)) - len(books.record.untyped)
    return [
        *(f"{count} times {kind}" for kind, count in books.record.errors.items()),
        *_if(unknown > 0, f"{unknown} were told UNKNOWN"),
    ]


def _if(holds: bool, problem: str) -> list[str]:  # noqa: FBT001 - it reads as a sentence
    return [problem] if holds else []
