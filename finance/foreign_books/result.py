"""What loading books did, and what the user should know of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from finance.foreign_books.claims import FailedAssertion


@dataclass(frozen=True, slots=True)
class LoadedBooks:
    """What loading a file did.

    Attributes:
        file: The name of the file.
        program: Whose books they are.
        entries: Posted now.
        postings: Of these, with those on the accounts for conversions and rounding.
        known: Entries that an earlier load has posted.
        reworded: Of these, those that have other words, lots or lines in the file now; they stay as they were loaded.
        empty: Entries of the file that move nothing, left out.
        zeros: Postings of the file that are of zero, left out.
        accounts: Opened now.
        prices: Recorded now, new or other than before.
        assertions: Balances that the file claims.
        failed: Those of them that the books do not have.
        residuals: What all entries of the file are off at cost, by currency, exact.
        remarks: What else the user should know: what was not taken over.
    """

    file: str
    program: str
    entries: int
    postings: int
    known: int
    reworded: int
    empty: int
    zeros: int
    accounts: int
    prices: int
    assertions: int
    failed: tuple[FailedAssertion, ...]
    residuals: Mapping[str, Decimal]
    remarks: tuple[str, ...]
