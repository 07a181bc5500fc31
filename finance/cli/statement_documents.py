"""What `--json` prints of assertions, imports, rules and reconciliations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from finance.cli.documents import Document, as_written, padded
from finance.reports import AssertedBalance
from finance.repositories import ImportOverview
from finance.statements import UndoneImport


def assertions(found: Sequence[AssertedBalance], exponents: Mapping[str, int]) -> list[Document]:
    """Describe asserted balances."""
    return [
        {
            "id": each.id,
            "account": each.account,
            "currency": each.currency,
            "on": each.on.isoformat(),
            "kind": each.kind,
            "stated": as_written(each.stated),
            "books": padded(each.books, exponents[each.currency]),
            "difference": padded(each.difference, exponents[each.currency]),
            "holds": each.holds,
            "since": None if each.since is None else each.since.isoformat(),
            "held_on": None if each.held_on is None else each.held_on.isoformat(),
            "statement": each.statement_id,
            "file": each.file,
            "note": each.note,
        }
        for each in found
    ]


def imports(found: Sequence[ImportOverview]) -> list[Document]:
    """Describe imports."""
    return [
        {
            "id": each.id,
            "file": each.file,
            "format": each.format,
            "accounts": list(each.accounts),
            "lines": each.lines,
            "posted": each.posted,
            "imported_at": each.imported_at.isoformat(),
            "imported_by": each.imported_by,
            "undone_at": None if each.undone_at is None else each.undone_at.isoformat(),
            "undone_by": each.undone_by,
        }
        for each in found
    ]


def undone(found: UndoneImport) -> Document:
    """Describe what undoing an import did."""
    return {
        "id": found.id,
        "file": found.file,
        "lines": found.lines,
        "reversed": found.reversed,
        "replacements": found.replacements,
        "already_reversed": found.already_reversed,
    }
