"""Waiting for what happens by itself, as long as a busy machine may take for it."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable

from finance import DatabaseManager

#: Seconds. Beyond them it will never happen; a test that passes waits for a moment only.
PATIENCE = 30.0


async def until(is_so: Callable[[], bool | Awaitable[bool]], seconds: float = PATIENCE) -> None:
    """Wait until *is_so* says that it is.

    Raises:
        TimeoutError: It did not within *seconds*.
    """
    async with asyncio.timeout(seconds):
        while not (await answer if inspect.isawaitable(answer := is_so()) else answer):  # noqa: ASYNC110 - nobody would tell
            await asyncio.sleep(0.01)


async def until_left(watcher: DatabaseManager, application: str, count: int = 0) -> None:
    """Wait until *application* has *count* back ends and no more: one outlives its connection by a moment.

    Raises:
        TimeoutError: It still has others.
    """

    async def are_gone() -> bool:
        query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1"
        return bool(await watcher.fetchval(query, application) == count)

    await until(are_gone)
