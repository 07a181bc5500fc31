"""Imports, bank statements and their lines, as they came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, exists, select

from finance.integrity import translated
from finance.models import Import, Statement, StatementLine
from finance.pagination import PAGE_SIZE, Page
from finance.repositories.base import Repository

# A line that became an entry is matched with its first posting; another one with the posting that is given.
_INSERT_LINES = """
WITH given AS MATERIALIZED (
    SELECT * FROM unnest($5::int[], $6::date[], $7::numeric[], $8::text[], $9::text[], $10::text[], $11::text[],
                         $12::text[], $13::text[], $14::jsonb[], $15::bytea[], $16::int[], $17::uuid[], $18::uuid[],
                         $19::int[])
               AS g(number, date, amount, kind, bank_id, type, payee, memo, check_number, raw, fingerprint, occurrence,
                    entry_id, matched_id, posting)
),
inserted AS (
    INSERT INTO statement_lines (ledger_id, statement_id, account_id, currency, number, date, amount, kind, bank_id,
                                 type, payee, memo, check_number, raw, fingerprint, occurrence, entry_id)
    SELECT $1, $2, $3, $4, number, date, amount, kind, bank_id, type, payee, memo, check_number, raw, fingerprint,
           occurrence, entry_id FROM given
    RETURNING id, number
)
INSERT INTO matches (ledger_id, line_id, entry_id, posting)
SELECT $1, i.id, coalesce(g.matched_id, g.entry_id), coalesce(g.posting, 1)
  FROM inserted AS i JOIN given AS g ON g.number = i.number
 WHERE g.kind = 'cash' AND (g.entry_id IS NOT NULL OR g.matched_id IS NOT NULL)
"""
_OCCURRENCES = """
SELECT fingerprint, occurrence FROM statement_lines
 WHERE ledger_id = $1 AND account_id = $2 AND fingerprint = ANY ($3) AND undone_at IS NULL
"""
_ORIGINS = """
SELECT l.fingerprint, l.occurrence, l.number, s.file_name, s.imported_at
  FROM statement_lines AS l JOIN statements AS s ON s.ledger_id = l.ledger_id AND s.id = l.statement_id
 WHERE l.ledger_id = $1 AND l.account_id = $2 AND l.fingerprint = ANY ($3) AND l.undone_at IS NULL
"""
_COLUMNS = (
    "number",
    "date",
    "amount",
    "kind",
    "bank_id",
    "type",
    "payee",
    "memo",
    "check_number",
    "raw",
    "fingerprint",
    "occurrence",
    "entry_id",
    "matched_id",
    "posting",
)


@dataclass(frozen=True, slots=True)
class LineOrigin:
    """The file that a stored line came with, its place in its statement, and when."""

    file: str
    number: int
    imported_at: datetime


def is_not_undone() -> ColumnElement[bool]:
    """Return the condition of a statement whose import stands."""
    return ~exists().where(
        Import.ledger_id == Statement.ledger_id, Import.id == Statement.import_id, Import.undone_at.is_not(None)
    )


class StatementRepository(Repository[Statement]):
    """The statements of this ledger, in the order in which they were imported."""

    model = Statement
    order = (Statement.id,)

    async def lines(
        self, statement: Statement | int, *, after: str | None = None, limit: int = PAGE_SIZE
    ) -> Page[StatementLine]:
        """Return up to *limit* lines that *statement* added, in its own order, behind the cursor *after*.

        Database:
            One SELECT along an index; no locks.
        """
        statement_id = statement.id if isinstance(statement, Statement) else statement
        return await _LineRepository(self._scope).page_of(statement_id, after, limit)

    async def latest_for(self, *, bank: str | None, bank_account: str) -> Statement | None:
        """Return the last imported statement of a bank's account, which says which account of the books it is.

        Those whose import was undone say nothing.

        Database:
            One SELECT along an index; no locks.
        """
        session = self._scope.require_open()
        statement = (
            select(Statement)
            .where(
                Statement.ledger_id == self._scope.ledger_id,
                Statement.bank_account == bank_account,
                Statement.bank.is_not_distinct_from(bank),
                is_not_undone(),
            )
            .order_by(Statement.id.desc())
            .limit(1)
        )
        with translated():
            return await session.scalar(statement)

    async def occurrences(self, account_id: int, fingerprints: Sequence[bytes]) -> set[tuple[bytes, int]]:
        """Return which occurrences of each of *fingerprints* an account has; lines that were undone do not count.

        Database:
            One SELECT along an index; no locks.
        """
        rows = await self._scope.connection.fetch(_OCCURRENCES, self._scope.ledger_id, account_id, list(fingerprints))
        return {(row["fingerprint"], row["occurrence"]) for row in rows}

    async def origins(self, account_id: int, fingerprints: Sequence[bytes]) -> dict[tuple[bytes, int], LineOrigin]:
        """Return where each stored occurrence of *fingerprints* came from; lines that were undone do not count.

        Database:
            One SELECT along indexes; no locks.
        """
        rows = await self._scope.connection.fetch(_ORIGINS, self._scope.ledger_id, account_id, list(fingerprints))
        return {
            (row["fingerprint"], row["occurrence"]): LineOrigin(row["file_name"], row["number"], row["imported_at"])
            for row in rows
        }

    async def add_lines(self, statement: Statement, lines: Sequence[dict[str, Any]]) -> None:
        """Store the *lines* of *statement* for ever: mappings of a line's columns, with numbers that differ.

        A line of cash with an `entry_id` is matched with the first posting of that entry; another one with the
        `posting` of the entry `matched_id`, where it has both.

        Raises:
            AlreadyExistsError: A line with the same fingerprint and occurrence is stored, or a posting is matched.
            InvalidError: A line and its posting differ in account or amount.

        Database:
            One INSERT.
        """
        columns = [[line[column] for line in lines] for column in _COLUMNS]
        await self._scope.connection.execute(
            _INSERT_LINES, self._scope.ledger_id, statement.id, statement.account_id, statement.currency, *columns
        )


class _LineRepository(Repository[StatementLine]):
    model = StatementLine
    order = (StatementLine.number, StatementLine.id)

    async def page_of(self, statement_id: int, after: str | None, limit: int) -> Page[StatementLine]:
        return await self._page(select(StatementLine).where(StatementLine.statement_id == statement_id), after, limit)
