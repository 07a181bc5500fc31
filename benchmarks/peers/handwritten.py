"""The best asyncpg code that an expert would write: one statement, prepared, on a connection of the caller's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import asyncpg

from benchmarks.peers import SCHEMA, Transfer
from finance.identifiers import uuid7

_ONE = f"""
WITH entry AS (
    INSERT INTO {SCHEMA}.journal_entries (ledger_id, id, date, description) VALUES ($1, $2, $3, $4)
), lines AS (
    INSERT INTO {SCHEMA}.postings (ledger_id, entry_id, line, account_id, date, currency, amount)
    VALUES ($1, $2, 1, $5, $3, 'EUR', $7), ($1, $2, 2, $6, $3, 'EUR', -$7::numeric)
)
UPDATE {SCHEMA}.accounts SET balance = balance + CASE id WHEN $5 THEN $7 ELSE -$7::numeric END
 WHERE ledger_id = $1 AND id IN ($5, $6)
"""
_MANY = f"""
WITH new AS (
    SELECT * FROM unnest($2::uuid[], $3::date[], $4::text[], $5::bigint[], $6::bigint[], $7::numeric[])
                  AS n(id, date, description, debit, credit, amount)
), entry AS (
    INSERT INTO {SCHEMA}.journal_entries (ledger_id, id, date, description)
    SELECT $1, id, date, description FROM new
), lines AS (
    INSERT INTO {SCHEMA}.postings (ledger_id, entry_id, line, account_id, date, currency, amount)
    SELECT $1, n.id, l.line, l.account_id, n.date, 'EUR', l.amount
      FROM new AS n, LATERAL (VALUES (1, n.debit, n.amount), (2, n.credit, -n.amount)) AS l(line, account_id, amount)
)
UPDATE {SCHEMA}.accounts AS a SET balance = a.balance + s.amount
  FROM (SELECT m.id, sum(m.amount) AS amount
          FROM (SELECT debit, amount FROM new UNION ALL SELECT credit, -amount FROM new) AS m(id, amount)
         GROUP BY m.id) AS s
 WHERE a.ledger_id = $1 AND a.id = s.id
"""


class HandWritten:
    """A connection for each caller, with its statements prepared."""

    def __init__(self, ledger_id: int, ones: Sequence[Any], many: Any) -> None:
        self._ledger_id = ledger_id
        self._ones = ones
        self._many = many

    async def post(self, caller: int, transfer: Transfer, /) -> None:
        """Insert the entry and its postings and update both balances, in one statement."""
        await self._ones[caller].fetch(self._ledger_id, uuid7(), *transfer)

    async def post_many(self, transfers: Sequence[Transfer]) -> None:
        """The same for all of *transfers* in one statement."""
        ids = [uuid7() for _ in transfers]
        await self._many.fetch(self._ledger_id, ids, *zip(*transfers, strict=True))


@asynccontextmanager
async def handwritten(dsn: str, ledger_id: int, callers: int) -> AsyncIterator[HandWritten]:
    """Connect *callers* connections and prepare the statements on each."""
    async with asyncpg.create_pool(dsn, min_size=callers, max_size=callers) as pool, AsyncExitStack() as held:
        connections = [await held.enter_async_context(pool.acquire()) for _ in range(callers)]
        ones = [await connection.prepare(_ONE) for connection in connections]
        yield HandWritten(ledger_id, ones, await connections[0].prepare(_MANY))
