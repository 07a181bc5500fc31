"""The async data layer of a finance tracker: books that PostgreSQL itself keeps balanced.

async with DatabaseManager() as db:
    async with db.unit_of_work(ledger="Household") as uow:
        await uow.journal.post(NewEntry(...))
"""

from typing import TYPE_CHECKING, Any

from finance import errors
from finance.connection import Acquired, Connection, Event, Retried, StatementRun
from finance.database import DatabaseManager, Gap, Health, Listening, Notification, PoolStats, Retry
from finance.errors import FinanceError, Outcome
from finance.money import Amount
from finance.pagination import Page

if TYPE_CHECKING:
    from finance.embedded import EmbeddedServer
    from finance.journal import Erased, LaneStats, Mended, Rebuilt, Redacted
    from finance.models import (
        Account,
        AccountDetails,
        AccountType,
        Assertion,
        Budget,
        BudgetPeriod,
        Chart,
        Currency,
        EntryKind,
        Hold,
        HoldStatus,
        Import,
        JournalEntry,
        Ledger,
        NewAssertion,
        NewEntry,
        NewHold,
        NewPosting,
        NewPrice,
        NewRule,
        NewSchedule,
        Payee,
        Posting,
        Price,
        Rollover,
        Rule,
        Schedule,
        Statement,
        StatementLine,
        Tag,
        Weekends,
    )
    from finance.reports import Progress
    from finance.repositories import (
        Amended,
        BudgetTerm,
        Labels,
        Occurrence,
        Placed,
        Posted,
        PostedDue,
        PostingRow,
        Rate,
        Rates,
        RefusedOccurrence,
        Revision,
        Settled,
    )
    from finance.roles import RoleNames
    from finance.unit_of_work import UnitOfWork

__all__ = [
    "Account",
    "AccountDetails",
    "AccountType",
    "Acquired",
    "Amended",
    "Amount",
    "Assertion",
    "Budget",
    "BudgetPeriod",
    "BudgetTerm",
    "Chart",
    "Connection",
    "Currency",
    "DatabaseManager",
    "EmbeddedServer",
    "EntryKind",
    "Erased",
    "Event",
    "FinanceError",
    "Gap",
    "Health",
    "Hold",
    "HoldStatus",
    "Import",
    "JournalEntry",
    "Labels",
    "LaneStats",
    "Ledger",
    "Listening",
    "Mended",
    "NewAssertion",
    "NewEntry",
    "NewHold",
    "NewPosting",
    "NewPrice",
    "NewRule",
    "NewSchedule",
    "Notification",
    "Occurrence",
    "Outcome",
    "Page",
    "Payee",
    "Placed",
    "PoolStats",
    "Posted",
    "PostedDue",
    "Posting",
    "PostingRow",
    "Price",
    "Progress",
    "Rate",
    "Rates",
    "Rebuilt",
    "Redacted",
    "RefusedOccurrence",
    "Retried",
    "Retry",
    "Revision",
    "RoleNames",
    "Rollover",
    "Rule",
    "Schedule",
    "Settled",
    "Statement",
    "StatementLine",
    "StatementRun",
    "Tag",
    "UnitOfWork",
    "Weekends",
    "errors",
]


# Imported when first asked for: the models, and what stands on them, take as long to import as all the rest.
_LATER = {
    "EmbeddedServer": "finance.embedded",
    **dict.fromkeys(
        (
            "Amended", "BudgetTerm", "Labels", "Occurrence", "Placed", "Posted", "PostedDue", "PostingRow", "Rate",
            "Rates", "RefusedOccurrence", "Revision", "Settled",
        ),
        "finance.repositories",
    ),
    "Progress": "finance.reports",
    "RoleNames": "finance.roles",
    "UnitOfWork": "finance.unit_of_work",
    **dict.fromkeys(("Erased", "LaneStats", "Mended", "Rebuilt", "Redacted"), "finance.journal"),
    **dict.fromkeys(
        (
            "Account", "AccountDetails", "AccountType", "Assertion", "Budget", "BudgetPeriod", "Chart", "Currency",
            "EntryKind", "Hold", "HoldStatus", "Import", "JournalEntry", "Ledger", "NewAssertion", "NewEntry",
            "NewHold", "NewPosting", "NewPrice", "NewRule", "NewSchedule", "Payee", "Posting", "Price", "Rollover",
            "Rule", "Schedule", "Statement", "StatementLine", "Tag", "Weekends",
        ),
        "finance.models",
    ),
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _LATER:
        from importlib import import_module  # noqa: PLC0415

        found = globals()[name] = getattr(import_module(_LATER[name]), name)
        return found
    if name == "__version__":
        # Not at import: reading the installed metadata takes a tenth of the package's import time.
        from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415

        try:
            return version("finance-ledger")
        except PackageNotFoundError:
            return "0+unknown"  # a checkout that was not installed
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
