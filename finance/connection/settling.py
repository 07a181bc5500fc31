"""The end of a transaction: COMMIT until its answer is known, ROLLBACK until it is done, or no connection."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from sqlalchemy import exc as sa_exc

from finance.connection.driver import PooledConnection
from finance.errors import ConnectionLostError, FinanceError, Outcome, OutcomeUnknownError, UsageError
from finance.integrity import DRIVER_ERRORS, translate, translated

#: Seconds that a cancelled caller waits for the answer to a COMMIT that is under way.
COMMIT_PATIENCE = 1.5


async def settle(driver: PooledConnection, commit: Coroutine[Any, Any, Any], tell: Callable[[Outcome], None]) -> None:
    """Await *commit* to its answer. A caller that is cancelled meanwhile is held for `COMMIT_PATIENCE`, no longer.

    COMMIT itself is never cancelled: the server would roll back or not, and nobody would know. *tell* hears
    UNKNOWN at first, and what became of it as soon as that is known, even after the caller has gone.

    Raises:
        OutcomeUnknownError: The connection was lost, or the driver's time limit passed, before the answer came.
        FinanceError: The server refused COMMIT; nothing is stored.
    """
    tell(Outcome.UNKNOWN)
    task = asyncio.ensure_future(commit)
    task.add_done_callback(lambda done: tell(_outcome(done)))
    driver.ending = task
    try:
        await asyncio.wait((task,))  # the driver bounds it, and drops the connection at its limit
    except asyncio.CancelledError:
        await _outwait(task)
        if task.done():
            driver.ending = None
            tell(_outcome(task))  # now: the callback may have its turn only after the caller's
        raise
    driver.ending = None
    with translated(committing=True):
        await task


async def _outwait(task: asyncio.Future[Any]) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + COMMIT_PATIENCE
    while not task.done() and (left := end - loop.time()) > 0:
        # A scope of anyio cancels again at every await.
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait((task,), timeout=left)


def _outcome(commit: asyncio.Future[Any]) -> Outcome:
    if commit.cancelled():
        return Outcome.UNKNOWN
    error = commit.exception()
    if error is None:
        return Outcome.APPLIED
    known = isinstance(error, (FinanceError, sa_exc.SQLAlchemyError, *DRIVER_ERRORS))
    return translate(error, committing=True).outcome if known else Outcome.UNKNOWN


async def undo(driver: PooledConnection, rollback: Callable[[], Awaitable[object]]) -> None:
    """Roll back. A connection on which that fails is closed: nobody may commit what was to be undone."""
    if driver.is_closed():
        return
    try:
        await rollback()
    except TimeoutError:
        driver.terminate()  # who does not answer this will not answer a farewell
    except (sa_exc.SQLAlchemyError, *DRIVER_ERRORS):
        await driver.retire()  # it asks the server to cancel what another task has under way
    except BaseException:
        driver.terminate()
        raise


def require_in_transaction(driver: PooledConnection) -> None:
    """Check that the transaction on *driver* is not over, so that it can be used and committed.

    Raises:
        ConnectionLostError: It ended with its connection.
        OutcomeUnknownError: So it did, after a COMMIT statement.
        UsageError: A COMMIT or ROLLBACK statement inside the block ended it.
    """
    if driver.is_closed():
        raise OutcomeUnknownError if driver.may_have_committed else ConnectionLostError
    if not driver.is_in_transaction():
        # A COMMIT in a statement that SQLAlchemy prepared is seen by its effect only.
        driver.may_have_committed = not driver.was_undone
        error = UsageError(
            "a COMMIT or ROLLBACK statement ended the transaction inside its block;"
            " leave the block to commit, raise to roll back"
        )
        error.outcome = Outcome.UNKNOWN if driver.may_have_committed else Outcome.NOT_APPLIED
        raise error
