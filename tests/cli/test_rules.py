"""Rules and reconciling by the command."""

from __future__ import annotations

import asyncio
import csv
import io
from datetime import date

from finance import DatabaseManager, NewEntry, NewPosting

from .command import CARD, SEVERAL, Outcome, Run


def listed(outcome: Outcome) -> list[dict[str, str]]:
    """Read what was printed as CSV."""
    assert outcome.status == 0, outcome.err
    return list(csv.DictReader(io.StringIO(outcome.out)))


def test_rules_are_added_tried_applied_and_removed(run: Run) -> None:
    """What was imported before them is amended; what comes after is booked by them."""
    run("import", CARD)
    before = {each["account"]: each["balance"] for each in run("balances", "--json").document}
    added = run(
        *("rules", "add", "--matches", ".", "--direction", "out", "--counter", "Expenses:Card", "--payee", "Somebody"),
        *("--tag", "a", "--tag", "b", "--currency", "USD", "--json"),
    )
    assert added.status == 0, added.err
    (rule,) = added.document
    assert (rule["comparison"], rule["text"], rule["counter"], rule["tags"]) == (
        "matches",
        ".",
        "Expenses:Card",
        ["a", "b"],
    )
    assert [row["condition"] for row in listed(run("rules", "--csv"))] == ["matches '.', money out, in USD"]
    (tried,) = run("rules", "try", "Anything", "-5", "--currency", "USD", "--json").document
    assert (tried["rule"], tried["counter"]) == (rule["id"], "Expenses:Card")
    assert run("rules", "try", "Anything", "5", "--json").document == []

    dry = run("rules", "apply", "--dry-run", "--json").document
    assert {each["replacement"] for each in dry} == {None}
    applied = listed(run("rules", "apply", "--csv"))
    after = {each["account"]: each["balance"] for each in run("balances", "--json").document}
    assert len(applied) == len(dry) > 0
    assert after["Expenses:Card"] == before["Expenses:Uncategorised"]
    assert float(after["Expenses:Uncategorised"]) == 0
    assert run("rules", "remove", str(rule["id"])).status == 0
    assert run("rules", "--json").document == []
    assert run("rules", "remove", str(rule["id"])).status == 2


def test_bad_rules_are_bad_input(run: Run) -> None:
    """Without a condition, with a broken expression, or with an amount that is none."""
    for words in (
        ("add", "--payee", "x"),
        ("add", "--matches", "(", "--payee", "x"),
        ("add", "--contains", "x", "--minimum", "ten", "--payee", "x"),
        ("add", "--contains", "x", "--account", "Assets:Nowhere", "--payee", "x"),
        ("try", "x", "ten"),
        ("try", "x", "NaN"),
    ):
        assert run("rules", *words).status == 2


def test_statements_are_matched_and_reconciled(run: Run, dsn: str) -> None:
    """What was typed before is taken for the line, the rest is posted; then each statement is agreed with."""

    async def type_by_hand() -> None:
        async with DatabaseManager(dsn) as db, db.unit_of_work("main", base_currency="EUR") as uow:
            savings = await uow.accounts.get_or_open("Assets:Savings:200", currency="EUR")
            interest = await uow.accounts.get_or_open("Income:Interest", currency="EUR")
            day = date.fromisoformat(first["date"])
            lines = [NewPosting(savings, first["amount"]), NewPosting(interest, f"-{first['amount']}")]
            await uow.journal.post(NewEntry(day, "Interest", lines))

    dry = run("import", SEVERAL, "--dry-run", "--json").document
    (first,) = dry["statements"][1]["decisions"]
    asyncio.run(type_by_hand())
    told = run("import", SEVERAL, "--dry-run")
    assert "--match takes them for those" in told.err
    imported = run("import", SEVERAL, "--match", "--json").document
    assert [each["matched"] for each in imported["statements"]] == [0, 1, 0, 0]

    states = run("reconcile", "--json").document
    assert {(each["state"], each["unmatched"]) for each in states} == {("open", 0)}
    for each in states:
        assert run("reconcile", "finish", str(each["id"])).status == 0
    assert {row["state"] for row in listed(run("reconcile", "--csv"))} == {"reconciled"}
    balances = run("reconcile", "balances", "--json").document
    assert all(each["cleared"] == each["reconciled"] == each["balance"] for each in balances)
    assert run("reconcile", "reopen", str(states[0]["id"])).status == 0
    assert run("reconcile", "show", str(states[0]["id"]), "--json").document["unmatched_lines"] == []
    assert run("reconcile", "accept", str(states[0]["id"]), "--json").document["matched"] == 0
    assert run("reconcile", "show", "0").status == 2
