"""Whole books of other programs by the command."""

from __future__ import annotations

import importlib.util
import os
import shutil
import threading
from pathlib import Path

import pytest

from .command import SAMPLES, Run

XML = SAMPLES / "household.gnucash.xml"


def test_books_are_loaded_and_loaded_again(run: Run) -> None:
    """Told by their content; the second time nothing is new."""
    loaded = run("load", XML, "--decimals", "EUR=3", "--ledger", "Gnu", "--json")
    assert loaded.status == 0
    figures = {key: loaded.document[key] for key in ("program", "entries", "postings", "accounts", "prices", "ledger")}
    assert figures == {
        "program": "gnucash", "entries": 2, "postings": 6, "accounts": 6, "prices": 1, "ledger": "Gnu",
    }  # fmt: skip
    again = run("load", XML, "--decimals", "EUR=3", "--ledger", "Gnu")
    assert again.out == (
        "household.gnucash.xml: 0 entries, 0 postings, 0 accounts opened, 0 prices; 2 entries were there\n"
    )
    assert (
        again.err == "finance: household.gnucash.xml: scheduled transactions, which are templates and not books: 1\n"
        or (not again.err)
    )
    assert run("verify", "--ledger", "Gnu").status == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([XML], "an amount has 3 decimals, and EUR has 2: nothing is rounded in silence; give it more in this ledger"),
        ([XML, "--decimals", "EUR"], "--decimals 'EUR': write it as name=value"),
        ([XML, "--decimals", "EUR=x"], "--decimals EUR=x: a number of decimals, such as EUR=4"),
        ([XML, "--decimals", "EUR=3", "--type", "Lohn=odd"], "type 'odd' of account 'Lohn': one of asset, liability"),
        ([XML, "--decimals", "EUR=3", "--tolerance", "x"], "amount 'x': is not a decimal number"),
        ([XML, "--from", "beancount"], "beancount: "),
        (["gone.gnucash"], "gone.gnucash, "),
    ],
)
def test_a_refusal_is_one_line_and_leaves_nothing(run: Run, arguments: list[str | Path], message: str) -> None:
    """Status 2, and no ledger."""
    if "beancount" in arguments and importlib.util.find_spec("beancount") is None:
        pytest.skip("beancount is not installed")
    refused = run("load", *arguments, "--ledger", "New")
    assert (refused.status, refused.out) == (2, "")
    assert message.rstrip(", ") in refused.message
    assert "no ledger 'New'" in run("accounts", "--ledger", "New").message


@pytest.mark.skipif(shutil.which("hledger") is None, reason="hledger is not installed")
def test_symbols_and_claims_by_the_command(run: Run, tmp_path: Path) -> None:
    """A symbol has the name that the user gives it, which is the ledger's currency; a claim that fails is told."""
    path = tmp_path / "-books.journal"
    path.write_text("2020-01-01 x\n  Kasse  $5 = $6\n  income:pay\n", "utf-8")
    loaded = run("load", path, "--currency", "$=USD", "--type", "Kasse=asset", "--ledger", "Small")
    assert loaded.status == 0
    assert loaded.out == "-books.journal: 1 entries, 2 postings, 2 accounts opened, 0 prices; 0 entries were there\n"
    assert "-books.journal, line 2: Kasse has 5 USD on 2020-01-01, and the file claims 6 (difference -1)" in loaded.err


def test_an_export_comes_through_a_pipe(run: Run, tmp_path: Path) -> None:
    """Nothing of it is read before it is loaded."""
    pipe = tmp_path / "books.csv"
    os.mkfifo(pipe)
    run("load", XML, "--decimals", "EUR=3", "--ledger", "Gnu")
    text = run("export", "--ledger", "Gnu").out
    writer = threading.Thread(target=lambda: pipe.write_text(text, "utf-8", newline=""))
    writer.start()
    assert run("load", pipe, "--ledger", "Copy").status == 0
    writer.join()
    assert run("export", "--ledger", "Copy").out == text
