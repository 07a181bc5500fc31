"""Files that nobody of this project wrote give the figures that independent readers computed.

The folder is not part of the project (`FINANCE_REALDATA` names it, or it is `shared/realdata` in a folder above this
one), and none of its files may ever be committed.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from finance.errors import StatementFileError
from finance.statements import Statement, read_statements


def _folder() -> Path | None:
    named = os.environ.get("FINANCE_REALDATA")
    candidates = [Path(named)] if named else [above / "shared" / "realdata" for above in Path(__file__).parents]
    return next((folder for folder in candidates if folder.is_dir()), None)


FOLDER = _folder()
FILES = sorted(FOLDER.glob("[oq]fx/**/*.[oq]fx")) if FOLDER else []
ABSENT = pytest.mark.skip(
    reason="no folder of real files: set FINANCE_REALDATA, or put shared/realdata above the checkout"
)

#: What the readers could not read: (account, currency, lines, sum, ledger balance), or words of the refusal.
BETTER = {"ofx-v102-empty-tags.ofx": [("12345678", "AUD", 1, "12.34", None)]}
BROKEN = {"decimal_error.ofx": "line 37: transaction 1 (FITID 2000957249): TRNAMT '$120' is not a decimal number"}

Figures = list[tuple[str, str | None, int, str, str | None]]


@pytest.mark.parametrize(
    "path", FILES or [pytest.param(None, marks=ABSENT)], ids=lambda path: path.name if path else "absent"
)
def test_real_file_gives_the_figures_of_independent_readers(path: Path) -> None:
    """Account, currency, count, sum and ledger balance agree with every reader that could read the file."""
    expected = json.loads(Path(f"{path}.expected.json").read_text("utf-8"))
    readers = [figures for reader, figures in expected.items() if reader != "file" and isinstance(figures, list)]
    if path.name in BROKEN:
        with pytest.raises(StatementFileError) as caught:
            read_statements(path)
        assert str(caught.value) == f"{path.name}, {BROKEN[path.name]}"
        return
    ours = _ours(path)
    assert readers or path.name in BETTER
    assert ours == BETTER.get(path.name, ours)
    for figures in readers:
        if figures:  # ofxtools leaves out the accounts that a file merely lists
            assert ours == _theirs(figures)


def _ours(path: Path) -> Figures:
    return sorted(map(_figures, read_statements(path).statements), key=str)


def _figures(statement: Statement) -> tuple[str, str | None, int, str, str | None]:
    balance = None if statement.closing_balance is None else str(statement.closing_balance)
    return statement.account, statement.currency, len(statement.lines), str(statement.sum), balance


def _theirs(accounts: list[dict[str, Any]]) -> Figures:
    return sorted(
        (
            (
                account["account"],
                account["currency"].upper() or None,
                account["transactions"],
                account["sum_amount"],
                None if account["ledger_balance"] in (None, "None") else account["ledger_balance"],
            )
            for account in accounts
        ),
        key=str,
    )


@pytest.mark.skipif(not FILES, reason="no folder of real files")
def test_html_entities_twice_escaped_are_kept() -> None:
    """What the bank escaped twice is resolved once."""
    path = next(path for path in FILES if path.name == "html-vals.qfx")
    (statement,) = read_statements(path).statements
    assert [line.payee for line in statement.lines] == ["000000000000000", "TPAY &lt;DEFTPYMT&gt;"]
    assert "B.C. HYDRO & POWER AUTHORITY" in (statement.lines[0].memo or "")


@pytest.mark.skipif(not FILES, reason="no folder of real files")
def test_listed_accounts_are_statements_without_lines() -> None:
    """A list of accounts opens nothing by itself: no currency, no lines."""
    path = next(path for path in FILES if path.name == "account_listing_aggregation.ofx")
    statements = read_statements(path).statements
    assert [statement.account_kind for statement in statements] == ["SAVINGS", "CHECKING", "CREDITLINE", "CREDITCARD"]
    assert {(statement.currency, statement.lines) for statement in statements} == {(None, ())}


@pytest.mark.skipif(not FILES, reason="no folder of real files")
def test_transfer_of_a_security_is_a_line_without_cash() -> None:
    """The line is told, its cash effect is nothing, and its figures are kept."""
    path = next(path for path in FILES if path.name == "tiaacref.ofx")
    (line,) = read_statements(path).statements[0].lines
    assert (line.kind, line.type, str(line.amount)) == ("security", "TRANSFER", "0")
    assert (line.raw["UNITS"], line.raw["TFERACTION"]) == ("0", "IN")
