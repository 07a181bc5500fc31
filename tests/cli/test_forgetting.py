"""What the command forgets, and that it asks first."""

from __future__ import annotations

import asyncio
from datetime import date

import pytest

from finance import DatabaseManager
from tests.factories import entry, open_books

from .command import Run


@pytest.fixture
def books(run: Run, dsn: str) -> Run:
    """The command on a ledger with one entry of a payee."""

    async def fill() -> None:
        async with DatabaseManager(dsn) as db, db.unit_of_work("main", base_currency="EUR") as uow:
            found = await open_books(uow)
            given = entry(found.food, found.checking, 7, on=date(2026, 1, 1), description="Visit")
            await uow.journal.post(given)
            await uow.journal.label(given.id, payee="Dr. Who")
            await uow.accounts.open("Liabilities:Dr. Who", currency="EUR")

    asyncio.run(fill())
    return run


def test_nothing_is_forgotten_without_yes(books: Run) -> None:
    """It is told what would be, with the status of bad input."""
    for arguments in (("erase",), ("redact", "--payee", "Dr. Who")):
        refused = books(*arguments)
        assert refused.status == 2
        assert "--yes" in refused.err
    assert "1 entries and 0 lines of statements" in refused.err
    assert "Visit" in books("register", "Assets:Checking").out
    assert books("verify", "--json").document["redacted"] == 0


def test_redact_takes_the_words(books: Run) -> None:
    """The amount is there, and verification says how many entries were redacted."""
    done = books("redact", "--payee", "dr. who", "--yes", "--json")

    assert (done.document["entries"], done.document["payees"], done.document["lines"]) == (1, 1, 0)
    assert done.document["still_named"] == {"accounts": 1}
    register = books("register", "Assets:Checking").out
    assert "Visit" not in register
    assert "7.00" in register
    assert books("verify", "--json").document["redacted"] == 1
    assert "1 entries redacted" in books("verify").out
    assert books("redact", "--through", "2026-12-31", "--yes").status == 0


def test_redact_tells_what_is_known_by_the_name(books: Run) -> None:
    """An account keeps its own until somebody gives it another."""
    told = books("redact", "--payee", "dr. who", "--yes").out

    assert told.splitlines() == [
        "1 entries and 0 lines of statements redacted, 1 payees, 0 tags and 0 rules removed",
        "1 of accounts have the name in their own: rename them",
    ]


def test_erase_leaves_no_ledger(books: Run) -> None:
    """A second time there is none."""
    done = books("erase", "--yes", "--json")

    assert done.document["counts"]["postings"] == 2
    assert books("erase", "--yes").status == 2
    assert books("redact", "--entry", "00000000-0000-7000-8000-000000000001", "--yes").status == 2
