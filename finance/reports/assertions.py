"""Which asserted balances hold: each compared with the books as they are now."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from finance.connection import Record
from finance.money import total

# Of the claims that statements make of one account and day the last that was imported counts, and an opening balance
# only where there is no other: a bank that was asked at noon says something else in the evening.
ASSERTED = """
WITH claimed AS (
    SELECT DISTINCT ON (a.account_id, a.date, CASE a.kind WHEN 'hand' THEN a.id END)
           a.*, s.file_name, date_trunc('month', a.date)::date AS month
      FROM assertions AS a
      LEFT JOIN statements AS s ON s.ledger_id = a.ledger_id AND s.id = a.statement_id
      LEFT JOIN imports AS i ON i.ledger_id = s.ledger_id AND i.id = s.import_id
     WHERE a.ledger_id = $1 AND ($2::bigint IS NULL OR a.account_id = $2) AND i.undone_at IS NULL
     ORDER BY a.account_id, a.date, CASE a.kind WHEN 'hand' THEN a.id END, a.kind = 'opening', a.id DESC
),
moved AS (
    SELECT t.account_id, t.month, t.debit - t.credit AS amount
      FROM monthly_totals AS t WHERE t.ledger_id = $1 AND t.account_id IN (SELECT account_id FROM claimed)
    UNION ALL SELECT account_id, month, 0 FROM claimed
),
months AS (
    SELECT account_id, month, sum(sum(amount)) OVER (PARTITION BY account_id ORDER BY month) - sum(amount) AS before
      FROM moved GROUP BY account_id, month
)
SELECT c.id, a.id AS account_id, a.name AS account, a.currency, c.date AS "on", c.kind, c.amount AS stated,
       m.before + coalesce((SELECT sum(p.amount) FROM postings AS p
                             WHERE p.ledger_id = $1 AND p.account_id = c.account_id
                               AND p.date BETWEEN c.month AND c.date), 0) AS books,
       c.statement_id, c.file_name AS file, c.note
  FROM claimed AS c
  JOIN months AS m ON m.account_id = c.account_id AND m.month = c.month
  JOIN accounts AS a ON a.ledger_id = $1 AND a.id = c.account_id
 ORDER BY a.name, a.currency, c.date, c.id
"""


@dataclass(frozen=True, slots=True)
class AssertedBalance:
    """A balance that somebody claims, and what the books say.

    Attributes:
        id: The assertion's.
        account_id: The account's.
        account: Its name.
        currency: In which it counts.
        on: The day at whose end the balance holds.
        kind: "opening", "running", "closing" or "position" of a statement, or "hand".
        stated: The balance that is claimed.
        books: The balance in the books, as they are now.
        since: Where it does not hold, the day of the first assertion from which on the books differ by as much.
        held_on: Where it does not hold, the day of the last assertion before that which does; None: none before does.
            What is missing or too much is dated after this day, and not after `since`.
        statement_id: The statement that says so; None by hand.
        file: The statement's file.
        note: Who says so, by hand.
    """

    id: int
    account_id: int
    account: str
    currency: str
    on: date
    kind: str
    stated: Decimal
    books: Decimal
    since: date | None
    held_on: date | None
    statement_id: int | None
    file: str | None
    note: str

    @property
    def difference(self) -> Decimal:
        """What the books have too much, or with a minus sign, what they lack."""
        return total((self.books, self.stated.copy_negate()))

    @property
    def holds(self) -> bool:
        """Whether the books agree."""
        return self.books == self.stated


def judged(rows: Iterable[Record]) -> Iterator[AssertedBalance]:
    """Say of each row since when it does not hold; rows are in order of account and day."""
    for _, of_account in itertools.groupby(rows, key=lambda row: row["account_id"]):
        held_on: date | None = None
        since: date | None = None
        before = Decimal(0)
        for row in of_account:
            difference = total((row["books"], row["stated"].copy_negate()))
            if not difference:
                held_on, since = row["on"], None
            elif difference != before or since is None:
                since = row["on"]
            before = difference
            yield AssertedBalance(**row, since=since, held_on=held_on if difference else None)
