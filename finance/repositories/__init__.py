"""Repositories: one aggregate each, on one typed base. They never commit."""

from finance.repositories.accounts import AccountRepository
from finance.repositories.base import KnownCurrencies, Repository, Scope
from finance.repositories.currencies import CurrencyRepository
from finance.repositories.journal import JournalRepository, Posted
from finance.repositories.ledgers import LedgerRepository
from finance.repositories.postings import PostingRow
from finance.repositories.statements import StatementRepository

__all__ = [
    "AccountRepository",
    "CurrencyRepository",
    "JournalRepository",
    "KnownCurrencies",
    "LedgerRepository",
    "Posted",
    "PostingRow",
    "Repository",
    "Scope",
    "StatementRepository",
]
