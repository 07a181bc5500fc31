"""The register of an account: its postings in order, with the balance after each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

# The balance before the first day comes from the monthly totals and one part of a month.
SQL = """
SELECT p.entry_id, p.line, p.date, e.description, p.memo, p.amount,
       s.amount + sum(p.amount) OVER (ORDER BY p.date, p.entry_id, p.line) AS balance
  FROM postings AS p
  JOIN journal_entries AS e ON e.ledger_id = p.ledger_id AND e.id = p.entry_id
 CROSS JOIN (
    SELECT coalesce((SELECT sum(t.debit - t.credit) FROM monthly_totals AS t
                      WHERE t.ledger_id = $1 AND t.account_id = $2 AND t.month < date_trunc('month', $3::date)), 0)
         + coalesce((SELECT sum(q.amount) FROM postings AS q
                      WHERE q.ledger_id = $1 AND q.account_id = $2
                        AND q.date >= date_trunc('month', $3::date)::date AND q.date < $3::date), 0) AS amount
 ) AS s
 WHERE p.ledger_id = $1 AND p.account_id = $2
   AND ($3::date IS NULL OR p.date >= $3) AND ($4::date IS NULL OR p.date <= $4)
 ORDER BY p.date, p.entry_id, p.line
"""


@dataclass(frozen=True, slots=True)
class RegisterLine:
    """One posting of an account, and the account's balance after it, in the account's currency."""

    entry_id: UUID
    line: int
    date: date
    description: str
    memo: str | None
    amount: Decimal
    balance: Decimal
