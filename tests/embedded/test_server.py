"""The calls: settings, cancellation."""

import asyncio
import time
from pathlib import Path

import pytest

from finance.embedded import EmbeddedServer
from finance.errors import EmbeddedServerError, UsageError

from .outside import FAST, clusters, exists, fetchval, pid_of, pids, programs, sleep, soon


@pytest.mark.parametrize("name", ["listen_addresses", "Listen-Addresses", "port", "timezone"])
def test_settings_that_keep_it_private_are_refused(name: str) -> None:
    """A setting that the server makes itself is refused by name, however it is spelled."""
    with pytest.raises(EmbeddedServerError, match=name.lower().replace("-", "_")):
        EmbeddedServer(settings={name: "x"})


@pytest.mark.parametrize("milliseconds", [0, 1, 5, 10, 20, 30, 40, 60])
async def test_a_cancelled_start_leaves_nothing(books: Path, milliseconds: int) -> None:
    """Wherever it is cancelled, no server and no lease remain."""
    server = EmbeddedServer(books, settings=FAST)
    task = asyncio.ensure_future(server.start())
    await asyncio.sleep(milliseconds / 1000)
    if task.cancel():
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(UsageError):
            server.dsn()
    await server.stop()
    assert not pids(books)


async def test_a_start_that_is_cancelled_too_late_stops_again(books: Path) -> None:
    """A server that is up already when the cancellation comes is stopped, since nobody would do it later."""
    task = asyncio.ensure_future(EmbeddedServer(books, settings=FAST).start())
    await asyncio.sleep(0)
    assert soon(lambda: bool(pids(books)))
    time.sleep(0.5)  # the loop must not see that the thread is done
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not pids(books)


async def test_a_cancelled_start_does_not_wait_for_a_slow_server(books: Path, empty: Path) -> None:
    """A server that takes its time to start is stopped in the middle, and the folder is free."""
    slow = programs(empty / "slow", postgres=sleep(90))
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(EmbeddedServer(books, binaries=slow).start(), 0.3)
    assert time.monotonic() - began < 30
    async with EmbeddedServer(books, settings=FAST) as server:
        assert await fetchval(server.dsn(), "SELECT 1") == 1


async def test_a_cancelled_first_start_leaves_no_half_of_a_cluster(empty: Path) -> None:
    """The programs that make the cluster end at once, and what they have made is removed."""
    slow = programs(empty / "slow", postgres=sleep(90))
    task = asyncio.ensure_future(EmbeddedServer(empty, binaries=slow, settings=FAST).start())
    await asyncio.sleep(0)
    log = empty / "postgresql-18/server.log"
    assert soon(lambda: log.exists() and "skipped" in log.read_text())  # the end of initdb
    assert clusters(empty)
    began = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - began < 30
    assert not clusters(empty)


async def test_a_cancelled_stop_stops(books: Path) -> None:
    """Cancelled twice, the stop still comes to its end before it raises."""
    server = EmbeddedServer(books, settings=FAST)
    await server.start()
    pid = pid_of(books)
    task = asyncio.ensure_future(server.stop())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not exists(pid)
