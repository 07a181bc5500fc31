"""Books that hold whatever a journal can hold, and what is read of an export by other means than the library's."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

from finance import DatabaseManager, Ledger, NewEntry, NewPosting, UnitOfWork
from finance.exports import Loaded, beancount_lines, csv_lines, load_beancount, load_csv
from tests.reporting.drawn import draw_books

#: Separators, quotes, ends of lines, other scripts, what a spreadsheet or beancount would take for its own.
TEXTS = (
    "",
    "a,b;c",
    '"quoted"',
    "two\nlines",
    "two\r\nlines\r",
    "=1+1",
    "Жук ☃ 𝄞",
    "back\\slash \\n",
    " blanks ",
    "\t",
)


async def make_books(db: DatabaseManager, seed: int = 1) -> Ledger:
    """Post drawn entries, reversals and amendments in every order of days, odd texts, and balances set by hand."""
    ledger = await db.ledgers.create(f"Books {seed}", base_currency="EUR")
    async with db.unit_of_work(ledger) as uow:
        drawn = await draw_books(uow, seed, entries=60)
        euros = [each for each in drawn.accounts if each.currency == "EUR"]
        await _post_oddities(uow, euros[0].id, euros[1].id)
        await uow.accounts.close(euros[2], on=date(2027, 1, 1))
        await uow.accounts.open("Assets:Never used", currency="CHF")
    async with db.transaction() as connection:
        await connection.execute("UPDATE accounts SET balance = balance + 0.10 WHERE id = $1", euros[3].id)
    return ledger


async def _post_oddities(uow: UnitOfWork, one: int, other: int) -> None:
    euro = await uow.currencies.get_or_open("EUR")
    euro.exponent = 4
    await uow.session.flush()
    for number, text in enumerate(TEXTS):
        amount = Decimal(["1", "1.0", "1.50", "0.0001"][number % 4])
        lines = [NewPosting(one, amount, text), NewPosting(other, amount.copy_negate())]
        details = {"text": text, "number": [1, 0.1, 1e-7, 10**30, None], "z": {"b": 1, "a": 2}} if number % 2 else {}
        given = NewEntry(date(2026, 1, 1 + number), text, lines, details=details)
        await uow.journal.post(given)
        await uow.journal.label(given.id, payee=text.strip() or None, tags=[text, "trip"] if text.strip() else [])
    await _amend(uow, one, other)
    await _open_oddly_named(uow, one)


async def _amend(uow: UnitOfWork, one: int, other: int) -> None:
    """Amend an amendment; the reversals stand before what they reverse, and after."""
    wrong = NewEntry(date(2026, 2, 10), "Wrong", [NewPosting(one, 5), NewPosting(other, -5)])
    right = NewEntry(date(2026, 2, 1), "Right", [NewPosting(one, 6), NewPosting(other, -6)])
    better = NewEntry(date(2026, 1, 5), "Better", [NewPosting(one, 7), NewPosting(other, -7)])
    await uow.journal.post(wrong)
    await uow.journal.amend(wrong.id, right, on=date(2026, 1, 2))
    await uow.journal.amend(right.id, better, on=date(2026, 3, 1))
    await uow.journal.describe(better.id, description="Best", details={"why": "better"})


async def _open_oddly_named(uow: UnitOfWork, euros: int) -> None:
    await uow.currencies.open("btc/2-€", exponent=8)
    for name, type_ in (("Kasse", "asset"), ("Assets:X--0:Kasse", "asset"), ("Income:Odd-Name: x", "income")):
        account = await uow.accounts.open(name.replace(": ", ":"), currency="EUR", type=type_)
        lines = [NewPosting(account, "-1"), NewPosting(euros, "1")]
        await uow.journal.post(NewEntry(date(2026, 4, 1), name, lines))
    here = await uow.accounts.open("Assets:Kasse", currency="btc/2-€")
    there = await uow.accounts.open("Equity:Found", currency="btc/2-€")
    await uow.journal.post(NewEntry(date(2026, 4, 2), "", [NewPosting(here, "0.00000001"), NewPosting(there, "-1e-8")]))


Lines = Callable[[UnitOfWork], AsyncIterator[str]]
#: What loads what each of the formats has written.
_LOADERS: dict[Lines, Callable[[UnitOfWork, Path], Awaitable[Loaded]]] = {
    csv_lines: load_csv,
    beancount_lines: load_beancount,
}


async def exported(db: DatabaseManager, ledger: Ledger, lines: Lines = csv_lines) -> str:
    """Return the whole of an export."""
    async with db.unit_of_work(ledger, isolation="repeatable_read", read_only=True) as uow:
        return "".join([piece async for piece in lines(uow)])


async def loaded(
    db: DatabaseManager, text: str, folder: Path, name: str = "Copy", *, lines: Lines = csv_lines
) -> Ledger:
    """Load *text* into a new ledger, and return that."""
    path = folder / "books.csv"
    path.write_bytes(text.encode())
    async with db.unit_of_work(name, base_currency="EUR") as uow:
        await _LOADERS[lines](uow, path)
    found = await db.ledgers.get_by_name(name)
    assert found is not None
    return found


def sums(text: str) -> dict[tuple[str, str], Decimal]:
    """Add up the amounts of an export for each account, by the standard library's reader."""
    found: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in csv.DictReader(io.StringIO(text, newline="")):
        found[row["account"], row["currency"]] += Decimal(row["amount"])
    return dict(found)
