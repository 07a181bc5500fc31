"""The pool: connections that are made and restored out of their users' sight, and handed out in order of asking.

A connection goes round: made by a task of the pool's own, or handed back by a user and restored by one, it is
supplied to whoever has waited longest, or else rests. So neither the way to a new connection nor the reset of a
used one lies in anybody's path while another connection rests, and a caller that gives up costs no connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import random
import time
import weakref
from collections.abc import AsyncIterator, Coroutine
from typing import Any

from finance.connection import PATIENCE, Observer, PooledConnection
from finance.connection.backoff import full_jitter
from finance.database.connector import Connector, call_hook, told
from finance.database.lending import Holding, warn_of_leaks
from finance.database.stats import Counts, PoolStats
from finance.database.waiting import Waiting
from finance.errors import (
    FinanceError,
    ForkedError,
    NotConnectedError,
    PoolOverloadedError,
    PoolTimeoutError,
    WrongLoopError,
)
from finance.integrity import DRIVER_ERRORS
from finance.settings import Options

#: Seconds that a connection after a rest has to give a sign of life.
PING_TIMEOUT = 1.0
_HOUSEKEEPING_SECONDS = 1.0
_JITTER = 0.1
_BACKOFF_SECONDS = 0.05
_BACKOFF_SECONDS_MAX = 1.0
_DRAIN_INTERVAL = 0.01


class Pool:
    """At most `max_size` connections, each handed to one user at a time and restored in between.

    It belongs to the event loop and the process in which it is made.
    """

    def __init__(self, connector: Connector, options: Options, observer: Observer) -> None:
        self._connector = connector
        self._options = options
        self._observer = observer
        self._loop = asyncio.get_running_loop()
        self._open: set[PooledConnection] = set()
        self._idle: list[PooledConnection] = []
        self._lent: dict[PooledConnection, Holding] = {}
        self._waiting = Waiting(self._supply)
        self._connecting = 0
        self._checking = 0
        self._failures = 0
        self._last_failure: BaseException | None = None
        self._doubted_at = -math.inf
        self._tasks: set[asyncio.Task[Any]] = set()
        self._is_closing = False
        self._is_over = False
        self._counts = Counts()
        self._housekeeping: asyncio.TimerHandle | None = None
        self.is_forked = False
        _POOLS.add(self)

    @property
    def is_orphaned(self) -> bool:
        """Whether its event loop has ended or is another process's, and its connections with it."""
        return self.is_forked or self._loop.is_closed()

    async def warm(self) -> None:
        """Open `min_size` connections, so that an unreachable server is told at once.

        Raises:
            FinanceError: One could not be made.
        """
        # They count from the start: the housekeeping must not make as many again beside those that take long.
        self._connecting += self._options.min_size
        self._keep_house()
        try:
            made = await asyncio.gather(*(self._make() for _ in range(self._options.min_size)), return_exceptions=True)
        finally:
            self._connecting -= self._options.min_size
        for connection in made:
            if isinstance(connection, PooledConnection):
                self._supply(connection)
        if failures := [error for error in made if isinstance(error, BaseException)]:
            raise told(failures[0])

    # --- lending -----------------------------------------------------------------------------------

    async def take(self) -> PooledConnection:
        """Lend a connection, outside any transaction. The borrower hands it back with `give_back()`.

        Raises:
            PoolTimeoutError: None became free within `acquire_timeout`.
            PoolOverloadedError: `max_waiting` others wait already.
            FinanceError: There is none, and a new one could not be made.
        """
        self.require_usable()
        holding = Holding.now()
        driver = None if self._waiting else self._pop_ready()
        if driver is None:
            driver = await self._wait(holding)
        self._counts.acquires += 1
        waited = time.monotonic() - holding.since
        self._counts.acquire_seconds += waited
        self._observer.acquired(waited)
        holding.since += waited
        driver.may_have_committed = driver.was_undone = driver.is_untouched = False
        self._lent[driver] = holding
        if self._options.setup is not None:
            await self._set_up(driver)
        return driver

    def give_back(self, driver: PooledConnection) -> None:
        """Take a connection back, whatever state it is in. It never waits: the pool restores it by itself."""
        holding = self._lent.pop(driver, None)
        if holding is not None:
            self._counts.use_seconds += holding.seconds
        if driver not in self._open:
            return  # it was lost
        driver.forget_limits()
        if driver.is_refused:
            self.spawn(self._retire(driver))
            self.expel_resting()
        elif self._is_over:
            self.spawn(self._retire(driver))
        elif driver.is_closed():
            self._drop(driver)
        elif driver.needs_restoring or (driver.has_session and self._options.setup is not None):
            self.spawn(self._restore(driver))
        elif driver.expires_at <= time.monotonic():
            self._let_go(driver)
        else:
            self._supply(driver)

    @contextlib.asynccontextmanager
    async def acquire(self) -> AsyncIterator[PooledConnection]:
        """Lend a connection for a block, outside any transaction.

        Raises:
            FinanceError: As `take()`.
        """
        driver = await self.take()
        try:
            yield driver
        finally:
            self.give_back(driver)

    def expel_resting(self) -> None:
        """Let no connection that rests now be handed out again: the server behind them is not the right one."""
        while self._idle:
            self._let_go(self._idle.pop())

    @property
    def connection_class(self) -> type[PooledConnection]:
        """The class of every connection."""
        return self._connector.connection_class

    def change_class(self, kind: type[PooledConnection]) -> None:
        """Make every connection, those that are open among them, one of *kind*; `finance.testing` does so."""
        self._connector.connection_class = kind
        for driver in self._open:
            driver.__class__ = kind

    def _pop_ready(self) -> PooledConnection | None:
        """Take a connection that rests and can be handed out as it is."""
        driver = self._pop_idle()
        if driver is None or time.monotonic() - driver.rests_since < (self._options.ping_after_idle or math.inf):
            return driver
        self._idle.append(driver)  # it is to be checked, and the others have rested for even longer
        return None

    def _pop_idle(self) -> PooledConnection | None:
        """Take the connection that has rested for the shortest time."""
        while self._idle:
            driver = self._idle.pop()
            if driver.is_closed():
                continue
            if driver.rests_since < self._doubted_at:
                self._drop(driver)  # a farewell would go unanswered, and keep its place meanwhile
            elif driver.expires_at <= time.monotonic():
                self._let_go(driver)
            else:
                return driver
        return None

    async def _wait(self, holding: Holding) -> PooledConnection:
        # Those for whom a connection rests, or another can be made, do not count.
        to_come = self._options.max_size - len(self._open) + len(self._idle) + self._checking
        waiting = len(self._waiting) - to_come
        if self._options.max_waiting is not None and waiting >= self._options.max_waiting:
            refusal = PoolOverloadedError(waiting)
            self._observer.acquired(0.0, refusal)
            raise refusal
        caller = self._waiting.join()
        self._grow()
        limit = asyncio.timeout(self._options.acquire_timeout)
        try:
            async with limit:
                return await caller
        except BaseException as raised:
            self._waiting.leave(caller)
            is_late = isinstance(raised, TimeoutError) and limit.expired()  # and not the user's own hook's
            error = self._timed_out() if is_late else raised
            self._observer.acquired(holding.seconds, error)
            if error is raised:
                raise
            raise error from self._last_failure

    def _timed_out(self) -> PoolTimeoutError:
        self._counts.timeouts += 1
        holders = [str(holding) for holding in self._lent.values()]
        failure = None if self._last_failure is None else str(self._last_failure)
        return PoolTimeoutError(self._options.max_size, self._options.acquire_timeout or 0, holders, failure)

    async def _set_up(self, driver: PooledConnection) -> None:
        try:
            await call_hook(self._options.setup, driver)
        except BaseException as error:
            self.give_back(driver)
            raise told(error)  # noqa: B904 - its own cause stays

    def require_usable(self) -> None:
        """Check that the pool is open, and that it is asked in its own event loop and process.

        Raises:
            ForkedError, WrongLoopError, NotConnectedError: It is not.
        """
        if self.is_forked:
            raise ForkedError
        if asyncio.get_running_loop() is not self._loop:
            raise WrongLoopError
        if self._is_closing:
            raise NotConnectedError(disconnected=True)

    def require_own_loop(self) -> None:
        """Check that it is asked in its own event loop, unless that has ended.

        Raises:
            WrongLoopError: It is not.
        """
        if not self.is_orphaned and asyncio.get_running_loop() is not self._loop:
            raise WrongLoopError

    # --- supply ------------------------------------------------------------------------------------

    def _supply(self, driver: PooledConnection) -> None:
        """Hand *driver*, as good as new, to whoever has waited longest; else it rests."""
        if driver.is_closed():
            self._drop(driver)
            return
        if not self._waiting.serve(driver):
            driver.rests_since = time.monotonic()
            self._idle.append(driver)

    def _grow(self) -> None:
        """Begin to check or to make a connection for each caller that waits, as far as `max_size` allows.

        One that is being restored is not counted on: where callers wait for that, another connection spares
        them the wait from then on.
        """
        while len(self._waiting) > self._checking + self._connecting and (driver := self._pop_idle()) is not None:
            self._checking += 1
            self.spawn(self._check(driver))
        room = self._options.max_size - len(self._open) - self._connecting
        for _ in range(min(room, len(self._waiting) - self._checking - self._connecting)):
            self._connecting += 1
            self.spawn(self._make_and_supply())

    async def _make_and_supply(self) -> None:
        try:
            connection = await self._make()
        except Exception as error:  # it is told to those who wait, or else dropped: nobody asked for it any more
            self._connecting -= 1
            self._fail(told(error))
        except BaseException:
            self._connecting -= 1
            raise
        else:
            self._connecting -= 1
            self._supply(connection)

    async def _make(self) -> PooledConnection:
        try:
            connection = await self._connector.connect()
        except Exception:
            self._counts.connect_errors += 1
            raise
        self._counts.connects += 1
        self._failures = 0
        self._last_failure = None
        lifetime = self._options.max_lifetime or math.inf
        connection.expires_at = time.monotonic() + lifetime * random.uniform(1 - _JITTER, 1)  # noqa: S311 - no secret
        connection.__class__ = self.connection_class  # it may have changed meanwhile
        connection.siblings = self._open
        connection.is_pooled = True
        self._open.add(connection)
        connection.add_termination_listener(self._on_end)  # type: ignore[arg-type]  # it is of our class
        return connection

    def _fail(self, failure: BaseException) -> None:
        """Tell those who wait that no connection can be made, unless one may come free, or be made, for them."""
        self._failures += 1
        self._last_failure = failure
        may_come = self._open or self._connecting
        if not may_come or not _is_passing(failure):  # trying a wrong password again would lock its user out
            self._waiting.refuse(failure)
        elif self._waiting:
            pause = full_jitter(self._failures, first=_BACKOFF_SECONDS, longest=_BACKOFF_SECONDS_MAX)
            self._loop.call_later(pause, self._grow)

    # --- what the pool does by itself --------------------------------------------------------------

    async def _restore(self, driver: PooledConnection) -> None:
        """Make a connection as good as new, and supply it."""
        if (ending := driver.ending) is not None:
            driver.ending = None
            await asyncio.wait((ending,), timeout=driver.time_limit)
            if not ending.done():
                driver.terminate()
        try:
            await driver.restore()
        except DRIVER_ERRORS:
            self._drop(driver)
        else:
            if self._is_over or driver.expires_at <= time.monotonic():
                await self._retire(driver)
            else:
                self._supply(driver)

    async def _check(self, driver: PooledConnection) -> None:
        """Ask a connection that rested for a sign of life, and supply it."""
        is_alive = False
        try:
            await driver.execute("SELECT 1", timeout=PING_TIMEOUT)
            is_alive = True
        except DRIVER_ERRORS:
            # What happened to this one happened to the others that rested, most likely: spare the next the wait.
            self._doubted_at = time.monotonic()
        finally:
            self._checking -= 1
        if is_alive:
            self._supply(driver)
        else:
            self._drop(driver)

    def _let_go(self, driver: PooledConnection) -> None:
        """Have a connection closed, which counts as gone from now on."""
        driver.is_retired = True
        self.spawn(self._retire(driver))

    async def _retire(self, driver: PooledConnection) -> None:
        """Close a connection in good order."""
        driver.is_retired = True
        try:
            await driver.retire()
        finally:
            self._drop(driver)

    def _drop(self, driver: PooledConnection) -> None:
        driver.terminate()
        self._on_end(driver)

    def _on_end(self, driver: PooledConnection) -> None:
        if driver not in self._open:
            return
        self._open.discard(driver)
        if driver in self._idle:
            self._idle.remove(driver)
        if not driver.is_retired:
            self._counts.lost += 1
        if not self._is_over:
            self._grow()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Have *work* done, whatever becomes of its caller; `close()` waits for it."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _keep_house(self) -> None:
        """Once a second: warn of leaks, close what has rested for too long, and keep `min_size` open."""
        warn_of_leaks(self._lent.values(), self._options.leak_threshold or math.inf)
        self._close_resting()
        room = self._options.max_size - len(self._open) - self._connecting
        missing = min(room, self._options.min_size - self._staying() - self._connecting)
        if self._failures:  # one attempt finds out whether a fault has passed
            missing = min(missing, 1) if _is_passing(self._last_failure) and self._connecting == 0 else 0
        if missing > 0:
            self._connecting += missing
            for _ in range(missing):
                self.spawn(self._make_and_supply())
        delay = min(_HOUSEKEEPING_SECONDS, (self._options.leak_threshold or math.inf) / 2)
        self._housekeeping = self._loop.call_later(delay, self._keep_house)

    def _staying(self) -> int:
        return sum(not driver.is_retired for driver in self._open)

    def _close_resting(self) -> None:
        limit = self._options.max_inactive_connection_lifetime or math.inf
        now = time.monotonic()
        spare = self._staying() - self._options.min_size
        for driver in tuple(self._idle):
            if driver.expires_at <= now or (spare > 0 and now - driver.rests_since >= limit):
                self._idle.remove(driver)
                self._let_go(driver)
                spare -= 1

    # --- closing -----------------------------------------------------------------------------------

    async def close(self, timeout: float) -> None:
        """Wait *timeout* seconds for those who use or want a connection, then cancel what is left and close all."""
        if self.is_orphaned:
            self._terminate()
            return
        self.require_own_loop()
        self._is_closing = True
        try:
            await self._drain(timeout)
            self._is_over = True
            self._waiting.refuse(NotConnectedError(disconnected=True))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    await self._close_all()
        finally:
            self._is_over = True
            self._terminate()

    async def _drain(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while (self._lent or self._waiting or self._tasks) and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(_DRAIN_INTERVAL)

    async def _close_all(self) -> None:
        for driver in self._lent:
            driver.revoked_because = NotConnectedError(disconnected=True)
        for task in tuple(self._tasks):
            task.cancel()
        # Of those still in use, the server is told to give up what it is doing.
        await asyncio.gather(
            *(self._retire(driver) for driver in tuple(self._open)), *self._tasks, return_exceptions=True
        )

    def _terminate(self) -> None:
        if self._housekeeping is not None:
            self._housekeeping.cancel()
        if not self.is_forked:  # whose sockets are the parent's
            for driver in tuple(self._open):
                with contextlib.suppress(RuntimeError):  # its loop is closed, and its socket with it
                    driver.terminate()
        self._open.clear()
        self._idle.clear()

    # --- seeing in ---------------------------------------------------------------------------------

    def stats(self) -> PoolStats:
        """Return what the pool has done and is doing."""
        counts, seen = self._counts, self._observer
        idle, in_use = len(self._idle), len(self._lent)
        return PoolStats(
            max_size=self._options.max_size,
            size=len(self._open),
            idle=idle,
            in_use=in_use,
            restoring=max(0, len(self._open) - idle - in_use),
            connecting=self._connecting,
            waiting=len(self._waiting),
            acquires=counts.acquires,
            acquire_seconds=counts.acquire_seconds,
            use_seconds=counts.use_seconds,
            timeouts=counts.timeouts,
            connects=counts.connects,
            connect_errors=counts.connect_errors,
            lost=counts.lost,
            retries=seen.retries,
            statements=seen.statements,
            errors=seen.errors,
        )


def _is_passing(failure: BaseException | None) -> bool:
    return isinstance(failure, FinanceError) and failure.retryable


_POOLS: weakref.WeakSet[Pool] = weakref.WeakSet()


def _after_fork() -> None:
    for pool in _POOLS:
        pool.is_forked = True


os.register_at_fork(after_in_child=_after_fork)
