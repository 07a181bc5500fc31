"""Whole books of other programs: GnuCash, beancount, hledger and ledger, read and loaded into a ledger."""

from finance.foreign_books.books import (
    BookAccount,
    BookAssertion,
    BookCommodity,
    BookEntry,
    BookPosting,
    Books,
)
from finance.foreign_books.claims import FailedAssertion
from finance.foreign_books.loading import load_books
from finance.foreign_books.reading import Program, program_of, read_books
from finance.foreign_books.result import LoadedBooks

__all__ = [
    "BookAccount",
    "BookAssertion",
    "BookCommodity",
    "BookEntry",
    "BookPosting",
    "Books",
    "FailedAssertion",
    "LoadedBooks",
    "Program",
    "load_books",
    "program_of",
    "read_books",
]
