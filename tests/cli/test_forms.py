"""Reports by the command as pictures, as files for data frames, and in a locale."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import polars
import pyarrow.parquet
import pytest

from finance.cli.terminal import Column, Listing

from .command import Run, ended, program
from .test_process import on_terminal
from .test_reports import YEAR, books

__all__ = ["books"]

REPORTS = ["income-statement", "balance-sheet", "trial-balance", "net-worth", "cash-flow", "spending"]
PICTURES = ["income-statement", "net-worth", "spending"]


def days(report: str) -> tuple[str, ...]:
    """The options that say of when a report is."""
    return ("--on", "2026-03-31") if report in {"balance-sheet", "trial-balance"} else YEAR


@pytest.mark.parametrize("report", PICTURES)
def test_picture_is_drawn_as_text(books: Run, report: str) -> None:
    """Not on a terminal: 80 columns, no escape sequences, a panel for each currency."""
    outcome = books(report, *days(report), "--plot")

    assert outcome.status == 0, outcome.err
    lines = outcome.out.splitlines()
    assert lines[0].endswith(" · main")
    assert lines[1].startswith("2026-01")
    assert "█" in outcome.out
    assert "\x1b" not in outcome.out
    assert max(map(len, lines)) <= 80
    assert ("JPY" in outcome.out) == (report != "spending")


def test_picture_fits_the_terminal(books: Run, dsn: str) -> None:
    """In 40 columns, in colour unless the user declined (NO_COLOR) or the terminal has none."""
    assert books("accounts").status == 0
    arguments = ("income-statement", *YEAR, "--plot")
    environment = {"FINANCE_DATABASE_URL": dsn, "COLUMNS": "40", "LINES": "24"}

    coloured, status = on_terminal(*arguments, **environment)
    plain, _ = on_terminal(*arguments, NO_COLOR="1", **environment)
    dumb, _ = on_terminal(*arguments, **environment | {"TERM": "dumb"})

    assert status == 0
    assert "\x1b[38;5;74m" in coloured
    assert plain == dumb
    assert "\x1b" not in plain
    assert max(len(line) for line in plain.splitlines()) <= 40
    assert "Income above" in plain


def test_terminal_that_has_no_signs_is_told(books: Run, dsn: str) -> None:
    """A picture of escapes would be none."""
    assert books("accounts").status == 0

    outcome = ended(program("net-worth", *YEAR, "--plot", FINANCE_DATABASE_URL=dsn, PYTHONIOENCODING="ascii"))

    assert (outcome.status, outcome.out) == (2, "")
    assert "standard output is ascii, which has no signs to draw with" in outcome.message


@pytest.mark.parametrize("report", PICTURES)
def test_picture_becomes_a_file(books: Run, tmp_path: Path, report: str) -> None:
    """PNG or SVG by the name; the same bytes again; --json describes the file."""
    png, svg = tmp_path / "a.PNG", tmp_path / "a.svg"

    assert books(report, *days(report), "--output", png).out == f"{png}: png, {png.stat().st_size} bytes\n"
    document = books(report, *days(report), "--output", svg, "--json").document
    first = svg.read_bytes()
    books(report, *days(report), "--output", svg)

    assert document == {"file": str(svg), "format": "svg", "bytes": len(first)}
    assert svg.read_bytes() == first
    assert png.read_bytes().startswith(b"\x89PNG")
    assert "1,049.50" in first.decode() or "EUR" in first.decode()


def test_picture_of_one_currency(books: Run, tmp_path: Path) -> None:
    """The others are left out; one that is not there is told."""
    outcome = books("net-worth", *YEAR, "--plot", "--currency", "JPY")
    refused = books("net-worth", *YEAR, "--output", tmp_path / "a.png", "--currency", "USD")

    assert "JPY" in outcome.out
    assert "EUR" not in outcome.out
    assert (refused.status, refused.message) == (2, "nothing to draw in USD; there is EUR, JPY")
    assert list(tmp_path.iterdir()) == []


def test_picture_of_nothing_is_one(books: Run, tmp_path: Path) -> None:
    """There is nothing in these years."""
    years = ("--starts-on", "1999-01-01", "--ends-on", "1999-12-31")
    assert "Nothing to show" in books("spending", *years, "--plot").out
    assert books("spending", *years, "--output", tmp_path / "a.png").status == 0


@pytest.mark.parametrize("report", REPORTS)
def test_report_becomes_a_table_of_arrow(books: Run, tmp_path: Path, report: str) -> None:
    """Parquet, with the very amounts that --json has, in the decimals of the finest currency."""
    file = tmp_path / "a.parquet"

    outcome = books(report, *days(report), "--output", file)

    assert outcome.out == f"{file}: parquet, {file.stat().st_size} bytes\n"
    table = pyarrow.parquet.read_table(file)
    amounts = [field.name for field in table.schema if str(field.type) == "decimal128(38, 2)"]
    assert amounts
    text = json.dumps(books(report, *days(report), "--json").document)
    for row in table.to_pylist():
        for name in set(amounts) - {"balance"} | ({"balance"} if report == "cash-flow" else set()):
            if row[name] is not None:
                assert f'"{row[name]:.{0 if row["currency"] == "JPY" else 2}f}"' in text


def test_journal_becomes_a_table_of_arrow(books: Run, tmp_path: Path) -> None:
    """Every posting; the name alone says what the file is."""
    parquet, arrow = tmp_path / "a.parquet", tmp_path / "a.arrow"

    described = books("export", "--output", parquet, "--json").document
    books("export", "--output", arrow)
    refused = books("export", "--output", parquet, "--format", "csv")

    frame = polars.read_parquet(parquet)
    assert described == {"file": str(parquet), "format": "parquet", "bytes": parquet.stat().st_size}
    assert frame.height == 14
    assert frame["amount"].sum() == 0
    assert polars.read_ipc(arrow).equals(frame)
    assert (refused.status, "leave --format out" in refused.message) == (2, True)


def test_register_in_all_its_forms(books: Run, tmp_path: Path) -> None:
    """The listing for people, CSV with everything of a line, a table of Arrow, and a locale."""
    arguments = ("register", "Assets:Bank:Giro")

    first = books(*arguments, "--csv").out.splitlines()[:2]
    assert first[0] == "date,description,memo,amount,balance,entry,currency"
    assert first[1].startswith("2025-12-31,Something,,100.00,100.00,")
    assert first[1].endswith(",EUR")
    assert books(*arguments, "--output", tmp_path / "a.parquet").status == 0
    assert pyarrow.parquet.read_table(tmp_path / "a.parquet").column("balance").to_pylist()[-1] == pytest.approx(1057.5)
    shown = books(*arguments, "--locale", "de").out
    assert "31.12.2025" in shown
    assert "2.100,00" in shown


def test_trial_balance_is_told_in_three_forms(books: Run) -> None:
    """Debits equal credits in each currency."""
    document = books("trial-balance", "--on", "2026-03-31", "--json").document
    rows = books("trial-balance", "--on", "2026-03-31", "--csv").out.splitlines()
    listing = [line.split() for line in books("trial-balance", "--on", "2026-03-31").out.splitlines()]

    assert document["on"] == "2026-03-31"
    assert {"currency": "EUR", "debit": "3107.00", "credit": "3107.00"} in document["totals"]
    assert rows[:2] == ["currency,account,type,debit,credit", "EUR,Assets:Bank:Giro,asset,2057.50,0.00"]
    assert len(rows) == 1 + len(document["accounts"])
    assert ["JPY", "Total", "500", "500"] in listing


def test_tables_are_written_in_a_locale(books: Run) -> None:
    """Amounts, days and months; JSON and CSV stay as machines read them; without the option nothing changes."""
    monthly = books("income-statement", *YEAR, "--by-month", "--locale", "de").out
    worth = books("net-worth", *YEAR, "--locale", "en_GB").out
    hebrew = books("net-worth", *YEAR, "--locale", "he").out

    assert "März 2026" in monthly
    assert "1.957,50" in monthly
    assert "31 Jan 2026" in worth
    assert "2,057.50" in worth
    assert "\\u200" not in hebrew
    assert "2.057,50" in books("balances", "--locale", "de", "--on", "2026-03-31").out
    assert "2.057,50" not in books("balances", "--on", "2026-03-31").out
    assert "1.057,50" in books("accounts", "--locale", "de").out
    early = books(
        "income-statement", "--by-month", "--starts-on", "0900-01-01", "--ends-on", "0900-02-28", "--locale", "de"
    )
    assert "Feb. 900" in early.out
    for form in ("--json", "--csv"):
        assert books("net-worth", *YEAR, form, "--locale", "de").out == books("net-worth", *YEAR, form).out


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["net-worth", "--plot", "--csv"], "--csv and --plot are 2 forms of one answer: give one of them"),
        (["net-worth", "--plot", "--json"], "--plot and --json are 2 forms of one answer: give one of them"),
        (["net-worth", "--plot", "--output", "{tmp}/a.png"], "--plot and --output are 2 forms of one answer"),
        (["spending", "--csv", "--json", "--output", "{tmp}/a.png"], "--csv and --json and --output are 3 forms"),
        (["net-worth", "--output", "{tmp}/a.pdf"], "a.pdf: the name of the file ends with none of .png, .svg"),
        (["cash-flow", "--output", "{tmp}/a.png"], "a.png: the name of the file ends with none of .parquet, .arrow"),
        (["net-worth", "--output", "{tmp}/nowhere/a.png"], "the file cannot be written: No such file or directory"),
        (["net-worth", "--output", "{tmp}"], "ends with none of"),
        (["net-worth", "--locale", "xx_YY"], "locale 'xx_YY' is not one that CLDR knows"),
        (["balances", "--locale", "klingon"], "locale 'klingon' is not one that CLDR knows"),
        (["cash-flow", "--plot"], "--plot"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_status_2(books: Run, tmp_path: Path, arguments: list[str], reason: str) -> None:
    """It says what is wrong, and writes nothing."""
    outcome = books(*(argument.format(tmp=tmp_path) for argument in arguments))

    assert (outcome.status, outcome.out) == (2, "")
    assert reason in outcome.message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "library", "extra"),
    [
        ("net-worth --plot", "plotext", "plots"),
        ("net-worth --output a.png", "matplotlib", "plots"),
        ("net-worth --output a.parquet", "pyarrow", "dataframe"),
        ("export --output a.arrow", "pyarrow", "dataframe"),
        ("balances --locale de", "babel", "fmt"),
    ],
)
def test_missing_extra_is_named(
    books: Run, monkeypatch: pytest.MonkeyPatch, arguments: str, library: str, extra: str
) -> None:
    """What to install stands in the one line, and no file is written."""
    monkeypatch.setitem(sys.modules, library, None)

    outcome = books(*arguments.split())

    assert (outcome.status, outcome.out) == (2, "")
    assert f"pip install 'finance-ledger[{extra}]'" in outcome.message
    assert not Path(arguments.rpartition(" ")[2]).exists()


def test_help_names_the_forms(run: Run) -> None:
    """Of a report with a picture."""
    shown = run("net-worth", "--help").out

    assert all(option in shown for option in ("--plot", "--output", "--csv", "--locale", "--currency", "--json"))


def test_listing_of_no_amounts_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty cells, and text that looks like an amount."""
    monkeypatch.setenv("COLUMNS", "80")
    from finance.cli.localised import localised  # noqa: PLC0415 - beside its use

    listing: Any = Listing(
        [Column("Name"), Column("Amount", is_amount=True), Column("On", is_day=True)], [["1.5", "", ""]]
    )

    assert localised(listing, "de").rows == [["1.5", "", ""]]
