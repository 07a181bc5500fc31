"""Bank statements and their lines, as they came."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select

from finance.integrity import translated
from finance.models import Statement, StatementLine
from finance.pagination import PAGE_SIZE, Page
from finance.repositories.base import Repository

_INSERT_LINES = """
INSERT INTO statement_lines (ledger_id, statement_id, account_id, currency, number, date, amount, kind, bank_id, type,
                             payee, memo, check_number, raw, fingerprint, occurrence, entry_id)
SELECT $1, $2, $3, $4, l.* FROM unnest($5::int[], $6::date[], $7::numeric[], $8::text[], $9::text[], $10::text[],
       $11::text[], $12::text[], $13::text[], $14::jsonb[], $15::bytea[], $16::int[], $17::uuid[]) AS l
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
            )
            .order_by(Statement.id.desc())
            .limit(1)
        )
        with translated():
            return await session.scalar(statement)

    async def occurrences(self, account_id: int, fingerprints: Sequence[bytes]) -> dict[bytes, int]:
        """Count the stored lines of an account with each of *fingerprints*; those without any are left out.

        Database:
            One SELECT along an index; no locks.
        """
        session = self._scope.require_open()
        statement = (
            select(StatementLine.fingerprint, func.count())
            .where(
                StatementLine.ledger_id == self._scope.ledger_id,
                StatementLine.account_id == account_id,
                StatementLine.fingerprint == func.any(list(fingerprints)),
            )
            .group_by(StatementLine.fingerprint)
        )
        with translated():
            rows = await session.execute(statement)
        return {row[0]: row[1] for row in rows}

    async def add_lines(self, statement: Statement, lines: Sequence[dict[str, Any]]) -> None:
        """Store the *lines* of *statement* for ever: mappings of a line's columns.

        Raises:
            AlreadyExistsError: A line with the same fingerprint and occurrence is stored.

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
