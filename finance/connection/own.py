"""What the caller's own iterable, file or function raises in the middle of a statement: theirs, whatever its class.

An OSError or a TimeoutError out of it would otherwise be taken for the network's.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator
from typing import Any, BinaryIO, TypeVar

_T = TypeVar("_T")


class OwnError(Exception):
    """Carries the caller's own error past those who look for the network's."""

    def __init__(self, error: Exception) -> None:
        super().__init__(type(error).__name__)
        self.error = error


@contextlib.contextmanager
def own_errors() -> Iterator[None]:
    """Raise again what the caller's own code raised."""
    try:
        yield
    except OwnError as carrier:
        raise carrier.error from carrier.error.__cause__


def shielded(items: Iterable[_T]) -> Iterator[_T]:
    """Iterate over *items*; what that raises is the caller's own."""
    try:
        iterator = iter(items)
    except Exception as error:
        raise OwnError(error) from error
    while True:
        try:
            item = next(iterator)
        except StopIteration:
            return
        except Exception as error:
            raise OwnError(error) from error
        yield item


async def shielded_later(items: AsyncIterable[_T]) -> AsyncIterator[_T]:
    """Iterate over *items*; what that raises is the caller's own."""
    iterator = aiter(items)
    while True:
        try:
            item = await anext(iterator)
        except StopAsyncIteration:
            return
        except Exception as error:
            raise OwnError(error) from error
        yield item


def writer(
    target: BinaryIO | Callable[[bytes], Awaitable[object]],
) -> Callable[[bytes], Coroutine[Any, Any, None]]:
    """Return a function that writes to *target*, an open file or an async function; a file in a thread."""

    async def write(data: bytes) -> None:
        try:
            if callable(target):
                await target(data)
            else:
                await asyncio.to_thread(target.write, data)
        except Exception as error:
            raise OwnError(error) from error

    return write
