"""Programs that share a server, and the last one that stops it."""

import asyncio
from pathlib import Path

import pytest

from finance.embedded import EmbeddedServer
from finance.errors import UsageError

from .outside import FAST, Client, exists, fetchval, is_gone_soon, pid_of, pids


async def test_the_last_program_to_leave_stops_the_server(books: Path) -> None:
    """Whoever started it, the server stays for the other one, and no process remains after both."""
    with Client(books) as first, Client(books) as second:
        pid = pid_of(books)
        assert first.dsn == second.dsn
        first.end()
        assert await fetchval(second.dsn, "SELECT 1") == 1
        assert pid_of(books) == pid
        second.end()
        assert is_gone_soon(pid)


async def test_objects_of_one_program_share_too(books: Path) -> None:
    """Two objects, one server; a second start of the same object is no second lease."""
    first, second = EmbeddedServer(books, settings=FAST), EmbeddedServer(books, settings=FAST)
    await asyncio.gather(first.start(), second.start(), first.start())
    pid = pid_of(books)
    await first.stop()
    assert await fetchval(second.dsn(), "SELECT 1") == 1
    await second.stop()
    await second.stop()
    assert not exists(pid)
    with pytest.raises(UsageError):
        second.dsn()


async def test_coming_and_going_meet_a_server_always(books: Path) -> None:
    """However starts and stops interleave, between them the server answers."""

    async def come_and_go() -> None:
        for _ in range(6):
            async with EmbeddedServer(books, settings=FAST) as server:
                assert await fetchval(server.dsn(), "SELECT 1") == 1

    with Client(books, "import asyncio, asyncpg", at_end="") as other:
        other.end()
        await asyncio.gather(*(come_and_go() for _ in range(4)))
    assert not pids(books)


async def test_an_exit_without_stop_stops(books: Path) -> None:
    """A normal exit and an unhandled exception leave no process."""
    for at_end, status in (("pass", 0), ("1 / 0", 1)):
        with Client(books, at_end=at_end) as client:
            pid = pid_of(books)
            assert client.end() == status
            assert is_gone_soon(pid)


def test_no_lock_leaks_into_the_server(books: Path) -> None:
    """A server that held the lease would never be the last one's to stop."""
    with EmbeddedServer(books, settings=FAST):
        opened = [str(path.readlink()) for path in Path(f"/proc/{pid_of(books)}/fd").iterdir()]
    assert any(path.endswith("server.log") for path in opened)
    assert not any("finance." in path for path in opened)


async def test_the_exit_of_a_forked_child_stops_nothing(books: Path) -> None:
    """The server is still there when the child has gone."""
    at_end = (
        "if (child := os.fork()) == 0: sys.exit()",
        "assert os.waitpid(child, 0)[1] == 0",
        "os.stat(server.socket_dir / '.s.PGSQL.5432')",
    )
    with Client(books, at_end="\n".join(at_end)) as client:
        pid = pid_of(books)
        assert client.end() == 0
        assert is_gone_soon(pid)


async def test_a_forked_child_that_lives_on_keeps_nothing(books: Path) -> None:
    """The parent's leaving, or its death, is not hidden by a child that has its files open."""
    at_end = "if os.fork() == 0: os.closerange(0, 3); time.sleep(3); os._exit(0)"
    for ending in ("sys.exit()", "os.kill(os.getpid(), signal.SIGKILL)"):
        with Client(books, at_end=f"{at_end}\n{ending}") as client:
            pid = pid_of(books)
            client.end()
        async with EmbeddedServer(books, settings=FAST):
            pass
        assert is_gone_soon(pid)
