"""C5: callers with short deadlines, and every connection killed once: the pool must find back by itself."""

from __future__ import annotations

import asyncio
import contextlib

import asyncpg

from benchmarks.chaos.lab import Lab
from benchmarks.chaos.verdict import Verdict
from finance import DatabaseManager, FinanceError

#: Seconds that a caller waits: in the short form longer, since other tests run beside it and take their turns.
_DEADLINE, _DEADLINE_SHORT = 0.02, 0.25
#: Beside it, how much longer connecting takes: a pool whose callers make their own connections would never find back.
_CONNECT_LATENCY = 1.25
_WINDOW = 0.25
_GOAL = 0.95


async def short_deadlines(lab: Lab) -> Verdict:
    """C5: within 2 s after all connections were killed, 95 % of the calls with short deadlines are in time again.

    They are 95 % of as many as on a bare connection through the same network, beside them: a busy machine is late, too.
    """
    calls: list[tuple[float, bool]] = []
    bare: list[tuple[float, bool]] = []
    untyped: list[str] = []
    async with lab.books("C5") as books, lab.network() as network:
        options = {"min_size": 10, "max_size": 10, "statement_timeout": None}
        async with DatabaseManager(network.dsn(books.database), **options) as db:
            patience = lab.size(_DEADLINE, _DEADLINE_SHORT)
            network.connect_latency = _CONNECT_LATENCY * patience
            async with asyncio.TaskGroup() as group:
                over = asyncio.Event()
                for _ in range(8):
                    group.create_task(_call(db, over, patience, calls, untyped))
                group.create_task(_call_bare(network.dsn("postgres"), over, patience, bare))
                await asyncio.sleep(lab.size(1.0, 0.6))
                async with lab.node.administered(books.database) as admin:
                    killed = asyncio.get_running_loop().time()
                    await admin.execute(TERMINATE_ALL)
                await asyncio.sleep(lab.size(10.0, 2.5))
                over.set()
            before = [ok for at, ok in calls if at < killed]
            after = [ok for at, ok in calls if at >= killed + 2]
            control = [ok for at, ok in bare if at >= killed]
            possible = sum(control) / len(control)
            seconds = _until_goal(calls, killed, _GOAL * possible)
            failures = [f"95 % after {seconds:.2f} s only"] if seconds > 2 else []
            failures += [] if possible else ["not even one on a bare connection was in time"]
            if sum(after) < _GOAL * possible * len(after):
                failures.append(f"{sum(after)} of {len(after)} were in time after 2 s")
            note = f"before {sum(before) / len(before):.1%}, after 2 s {sum(after) / len(after):.1%} of {possible:.1%}"
            figures = {"tries": len(calls), "faults": 1, "slowest_recovery": seconds}
            verdict = lab.verdict("C5", **figures, note=f"{note}, {db.stats().connects} connects")
            books.record.untyped += untyped
            return await books.judge(verdict, db, failures=failures)


TERMINATE_ALL = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""


async def _call_bare(dsn: str, over: asyncio.Event, patience: float, calls: list[tuple[float, bool]]) -> None:
    """Do the same past the pool, on one connection."""
    clock = asyncio.get_running_loop().time
    connection = await asyncpg.connect(dsn, timeout=30)
    while not over.is_set():
        started = clock()
        await connection.fetchval("SELECT 1")
        calls.append((started, clock() - started < patience))
        await asyncio.sleep(0.02)
    connection.terminate()


async def _call(
    db: DatabaseManager, over: asyncio.Event, patience: float, calls: list[tuple[float, bool]], untyped: list[str]
) -> None:
    clock = asyncio.get_running_loop().time
    while not over.is_set():
        is_ok = False
        started = clock()
        try:
            with contextlib.suppress(TimeoutError, FinanceError):
                async with asyncio.timeout(patience):
                    await db.fetchval("SELECT 1")
                    is_ok = True
        except Exception as error:
            untyped.append(repr(error))
        calls.append((started, is_ok))
        await asyncio.sleep(0.02)


def _until_goal(calls: list[tuple[float, bool]], since: float, goal: float) -> float:
    """Return the seconds after which in a window of a quarter second a share of *goal* is in time."""
    after = [(at - since, ok) for at, ok in calls if at >= since]
    end = max(at for at, _ in after)
    starts = [index * _WINDOW / 5 for index in range(int((end - _WINDOW) / _WINDOW * 5) + 1)]
    for start in starts:
        window = [ok for at, ok in after if start <= at < start + _WINDOW]
        if window and sum(window) >= goal * len(window):
            return start
    return float("inf")
