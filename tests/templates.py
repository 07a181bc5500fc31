"""Databases to be copied: CREATE DATABASE waits five seconds for all to leave one, and no longer."""

from __future__ import annotations

import asyncpg

_ATTEMPTS = 6
_SECONDS_TO_LEAVE = 10


async def seal(admin: asyncpg.Connection[asyncpg.Record], template: str) -> None:
    """Let nobody into *template* any more, and have whoever is still in it leave.

    A client's backend outlives its connection, on a busy machine by seconds. Autovacuum comes all the same, also
    where no connections are allowed: CREATE DATABASE ends its workers itself.
    """
    await admin.execute(f'ALTER DATABASE "{template}" ALLOW_CONNECTIONS false')
    await admin.execute(
        "SELECT pg_terminate_backend(pid, $1) FROM pg_stat_activity"
        " WHERE datname = $2 AND backend_type = 'client backend'",
        _SECONDS_TO_LEAVE * 1000,
        template,
    )


async def copy(admin: asyncpg.Connection[asyncpg.Record], name: str, template: str) -> None:
    """Make the database *name* from *template*, which a worker of autovacuum may be slow to leave."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy')
        except asyncpg.ObjectInUseError:
            if attempt == _ATTEMPTS:
                raise
        else:
            return
