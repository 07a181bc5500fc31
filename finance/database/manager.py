"""`DatabaseManager`: a pool of connections to one database, and everything that is done through it."""

from __future__ import annotations

import asyncio
import contextlib
import time
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar

from finance.connection import BATCH, Connection, Observer, PooledConnection, Record, Verbs
from finance.database.connector import Connector
from finance.database.health import Health, examine
from finance.database.ledgers import Ledgers
from finance.database.listening import Listening
from finance.database.pool import Pool
from finance.database.retrying import DEFAULT_RETRY, Retry, retrying
from finance.database.single import run_single, session_lock, stream_single
from finance.database.source import EmbeddedLease
from finance.database.stats import PoolStats
from finance.database.transactions import Isolation, TransactionOptions, deadline, engine_transaction, raw_transaction
from finance.errors import (
    ConfigurationError,
    LedgerRequiredError,
    LockTimeoutError,
    NotConnectedError,
)
from finance.integrity import DRIVER_ERRORS, translate
from finance.migrations import Migrations
from finance.roles import Roles
from finance.settings import resolve, split_options

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from finance.journal import Journal, Lane
    from finance.models import Ledger
    from finance.reports import Verification
    from finance.reports.verification import Watcher
    from finance.repositories import KnownCurrencies
    from finance.unit_of_work import UnitOfWork

# Models, repositories and SQLAlchemy's dialect are imported with the first unit of work: they take as long as all the
# rest, and whoever has raw SQL only never needs them.

_T = TypeVar("_T")


class DatabaseManager(Verbs):
    """A pool of connections to one PostgreSQL database.

    Args:
        dsn: A URL as any hosting company hands it out, or "embedded" for a private server on this machine.
            None takes FINANCE_DATABASE_URL, DATABASE_URL or the PG* variables, read at `connect()`.
        options: What `asyncpg.create_pool` takes (host, user, password, min_size, max_size, command_timeout,
            init, setup, ...), what `finance.settings.Options` has (acquire_timeout, statement_timeout, ...), and
            `application_name`, `data_dir`, `pgbouncer`.

    Raises:
        ConfigurationError: An option is unknown, cannot be honoured, or has a value that it cannot have.

    Each of the verbs `fetch`, `fetchrow`, `fetchval`, `execute`, `executemany`, `copy_in`, `copy_out`, `stream` and
    `notify` takes a connection for one statement, which commits by itself; nothing that it sets in its session
    reaches the next user.
    """

    def __init__(self, dsn: str | None = None, **options: Any) -> None:
        self._pool: Pool | None = None
        self._dsn = dsn
        self._options, self._connect_arguments = split_options(options)
        self._engine: AsyncEngine | None = None
        self._connector: Connector | None = None
        self._observer = Observer(self._options.on_event, self._options.slow_threshold)
        self._embedded: EmbeddedLease | None = None
        self._was_connected = False
        self._listening: weakref.WeakSet[Listening] = weakref.WeakSet()
        self._currencies: KnownCurrencies | None = None
        self._lane: Lane | None = None
        self._journal: Journal | None = None
        self._changing = asyncio.Lock()
        self._anywhere = _Anywhere(self._run_anywhere)
        self._migrations = Migrations(self._anywhere, self._outside, self._options.schema)

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
        if self._pool is not None and self._pool.is_orphaned:
            self._changing = asyncio.Lock()  # the other loop, or the parent process, may have held it
        async with self._changing:
            if self._pool is not None and self._pool.is_orphaned:
                await self._close(0)
            if self._pool is None:
                await self._open()

    async def disconnect(self, timeout: float = 10.0) -> None:
        """Close every connection and, when nobody else uses it, stop the embedded server. Safe to call twice.

        New work is refused at once. Statements that still run after *timeout* are cancelled at the server, and
        their callers get a `NotConnectedError`.

        Args:
            timeout: Seconds that those who use or wait for a connection have to finish.
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
            connector = Connector(source, self._options, self._observer)
            pool = Pool(connector, self._options, self._observer)
            stack.push_async_callback(pool.close, 0)
            await pool.warm()
            stack.pop_all()
        self._pool, self._connector, self._embedded = pool, connector, embedded
        self._was_connected = True

    async def _close(self, timeout: float) -> None:
        if self._pool is not None:
            self._pool.require_own_loop()
        pool, self._pool = self._pool, None
        lane, self._lane = self._lane, None
        embedded, self._embedded = self._embedded, None
        self._engine = self._connector = None
        self._currencies = None  # the next connection may lead elsewhere
        self._migrations.forget()
        for listening in tuple(self._listening):
            listening.stop(NotConnectedError(disconnected=True))
        try:
            if pool is not None:
                started = time.monotonic()
                try:
                    if lane is not None and not pool.is_orphaned:
                        await lane.close(timeout)
                finally:
                    await pool.close(max(0, timeout - (time.monotonic() - started)))
        finally:
            if embedded is not None:
                await embedded.release()

    @property
    def _known(self) -> KnownCurrencies:
        from finance.repositories import KnownCurrencies  # noqa: PLC0415 - see above

        if self._currencies is None:
            self._currencies = KnownCurrencies()
        return self._currencies

    def _lane_of_pool(self) -> Lane:
        pool = self._connected
        if self._lane is None:
            from finance.database.lane import make_lane  # noqa: PLC0415 - see above

            self._lane = make_lane(pool, self._known, self._observer, one_ledger=self._options.row_security)
        return self._lane

    async def _find_ledger(self, ledger: Ledger | int | str) -> int:
        self._ledger_of(ledger, "post()")
        await self._migrations.require_head()
        if type(ledger) is int:
            return ledger  # whether there is one of this id is found out with its accounts
        from finance.database.lane import find_ledger  # noqa: PLC0415 - see above

        return await find_ledger(self._anywhere.fetch, ledger)

    @property
    def _connected(self) -> Pool:
        if self._pool is None:
            raise NotConnectedError(disconnected=self._was_connected)
        return self._pool

    def _direct(self, what: str) -> Connector:
        """Return the way to the server itself, past a pooler."""
        self._connected.require_usable()
        assert self._connector is not None  # noqa: S101 - it is there while the pool is
        if not self._connector.behind_pooler:
            return self._connector
        if self._options.direct_dsn is None:
            raise ConfigurationError(
                f"{what} does not work through PgBouncer in transaction mode:"
                " give the server's own address as direct_dsn=, or connect without pgbouncer=True"
            )
        own = {word: value for word, value in self._connect_arguments.items() if word not in _OF_THE_POOLER}
        return Connector(resolve(self._options.direct_dsn, **own), self._options, self._observer)

    @contextlib.asynccontextmanager
    async def _outside(self) -> AsyncIterator[AsyncConnection]:
        from finance.database.engine import make_engine_outside  # noqa: PLC0415 - see above

        engine = make_engine_outside(self._direct("migrating"))
        connection = await engine.connect().start()
        try:
            yield connection
        finally:
            await asyncio.shield(asyncio.ensure_future(connection.close()))

    # --- one statement -----------------------------------------------------------------------------

    async def _run(self, call: Callable[[PooledConnection], Awaitable[_T]]) -> _T:
        self._ledger_of(None, "a statement of its own")
        return await self._run_anywhere(call)

    async def _run_anywhere(self, call: Callable[[PooledConnection], Awaitable[_T]]) -> _T:
        return await run_single(self._connected, call)

    def _ledger_of(self, ledger: Ledger | int | str | None, what: str) -> int | None:
        """Return the id of the ledger that a transaction is to see, or None where it sees all.

        Raises:
            LedgerRequiredError: The manager is under row-level security, and *ledger* is no ledger or its name only.
        """
        if not self._options.row_security:
            return None
        found = ledger if ledger is None or isinstance(ledger, int | str) else ledger.id
        if not isinstance(found, int) or isinstance(found, bool):
            raise LedgerRequiredError(what)
        return found

    def stream(self, query: str, *args: Any, batch: int = BATCH) -> AsyncIterator[Record]:
        """Iterate over the rows of *query* with `async for`, *batch* rows of them in memory at a time.

        The rows are those of one instant. A connection is in use until the iteration ends; leave it early with
        `contextlib.aclosing()`.
        """
        self._ledger_of(None, "stream()")
        return stream_single(self._connected, query, args, batch)

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

    def transaction(
        self,
        *,
        isolation: Isolation | None = None,
        readonly: bool = False,
        deferrable: bool = False,
        timeout: float | None = None,
        statement_timeout: float | None = None,
        lock_timeout: float | None = None,
        idle_in_transaction_timeout: float | None = None,
        ledger: Ledger | int | None = None,
    ) -> AbstractAsyncContextManager[Connection]:
        """Open a database transaction for raw SQL: it commits when the block ends, and rolls back on an error.

        Args:
            isolation: "read_committed", "repeatable_read" or "serializable"; the server's default unless given.
            readonly: PostgreSQL itself refuses writes.
            deferrable: Wait for a snapshot that cannot fail; for serializable read-only transactions.
            timeout: Seconds that the whole block may take, COMMIT included.
            statement_timeout: Seconds that a statement may take; None is the manager's, `math.inf` no limit.
            lock_timeout: Seconds that a statement may wait for a lock; likewise.
            idle_in_transaction_timeout: Seconds that the transaction may rest between statements; likewise.
            ledger: The ledger, or its id, that it sees under `row_security`; of no effect without that.

        Raises:
            LedgerRequiredError: The manager is under `row_security`, and there is no *ledger*.
            TransactionAbortedError: A statement had failed and its error was swallowed; nothing is stored.
            DeadlineError: *timeout* passed; nothing is stored.
            OutcomeUnknownError: The answer to COMMIT did not arrive.
            FinanceError: The server refused COMMIT; nothing is stored.
        """
        wanted = TransactionOptions(
            isolation=isolation,
            readonly=readonly,
            deferrable=deferrable,
            timeout=timeout,
            statement_timeout=statement_timeout,
            lock_timeout=lock_timeout,
            idle_in_transaction_timeout=idle_in_transaction_timeout,
            ledger=self._ledger_of(ledger, "transaction()"),
        )
        return raw_transaction(self._connected, wanted)

    def unit_of_work(
        self,
        ledger: Ledger | int | str | None = None,
        *,
        base_currency: str | None = None,
        isolation: Isolation | None = None,
        read_only: bool = False,
        timeout: float | None = None,
        statement_timeout: float | None = None,
        lock_timeout: float | None = None,
        idle_in_transaction_timeout: float | None = None,
    ) -> AbstractAsyncContextManager[UnitOfWork]:
        """Open a database transaction with its repositories: it commits when the block ends.

        Args:
            ledger: The ledger it is for: the row, its id or its name. None has `ledgers` and `session` only. Under
                `row_security` it is the row or the id, and all that the unit of work sees.
            base_currency: Make the ledger in this transaction when there is none of this name; None refuses.
            isolation: "read_committed", "repeatable_read" or "serializable"; the server's default unless given.
            read_only: PostgreSQL itself refuses writes.
            timeout: As in `transaction()`, like the other limits.
            statement_timeout: Seconds that a statement may take.
            lock_timeout: Seconds that a statement may wait for a lock.
            idle_in_transaction_timeout: Seconds that the transaction may rest between statements.

        Raises:
            SchemaError: The database's revision is not the code's.
            LedgerNotFoundError: There is no such ledger.
            LedgerRequiredError: The manager is under `row_security`, and *ledger* is missing or a name.
            TransactionAbortedError: A statement had failed and its error was swallowed; nothing is stored.
            DeadlineError: *timeout* passed; nothing is stored.
            OutcomeUnknownError: The answer to COMMIT did not arrive.
            AfterCommitError: A callback failed; the transaction is committed.
        """
        wanted = TransactionOptions(
            isolation=isolation,
            readonly=read_only,
            timeout=timeout,
            statement_timeout=statement_timeout,
            lock_timeout=lock_timeout,
            idle_in_transaction_timeout=idle_in_transaction_timeout,
            ledger=self._ledger_of(ledger, "unit_of_work()"),
        )
        return self._unit_of_work(ledger, base_currency, wanted)

    @contextlib.asynccontextmanager
    async def _unit_of_work(
        self, ledger: Ledger | int | str | None, base_currency: str | None, wanted: TransactionOptions
    ) -> AsyncIterator[UnitOfWork]:
        from finance.unit_of_work import UnitOfWork  # noqa: PLC0415 - see above

        pool = self._connected
        uow: UnitOfWork | None = None
        async with deadline(wanted.timeout, lambda: uow.outcome if uow else None):
            await self._migrations.require_head()
            async with engine_transaction(pool, self.engine, wanted) as (connection, driver):
                uow = UnitOfWork(
                    connection, driver, ledger, base_currency, reads_only=wanted.readonly, currencies=self._known
                )
                async with uow:
                    yield uow
        if uow is not None:
            await uow.call_back()

    async def run(
        self,
        function: Callable[[UnitOfWork], Awaitable[_T]],
        *,
        ledger: Ledger | int | str | None = None,
        base_currency: str | None = None,
        isolation: Isolation | None = None,
        retry: Retry = DEFAULT_RETRY,
    ) -> _T:
        """Run *function* in a unit of work, and again in a fresh one when a passing fault undid it.

        It is run again after errors that are `retryable`: a serialization failure, a deadlock, a lock timeout, a
        connection that was lost before COMMIT, a server that restarts or was demoted. Where the outcome is unknown
        it is run again only if `Retry(idempotent=True)` says that this does no harm. What *function* does
        outside the database happens once per attempt.

        Args:
            function: Called with the unit of work; its result is returned after COMMIT.
            ledger: As in `unit_of_work()`.
            base_currency: As in `unit_of_work()`.
            isolation: As in `unit_of_work()`.
            retry: How often, for how long, and whether it is idempotent.

        Raises:
            DeadlineError: `retry.deadline` passed in the middle of an attempt, which is rolled back.
            OutcomeUnknownError: The answer to COMMIT did not arrive, and *function* is not idempotent.
            FinanceError: The last attempt's error, or the first that is not to be retried.
        """

        async def attempt(seconds: float | None) -> _T:
            opened = self.unit_of_work(ledger, base_currency=base_currency, isolation=isolation, timeout=seconds)
            async with opened as uow:
                return await function(uow)

        return await retrying(attempt, retry, self._observer)

    # --- locks and messages ------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def advisory_lock(
        self, key: str | int, *, wait: bool = True, session: bool = False
    ) -> AsyncIterator[Connection | None]:
        """Hold the application's own lock *key* for a block.

        Args:
            key: A name, or a number of 64 bits. Everybody who uses it on this database means the same lock.
            wait: Wait for it, `lock_timeout` at most. False asks once.
            session: Hold it on a connection of its own, outside a transaction, for work that takes long: then
                the block gets None. Otherwise it gets the connection of a transaction, whose end frees the lock.

        Raises:
            LockTimeoutError: Somebody else has it.
            LockLostError: The lock of a session was lost before the block ended.
            ConfigurationError: *session* does not work through PgBouncer, and there is no `direct_dsn`.
        """
        if session:
            async with session_lock(self._direct("a lock of the session"), key, wait=wait):
                yield None
            return
        async with raw_transaction(self._connected, TransactionOptions()) as connection:
            if not await connection.advisory_lock(key, wait=wait):
                raise LockTimeoutError
            yield connection

    def listen(self, *channels: str, patience: float | None = None) -> Listening:
        """Listen on *channels*: `async with db.listen("a") as notifications: async for each in notifications: ...`.

        It has a connection of its own, beside the pool's. When that is lost it is made again, and a `Gap` tells
        that notifications may be missing.

        Args:
            channels: Their names, up to 63 bytes each.
            patience: Seconds after which a lost connection is given up; None never does.

        Raises:
            ConfigurationError: The manager is behind PgBouncer, and there is no `direct_dsn`.
        """
        listening = Listening(self._direct("LISTEN").connect_apart, channels, patience)
        self._listening.add(listening)
        return listening

    # --- seeing in ---------------------------------------------------------------------------------

    def stats(self) -> PoolStats:
        """Return what the pool has done and is doing, in numbers."""
        return self._connected.stats()

    async def health(self, timeout: float = 5.0) -> Health:
        """Find out whether the database can be worked with. A server that does not answer is a finding, no error.

        Args:
            timeout: Seconds to wait for an answer.

        Raises:
            NotConnectedError: The manager is not connected.

        Database:
            Two SELECTs.
        """
        self._connected.require_usable()
        return await examine(self._anywhere, self._migrations, timeout)

    # --- its parts ---------------------------------------------------------------------------------

    @property
    def ledgers(self) -> Ledgers:
        """The ledgers of the database, each call in a transaction of its own."""
        return Ledgers(self.unit_of_work)

    @property
    def journal(self) -> Journal:
        """The fast lane, where concurrent callers post together, and the books' check of themselves."""
        if self._journal is None:
            from finance.journal import Journal  # noqa: PLC0415 - see above

            is_ready = self._migrations.is_known_at_head
            self._journal = Journal(
                self._lane_of_pool, self._find_ledger, is_ready, self.unit_of_work, self.transaction
            )
        return self._journal

    @property
    def roles(self) -> Roles:
        """The roles that own the books, use them, or see one ledger of them."""
        return Roles(self._anywhere)

    @property
    def migrations(self) -> Migrations:
        """The schema's revisions: what `alembic` does, from inside the event loop."""
        return self._migrations

    @property
    def engine(self) -> AsyncEngine:
        """SQLAlchemy's engine over the same pool, for what has no verb here."""
        pool = self._connected
        if self._engine is None:
            from finance.database.engine import make_engine  # noqa: PLC0415 - see above

            self._engine = make_engine(pool, self._observer)
        return self._engine

    async def verify(self, ledger: Ledger | int | str, *, progress: Watcher | None = None) -> Verification:
        """Compute everything derived in *ledger* again: `db.journal.verify()`."""
        return await self.journal.verify(ledger, progress=progress)


class _Anywhere(Verbs):
    """The verbs for statements that concern no ledger: they need not name one."""

    def __init__(self, run: Callable[[Callable[[PooledConnection], Awaitable[Any]]], Awaitable[Any]]) -> None:
        self._run_anywhere = run

    async def _run(self, call: Callable[[PooledConnection], Awaitable[_T]]) -> _T:
        result: _T = await self._run_anywhere(call)
        return result


#: What an argument says of the pooler, and not of the server behind it.
_OF_THE_POOLER = frozenset({"host", "port", "pgbouncer", "service", "servicefile"})
