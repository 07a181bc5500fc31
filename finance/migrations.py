"""Alembic from inside an event loop: one at a time, under a lock that waiting cannot hang."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from finance.connection import Verbs, leaving_block
from finance.errors import (
    ConnectionLostError,
    DatabaseError,
    InvalidError,
    MigrationLockError,
    OutcomeUnknownError,
    SchemaAheadError,
    SchemaBehindError,
    SchemaError,
    SchemaMissingError,
)
from finance.integrity import translated

if TYPE_CHECKING:
    from alembic.config import Config

#: The revision that this code works with: the one whose schema `finance.models` describes.
REVISION = "0014"

#: Alembic's table of the applied revision; an application's own `alembic_version` is never met.
VERSION_TABLE = "finance_version"

#: How long a migration waits for a table that others use.
TABLE_LOCK_TIMEOUT = "5s"

_READ_REVISION = f"SELECT version_num FROM {VERSION_TABLE}"  # noqa: S608 - our own name
_UNDEFINED_TABLE = "42P01"

_LOCK_CLASS = 1179209296
_POLL_SECONDS = 0.1

# Alembic keeps the running migration in module globals, so that one process runs one at a time.
_PROCESS_LOCK = threading.Lock()


class Migrations:
    """The schema's revisions: which one the database is at, and how to move it."""

    def __init__(
        self,
        verbs: Verbs,
        connection: Callable[[], AbstractAsyncContextManager[AsyncConnection]],
        schema: str | None,
    ) -> None:
        self._verbs = verbs
        self._connection = connection
        self._schema = schema
        self._is_at_head = False

    @property
    def head(self) -> str:
        """The revision that this code works with."""
        return REVISION

    async def current(self) -> str | None:
        """Return the revision of the database, or None when it has no finance schema.

        Database:
            One SELECT.
        """
        try:
            revision: str | None = await self._verbs.fetchval(_READ_REVISION)
        except DatabaseError as error:
            if error.sqlstate == _UNDEFINED_TABLE:
                return None
            raise
        except OutcomeUnknownError as error:  # of any SELECT this is said, and this one stores nothing
            raise ConnectionLostError from error.__cause__
        return revision

    async def upgrade(self, revision: str = "head", *, lock_timeout: float = 60.0) -> None:
        """Do what `alembic upgrade` does. Several processes may call it at once: one migrates, the others wait.

        Args:
            revision: The revision to go to.
            lock_timeout: Seconds to wait for another process that migrates.

        Raises:
            InvalidError: There is no such revision.
            MigrationLockError: Another process held the lock for longer.
            SchemaAheadError: A newer version of the code migrated this database.
            FinanceError: The server refused a statement of the migration, which is rolled back.

        Database:
            At head already: one SELECT and no lock. Otherwise an advisory lock, and one transaction for
            each revision, on two connections outside the pool.
        """
        if revision == "head" and await self.current() == REVISION:
            return
        await self._run("upgrade", revision, lock_timeout)

    async def downgrade(self, revision: str, *, lock_timeout: float = 60.0) -> None:
        """Do what `alembic downgrade` does. "base" removes every table of the books, with what is in them.

        Raises:
            InvalidError, MigrationLockError, FinanceError: As `upgrade()`.
        """
        await self._run("downgrade", revision, lock_timeout)

    async def require_head(self) -> None:
        """Check that the database is at the revision that this code works with; once that is so, for free.

        Raises:
            SchemaMissingError: The database has no finance schema.
            SchemaBehindError: Its revision is an earlier one.
            SchemaAheadError: Its revision is not known to this code.
        """
        if not self._is_at_head:
            revision = await self.current()
            if revision != REVISION:
                raise mismatch(revision)
            self._is_at_head = True

    def is_known_at_head(self) -> bool:
        """Tell whether `require_head()` is for free."""
        return self._is_at_head

    def forget(self) -> None:
        """Look at the revision again before the next use: the next connection may lead elsewhere."""
        self._is_at_head = False

    @contextlib.asynccontextmanager
    async def locked(self, *, lock_timeout: float = 60.0) -> AsyncIterator[AsyncConnection]:
        """Hold the migration lock, and lend a connection to migrate with.

        The lock is polled for on a connection of its own: whoever waits inside `pg_advisory_lock()` holds
        a snapshot, and a CREATE INDEX CONCURRENTLY of the holder would wait for that for ever.
        """
        async with self._one_in_process(lock_timeout), self._connection() as holder:
            await self._lock(holder, lock_timeout)
            async with self._connection() as connection:
                with leaving_block():
                    yield connection

    async def _run(self, command: str, revision: str, lock_timeout: float) -> None:
        from alembic import command as commands  # noqa: PLC0415 - a fifth of the package's import time
        from alembic.util import CommandError  # noqa: PLC0415

        self.forget()
        async with self.locked(lock_timeout=lock_timeout) as connection:
            before = await self.current()
            if before is not None and not is_known(before):
                raise SchemaAheadError(before, REVISION)
            try:
                await connection.run_sync(
                    lambda sync: getattr(commands, command)(_config(sync, self._schema), revision)
                )
            except CommandError as error:
                raise InvalidError(f"revision {revision!r}: {error}") from error

    @contextlib.asynccontextmanager
    async def _one_in_process(self, lock_timeout: float) -> AsyncIterator[None]:
        await _poll(lambda: _PROCESS_LOCK.acquire(blocking=False), lock_timeout)
        try:
            yield
        finally:
            _PROCESS_LOCK.release()

    async def _lock(self, holder: AsyncConnection, lock_timeout: float) -> None:
        await holder.execution_options(isolation_level="AUTOCOMMIT")
        statement = text("SELECT pg_try_advisory_lock(:class, hashtext(coalesce(:schema, current_schema(), '')))")

        async def acquire() -> bool:
            values = {"class": _LOCK_CLASS, "schema": self._schema}
            return bool(await holder.scalar(statement, values))

        with translated():
            await _poll(acquire, lock_timeout)


def mismatch(revision: str | None) -> SchemaError:
    """Return the error for a database at *revision*, which is not the code's."""
    if revision is None:
        return SchemaMissingError(REVISION)
    return SchemaBehindError(revision, REVISION) if is_known(revision) else SchemaAheadError(revision, REVISION)


def is_known(revision: str) -> bool:
    """Tell whether *revision* is one of those that this code ships."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - a fifth of the package's import time
    from alembic.util import CommandError  # noqa: PLC0415

    try:
        return ScriptDirectory(str(script_location())).get_revision(revision) is not None
    except CommandError:
        return False


def script_location() -> Path:
    """Return the folder of the revisions: inside the installed package, or beside it in a checkout."""
    installed = Path(__file__).with_name("_alembic")
    return installed if installed.is_dir() else Path(__file__).parents[1] / "alembic"


def _config(connection: Any, schema: str | None) -> Config:
    from alembic.config import Config  # noqa: PLC0415 - a fifth of the package's import time

    config = Config()
    config.set_main_option("script_location", str(script_location()).replace("%", "%%"))
    config.attributes["connection"] = connection
    config.attributes["schema"] = schema
    return config


async def _poll(attempt: Callable[[], Any], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        result = attempt()
        if await result if asyncio.iscoroutine(result) else result:
            return
        if time.monotonic() >= deadline:
            raise MigrationLockError(seconds, REVISION)
        await asyncio.sleep(_POLL_SECONDS)
