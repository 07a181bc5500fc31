"""What SQLAlchemy's engine is made to do otherwise, at the events that it offers for that."""

from __future__ import annotations

import math
import time
from types import TracebackType
from typing import Any

import asyncpg
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi

from finance.integrity import translate

_RESTS_SINCE = "finance_rests_since"


class _Unshared:
    """Stands where SQLAlchemy's adapter has a lock, and refuses a second task instead of queueing it.

    Statements of two tasks in one transaction would follow each other in no order that anybody chose.
    """

    def __init__(self) -> None:
        self._is_taken = False

    async def __aenter__(self) -> None:
        if self._is_taken:
            raise asyncpg.InterfaceError("cannot perform operation: another operation is in progress")
        self._is_taken = True

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._is_taken = False


def refuse_to_wait(adapter: Any, _record: Any) -> None:
    """Tell a second task that the connection is in use."""
    adapter._execute_mutex = _Unshared()  # noqa: SLF001 - there is no other place for it


def send_begin(connection: Any) -> None:
    """Send BEGIN now.

    SQLAlchemy's adapter would send it before the first statement that goes through SQLAlchemy: one that goes
    straight to the driver before that would commit by itself.
    """
    adapter = connection.connection.dbapi_connection
    try:
        adapter.run_async(lambda _driver: adapter._start_transaction())  # noqa: SLF001 - there is no public way
    except AsyncAdapt_asyncpg_dbapi.Error as error:
        raise translate(error.__cause__ or error) from error


def reset_session(adapter: Any, record: Any, state: Any) -> None:
    """Make the session as good as new before the next user gets it; close it when that fails."""
    if state.terminate_only or not state.asyncio_safe:
        return
    try:
        adapter.rollback()
        adapter.run_async(lambda driver: driver.restore())
    except Exception:  # whatever it was, the next user must not get this session
        record.invalidate()


def note_rest(_adapter: Any, record: Any) -> None:
    """Remember since when the connection has been at rest."""
    record.info[_RESTS_SINCE] = time.monotonic()


def rests_since(record: Any) -> float:
    """Return the instant since which the connection has been at rest; infinity for a new one."""
    since: float = record.info.get(_RESTS_SINCE, math.inf)
    return since
