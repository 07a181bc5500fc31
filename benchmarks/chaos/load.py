"""Callers that work while something is broken."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

from benchmarks.chaos.cluster import wait_until
from benchmarks.chaos.record import Record


class Load:
    """Callers that repeat a call until they are told to stop.

    Attributes:
        calls: How many calls have ended.
        slowest: Seconds that the slowest of them took.
    """

    def __init__(self, call: Callable[[], Awaitable[None]], pause: float) -> None:
        self._call = call
        self._pause = pause
        self._is_over = False
        self.calls = 0
        self.slowest = 0.0

    async def work(self) -> None:
        """Be one caller."""
        clock = asyncio.get_running_loop().time
        while not self._is_over:
            started = clock()
            with contextlib.suppress(TimeoutError):  # its own deadline; what it means was noted
                await self._call()
            self.calls += 1
            self.slowest = max(self.slowest, clock() - started)
            await asyncio.sleep(self._pause)

    def stop(self) -> None:
        """Let every caller finish its call, and begin no other."""
        self._is_over = True


@contextlib.asynccontextmanager
async def load(call: Callable[[], Awaitable[None]], *, callers: int = 8, pause: float = 0.005) -> AsyncIterator[Load]:
    """Have *callers* repeat *call* while the block runs; it ends when all of their calls have."""
    running = Load(call, pause)
    async with asyncio.TaskGroup() as group:
        for number in range(callers):
            group.create_task(running.work(), name=f"caller-{number}")
        try:
            yield running
        finally:
            running.stop()


async def all_of(calls: Iterable[Callable[[], Awaitable[object]]], *, callers: int = 8) -> None:
    """Make every call, *callers* of them at a time."""
    waiting = iter(calls)

    async def work() -> None:
        for call in waiting:
            await call()

    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(work())


async def recovery(record: Record, since: float, patience: float = 20.0) -> float:
    """Wait for the next acknowledgement after *since*, and return the seconds that it took; infinity if none came."""

    async def has_come() -> bool:
        return any(at >= since for at in record.acknowledged_at.values())

    with contextlib.suppress(TimeoutError):
        await wait_until(has_come, "a success", patience)
    return min((at for at in record.acknowledged_at.values() if at >= since), default=math.inf) - since


def outage(record: Record, since: float, until: float) -> float:
    """Return the longest time without an acknowledgement between two instants."""
    times = sorted(at for at in record.acknowledged_at.values() if since < at < until)
    return max(after - before for before, after in zip([since, *times], [*times, until], strict=True))
