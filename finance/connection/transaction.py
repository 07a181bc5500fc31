"""One open database transaction as a handle: raw SQL straight on asyncpg."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, TypeVar

import asyncpg
from sqlalchemy import exc as sa_exc
from sqlalchemy.orm import exc as orm_exc

from finance.connection.driver import PooledConnection, Record
from finance.connection.settling import require_in_transaction, undo
from finance.connection.verbs import BATCH, Verbs, rows_of
from finance.errors import (
    ClosedError,
    ConcurrentUseError,
    FinanceError,
    InvalidError,
    Outcome,
    ReadOnlyServerError,
    ReadOnlyTransactionError,
)
from finance.integrity import DRIVER_ERRORS, translate

_T = TypeVar("_T")

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
    ReadOnlyTransactionError,
)

#: The setting that names the only ledger that a transaction sees, where its role is under row-level security.
LEDGER_SETTING = "finance.ledger"

_SAVEPOINT = "finance_savepoint"

# A savepoint outlives ROLLBACK TO; of several with one name the innermost is meant.
_UNDO_SAVEPOINT = f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}; RELEASE SAVEPOINT {_SAVEPOINT}"


class Connection(Verbs):
    """The connection of one open database transaction. It belongs to one task and ends with its block."""

    def __init__(
        self,
        driver: PooledConnection,
        *,
        reads_only: bool = False,
        before_each: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._asyncpg = driver
        self._reads_only = reads_only
        self._before_each = before_each
        self._is_open = True
        self._outcome: Outcome | None = None

    @property
    def driver(self) -> PooledConnection:
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

    @property
    def outcome(self) -> Outcome | None:
        """What became of the transaction; None while it is open.

        It is true after every end, a cancellation too. `Outcome.UNKNOWN` turns into what happened when the
        answer to COMMIT arrives after the caller was cancelled.
        """
        return self._outcome

    def note(self, outcome: Outcome) -> None:
        """Note what became of the transaction; its owner calls it."""
        if outcome is Outcome.NOT_APPLIED and self._asyncpg.may_have_committed:
            outcome = Outcome.UNKNOWN  # its user typed COMMIT
        self._outcome = outcome

    def require_open(self) -> None:
        """Check that the transaction is not over.

        Raises:
            ClosedError: It is.
        """
        if not self._is_open:
            raise ClosedError("transaction")

    async def _ready(self) -> PooledConnection:
        self.require_open()
        if self._before_each is not None:
            await self._before_each()
        return self.driver

    async def _run(self, call: Callable[[PooledConnection], Awaitable[_T]]) -> _T:
        driver = await self._ready()
        try:
            return await call(driver)
        except DRIVER_ERRORS as error:
            raise typed(error, driver, reads_only=self._reads_only) from error

    async def stream(self, query: str, *args: Any, batch: int = BATCH) -> AsyncIterator[Record]:
        """Iterate over the rows of *query* with `async for`, *batch* rows of them in memory at a time."""
        driver = await self._ready()
        rows = rows_of(driver, query, args, batch)
        while True:
            self.require_open()
            try:
                row = await anext(rows)
            except StopAsyncIteration:
                return
            except DRIVER_ERRORS as error:
                raise typed(error, driver, reads_only=self._reads_only) from error
            yield row

    async def advisory_lock(self, key: str | int, *, wait: bool = True) -> bool:
        """Take the application's own lock *key* until the transaction ends, and tell whether it was got.

        Args:
            key: A name, or a number of 64 bits.
            wait: Wait for it, `lock_timeout` at most. False asks once.

        Raises:
            LockTimeoutError: Somebody else kept it.
        """
        function = "pg_advisory_xact_lock" if wait else "pg_try_advisory_xact_lock"
        return await self.fetchval(f"SELECT {function}($1)", lock_number(key)) is not False

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Open a savepoint: an error that leaves the block undoes what the block did, and no more."""
        await self.execute(f"SAVEPOINT {_SAVEPOINT}")
        try:
            with leaving_block(self._asyncpg, reads_only=self._reads_only):
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


@contextlib.contextmanager
def leaving_block(driver: PooledConnection | None = None, *, reads_only: bool = False) -> Iterator[None]:
    """Raise the typed error for what the database let out of a caller's block; let the caller's own errors pass."""
    try:
        yield
    except ERRORS_OF_THE_DATABASE as error:
        found = typed(error, driver, reads_only=reads_only)
        if found is error:
            raise
        raise found from error


def typed(error: BaseException, driver: PooledConnection | None, *, reads_only: bool = False) -> FinanceError:
    """Return the typed error for what *driver* raised, knowing what became of it."""
    if driver is not None and driver.revoked_because is not None:
        return driver.revoked_because
    if type(error) is asyncpg.InterfaceError and driver is not None and driver.is_busy:
        return ConcurrentUseError("connection")  # which the driver says with a text only
    found = translate(error, committing=driver is not None and driver.may_have_committed)
    if isinstance(found, ReadOnlyTransactionError) and _refuses_writes(driver, reads_only=reads_only):
        return ReadOnlyServerError()
    return found


def _refuses_writes(driver: PooledConnection | None, *, reads_only: bool) -> bool:
    """Tell whether it is the server that takes no writes, and have the pool drop its connection then."""
    if driver is None or reads_only or not driver.is_demoted:
        return False
    driver.is_refused = True
    return True


def lock_number(key: str | int) -> int:
    """Return the 64-bit number of an advisory lock; that of a name is the start of its SHA-256.

    Raises:
        InvalidError: It is neither a name nor a number of 64 bits.
    """
    if isinstance(key, str) and key:
        return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], signed=True)
    if isinstance(key, int) and not isinstance(key, bool) and -(2**63) <= key < 2**63:
        return key
    raise InvalidError("the key of an advisory lock is a name, or a whole number of 64 bits")


def is_cancellation(error: BaseException | None) -> bool:
    """Tell whether *error* ends a task that must not be held up."""
    return isinstance(error, (asyncio.CancelledError, GeneratorExit))
