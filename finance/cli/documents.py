"""What `--json` prints: values as JSON has them, amounts as strings, days as ISO 8601 writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from finance.models import Account
from finance.reports import RegisterLine, Verification
from finance.statements import CsvProposal, LineDecision
from finance.statements.result import ImportResult, StatementResult

Document = dict[str, Any]


def padded(amount: Decimal, exponent: int) -> str:
    """Write *amount* with all the decimals of its currency: 42.1 euros are "42.10"."""
    return f"{amount:.{exponent}f}"


def account(row: Account, balance: str) -> Document:
    """Describe an account."""
    return {
        "id": row.id,
        "name": row.name,
        "type": row.type,
        "currency": row.currency,
        "balance": balance,
        "opened_on": _day(row.opened_on),
        "closed_on": _day(row.closed_on),
        **{name: row.details.get(name) for name in ("iban", "bic", "institution", "number")},
    }


def balance(row: Account, balance: str) -> Document:
    """Describe an account's balance."""
    return {"account": row.name, "currency": row.currency, "balance": balance}


def register(row: Account, lines: Sequence[RegisterLine], exponents: Mapping[str, int]) -> Document:
    """Describe the postings of an account."""
    exponent = exponents[row.currency]
    return {
        "account": row.name,
        "currency": row.currency,
        "lines": [
            {
                "date": line.date.isoformat(),
                "description": line.description,
                "memo": line.memo,
                "amount": padded(line.amount, exponent),
                "balance": padded(line.balance, exponent),
                "entry": str(line.entry_id),
            }
            for line in lines
        ],
    }


def verification(ledger: str, found: Verification) -> Document:
    """Describe what was checked, and what contradicts it."""
    return {
        "ledger": ledger,
        "accounts": found.accounts,
        "entries": found.entries,
        "postings": found.postings,
        "redacted": found.redacted,
        "problems": [
            {"rule": problem.rule, "subject": problem.subject, "found": problem.found} for problem in found.problems
        ],
    }


def imported(result: ImportResult) -> Document:
    """Describe what an import did."""
    return {
        "file": result.file,
        "format": result.format,
        "import": result.id,
        "dry_run": result.is_dry_run,
        "remarks": list(result.remarks),
        "statements": [_statement(statement) for statement in result.statements],
    }


def proposed(proposal: CsvProposal) -> Document:
    """Describe a profile that is proposed, by the names that its TOML file has."""
    return {"profile": proposal.profile.as_mapping(), "unsure": list(proposal.unsure)}


def _statement(statement: StatementResult) -> Document:
    return {
        "account": statement.account,
        "currency": statement.currency,
        "lines": statement.lines,
        "added": statement.added,
        "duplicates": statement.duplicates,
        "sum": as_written(statement.sum),
        "opening_balance": as_written(statement.opening_balance),
        "closing_balance": as_written(statement.closing_balance),
        "closing_balance_matches": statement.closing_balance_matches,
        "kept": statement.kept,
        "matched": statement.matched,
        "possible_matches": statement.possible_matches,
        **({"decisions": [_decision(each) for each in statement.decisions]} if statement.decisions else {}),
    }


def _decision(decision: LineDecision) -> Document:
    return {
        "number": decision.number,
        "date": decision.date.isoformat(),
        "amount": as_written(decision.amount),
        "text": decision.text,
        "decision": decision.decision,
        "counter": decision.counter,
        "payee": decision.payee,
        "tags": list(decision.tags),
        "rule": decision.rule,
        "entry": None if decision.entry is None else str(decision.entry),
        "reason": decision.reason,
    }


def as_written(amount: Decimal | None) -> str | None:
    """Write *amount* with the decimals that it came with, and never with an exponent."""
    return None if amount is None else f"{amount:f}"


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
