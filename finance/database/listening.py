"""LISTEN on a connection of its own, which is made again when it is lost."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from finance.connection import PooledConnection
from finance.connection.backoff import full_jitter
from finance.errors import ClosedError, FinanceError, InvalidError, UnavailableError
from finance.integrity import DRIVER_ERRORS, translate

_PAUSE_SECONDS = 0.1
_PAUSE_SECONDS_MAX = 5.0
_SIGN_OF_LIFE_SECONDS = 15.0
_SIGN_OF_LIFE_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class Notification:
    """What somebody sent with NOTIFY. `pid` is the process id of the sender's back end."""

    channel: str
    payload: str
    pid: int


@dataclass(frozen=True, slots=True)
class Gap:
    """The connection was lost and made again: what was sent in these seconds did not arrive."""

    seconds: float


class Listening:
    """An async iterator over notifications, in the order in which the server sent them.

    It is open inside its `async with` block. PostgreSQL keeps nothing for those who are not connected, so after a
    lost connection a `Gap` comes first: look at the tables for what was missed.
    """

    def __init__(
        self, connect: Callable[[], Awaitable[PooledConnection]], channels: Sequence[str], patience: float | None
    ) -> None:
        if not channels:
            raise InvalidError("listen() needs at least one channel")
        for channel in channels:
            if not isinstance(channel, str) or not 0 < len(channel.encode()) <= 63:
                raise InvalidError("the name of a channel has 1 to 63 bytes")
        self._connect = connect
        self._channels = tuple(dict.fromkeys(channels))
        self._patience = patience
        self._arrived: asyncio.Queue[Notification | Gap | Exception] = asyncio.Queue()
        self._lost = asyncio.Event()
        self._driver: PooledConnection | None = None
        self._keeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._listen()
        self._keeper = asyncio.create_task(self._keep_up())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeper
        if self._driver is not None:
            self._driver.terminate()
        self._arrived.put_nowait(ClosedError("listener"))  # for another task that still waits

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Notification | Gap:
        """Return the next notification, or a gap.

        Raises:
            ClosedError: Outside of its block.
            UnavailableError: The connection was lost, and could not be made again in time.
        """
        if self._keeper is None:
            raise ClosedError("listener")
        arrived = await self._arrived.get()
        if isinstance(arrived, Exception):
            self._arrived.put_nowait(arrived)
            raise arrived
        return arrived

    def stop(self, reason: FinanceError) -> None:
        """Tell *reason* to whoever iterates: the manager was disconnected."""
        if self._keeper is not None:
            self._keeper.cancel()
        if self._driver is not None:
            self._driver.terminate()
        self._arrived.put_nowait(reason)

    async def _listen(self) -> None:
        driver = await self._connect()
        try:
            for channel in self._channels:
                await driver.add_listener(channel, self._on_notification)
        except DRIVER_ERRORS as error:
            driver.terminate()
            raise translate(error) from error
        except BaseException:
            driver.terminate()
            raise
        self._driver = driver
        self._lost.clear()
        driver.add_termination_listener(lambda _driver: self._lost.set())

    def _on_notification(self, _driver: Any, pid: int, channel: str, payload: object) -> None:
        self._arrived.put_nowait(Notification(channel, str(payload), pid))

    async def _keep_up(self) -> None:
        """Look after the connection: ask for a sign of life from time to time, and make it again when it is lost."""
        while True:
            try:
                async with asyncio.timeout(_SIGN_OF_LIFE_SECONDS):
                    await self._lost.wait()
            except TimeoutError:
                await self._ask()
                continue
            try:
                seconds = await self._listen_again()
            except Exception as error:  # the user's own `init` may raise anything, and somebody waits to be told
                self._arrived.put_nowait(error)
                return
            self._arrived.put_nowait(Gap(seconds))

    async def _ask(self) -> None:
        driver = self._driver
        if driver is None:
            return
        try:
            await driver.execute("SELECT 1", timeout=_SIGN_OF_LIFE_TIMEOUT)
        except DRIVER_ERRORS:
            driver.terminate()
            self._lost.set()

    async def _listen_again(self) -> float:
        loop = asyncio.get_running_loop()
        started = loop.time()
        attempts = 0
        while True:
            try:
                await self._listen()
            except UnavailableError:
                if self._patience is not None and loop.time() - started >= self._patience:
                    raise
            else:
                return loop.time() - started
            await asyncio.sleep(full_jitter(attempts, first=_PAUSE_SECONDS, longest=_PAUSE_SECONDS_MAX))
            attempts += 1
