"""Repositories: one aggregate each, on one typed base. They never commit."""

from finance.repositories.accounts import UNSET, AccountRepository, Unset
from finance.repositories.assertions import AssertionRepository, Claim
from finance.repositories.base import KnownCurrencies, Repository, Scope
from finance.repositories.budgets import BudgetRepository, BudgetTerm
from finance.repositories.currencies import CurrencyRepository
from finance.repositories.due import PostedDue, RefusedOccurrence
from finance.repositories.holds import HoldRepository, Placed, Settled
from finance.repositories.imports import ImportOverview, ImportRepository
from finance.repositories.journal import Amended, JournalRepository
from finance.repositories.labels import Labels
from finance.repositories.ledgers import LedgerRepository
from finance.repositories.matching import Candidate, OpenLine
from finance.repositories.occurrences import Occurrence
from finance.repositories.payees import PayeeRepository
from finance.repositories.posting import Posted
from finance.repositories.postings import PostingRow
from finance.repositories.prices import PriceRepository
from finance.repositories.rates import Rate, Rates
from finance.repositories.reconciliation import (
    ClearedBalance,
    FreePosting,
    ReconciliationRepository,
    StatementState,
    UnmatchedLine,
)
from finance.repositories.revisions import Revision
from finance.repositories.rules import Proposal, RuledLine, RuleRepository
from finance.repositories.schedules import ScheduleRepository
from finance.repositories.statements import LineOrigin, StatementRepository, is_not_undone
from finance.repositories.tags import TagRepository

__all__ = [
    "UNSET",
    "AccountRepository",
    "Amended",
    "AssertionRepository",
    "BudgetRepository",
    "BudgetTerm",
    "Candidate",
    "Claim",
    "ClearedBalance",
    "CurrencyRepository",
    "FreePosting",
    "HoldRepository",
    "ImportOverview",
    "ImportRepository",
    "JournalRepository",
    "KnownCurrencies",
    "Labels",
    "LedgerRepository",
    "LineOrigin",
    "Occurrence",
    "OpenLine",
    "PayeeRepository",
    "Placed",
    "Posted",
    "PostedDue",
    "PostingRow",
    "PriceRepository",
    "Proposal",
    "Rate",
    "Rates",
    "ReconciliationRepository",
    "RefusedOccurrence",
    "Repository",
    "Revision",
    "RuleRepository",
    "RuledLine",
    "ScheduleRepository",
    "Scope",
    "Settled",
    "StatementRepository",
    "StatementState",
    "TagRepository",
    "UnmatchedLine",
    "Unset",
    "is_not_undone",
]
