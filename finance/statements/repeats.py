"""Statements that a file has twice, as when downloads were joined, or reports of one day each begin anew."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from finance.statements.statement import Statement, StatementFile


def without_copies(file: StatementFile) -> StatementFile:
    """Return *file* without the statements that are a copy of an earlier one; its remarks say what was found.

    A statement that begins with another balance than it ends with cannot follow itself: an equal one is the same one,
    unless a statement between them leads back to its beginning. Where there are no balances that prove it, equal lines
    are taken as they are, and told.
    """
    kept: list[Statement] = []
    for statement in file.statements:
        if not _is_copy(statement, kept):
            kept.append(statement)
    copies = len(file.statements) - len(kept)
    return replace(file, statements=tuple(kept), remarks=(*file.remarks, *_remarks(copies, _repeated(kept))))


def _is_copy(statement: Statement, kept: list[Statement]) -> bool:
    opening, closing = statement.opening_balance, statement.closing_balance
    if opening is None or closing is None or opening == closing or statement not in kept:
        return False
    between = kept[kept.index(statement) + 1 :]
    return not any(_account(each) == _account(statement) and each.closing_balance == opening for each in between)


def _repeated(statements: list[Statement]) -> int:
    """Count the lines with an id of the bank that an earlier statement of the same account has alike."""
    seen: set[object] = set()
    count = 0
    for statement in statements:
        marks = {(*_account(statement), line.bank_id, line.date, line.amount, line.kind) for line in statement.lines}
        marks = {mark for mark in marks if mark[3] is not None}
        count += len(marks & seen)
        seen |= marks
    return count


def _account(statement: Statement) -> tuple[str | None, str, str | None]:
    return statement.bank, statement.account, statement.currency


def _remarks(copies: int, repeated: int) -> Iterator[str]:
    if copies:
        yield f"statements that are copies of an earlier one in it, left out: {copies}"
    if repeated:
        yield (
            "lines that an earlier statement in it has with the same id of the bank, date and amount, each taken for"
            f" another one: {repeated}; where every report has all lines of its day, import the last report alone"
        )
