"""Cancel a call at exactly its N-th suspension, so that no instant between two awaits is left to chance."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Awaitable, Generator
from typing import Any


class At(enum.Enum):
    """When, at the N-th suspension, the cancellation comes."""

    WAITING = "while it waits for what it awaits"
    ARRIVED = "when that has come, and before it has been told"


class StepCancel:
    """Awaits *work*, and cancels the awaiting task at the *n*-th suspension.

    Attributes:
        suspensions: How many there have been.
        has_struck: Whether the cancellation was sent.
    """

    def __init__(self, work: Awaitable[Any], n: int, at: At) -> None:
        self._work = work
        self._n = n
        self._at = at
        self.suspensions = 0
        self.has_struck = False

    def __await__(self) -> Generator[Any, Any, Any]:
        steps = self._work.__await__()
        error: BaseException | None = None
        while True:
            try:
                # An asyncio task sends nothing but None; what it awaited is asked for its result by whoever awaits it.
                awaited = next(steps) if error is None else steps.throw(error)
            except StopIteration as end:
                return end.value
            error = None
            self.suspensions += 1
            if self.suspensions == self._n:
                self._strike(awaited)
            try:
                yield awaited
            except BaseException as raised:
                error = raised

    def _strike(self, awaited: Any) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("StepCancel is to be awaited in a task")
        self.has_struck = True
        if self._at is At.WAITING or not asyncio.isfuture(awaited):
            task.cancel()
        else:
            # Before the task adds its own callback, so that it is told of the result and of the cancellation at once.
            awaited.add_done_callback(lambda _: task.cancel())


async def cancelled_at(work: Awaitable[Any], n: int, at: At) -> tuple[StepCancel, BaseException | None]:
    """Run *work* in a task of its own, cancelled at its *n*-th suspension; return how that ended."""
    stepped = StepCancel(work, n, at)

    async def run() -> Any:
        return await stepped

    task = asyncio.create_task(run(), name=f"step-{n}")
    await asyncio.wait([task])
    return stepped, asyncio.CancelledError() if task.cancelled() else task.exception()
