"""H1 to H3: the primary is lost or demoted, its standby takes over, and the application is not restarted."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from benchmarks.chaos.cluster import Node, wait_until
from benchmarks.chaos.lab import Books, Lab
from benchmarks.chaos.load import load, outage
from benchmarks.chaos.proxy import Proxy, proxy_to
from benchmarks.chaos.verdict import Verdict
from finance import DatabaseManager, Retry

_STANDBY = "standby"
_UNDER_WAY = 0.2
_CALLERS = 8
_RETRY = Retry(attempts=200, deadline=30.0, idempotent=True)


class Pair:
    """Two servers in two folders, one the primary; the other follows it, or is down."""

    def __init__(self, folder: Path, first: Node) -> None:
        self.primary = first
        self._folders = {first: folder / "a"}
        self._folder = folder
        self.second: Node | None = None

    @property
    def other(self) -> Node:
        """The one that is not the primary."""
        if self.second is None:
            raise RuntimeError("there is no standby")
        return self.second

    def dsn(self, database: str) -> str:
        """Name both servers, as an application does."""
        hosts = ",".join(str(self._folder / name / "postgresql-18") for name in ("a", "b"))
        return f"postgresql://finance@/{database}?host={hosts}&port=5432,5432&target_session_attrs=read-write"

    async def follow(self, *, over: Proxy | None = None, is_synchronous: bool) -> None:
        """Make the other folder a standby of the primary, anew."""
        folder = next(self._folder / name for name in ("a", "b") if self._folder / name != self._folders[self.primary])
        if self.second is not None:
            self.second.erase()
        self.second = await self.primary.standby(folder, {}, name=_STANDBY, port=None if over is None else over.port)
        self._folders = {self.primary: self._folders[self.primary], self.second: folder}
        await self.second.configure("synchronous_standby_names", "")
        if is_synchronous:
            await self.primary.configure("synchronous_standby_names", _STANDBY)
        await self._attached("sync" if is_synchronous else "async")

    async def _attached(self, kind: str) -> None:
        async with self.primary.administered() as admin:
            query = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND sync_state = $1"

            async def is_attached() -> bool:
                return bool(await admin.fetchval(query, kind))

            await wait_until(is_attached, f"the standby to be {kind}")

    async def take_over(self) -> float:
        """Promote the standby, which is the primary from now on; return when it was asked."""
        asked = asyncio.get_running_loop().time()
        self.primary, self.second = self.other, self.primary
        await self.primary.promote()
        return asked

    def destroy(self) -> None:
        """End both."""
        for node in self._folders:
            node.destroy()


@contextlib.asynccontextmanager
async def _pair(lab: Lab, name: str) -> AsyncIterator[tuple[Pair, Books]]:
    folder = lab.folder / name
    folder.mkdir(mode=0o755)
    # A copy of the laboratory's own, its template included, is quicker than one made anew.
    first = await lab.node.standby(folder / "a", {})
    pair = Pair(folder, first)
    try:
        await first.promote()
        async with lab.books(name, first) as books:
            yield pair, books
    finally:
        pair.destroy()


# --- H1 ------------------------------------------------------------------------------------------------


async def asynchronous_failover(lab: Lab) -> Verdict:
    """H1: what the standby had not received is lost, counted, and nothing but that; the books balance."""
    async with _pair(lab, "H1") as (pair, books), proxy_to(pair.primary.socket) as replication:
        await pair.follow(over=replication, is_synchronous=False)
        async with DatabaseManager(pair.dsn(books.database), max_size=8) as db:
            clock = asyncio.get_running_loop().time
            async with (
                lab.patience(_UNDER_WAY) as under_way,
                load(lambda: books.run(db, books.key(), _RETRY), callers=_CALLERS),
            ):
                await asyncio.sleep(lab.size(2.0, 0.5))
                held = clock()
                replication.hold()
                await asyncio.sleep(0.3)
                await _acknowledged(books, held)
                await pair.primary.kill()
                replication.cut()
                died = clock()
                await pair.take_over()
                await asyncio.sleep(lab.size(2.0, 0.7))
            healing = outage(books.record, died, clock())
            # What was on its way when the hold began may be lost, too, and what was answered but not yet read.
            times = books.record.acknowledged_at.items()
            may_lose = {key for key, at in times if held - under_way() <= at <= died + under_way()}
            failures = [f"{count} times {kind}" for kind, count in books.record.errors.items()]
            books.dsn = pair.primary.dsn(books.database)
            note = f"{len(may_lose)} were acknowledged while the standby heard nothing"
            verdict = lab.verdict("H1", faults=1, slowest_recovery=healing, note=note)
            return await books.judge(verdict, db, failures=failures, may_lose=may_lose)


async def _acknowledged(books: Books, since: float) -> None:
    """Wait for something that was begun after *since*, so that it can be lost: each caller had one under way then."""

    async def has_come() -> bool:
        return sum(at > since for at in books.record.acknowledged_at.values()) > _CALLERS

    await wait_until(has_come, "a success that the standby does not hear of")


# --- H2 ------------------------------------------------------------------------------------------------


async def synchronous_failover(lab: Lab) -> Verdict:
    """H2: with a synchronous standby nothing that was acknowledged is lost, however often the primary dies."""
    times: list[float] = []
    async with _pair(lab, "H2") as (pair, books):
        await pair.follow(is_synchronous=True)
        async with DatabaseManager(pair.dsn(books.database), max_size=8) as db:
            rounds = lab.size(20, 1)
            async with load(lambda: books.run(db, books.key(), _RETRY), callers=6):
                for number in range(rounds):
                    await asyncio.sleep(0.5)
                    died = asyncio.get_running_loop().time()
                    await pair.primary.kill()
                    await pair.take_over()
                    await asyncio.sleep(0.5)
                    times.append(outage(books.record, died, asyncio.get_running_loop().time()))
                    if number + 1 < rounds:
                        await pair.follow(is_synchronous=True)
            failures = [f"{count} times {kind}" for kind, count in books.record.errors.items()]
            books.dsn = pair.primary.dsn(books.database)
            note = f"{sorted(times)[len(times) // 2]:.2f} s without a success in the median"
            verdict = lab.verdict("H2", faults=rounds, slowest_recovery=max(times), note=note)
            return await books.judge(verdict, db, failures=failures)


# --- H3 ------------------------------------------------------------------------------------------------


async def planned_switchover(lab: Lab) -> Verdict:
    """H3: a primary that turns read-only loses its connections, and work goes on at the promoted standby."""
    async with _pair(lab, "H3") as (pair, books):
        await pair.follow(is_synchronous=True)
        async with DatabaseManager(pair.dsn(books.database), max_size=8) as db:
            async with load(lambda: books.run(db, books.key(), _RETRY), callers=6):
                await asyncio.sleep(lab.size(1.0, 0.4))
                demoted = asyncio.get_running_loop().time()
                await pair.primary.configure("default_transaction_read_only", "on")
                await _drained(pair)
                await pair.take_over()
                await pair.primary.configure("default_transaction_read_only", "off")
                await asyncio.sleep(lab.size(2.0, 0.8))
            healing = outage(books.record, demoted, asyncio.get_running_loop().time())
            async with pair.other.administered() as admin:
                query = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1"
                left = await admin.fetchval(query, books.database)
            failures = [f"{count} times {kind}" for kind, count in books.record.errors.items()]
            failures += [f"{left} connections stayed at the old primary"] if left else []
            books.dsn = pair.primary.dsn(books.database)
            verdict = lab.verdict("H3", faults=1, slowest_recovery=healing, note=f"{db.stats().retries} retries")
            return await books.judge(verdict, db, failures=failures)


async def _drained(pair: Pair) -> None:
    """Wait until the old primary writes nothing more, and the standby has replayed everything.

    A transaction that began before the setting came may write after it, and would then wait for a standby that is
    none any more: that none writes at the moment does not mean that none will.
    """
    async with pair.primary.administered() as old, pair.other.administered() as new:
        since = await old.fetchval("SELECT clock_timestamp()")

        async def is_level() -> bool:
            busy = "SELECT count(*) FROM pg_stat_activity WHERE (xact_start < $1 OR backend_xid IS NOT NULL)"
            others = " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
            if await old.fetchval(busy + others, since):
                return False
            written = await old.fetchval("SELECT pg_current_wal_lsn()::text")
            return bool(await new.fetchval("SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn", written))

        await wait_until(is_level, "the standby to have everything")
