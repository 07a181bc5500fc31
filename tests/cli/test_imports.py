"""Dry runs, imports taken back, and asserted balances, by the command."""

from __future__ import annotations

import csv
import io

from .command import CARD, SEVERAL, Outcome, Run


def listed(outcome: Outcome) -> list[dict[str, str]]:
    """Read what was printed as CSV."""
    assert outcome.status == 0, outcome.err
    return list(csv.DictReader(io.StringIO(outcome.out)))


def test_dry_run_lists_each_line_and_leaves_nothing(run: Run) -> None:
    """As a table, CSV and JSON; not even the ledger is there afterwards."""
    rows = listed(run("import", CARD, "--dry-run", "--csv", "--ledger", "Trial"))
    document = run("import", CARD, "--dry-run", "--json", "--ledger", "Trial").document
    table = run("import", CARD, "--dry-run", "--ledger", "Trial").out

    assert len(rows) == sum(each["lines"] for each in document["statements"]) > 0
    assert {row["decision"] for row in rows} == {"new"}
    assert {row["counter"] for row in rows} <= {"Expenses:Uncategorised", "Income:Uncategorised"}
    assert (document["dry_run"], document["import"]) == (True, None)
    assert "Decision" in table
    assert "no ledger 'Trial'" in run("imports", "--json", "--ledger", "Trial").message


def test_csv_is_of_a_dry_run(run: Run) -> None:
    """An import itself has no lines to list."""
    refused = run("import", CARD, "--csv")

    assert refused.status == 2
    assert "--dry-run" in refused.message


def test_import_is_listed_undone_and_brought_again(run: Run) -> None:
    """The balances are zero in between, and the same as before at the end."""
    run("import", SEVERAL)
    before = run("balances", "--json").document
    (listing,) = run("imports", "--json").document
    assert (listing["file"], listing["undone_at"]) == (SEVERAL.name, None)

    undone = run("imports", "undo", str(listing["id"]), "--json").document
    assert (undone["lines"], undone["reversed"]) == (listing["lines"], listing["posted"])
    assert {float(each["balance"]) for each in run("balances", "--json").document} == {0.0}
    again = run("imports", "undo", str(listing["id"]))
    assert again.status == 1
    assert "undone before" in again.message
    run("import", SEVERAL)

    assert run("balances", "--json").document == before
    assert [row["undone"] != "" for row in listed(run("imports", "--csv"))] == [True, False]


def test_assertions_are_listed_added_and_removed(run: Run) -> None:
    """The card's closing balance does not hold, because the books begin with the file."""
    imported = run("import", CARD, "--json").document["statements"][0]
    (claim,) = run("assertions", "--json").document
    assert (claim["kind"], claim["stated"], claim["file"]) == ("closing", imported["closing_balance"], CARD.name)
    assert claim["holds"] == imported["closing_balance_matches"]

    account, books = imported["account"], claim["books"]
    added = run("assertions", "add", account, books, "--on", claim["on"], "--note", "counted", "--json").document
    assert [(each["holds"], each["note"], each["difference"]) for each in added] == [(True, "counted", "0.00")]
    assert len(listed(run("assertions", "--csv", "--account", account))) == 2
    assert len(listed(run("assertions", "--csv", "--failing"))) == (not claim["holds"])
    assert run("assertions", "remove", str(added[0]["id"])).status == 0
    assert run("assertions", "remove", str(claim["id"])).status == 1
    assert len(run("assertions", "--json").document) == 1
    assert run("assertions", "add", account, "1.5e", "--on", claim["on"]).status == 2
