"""The pool: SQLAlchemy's engine over connections that asyncpg makes, each as good as new for each user."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from typing import Any, TypeVar

import asyncpg
from sqlalchemy import event
from sqlalchemy import exc as sa_exc
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool, PoolProxiedConnection
from sqlalchemy.util import greenlet_spawn

from finance.connection import PATIENCE, Driver, PooledConnection, undo
from finance.database import events
from finance.errors import ConnectionLostError, NotConnectedError, PoolTimeoutError, UsageError
from finance.integrity import DRIVER_ERRORS, connect_error, translate
from finance.settings import ConnectionSource, Options

#: A connection that rested for longer is asked for a sign of life before it is handed out: firewalls drop
#: idle connections without a word to either end.
PING_AFTER_SECONDS = 30.0
_PING_TIMEOUT = 2.0
_DRAIN_INTERVAL = 0.01

# SQLAlchemy's URL names the dialect and nothing else: the real one goes whole to asyncpg, which reads
# sslmode, several hosts, .pgpass and service files, and no password is ever in `engine.url`.
_URL = "postgresql+asyncpg://"
_C = TypeVar("_C")


class Pool:
    """At most `max_size` connections, each handed to one user at a time and reset in between.

    It belongs to the event loop in which it is made.
    """

    def __init__(self, source: ConnectionSource, options: Options) -> None:
        self._source = source
        self._options = options
        self._loop = asyncio.get_running_loop()
        self._open: set[Any] = set()
        self._finishing: set[asyncio.Task[Any]] = set()
        self._is_closing = False
        self._doubted_at = -math.inf
        self.engine = create_async_engine(
            _URL,
            async_creator=self._connect,
            pool_size=options.max_size,
            max_overflow=0,
            pool_timeout=options.acquire_timeout,
            pool_reset_on_return=None,
            hide_parameters=True,
        )
        engine = self.engine.sync_engine
        event.listen(engine, "connect", events.refuse_to_wait)
        event.listen(engine, "checkout", self._on_checkout)
        event.listen(engine, "begin", events.send_begin)
        event.listen(engine, "reset", events.reset_session)
        event.listen(engine, "checkin", events.note_rest)

    @property
    def is_orphaned(self) -> bool:
        """Whether its event loop has ended, and its connections with it."""
        return self._loop.is_closed()

    async def warm(self) -> None:
        """Open `min_size` connections, so that an unreachable server is told at once."""
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(self._options.min_size):
                await stack.enter_async_context(self.acquire())

    # --- lending -----------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def acquire(self) -> AsyncIterator[Driver]:
        """Lend an asyncpg connection, outside any transaction.

        Raises:
            PoolTimeoutError: None became free within `acquire_timeout`.
            ServerUnreachableError, AuthenticationError: A new one could not be made.
            UsageError: The borrower left a transaction open, which is rolled back.
        """
        pooled = await self._check_out(self.engine.raw_connection)
        driver: Any = pooled.driver_connection
        try:
            yield driver
            left_open = not driver.is_closed() and driver.is_in_transaction()
        finally:
            await self._to_the_end(_return(pooled, driver))
        if left_open:
            raise UsageError("a BEGIN outside a transaction block was rolled back; use `async with db.transaction()`")

    @contextlib.asynccontextmanager
    async def begin(self, **execution_options: Any) -> AsyncIterator[tuple[AsyncConnection, Driver]]:
        """Lend a connection of SQLAlchemy's on which BEGIN was sent; what is not committed is rolled back.

        Raises:
            FinanceError: As `acquire()`, or BEGIN failed.
        """
        connection = await self._check_out(lambda: self.engine.connect().start())
        driver: Any = None
        try:
            pooled = await connection.get_raw_connection()
            driver = pooled.driver_connection
            await connection.execution_options(**execution_options)
            await connection.begin()
            yield connection, driver
        finally:
            await self._to_the_end(_end(connection, driver))

    @contextlib.asynccontextmanager
    async def outside(self) -> AsyncIterator[AsyncConnection]:
        """Lend a connection outside the pool and its size, which is closed afterwards.

        Raises:
            FinanceError: As `acquire()`.
        """
        engine = create_async_engine(_URL, async_creator=self._connect, poolclass=NullPool, hide_parameters=True)
        connection = await self._check_out(lambda: engine.connect().start())
        try:
            yield connection
        finally:
            await self._to_the_end(connection.close())

    async def _check_out(self, take: Callable[[], Awaitable[_C]]) -> _C:
        """Take a connection; those that turn out to have died at rest are replaced, though it be every one."""
        self._require_loop()
        for _ in range(self._options.max_size):
            with contextlib.suppress(ConnectionLostError), self._typed():
                return await take()
        with self._typed():
            return await take()

    @contextlib.contextmanager
    def _typed(self) -> Iterator[None]:
        try:
            yield
        except _HookError as carrier:
            raise carrier.error from carrier.error.__cause__
        except sa_exc.TimeoutError as error:
            raise PoolTimeoutError(self._options.max_size, self._options.acquire_timeout or 0) from error
        except (sa_exc.SQLAlchemyError, *DRIVER_ERRORS) as error:
            raise translate(error) from error
        except AsyncAdapt_asyncpg_dbapi.Error as error:
            raise translate(error.__cause__ or error) from error

    def _require_loop(self) -> None:
        if asyncio.get_running_loop() is not self._loop:
            raise UsageError(
                "the DatabaseManager belongs to the event loop in which it was connected;"
                " disconnect() there and connect() here, or use one manager for each loop"
            )

    async def _to_the_end(self, work: Coroutine[Any, Any, None]) -> None:
        """Await *work*, which goes on when the caller is cancelled: a connection always finds back."""
        task = asyncio.create_task(work)
        self._finishing.add(task)
        task.add_done_callback(self._finishing.discard)
        await asyncio.shield(task)

    # --- closing -----------------------------------------------------------------------------------

    async def close(self, timeout: float) -> None:
        """Wait *timeout* seconds for those who use a connection, then close every one."""
        if self.is_orphaned:
            self._terminate()
            return
        self._require_loop()
        self._is_closing = True
        try:
            await self._drain(timeout)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    await self.engine.dispose()
                    # Those still in use: the server is told to give up what it is doing for them.
                    await asyncio.gather(*(connection.close() for connection in tuple(self._open)))
        finally:
            self._terminate()

    async def _drain(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        pool: Any = self.engine.sync_engine.pool
        while True:
            is_in_use = self._finishing or pool.checkedout()
            if not is_in_use or time.monotonic() >= deadline:
                return
            await asyncio.sleep(_DRAIN_INTERVAL)

    def _terminate(self) -> None:
        for connection in tuple(self._open):
            with contextlib.suppress(RuntimeError):  # its loop is closed, and its socket with it
                connection.terminate()
        self._open.clear()

    # --- connecting --------------------------------------------------------------------------------

    async def _connect(self) -> PooledConnection:
        """Make a connection. It is called by SQLAlchemy, whose arguments for the driver stay unused."""
        if self._is_closing:
            raise NotConnectedError(disconnected=True)
        try:
            connection: PooledConnection = await asyncpg.connect(
                self._source.dsn, connection_class=PooledConnection, **self._source.arguments
            )
        except (*DRIVER_ERRORS, asyncpg.ClientConfigurationError, ValueError) as error:
            raise connect_error(error, self._source.address) from error
        connection.siblings = self._open
        self._open.add(connection)
        connection.add_termination_listener(self._open.discard)
        try:
            if self._options.init is not None:
                await _call(self._options.init, connection)
        except BaseException:
            connection.terminate()
            raise
        return connection

    def _on_checkout(self, adapter: Any, record: Any, _proxy: Any) -> None:
        """Refuse a connection that died at rest, so that another is taken, then run the user's own `setup`.

        SQLAlchemy would replace it by itself on a DisconnectionError, but a task that is cancelled meanwhile
        takes a place in the pool with it.
        """
        driver = adapter.driver_connection
        rests_since = events.rests_since(record)
        if rests_since < self._doubted_at:
            driver.terminate()
        elif time.monotonic() - rests_since > PING_AFTER_SECONDS:
            adapter.run_async(self._ping)
        if driver.is_closed():
            raise ConnectionLostError
        if (setup := self._options.setup) is not None:
            adapter.run_async(lambda driver: _call(setup, driver))

    async def _ping(self, driver: Driver) -> None:
        try:
            await driver.execute("SELECT 1", timeout=_PING_TIMEOUT)
        except DRIVER_ERRORS:
            driver.terminate()
            # What happened to this one happened to the others that rested, most likely: spare the next the wait.
            self._doubted_at = time.monotonic()


class _HookError(Exception):
    """Carries what the user's own hook raised past the translation of the driver's errors."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        super().__init__(f"the init or setup hook failed with {type(error).__name__}")


async def _call(hook: Callable[[Any], Any], driver: Any) -> None:
    try:
        result = hook(driver)
        if inspect.isawaitable(result):
            await result
    except (asyncpg.PostgresError, asyncpg.InterfaceError):
        raise
    except Exception as error:
        raise _HookError(error) from error


async def _return(pooled: PoolProxiedConnection, driver: Driver) -> None:
    # A connection that was lost in a raw statement is known to the driver only; SQLAlchemy would keep it.
    release: Callable[[], Any] = pooled.invalidate if driver.is_closed() else pooled.close
    await greenlet_spawn(release)


async def _end(connection: AsyncConnection, driver: Driver | None) -> None:
    """Roll back what was not committed, and return the connection to its pool."""
    if driver is not None:
        await undo(driver, connection.rollback)
    if driver is None or driver.is_closed():
        await connection.invalidate()
    await connection.close()
