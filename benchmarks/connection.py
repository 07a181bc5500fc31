"""The connection layer against asyncpg itself: P1, P2, P3a and P11 of the targets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from typing import Any

import asyncpg

from benchmarks.harness import Result, Row, Work, compare
from finance import DatabaseManager, Ledger, NewEntry, NewPosting
from finance.identifiers import uuid7

ROWS = {
    "P1": Row("P1", "point select, a checkout per call", "asyncpg.Pool.fetchrow", 0.9, 1.1),
    "P2": Row("P2", "a transaction of two statements", "asyncpg acquire + transaction", 0.85, 1.0),
    "P3a": Row("P3a", "10,000 rows", "asyncpg.Pool.fetch", 0.97, 1.0),
    "P11": Row("P11", "unit of work: one get, one post", "the same statements on asyncpg", 0.4, 0.6),
}

_POINT = "SELECT id, name, balance FROM accounts WHERE id = $1"
_ROWS = "SELECT g, g::text, g * 1.01, now(), g % 7 FROM generate_series(1, 10000) AS g"
_GET = "SELECT * FROM accounts WHERE ledger_id = $1 AND id = $2"
_POST = """
WITH entry AS (
    INSERT INTO journal_entries (ledger_id, id, date, description) VALUES ($1, $2, $3, $4) RETURNING *
)
INSERT INTO postings (ledger_id, entry_id, line, account_id, date, currency, amount)
SELECT e.ledger_id, e.id, p.line, p.account_id, e.date, p.currency, p.amount
  FROM entry AS e, unnest($5::int[], $6::bigint[], $7::text[], $8::numeric[]) AS p(line, account_id, currency, amount)
"""


class Bench:
    """Both sides on the same database, connected and warm."""

    def __init__(self, db: DatabaseManager, pool: asyncpg.Pool[Any], books: Ledger, accounts: list[int]) -> None:
        self.db = db
        self.pool = pool
        self.books = books
        self.accounts = accounts

    async def p1(self) -> int:
        """Read one account, many times."""
        for _ in range(250):
            await self.db.fetchrow(_POINT, self.accounts[0])
        return 250

    async def p1_peer(self) -> int:
        """The same on asyncpg's pool."""
        for _ in range(250):
            await self.pool.fetchrow(_POINT, self.accounts[0])
        return 250

    async def p2(self) -> int:
        """Two reads in a transaction."""
        for _ in range(100):
            async with self.db.transaction() as connection:
                await connection.fetchrow(_POINT, self.accounts[0])
                await connection.fetchrow(_POINT, self.accounts[1])
        return 100

    async def p2_peer(self) -> int:
        """The same on asyncpg's pool."""
        for _ in range(100):
            async with self.pool.acquire() as connection, connection.transaction():
                await connection.fetchrow(_POINT, self.accounts[0])
                await connection.fetchrow(_POINT, self.accounts[1])
        return 100

    async def p3a(self) -> int:
        """Ten thousand rows at once."""
        for _ in range(3):
            await self.db.fetch(_ROWS)
        return 3

    async def p3a_peer(self) -> int:
        """The same on asyncpg's pool."""
        for _ in range(3):
            await self.pool.fetch(_ROWS)
        return 3

    async def p11(self) -> int:
        """Read an account and post an entry in a unit of work."""
        for _ in range(50):
            async with self.db.unit_of_work(self.books) as uow:
                account = await uow.accounts.get_one(self.accounts[0])
                lines = [NewPosting(account, 1), NewPosting(self.accounts[1], -1)]
                await uow.journal.post(NewEntry(date(2026, 11, 22), "bench", lines))
        return 50

    async def p11_peer(self) -> int:
        """The same statements, prepared, in a transaction of asyncpg's pool."""
        for _ in range(50):
            async with self.pool.acquire() as connection, connection.transaction():
                await connection.fetchrow(_GET, self.books.id, self.accounts[0])
                await connection.execute(
                    _POST, self.books.id, uuid7(), date(2026, 11, 22), "bench", [1, 2], self.accounts,
                    ["EUR", "EUR"], [1, -1],
                )  # fmt: skip
        return 50


@asynccontextmanager
async def bench(dsn: str) -> AsyncIterator[Bench]:
    """Set both sides up on the database *dsn*."""
    async with DatabaseManager(dsn, max_size=4) as db, asyncpg.create_pool(dsn, min_size=4, max_size=4) as pool:
        books = await db.ledgers.get_or_create("Bench", base_currency="EUR")
        async with db.unit_of_work(books) as uow:
            names = ("Assets:Checking", "Expenses:Food")
            accounts = [(await uow.accounts.get_or_open(name, currency="EUR")).id for name in names]
        yield Bench(db, pool, books, accounts)


async def measure(name: str, dsn: str) -> Result:
    """Measure the row *name*."""

    @asynccontextmanager
    async def sides() -> AsyncIterator[tuple[Work, Work]]:
        async with bench(dsn) as both:
            yield getattr(both, name.lower()), getattr(both, f"{name.lower()}_peer")

    return await compare(ROWS[name], sides)
