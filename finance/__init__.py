"""The async data layer of a finance tracker: books that PostgreSQL itself keeps balanced.

async with DatabaseManager() as db:
    async with db.unit_of_work(ledger="Household") as uow:
        await uow.journal.post(NewEntry(...))
"""

from finance import errors
from finance.connection import Acquired, Connection, Event, Retried, StatementRun
from finance.database import DatabaseManager, Gap, Health, Listening, Notification, PoolStats, Retry
from finance.embedded import EmbeddedServer
from finance.errors import FinanceError, Outcome
from finance.models import (
    Account,
    AccountType,
    Currency,
    EntryKind,
    JournalEntry,
    Ledger,
    NewEntry,
    NewPosting,
    Posting,
    Statement,
    StatementLine,
)
from finance.money import Amount
from finance.pagination import Page
from finance.repositories import Posted
from finance.unit_of_work import UnitOfWork

__all__ = [
    "Account",
    "AccountType",
    "Acquired",
    "Amount",
    "Connection",
    "Currency",
    "DatabaseManager",
    "EmbeddedServer",
    "EntryKind",
    "Event",
    "FinanceError",
    "Gap",
    "Health",
    "JournalEntry",
    "Ledger",
    "Listening",
    "NewEntry",
    "NewPosting",
    "Notification",
    "Outcome",
    "Page",
    "PoolStats",
    "Posted",
    "Posting",
    "Retried",
    "Retry",
    "Statement",
    "StatementLine",
    "StatementRun",
    "UnitOfWork",
    "errors",
]


def __getattr__(name: str) -> str:
    if name == "__version__":
        # Not at import: reading the installed metadata takes a tenth of the package's import time.
        from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415

        try:
            return version("finance-ledger")
        except PackageNotFoundError:
            return "0+unknown"  # a checkout that was not installed
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
