"""Small sets of books, so that a test says only what it is about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from finance import Account, Amount, NewEntry, NewPosting, UnitOfWork

TODAY = date(2026, 11, 22)


@dataclass(frozen=True)
class Books:
    """Three accounts in euros."""

    checking: Account
    food: Account
    salary: Account


async def open_books(uow: UnitOfWork, prefix: str = "") -> Books:
    """Open the three accounts; *prefix* tells those of several tests in one ledger apart."""
    return Books(
        await uow.accounts.open(f"Assets:{prefix}Checking", currency="EUR"),
        await uow.accounts.open(f"Expenses:{prefix}Food", currency="EUR"),
        await uow.accounts.open(f"Income:{prefix}Salary", currency="EUR"),
    )


def entry(
    debit: Account | int, credit: Account | int, amount: Amount, *, on: date = TODAY, description: str = "Something"
) -> NewEntry:
    """Make an entry of two postings: *amount* on *debit*, its opposite on *credit*."""
    line = NewPosting(debit, amount)
    return NewEntry(on, description, [line, NewPosting(credit, line.value.copy_negate())])
