"""What the commands print: documents for programs, listings for people."""

from __future__ import annotations

import asyncio
import io
import json
import re
import sys
from datetime import date
from pathlib import Path

import pytest

from finance import DatabaseManager, NewEntry, NewPosting
from finance.migrations import REVISION

from .command import CARD, SAMPLES, SEVERAL, Outcome, Run

# --- documents -------------------------------------------------------------------------------------


def test_import_prints_what_became_of_each_statement(run: Run) -> None:
    """The document has the documented keys, amounts as the file wrote them, and null for what it does not say."""
    outcome = run("import", SEVERAL, "--json")

    assert outcome.status == 0
    assert list(outcome.document) == ["file", "format", "import", "dry_run", "remarks", "statements"]
    assert (outcome.document["file"], outcome.document["format"]) == ("several-accounts.ofx", "ofx")
    assert outcome.document["statements"][1] == {
        "account": "Assets:Savings:200",
        "currency": "EUR",
        "lines": 1,
        "added": 1,
        "duplicates": 0,
        "sum": "0.12",
        "opening_balance": None,
        "closing_balance": "1000.12",
        "closing_balance_matches": False,
        "kept": 0,
        "matched": 0,
        "possible_matches": 0,
    }
    assert [each["closing_balance_matches"] for each in outcome.document["statements"]] == [True, False, True, True]


def test_import_again_adds_nothing(run: Run) -> None:
    """A file that comes again is told as duplicates, and the balances stay."""
    run("import", SEVERAL)
    before = run("balances", "--json").document
    again = run("import", SEVERAL, "--json")

    assert [(each["added"], each["duplicates"]) for each in again.document["statements"]] == [
        (0, 2),
        (0, 1),
        (0, 1),
        (0, 1),
    ]
    assert run("balances", "--json").document == before


def test_import_names_the_account(run: Run) -> None:
    """`--account` names the account of a file of one account."""
    outcome = run("import", CARD, "--account", "Liabilities:Visa", "--json")

    assert [each["account"] for each in outcome.document["statements"]] == ["Liabilities:Visa"]


def test_balances_are_padded_and_by_name(run: Run) -> None:
    """Every account is there, by name, with all the decimals of its currency; `--on` counts through that day."""
    run("import", SEVERAL)

    assert run("balances", "--json").document == [
        {"account": "Assets:Checking:100", "currency": "EUR", "balance": "12.50"},
        {"account": "Assets:Savings:200", "currency": "EUR", "balance": "0.12"},
        {"account": "Expenses:Uncategorised", "currency": "EUR", "balance": "20.77"},
        {"account": "Income:Uncategorised", "currency": "EUR", "balance": "-25.62"},
        {"account": "Liabilities:Credit Card:5500000000000004", "currency": "EUR", "balance": "-7.77"},
    ]
    on = run("balances", "--on", "2026-08-05", "--json").document
    assert [each["balance"] for each in on] == ["-10.00", "0.00", "10.00", "0.00", "0.00"]


def test_accounts_say_what_they_are(run: Run) -> None:
    """Each account with its id, type, currency, balance, and the days on which it was opened and closed."""
    run("import", CARD)
    card = run("accounts", "--json").document[-1]

    first = ["id", "name", "type", "currency", "balance", "opened_on", "closed_on"]
    assert list(card) == [*first, "iban", "bic", "institution", "number"]
    assert (card["type"], card["opened_on"], card["closed_on"]) == ("liability", None, None)
    assert isinstance(card["id"], int)


def test_register_has_the_balance_after_each_posting(run: Run) -> None:
    """The postings of an account, the oldest first, with running balances."""
    run("import", SEVERAL)
    document = run("register", "Assets:Checking:100", "--json").document

    assert (document["account"], document["currency"]) == ("Assets:Checking:100", "EUR")
    assert [(each["date"], each["description"], each["amount"], each["balance"]) for each in document["lines"]] == [
        ("2026-08-05", "Kiosk", "-10.00", "-10.00"),
        ("2026-08-06", "Refund", "25.50", "15.50"),
        ("2026-09-05", "Kiosk", "-3.00", "12.50"),
    ]
    assert list(document["lines"][0]) == ["date", "description", "memo", "amount", "balance", "entry"]


def test_verify_counts_and_finds_nothing(run: Run) -> None:
    """Books that agree with themselves have no problems, and the status says so."""
    run("import", SEVERAL)
    outcome = run("verify", "--json")

    assert outcome.status == 0
    counts = {"accounts": 5, "entries": 5, "postings": 10, "redacted": 0}
    assert outcome.document == {"ledger": "main", **counts, "problems": []}


async def test_verify_fails_when_the_books_contradict_themselves(run: Run, db: DatabaseManager) -> None:
    """A balance that somebody forged behind the guards is told, with status 1."""
    await asyncio.to_thread(run, "import", CARD)
    async with db.transaction() as connection:
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute("UPDATE accounts SET balance = balance + 1 WHERE type = 'liability'")
    as_json, as_text = [await asyncio.to_thread(run, "verify", *options) for options in (["--json"], [])]

    assert (as_json.status, as_text.status) == (1, 1)
    assert [each["rule"] for each in as_json.document["problems"]] == ["balance differs from postings"]
    assert "balance differs from postings" in as_text.out
    assert as_json.message == as_text.message == "contradictions in ledger 'main': 1"


async def test_verify_can_rebuild_first(run: Run, db: DatabaseManager) -> None:
    """What was mended is told, and then the books agree."""
    await asyncio.to_thread(run, "import", CARD)
    async with db.transaction() as connection:
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute("UPDATE accounts SET balance = balance + 1 WHERE type = 'liability'")
    outcome = await asyncio.to_thread(run, "verify", "--rebuild", "--json")

    assert (outcome.status, outcome.document["problems"]) == (0, [])
    assert "rebuilt" in outcome.message


def test_upgrade_says_from_where_to_where(run: Run) -> None:
    """A database that is at the newest revision stays there."""
    assert run("upgrade", "--json").document == {"from": REVISION, "to": REVISION}
    assert "already" in run("upgrade").out


def test_names_and_texts_are_printed_as_they_are(run: Run) -> None:
    """JSON is UTF-8, with the letters of the bank."""
    run("import", SAMPLES / "xml-utf8.ofx")
    outcome = run("register", run("balances", "--json").document[0]["account"], "--json")

    assert not outcome.out.isascii()


# --- ledgers ---------------------------------------------------------------------------------------


def test_ledger_is_made_on_first_use(run: Run) -> None:
    """Each ledger has its own accounts; a new one that is not the default is told in one line."""
    outcome = run("import", CARD, "--ledger", "Firm", "--json")

    assert outcome.err.splitlines()[0] == "finance: made the ledger 'Firm', base currency USD"
    assert run("balances", "--ledger", "Firm", "--json").document
    assert run("balances", "--json") == Outcome(0, "[]\n", "")


def test_new_ledger_has_the_currency_of_the_file(run: Run) -> None:
    """Made by an import it is based on the file's currency, else on what `--base-currency` says, else on EUR."""
    run("import", SAMPLES / "investment.ofx")
    assert run("accounts", "--base-currency", "usd").status == 0

    refused = run("accounts", "--base-currency", "EUR")
    assert (refused.status, refused.out) == (2, "")
    assert "base currency USD, not 'EUR'" in refused.message

    yen = run("import", SAMPLES / "several-accounts.ofx", "--ledger", "Tokyo", "--base-currency", "JPY")
    assert "made the ledger 'Tokyo', base currency JPY" in yen.err
    assert run("import", CARD, "--ledger", "Other", "--base-currency", "ZZZ").status == 2


READS: list[list[str]] = [
    ["accounts"], ["accounts", "identify", "Assets:A"], ["balances"], ["register", "Assets:A"], ["income-statement"],
    ["balance-sheet"], ["trial-balance"], ["net-worth"], ["cash-flow"], ["spending"], ["budget", "list"],
    ["budget", "progress"], ["schedule", "list"], ["schedule", "due"], ["forecast"], ["imports"], ["assertions"],
    ["rules"], ["rules", "try", "x", "1"], ["reconcile"], ["export"], ["export", "--format", "beancount"], ["verify"],
]  # fmt: skip
#: Of what is there already: in a new ledger there is nothing.
CHANGES: list[list[str]] = [
    ["accounts", "identify", "Assets:A", "--bic", "BANKDEFF"], ["imports", "undo", "1"], ["rules", "apply"],
    ["rules", "remove", "1"], ["budget", "set", "Expenses:A", "1"], ["schedule", "post"], ["reconcile", "accept", "1"],
    ["assertions", "add", "Assets:A", "1", "--on", "2026-01-01"], ["verify", "--rebuild"], ["erase", "--yes"],
    ["redact", "--payee", "x", "--yes"],
]  # fmt: skip


@pytest.mark.parametrize("command", READS + CHANGES, ids=" ".join)
def test_ledger_that_is_not_there_is_refused(run: Run, command: list[str]) -> None:
    """A name that was mistyped is told beside those that there are, and nothing is made."""
    run("import", CARD, "--ledger", "Firm")
    outcome = run(*command, "--ledger", "Frim")

    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.message == "no ledger 'Frim'; there are 'Firm'; `finance import` and `finance load` make one"
    assert "no ledger 'Frim'" in run("accounts", "--ledger", "Frim").message


def test_default_ledger_is_always_there(run: Run) -> None:
    """On a new database what reads has an empty answer, and what changes finds nothing to change."""
    assert run("accounts", "--json") == Outcome(0, "[]\n", "")
    assert run("verify").status == 0
    assert run("rules", "add", "--contains", "rent", "--payee", "Landlord", "--ledger", "Rules").status == 0
    assert len(run("rules", "--ledger", "Rules", "--json").document) == 1


# --- what people read ------------------------------------------------------------------------------


def test_tables_are_plain_where_nobody_looks(run: Run) -> None:
    """Without a terminal there are no boxes, and no name is cut off; amounts end in one column."""
    name = "Liabilities:" + "Very Long Name " * 12 + "End"
    run("import", SEVERAL)
    run("import", CARD, "--account", name)
    lines = run("balances").out.splitlines()

    assert any(line.startswith(name) for line in lines)
    assert all(re.fullmatch(r"\S.*  -?\d+\.\d\d  [A-Z]{3}", line) for line in lines[1:])
    assert len({line.rindex("  ") for line in lines}) == 1
    assert all(line.isascii() for line in lines)


def test_human_output_says_what_was_imported(run: Run) -> None:
    """The listing has the account, the counts, and whether the bank and the books agree."""
    outcome = run("import", SEVERAL)

    assert outcome.out.splitlines()[1].split() == ["Assets:Checking:100", "EUR", "2", "2", "15.50", "15.50", "agrees"]
    assert "Kiosk" in run("register", "Assets:Checking:100").out
    assert "the books agree" in run("verify").out
    assert "Assets:Savings:200" in run("accounts").out


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_remarks_are_told_beside_the_result(run: Run, options: list[str], tmp_path: Path) -> None:
    """Lines that are not posted, what the file is to be known for, and a wrong balance: with and without --json."""
    securities = run("import", SAMPLES / "investment.ofx", *options)
    assert (
        "lines that move securities in a way that is not known or in another currency, kept but not posted: 1"
        in securities.message
    )
    assert securities.status == 0

    splits = tmp_path / "splits.qif"
    splits.write_text("!Type:Bank\nD1/31/26\nT-5\nSFood\n$-4\n^\n")
    told = run("import", splits, "--currency", "EUR", "--account", "Assets:Till", *options)
    assert "splits.qif: records whose splits do not add up to their amount (the first on line 2)" in told.err

    mismatch = run("import", SEVERAL, *options).message
    assert "the bank says 1000.12 EUR on 2026-08-31, the books say 0.12 (difference 1000.00)" in mismatch

    francs = run("import", SAMPLES / "currencies.ofx", *options)
    assert "lines in another currency than the account, or that correct an earlier line, kept but not posted: 1" in (
        francs.err
    )


async def test_control_characters_of_a_bank_do_not_reach_the_terminal(run: Run, db: DatabaseManager) -> None:
    """A payee may hold what a terminal would obey; it is shown, not sent."""
    books = await db.ledgers.create("main", base_currency="EUR")
    async with db.unit_of_work(books) as uow:
        one = await uow.accounts.open("Assets:One", currency="EUR")
        two = await uow.accounts.open("Assets:Two", currency="EUR")
        postings = [NewPosting(one, 1), NewPosting(two, -1)]
        await uow.journal.post(NewEntry(date(2026, 1, 1), "\x1b]0;owned\x07 two\nlines", postings))
    outcome = await asyncio.to_thread(run, "register", "Assets:One")

    assert "\\x1b]0;owned\\x07 two lines" in outcome.out
    assert "\x1b" not in outcome.out


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_output_that_is_not_utf8_is_still_written(
    run: Run, options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the terminal cannot show a letter it is escaped, in JSON as JSON does."""
    run("import", SAMPLES / "xml-utf8.ofx")
    name = run("balances", "--json").document[0]["account"]
    terminal = io.TextIOWrapper(io.BytesIO(), "ascii")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", terminal)
        assert run("register", name, *options).status == 0

    terminal.seek(0)
    text = terminal.read()
    assert re.search(r"\\u00|\\xe", text)
    if options:
        assert any(not line["description"].isascii() for line in json.loads(text)["lines"])


def test_version_is_told(run: Run) -> None:
    """One line on standard output."""
    assert run("--version").out.startswith("finance")
