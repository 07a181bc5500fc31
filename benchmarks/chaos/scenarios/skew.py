"""X3: write skew by way of ON CONFLICT, on each version of the server; what the bare server does is told beside it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import UUID

import asyncpg

from benchmarks.chaos.cluster import DEBIAN_15, Node, node_in
from benchmarks.chaos.lab import Books, Lab, build_template
from benchmarks.chaos.verdict import Verdict
from finance import DatabaseManager, UnitOfWork
from finance.connection import Driver
from finance.errors import DeadlockError, SerializationError

VERSIONS = (18, 16, 15)

Statement = Callable[[], Awaitable[object]]

#: The ways to look at a row of the bare server.
_LOOKS = {
    "SELECT": "SELECT value FROM pairs WHERE id = $1",
    "DO NOTHING": "INSERT INTO pairs VALUES ($1, 0) ON CONFLICT DO NOTHING",
    "DO UPDATE WHERE false": "INSERT INTO pairs VALUES ($1, 0) ON CONFLICT (id) DO UPDATE SET value = 0 WHERE false",
    "DO UPDATE": "INSERT INTO pairs VALUES ($1, 0) ON CONFLICT (id) DO UPDATE SET value = pairs.value",
}
_STOPPED = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError, SerializationError, DeadlockError)


async def write_skew(lab: Lab, version: int) -> Verdict:
    """X3: two serializable transactions that each write what the other has looked at do not both commit."""
    name = f"X3 on {version}"
    if version == 15 and not DEBIAN_15.is_dir():
        return lab.verdict(name, passed=True, note="skipped: PostgreSQL 15 is not installed")
    async with _node(lab, version) as node, lab.books(name, node) as books:
        bare = [look for look in _LOOKS if await _both_commit(node, books, look)]
        async with DatabaseManager(books.dsn) as db:
            ours = {way: await try_it(db, node, books) for way, try_it in _OURS.items()}
            note = f"bare server: {', '.join(bare) or 'nothing'} let skew through; ours: {', '.join(ours)} held"
            failures = [f"{way} let skew through" for way, is_stopped in ours.items() if not is_stopped]
            figures = {"tries": len(_LOOKS) + len(ours), "faults": len(_LOOKS) + len(ours)}
            return await books.judge(lab.verdict(name, **figures, note=note), db, failures=failures)


@contextlib.asynccontextmanager
async def _node(lab: Lab, version: int) -> AsyncIterator[Node]:
    if version == 18:
        yield lab.node
        return
    folder = lab.folder / f"server-{version}"
    folder.mkdir(mode=0o755)
    async with node_in(folder, version=version) as node:
        await build_template(node)
        yield node


# --- the bare server -----------------------------------------------------------------------------------


async def _both_commit(node: Node, books: Books, look: str) -> bool:
    async with node.administered(books.database) as one, node.administered(books.database) as two:
        await one.execute("CREATE TABLE IF NOT EXISTS pairs (id int PRIMARY KEY, value int); TRUNCATE pairs")
        await one.execute("INSERT INTO pairs VALUES (1, 1), (2, 2)")

        async def write(connection: Driver, row: int) -> None:
            await connection.execute("UPDATE pairs SET value = value + 1 WHERE id = $1", row)
            await connection.execute("COMMIT")

        for connection in (one, two):
            await connection.execute("BEGIN ISOLATION LEVEL SERIALIZABLE")
        await one.execute(_LOOKS[look], 1)
        await two.execute(_LOOKS["SELECT"], 2)
        is_stopped = await _is_stopped(lambda: write(one, 2), lambda: write(two, 1))
        for connection in (one, two):
            await connection.execute("ROLLBACK")
        return not is_stopped


async def _is_stopped(*statements: Statement) -> bool:
    """Run both at once, and tell whether the server stopped one of them."""
    ends = await asyncio.gather(*(statement() for statement in statements), return_exceptions=True)
    for end in ends:
        if isinstance(end, BaseException) and not isinstance(end, _STOPPED):
            raise end
    return any(isinstance(end, _STOPPED) for end in ends)


# --- ours ----------------------------------------------------------------------------------------------


async def _post(db: DatabaseManager, node: Node, books: Books) -> bool:
    """A replay has looked at the entry: whoever changes it by force meanwhile conflicts."""
    key = books.key()
    await books.post(db, key)

    async def change(connection: Driver) -> None:
        await connection.execute("UPDATE journal_entries SET description = 'changed' WHERE id = $1", key)

    async def undo(connection: Driver) -> None:
        await connection.execute("UPDATE journal_entries SET description = $2 WHERE id = $1", key, str(key))

    async with node.administered(books.database) as admin:
        await admin.execute("SET session_replication_role = replica")
        is_stopped = await _against(db, books, lambda uow: _replay(uow, books, key), lambda: change(admin), admin)
        await undo(admin)
        return is_stopped


async def _replay(uow: UnitOfWork, books: Books, key: UUID) -> None:
    if not (await uow.journal.post(books.entry(key))).is_replay:
        raise RuntimeError("a stored entry was not told as a replay")


async def _open(db: DatabaseManager, node: Node, books: Books) -> bool:
    """`get_or_open()` has looked at the account that was there."""
    async with node.administered(books.database) as admin:
        change = "UPDATE accounts SET metadata = '{}' WHERE id = $1"
        return await _against(
            db,
            books,
            lambda uow: uow.accounts.get_or_open("Assets:Account0", currency="EUR"),
            lambda: admin.execute(change, books.accounts[0]),
            admin,
        )


async def _create(db: DatabaseManager, node: Node, books: Books) -> bool:
    """`get_or_create()` has looked at the ledger that was there."""
    async with node.administered(books.database) as admin:
        change = "UPDATE ledgers SET closed_through = '2020-01-01' WHERE id = $1"
        return await _against(
            db,
            books,
            lambda uow: uow.ledgers.get_or_create("Books", base_currency="EUR"),
            lambda: admin.execute(change, books.ledger),
            admin,
        )


async def _against(
    db: DatabaseManager,
    books: Books,
    look: Callable[[UnitOfWork], Awaitable[object]],
    change: Statement,
    admin: Driver,
) -> bool:
    """Look, and then write what *admin* has read; *admin* writes what was looked at."""
    looked, read = asyncio.Event(), asyncio.Event()
    target = books.accounts[1]

    async def ours() -> None:
        async with db.unit_of_work(books.ledger, isolation="serializable") as uow:
            await look(uow)
            looked.set()
            await read.wait()
            await uow.connection.execute("UPDATE accounts SET metadata = '{}' WHERE id = $1", target)

    async def theirs() -> None:
        async with admin.transaction(isolation="serializable"):
            await admin.fetch("SELECT metadata FROM accounts WHERE id = $1", target)
            await looked.wait()
            read.set()
            await change()

    return await _is_stopped(ours, theirs)


_OURS = {"post": _post, "get_or_open": _open, "get_or_create": _create}
