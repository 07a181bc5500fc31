"""Reconciling: statement by statement, which lines and postings are the same event, and what is left over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from finance.errors import AlreadyExistsError, InvalidError, NotFoundError, SealedError
from finance.models import Account
from finance.money import total
from finance.repositories.base import Scope
from finance.repositories.journal import JournalRepository
from finance.repositories.matching import (
    IS_FREE,
    IS_MATCHED,
    IS_REVERSED,
    MOST_DAYS,
    Candidate,
    OpenLine,
    candidates,
)

# Lines that move no cash have no posting to be matched with.
_MOVES = "l.kind = 'cash' AND l.amount <> 0 AND l.undone_at IS NULL"
_STATEMENTS = f"""
SELECT s.id, a.id AS account_id, a.name AS account, a.currency, s.file_name AS file, s.imported_at,
       s.closing_balance, s.closing_on, r.reconciled_at,
       l.first_on, l.last_on, coalesce(l.lines, 0) AS lines, coalesce(l.unmatched, 0) AS unmatched
  FROM statements AS s
  JOIN accounts AS a ON a.ledger_id = $1 AND a.id = s.account_id
  LEFT JOIN imports AS i ON i.ledger_id = $1 AND i.id = s.import_id
  LEFT JOIN reconciliations AS r ON r.ledger_id = $1 AND r.statement_id = s.id
  LEFT JOIN LATERAL (
       SELECT min(l.date) AS first_on, max(l.date) AS last_on, count(*) AS lines,
              count(*) FILTER (WHERE NOT {IS_MATCHED}) AS unmatched
         FROM statement_lines AS l WHERE l.ledger_id = $1 AND l.statement_id = s.id AND {_MOVES}) AS l ON true
 WHERE s.ledger_id = $1 AND i.undone_at IS NULL AND ($2::bigint IS NULL OR s.id = $2)
 ORDER BY s.id
"""  # noqa: S608 - our own names
_UNMATCHED = f"""
SELECT l.id, l.number, l.date, l.amount, coalesce(l.payee, l.memo, l.type, '') AS text
  FROM statement_lines AS l
 WHERE l.ledger_id = $1 AND l.statement_id = $2 AND {_MOVES} AND NOT {IS_MATCHED} ORDER BY l.number
"""  # noqa: S608 - our own names
_FREE = f"""
SELECT e.id AS entry_id, p.line AS posting, p.date, p.amount, e.description
  FROM postings AS p JOIN journal_entries AS e ON e.ledger_id = $1 AND e.id = p.entry_id
 WHERE p.ledger_id = $1 AND p.account_id = $2
   AND p.date BETWEEN coalesce($3::date, '-infinity') AND coalesce($4::date, 'infinity') AND {IS_FREE}
 ORDER BY p.date, p.entry_id, p.line
"""  # noqa: S608 - our own names
_BALANCES = f"""
SELECT a.id AS account_id, a.name AS account, a.currency, a.balance,
       coalesce(sum(l.amount) FILTER (WHERE {IS_MATCHED}), 0) AS cleared,
       coalesce(sum(l.amount) FILTER (WHERE r.statement_id IS NOT NULL AND {IS_MATCHED}), 0) AS reconciled
  FROM accounts AS a
  JOIN statement_lines AS l ON l.ledger_id = $1 AND l.account_id = a.id AND {_MOVES}
  LEFT JOIN reconciliations AS r ON r.ledger_id = $1 AND r.statement_id = l.statement_id
 WHERE a.ledger_id = $1
 GROUP BY a.id, a.name, a.currency, a.balance ORDER BY a.name, a.currency
"""  # noqa: S608 - our own names
_LINE = f"""
SELECT l.account_id, l.amount, l.undone_at, {IS_MATCHED} AS is_matched
  FROM statement_lines AS l WHERE l.ledger_id = $1 AND l.id = $2
"""  # noqa: S608 - our own names
_POSTING = f"""
SELECT p.line FROM postings AS p JOIN journal_entries AS e ON e.ledger_id = $1 AND e.id = p.entry_id
 WHERE p.ledger_id = $1 AND p.entry_id = $2 AND p.account_id = $3 AND p.amount = $4 AND {IS_FREE}
 ORDER BY p.line LIMIT 1
"""  # noqa: S608 - our own names
# The entry that counts for a match: the one that was matched, or the last that replaced it.
_STANDING = f"""
WITH RECURSIVE newer AS (
    SELECT m.entry_id AS id FROM matches AS m WHERE m.ledger_id = $1 AND m.line_id = $2
    UNION ALL
    SELECT n.id FROM newer AS o JOIN journal_entries AS n ON n.ledger_id = $1 AND n.amends_id = o.id)
SELECT id FROM newer AS n WHERE NOT {IS_REVERSED.format(entry="n.id")}
"""  # noqa: S608 - our own names
_MATCH = "INSERT INTO matches (ledger_id, line_id, entry_id, posting) VALUES ($1, $2, $3, $4)"
_UNMATCH = "DELETE FROM matches WHERE ledger_id = $1 AND line_id = $2"
_RECONCILE = "INSERT INTO reconciliations (ledger_id, statement_id) VALUES ($1, $2)"
_REOPEN = "DELETE FROM reconciliations WHERE ledger_id = $1 AND statement_id = $2"
# Whoever reconciles and whoever takes a match back come one after the other.
_LOCK = "SELECT pg_advisory_xact_lock(1179209298, hashint8($1))"


@dataclass(frozen=True, slots=True)
class StatementState:
    """A statement, how many of its lines are matched with nothing, and whether somebody agreed with it.

    Attributes:
        id: The statement's.
        account_id: The account's.
        account: Its name.
        currency: In which it counts.
        file: The name of the statement's file.
        imported_at: When it came.
        first_on: The day of its first line that moves money; None without lines.
        last_on: The day of its last.
        lines: How many lines move money.
        unmatched: How many of them are matched with nothing, or with an entry that was reversed since.
        closing_balance: What the bank says; None where it does not.
        closing_on: The day at whose end that holds.
        reconciled_at: When somebody agreed; None while it is open.
    """

    id: int
    account_id: int
    account: str
    currency: str
    file: str
    imported_at: datetime
    first_on: date | None
    last_on: date | None
    lines: int
    unmatched: int
    closing_balance: Decimal | None
    closing_on: date | None
    reconciled_at: datetime | None

    @property
    def state(self) -> str:
        """Return "open" or "reconciled"."""
        return "open" if self.reconciled_at is None else "reconciled"


@dataclass(frozen=True, slots=True)
class UnmatchedLine:
    """A line that is matched with nothing, its payee or memo, and the nearest posting that may be it."""

    id: int
    number: int
    date: date
    amount: Decimal
    text: str
    candidate: Candidate | None = None


@dataclass(frozen=True, slots=True)
class FreePosting:
    """A posting that no line of a statement is matched with."""

    entry_id: UUID
    posting: int
    date: date
    amount: Decimal
    description: str


@dataclass(frozen=True, slots=True)
class ClearedBalance:
    """An account's balance, how much of it statements confirm, and how much of that somebody agreed with."""

    account_id: int
    account: str
    currency: str
    balance: Decimal
    cleared: Decimal
    reconciled: Decimal

    @property
    def uncleared(self) -> Decimal:
        """What no statement confirms, such as the opening balance and what has not reached the bank."""
        return total((self.balance, self.cleared.copy_negate()))


class ReconciliationRepository:
    """The matches of lines and postings of this ledger, and the statements that are reconciled.

    Lines that an import posted are matched with what they became. An entry that was amended is followed: its line stays
    matched while the replacement has the same amount on the same account.
    """

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    async def statements(self) -> tuple[StatementState, ...]:
        """Return the state of every statement whose import stands, in their order.

        Database:
            One SELECT, which looks up the match of every line; no locks.
        """
        rows = await self._scope.connection.fetch(_STATEMENTS, self._scope.ledger_id, None)
        return tuple(StatementState(**row) for row in rows)

    async def statement(self, statement_id: int) -> StatementState:
        """Return the state of one statement.

        Raises:
            NotFoundError: This ledger has no such statement, or its import was undone.

        Database:
            One SELECT; no locks.
        """
        rows = await self._scope.connection.fetch(_STATEMENTS, self._scope.ledger_id, statement_id)
        if not rows:
            raise NotFoundError(f"this ledger has no statement {statement_id!r} whose import stands")
        return StatementState(**rows[0])

    async def unmatched_lines(self, statement_id: int, *, most_days: int = MOST_DAYS) -> tuple[UnmatchedLine, ...]:
        """Return the lines of a statement that are matched with nothing, each with the posting that it may be.

        Args:
            statement_id: The statement's.
            most_days: How far apart the line and the posting may be.

        Raises:
            NotFoundError: This ledger has no such statement, or its import was undone.

        Database:
            Three SELECTs; no locks.
        """
        statement = await self.statement(statement_id)
        connection, ledger_id = self._scope.connection, self._scope.ledger_id
        rows = await connection.fetch(_UNMATCHED, ledger_id, statement_id)
        opened = [OpenLine(row["id"], row["date"], row["amount"]) for row in rows]
        found = await candidates(connection, ledger_id, statement.account_id, opened, most_days)
        return tuple(UnmatchedLine(**row, candidate=found.get(row["id"])) for row in rows)

    async def free_postings(
        self, account: Account | int, *, start_on: date | None = None, end_on: date | None = None
    ) -> tuple[FreePosting, ...]:
        """Return the postings of an account that no line is matched with, from *start_on* through *end_on*.

        Entries that were reversed, and their reversals, are left out.

        Database:
            One SELECT along an index; no locks.
        """
        account_id = account.id if isinstance(account, Account) else account
        rows = await self._scope.connection.fetch(_FREE, self._scope.ledger_id, account_id, start_on, end_on)
        return tuple(FreePosting(**row) for row in rows)

    async def balances(self) -> tuple[ClearedBalance, ...]:
        """Return for each account with statements what they confirm of its balance.

        Database:
            One SELECT, which looks up the match of every line; no locks.
        """
        rows = await self._scope.connection.fetch(_BALANCES, self._scope.ledger_id)
        return tuple(ClearedBalance(**row) for row in rows)

    async def match(self, line_id: int, entry_id: UUID, *, replace: bool = False) -> None:
        """Say that a line and an entry are the same event.

        Args:
            line_id: The id of the line.
            entry_id: An entry with a posting of the line's account and amount that no line is matched with.
            replace: Reverse the entry that the line is matched with so far, such as the one that its import posted
                beside one that was typed by hand.

        Raises:
            NotFoundError: This ledger has no such line, or its import was undone.
            AlreadyExistsError: The line is matched, and *replace* is not set.
            InvalidError: The entry has no such posting, was reversed, or is matched with another line.
            SealedError: The statement is reconciled, and the line's match would be taken back.

        Database:
            Four statements, and with *replace* what `uow.journal.reverse()` takes.
        """
        connection, ledger_id = self._scope.connection, self._scope.ledger_id
        await connection.execute(_LOCK, ledger_id)
        line = await connection.fetchrow(_LINE, ledger_id, line_id)
        if line is None or line["undone_at"] is not None:
            raise NotFoundError(f"this ledger has no statement line {line_id!r} whose import stands")
        if line["is_matched"] and not replace:
            raise AlreadyExistsError("match of this statement line")
        posting = await connection.fetchval(_POSTING, ledger_id, entry_id, line["account_id"], line["amount"])
        if posting is None:
            raise InvalidError(
                f"entry {entry_id} has no posting of the line's account and amount that stands and is not matched"
            )
        standing = await connection.fetchval(_STANDING, ledger_id, line_id)
        await connection.execute(_UNMATCH, ledger_id, line_id)
        if standing is not None:
            await JournalRepository(self._scope).reverse(standing)
        await connection.execute(_MATCH, ledger_id, line_id, entry_id, posting)

    async def accept(self, statement_id: int, *, most_days: int = MOST_DAYS) -> int:
        """Match each unmatched line of a statement with the posting that it may be; return how many that were.

        Raises:
            NotFoundError: This ledger has no such statement, or its import was undone.

        Database:
            What `unmatched_lines()` takes, and for each pair what `match()` takes.
        """
        found = [each for each in await self.unmatched_lines(statement_id, most_days=most_days) if each.candidate]
        for line in found:
            if line.candidate is not None:
                await self.match(line.id, line.candidate.entry_id)
        return len(found)

    async def unmatch(self, line_id: int) -> None:
        """Take back that a line is matched. The entry stays.

        Raises:
            NotFoundError: The line is matched with nothing.
            SealedError: Its statement is reconciled.

        Database:
            Two statements.
        """
        connection, ledger_id = self._scope.connection, self._scope.ledger_id
        await connection.execute(_LOCK, ledger_id)
        if await connection.execute(_UNMATCH, ledger_id, line_id) == "DELETE 0":
            raise NotFoundError(f"statement line {line_id!r} is matched with nothing")

    async def reconcile(self, statement_id: int) -> None:
        """Agree with a statement: from now on no match of its lines is taken back.

        Raises:
            NotFoundError: This ledger has no such statement, or its import was undone.
            SealedError: It is reconciled.
            InvalidError: Some of its lines are matched with nothing.

        Database:
            Three statements.
        """
        connection, ledger_id = self._scope.connection, self._scope.ledger_id
        await connection.execute(_LOCK, ledger_id)
        statement = await self.statement(statement_id)
        if statement.reconciled_at is not None:
            raise SealedError(f"statement {statement_id} is reconciled", "reopen it first")
        if statement.unmatched:
            raise InvalidError(
                f"lines of statement {statement_id} that are matched with nothing: {statement.unmatched};"
                " match them, or post what is missing"
            )
        await connection.execute(_RECONCILE, ledger_id, statement_id)

    async def reopen(self, statement_id: int) -> None:
        """Take back that a statement is reconciled.

        Raises:
            NotFoundError: It is not.

        Database:
            One DELETE.
        """
        if await self._scope.connection.execute(_REOPEN, self._scope.ledger_id, statement_id) == "DELETE 0":
            raise NotFoundError(f"statement {statement_id!r} is not reconciled")
