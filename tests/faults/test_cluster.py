"""The servers that scenarios kill: they fall as they should, come back, and leave nothing behind."""

from __future__ import annotations

import asyncio

import asyncpg
import psutil
import pytest

from benchmarks.chaos.cluster import node_in
from benchmarks.chaos.lab import Books, Lab

#: A fault that is not survived must not hold up the others.
pytestmark = pytest.mark.timeout(300, func_only=True)


async def test_a_killed_backend_takes_the_others_down(lab: Lab, books: Books) -> None:
    """The server recovers by itself, behind the same socket."""
    victim, witness = await asyncpg.connect(books.dsn), await asyncpg.connect(books.dsn)
    await lab.node.kill_backend(await victim.fetchval("SELECT pg_backend_pid()"))
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await witness.fetchval("SELECT pg_sleep(5)")
    await lab.node.ready()
    victim.terminate()
    witness.terminate()


async def test_only_a_backend_of_this_server_is_killed(lab: Lab) -> None:
    """A pid that is no child of it is refused."""
    with pytest.raises(ValueError, match="not a child"):
        await lab.node.kill_backend(1)


@pytest.mark.parametrize("how", ["fast", "immediate", "killed"])
async def test_a_stopped_server_keeps_what_was_committed(lab: Lab, books: Books, how: str) -> None:
    """After each end it starts again with everything that it had acknowledged."""
    async with lab.node.administered(books.database) as admin:
        await admin.execute("CREATE TABLE kept AS SELECT 1 AS x")
    await (lab.node.kill() if how == "killed" else lab.node.stop(immediate=how == "immediate"))
    with pytest.raises(OSError, match=r"refused|No such file"):
        await asyncpg.connect(books.dsn)
    await lab.node.start()
    async with lab.node.administered(books.database) as admin:
        assert await admin.fetchval("SELECT x FROM kept") == 1


async def test_a_frozen_server_answers_when_it_is_thawed(lab: Lab, books: Books) -> None:
    """Postmaster and backends stand still together."""
    connection = await asyncpg.connect(books.dsn)
    lab.node.freeze()
    try:
        answer = asyncio.create_task(connection.fetchval("SELECT 1"))
        done, _ = await asyncio.wait([answer], timeout=0.2)
        assert not done
    finally:
        lab.node.thaw()
    assert await asyncio.wait_for(answer, 5) == 1
    await connection.close()


async def test_a_server_is_gone_when_its_block_ends_in_an_error(lab: Lab) -> None:
    """Not a process of it is left, even of one that stands still."""
    with pytest.raises(ZeroDivisionError):
        async with node_in(lab.folder / "short-lived") as node:
            async with node.administered() as admin:
                pid = await admin.fetchval("SELECT pg_backend_pid()")
                postmaster = psutil.Process(pid).parent()
                family = [postmaster, *postmaster.children()] if postmaster else []
            node.freeze()
            raise ZeroDivisionError
    assert len(family) > 3
    assert [process for process in family if process.is_running() and process.status() != psutil.STATUS_ZOMBIE] == []


async def test_a_promoted_standby_has_what_the_primary_had(lab: Lab) -> None:
    """It follows, and writes after its promotion."""
    async with node_in(lab.folder / "primary") as primary:
        standby = await primary.standby(lab.folder / "standby", {})
        try:
            await primary.configure("synchronous_standby_names", "standby")
            async with primary.administered() as admin:
                await admin.execute("CREATE TABLE followed AS SELECT 1 AS x")
            await primary.kill()
            await standby.promote()
            await standby.configure("synchronous_standby_names", "")
            async with standby.administered() as admin:
                await admin.execute("INSERT INTO followed VALUES (2)")
                assert await admin.fetchval("SELECT sum(x) FROM followed") == 3
        finally:
            standby.destroy()
