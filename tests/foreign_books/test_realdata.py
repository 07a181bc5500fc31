"""Books that nobody of this project wrote give the figures that their own programs computed.

The folder is not part of the project (`FINANCE_REALDATA` names it, or it is `shared/realdata` in a folder above this
one), and none of its files may ever be committed.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from finance import DatabaseManager
from finance.errors import BooksFileError
from finance.foreign_books import Books, load_books, program_of, read_books

from .books import balances


def _folder() -> Path | None:
    named = os.environ.get("FINANCE_REALDATA")
    candidates = [Path(named)] if named else [above / "shared" / "realdata" for above in Path(__file__).parents]
    return next((folder for folder in candidates if folder.is_dir()), None)


FOLDER = _folder()
PATTERNS = ("beancount/**/*.beancount", "gnucash/**/*.gnucash", "ledger/**/*.dat", "[hc]*/**/*.journal")
FILES = sorted(file for pattern in PATTERNS for file in FOLDER.glob(pattern)) if FOLDER else []
ABSENT = pytest.mark.skip(
    reason="no folder of real files: set FINANCE_REALDATA, or put shared/realdata above the checkout"
)
#: What the file's own program complains about.
BROKEN = {
    "errors.beancount": "errors.beancount, line 11: beancount: Not enough lots to reduce"
    ' "-1.0 ACME {}": 0.1 ACME {80.00 USD, 2019-01-01} (and 2 more; bean-check lists them)'
}
#: Accounts that balance what the file leaves open; the file has none of these names.
OURS = ("Equity:Conversions", "Equity:Rounding", "Equity:Virtual")


@pytest.mark.parametrize(
    "path", FILES or [pytest.param(None, marks=ABSENT)], ids=lambda path: path.name if path else "absent"
)
async def test_real_books_give_the_figures_of_their_own_program(db: DatabaseManager, path: Path) -> None:
    """Every account has its balance in every currency, to the last digit; claims are those that were counted."""
    _require_program(path)
    expected = json.loads(Path(f"{path}.expected.json").read_text("utf-8"))
    if path.name in BROKEN:
        with pytest.raises(BooksFileError) as caught:
            read_books(path)
        assert str(caught.value) == BROKEN[path.name]
        assert expected["errors"] == 3
        return
    books = read_books(path)
    ledger = await db.ledgers.create("Real", base_currency=books.base_currency or "EUR")
    async with db.unit_of_work(ledger) as uow:
        loaded = await load_books(uow, books)
        found = await balances(uow)
        again = await load_books(uow, books)
    assert {key: amount for key, amount in found.items() if key[0] not in OURS} == dict(_balances(expected))
    scheduled = expected.get("scheduled_transactions", 0)
    assert loaded.entries + loaded.empty + scheduled == expected["transactions"]
    assert (again.entries, again.known, again.reworded) == (0, loaded.entries, 0)
    _check_days(books, expected)
    if "total_at_cost" in expected:
        at_cost = {code: Decimal(amount) for code, amount in expected["total_at_cost"].items()}
        assert loaded.residuals == {code: amount for code, amount in at_cost.items() if amount}
        assert sum(len(entry.postings) for entry in books.entries) == expected["postings"]
        assert loaded.assertions == expected["balance_assertions"]
        assert len(loaded.failed) == expected["balance_assertions_failed"]
    assert (await db.verify(ledger)).is_clean


@pytest.mark.skipif(not FILES, reason="no folder of real files")
async def test_the_claims_of_a_converted_statement_are_off_by_what_it_lacks(db: DatabaseManager) -> None:
    """The journal begins without its opening balance of a hundred: hledger refuses it, and we say by how much."""
    (path,) = (file for file in FILES if file.name == "99966633_20171223_1844.journal")
    _require_program(path)
    async with db.unit_of_work("Lloyds", base_currency="GBP") as uow:
        loaded = await load_books(uow, read_books(path), currencies={"\u00a3": "GBP"})
    assert loaded.assertions == 20
    assert [failed.difference for failed in loaded.failed] == [-100] * 20


def _require_program(path: Path) -> None:
    program = program_of(path)
    is_there = {
        "gnucash": True,
        "beancount": importlib.util.find_spec("beancount") is not None,
        "hledger": shutil.which("hledger") is not None,
        "ledger": shutil.which("ledger") is not None,
    }
    if program is None or not is_there[program]:
        pytest.skip(f"{program} is not installed")


def _balances(expected: dict[str, Any]) -> Iterator[tuple[tuple[str, str], Decimal]]:
    for account, held in expected["balances"].items():
        amounts = {held["commodity"]: held["quantity"]} if "quantity" in held else held
        for code, amount in amounts.items():
            if Decimal(amount):
                yield (account, code.strip('"')), Decimal(amount)


def _check_days(books: Books, expected: dict[str, Any]) -> None:
    days = [entry.date.isoformat() for entry in books.entries]
    if expected.get("first_date"):
        assert min(days) == expected["first_date"].replace("/", "-")
        assert max(days) == expected["last_date"].replace("/", "-")
