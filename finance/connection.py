"""One open database transaction as a handle: raw SQL with `$1` placeholders, straight on asyncpg."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import asyncpg
from sqlalchemy import exc as sa_exc
from sqlalchemy.orm import exc as orm_exc

from finance.errors import ClosedError, ConnectionLostError, UsageError
from finance.integrity import DRIVER_ERRORS, translate

Record = asyncpg.Record
if TYPE_CHECKING:  # generic in the stubs only
    Driver: TypeAlias = asyncpg.Connection[Record]
else:
    Driver = asyncpg.Connection
_T = TypeVar("_T")

#: Seconds after which a rollback, a reset or a farewell is given up and the connection dropped.
PATIENCE = 5.0

#: What a caller's block lets out when the database failed in it. An OSError or TimeoutError is not among them:
#: out of a block, it comes from the caller's own work.
ERRORS_OF_THE_DATABASE = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    sa_exc.DBAPIError,
    sa_exc.IllegalStateChangeError,
    sa_exc.PendingRollbackError,
    orm_exc.StaleDataError,
)

_SAVEPOINT = "finance_savepoint"
_COMMITS = ("COMMIT", "END", "PREPARE TRANSACTION")


class PooledConnection(Driver):
    """The driver's connection, with an honest COMMIT, a bounded ROLLBACK and a complete reset."""

    #: The open connections of the same pool, itself among them.
    siblings: Collection[PooledConnection] = ()

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        """Run *query*, and refuse a COMMIT that the server answered with ROLLBACK.

        PostgreSQL ends an aborted transaction with ROLLBACK when it is told to COMMIT, and reports no
        error; only the command tag says that nothing was stored.
        """
        verb = query[:40].lstrip().upper()
        if timeout is None and verb.startswith("ROLLBACK"):
            timeout = PATIENCE
        status = await super().execute(query, *args, timeout=timeout)
        if status == "ROLLBACK" and verb.startswith(_COMMITS):
            raise asyncpg.InFailedSQLTransactionError("COMMIT was answered with ROLLBACK")
        return status

    def get_reset_query(self) -> str:
        """Return what makes the session as good as new, but for its prepared statements.

        It is DISCARD ALL without DEALLOCATE ALL and DISCARD PLANS. The driver's own query leaves the role,
        the temporary tables and the sequence caches of the last user behind.
        """
        return (
            "CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; UNLISTEN *;"
            " SELECT pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES;"
        )

    async def restore(self) -> None:
        """Make the session as good as new; a connection on which that fails is dropped."""
        try:
            await self._restore()
            if self.is_in_transaction():
                # A BEGIN that was cancelled came through all the same, and the driver learnt of it only now.
                await self._restore()
        except BaseException:
            self.terminate()
            raise

    async def _restore(self) -> None:
        # A transaction that was cancelled at its BEGIN, or ended by a statement, is still noted here.
        self._top_xact = None
        if self.is_in_transaction():
            await self.execute("ROLLBACK")
        await self.reset(timeout=PATIENCE)

    async def close(self, *, timeout: float | None = None) -> None:
        """Say goodbye to the server; one that does not answer in time is left without."""
        with contextlib.suppress(*DRIVER_ERRORS):
            await super().close(timeout=timeout or PATIENCE)

    def _drop_global_statement_cache(self) -> None:
        """Forget the prepared statements of the whole pool: the driver met one that a change of the schema outdated.

        The driver does so in a pool of its own; alone, it would meet the next one on every other connection.
        """
        for connection in (self, *self.siblings):
            connection._drop_local_statement_cache()  # type: ignore[attr-defined]  # noqa: SLF001 - the driver's own


class Verbs:
    """The ways to run a statement, with `$1`, `$2` and so on in place of its values."""

    async def _run(self, call: Callable[[Driver], Awaitable[_T]]) -> _T:
        raise NotImplementedError

    async def fetch(self, query: str, *args: Any, timeout: float | None = None) -> list[Record]:
        """Run *query* and return all its rows.

        Args:
            query: One statement; its values stand as `$1`, `$2` and so on.
            args: The values, in order.
            timeout: Seconds that it may take; None for the manager's `command_timeout`.
        """
        return await self._run(lambda driver: driver.fetch(query, *args, timeout=timeout))

    async def fetchrow(self, query: str, *args: Any, timeout: float | None = None) -> Record | None:
        """Run *query* and return its first row, or None when there is none."""
        return await self._run(lambda driver: driver.fetchrow(query, *args, timeout=timeout))

    async def fetchval(self, query: str, *args: Any, column: int = 0, timeout: float | None = None) -> Any:
        """Run *query* and return one column of its first row, or None when there is no row."""
        return await self._run(lambda driver: driver.fetchval(query, *args, column=column, timeout=timeout))

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        """Run *query* and return the server's command tag, such as "UPDATE 1".

        Without *args* it may hold several statements, separated by semicolons.
        """
        return await self._run(lambda driver: driver.execute(query, *args, timeout=timeout))


class Connection(Verbs):
    """The connection of one open database transaction. It belongs to one task and ends with its block."""

    def __init__(self, driver: Driver, *, before_each: Callable[[], Awaitable[None]] | None = None) -> None:
        self._asyncpg = driver
        self._before_each = before_each
        self._is_open = True

    @property
    def driver(self) -> Driver:
        """The asyncpg connection itself, for what has no verb here. It is on loan until the block ends.

        Raises:
            ClosedError: The transaction is over.
            UsageError: A COMMIT or ROLLBACK statement ended it: what came next would commit by itself.
        """
        self.require_open()
        require_in_transaction(self._asyncpg)
        return self._asyncpg

    @property
    def is_open(self) -> bool:
        """Whether the transaction is not over."""
        return self._is_open

    def require_open(self) -> None:
        """Check that the transaction is not over.

        Raises:
            ClosedError: It is.
        """
        if not self._is_open:
            raise ClosedError("transaction")

    async def _run(self, call: Callable[[Driver], Awaitable[_T]]) -> _T:
        self.require_open()
        if self._before_each is not None:
            await self._before_each()
        driver = self.driver
        try:
            return await call(driver)
        except DRIVER_ERRORS as error:
            raise translate(error) from error

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Open a savepoint: an error that leaves the block undoes what the block did, and no more."""
        await self.execute(f"SAVEPOINT {_SAVEPOINT}")
        try:
            with leaving_block():
                yield self
            if self._is_open:
                await self.execute(f"RELEASE SAVEPOINT {_SAVEPOINT}")
        except BaseException:
            if self._is_open:
                await undo(self._asyncpg, lambda: self._asyncpg.execute(_UNDO_SAVEPOINT))
            raise

    def close(self) -> None:
        """Refuse every further use; the owner of the transaction calls it."""
        self._is_open = False


# A savepoint outlives ROLLBACK TO; of several with one name the innermost is meant.
_UNDO_SAVEPOINT = f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}; RELEASE SAVEPOINT {_SAVEPOINT}"


@contextlib.contextmanager
def leaving_block() -> Any:
    """Raise the typed error for what the database let out of a caller's block; let the caller's own errors pass."""
    try:
        yield
    except ERRORS_OF_THE_DATABASE as error:
        raise translate(error) from error


async def undo(driver: Driver, rollback: Callable[[], Awaitable[object]]) -> None:
    """Roll back. A connection on which that fails is dropped: nobody may commit what was to be undone."""
    if driver.is_closed():
        return
    try:
        await rollback()
    except (sa_exc.SQLAlchemyError, *DRIVER_ERRORS):
        await driver.close()  # it asks the server to cancel what another task has under way
    except BaseException:
        driver.terminate()
        raise


def require_in_transaction(driver: Driver) -> None:
    """Check that the transaction on *driver* is not over, so that it can be used and committed.

    Raises:
        ConnectionLostError: It ended with its connection.
        UsageError: A COMMIT or ROLLBACK statement inside the block ended it.
    """
    if driver.is_closed():
        raise ConnectionLostError
    if not driver.is_in_transaction():
        raise UsageError(
            "a COMMIT or ROLLBACK statement ended the transaction inside its block;"
            " leave the block to commit, raise to roll back"
        )
