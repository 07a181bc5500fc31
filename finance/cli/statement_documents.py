"""What `--json` prints of assertions, imports, rules and reconciliations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from finance.cli.documents import Document, as_written, padded
from finance.models import Rule
from finance.reports import AssertedBalance
from finance.repositories import (
    ClearedBalance,
    FreePosting,
    ImportOverview,
    Proposal,
    StatementState,
    UnmatchedLine,
)
from finance.statements import RuledEntry, UndoneImport


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


def rule(row: Rule, names: Mapping[int, str]) -> Document:
    """Describe a rule; *names* are those of the accounts by their ids."""
    return {
        "id": row.id,
        "position": row.position,
        "comparison": row.comparison,
        "text": row.text,
        "direction": row.direction,
        "minimum": as_written(row.minimum),
        "maximum": as_written(row.maximum),
        "account": None if row.account_id is None else names[row.account_id],
        "currency": row.currency,
        "counter": None if row.counter_id is None else names[row.counter_id],
        "payee": row.payee,
        "tags": list(row.tags),
    }


def proposal(found: Proposal) -> Document:
    """Describe what a rule proposes."""
    return {"rule": found.rule, "counter": found.counter, "payee": found.payee, "tags": list(found.tags)}


def ruled(found: RuledEntry) -> Document:
    """Describe an entry that a rule decided on."""
    return {
        "entry": str(found.entry_id),
        "date": found.date.isoformat(),
        "description": found.description,
        "account": found.account,
        "currency": found.currency,
        "amount": as_written(found.amount),
        "counter": found.counter,
        "payee": found.payee,
        "tags": list(found.tags),
        "rule": found.rule,
        "replacement": None if found.replacement_id is None else str(found.replacement_id),
    }


def state(found: StatementState) -> Document:
    """Describe how far a statement is reconciled."""
    return {
        "id": found.id,
        "account": found.account,
        "currency": found.currency,
        "file": found.file,
        "first_on": None if found.first_on is None else found.first_on.isoformat(),
        "last_on": None if found.last_on is None else found.last_on.isoformat(),
        "lines": found.lines,
        "unmatched": found.unmatched,
        "closing_balance": as_written(found.closing_balance),
        "closing_on": None if found.closing_on is None else found.closing_on.isoformat(),
        "state": found.state,
    }


def left_over(
    found: StatementState, lines: Sequence[UnmatchedLine], postings: Sequence[FreePosting], exponent: int
) -> Document:
    """Describe a statement with the lines and the postings that are matched with nothing."""
    return {
        **state(found),
        "unmatched_lines": [
            {
                "id": each.id,
                "number": each.number,
                "date": each.date.isoformat(),
                "amount": padded(each.amount, exponent),
                "text": each.text,
                "candidate": None if each.candidate is None else str(each.candidate.entry_id),
            }
            for each in lines
        ],
        "unmatched_postings": [
            {
                "entry": str(each.entry_id),
                "posting": each.posting,
                "date": each.date.isoformat(),
                "amount": padded(each.amount, exponent),
                "description": each.description,
            }
            for each in postings
        ],
    }


def cleared(found: ClearedBalance, exponent: int) -> Document:
    """Describe how much of an account's balance statements confirm."""
    return {
        "account": found.account,
        "currency": found.currency,
        "balance": padded(found.balance, exponent),
        "cleared": padded(found.cleared, exponent),
        "reconciled": padded(found.reconciled, exponent),
        "uncleared": padded(found.uncleared, exponent),
    }
