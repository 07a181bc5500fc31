"""What moved on accounts in a period, from the totals of whole months and the postings of parts of months."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from finance.connection import Connection, Record
from finance.reports.period import Period

# Along the keys of both tables, account by account: it reads a row for each month, and at most two halves of a month.
_FROM = """
  FROM accounts AS a
  LEFT JOIN LATERAL (
    SELECT t.month, t.debit - t.credit AS amount FROM monthly_totals AS t
     WHERE t.ledger_id = a.ledger_id AND t.account_id = a.id AND t.month BETWEEN $3 AND $4
     UNION ALL
    SELECT e.month, (SELECT e.sign * sum(p.amount) FROM postings AS p
                      WHERE p.ledger_id = a.ledger_id AND p.account_id = a.id AND p.date BETWEEN e.first AND e.last)
      FROM unnest($5::date[], $6::date[], $7::date[], $8::int[]) AS e(month, first, last, sign)
  ) AS m ON true
 WHERE a.ledger_id = $1 AND a.type = ANY ($2::text[])
"""
_MOVED = f"""
SELECT a.name, a.type, a.currency, NULL::date AS month, coalesce(sum(m.amount), 0) AS amount
{_FROM} GROUP BY a.ledger_id, a.id
"""
# Of each month there is one row, and a second one of its part at an end of the period: nothing to add up here.
_MOVED_BY_MONTH = f"""
SELECT a.name, a.type, a.currency, m.month, coalesce(m.amount, 0) AS amount
{_FROM}
"""
# What was before the first month counts in it, so that adding the months up gives balances.
_ACCUMULATED = f"""
SELECT a.type, a.currency, greatest(m.month, $9::date) AS month, coalesce(sum(m.amount), 0) AS amount
{_FROM} GROUP BY a.type, a.currency, 3
"""


class Movement(NamedTuple):
    """What moved on an account in a month, or None for all of the period: debits positive.

    An account on which nothing moved is there once, with 0 and no month. Of a month at an end of the period there may
    be two, whose amounts add up.
    """

    name: str
    type: str
    currency: str
    month: date | None
    amount: Decimal


async def read_movements(
    connection: Connection, ledger_id: int | None, types: Sequence[str], period: Period, *, by_month: bool
) -> list[Movement]:
    """Return what moved on the accounts of *types* in *period*, in no order."""
    sql = _MOVED_BY_MONTH if by_month else _MOVED
    rows = await connection.fetch(sql, ledger_id, list(types), *period.whole, *_columns(period))
    return [Movement(*row) for row in rows]


async def read_accumulated(
    connection: Connection, ledger_id: int | None, types: Sequence[str], period: Period
) -> list[Record]:
    """Return rows of `type`, `currency`, `month` and `amount`; the first month has all that was before it too."""
    history = Period(date.min, period.ends_on)
    first = period.months[0]
    return await connection.fetch(_ACCUMULATED, ledger_id, list(types), *history.whole, *_columns(history), first)


def _columns(period: Period) -> tuple[list[date], list[date], list[date], list[int]]:
    parts = period.parts
    return (
        [part.month for part in parts],
        [part.first for part in parts],
        [part.last for part in parts],
        [part.sign for part in parts],
    )
