"""Postings as plain rows: what reports and exports read by the million."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import date
from decimal import Decimal
from functools import partial
from typing import NamedTuple
from uuid import UUID

from finance.connection import Connection
from finance.repositories.balances import require_day

#: Rows that the server sends at a time, and that are in memory at a time.
_BATCH = 1000

# Along an index in both cases, so that the first row comes at once and nothing is sorted. Days that nobody has
# posted on stand for no bound: with one condition for every case, the index is used in every case. OFFSET 0 keeps the
# planner to looking entry by entry: of a ledger that was filled a moment ago it has no statistics, takes it for empty,
# and would join all with all.
_OF_ACCOUNT = """
SELECT entry_id, line, account_id, date, currency, amount, memo FROM postings
 WHERE ledger_id = $1 AND date BETWEEN $2 AND $3 AND account_id = $4
 ORDER BY date, entry_id, line
"""
_OF_JOURNAL = """
SELECT p.entry_id, p.line, p.account_id, p.date, p.currency, p.amount, p.memo
  FROM journal_entries AS e
 CROSS JOIN LATERAL (SELECT q.* FROM postings AS q
                      WHERE q.ledger_id = e.ledger_id AND q.entry_id = e.id ORDER BY q.line OFFSET 0) AS p
 WHERE e.ledger_id = $1 AND e.date BETWEEN $2 AND $3
 ORDER BY e.date, e.id, p.line
"""


class PostingRow(NamedTuple):
    """One posting as it is stored: a plain value that never changes and holds on to no session.

    The amount is in `currency`, debits positive. A tuple, because a dataclass takes three times as long to make.
    """

    entry_id: UUID
    line: int
    account_id: int
    date: date
    currency: str
    amount: Decimal
    memo: str | None


_make = partial(tuple.__new__, PostingRow)


async def read_postings(
    connection: Connection, ledger_id: int | None, account_id: int | None, start_on: date | None, end_on: date | None
) -> AsyncIterator[Iterator[PostingRow]]:
    """Yield the postings of one account, or of all (None), from *start_on* through *end_on*, a batch at a time.

    By batches, because each generator that a row passes through by itself adds a tenth to what it costs.

    Raises:
        InvalidError: One of them is not a plain day.
    """
    first, last = require_day("start_on", start_on) or date.min, require_day("end_on", end_on) or date.max
    query, args = (_OF_JOURNAL, ()) if account_id is None else (_OF_ACCOUNT, (account_id,))
    async for rows in connection.batches(query, ledger_id, first, last, *args, batch=_BATCH):
        yield map(_make, rows)
