"""What was spent with each payee, or under each tag: the postings on expense accounts by what their entries have."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Literal, NamedTuple

from finance.connection import Connection
from finance.reports.period import Period

# OFFSET 0 keeps the planner to looking account by account, and FULL JOIN from looking entry by entry: each side is read
# once, and both are brought together. Of a ledger that was filled a moment ago the planner has no statistics, takes it
# for empty, and would join each with each; of any other it thinks of a few hundred entries, however many there are.
# What only one side has is left out by a condition that it cannot see through, or it would make another join of it.
_SPENT = """
WITH spent AS MATERIALIZED (
    SELECT p.entry_id, a.currency, p.date, sum(p.amount) AS amount, true AS is_spent
      FROM accounts AS a
     CROSS JOIN LATERAL (SELECT q.entry_id, q.date, q.amount FROM postings AS q
                          WHERE q.ledger_id = $1 AND q.account_id = a.id AND q.date BETWEEN $2 AND $3 OFFSET 0) AS p
     WHERE a.ledger_id = $1 AND a.type = 'expense' GROUP BY 1, 2, 3
), labelled AS (
    SELECT l.label, s.currency, {month} AS month, sum(s.amount) AS amount
      FROM spent AS s FULL JOIN ({labels}) AS l ON l.entry_id = s.entry_id
     WHERE coalesce(s.is_spent, false) GROUP BY 1, 2, 3
)
SELECT NULL AS name, s.currency, {month} AS month, sum(s.amount) AS amount, true AS is_total
  FROM spent AS s GROUP BY 2, 3
 UNION ALL
SELECT n.name, l.currency, l.month, l.amount, false
  FROM labelled AS l LEFT JOIN {table} AS n ON n.ledger_id = $1 AND n.id = l.label
"""
# A reversal counts with what the entry has that it reverses: taken together they leave nothing of either.
_PAYEES = """
    SELECT e.id AS entry_id,
           CASE WHEN e.reverses_id IS NULL THEN e.payee_id
                ELSE (SELECT o.payee_id FROM journal_entries AS o
                       WHERE o.ledger_id = $1 AND o.id = e.reverses_id) END AS label
      FROM journal_entries AS e WHERE e.ledger_id = $1 AND e.date BETWEEN $2 AND $3
"""
_TAGS = """
    SELECT x.entry_id, x.tag_id AS label FROM entry_tags AS x WHERE x.ledger_id = $1
     UNION ALL
    SELECT e.id, x.tag_id
      FROM journal_entries AS e JOIN entry_tags AS x ON x.ledger_id = $1 AND x.entry_id = e.reverses_id
     WHERE e.ledger_id = $1 AND e.reverses_id IS NOT NULL
"""

Kind = Literal["payee", "tag"]


class Spent(NamedTuple):
    """What was spent with one payee or tag, or without one (no name), or altogether; `month` is None for the period."""

    name: str | None
    currency: str
    month: date | None
    amount: Decimal
    is_total: bool


async def read_spent(
    connection: Connection, ledger_id: int | None, kind: Kind, period: Period, *, by_month: bool
) -> Sequence[Spent]:
    """Return what was spent in *period*, in no order.

    An entry counts under each of its tags, and once in what was spent altogether.
    """
    month = "date_trunc('month', s.date::timestamp)::date" if by_month else "NULL::date"
    labels, table = (_PAYEES, "payees") if kind == "payee" else (_TAGS, "tags")
    sql = _SPENT.format(month=month, labels=labels, table=table)
    rows = await connection.fetch(sql, ledger_id, period.starts_on, period.ends_on)
    return [Spent(*row) for row in rows]
