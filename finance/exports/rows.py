"""What an export reads: every posting with its entry, along an index and through a cursor."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import groupby
from operator import itemgetter

from finance.connection import Record
from finance.errors import UsageError
from finance.unit_of_work import UnitOfWork

# In the order of an index, so that the first row comes at once. OFFSET 0 keeps the planner to looking entry by entry:
# of a ledger that was filled a moment ago it has no statistics, takes it for empty, and would join all with all.
_ROWS = """
SELECT e.id, e.date, e.description, e.reverses_id, e.amends_id, e.metadata::text AS details,
       (SELECT y.name FROM payees AS y WHERE y.ledger_id = e.ledger_id AND y.id = e.payee_id) AS payee, g.tags,
       p.account_id, p.amount, p.memo
  FROM journal_entries AS e
 CROSS JOIN LATERAL (SELECT array_agg(t.name ORDER BY t.name COLLATE "C") AS tags FROM entry_tags AS x
                       JOIN tags AS t ON t.ledger_id = x.ledger_id AND t.id = x.tag_id
                      WHERE x.ledger_id = e.ledger_id AND x.entry_id = e.id OFFSET 0) AS g
 CROSS JOIN LATERAL (SELECT q.line, q.account_id, q.amount, q.memo FROM postings AS q
                      WHERE q.ledger_id = e.ledger_id AND q.entry_id = e.id ORDER BY q.line OFFSET 0) AS p
 WHERE e.ledger_id = $1
 ORDER BY e.date, e.id, p.line
"""
# The last day matters where an account is closed only: it takes one step along an index for each.
_ACCOUNTS = """
SELECT a.id, a.name, a.type, a.currency, c.exponent, a.opened_on, a.closed_on, a.minimum_balance, a.maximum_balance,
       a.metadata::text AS details, m.month,
       CASE WHEN a.closed_on IS NOT NULL
            THEN (SELECT p.date FROM postings AS p WHERE p.ledger_id = a.ledger_id AND p.account_id = a.id
                   ORDER BY p.date DESC LIMIT 1) END AS last_on
  FROM accounts AS a
  JOIN currencies AS c ON c.ledger_id = a.ledger_id AND c.code = a.currency
  LEFT JOIN (SELECT account_id, min(month) AS month FROM monthly_totals WHERE ledger_id = $1
              GROUP BY account_id) AS m ON m.account_id = a.id
 WHERE a.ledger_id = $1
"""
_CURRENCIES = 'SELECT code, exponent, name FROM currencies WHERE ledger_id = $1 ORDER BY code COLLATE "C"'
_PRICES = """
SELECT currency, quote, date, rate, source FROM prices WHERE ledger_id = $1
 ORDER BY date, currency COLLATE "C", quote COLLATE "C"
"""
_ISOLATION = "SELECT current_setting('transaction_isolation')"


@dataclass(frozen=True, slots=True)
class ExportedAccount:
    """What an export says of an account; `exponent` is the number of decimals of its currency.

    `details` are JSON. `first_month` has its first posting, None where it has none; `last_on` is the day of the last
    one, of an account that is closed.
    """

    id: int
    name: str
    type: str
    currency: str
    exponent: int
    opened_on: date | None
    closed_on: date | None
    minimum_balance: Decimal | None
    maximum_balance: Decimal | None
    details: str
    first_month: date | None
    last_on: date | None


async def read_accounts(uow: UnitOfWork) -> dict[int, ExportedAccount]:
    """Return every account by its id.

    Raises:
        UsageError: The unit of work may see, in its next statement, accounts that it does not see in this one.
    """
    if await uow.connection.fetchval(_ISOLATION) not in {"repeatable read", "serializable"}:
        raise UsageError('an export is of one instant: open the unit of work with isolation="repeatable_read"')
    rows = await uow.connection.fetch(_ACCOUNTS, uow.ledger_id)
    return {row["id"]: ExportedAccount(*row) for row in rows}


async def read_currencies(uow: UnitOfWork) -> list[Record]:
    """Return every currency with its code, decimals and name, in order of the codes."""
    return await uow.connection.fetch(_CURRENCIES, uow.ledger_id)


async def read_prices(uow: UnitOfWork) -> AsyncIterator[list[Record]]:
    """Yield every price, in order of day and codes, a batch at a time."""
    async for rows in uow.connection.batches(_PRICES, uow.ledger_id):
        yield rows


async def read_rows(uow: UnitOfWork) -> AsyncIterator[list[Record]]:
    """Yield every posting with its entry, in order of date, entry id and line, a batch at a time."""
    async for rows in uow.connection.batches(_ROWS, uow.ledger_id):
        yield rows


async def read_entries(uow: UnitOfWork) -> AsyncIterator[list[list[Record]]]:
    """Yield the same entry by entry: for each batch, the entries that it completes."""
    rest: list[Record] = []
    async for rows in read_rows(uow):
        entries = [list(some) for _, some in groupby([*rest, *rows], itemgetter("id"))]
        rest = entries.pop()
        yield entries
    if rest:
        yield [rest]
