"""A bank statement of ten thousand lines, imported after it was read: P14 of the targets."""

from __future__ import annotations

import hashlib
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, timedelta
from decimal import Decimal

from benchmarks.books import Books, make_books
from benchmarks.harness import TURNS, Result, Row, Work, compare
from benchmarks.posting import BATCH, Ours
from finance import DatabaseManager
from finance.statements import Statement, StatementFile, StatementLine, import_statements

ROWS = {"P14": Row("P14", "import a 10,000-line statement, dedupe on", "post_many, 8,189 entries", 0.2, 0.4)}

LINES = 10_000
_PAYEES = 200


def statement(account: str) -> StatementFile:
    """Draw a year of lines on the bank account *account*, each with an id of the bank's, as a reader returns them."""
    lines = tuple(_line(number) for number in range(1, LINES + 1))
    whole = Statement("BANK", None, account, "CHECKING", "EUR", lines)
    return StatementFile(f"{account}.ofx", "ofx", "203", hashlib.sha256(account.encode()).hexdigest(), None, (whole,))


def _line(number: int) -> StatementLine:
    amount = Decimal(random.choice((-1, 1)) * random.randint(1, 100_000)).scaleb(-2)
    day = date(2026, 1, 1) + timedelta(days=number * 365 // (LINES + 1))
    payee = f"Payee {random.randrange(_PAYEES)}"
    raw = {
        "TRNTYPE": "DEBIT",
        "DTPOSTED": f"{day:%Y%m%d}",
        "TRNAMT": f"{amount:f}",
        "FITID": f"{number}",
        "NAME": payee,
    }
    return StatementLine(number, day, amount, bank_id=f"{number}", type="DEBIT", payee=payee, raw=raw)


async def measure(name: str, dsn: str) -> Result:
    """Measure the row *name*: entries a second, each file into a bank account that is new."""
    books = await make_books(dsn)

    @asynccontextmanager
    async def sides() -> AsyncIterator[tuple[Work, Work]]:
        async with DatabaseManager(dsn, max_size=4) as db:
            yield _importing(db, books), _posting(db, books)

    return await compare(ROWS[name], sides)


def _importing(db: DatabaseManager, books: Books) -> Work:
    files = [statement(f"{random.getrandbits(64)}") for _ in range(TURNS + 1)]

    async def work() -> int:
        async with db.unit_of_work(books.ledger_id, statement_timeout=60) as uow:
            result = await import_statements(uow, files.pop())
        if result.added != LINES:
            raise AssertionError(result)
        return LINES

    return work


def _posting(db: DatabaseManager, books: Books) -> Work:
    ours = Ours(db, books.ledger_id)
    transfers = books.transfers(BATCH)
    ours.make(transfers, TURNS + 1)

    async def work() -> int:
        await ours.post_many(transfers)
        return BATCH

    return work
