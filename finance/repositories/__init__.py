"""Repositories: one aggregate each, on one typed base. They never commit."""

from finance.repositories.accounts import AccountRepository
from finance.repositories.base import KnownCurrencies, Repository, Scope
from finance.repositories.budgets import BudgetRepository, BudgetTerm
from finance.repositories.currencies import CurrencyRepository
from finance.repositories.due import PostedDue, RefusedOccurrence
from finance.repositories.holds import HoldRepository, Placed, Settled
from finance.repositories.journal import Amended, JournalRepository
from finance.repositories.ledgers import LedgerRepository
from finance.repositories.occurrences import Occurrence
from finance.repositories.posting import Posted
from finance.repositories.postings import PostingRow
from finance.repositories.prices import PriceRepository
from finance.repositories.rates import Rate, Rates
from finance.repositories.revisions import Revision
from finance.repositories.schedules import ScheduleRepository
from finance.repositories.statements import StatementRepository

__all__ = [
    "AccountRepository",
    "Amended",
    "BudgetRepository",
    "BudgetTerm",
    "CurrencyRepository",
    "HoldRepository",
    "JournalRepository",
    "KnownCurrencies",
    "LedgerRepository",
    "Occurrence",
    "Placed",
    "Posted",
    "PostedDue",
    "PostingRow",
    "PriceRepository",
    "Rate",
    "Rates",
    "RefusedOccurrence",
    "Repository",
    "Revision",
    "ScheduleRepository",
    "Scope",
    "Settled",
    "StatementRepository",
]
