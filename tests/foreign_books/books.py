"""Books made by hand, as a reader would have made them, and what became of them in a ledger."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from finance import JournalEntry, UnitOfWork
from finance.foreign_books import BookEntry, BookPosting, Books

NEEDS = {
    program: pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")
    for program in ("hledger", "ledger")
}


def posting(account: str, amount: str, currency: str = "EUR", weight: str | None = None, **more: Any) -> BookPosting:
    """Make a posting; a weight is written as "12.50 EUR"."""
    value, _, code = (weight or "").partition(" ")
    return BookPosting(
        account, Decimal(amount), currency, Decimal(value) if weight else None, code if weight else None, **more
    )


def entry(*postings: BookPosting, on: date = date(2020, 1, 1), line: int = 1, **more: Any) -> BookEntry:
    """Make an entry of the file books.test."""
    return BookEntry(on, more.pop("description", "Something"), postings, "books.test", line, **more)


def books(*entries: BookEntry, **more: Any) -> Books:
    """Make books of the file books.test."""
    return Books("books.test", "test", entries=entries, **more)


def lunch(amount: str = "12.50", **more: Any) -> BookEntry:
    """Make an entry of two postings."""
    return entry(posting("Expenses:Food", amount), posting("Assets:Cash", f"-{amount}"), **more)


async def balances(uow: UnitOfWork) -> dict[tuple[str, str], Decimal]:
    """Return what is on the accounts that have something on them, by name and currency."""
    rows = (await uow.reports.trial_balance()).rows
    return {(row.account, row.currency): row.balance for row in rows if row.balance}


def written(path: Path, lines: Sequence[str]) -> Path:
    """Write a file."""
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


async def labels(uow: UnitOfWork, entry: JournalEntry) -> tuple[str | None, list[str]]:
    """The names of an entry's payee and tags."""
    found = await uow.journal.get_one(entry.id)
    return found.payee.name if found.payee else None, [tag.name for tag in found.tags]
