"""Servers that were left behind, crashed, or never there."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from finance.embedded import EmbeddedServer, postmaster
from finance.embedded.owner import Owner

from .outside import FAST, Client, exists, fetchval, is_gone_soon, pid_of, soon


async def test_ctrl_c_does_not_reach_the_server(books: Path) -> None:
    """The server is in a session of its own."""
    async with EmbeddedServer(books, settings=FAST):
        assert os.getsid(pid_of(books)) != os.getsid(0)


async def test_the_server_of_a_killed_program_is_taken_over(books: Path) -> None:
    """The next start uses it, and its stop stops it."""
    with Client(books) as client:
        pid = pid_of(books)
        client.process.kill()
        client.process.wait()
    assert exists(pid)
    async with EmbeddedServer(books, settings=FAST) as server:
        assert pid_of(books) == pid
        assert await fetchval(server.dsn(), "SELECT 1") == 1
    assert is_gone_soon(pid)


async def test_without_proc_psutil_tells_who_a_process_is(books: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On macOS there is no /proc; a server is found and stopped all the same."""
    monkeypatch.setattr(postmaster, "_PROC", Path("/nonexistent"))
    with Client(books) as client:
        client.process.kill()
        client.process.wait()  # until it is dead, it uses the server
        async with EmbeddedServer(books, settings=FAST):
            pid = pid_of(books)
        assert is_gone_soon(pid)


async def test_a_stale_pid_is_seen_through(books: Path) -> None:
    """The pid of a dead process, or of another program of the same user, is not the server's."""
    owner = Owner.of(books / "postgresql-18")
    stranger = owner.popen(["/bin/sleep", "60"], output=subprocess.DEVNULL)
    for pid in (stranger.pid, 2**22 - 1):
        async with EmbeddedServer(books, settings=FAST):
            content = (books / "postgresql-18/data/postmaster.pid").read_text().splitlines()
        stale = "\n".join([str(pid), *content[1:], ""])
        for name in ("data/postmaster.pid", ".s.PGSQL.5432.lock"):
            (books / "postgresql-18" / name).write_text(stale)
            os.chown(books / "postgresql-18" / name, owner.uid, owner.gid)
        async with EmbeddedServer(books, settings=FAST) as server:
            assert await fetchval(server.dsn(), "SELECT 1") == 1
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


async def test_a_start_revives_a_crashed_server(books: Path) -> None:
    """An object that is started already starts the server again when that is gone."""
    async with EmbeddedServer(books, settings=FAST) as server:
        pid = pid_of(books)
        os.kill(pid, signal.SIGQUIT)
        assert soon(lambda: not exists(pid))
        await server.start()
        assert await fetchval(server.dsn(), "SELECT 1") == 1


async def test_a_server_that_another_program_stops_is_no_zombie(books: Path) -> None:
    """Who started the server collects its exit status, even after having left."""
    first = EmbeddedServer(books, settings=FAST)
    await first.start()
    pid = pid_of(books)
    with Client(books) as client:
        await first.stop()
        client.end()
    assert soon(lambda: not exists(pid))


async def test_a_deleted_folder_does_not_keep_its_server(own_books: Path) -> None:
    """A temporary folder that goes before the server is stopped takes the server with it."""
    async with EmbeddedServer(own_books, settings=FAST):
        pid = pid_of(own_books)
        shutil.rmtree(own_books / "postgresql-18")
    assert not exists(pid)
