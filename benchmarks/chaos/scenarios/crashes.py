"""D3: the server crashes, forgets a transaction, and gives its number to another one."""

from __future__ import annotations

import asyncio
from collections import Counter
from uuid import UUID

from benchmarks.chaos.lab import Books, Lab
from benchmarks.chaos.load import all_of
from benchmarks.chaos.proxy import AtCommit, Proxy
from benchmarks.chaos.scenarios.processes import RETRY
from benchmarks.chaos.verdict import Verdict
from finance import DatabaseManager, UnitOfWork

#: What one would ask who trusts the numbers of transactions.
_STATUS = "SELECT pg_xact_status($1::text::xid8)"
_NUMBER = "SELECT pg_current_xact_id()::text"


async def reused_number(lab: Lab) -> Verdict:
    """D3: what was lost in a crash is stored once by its key, although the server says that it was committed."""
    rounds = lab.size(100, 2)
    said: Counter[str] = Counter()
    async with lab.books("D3") as books:
        # Nothing is to be written before it must be, so that a crash forgets what was not committed.
        await lab.node.configure("wal_writer_delay", "10s")
        try:
            async with lab.network() as network:
                for _ in range(rounds):
                    said[await _crash_in_commit(lab, books, network)] += 1
        finally:
            await lab.node.configure("wal_writer_delay", "200ms")
        failures = [f"{count} times {kind}" for kind, count in books.record.errors.items()]
        failures += [] if said["committed"] else ["no number was given away again, so that nothing was tested"]
        note = ", ".join(f"{count} times the server said {word}" for word, count in said.items())
        async with DatabaseManager(books.dsn) as db:
            return await books.judge(lab.verdict("D3", faults=rounds, note=note), db, failures=failures)


async def _crash_in_commit(lab: Lab, books: Books, network: Proxy) -> str:
    """Crash while a COMMIT is on its way, have others use its number, and see what the server says of that."""
    key = books.key()
    numbers: list[str] = []

    async def post(uow: UnitOfWork) -> None:
        await uow.journal.post(books.entry(key))
        numbers.append(await uow.connection.fetchval(_NUMBER))

    network.at_commit = lambda: AtCommit.HOLD_REQUEST if numbers else None
    held = network.counts.faults
    async with DatabaseManager(network.dsn(books.database), min_size=1, max_size=1) as db:
        caller = asyncio.ensure_future(_run(db, books, key, post))
        while network.counts.faults == held and not caller.done():  # noqa: ASYNC110 - the proxy tells nobody
            await asyncio.sleep(0.005)
        network.refuse()
        await lab.node.kill()
        network.cut()
        network.at_commit = lambda: None
        await lab.node.start()
        said = await _use_up(books, numbers[0])
        await network.accept()
        await caller
    return said


async def _run(db: DatabaseManager, books: Books, key: UUID, post: object) -> None:
    with books.record.of(key):
        await db.run(post, ledger=books.ledger, retry=RETRY)  # type: ignore[arg-type]


async def _use_up(books: Books, number: str) -> str:
    """Commit until the number was given away, and return what the server says of it."""
    async with DatabaseManager(books.dsn, min_size=1) as db:
        while int(await db.fetchval("SELECT pg_snapshot_xmax(pg_current_snapshot())::text")) <= int(number):
            await all_of((lambda: books.post(db, books.key()) for _ in range(2)), callers=1)
        return str(await db.fetchval(_STATUS, number))
