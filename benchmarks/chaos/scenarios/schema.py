"""S1: the schema changes under load, and no caller hears of it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable

import asyncpg

from benchmarks.chaos.lab import Books, Lab
from benchmarks.chaos.load import load
from benchmarks.chaos.verdict import Verdict
from finance import DatabaseManager, FinanceError, Retry, UnitOfWork

_TABLE = """
CREATE TYPE mood AS ENUM ('calm', 'busy');
CREATE TABLE things (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text, size int, mood mood);
INSERT INTO things (name, size, mood) SELECT 'thing ' || g, g, 'calm' FROM generate_series(1, 20) AS g;
"""
_CHANGES = {
    "add": "ALTER TABLE things ADD COLUMN extra{n} int DEFAULT {n}",
    "drop": "ALTER TABLE things DROP COLUMN IF EXISTS extra{n}",
    "wider": "ALTER TABLE things ALTER COLUMN size TYPE bigint",
    "enum": """
        BEGIN; ALTER TABLE things DROP COLUMN mood; DROP TYPE mood; CREATE TYPE mood AS ENUM ('calm', 'busy', 'new{n}');
        ALTER TABLE things ADD COLUMN mood mood DEFAULT 'busy'; COMMIT""",
    "narrower": "ALTER TABLE things ALTER COLUMN size TYPE int",
    "of finance": """
        ALTER TABLE postings SET (fillfactor = 9{n});
        ALTER TABLE journal_entries ALTER description SET STATISTICS 10{n};
        COMMENT ON TABLE accounts IS 'change {n}'""",
}


async def changing_schema(lab: Lab) -> Verdict:
    """S1: single statements and idempotent work go on while the schema changes."""
    async with lab.books("S1") as books, lab.node.administered(books.database) as admin:
        await admin.execute(_TABLE)
        errors: list[str] = []
        async with DatabaseManager(books.dsn, max_size=6) as db:
            calls = _calls(db, books)

            async def call() -> None:
                name, work = books.random.choice(calls)
                try:
                    await work()
                except FinanceError as error:
                    errors.append(f"{name}: {error!r} from {error.__cause__!r}")

            async with load(call, callers=6, pause=0.002) as running:
                changes = await _change(lab, admin)
            figures = {"tries": running.calls, "faults": changes}
            failures = [*errors, *(f"{count} times {kind}" for kind, count in books.record.errors.items())]
            verdict = lab.verdict("S1", **figures, note=f"{db.stats().retries} retries, {len(errors)} surfaced")
            return await books.judge(verdict, db, failures=failures)


async def _change(lab: Lab, admin: asyncpg.Connection[asyncpg.Record]) -> int:
    end = asyncio.get_running_loop().time() + lab.size(20.0, 2.5)
    for count, change in enumerate(itertools.cycle(_CHANGES.values())):
        if asyncio.get_running_loop().time() > end:
            return count
        number = count // len(_CHANGES) % 10
        with contextlib.suppress(asyncpg.DeadlockDetectedError):
            await admin.execute(change.replace("{n}", str(number)))
        await asyncio.sleep(0.2)
    raise AssertionError


def _calls(db: DatabaseManager, books: Books) -> list[tuple[str, Callable[[], Awaitable[object]]]]:
    retry = Retry(idempotent=True)

    async def read_twice(uow: UnitOfWork) -> None:
        await uow.connection.fetch("SELECT * FROM things WHERE id = $1", 3)
        await uow.connection.fetch("SELECT name, size, mood FROM things")

    return [
        ("fetch all", lambda: db.fetch("SELECT * FROM things")),
        ("fetch named", lambda: db.fetchrow("SELECT name, size, mood FROM things WHERE id = $1", 5)),
        ("fetch by enum", lambda: db.fetch("SELECT id FROM things WHERE mood = $1", "busy")),
        ("insert", lambda: db.execute("INSERT INTO things (name, size, mood) VALUES ($1, $2, $3)", "n", 1, "calm")),
        ("update", lambda: db.execute("UPDATE things SET size = $1, mood = $2 WHERE id = $3", 7, "busy", 4)),
        ("run", lambda: db.run(read_twice, retry=retry)),
        ("post", lambda: books.run(db, books.key(), retry)),
    ]
