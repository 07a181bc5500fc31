"""The files of a cluster, and the server on them."""

import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from finance.embedded import EmbeddedServer
from finance.errors import EmbeddedServerError, UsageError

from .outside import DEBIAN, FAST, SOURCE, clusters, fetchval, needs_debian, pid_of, programs, sleep, soon


@pytest.mark.parametrize(
    ("version", "binaries", "provider"),
    [(18, None, b"b"), (16, None, b"c"), pytest.param(15, DEBIAN, b"c", marks=needs_debian)],
)
async def test_first_start_makes_a_cluster(empty: Path, version: int, binaries: Path | None, provider: bytes) -> None:
    """Each version gets UTF-8, a locale without surprises, checksums, UTC and the database `finance`."""
    async with EmbeddedServer(empty, version=version, binaries=binaries, settings=FAST) as server:
        connection = await asyncpg.connect(server.dsn())
        row = await connection.fetchrow(
            "SELECT current_user::text, usesuper, current_database()::text, datlocprovider, datcollate,"
            " pg_encoding_to_char(encoding), current_setting('data_checksums'), current_setting('TimeZone'),"
            " current_setting('server_version_num')::int / 10000"
            " FROM pg_database, pg_user WHERE datname = current_database() AND usename = current_user"
        )
        await connection.close()
    assert row
    assert tuple(row) == ("finance", True, "finance", provider, "C", "UTF8", "on", "UTC", version)
    assert server.version == version


async def test_data_outlives_the_server(books: Path) -> None:
    """What was stored is there after a stop and a start."""
    async with EmbeddedServer(books, settings=FAST) as server:
        await fetchval(server.dsn(), "CREATE TABLE kept AS SELECT 42 AS n")
    async with server:
        assert await fetchval(server.dsn(), "SELECT n FROM kept") == 42


async def test_settings_apply(books: Path) -> None:
    """Settings reach the server."""
    async with EmbeddedServer(books, settings={**FAST, "work_mem": "7MB"}) as server:
        assert await fetchval(server.dsn(), "SHOW work_mem") == "7MB"


def test_the_environment_of_a_client_does_not_reach_the_server(books: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a password nor a setting like PGPORT is passed on to a process that lives on."""
    for name in ("PGPASSWORD", "PGPORT", "PGDATA", "PGHOST"):
        monkeypatch.setenv(name, "1234")
    with EmbeddedServer(books, settings=FAST) as server:
        assert server.dsn().endswith("port=5432")
        assert "1234" not in Path(f"/proc/{pid_of(books)}/environ").read_text()


def test_a_killed_first_start_blocks_nothing(empty: Path) -> None:
    """SIGKILL in the middle of initdb leaves nothing that the next start stumbles over, or keeps."""
    slow = programs(empty / "slow", postgres=sleep(2))
    code = (
        "import sys, pathlib, finance.embedded as e\n"
        "e.EmbeddedServer(sys.argv[1], binaries=pathlib.Path(sys.argv[2]), settings={'fsync': 'off'}).__enter__()"
    )
    process = subprocess.Popen([sys.executable, "-c", code, empty, slow], cwd=SOURCE)
    assert soon(lambda: any(empty.glob("postgresql-18/data.new-*/PG_VERSION")))
    process.kill()
    process.wait()
    with EmbeddedServer(empty, settings=FAST):
        assert pid_of(empty)
    assert not list(empty.glob("postgresql-18/data.new-*"))


def test_another_version_in_the_folder_is_refused(books: Path) -> None:
    """A cluster whose PG_VERSION is not that of the folder's name is not started."""
    mark = books / "postgresql-18/data/PG_VERSION"
    mark.write_text("17\n")
    with pytest.raises(EmbeddedServerError, match="PostgreSQL 17 has made"):
        EmbeddedServer(books).__enter__()
    mark.write_text("18\n")


async def test_a_failed_start_tells_why(books: Path) -> None:
    """The error carries the end of the server's log, and nothing keeps running."""
    server = EmbeddedServer(books, settings={**FAST, "shared_buffers": "nonsense"})
    with pytest.raises(EmbeddedServerError, match='invalid value for parameter "shared_buffers"'):
        await server.start()
    with pytest.raises(UsageError):
        server.dsn()
    async with EmbeddedServer(books, settings=FAST):
        pass


def test_a_failed_initdb_tells_why(empty: Path) -> None:
    """The error carries what the program said, and the next start begins anew."""
    broken = programs(empty / "broken", initdb="echo no space left; exit 1")
    with pytest.raises(EmbeddedServerError, match=r"initdb for .* failed(.|\n)*no space left"):
        EmbeddedServer(empty, binaries=broken).__enter__()
    assert not clusters(empty)


async def test_logs_do_not_pile_up(books: Path) -> None:
    """Of any number of starts, the last two logs are kept."""
    for _ in range(3):
        async with EmbeddedServer(books, settings=FAST):
            pass
    home = books / "postgresql-18"
    assert sorted(path.name for path in home.glob("server.log*")) == ["server.log", "server.log.1"]
    assert (home / "server.log").read_text().count("ready to accept connections") == 1
