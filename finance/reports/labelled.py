"""What was spent with each payee, or under each tag: the postings on expense accounts by what their entries have."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Literal, NamedTuple

from finance.connection import Connection
from finance.reports.period import Period

# A reversal counts with what the entry has that it reverses: taken together they leave nothing of either. OFFSET 0
# keeps the planner to looking account by account and entry by entry: of a ledger that was filled a moment ago it has
# no statistics, takes it for empty, and would join all with all.
_SPENT = """
WITH spent AS MATERIALIZED (
    SELECT p.entry_id, a.currency, {month} AS month, sum(p.amount) AS amount
      FROM accounts AS a
     CROSS JOIN LATERAL (SELECT q.entry_id, q.date, q.amount FROM postings AS q
                          WHERE q.ledger_id = $1 AND q.account_id = a.id AND q.date BETWEEN $2 AND $3 OFFSET 0) AS p
     WHERE a.ledger_id = $1 AND a.type = 'expense' GROUP BY 1, 2, 3
), labelled AS (
    SELECT l.label, s.currency, s.month, sum(s.amount) AS amount
      FROM spent AS s
     CROSS JOIN LATERAL (SELECT j.id, j.reverses_id, j.payee_id FROM journal_entries AS j
                          WHERE j.ledger_id = $1 AND j.id = s.entry_id OFFSET 0) AS e
      LEFT JOIN LATERAL ({labels}) AS l ON true
     GROUP BY 1, 2, 3
)
SELECT NULL AS name, s.currency, s.month, sum(s.amount) AS amount, true AS is_total FROM spent AS s GROUP BY 2, 3
 UNION ALL
SELECT n.name, l.currency, l.month, l.amount, false
  FROM labelled AS l LEFT JOIN {table} AS n ON n.ledger_id = $1 AND n.id = l.label
"""
_PAYEES = """
    SELECT CASE WHEN e.reverses_id IS NULL THEN e.payee_id
                ELSE (SELECT o.payee_id FROM journal_entries AS o
                       WHERE o.ledger_id = $1 AND o.id = e.reverses_id) END AS label
"""
_TAGS = """
    SELECT x.tag_id AS label FROM entry_tags AS x
     WHERE x.ledger_id = $1 AND x.entry_id = coalesce(e.reverses_id, e.id) OFFSET 0
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
    month = "date_trunc('month', p.date::timestamp)::date" if by_month else "NULL::date"
    labels, table = (_PAYEES, "payees") if kind == "payee" else (_TAGS, "tags")
    sql = _SPENT.format(month=month, labels=labels, table=table)
    rows = await connection.fetch(sql, ledger_id, period.starts_on, period.ends_on)
    return [Spent(*row) for row in rows]
