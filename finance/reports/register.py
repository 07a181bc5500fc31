"""The register of an account: its postings in order, with the balance after each."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from finance.connection import Connection
from finance.errors import InvalidError
from finance.pagination import Page, decode_key, encode_cursor, require_limit
from finance.repositories.balances import before_month, require_day

_BALANCE = "(SELECT a.balance FROM accounts AS a WHERE a.ledger_id = $1 AND a.id = $2)"


def _before(month: str) -> str:
    return before_month(ledger="$1", account="$2", balance=_BALANCE, month=month)


# The balance before the first day comes from the monthly totals and one part of a month.
_ALL = f"""
SELECT p.entry_id, p.line, p.date, e.description, p.memo, p.amount,
       s.amount + sum(p.amount) OVER (ORDER BY p.date, p.entry_id, p.line) AS balance
  FROM postings AS p
  JOIN journal_entries AS e ON e.ledger_id = p.ledger_id AND e.id = p.entry_id
 CROSS JOIN (
    SELECT {_before("m.month")}
         + coalesce((SELECT sum(q.amount) FROM postings AS q
                      WHERE q.ledger_id = $1 AND q.account_id = $2 AND q.date >= m.month AND q.date < $3), 0) AS amount
      FROM (SELECT date_trunc('month', $3::date::timestamp)::date AS month) AS m
 ) AS s
 WHERE p.ledger_id = $1 AND p.account_id = $2 AND p.date BETWEEN $3 AND $4
 ORDER BY p.date, p.entry_id, p.line
"""  # noqa: S608 - put together from constants
# The rows of one page along the index, and the balance before the first of them: from the months before it, and its own
# month up to it. However long the history, no other posting is read. All but the memos stands in the index: few lines
# have one, and an index of those alone finds them, so that no page of the table is read for the others.
_PAGE = """
WITH page AS MATERIALIZED (
    SELECT p.date, p.entry_id, p.line, p.amount FROM postings AS p
     WHERE p.ledger_id = $1 AND p.account_id = $2 AND p.date BETWEEN $3 AND $4{behind}
     ORDER BY p.date {way}, p.entry_id {way}, p.line {way} LIMIT {rows}
), first AS MATERIALIZED (
    SELECT f.date, f.entry_id, f.line, date_trunc('month', f.date::timestamp)::date AS month
      FROM page AS f ORDER BY f.date, f.entry_id, f.line LIMIT 1
), before AS MATERIALIZED (
    SELECT {before}
         + coalesce((SELECT sum(q.amount) FROM postings AS q
                      WHERE q.ledger_id = $1 AND q.account_id = $2 AND q.date >= f.month
                        AND (q.date, q.entry_id, q.line) < (f.date, f.entry_id, f.line)), 0) AS amount
      FROM first AS f
), memos AS MATERIALIZED (
    SELECT p.entry_id, p.line, p.memo
      FROM first AS f
     CROSS JOIN (SELECT g.date, g.entry_id, g.line FROM page AS g
                  ORDER BY g.date DESC, g.entry_id DESC, g.line DESC LIMIT 1) AS l
      JOIN postings AS p ON p.ledger_id = $1 AND p.account_id = $2 AND p.memo IS NOT NULL
       AND (p.date, p.entry_id, p.line) >= (f.date, f.entry_id, f.line)
       AND (p.date, p.entry_id, p.line) <= (l.date, l.entry_id, l.line)
)
SELECT g.entry_id, g.line, g.date, e.description, m.memo, g.amount,
       b.amount + sum(g.amount) OVER (ORDER BY g.date, g.entry_id, g.line) AS balance
  FROM page AS g
  JOIN journal_entries AS e ON e.ledger_id = $1 AND e.id = g.entry_id
  LEFT JOIN memos AS m ON m.entry_id = g.entry_id AND m.line = g.line
 CROSS JOIN before AS b
 ORDER BY g.date, g.entry_id, g.line
"""
_KEY = (date, UUID, int)


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


@dataclass(frozen=True, slots=True)
class PageWish:
    """Which page of a register is asked for: behind the cursor `after`, or in front of the cursor `before`."""

    account_id: int
    after: str | None
    before: str | None
    limit: int
    newest_first: bool

    @property
    def order(self) -> str:
        """What the cursors of this list are bound to."""
        return f"register {self.account_id} {'newest' if self.newest_first else 'oldest'} first"

    @property
    def is_ascending(self) -> bool:
        """Whether its rows are looked for from older to newer ones."""
        return (self.before is None) != self.newest_first

    def key(self) -> list[Any] | None:
        """Return the place at which it starts; None for the beginning of the list.

        Raises:
            InvalidError: It is asked for behind one place and in front of another, or a cursor is not of this list.
        """
        if self.after is not None and self.before is not None:
            raise InvalidError("a page lies behind the cursor after= or in front of the cursor before=: give one")
        cursor = self.before if self.after is None else self.after
        return None if cursor is None else decode_key(cursor, self.order, _KEY)

    def page(self, lines: list[RegisterLine]) -> Page[RegisterLine]:
        """Arrange *lines*, the oldest first and perhaps one more than wanted, as this page."""
        has_more = len(lines) > self.limit
        if has_more:
            lines = lines[: self.limit] if self.is_ascending else lines[1:]
        if self.newest_first:
            lines = lines[::-1]
        # Where it came from there is a line at least: that of the cursor, which is never deleted.
        is_followed = has_more if self.before is None else True
        is_preceded = has_more if self.before is not None else self.after is not None
        return Page(
            lines,
            self._cursor(lines[-1]) if lines and is_followed else None,
            self._cursor(lines[0]) if lines and is_preceded else None,
        )

    def _cursor(self, line: RegisterLine) -> str:
        return encode_cursor(self.order, [line.date, line.entry_id, line.line])


async def read_page(
    connection: Connection, ledger_id: int | None, wish: PageWish, start_on: date | None, end_on: date | None
) -> Page[RegisterLine]:
    """Read the page that *wish* asks for, of the days from *start_on* through *end_on*."""
    key = wish.key()
    place = f" AND (p.date, p.entry_id, p.line) {'>' if wish.is_ascending else '<'} ($5, $6, $7)"
    sql = _PAGE.format(
        before=_before("f.month"),
        behind="" if key is None else place,
        way="ASC" if wish.is_ascending else "DESC",
        rows=require_limit(wish.limit) + 1,
    )
    rows = await connection.fetch(sql, ledger_id, wish.account_id, *_days(start_on, end_on), *(key or ()))
    return wish.page([RegisterLine(**row) for row in rows])


async def read_all(
    connection: Connection, ledger_id: int | None, account_id: int, start_on: date | None, end_on: date | None
) -> AsyncIterator[RegisterLine]:
    """Yield the lines of the days from *start_on* through *end_on*, the oldest first, from a cursor."""
    async for row in connection.stream(_ALL, ledger_id, account_id, *_days(start_on, end_on)):
        yield RegisterLine(**row)


def _days(start_on: date | None, end_on: date | None) -> tuple[date, date]:
    """Return the first and the last day: with one condition for every case, the index is used in every case."""
    return require_day("start_on", start_on) or date.min, require_day("end_on", end_on) or date.max
