"""Files that nobody of this project wrote, through the command, give the figures of independent readers.

The folder is not part of the project (`FINANCE_REALDATA` names it, or it is `shared/realdata` in a folder above this
one), and none of its files may ever be committed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from .command import CHECKOUT, Outcome, Run


def _folder() -> Path | None:
    named = os.environ.get("FINANCE_REALDATA")
    candidates = [Path(named)] if named else [above / "shared" / "realdata" for above in CHECKOUT.parents]
    return next((folder for folder in candidates if folder.is_dir()), None)


FOLDER = _folder()
FILES = sorted(FOLDER.glob("[oq]fx/**/*.[oq]fx")) if FOLDER else []
REASON = "no folder of real files: set FINANCE_REALDATA, or put shared/realdata above the checkout"

#: Broken on purpose: the whole line on standard error.
BROKEN = {
    "decimal_error.ofx": "decimal_error.ofx, line 37: transaction 1 (FITID 2000957249):"
    " TRNAMT '$120' is not a decimal number"
}
#: What no independent reader could read: count, sum, ledger balance, currency.
BETTER = {"ofx-v102-empty-tags.ofx": [(1, "12.34", None, "AUD")]}

Figures = Sequence[tuple[int, str, str | None, str | None]]


@pytest.mark.parametrize(
    "path",
    FILES or [pytest.param(None, marks=pytest.mark.skip(reason=REASON))],
    ids=lambda path: path.name if path else "absent",
)
def test_real_file_gives_the_figures_of_independent_readers(path: Path, run: Run) -> None:
    """Count, sum, ledger balance and currency of each statement agree; or one line says what is wrong with the file."""
    outcome = run("import", path, "--json")

    if path.name in BROKEN:
        assert (outcome.status, outcome.out, outcome.message) == (2, "", BROKEN[path.name])
        assert run("accounts", "--json").document == []
    else:
        assert outcome.status == 0
        assert _ours(outcome) == _expected(path)


@pytest.mark.skipif(not FILES, reason=REASON)
def test_all_real_files_again_add_nothing(run: Run) -> None:
    """All files into one ledger, twice: the second time nothing is new, and the books agree with themselves."""
    whole = [path for path in FILES if path.name not in BROKEN]
    first = [run("import", path, "--json").document for path in whole]
    before = run("balances", "--json").document
    again = [run("import", path, "--json").document for path in whole]

    assert sum(each["added"] for file in first for each in file["statements"]) > 0
    assert {each["added"] for file in again for each in file["statements"]} == {0}
    assert run("balances", "--json").document == before
    assert run("verify", "--json").document["problems"] == []


def _ours(outcome: Outcome) -> Figures:
    return sorted(
        (
            (each["lines"], each["sum"], each["closing_balance"], each["currency"])
            for each in outcome.document["statements"]
        ),
        key=str,
    )


def _expected(path: Path) -> Figures:
    """Return the figures that the independent readers agree on; some leave out accounts that are merely listed."""
    if path.name in BETTER:
        return BETTER[path.name]
    expected = json.loads(Path(f"{path}.expected.json").read_text("utf-8"))
    found = [_theirs(figures) for reader, figures in expected.items() if reader != "file" and isinstance(figures, list)]
    figures = max(found, key=len)
    assert all(each in ([], figures) for each in found)
    return figures


def _theirs(accounts: list[dict[str, Any]]) -> Figures:
    return sorted(
        (
            (
                account["transactions"],
                account["sum_amount"],
                None if account["ledger_balance"] in (None, "None") else account["ledger_balance"],
                account["currency"].upper() or None,
            )
            for account in accounts
        ),
        key=str,
    )
