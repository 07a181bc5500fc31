"""Whether the database can be worked with."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from finance.connection import Verbs
from finance.errors import DatabaseError, FinanceError
from finance.migrations import Migrations

_QUESTION = "SELECT current_setting('server_version'), pg_is_in_recovery()"


@dataclass(frozen=True, slots=True)
class Health:
    """What `db.health()` found.

    Attributes:
        reachable: The server answered.
        latency: Seconds from asking for a connection to the answer; None when there was none.
        server_version: Such as "18.4"; None when there was no answer.
        is_standby: The server replays another one's changes, and takes no writes.
        revision: The revision of the schema; None when there is none.
        code_revision: The revision that this code works with.
        reason: Why the server could not be asked; None when it could.
    """

    reachable: bool
    latency: float | None
    server_version: str | None
    is_standby: bool
    revision: str | None
    code_revision: str
    reason: str | None = None

    @property
    def is_ready(self) -> bool:
        """Whether entries can be posted: reachable, not a standby, at the code's revision."""
        return self.reachable and not self.is_standby and self.revision == self.code_revision


async def examine(verbs: Verbs, migrations: Migrations, timeout: float) -> Health:
    """Ask the server, within *timeout* seconds for all questions, the wait for a connection included."""
    started = time.perf_counter()
    limit = asyncio.timeout(timeout)
    try:
        async with limit:
            row = await verbs.fetchrow(_QUESTION)
            latency = time.perf_counter() - started
            revision = await migrations.current()
    except (FinanceError, TimeoutError) as error:
        if not isinstance(error, FinanceError) and not limit.expired():
            raise  # the user's own hook raised it
        reason = f"no answer within {timeout:g} s" if limit.expired() else str(error)
        if isinstance(error, DatabaseError):
            reason = f"SQLSTATE {error.sqlstate}"
        return Health(False, None, None, False, None, migrations.head, reason)  # noqa: FBT003 - a row of findings
    assert row is not None  # noqa: S101 - a SELECT without FROM has one row
    return Health(True, latency, row[0], row[1], revision, migrations.head)  # noqa: FBT003
