"""`finance import` of MT940, MT942 and CAMT files."""

from __future__ import annotations

from pathlib import Path

import pytest

from .command import SAMPLES, Run

PAGES = SAMPLES / "pages.sta"


@pytest.mark.parametrize(
    ("name", "format_", "statements"),
    [
        ("pages.sta", "mt940", [(3, 3, "-49.10", "950.90"), (3, 3, "2532.10", "3483.00")]),
        ("interim.sta", "mt942", [(1, 1, "-12.00", None)]),
        ("statement.camt053.xml", "camt.053", [(3, 3, "1347.90", "1247.90"), (1, 1, "-0.500", None)]),
    ],
)
def test_messages_are_imported(run: Run, name: str, format_: str, statements: list[tuple[object, ...]]) -> None:
    """Each statement is told with its lines, its sum and its balance; the second time nothing is new."""
    first, again = (run("import", SAMPLES / name, "--json") for _ in range(2))

    told = [
        (each["lines"], each["added"], each["sum"], each["closing_balance"]) for each in first.document["statements"]
    ]
    assert (first.status, first.document["format"], told) == (0, format_, statements)
    assert {each["added"] for each in again.document["statements"]} == {0}
    assert run("verify", "--json").document["problems"] == []


def test_bank_that_contradicts_itself_is_told(run: Run, tmp_path: Path) -> None:
    """The import goes well: a wrong balance is the bank's to mend."""
    path = tmp_path / "odd.sta"
    path.write_bytes(PAGES.read_bytes().replace(b"EUR3483,00", b"EUR3483,10"))
    outcome = run("import", path)

    assert outcome.status == 0
    assert "figures do not add up: 950.90 before lines of 2532.10 is not the 3483.10 EUR that it closes" in outcome.err
    assert "do not add up" not in run("import", PAGES, "--ledger", "Other").err


def test_lines_that_are_not_booked_are_told(run: Run) -> None:
    """They come again when they are booked."""
    assert "lines that the bank has not booked yet, left out: 2" in run("import", SAMPLES / "interim.sta").err


def test_cut_off_file_is_refused(run: Run, tmp_path: Path) -> None:
    """One line says where, and no account is opened."""
    path = tmp_path / "cut.sta"
    path.write_bytes(PAGES.read_bytes().partition(b":62M:")[0])
    outcome = run("import", path)

    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.message == "cut.sta, line 13: the message has no closing balance (:62F:); the file was cut off"
    assert run("accounts", "--json").document == []
