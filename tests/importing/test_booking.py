"""What a line becomes: a row as it came, and an entry if it moves money."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from finance import UnitOfWork
from finance.models import JournalEntry
from finance.statements import importer

from .files import CHECKING, FIRST, balance, bring, count, line, register, stored_lines


async def test_line_becomes_an_entry_against_an_uncategorised_account(unit: UnitOfWork) -> None:
    """Money in comes from income, money out goes to expenses, and the bank's account has both."""
    await bring(unit, line("-42.10", "A", payee="Grocer", memo="Card 12"), line("1500.00", "B", memo="Salary"))

    assert await balance(unit, CHECKING) == "1457.90"
    assert await balance(unit, "Expenses:Uncategorised") == "42.10"
    assert await balance(unit, "Income:Uncategorised") == "-1500.00"
    shown = [(each.description, each.memo) for each in await register(unit, CHECKING)]
    assert shown == [("Grocer", "Card 12"), ("Salary", None)]


async def test_line_is_kept_as_it_came(unit: UnitOfWork) -> None:
    """Every field and every raw element is stored, with the decimals that the bank wrote and the entry's id."""
    raw = {"TRNAMT": "-30.000", "NAME": 'Ca"fé', "#text": "odd"}
    await bring(
        unit, line("-30.000", "A7", type="POS", payee='Ca"fé', memo="m", check_number="12", raw=raw), line("1", None)
    )

    kept, other = await stored_lines(unit)
    assert (kept.number, kept.date, str(kept.amount), kept.kind) == (1, FIRST, "-30.000", "cash")
    assert (kept.bank_id, kept.type, kept.payee, kept.memo, kept.check_number) == ("A7", "POS", 'Ca"fé', "m", "12")
    assert (kept.raw, kept.currency, other.bank_id, other.raw) == (raw, "EUR", None, {})
    assert kept.entry_id is not None
    entry = await unit.journal.get_one(kept.entry_id)
    assert (entry.description, entry.details) == ('Ca"fé', {})


async def test_statement_is_kept_as_it_came(unit: UnitOfWork) -> None:
    """Bank, account, period and balances are stored as the file states them."""
    await bring(
        unit,
        line("1"),
        starts_on=FIRST,
        ends_on=date(2026, 8, 31),
        opening_balance=Decimal("5.0"),
        closing_balance=Decimal("6.00"),
        closing_on=date(2026, 9, 1),
    )

    latest = await unit.statements.latest_for(bank="99955500", bank_account="4711")
    assert latest
    assert (latest.file_name, latest.format, latest.format_version) == ("bank.ofx", "ofx", "102")
    assert (latest.starts_on, latest.ends_on, latest.closing_on) == (FIRST, date(2026, 8, 31), date(2026, 9, 1))
    assert (str(latest.opening_balance), str(latest.closing_balance)) == ("5.0", "6.00")


async def test_zero_line_is_kept_and_posts_nothing(unit: UnitOfWork) -> None:
    """A line of amount zero is a line, and no entry; nor does it open the accounts for the other side."""
    result = await bring(unit, line("0.00", "A"), line("-0.00"))

    assert (result.lines, result.added) == (2, 2)
    assert [each.entry_id for each in await stored_lines(unit)] == [None, None]
    assert await count(unit, JournalEntry) == 0
    assert [account.name async for account in unit.accounts.stream()] == [CHECKING]


async def test_security_is_kept_counted_and_not_posted(unit: UnitOfWork) -> None:
    """A movement of securities is stored and told; the cash beside it is posted."""
    security = line("-1209.955", "S1", kind="security", type="BUYSTOCK", currency="USD")
    result = await bring(unit, security, line("5000.00", "C1"), account_kind="INVESTMENT")

    assert (result.account, result.lines, result.added, result.securities) == ("Assets:Investments:4711", 2, 2, 1)
    assert [each.entry_id is None for each in await stored_lines(unit)] == [True, False]
    assert await balance(unit, "Assets:Investments:4711") == "5000.00"


async def test_amount_of_many_digits_is_posted_exactly(unit: UnitOfWork) -> None:
    """Arithmetic at the default precision of 28 digits would round the other side."""
    await unit.currencies.open("WEI", exponent=18)
    amount = "123456789012345678901.123456789012345678"
    await bring(unit, line(amount), currency="WEI")

    assert await balance(unit, CHECKING, "WEI") == amount
    assert await balance(unit, "Income:Uncategorised", "WEI") == f"-{amount}"


async def test_register_has_the_order_of_the_file(unit: UnitOfWork, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines of one day stay in the file's order, also where the file is cut into several INSERTs."""
    monkeypatch.setattr(importer, "_CHUNK", 7)
    await bring(unit, *(line("1", f"F{number}", payee=f"P{number}") for number in range(30)))

    assert [each.description for each in await register(unit, CHECKING)] == [f"P{number}" for number in range(30)]
    assert [each.number for each in await stored_lines(unit)] == list(range(1, 31))


async def test_file_that_begins_with_the_newest_is_posted_from_the_oldest(unit: UnitOfWork) -> None:
    """Many banks write the newest line first; the register has the day's lines in the order in which they happened."""
    next_day = date(2026, 8, 6)
    await bring(unit, line("3", payee="c", on=next_day), line("2", payee="b"), line("1", payee="a"))

    assert [each.description for each in await register(unit, CHECKING)] == ["a", "b", "c"]
