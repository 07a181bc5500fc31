"""Books with a long history, each in a database of its own: made by bulk SQL, because posting it would take hours.

The server is 18 or later, which makes UUIDv7 of any time, and its user a superuser: `session_replication_role` turns
the guards off. What they would have derived is computed from the postings afterwards.
"""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from benchmarks.books import Books, make_books
from finance import DatabaseManager

#: Entries that one statement makes.
_CHUNK = 250_000

# In the order of time, and with a key of that time each, as clients would have posted them.
_MAKE = """
WITH new AS (
    INSERT INTO journal_entries (ledger_id, id, date, description, recorded_at)
    SELECT $1, uuidv7(t.at - clock_timestamp()), t.at::date, 'bench', t.at
      FROM generate_series($2::bigint, $3::bigint) AS g, LATERAL (SELECT $4::timestamptz + g * $5::interval) AS t(at)
    RETURNING ledger_id, id, date
), drawn AS MATERIALIZED (
    SELECT ledger_id, id, date,
           CASE WHEN $7 THEN 0 ELSE floor(random() * cardinality($6::bigint[]))::integer END AS debit,
           1 + floor(random() * (cardinality($6::bigint[]) - 1))::integer AS distance,
           (1 + floor(random() * 100000)) / 100::numeric AS amount
      FROM new
)
INSERT INTO postings (ledger_id, entry_id, line, account_id, date, currency, amount)
SELECT d.ledger_id, d.id, l.line, ($6::bigint[])[1 + l.place % cardinality($6::bigint[])], d.date, 'EUR', l.amount
  FROM drawn AS d,
       LATERAL (VALUES (1, d.debit, d.amount), (2, d.debit + d.distance, -d.amount)) AS l(line, place, amount)
"""
_TOTAL = """
INSERT INTO monthly_totals (ledger_id, account_id, month, debit, credit, postings)
SELECT ledger_id, account_id, date_trunc('month', date::timestamp)::date,
       coalesce(sum(amount) FILTER (WHERE amount > 0), 0), coalesce(-sum(amount) FILTER (WHERE amount < 0), 0), count(*)
  FROM postings GROUP BY 1, 2, 3
"""
_BALANCE = """
UPDATE accounts AS a SET balance = t.balance
  FROM (SELECT ledger_id, account_id, sum(debit - credit) AS balance FROM monthly_totals GROUP BY 1, 2) AS t
 WHERE t.ledger_id = a.ledger_id AND t.account_id = a.id
"""


@dataclass(frozen=True, slots=True)
class History:
    """A thousand accounts with two postings for each of `entries`, spread evenly over `days` that end today.

    With `is_hot`, the first account has one of the two in every entry; else both are drawn by lot.
    """

    entries: int
    days: int
    is_hot: bool = False

    @property
    def start_on(self) -> date:
        """The first day that has entries."""
        return datetime.now(UTC).date() - timedelta(days=self.days - 1)

    def day(self, first: float = 0) -> date:
        """Draw one of the days by lot, none before the share *first* of them."""
        return self.start_on + timedelta(days=random.randrange(int(self.days * first), self.days))


def scaled(count: int) -> int:
    """Return *count*, or the share of it that FINANCE_BENCH_SIZE asks for: 0.01 for a quick look."""
    return max(1, int(count * float(os.environ.get("FINANCE_BENCH_SIZE", "1"))))


@asynccontextmanager
async def database(dsn: str, name: str) -> AsyncIterator[str]:
    """Make the database *name* on the server of *dsn*, at the current revision, and drop it afterwards."""
    async with _connected(dsn) as admin:
        await admin.execute(f"CREATE DATABASE {name}")
        try:
            own = urlunsplit(urlsplit(dsn)._replace(path=f"/{name}"))
            async with DatabaseManager(own) as db:
                await db.migrations.upgrade()
            yield own
        finally:
            await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@asynccontextmanager
async def books_with(history: History, dsn: str, name: str) -> AsyncIterator[tuple[str, Books]]:
    """Make the database *name* with the books of *history*, clean and on disk, and drop it afterwards."""
    async with database(dsn, name) as own:
        books = await make_books(own)
        async with _connected(own, session_replication_role="replica", timezone="UTC") as connection:
            await _fill(connection, history, books)
            for statement in (_TOTAL, _BALANCE, "VACUUM (ANALYZE)", "CHECKPOINT"):
                await connection.execute(statement)
        yield own, books


async def _fill(connection: asyncpg.Connection[Any], history: History, books: Books) -> None:
    start = datetime.combine(history.start_on, time(), UTC)
    step = timedelta(days=history.days) / history.entries
    for first in range(0, history.entries, _CHUNK):
        last = min(first + _CHUNK, history.entries) - 1
        await connection.execute(_MAKE, books.ledger_id, first, last, start, step, books.accounts, history.is_hot)


@asynccontextmanager
async def _connected(dsn: str, **settings: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    connection = await asyncpg.connect(dsn, server_settings=settings)
    try:
        yield connection
    finally:
        await connection.close()
