"""The driver's connection, with an honest COMMIT, a bounded ROLLBACK, a complete reset, and an eye on its values."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import time
from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg

from finance.connection.events import Observer
from finance.connection.parameters import check_parameters, check_row, may_change
from finance.errors import FinanceError, Outcome, UsageError
from finance.integrity import DRIVER_ERRORS, ConnectionBusyError, ConnectionClosedError, translate

Record = asyncpg.Record
if TYPE_CHECKING:  # generic in the stubs only
    Driver: TypeAlias = asyncpg.Connection[Record]
else:
    Driver = asyncpg.Connection

#: Seconds after which a rollback, a reset or a farewell is given up and the connection dropped.
PATIENCE = 5.0

_COMMITS = ("COMMIT", "END", "PREPARE TRANSACTION")
_UNDOES = ("ROLLBACK", "ABORT")
_NO_LIMIT = 1e6
_NOTHING = contextlib.nullcontext()

# DISCARD ALL without DEALLOCATE ALL and DISCARD PLANS. The driver's own query leaves the role, the temporary
# tables and the sequence caches of the last user behind.
_RESET = (
    "CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; UNLISTEN *;"
    " SELECT pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES;"
)


class PooledConnection(Driver):
    """A connection of the pool."""

    # The driver's own, which its stubs keep to themselves.
    _config: Any
    _loop: asyncio.AbstractEventLoop
    _protocol: Any
    _top_xact: Any
    _listeners: dict[str, Any]
    _log_listeners: set[Any]
    _stmt_exclusive_section: Any

    #: The open connections of the same pool, itself among them.
    siblings: Collection[PooledConnection] = ()
    observer: Observer | None = None
    #: Run together with each BEGIN: settings that last as long as the transaction.
    with_begin = ""
    #: Behind a transaction pooler the session is not ours: nothing of it is reset.
    has_session = True
    #: COMMIT is under way. It is never cancelled: the server would stop waiting for its standby, and say "committed".
    is_committing = False
    #: Somebody sent a COMMIT in this loan, and the server did not say that it failed.
    may_have_committed = False
    #: The transaction that began last was ended by a ROLLBACK.
    was_undone = False
    #: The COMMIT that was sent last, when its sender may have left before the answer.
    ending: asyncio.Future[Any] | None = None
    #: Why the pool took it away from whoever used it.
    revoked_because: FinanceError | None = None
    #: Its server refused a write that it should have taken.
    is_refused = False
    #: The pool is closing it on purpose.
    is_retired = False
    #: Instants of `time.monotonic()`: when it is to be replaced, and since when it rests.
    expires_at = math.inf
    rests_since = 0.0
    #: What SQLAlchemy knows it as.
    record: Any = None
    #: It belongs to a pool, which alone closes it: SQLAlchemy would whenever a statement is cancelled.
    is_pooled = False
    #: Its user asked for a server or a session that only reads.
    is_meant_to_read = False
    #: Nothing ran in this loan but a statement of the library's own, which leaves nothing behind in the session.
    is_untouched = False

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # The driver has a section of its own, whose error says what happened in its text only.
        self._stmt_exclusive_section = _OneTask()
        self._plain_config = self._config
        self._plain_with_begin = ""
        self._process = os.getpid()

    @property
    def one_task(self) -> contextlib.AbstractContextManager[None]:
        """A section that one task at a time may be in; it is in it while it runs a statement."""
        section: contextlib.AbstractContextManager[None] = self._stmt_exclusive_section
        return section

    @property
    def is_busy(self) -> bool:
        """Whether another task is in the middle of a statement."""
        return bool(self._stmt_exclusive_section.is_taken)

    # --- statements --------------------------------------------------------------------------------

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        """Run *query*, and refuse a COMMIT that the server answered with ROLLBACK.

        PostgreSQL ends an aborted transaction with ROLLBACK when it is told to COMMIT, and reports no
        error; only the command tag says that nothing was stored.
        """
        if args:
            return await super().execute(query, *args, timeout=timeout)
        verb = _verb_of(query)
        if verb.startswith("BEGIN"):
            self.was_undone = False
            if self.with_begin:
                query = f"{query.rstrip().rstrip(';')}; {self.with_begin}"
        is_commit = verb.startswith(_COMMITS)
        if is_commit and timeout is None:
            timeout = _NO_LIMIT  # the driver would cancel it
        elif timeout is None and verb.startswith("ROLLBACK"):
            timeout = PATIENCE
        with (
            _Told(self, query),
            self._stmt_exclusive_section,
            self._watched(query, verb) if self.is_in_transaction() else _NOTHING,
            self._committing() if is_commit else _NOTHING,
        ):
            status = await super().execute(query, timeout=timeout)
        if is_commit and status == "ROLLBACK":
            self.may_have_committed, self.was_undone = False, True
            raise asyncpg.InFailedSQLTransactionError("COMMIT was answered with ROLLBACK")
        return status

    def is_in_transaction(self) -> bool:
        """Tell whether a transaction is open; on a connection that is closed, where the driver would fail, none is."""
        return not self.is_closed() and bool(super().is_in_transaction())

    @contextlib.contextmanager
    def _committing(self) -> Iterator[None]:
        """Bound a COMMIT: it is never cancelled, but after the time limit its connection is dropped."""
        limit = self.time_limit
        guard = None if limit is None else asyncio.get_running_loop().call_later(limit, self.terminate)
        self.is_committing = True
        try:
            yield
        finally:
            self.is_committing = False
            if guard is not None:
                guard.cancel()

    @contextlib.contextmanager
    def _watched(self, query: str, verb: str) -> Iterator[None]:
        """Note whether a statement may have committed the transaction in which it is run."""
        before = self.may_have_committed
        if verb.startswith(_COMMITS):
            self.may_have_committed = True
        try:
            yield
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:  # the driver may have refused to send it
            if translate(error, committing=True).outcome is Outcome.NOT_APPLIED:
                self.may_have_committed = before
            raise
        if not self.is_closed() and not self.is_in_transaction():
            self.was_undone = verb.startswith(_UNDOES) and ";" not in query.strip().rstrip(";")
            self.may_have_committed |= not self.was_undone

    async def _execute(
        self, query: str, args: Any, limit: int, timeout: float | None, *, is_fitting: bool = False, **options: Any
    ) -> Any:
        with _Told(self, query):
            if not is_fitting and may_change(args):
                check_parameters(args, await self._parameter_types(query, timeout))
            with self._watched(query, _verb_of(query)) if self.is_in_transaction() else _NOTHING:
                return await super()._execute(query, args, limit, timeout, **options)  # type: ignore[misc]

    async def fetch_fitting(self, query: str, args: tuple[Any, ...]) -> list[Record]:
        """As `fetch()`, for values that are known to fit their parameters: they are not looked at one by one."""
        rows: list[Record] = await self._execute(query, args, 0, None, is_fitting=True)
        return rows

    async def _executemany(self, query: str, args: Iterable[Any], timeout: float | None, **options: Any) -> Any:
        with _Told(self, query):
            types = await self._parameter_types(query, timeout)
            return await super()._executemany(query, _checked(args, types), timeout, **options)  # type: ignore[misc]

    def _cancel_current_command(self, waiter: Any, cancel_waiter: Any = None) -> None:
        """Ask the server to cancel what is running, unless that is a COMMIT: then leave, and it goes on."""
        if self.is_committing:
            self._loop.call_soon(self.terminate)
        else:
            super()._cancel_current_command(waiter, cancel_waiter)  # type: ignore[misc]  # the driver's own

    async def check(self, query: str, args: tuple[Any, ...]) -> None:
        """Check values that are bound past `fetch()` and its like, as those of a cursor are.

        Raises:
            ParameterError: The driver would change one of them in silence.
        """
        if may_change(args):
            check_parameters(args, await self._parameter_types(query, None))

    async def _parameter_types(self, query: str, timeout: float | None) -> tuple[str, ...]:
        # The statement is prepared and cached here, so that running it afterwards costs no second round trip.
        with self._stmt_exclusive_section:
            statement = await self._get_statement(query, timeout)  # type: ignore[attr-defined]
        return tuple(kind.name for kind in statement._get_parameters())  # noqa: SLF001 - get_parameters() of `prepare()`

    async def _copy_out(self, copy_stmt: str, output: Any, timeout: float | None) -> Any:
        with _Told(self, copy_stmt):
            return await super()._copy_out(copy_stmt, output, timeout)  # type: ignore[misc]

    async def _copy_in(self, copy_stmt: str, source: Any, timeout: float | None) -> Any:
        with _Told(self, copy_stmt):
            return await super()._copy_in(copy_stmt, source, timeout)  # type: ignore[misc]

    async def copy_records_to_table(self, table_name: str, **options: Any) -> str:
        """Load records with COPY, as the driver does, and tell of it."""
        with _Told(self, f"COPY {table_name} FROM STDIN"):
            return str(await super().copy_records_to_table(table_name, **options))

    def tell(self, query: str, seconds: float, error: BaseException | None) -> None:
        """Tell the observer that a statement has ended."""
        if self.observer is not None:
            self.observer.statement(query, seconds, error)

    def _check_open(self) -> None:
        if self.is_closed():
            raise ConnectionClosedError

    def _drop_global_statement_cache(self) -> None:
        """Forget the prepared statements of the whole pool: the driver met one that a change of the schema outdated.

        The driver does so in a pool of its own; alone, it would meet the next one on every other connection.
        """
        for connection in (self, *self.siblings):
            connection._drop_local_statement_cache()  # type: ignore[attr-defined]  # noqa: SLF001 - the driver's own

    @property
    def is_demoted(self) -> bool:
        """Whether its server, which took writes once, takes none now; True also where the server does not say."""
        settings = self.get_settings()
        standby = getattr(settings, "in_hot_standby", None)
        if self.is_meant_to_read:
            return False
        return standby is None or "on" in (standby, getattr(settings, "default_transaction_read_only", None))

    async def set_type_codec(self, typename: str, *, schema: str = "public", **options: Any) -> None:
        """Set a codec, as the driver does, unless it is one for JSON.

        Raises:
            UsageError: It is for JSON, which SQLAlchemy and the books' own statements send and read as text.
        """
        if schema == "pg_catalog" and typename in ("json", "jsonb"):
            raise UsageError(
                f"{typename} is text on every connection of the pool, as SQLAlchemy and the books read it;"
                " write json.dumps(value) for a parameter and json.loads(...) for a result"
            )
        await super().set_type_codec(typename, schema=schema, **options)

    async def forget_schema(self) -> None:
        """Forget every statement that is prepared in the pool, and the types that this connection knows."""
        self._drop_global_statement_cache()
        await self.reload_schema_state()

    # --- limits ------------------------------------------------------------------------------------

    @property
    def time_limit(self) -> float | None:
        """Seconds after which the driver gives a statement up."""
        limit: float | None = self._config.command_timeout
        return limit

    def limit_statements(self, seconds: float | None) -> None:
        """Have the driver give a statement up after *seconds*, until the session is restored; None for no limit."""
        self._config = self._config._replace(command_timeout=seconds)

    def always_with_begin(self, settings: str) -> None:
        """Run *settings* together with each BEGIN, unless a transaction has some of its own."""
        self.with_begin = self._plain_with_begin = settings

    def forget_limits(self) -> None:
        """Have the manager's limits hold again instead of a transaction's own."""
        self._config = self._plain_config
        self.with_begin = self._plain_with_begin

    # --- between two users -------------------------------------------------------------------------

    @property
    def needs_restoring(self) -> bool:
        """Whether its user may have left something behind in the session, or a transaction open."""
        if self.has_session and not self.is_untouched:
            return True
        if self.ending is not None or self._top_xact is not None or self.is_in_transaction():
            return True
        # What was cancelled may have been a BEGIN, whose answer is still to come.
        return bool(self._listeners) or self._protocol._is_cancelling()  # noqa: SLF001

    async def restore(self) -> None:
        """Make the session as good as new; a connection on which that fails is dropped."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self._restore()
                if self.is_in_transaction():
                    # A BEGIN that was cancelled came through all the same, and the driver learnt of it only now.
                    await self._restore()
        except BaseException:
            self.terminate()
            raise

    async def _restore(self) -> None:
        self._listeners.clear()
        self._log_listeners.clear()
        # A transaction that was cancelled at its BEGIN, or ended by a statement, is still noted here.
        self._top_xact = None
        if not self.has_session:
            query = "ROLLBACK"
        elif self.is_in_transaction():
            query = f"ROLLBACK; {_RESET}"
        else:
            query = _RESET
        await super().execute(query)

    async def close(self, *, timeout: float | None = None) -> None:
        """Say goodbye to the server, unless the connection is a pool's: that one finds back and is restored."""
        if not self.is_pooled:
            await self.retire(timeout=timeout)

    async def retire(self, *, timeout: float | None = None) -> None:
        """Say goodbye to the server, which gives up what it is doing; one that does not answer in time is left."""
        if self.is_committing or not self.has_session:
            # PgBouncer 1.18 falls over when a client that has sent a cancel request says goodbye.
            self.terminate()
            return
        with contextlib.suppress(*DRIVER_ERRORS):
            await super().close(timeout=timeout or PATIENCE)

    def _abort(self) -> None:
        if os.getpid() == self._process:
            super()._abort()  # type: ignore[misc]
            return
        # In a forked child the socket is the parent's, too: a farewell on it would end the parent's session.
        self._aborted = True
        self._protocol = None


class _Told:
    """Tells the observer of the statement that is run in its block; every statement passes it, so that it is light."""

    __slots__ = ("_connection", "_query", "_started")

    def __init__(self, connection: PooledConnection, query: str) -> None:
        self._connection = connection
        self._query = query
        self._started = time.perf_counter()

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        self._connection.tell(self._query, time.perf_counter() - self._started, error)


class _OneTask:
    """A section that one task may be in, as often as it likes; another one is refused instead of queued."""

    def __init__(self) -> None:
        self._owner: object = None
        self._depth = 0

    @property
    def is_taken(self) -> bool:
        """Whether another task than this one is in it."""
        return self._depth > 0 and self._owner is not asyncio.current_task()

    def __enter__(self) -> None:
        task = asyncio.current_task()
        if self._depth and self._owner is not task:
            raise ConnectionBusyError
        self._owner = task
        self._depth += 1

    def __exit__(self, *_: object) -> None:
        self._depth -= 1


def _verb_of(query: str) -> str:
    return query[:40].lstrip().upper()


def _checked(rows: Iterable[Any], types: tuple[str, ...]) -> Iterator[Any]:
    for row in rows:
        check_row(row, types)
        yield row
