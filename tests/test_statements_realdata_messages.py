"""MT940, MT942 and CAMT files of real banks give the figures that independent readers computed.

The folder is not part of the project (see `test_statements_realdata`), and none of its files may ever be committed.
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from finance.errors import StatementFileError
from finance.statements import Statement, read_statements

from .test_statements_realdata import ABSENT, FOLDER

MT940 = sorted(FOLDER.glob("mt940/**/*.sta")) if FOLDER else []
CAMT = sorted(FOLDER.glob("camt/**/*.xml")) if FOLDER else []


def _ids(path: Path | None) -> str:
    return path.name if path else "absent"


def _expected(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(Path(f"{path}.expected.json").read_text("utf-8"))
    return document


@pytest.mark.parametrize("path", MT940 or [pytest.param(None, marks=ABSENT)], ids=_ids)
def test_mt940_gives_the_figures_of_mt_940(path: Path) -> None:
    """Account, count, sum, balances and whether they agree, of each message; and the sum of all by currency."""
    expected = _expected(path)
    file = read_statements(path)
    assert [_mt940(statement) for statement in file.statements] == expected["statements_split_on_20"]
    assert sum(len(statement.lines) for statement in file.statements) == expected["transactions"]
    ((currency, amount),) = expected["sum_amount"].items()
    assert {statement.currency for statement in file.statements} == {currency}
    assert sum(statement.sum for statement in file.statements) == Decimal(amount)
    assert file.format == ("mt942" if expected["statements_split_on_20"][0]["currency"] is None else "mt940")


def _mt940(statement: Statement) -> dict[str, Any]:
    stated = statement.opening_balance is not None
    return {
        "account": statement.account,
        "transactions": len(statement.lines),
        "sum": str(statement.sum),
        "opening": _text(statement.opening_balance),
        "closing": _text(statement.closing_balance),
        "currency": statement.currency if stated else None,  # mt-940 finds none where there is no balance
        "balances_agree": statement.adds_up,
    }


@pytest.mark.parametrize("path", CAMT or [pytest.param(None, marks=ABSENT)], ids=_ids)
def test_camt_gives_the_figures_of_its_elements(path: Path) -> None:
    """Account, count, sum, balances and whether they agree, of each statement; a file without any is refused."""
    expected = _expected(path)
    if not expected["statements"]:
        with pytest.raises(StatementFileError, match="holds no statement"):
            read_statements(path)
        return
    file = read_statements(path)
    assert f"{file.format}.001.{file.version}" == expected["namespace"].rpartition(":")[2]
    assert len(file.statements) == len(expected["statements"])
    for statement, figures in zip(file.statements, expected["statements"], strict=True):
        _check_camt(statement, figures)


def _check_camt(statement: Statement, figures: dict[str, Any]) -> None:
    assert statement.account == figures["account"]
    assert statement.currency == figures["currency"] or figures["currency"] is None
    assert [statement.currency] == figures["entry_currencies"]
    assert len(statement.lines) == figures["entries"]
    assert str(statement.sum) == figures["sum_entries_signed"]
    stated = {each["type"]: each["amount"] for each in figures["balances"] if each["ccy"] == statement.currency}
    assert _text(statement.opening_balance) == stated.get("OPBD")
    assert _text(statement.closing_balance) == stated.get("CLBD")
    assert bool(statement.adds_up) == figures.get("opening_plus_entries_equals_closing", False)


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount)
