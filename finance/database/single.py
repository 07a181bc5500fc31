"""One statement, one iteration or one lock, on a connection outside of any transaction of the caller's."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import asyncpg

from finance.connection import PooledConnection, Record, lock_number, rows_of, typed
from finance.database.connector import Connector
from finance.database.pool import Pool
from finance.errors import FinanceError, LockLostError, LockTimeoutError, Outcome, UsageError
from finance.integrity import DRIVER_ERRORS, is_outdated, translate, translated

_T = TypeVar("_T")

#: How often a statement is run again when a change of the schema outdated it before it was executed.
_REPEATS = 5


async def run_single(pool: Pool, call: Callable[[PooledConnection], Awaitable[_T]]) -> _T:
    """Make *call*, which runs a statement that commits by itself, on a connection of *pool*."""
    driver = await pool.take()
    try:
        result = await _repeated(call, driver)
        left_open = not driver.is_closed() and driver.is_in_transaction()
    except DRIVER_ERRORS as error:
        raise _of_single_statement(error, driver) from error
    finally:
        pool.give_back(driver)
    if left_open:
        raise UsageError("a BEGIN outside a transaction block was rolled back; use `async with db.transaction()`")
    return result


async def _repeated(call: Callable[[PooledConnection], Awaitable[_T]], driver: PooledConnection) -> _T:
    """Make *call*, and again when a change of the schema outdated its statement, which was not executed then."""
    for _ in range(_REPEATS):
        try:
            return await call(driver)
        except asyncpg.PostgresError as error:
            if not is_outdated(error):
                raise
            await driver.forget_schema()
    return await call(driver)


def _of_single_statement(error: BaseException, driver: PooledConnection) -> FinanceError:
    """Return the typed error for a statement that commits by itself: it may be stored when its connection fails."""
    found = translate(error, committing=True)
    return found if found.outcome is Outcome.UNKNOWN else typed(error, driver)


async def stream_single(pool: Pool, query: str, args: tuple[Any, ...], batch: int) -> AsyncIterator[Record]:
    """Iterate over the rows of *query* in a transaction of its own, which its cursor needs."""
    driver = await pool.take()
    try:
        await driver.execute("BEGIN")
        async for row in rows_of(driver, query, args, batch):
            yield row
        with translated(committing=True):  # what has rows may write, too
            await driver.execute("COMMIT")
    except DRIVER_ERRORS as error:
        raise typed(error, driver) from error
    finally:
        pool.give_back(driver)


@contextlib.asynccontextmanager
async def session_lock(connector: Connector, key: str | int, *, wait: bool) -> AsyncIterator[None]:
    """Hold an advisory lock on a connection of its own.

    Raises:
        LockTimeoutError: Somebody else has it.
        LockLostError: The connection was lost before the block ended.
    """
    number = lock_number(key)
    driver = await connector.connect_apart()
    function = "pg_advisory_lock" if wait else "pg_try_advisory_lock"
    try:
        with translated():
            is_got = await driver.fetchval(f"SELECT {function}($1)", number)
        if is_got is False:
            raise LockTimeoutError
        yield
        if driver.is_closed():
            raise LockLostError
    finally:
        await asyncio.shield(asyncio.ensure_future(driver.close()))
