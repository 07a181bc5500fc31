"""The two ways to a database transaction: on the driver alone, and through SQLAlchemy for a unit of work."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from finance.connection import (
    LEDGER_SETTING,
    Connection,
    PooledConnection,
    is_cancellation,
    leaving_block,
    require_in_transaction,
    settle,
    undo,
)
from finance.database.connector import GRACE, with_begin
from finance.database.pool import Pool
from finance.errors import DeadlineError, InvalidError, Outcome, OutcomeUnknownError
from finance.integrity import translated

Isolation = Literal["read_committed", "repeatable_read", "serializable"]
_ISOLATION = {"read_committed": "READ COMMITTED", "repeatable_read": "REPEATABLE READ", "serializable": "SERIALIZABLE"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionOptions:
    """How a transaction is to be. Times are in seconds; None is the manager's, `math.inf` no limit.

    Attributes:
        isolation: "read_committed", "repeatable_read" or "serializable"; None is the server's default.
        readonly: PostgreSQL itself refuses writes.
        deferrable: Wait for a snapshot that cannot fail; for serializable read-only transactions.
        timeout: How long the whole block may take, COMMIT included.
        statement_timeout: How long the server lets a statement run.
        lock_timeout: How long the server lets a statement wait for a lock.
        idle_in_transaction_timeout: How long the server lets the transaction rest between two statements.
        ledger: The id of the only ledger that is seen, where the login is under row-level security.
    """

    isolation: Isolation | None = None
    readonly: bool = False
    deferrable: bool = False
    timeout: float | None = None
    statement_timeout: float | None = None
    lock_timeout: float | None = None
    idle_in_transaction_timeout: float | None = None
    ledger: int | None = None

    def __post_init__(self) -> None:
        if self.isolation is not None and self.isolation not in _ISOLATION:
            raise InvalidError(f"isolation {self.isolation!r}: one of {', '.join(_ISOLATION)}")
        for word in ("timeout", "statement_timeout", "lock_timeout", "idle_in_transaction_timeout"):
            seconds = getattr(self, word)
            if seconds is not None and not (isinstance(seconds, int | float) and seconds > 0):
                raise InvalidError(f"{word} {seconds!r}: a number of seconds above 0, math.inf for no limit, or None")

    def for_sqlalchemy(self) -> dict[str, Any]:
        """Return what SQLAlchemy is to know of it."""
        options: dict[str, Any] = {}
        if self.readonly:
            options["postgresql_readonly"] = True
        if self.deferrable:
            options["postgresql_deferrable"] = True
        if self.isolation is not None:
            options["isolation_level"] = _ISOLATION[self.isolation]
        return options

    def impose(self, driver: PooledConnection) -> None:
        """Have the limits sent with the next BEGIN on *driver*."""
        own = {
            "statement_timeout": self.statement_timeout,
            "lock_timeout": self.lock_timeout,
            "idle_in_transaction_session_timeout": self.idle_in_transaction_timeout,
        }
        driver.with_begin += with_begin(own)
        if self.ledger is not None:
            driver.with_begin += f"SET LOCAL {LEDGER_SETTING} = '{self.ledger:d}';"
        if self.statement_timeout is not None:
            limit = self.statement_timeout
            driver.limit_statements(None if limit == math.inf else limit + GRACE)


@contextlib.asynccontextmanager
async def raw_transaction(pool: Pool, wanted: TransactionOptions) -> AsyncIterator[Connection]:
    """Open a transaction on the driver: it commits when the block ends, and rolls back on an error."""
    connection: Connection | None = None
    async with deadline(wanted.timeout, lambda: connection.outcome if connection else None), pool.acquire() as driver:
        connection = Connection(driver, reads_only=wanted.readonly)
        wanted.impose(driver)
        transaction = driver.transaction(
            isolation=wanted.isolation, readonly=wanted.readonly, deferrable=wanted.deferrable
        )
        with translated():
            await transaction.start()
        try:
            with leaving_block(driver, reads_only=wanted.readonly):
                yield connection
            require_in_transaction(driver)
        except BaseException as error:
            connection.close()
            connection.note(Outcome.NOT_APPLIED)
            if not is_cancellation(error):  # which is not held up: the pool rolls back
                await undo(driver, transaction.rollback)
            raise
        connection.close()
        await settle(driver, transaction.commit(), connection.note)


@contextlib.asynccontextmanager
async def engine_transaction(
    pool: Pool, engine: AsyncEngine, wanted: TransactionOptions
) -> AsyncIterator[tuple[AsyncConnection, PooledConnection]]:
    """Lend a connection of SQLAlchemy's on which BEGIN was sent; what is not committed is rolled back."""
    with translated():
        connection = await engine.connect().start()
    sync: Any = connection.sync_connection
    driver: PooledConnection = sync.connection.driver_connection
    try:
        wanted.impose(driver)
        if options := wanted.for_sqlalchemy():
            await connection.execution_options(**options)
        await connection.begin()
        yield connection, driver
    except BaseException as error:
        ending = pool.spawn(_end(connection, driver))
        if not is_cancellation(error):
            await asyncio.shield(ending)
        raise
    else:
        if driver.is_closed() or driver.is_in_transaction():
            await asyncio.shield(pool.spawn(_end(connection, driver)))
        else:
            await connection.close()  # which sends nothing


async def _end(connection: AsyncConnection, driver: PooledConnection) -> None:
    """Roll back what was not committed, and give the connection back to its pool."""
    if driver.is_committing:  # and whoever sent COMMIT has left: the pool waits for its answer
        await connection.invalidate()
    else:
        await undo(driver, connection.rollback)
        if driver.is_closed():
            await connection.invalidate()
    await connection.close()


@contextlib.asynccontextmanager
async def deadline(seconds: float | None, outcome: Callable[[], Outcome | None]) -> AsyncIterator[None]:
    """Cancel the block after *seconds*, and tell what became of its transaction.

    Raises:
        DeadlineError: Nothing is stored.
        OutcomeUnknownError: COMMIT was under way, and was not answered.
    """
    try:
        async with asyncio.timeout(seconds) as limit:
            yield
    except TimeoutError as error:
        if not limit.expired() or seconds is None:
            raise
        if outcome() is Outcome.UNKNOWN:
            raise OutcomeUnknownError from error
        if outcome() is not Outcome.APPLIED:  # which it is when the answer came while the block was cancelled
            raise DeadlineError(seconds) from error
