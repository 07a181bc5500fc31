"""C1: callers are cancelled at random moments, in every way that asyncio and anyio know."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import random
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from benchmarks.chaos.lab import Books, Lab
from benchmarks.chaos.load import all_of
from benchmarks.chaos.verdict import Verdict
from finance import DatabaseManager, Outcome

#: Cancels an operation after so many seconds, drawing further chances from the random numbers.
Cancel = Callable[[Awaitable[None], float, random.Random], Awaitable[None]]


async def _once(work: Awaitable[None], delay: float, _random: random.Random) -> None:
    task = asyncio.ensure_future(work)
    await asyncio.wait([task], timeout=delay)
    task.cancel()
    await asyncio.wait([task])


async def _wait_for(work: Awaitable[None], delay: float, _random: random.Random) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(work, delay)


async def _move_on_after(work: Awaitable[None], delay: float, _random: random.Random) -> None:
    anyio: Any = importlib.import_module("anyio")
    with anyio.move_on_after(delay):
        await work


async def _twice(work: Awaitable[None], delay: float, chance: random.Random) -> None:
    task = asyncio.ensure_future(work)
    await asyncio.wait([task], timeout=delay)
    task.cancel()
    await asyncio.sleep(chance.choice([0.0, 0.0, 0.001, 0.005]))
    task.cancel()
    await asyncio.wait([task])


async def _storm(work: Awaitable[None], delay: float, chance: random.Random) -> None:
    task = asyncio.ensure_future(work)
    await asyncio.wait([task], timeout=delay)
    for _ in range(30):
        task.cancel()
        await asyncio.sleep(chance.choice([0.0, 0.0, 0.0005]))
    await asyncio.wait([task])


#: The name of each mode, what it does (a raw transaction or a unit of work), and how it is cancelled.
MODES: dict[str, tuple[bool, Cancel]] = {
    "transaction": (True, _once),
    "unit_of_work": (False, _once),
    "wait_for": (False, _wait_for),
    "anyio": (False, _move_on_after),
    "double": (False, _twice),
    "storm": (True, _storm),
}
LOOPS = ("asyncio", "uvloop")


async def random_cancels(lab: Lab, mode: str, loop: str) -> Verdict:
    """C1: whoever is cancelled learns what is stored, and nothing is left behind."""
    name = f"C1 {mode} {loop}"
    for needed in {mode, loop} & {"anyio", "uvloop"}:
        if importlib.util.find_spec(needed) is None:
            return lab.verdict(name, passed=True, note=f"skipped: {needed} is not installed")
    async with lab.books(name) as books:
        return await asyncio.to_thread(_in_loop, loop, lambda: _cancel_many(lab, books, mode, name))


def _in_loop(loop: str, work: Callable[[], Coroutine[None, None, Verdict]]) -> Verdict:
    with asyncio.Runner(loop_factory=importlib.import_module(loop).new_event_loop) as runner:
        return runner.run(work())


async def _cancel_many(lab: Lab, books: Books, mode: str, name: str) -> Verdict:
    is_raw, cancel = MODES[mode]
    async with DatabaseManager(books.dsn, min_size=4, max_size=10) as db:
        work = books.mark if is_raw else books.post
        typical = await _typical(lambda: work(db, books.key()))
        longest = typical

        async def attempt() -> None:
            nonlocal longest
            key = books.key()
            await cancel(work(db, key), books.random.uniform(0, longest), books.random)
            # Cancel about half of them, so that every part of the work is hit, however slow cancelling makes it.
            longest *= 1.02 if key not in books.record.acknowledged_at else 0.98
            longest = min(max(longest, typical / 4), typical * 10)

        tries = lab.size(2000, 60)
        await all_of((attempt for _ in range(tries)), callers=8)
        errors = books.record.errors.total()
        after = time.perf_counter()
        await all_of((lambda: db.fetchval("SELECT pg_sleep(0.01)") for _ in range(20)), callers=20)
        figures = {"tries": tries, "faults": errors, "slowest_recovery": time.perf_counter() - after}
        note = f"{db.stats().connects} connects"
        # Nothing but callers fails here, so that the server's answer to COMMIT comes in time to be told.
        unknown = len(books.record.keys(Outcome.UNKNOWN)) - len(books.record.untyped)
        failures = [f"{unknown} were told UNKNOWN"] if unknown else []
        return await books.judge(lab.verdict(name, **figures, note=note), db, failures=failures)


async def _typical(work: Callable[[], Awaitable[None]]) -> float:
    """Measure eight at a time, as they will be cancelled."""
    await all_of((work for _ in range(16)), callers=8)
    started = time.perf_counter()
    await all_of((work for _ in range(32)), callers=8)
    return (time.perf_counter() - started) / 4
