"""Reports of periods, exports and their loading by the command."""

from __future__ import annotations

import asyncio
import csv
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from finance import DatabaseManager, NewEntry, NewPosting, UnitOfWork
from finance.exports import csv_lines
from tests.exporting.books import exported

from .command import Outcome, Run, ended, program
from .test_process import on_terminal

YEAR = ("--starts-on", "2026-01-01", "--ends-on", "2026-03-31")
ENTRIES = [
    ("2025-12-31", {"Assets:Bank:Giro": "100", "Equity:Opening": "-100"}),
    ("2026-01-02", {"Assets:Bank:Giro": "2000", "Income:Salary": "-3000", "Expenses:Tax": "1000"}),
    ("2026-01-31", {"Expenses:Food:Out": "12.50", "Expenses:Food:Shop": "30", "Assets:Bank:Giro": "-42.5"}),
    ("2026-03-03", {"Expenses:Food:Out": "7", "Liabilities:Card": "-7"}),
    ("2026-03-04", {"Assets:Bank:Yen JPY": "500", "Income:Gift JPY": "-500"}),
    ("2026-04-01", {"Expenses:Food:Out": "1000", "Assets:Bank:Giro": "-1000"}),
]


@pytest.fixture
def books(run: Run, dsn: str) -> Run:
    """The command on three months of books in euros and yen."""

    async def fill() -> None:
        async with DatabaseManager(dsn) as db, db.unit_of_work("main", base_currency="EUR") as uow:
            await _post(uow)

    asyncio.run(fill())
    return run


async def _post(uow: UnitOfWork) -> None:
    for day, lines in ENTRIES:
        postings = []
        for words, amount in lines.items():
            name, _, code = words.partition(" ")
            account = await uow.accounts.get_or_open(name, currency=code or "EUR")
            postings.append(NewPosting(account, amount))
        await uow.journal.post(NewEntry(datetime.fromisoformat(day).date(), "Something", postings))


def _euros(outcome: Outcome) -> Any:
    assert outcome.status == 0, outcome.err
    return next(each for each in outcome.document if each["currency"] == "EUR")


def _csv(outcome: Outcome) -> list[dict[str, str]]:
    assert outcome.status == 0, outcome.err
    return list(csv.DictReader(io.StringIO(outcome.out)))


def test_income_statement_is_told_in_three_forms(books: Run) -> None:
    """As a document, as CSV without totals, and as a listing with them; the yen have a statement of their own."""
    arguments = ("income-statement", *YEAR, "--depth", "2")

    assert books(*arguments, "--json").document == [
        {
            "starts_on": "2026-01-01",
            "ends_on": "2026-03-31",
            "currency": "EUR",
            "income": {"lines": [{"account": "Income:Salary", "amount": "3000.00"}], "total": "3000.00"},
            "expenses": {
                "lines": [
                    {"account": "Expenses:Food", "amount": "49.50"},
                    {"account": "Expenses:Tax", "amount": "1000.00"},
                ],
                "total": "1049.50",
            },
            "net": "1950.50",
        },
        {
            "starts_on": "2026-01-01",
            "ends_on": "2026-03-31",
            "currency": "JPY",
            "income": {"lines": [{"account": "Income:Gift", "amount": "500"}], "total": "500"},
            "expenses": {"lines": [], "total": "0"},
            "net": "500",
        },
    ]
    assert books(*arguments, "--csv").out.splitlines() == [
        "currency,section,account,amount",
        "EUR,Income,Income:Salary,3000.00",
        "EUR,Expenses,Expenses:Food,49.50",
        "EUR,Expenses,Expenses:Tax,1000.00",
        "JPY,Income,Income:Gift,500",
    ]
    listing = [line.split() for line in books(*arguments).out.splitlines()]
    assert ["EUR", "Expenses", "Total", "1049.50"] in listing
    assert ["EUR", "Net", "income", "1950.50"] in listing


def test_income_statement_by_month_has_a_column_for_each(books: Run) -> None:
    """February, in which nothing happened, too."""
    arguments = ("income-statement", *YEAR, "--by-month", "--depth", "1")
    document = _euros(books(*arguments, "--json"))

    assert document["months"] == ["2026-01", "2026-02", "2026-03"]
    assert document["expenses"] == {
        "lines": [{"account": "Expenses", "amounts": ["1042.50", "0.00", "7.00"]}],
        "totals": ["1042.50", "0.00", "7.00"],
    }
    assert document["net"] == ["1957.50", "0.00", "-7.00"]
    assert _csv(books(*arguments, "--csv"))[1] == {
        "currency": "EUR", "section": "Expenses", "account": "Expenses",
        "2026-01": "1042.50", "2026-02": "0.00", "2026-03": "7.00",
    }  # fmt: skip
    assert ["EUR", "Net", "income", "1957.50", "0.00", "-7.00"] in [
        line.split() for line in books(*arguments).out.splitlines()
    ]


def test_balance_sheet_rolls_up(books: Run) -> None:
    """By the first segments of the names, on a day."""
    arguments = ("balance-sheet", "--on", "2026-03-31", "--depth", "2")
    document = _euros(books(*arguments, "--json"))

    assert document["on"] == "2026-03-31"
    assert document["assets"] == {"lines": [{"account": "Assets:Bank", "amount": "2057.50"}], "total": "2057.50"}
    assert document["equity"]["lines"][-1] == {"account": "Net income", "amount": "1950.50"}
    assert _csv(books(*arguments, "--csv"))[1]["section"] == "Liabilities"
    assert ["EUR", "Equity", "Total", "2050.50"] in [line.split() for line in books(*arguments).out.splitlines()]


def test_net_worth_has_a_point_for_each_month(books: Run) -> None:
    """At each month's end, on the last day that is asked for, and per currency."""
    arguments = ("net-worth", "--starts-on", "2026-01-15", "--ends-on", "2026-03-20")
    document = _euros(books(*arguments, "--json"))

    assert [(each["on"], each["net"]) for each in document["points"]] == [
        ("2026-01-31", "2057.50"),
        ("2026-02-28", "2057.50"),
        ("2026-03-20", "2050.50"),
    ]
    assert document["points"][2]["liabilities"] == "7.00"
    assert [(each["currency"], each["net"]) for each in _csv(books(*arguments, "--csv"))][3:] == [
        ("JPY", "0"),
        ("JPY", "0"),
        ("JPY", "500"),
    ]
    assert "2026-02-28" in books(*arguments).out


def test_cash_flow_goes_from_opening_to_closing(books: Run) -> None:
    """What came in and what went out by counter-account."""
    arguments = ("cash-flow", *YEAR, "--under", "Assets:Bank", "--depth", "2")
    document = _euros(books(*arguments, "--json"))

    assert (document["opening"], document["inflow"], document["outflow"], document["closing"]) == (
        "100.00", "3000.00", "1042.50", "2057.50",
    )  # fmt: skip
    assert document["flows"][0] == {
        "account": "Income:Salary", "type": "income", "inflow": "3000.00", "outflow": "0.00",
    }  # fmt: skip
    rows = _csv(books(*arguments, "--csv"))
    assert [(row["account"], row["balance"]) for row in rows if row["balance"]][:2] == [
        ("Opening", "100.00"),
        ("Closing", "2057.50"),
    ]
    assert ["EUR", "Closing", "3000.00", "1042.50", "2057.50"] in [
        line.split() for line in books(*arguments).out.splitlines()
    ]


def test_spending_is_by_category(books: Run) -> None:
    """The largest first; the depth may be another."""
    assert [line["account"] for line in _euros(books("spending", *YEAR, "--json"))["lines"]] == [
        "Expenses:Tax",
        "Expenses:Food",
    ]
    assert [row["category"] for row in _csv(books("spending", *YEAR, "--depth", "3", "--csv"))][:3] == [
        "Expenses:Tax",
        "Expenses:Food:Shop",
        "Expenses:Food:Out",
    ]
    assert ["EUR", "Total", "1049.50"] in [line.split() for line in books("spending", *YEAR).out.splitlines()]


def test_period_is_this_year_unless_said(books: Run) -> None:
    """Through today."""
    document = books("income-statement", "--json").document[0]
    today = datetime.now(UTC).astimezone().date()

    assert document["starts_on"] == f"{today.year}-01-01"
    assert document["ends_on"] >= today.isoformat()
    assert books("spending", "--ends-on", "2025-06-30", "--json").document[0]["starts_on"] == "2025-01-01"


@pytest.mark.parametrize("command", ["income-statement", "balance-sheet", "net-worth", "cash-flow", "spending"])
def test_reports_are_tables_on_a_terminal(books: Run, dsn: str, command: str) -> None:
    """With a line under the titles, as every listing."""
    assert books(command).status == 0
    screen, status = on_terminal(command, FINANCE_DATABASE_URL=dsn, NO_COLOR="1", COLUMNS="100")

    assert status == 0
    assert "────" in screen


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["income-statement", "--starts-on", "2026-02-30"], "2026-02-30"),
        (["income-statement", "--starts-on", "2026-03-01", "--ends-on", "2026-02-01"], "before it starts"),
        (["income-statement", "--by-month", "--starts-on", "0001-01-01"], "months"),
        (["spending", "--depth", "0"], "depth"),
        (["net-worth", "--csv", "--json"], "--csv and --json"),
        (["cash-flow", "--under", "Assets:Nothing"], "no asset account 'Assets:Nothing'"),
        (["export", "--format", "pdf"], "pdf"),
        (["export", "--json"], "--output"),
        (["load", "no-such.csv"], "this ledger has entries"),
        (["load", "no-such.csv", "--ledger", "New"], "no-such.csv: the file cannot be read: No such file"),
        (["load", "README.md", "--ledger", "New"], "README.md, line 1: its first row is not entry_id"),
    ],
)
def test_bad_input_is_one_line(books: Run, arguments: list[str], reason: str) -> None:
    """With status 2, and no result; no ledger is made for it."""
    outcome = books(*arguments)

    assert (outcome.status, outcome.out) == (2, "")
    assert reason in outcome.message
    assert "no ledger 'New'" in books("accounts", "--ledger", "New").message


def test_the_name_of_an_exported_file_says_its_format(books: Run, tmp_path: Path) -> None:
    """A file for beancount holds no CSV, unless that was asked for."""
    file = tmp_path / "books.beancount"
    assert books("export", "--output", file, "--json").document["format"] == "beancount"
    assert file.read_bytes() == books("export", "--format", "beancount").out.encode()
    assert books("export", "--output", file, "--format", "csv", "--json").document["format"] == "csv"
    assert books("export", "--output", tmp_path / "books", "--json").document["format"] == "csv"


@pytest.mark.parametrize(("kind", "reason"), [("csv", "this ledger has entries"), ("beancount", "is not empty")])
def test_export_and_load_make_the_same_books(books: Run, tmp_path: Path, kind: str, reason: str) -> None:
    """Into a file or through a pipe; the copy's export is the same to the byte."""
    file, again = tmp_path / f"books.{kind}", tmp_path / f"again.{kind}"
    written = books("export", "--output", file, "--json")
    assert written.document == {"file": str(file), "format": kind, "bytes": file.stat().st_size}

    loaded = books("load", file, "--ledger", "Copy", "--json")
    assert loaded.document == {"file": f"books.{kind}", "ledger": "Copy", "entries": 6, "postings": 14, "accounts": 9}
    assert loaded.message == "made the ledger 'Copy', base currency EUR"
    assert f"again.{kind}: {kind}, " in books("export", "--ledger", "Copy", "--output", again).out

    assert again.read_bytes() == file.read_bytes() == books("export", "--format", kind).out.encode()
    assert books("balance-sheet", "--ledger", "Copy", "--json").document == books("balance-sheet", "--json").document
    refused = books("load", file, "--ledger", "Copy")
    assert (refused.status, reason in refused.message) == (2, True)
    assert sorted(path.name for path in tmp_path.iterdir()) == [again.name, file.name]


def test_a_new_ledger_has_the_base_currency_of_the_export(run: Run, tmp_path: Path) -> None:
    """Of the file for beancount, whatever its name; one with another base currency takes it not."""
    file = tmp_path / "books.txt"
    lines = [";; finance export 1: of nothing", 'option "operating_currency" "CHF"', "1970-01-01 commodity CHF"]
    file.write_text("\n".join([*lines, "  precision: 2"]))
    assert "base currency CHF" in run("load", file, "--ledger", "Swiss").message

    run("rules", "add", "--contains", "rent", "--payee", "Landlord", "--ledger", "Euro")
    refused = run("load", file, "--ledger", "Euro")
    assert (refused.status, "base currency 'CHF', and the ledger EUR: load" in refused.message) == (2, True)
    assert "'CHF', and the ledger EUR" in run("load", file, "--ledger", "New", "--base-currency", "EUR").message
    assert "no ledger 'New'" in run("accounts", "--ledger", "New").message


def test_export_that_fails_leaves_the_file_as_it_was(books: Run, tmp_path: Path) -> None:
    """A file is written whole or not at all, and nothing is left beside it."""
    file = tmp_path / "books.csv"
    file.write_text("before")

    assert books("export", "--output", file, "--database", "postgresql://u@127.0.0.1:1/x").status == 1
    for path in (tmp_path / "none" / "books.csv", tmp_path):
        refused = books("export", "--output", path)
        assert (refused.status, "cannot be written" in refused.message) == (2, True)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["before"]


def test_export_for_beancount(books: Run) -> None:
    """Every entry as a transaction."""
    text = books("export", "--format", "beancount").out

    assert "2026-01-01 open Income:Salary EUR\n" in text
    assert text.count(' * "Something"\n') == len(ENTRIES)


async def test_export_to_a_pipe_is_bytes(db: DatabaseManager, dsn: str) -> None:
    """Whatever the encoding of standard output, it is UTF-8 with the ends of lines as they are."""
    ledger = await db.ledgers.create("main", base_currency="EUR")
    async with db.unit_of_work(ledger) as uow:
        one = await uow.accounts.open("Assets:Käse", currency="EUR")
        two = await uow.accounts.open("Equity:Zwei", currency="EUR")
        await uow.journal.post(NewEntry(datetime(2026, 1, 1).date(), "Ж", [NewPosting(one, 1), NewPosting(two, -1)]))  # noqa: DTZ001

    outcome = ended(program("export", FINANCE_DATABASE_URL=dsn, PYTHONIOENCODING="ascii"))

    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out == (await exported(db, ledger, csv_lines)).replace("\r\n", "\n")


def test_spending_is_sorted_by_payee_and_tag(books: Run, dsn: str) -> None:
    """As a document, as CSV with an empty cell for what has none, and as a listing that says so."""
    asyncio.run(_label(dsn))

    document = _euros(books("spending", *YEAR, "--by", "payee", "--json"))
    assert document["lines"] == [{"payee": None, "amount": "1007.00"}, {"payee": "Rewe", "amount": "42.50"}]
    assert document["total"] == "1049.50"
    assert [tuple(row.values()) for row in _csv(books("spending", *YEAR, "--by", "tag", "--csv"))] == [
        ("EUR", "", "1007.00"),
        ("EUR", "food", "42.50"),
        ("EUR", "trip", "42.50"),
    ]
    listing = books("spending", *YEAR, "--by", "payee").out
    assert "(no payee)" in listing
    assert "Total" in listing


def test_spending_by_month_has_a_column_for_each(books: Run, dsn: str) -> None:
    """By category, payee and tag."""
    asyncio.run(_label(dsn))

    document = _euros(books("spending", *YEAR, "--by", "tag", "--by-month", "--json"))
    assert document["months"] == ["2026-01", "2026-02", "2026-03"]
    assert document["lines"][1] == {"tag": "food", "amounts": ["42.50", "0.00", "0.00"]}
    assert document["totals"] == ["1042.50", "0.00", "7.00"]
    rows = _csv(books("spending", *YEAR, "--by-month", "--csv"))
    assert rows[1] == {
        "currency": "EUR", "category": "Expenses:Food", "2026-01": "42.50", "2026-02": "0.00", "2026-03": "7.00",
    }  # fmt: skip
    assert "2026-02" in books("spending", *YEAR, "--by", "payee", "--by-month").out
    assert books("spending", "--by", "colour").status == 2


async def _label(dsn: str) -> None:
    async with DatabaseManager(dsn) as db, db.unit_of_work("main") as uow:
        entries = (await uow.journal.page()).items
        await uow.journal.label(entries[2], payee="Rewe", tags=["food", "trip"])


def test_net_worth_is_valued_in_one_currency(books: Run) -> None:
    """What has no rate is named, and not in the amounts."""
    arguments = ("net-worth", "--starts-on", "2026-01-15", "--ends-on", "2026-03-20", "--valued-in", "EUR")
    (document,) = books(*arguments, "--json").document

    assert document["quote"] == "EUR"
    assert document["points"][2] == {
        "on": "2026-03-20", "assets": "2057.50", "liabilities": "7.00", "net": "2050.50", "unpriced": ["JPY"],
    }  # fmt: skip
    assert _csv(books(*arguments, "--csv"))[2]["net"] == "2050.50"
    assert "JPY" in books(*arguments).out.splitlines()[-1]
