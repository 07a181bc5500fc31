"""CSV and QIF through the command: a profile is proposed, looked at, and used."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from finance.statements import CsvProfile

from .command import SAMPLES, Run

GIRO, PROFILE, QIF = SAMPLES / "giro.csv", SAMPLES / "giro.toml", SAMPLES / "accounts.qif"

MINE = b"Date,Text,Amount\n01/02/2026,A,-5.00\n03/02/2026,B,6.00\n"


def test_proposed_profile_imports_the_file(run: Run, tmp_path: Path) -> None:
    """What standard output holds is a TOML file that fits; what is unsure is told on standard error, too."""
    csv, toml = tmp_path / "bank.csv", tmp_path / "bank.toml"
    csv.write_bytes(MINE)
    proposed = run("profile", csv, "--date-order", "dmy", "--currency", "EUR")
    toml.write_text(proposed.out, "utf-8")
    imported = run("import", csv, "--profile", toml, "--account", "Assets:Giro", "--json")
    again = run("import", csv, "--profile", toml, "--account", "Assets:Giro", "--json")

    assert proposed.status == 0
    assert "finance: account: no column says it" in proposed.err
    assert "# unsure: account: no column says it" in proposed.out
    assert [(each["added"], each["sum"], each["currency"]) for each in imported.document["statements"]] == [
        (2, "1.00", "EUR")
    ]
    assert [each["added"] for each in again.document["statements"]] == [0]
    assert run("verify", "--json").document["problems"] == []


def test_proposed_profile_is_a_document(run: Run) -> None:
    """With --json, the parts of the profile by their names."""
    document = run("profile", GIRO, "--json").document

    assert document["profile"]["columns"]["date"] == "Buchungstag"
    assert document["profile"]["date_format"] == "DD.MM.YYYY"
    assert all(isinstance(each, str) for each in document["unsure"])
    CsvProfile.from_toml(run("profile", GIRO).out)


def test_declared_profile_imports_the_file(run: Run) -> None:
    """The account is named by its kind and number; the sample's balances begin before the books."""
    outcome = run("import", GIRO, "--profile", PROFILE, "--json")

    assert [
        (each["account"], each["added"], each["opening_balance"], each["closing_balance"])
        for each in outcome.document["statements"]
    ] == [("Assets:Checking:DE02120300000000202051", 4, "16.00", "2311.67")]


def test_standard_input_is_a_table_as_well(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both commands read it."""
    for arguments in (["profile", "-", "--date-order", "dmy"], ["import", "-", "--profile", str(PROFILE)]):
        monkeypatch.setattr(
            sys, "stdin", io.TextIOWrapper(io.BytesIO(MINE if "profile" in arguments[0] else GIRO.read_bytes()))
        )
        assert run(*arguments).status == 0


def test_qif_takes_its_currency_from_the_command(run: Run) -> None:
    """The file does not say it."""
    refused = run("import", QIF)
    outcome = run("import", QIF, "--currency", "USD", "--json")

    assert (refused.status, "--currency" in refused.message) == (2, True)
    assert [(each["account"], each["sum"]) for each in outcome.document["statements"]] == [
        ("Assets:Checking:Checking", "932.50"),
        ("Liabilities:Credit Card:Visa", "-30.00"),
    ]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["import", str(GIRO)], "needs a profile: `finance profile FILE > bank.toml`"),
        (["import", str(GIRO), "--profile", "no-such.toml"], "no-such.toml: the profile cannot be read: No such file"),
        (["import", str(GIRO), "--profile", "pyproject.toml"], "pyproject.toml: the table [columns] is missing"),
        (["import", str(GIRO), "--profile", str(GIRO)], "giro.csv: not TOML"),
        (["import", str(QIF), "--currency", "usd"], "currency 'usd'"),
        (["import", str(QIF), "--date-order", "ymd"], "ymd"),
        (["profile", "no-such.csv"], "no-such.csv: the file cannot be read: No such file"),
        (["profile", str(SAMPLES / "xml-utf8.ofx")], "xml-utf8.ofx: "),
    ],
)
def test_bad_input_is_one_line_and_status_2(run: Run, arguments: list[str], reason: str) -> None:
    """It says what is wrong with which file, and prints no result."""
    outcome = run(*arguments)

    assert (outcome.status, outcome.out) == (2, "")
    assert reason in outcome.message
