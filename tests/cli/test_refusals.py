"""What goes wrong is one line on standard error, and a status: 2 for bad input, 1 for a failed operation."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from finance import DatabaseManager
from finance.migrations import REVISION

from .command import CARD, SAMPLES, SEVERAL, Run

# --- bad input: status 2 ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["balances", "--on", "yesterday"], "yesterday"),
        (["balances", "--on", "2026-02-30"], "2026-02-30"),
        (["balances", "--bogus"], "--bogus"),
        (["bogus"], "bogus"),
        (["import"], "FILE"),
        (["import", "one.ofx", "two.ofx"], "two.ofx"),
        (["import", "no-such.ofx"], "no-such.ofx: the file cannot be read: No such file"),
        (["import", "tests"], "tests: this is a folder"),
        (["import", "pyproject.toml"], "pyproject.toml: this is"),
        (["import", os.devnull], "null: this is not an ordinary file"),
        (["register", "Assets:Nobody"], "no account 'Assets:Nobody'"),
        (["balances", "--database", "nonsense"], "connection string"),
        (["balances", "--database", "postgresql://u:secret@h:port/x"], "port"),
        (["accounts", "--ledger", ""], "no ledger ''"),
    ],
)
def test_bad_input_is_one_line_and_status_2(run: Run, arguments: list[str], reason: str) -> None:
    """It names what is wrong, never a password, and prints no result."""
    outcome = run(*arguments)

    assert (outcome.status, outcome.out) == (2, "")
    assert reason in outcome.message
    assert "secret" not in outcome.err


def test_empty_file_is_refused(run: Run, tmp_path: Path) -> None:
    """An empty file is not an empty statement."""
    empty = tmp_path / "empty.ofx"
    empty.touch()

    assert run("import", empty).message == "empty.ofx: the file is empty"


def test_a_ledger_needs_a_name(run: Run) -> None:
    """One that would be made without is refused."""
    assert "ledger's name" in run("import", CARD, "--ledger", "").message


def test_file_that_cannot_be_booked_writes_nothing(run: Run, tmp_path: Path) -> None:
    """Bad input names file, line and reason; no line of it is in the books, and no account was opened."""
    fine = tmp_path / "fine.ofx"
    fine.write_bytes((SAMPLES / "currencies.ofx").read_bytes().replace(b"-9.61", b"-9.615"))
    outcome = run("import", fine, "--json")

    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.message.startswith("fine.ofx: transaction 3 (bank's id Y3) of 2026-08-07")
    assert run("accounts", "--json").document == []
    assert run("verify", "--json").document["entries"] == 0


def test_account_that_cannot_be_is_refused(run: Run) -> None:
    """One name for several accounts, or another than before, is bad input and says both names."""
    several = run("import", SEVERAL, "--account", "Assets:Giro")
    run("import", CARD, "--account", "Liabilities:Visa")
    other = run("import", CARD, "--account", "Liabilities:Master")

    assert (several.status, other.status) == (2, 2)
    assert "3 accounts" in several.message
    assert "'Liabilities:Visa'" in other.message
    assert "'Liabilities:Master'" in other.message


def test_unknown_account_names_those_that_are_near(run: Run) -> None:
    """A part of a name, and a slip of the finger, find the name."""
    run("import", SEVERAL)

    assert run("register", "savings").message.endswith("; is it 'Assets:Savings:200'?")
    assert "; is it 'Assets:Checking:100'" in run("register", "Assets:Chekcing:100").message
    assert "`finance accounts`" in run("register", "Zzz").message


def test_name_of_several_currencies_needs_one(run: Run, tmp_path: Path) -> None:
    """`--currency` says which of the accounts of one name is meant."""
    dollars = tmp_path / "dollars.ofx"
    dollars.write_bytes(SEVERAL.read_bytes().replace(b"<CURDEF>EUR", b"<CURDEF>USD"))
    run("import", SEVERAL)
    run("import", dollars)
    refused = run("register", "Assets:Checking:100")

    assert (refused.status, refused.message) == (
        2,
        "account 'Assets:Checking:100' holds EUR, USD: say which one with --currency",
    )
    assert run("register", "Assets:Checking:100", "--currency", "usd", "--json").document["currency"] == "USD"
    assert "holds EUR, USD" in run("register", "Assets:Checking:100", "--currency", "CHF").message


# --- failed operations: status 1 -------------------------------------------------------------------


def test_unreachable_server_is_status_1(run: Run) -> None:
    """A server that does not answer is named, without the password."""
    outcome = run("balances", "--database", "postgresql://me:secret@127.0.0.1:1/books")

    assert (outcome.status, outcome.out) == (1, "")
    assert outcome.message.startswith("no PostgreSQL answers at 127.0.0.1:1/books")
    assert "secret" not in outcome.err


def test_wrong_password_is_status_1(run: Run) -> None:
    """What the server refuses is told, without the password."""
    with refusing_server() as port:
        outcome = run("balances", "--database", f"postgresql://me:secret@127.0.0.1:{port}/books?sslmode=disable")

    assert (outcome.status, outcome.out) == (1, "")
    assert "wrong user or password" in outcome.message
    assert "secret" not in outcome.err


@contextlib.contextmanager
def refusing_server() -> Iterator[int]:
    """Speak as much of PostgreSQL's protocol as it takes to refuse a password."""
    fields = b"SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed\0\0"
    listener = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        with contextlib.suppress(OSError):  # the end of the test
            while True:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(4096)
                    connection.sendall(b"E" + (4 + len(fields)).to_bytes(4, "big") + fields)

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


@pytest.mark.direct("migrations hold a lock of the session")
async def test_database_without_tables_is_status_1(run: Run, server: Any) -> None:
    """A database that is not ours to set up gets no tables by itself; the message says how."""
    async with server.copy("template0") as empty:
        outcome = await asyncio.to_thread(run, "import", CARD, "--database", empty)
        assert (outcome.status, outcome.out) == (1, "")
        assert "`finance upgrade`" in outcome.message
        upgraded = await asyncio.to_thread(run, "upgrade", "--json", "--database", empty)
        assert upgraded.document == {"from": None, "to": REVISION}
        assert (await asyncio.to_thread(run, "import", CARD, "--database", empty)).status == 0


@pytest.mark.direct("migrations hold a lock of the session")
async def test_database_of_a_newer_version_is_status_1(run: Run, db: DatabaseManager) -> None:
    """A revision that this code does not know is named, and nothing is written, by an upgrade neither."""
    await db.execute("UPDATE finance_version SET version_num = '9999'")
    for arguments in (["import", CARD], ["upgrade"], ["accounts"]):
        outcome = await asyncio.to_thread(run, *arguments)
        assert (outcome.status, outcome.out) == (1, "")
        assert "9999" in outcome.message
    assert await db.fetchval("SELECT count(*) FROM ledgers") == 0


# --- missing libraries -----------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["cyclopts", "rich.table", "ofxparse.ofxparse"])
def test_missing_extra_is_one_line_with_the_remedy(run: Run, missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without one of its libraries the command says what to install."""
    for name in [name for name in sys.modules if name.startswith("finance.cli.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    outcome = run("import", CARD)

    assert (outcome.status, outcome.out) == (2, "")
    assert "pip install 'finance-ledger[" in outcome.message
