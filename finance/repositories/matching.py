"""Which lines and postings are the same event: what counts as matched, and what may be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

from finance.connection import Connection, Record

#: How many days a typed entry and the bank's line of it may be apart.
MOST_DAYS = 5

# An entry that was amended is followed to what replaced it: its line stays matched while that has the same amount on
# the same account. Each fragment names the alias that it looks at, and is a scalar subquery: in a ledger that was just
# filled the planner thinks of a handful of rows, and would join each with each.
IS_REVERSED = """((SELECT r.id FROM journal_entries AS r
                    WHERE r.ledger_id = $1 AND r.reverses_id = {entry} LIMIT 1) IS NOT NULL)"""
#: Whether the line `l` is matched with a posting that counts.
IS_MATCHED = f"""coalesce((
    SELECT NOT {IS_REVERSED.format(entry="m.entry_id")}
           OR EXISTS (
                WITH RECURSIVE newer AS (
                    SELECT n.id FROM journal_entries AS n WHERE n.ledger_id = $1 AND n.amends_id = m.entry_id
                    UNION ALL
                    SELECT n.id FROM newer AS o
                      JOIN journal_entries AS n ON n.ledger_id = $1 AND n.amends_id = o.id)
                SELECT FROM newer AS n
                  JOIN postings AS p ON p.ledger_id = $1 AND p.entry_id = n.id
                 WHERE p.account_id = l.account_id AND p.amount = l.amount
                   AND NOT {IS_REVERSED.format(entry="n.id")})
      FROM matches AS m WHERE m.ledger_id = $1 AND m.line_id = l.id), false)"""  # noqa: S608 - our own names
#: Whether the posting `p` of the entry `e` counts, no line is matched with it, and no line of securities became it.
IS_FREE = f"""e.kind <> 'reversal' AND NOT {IS_REVERSED.format(entry="e.id")}
   AND (SELECT l.id FROM statement_lines AS l
         WHERE l.ledger_id = $1 AND l.entry_id = e.id AND l.kind = 'security' LIMIT 1) IS NULL
   AND (SELECT m.line_id FROM matches AS m
         WHERE m.ledger_id = $1 AND m.entry_id = e.id AND m.posting = p.line LIMIT 1) IS NULL
   AND (e.amends_id IS NULL OR (
        WITH RECURSIVE older AS (
            SELECT e.amends_id AS id
            UNION ALL
            SELECT o.amends_id FROM older AS n JOIN journal_entries AS o ON o.ledger_id = $1 AND o.id = n.id
             WHERE o.amends_id IS NOT NULL)
        SELECT m.line_id FROM older AS o
          JOIN matches AS m ON m.ledger_id = $1 AND m.entry_id = o.id
          JOIN statement_lines AS l ON l.ledger_id = $1 AND l.id = m.line_id
         WHERE l.account_id = p.account_id AND l.amount = p.amount LIMIT 1) IS NULL)"""  # noqa: S608 - our own names
_FREE = f"""
SELECT p.entry_id, p.line AS posting, p.date, p.amount, e.description
  FROM postings AS p JOIN journal_entries AS e ON e.ledger_id = $1 AND e.id = p.entry_id
 WHERE p.ledger_id = $1 AND p.account_id = $2 AND p.date BETWEEN $3 AND $4 AND p.amount = ANY ($5::numeric[])
   AND {IS_FREE}
 ORDER BY p.date, p.entry_id, p.line
"""  # noqa: S608 - our own names


@dataclass(frozen=True, slots=True)
class OpenLine:
    """A line that is matched with nothing: a key of the caller's, its day and its amount."""

    key: int
    date: date
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Candidate:
    """A posting that may be the same event as a line: same account and amount, a few days apart.

    Attributes:
        entry_id: Its entry.
        posting: Its place in the entry, from 1.
        date: The entry's day.
        description: The entry's.
    """

    entry_id: UUID
    posting: int
    date: date
    description: str


async def candidates(
    connection: Connection, ledger_id: int | None, account_id: int, lines: Sequence[OpenLine], most_days: int
) -> dict[int, Candidate]:
    """Return for each of *lines* the nearest posting that may be it, by the lines' keys; no posting twice.

    Database:
        One SELECT, which reads the postings of the account in the days of the lines.
    """
    if not lines:
        return {}
    around = timedelta(days=most_days)
    days = [line.date for line in lines]
    first, last = max(min(days), date.min + around) - around, min(max(days), date.max - around) + around
    amounts = list({line.amount for line in lines})
    rows = await connection.fetch(_FREE, ledger_id, account_id, first, last, amounts)
    return dict(_paired(lines, rows, most_days))


def _paired(lines: Iterable[OpenLine], rows: Sequence[Record], most_days: int) -> Iterator[tuple[int, Candidate]]:
    """Yield pairs of equal amount, those with the fewest days between them first."""
    by_day: dict[tuple[Decimal, int], list[Record]] = {}
    for row in rows:
        by_day.setdefault((row["amount"], row["date"].toordinal()), []).append(row)
    waiting = list(lines)
    for days in sorted(range(-most_days, most_days + 1), key=abs):
        left = []
        for line in waiting:
            near = by_day.get((line.amount, line.date.toordinal() + days))
            if near:
                row = near.pop(0)
                yield line.key, Candidate(row["entry_id"], row["posting"], row["date"], row["description"])
            else:
                left.append(line)
        waiting = left
