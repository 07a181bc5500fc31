"""The callers that wait for a connection, served in the order in which they came."""

from __future__ import annotations

import asyncio
import contextlib
import copy
from collections import deque
from collections.abc import Callable

from finance.connection import PooledConnection
from finance.errors import FinanceError


class Waiting:
    """A queue of callers. *supply* takes what a caller was handed in the very moment in which it gave up."""

    def __init__(self, supply: Callable[[PooledConnection], None]) -> None:
        self._supply = supply
        self._callers: deque[asyncio.Future[PooledConnection]] = deque()

    def __len__(self) -> int:
        return len(self._callers)

    def join(self) -> asyncio.Future[PooledConnection]:
        """Add a caller at the end; it awaits what is returned, and calls `leave()` if it gives up."""
        caller: asyncio.Future[PooledConnection] = asyncio.get_running_loop().create_future()
        self._callers.append(caller)
        return caller

    def leave(self, caller: asyncio.Future[PooledConnection]) -> None:
        """Take a caller out that gave up; what it was handed already is for the next."""
        if caller.done() and not caller.cancelled():
            if caller.exception() is None:
                self._supply(caller.result())
            return
        caller.cancel()
        with contextlib.suppress(ValueError):  # whoever supplied others may have passed over it
            self._callers.remove(caller)

    def serve(self, driver: PooledConnection) -> bool:
        """Hand *driver* to whoever has waited longest; False when nobody waits."""
        while self._callers:
            caller = self._callers.popleft()
            if not caller.done():
                caller.set_result(driver)
                return True
        return False

    def refuse(self, failure: BaseException) -> None:
        """Tell every caller why there will be nothing for it."""
        while self._callers:
            caller = self._callers.popleft()
            if not caller.done():
                caller.set_exception(_own(failure))


def _own(failure: BaseException) -> BaseException:
    """Return *failure* for one of several callers: each raises its own, with a traceback of its own."""
    if not isinstance(failure, FinanceError):
        return failure
    own = copy.copy(failure)
    own.__cause__ = failure.__cause__
    return own
