"""Debian's PgBouncer in transaction mode, in front of a server of the tests."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

import asyncpg

from finance.embedded.owner import Owner

PROGRAM = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")

#: Every role that a test logs in as: PgBouncer knows its users by a file.
_WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
USERS = ("finance", f"finance_test_owner{_WORKER}", f"finance_test_application{_WORKER}", "narrow")
_PORT = 6432

#: The folder of each PgBouncer that runs, and the query of the server's own URL.
_BEHIND: dict[str, str] = {}


def past_pooler(dsn: str) -> str:
    """Name the same database without PgBouncer."""
    parts = urlsplit(dsn)
    folder = parse_qs(parts.query)["host"][0]
    return urlunsplit(parts._replace(query=_BEHIND.get(folder, parts.query)))


@contextlib.asynccontextmanager
async def pooler_to(url: str, folder: Path, users: Sequence[str] = USERS) -> AsyncIterator[str]:
    """Run PgBouncer in *folder* in front of the server that *url* names by its socket, and name the same through it."""
    assert PROGRAM is not None
    query = parse_qs(urlsplit(url).query)
    owner = Owner.of(folder)
    folder.mkdir(mode=0o755)
    os.chown(folder, owner.uid, owner.gid)
    (folder / "users").write_text("".join(f'"{user}" ""\n' for user in users))
    (folder / "ini").write_text(
        f"[databases]\n* = host={query['host'][0]} port={query['port'][0]}\n"
        "[pgbouncer]\npool_mode = transaction\nauth_type = trust\n"
        f"auth_file = {folder}/users\nunix_socket_dir = {folder}\nlisten_addr =\nlisten_port = {_PORT}\n"
        # Databases come and go with the tests; few server connections, so that clients do share them.
        "default_pool_size = 4\nmax_client_conn = 1000\nserver_idle_timeout = 2\nquery_wait_timeout = 30\n"
    )
    process = subprocess.Popen(
        [PROGRAM, "-q", str(folder / "ini")], stderr=subprocess.DEVNULL, user=owner.uid, group=owner.gid
    )
    parts = urlsplit(url)
    pooled = parts._replace(query=urlencode({"host": folder, "port": _PORT, "pgbouncer": "true"}, safe="/"))
    try:
        await _answers(folder, parts.username or "finance")
        _BEHIND[str(folder)] = parts.query
        yield urlunsplit(pooled)
    finally:
        _BEHIND.pop(str(folder), None)
        process.terminate()
        await asyncio.to_thread(process.wait)


async def _answers(folder: Path, user: str) -> None:
    for _ in range(100):
        with contextlib.suppress(OSError, asyncpg.PostgresError):
            connection = await asyncpg.connect(
                host=str(folder), port=_PORT, user=user, database="postgres", statement_cache_size=0
            )
            await connection.close()
            return
        await asyncio.sleep(0.05)
    raise TimeoutError("PgBouncer does not answer")
