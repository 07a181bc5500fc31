"""`DatabaseManager`: a pool of connections to one database, and everything that is done through it."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Literal, NoReturn, Self, TypeVar

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from finance.connection import Connection, Driver, Verbs, leaving_block, require_in_transaction, undo
from finance.database.ledgers import Ledgers
from finance.database.pool import Pool
from finance.database.source import EmbeddedLease
from finance.errors import FinanceError, InvalidError, NotConnectedError
from finance.integrity import DRIVER_ERRORS, translate, translated
from finance.migrations import Migrations
from finance.models import Ledger
from finance.reports import Verification
from finance.settings import resolve, split_options
from finance.unit_of_work import UnitOfWork

_T = TypeVar("_T")

Isolation = Literal["read_committed", "repeatable_read", "serializable"]
_ISOLATION = {"read_committed": "READ COMMITTED", "repeatable_read": "REPEATABLE READ", "serializable": "SERIALIZABLE"}

_BACKOFF_SECONDS = 0.01
_BACKOFF_SECONDS_MAX = 1.0


class DatabaseManager(Verbs):
    """A pool of connections to one PostgreSQL database.

    Args:
        dsn: A URL as any hosting company hands it out, or "embedded" for a private server on this machine.
            None takes FINANCE_DATABASE_URL, DATABASE_URL or the PG* variables, read at `connect()`.
        options: What `asyncpg.create_pool` takes (host, user, password, min_size, max_size,
            command_timeout, init, setup, ...), and `acquire_timeout`, `schema`, `application_name`, `data_dir`.

    Raises:
        ConfigurationError: An option is unknown, cannot be honoured, or has a value that it cannot have.

    The verbs `fetch`, `fetchrow`, `fetchval` and `execute` take a connection for one statement, which
    commits by itself; nothing that it sets in its session reaches the next user.
    """

    def __init__(self, dsn: str | None = None, **options: Any) -> None:
        self._dsn = dsn
        self._options, self._connect_arguments = split_options(options)
        self._pool: Pool | None = None
        self._embedded: EmbeddedLease | None = None
        self._was_connected = False
        self._changing = asyncio.Lock()
        self._migrations = Migrations(self, self._outside, self._options.schema)

    def __repr__(self) -> str:
        state = "connected" if self._pool else "not connected"
        return f"<DatabaseManager {state}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a DatabaseManager holds connections and perhaps a password: make one in the new process")

    # --- connecting --------------------------------------------------------------------------------

    async def connect(self) -> None:
        """Find the database, open `min_size` connections, and start the embedded server where it is asked for.

        Connected already, it does nothing.

        Raises:
            NotConfiguredError: Nothing says which database to use.
            ServerUnreachableError: No server answers.
            AuthenticationError: The server refuses the user, the password or the database.
            EmbeddedServerError: The embedded server cannot run here.
        """
        async with self._changing:
            if self._pool is not None and self._pool.is_orphaned:
                await self._close(0)
            if self._pool is None:
                await self._open()

    async def disconnect(self, timeout: float = 10.0) -> None:
        """Close every connection and, when nobody else uses it, stop the embedded server. Safe to call twice.

        Args:
            timeout: Seconds that those who are using a connection have to finish; then it is taken from them.
        """
        async with self._changing:
            await self._close(timeout)

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.disconnect()

    async def _open(self) -> None:
        source = resolve(self._dsn, **self._connect_arguments)
        async with contextlib.AsyncExitStack() as stack:
            embedded = None
            if source.is_embedded:
                embedded = await EmbeddedLease.take(source)
                stack.push_async_callback(embedded.release)
                source = embedded.source
            pool = Pool(source, self._options)
            stack.push_async_callback(pool.close, 0)
            await pool.warm()
            stack.pop_all()
        self._pool, self._embedded = pool, embedded
        self._was_connected = True

    async def _close(self, timeout: float) -> None:
        pool, self._pool = self._pool, None
        embedded, self._embedded = self._embedded, None
        self._migrations.forget()
        try:
            if pool is not None:
                await pool.close(timeout)
        finally:
            if embedded is not None:
                await embedded.release()

    @property
    def _connected(self) -> Pool:
        if self._pool is None:
            raise NotConnectedError(disconnected=self._was_connected)
        return self._pool

    def _outside(self) -> AbstractAsyncContextManager[AsyncConnection]:
        return self._connected.outside()

    # --- one statement -----------------------------------------------------------------------------

    async def _run(self, call: Callable[[Driver], Awaitable[_T]]) -> _T:
        async with self._connected.acquire() as driver:
            try:
                return await call(driver)
            except DRIVER_ERRORS as error:
                raise translate(error, committing=_was_sent(error)) from error

    async def ping(self, timeout: float = 5.0) -> None:
        """Ask the server for a sign of life.

        Args:
            timeout: Seconds to wait for the answer.

        Raises:
            NotConnectedError: The manager is not connected.
            UnavailableError: The server does not answer.
        """
        async with self._connected.acquire() as driver:
            try:
                await driver.fetchval("SELECT 1", timeout=timeout)
            except DRIVER_ERRORS as error:
                driver.terminate()  # without waiting for what will not answer
                raise translate(error) from error

    # --- one transaction ---------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def transaction(
        self, *, isolation: Isolation | None = None, readonly: bool = False, deferrable: bool = False
    ) -> AsyncIterator[Connection]:
        """Open a database transaction for raw SQL: it commits when the block ends, and rolls back on an error.

        Args:
            isolation: "read_committed", "repeatable_read" or "serializable"; the server's default unless given.
            readonly: PostgreSQL itself refuses writes.
            deferrable: Wait for a snapshot that cannot fail; for serializable read-only transactions.

        Raises:
            TransactionAbortedError: A statement had failed and its error was swallowed; nothing is stored.
            OutcomeUnknownError: The connection broke while the server was committing.
            FinanceError: The server refused COMMIT; nothing is stored.
        """
        _require_isolation(isolation)
        async with self._connected.acquire() as driver:
            transaction = driver.transaction(isolation=isolation, readonly=readonly, deferrable=deferrable)
            with translated():
                await transaction.start()
            connection = Connection(driver)
            try:
                with leaving_block():
                    yield connection
                require_in_transaction(driver)
            except BaseException:
                await undo(driver, transaction.rollback)
                raise
            finally:
                connection.close()
            with translated(committing=True):
                await transaction.commit()

    @contextlib.asynccontextmanager
    async def unit_of_work(
        self,
        ledger: Ledger | int | str | None = None,
        *,
        base_currency: str | None = None,
        isolation: Isolation | None = None,
        read_only: bool = False,
    ) -> AsyncIterator[UnitOfWork]:
        """Open a database transaction with its repositories: it commits when the block ends.

        Args:
            ledger: The ledger it is for: the row, its id or its name. None has `ledgers` and `session` only.
            base_currency: Make the ledger in this transaction when there is none of this name; None refuses.
            isolation: "read_committed", "repeatable_read" or "serializable"; the server's default unless given.
            read_only: PostgreSQL itself refuses writes.

        Raises:
            SchemaError: The database's revision is not the code's.
            LedgerNotFoundError: There is no such ledger.
            TransactionAbortedError: A statement had failed and its error was swallowed; nothing is stored.
            OutcomeUnknownError: The connection broke while the server was committing.
        """
        _require_isolation(isolation)
        pool = self._connected
        await self._migrations.require_head()
        options: dict[str, Any] = {"postgresql_readonly": read_only}
        if isolation is not None:
            options["isolation_level"] = _ISOLATION[isolation]
        async with pool.begin(**options) as (connection, driver):
            uow = UnitOfWork(connection, driver, ledger, base_currency)
            async with uow:
                yield uow
        await uow.call_back()

    async def run(
        self,
        function: Callable[[UnitOfWork], Awaitable[_T]],
        *,
        ledger: Ledger | int | str | None = None,
        base_currency: str | None = None,
        isolation: Isolation | None = None,
        attempts: int = 5,
    ) -> _T:
        """Run *function* in a unit of work, and again in a fresh one when a passing fault undid it.

        It is run again after a serialization failure, a deadlock, a lock timeout or a connection that was lost
        before COMMIT: errors that are `retryable`, of which nothing was stored. What *function* does outside
        the database happens once per attempt.

        Args:
            function: Called with the unit of work; its result is returned after COMMIT.
            ledger: As in `unit_of_work()`.
            base_currency: As in `unit_of_work()`.
            isolation: As in `unit_of_work()`.
            attempts: How often it is run at most.

        Raises:
            FinanceError: The last attempt's error, or the first that is not retryable.
        """
        for attempt in range(1, attempts + 1):
            try:
                async with self.unit_of_work(ledger, base_currency=base_currency, isolation=isolation) as uow:
                    return await function(uow)
            except FinanceError as error:
                if not error.retryable or attempt == attempts:
                    raise
            # Full jitter, so that those who collided do not meet again.
            longest = min(_BACKOFF_SECONDS_MAX, _BACKOFF_SECONDS * 2**attempt)
            await asyncio.sleep(random.uniform(0, longest))  # noqa: S311 - no secret depends on it
        raise InvalidError(f"attempts {attempts}: give at least 1")

    # --- its parts ---------------------------------------------------------------------------------

    @property
    def ledgers(self) -> Ledgers:
        """The ledgers of the database, each call in a transaction of its own."""
        return Ledgers(self.unit_of_work)

    @property
    def migrations(self) -> Migrations:
        """The schema's revisions: what `alembic` does, from inside the event loop."""
        return self._migrations

    @property
    def engine(self) -> AsyncEngine:
        """SQLAlchemy's engine over the same pool, for what has no verb here."""
        return self._connected.engine

    async def verify(self, ledger: Ledger | int | str) -> Verification:
        """Compute everything derived in *ledger* again, and compare it with what is stored.

        Raises:
            LedgerNotFoundError: There is no such ledger.

        Database:
            A read-only transaction that reads the whole ledger; no locks.
        """
        async with self.unit_of_work(ledger, isolation="repeatable_read", read_only=True) as uow:
            return await uow.reports.verify()


def _was_sent(error: BaseException) -> bool:
    """Tell whether a statement that commits by itself may have been executed when its connection failed.

    A driver that knows its connection to be closed refuses to send (InterfaceError). A time limit is told as such.
    """
    return not isinstance(error, (asyncpg.InterfaceError, TimeoutError))


def _require_isolation(isolation: str | None) -> None:
    if isolation is not None and isolation not in _ISOLATION:
        raise InvalidError(f"isolation {isolation!r}: one of {', '.join(_ISOLATION)}")
