"""Budgets, schedules and forecasts by the command."""

from __future__ import annotations

import asyncio
import csv
import io
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyarrow.parquet import read_table

from finance import DatabaseManager, NewEntry, NewPosting

from .command import Run

OCTOBER = ("--starts-on", "2026-10-01")


@pytest.fixture
def books(run: Run, dsn: str) -> Run:
    """The command on books with some lunches of October and November, and a salary."""

    async def fill() -> None:
        async with DatabaseManager(dsn) as db, db.unit_of_work("main", base_currency="EUR") as uow:
            checking = await uow.accounts.open("Assets:Checking", currency="EUR")
            for name, day, amount in (
                ("Expenses:Food:Lunch", date(2026, 10, 5), "30"),
                ("Expenses:Food:Lunch", date(2026, 11, 5), "12.50"),
                ("Expenses:Rent", date(2026, 10, 1), "850"),
                ("Income:Salary", date(2026, 10, 1), "-1500"),
            ):
                account = await uow.accounts.get_or_open(name, currency="EUR")
                line = NewPosting(account, amount)
                postings = [line, NewPosting(checking, line.value.copy_negate())]
                await uow.journal.post(NewEntry(day, "Something", postings))

    asyncio.run(fill())
    return run


def rows(text: str) -> list[dict[str, str]]:
    """Read CSV."""
    return list(csv.DictReader(io.StringIO(text)))


def ok(books: Run, *arguments: str) -> Any:
    """Run the command, and return its document."""
    outcome = books(*arguments, "--json")
    assert outcome.status == 0, outcome.err
    return outcome.document


# --- budgets -----------------------------------------------------------------------------------------


def test_a_budget_is_set_changed_and_ended(books: Run) -> None:
    """Of a category that is only above accounts, which is opened; what is not given stays as it was."""
    first = books("budget", "set", "Expenses:Food", "100", *OCTOBER, "--rollover", "all")
    assert (first.status, first.message) == (
        0,
        "opened the account 'Expenses:Food' in EUR, above those that it stands for",
    )
    books("budget", "set", "Expenses:Food", "120.50", "--starts-on", "2026-12-01")

    assert ok(books, "budget", "list") == [
        {
            "account": "Expenses:Food", "currency": "EUR", "amount": "100.00", "period": "month", "rollover": "all",
            "starts_on": "2026-10-01", "ends_on": "2026-11-30",
        },
        {
            "account": "Expenses:Food", "currency": "EUR", "amount": "120.50", "period": "month", "rollover": "all",
            "starts_on": "2026-12-01", "ends_on": None,
        },
    ]  # fmt: skip
    assert [each["amount"] for each in ok(books, "budget", "list", "--on", "2026-12-24")] == ["120.50"]
    ended = books("budget", "end", "Expenses:Food", "--ends-on", "2026-11-30")
    assert "2026-11-30" in ended.out
    assert [each["ends_on"] for each in ok(books, "budget", "list")] == ["2026-11-30"]


def test_a_budget_starts_with_the_period_of_today(books: Run) -> None:
    """The calendar's, or that of the budget before; so it can be seen at once, and ended."""
    (quarter,) = ok(books, "budget", "set", "Expenses:Rent", "2550", "--period", "quarter")
    start = date.fromisoformat(quarter["starts_on"])
    assert (start.day, start.month % 3) == (1, 1)
    (week,) = ok(books, "budget", "set", "Expenses:Food:Lunch", "20", "--period", "week")
    assert date.fromisoformat(week["starts_on"]).weekday() == 0

    changed = ok(books, "budget", "set", "Expenses:Rent", "2600")

    assert [(each["starts_on"], each["amount"], each["period"]) for each in changed] == [
        (quarter["starts_on"], "2600.00", "quarter")
    ]
    assert {each["account"] for each in ok(books, "budget", "progress")["budgets"]} == {
        "Expenses:Rent",
        "Expenses:Food:Lunch",
    }
    (ended,) = ok(books, "budget", "end", "Expenses:Rent")
    assert ended["ends_on"] > ended["starts_on"]


def test_progress_is_told_in_three_forms(books: Run) -> None:
    """As a document, as CSV without totals, and as a listing with them."""
    books("budget", "set", "Expenses:Food", "100", *OCTOBER, "--rollover", "all")
    books("budget", "set", "Expenses:Rent", "850", *OCTOBER)
    asked = ("budget", "progress", "--starts-on", "2026-10-20", "--ends-on", "2026-11-20")

    document = ok(books, *asked)

    food, rent = document["budgets"]
    assert food["periods"][1] == {
        "starts_on": "2026-11-01", "ends_on": "2026-11-30", "budgeted": "100.00", "carried_in": "70.00",
        "spent": "12.50", "left": "157.50", "fraction": "0.0735",
    }  # fmt: skip
    assert (rent["account"], rent["within"], rent["periods"][0]["fraction"]) == ("Expenses:Rent", None, "1.0000")
    assert document["totals"] == [
        {
            "type": "expense", "currency": "EUR", "budgeted": "1900.00", "carried_in": "0.00", "spent": "892.50",
            "left": "1007.50", "fraction": "0.4697",
        }
    ]  # fmt: skip
    found = rows(books(*asked, "--csv").out)
    assert len(found) == 4
    assert found[1] == {
        "currency": "EUR", "account": "Expenses:Food", "starts on": "2026-11-01", "ends on": "2026-11-30",
        "budgeted": "100.00", "carried in": "70.00", "spent": "12.50", "left": "157.50", "fraction": "0.0735",
    }  # fmt: skip
    listing = [line.split() for line in books(*asked).out.splitlines()]
    assert ["EUR", "Total", "expense", "1900.00", "0.00", "892.50", "1007.50", "0.4697"] in listing


def test_progress_is_a_picture_and_a_table(books: Run, tmp_path: Path) -> None:
    """The periods of an account are one row of a picture, and each a row of a table."""
    books("budget", "set", "Expenses:Food", "25", *OCTOBER)
    books("budget", "set", "Expenses:Rent", "850", *OCTOBER)
    asked = ("budget", "progress", "--starts-on", "2026-10-20", "--ends-on", "2026-11-20")

    lines = books(*asked, "--plot").out.splitlines()
    written = books(*asked, "--output", tmp_path / "a.svg")
    table = books(*asked, "--output", tmp_path / "a.parquet")

    assert lines[:4] == ["Budgets · main", "2026-10-20 to 2026-11-20", "", "EUR"]
    assert lines[4].startswith("Expenses:Food")
    assert [line.split()[-3:] for line in lines[4:]] == [["42.50", "of", "50.00"], ["850.00", "of", "1,700.00"]]
    assert (written.status, table.status) == (0, 0)
    assert "42.50 of 50.00" in (tmp_path / "a.svg").read_text("utf-8")
    assert [row["spent"] for row in read_table(tmp_path / "a.parquet").to_pylist()] == [30, Decimal("12.5"), 850, 0]


def test_forecast_is_a_table(books: Run, tmp_path: Path) -> None:
    """Of Arrow, and in a locale."""
    asked = ("forecast", "Assets:Checking", "--on", "2026-11-10", "--ends-on", "2026-12-31")

    assert books(*asked, "--output", tmp_path / "a.arrow").status == 0
    assert books(*asked, "--output", tmp_path / "a.parquet").status == 0
    assert "31.12.2026" in books(*asked, "--locale", "de").out

    rows = read_table(tmp_path / "a.parquet").to_pylist()
    assert [(row["on"], row["balance"]) for row in rows][-1] == (date(2026, 12, 31), Decimal("607.5"))


# --- schedules ---------------------------------------------------------------------------------------

RENT = (
    "schedule", "add", "Rent", "850", "--from", "Assets:Checking", "--to", "Expenses:Rent", "--starts-on", "2026-10-31",
)  # fmt: skip


def test_a_schedule_is_added_and_posted_once(books: Run) -> None:
    """Month ends are right; a dry run posts nothing, and a second run neither."""
    (made,) = ok(books, *RENT, "--payee", "Landlord", "--tag", "home", "--tag", "fixed", "--weekends", "after")
    assert made["details"] == {"payee": "Landlord", "tags": ["home", "fixed"]}
    assert made["postings"] == [
        {"account": "Expenses:Rent", "currency": "EUR", "amount": "850.00"},
        {"account": "Assets:Checking", "currency": "EUR", "amount": "-850.00"},
    ]
    assert ok(books, "schedule", "list") == [made]

    due = ok(books, "schedule", "due", "--on", "2026-12-31")
    assert [(each["occurs_on"], each["posts_on"]) for each in due] == [
        ("2026-10-31", "2026-11-02"),
        ("2026-11-30", "2026-11-30"),
        ("2026-12-31", "2026-12-31"),
    ]
    through = ("schedule", "post", "--through", "2026-12-31")
    assert ok(books, *through, "--dry-run")["posted"] == due
    assert ok(books, *through) == {"posted": due, "refused": [], "left": 0}
    assert ok(books, *through) == {"posted": [], "refused": [], "left": 0}
    assert "-1942.50" in books("balances").out


def test_single_occurrences_are_skipped_changed_and_paused(books: Run) -> None:
    """A schedule is named by its description, its id, or the beginning of that."""
    (made,) = ok(books, *RENT)
    books("schedule", "skip", "Rent", "2026-10-31")
    changed = ("--amount", "900", "--posts-on", "2026-11-27", "--description", "Rent, raised")
    assert books("schedule", "change", made["id"][:30], "2026-11-30", *changed).status == 0
    assert [each["paused_on"] for each in ok(books, "schedule", "pause", made["id"], "--on", "2026-12-01")] == [
        "2026-12-01"
    ]

    due = ok(books, "schedule", "due", "--on", "2027-02-28")
    assert [(each["occurs_on"], each["posts_on"], each["description"]) for each in due] == [
        ("2026-11-30", "2026-11-27", "Rent, raised")
    ]
    assert due[0]["postings"][0]["amount"] == "900.00"
    books("schedule", "resume", "Rent", "--on", "2027-01-01")
    assert len(ok(books, "schedule", "due", "--on", "2027-02-28")) == 3
    assert ok(books, "schedule", "end", "Rent", "--ends-on", "2027-01-31")[0]["ends_on"] == "2027-01-31"
    listing = books("schedule", "due", "--on", "2027-02-28").out.splitlines()
    assert len(listing) == 3
    assert "Expenses:Rent 850.00 EUR, Assets:Checking -850.00 EUR" in listing[2]


def test_what_the_books_refuse_is_told(books: Run, dsn: str) -> None:
    """One line for each on standard error, status 1, and the others are posted."""
    books(*RENT)

    async def limit() -> None:
        async with DatabaseManager(dsn) as db:
            await db.execute("UPDATE accounts SET minimum_balance = -1000 WHERE name = 'Assets:Checking'")

    asyncio.run(limit())
    outcome = books("schedule", "post", "--through", "2026-11-30")

    assert outcome.status == 1
    assert "Rent, 2026-11-30" in outcome.message
    assert "minimum balance" in outcome.message
    assert len(outcome.out.splitlines()) == 2


# --- forecasts ---------------------------------------------------------------------------------------


def test_a_forecast_is_told_in_three_forms(books: Run) -> None:
    """With the first day on which an account is too low, by month or by day."""
    books(*RENT)
    asked = ("forecast", "Assets:Checking", "--on", "2026-11-10", "--ends-on", "2026-12-31")

    (document,) = ok(books, *asked)

    assert {key: document[key] for key in ("opening", "overdue", "held", "limit", "below_on", "lowest")} == {
        "opening": "607.50", "overdue": "-850.00", "held": "0.00", "limit": "0.00", "below_on": "2026-11-10",
        "lowest": "-1942.50",
    }  # fmt: skip
    assert document["points"] == [
        {"on": "2026-11-30", "change": "-1700.00", "balance": "-1092.50"},
        {"on": "2026-12-31", "change": "-850.00", "balance": "-1942.50"},
    ]
    found = rows(books(*asked, "--by-day", "--csv").out)
    assert (len(found), found[0]["balance"], found[0]["too low on"], found[1]["too low on"]) == (
        *(52, "-242.50", "2026-11-10"),
        "",
    )
    assert ["EUR", "Assets:Checking", "2026-11-30", "-1700.00", "-1092.50", "2026-11-10"] in [
        line.split() for line in books(*asked).out.splitlines()
    ]


def test_a_forecast_may_spend_what_is_budgeted(books: Run) -> None:
    """Out of the account that one names."""
    books("budget", "set", "Expenses:Food", "100", *OCTOBER)
    asked = ("forecast", "--on", "2026-11-10", "--ends-on", "2026-12-31")

    (document,) = ok(books, *asked, "--budgets-from", "Assets:Checking", "--holds")

    assert [each["change"] for each in document["points"]] == ["-87.50", "-100.00"]


# --- bad input ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("budget", "set", "Expenses:Foo", "5"), "Expenses:Food:Lunch"),
        (("budget", "set", "Expenses:Rent", "x"), "decimal number"),
        (("budget", "set", "Expenses:Rent", "NaN"), "not a finite number"),
        (("budget", "set", "Expenses:Rent", "1.005"), "more than the 2 decimals"),
        (("budget", "set", "Expenses:Rent", "5", "--period", "day"), "day"),
        (("budget", "end", "Expenses:Rent"), "no budget"),
        (("budget", "progress", "--csv", "--json"), "give one of them"),
        ((*RENT[:3], "1,50", *RENT[4:]), "decimal number"),
        ((*RENT, "--rule", "FREQ=HOURLY"), "FREQ"),
        ((*RENT, "--rule", "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30"), "BYMONTHDAY"),
        ((*RENT, "--ends-on", "2026-01-01"), "ends on"),
        (("schedule", "skip", "Nothing", "2026-10-31"), "no schedule"),
        (("forecast", "--on", "2026-11-10", "--ends-on", "2026-11-09"), "before it starts"),
        (("forecast", "Assets:Nobody"), "no account"),
    ],
)
def test_bad_input_is_one_line_and_status_2(books: Run, arguments: tuple[str, ...], reason: str) -> None:
    """It names what is wrong."""
    outcome = books(*arguments)

    assert (outcome.status, outcome.out) == (2, "")
    assert reason in outcome.message


def test_an_ambiguous_schedule_is_refused(books: Run) -> None:
    """Two of one description are told apart by their ids."""
    books(*RENT)
    books(*RENT)

    outcome = books("schedule", "pause", "Rent")

    assert (outcome.status, "2 schedules" in outcome.message) == (2, True)
