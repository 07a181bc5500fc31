"""Balances on a date, trial balance, balance sheet, register and verification."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from finance import DatabaseManager, UnitOfWork
from finance.errors import AccountNotFoundError
from tests.factories import TODAY, Books, entry, open_books


async def _year(uow: UnitOfWork) -> Books:
    """Three months: pay on the 1st, food on the 15th, and one meal after the year."""
    books = await open_books(uow)
    for month in (1, 2, 3):
        await uow.journal.post(entry(books.checking, books.salary, 1000, on=date(2026, month, 1), description="Pay"))
        await uow.journal.post(entry(books.food, books.checking, "100.50", on=date(2026, month, 15)))
    await uow.journal.post(entry(books.food, books.checking, 7, on=date(2027, 1, 1)))
    return books


@pytest.mark.parametrize(
    ("on", "expected"),
    [
        (date(2025, 12, 31), "0"),
        (date(2026, 1, 1), "1000"),
        (date(2026, 1, 14), "1000"),
        (date(2026, 1, 15), "899.50"),
        (date(2026, 1, 31), "899.50"),
        (date(2026, 2, 1), "1899.50"),
        (date(2026, 3, 31), "2698.50"),
        (date(2027, 1, 1), "2691.50"),
        (None, "2691.50"),
    ],
)
async def test_balance_counts_every_posting_through_its_day(uow: UnitOfWork, on: date | None, expected: str) -> None:
    """The day itself counts, the day after does not, at the edges of months too."""
    books = await _year(uow)

    balances = await uow.accounts.balances(on=on, accounts=[books.checking])

    assert balances == {books.checking.id: Decimal(expected)}


async def test_backdated_posting_is_in_every_later_balance(uow: UnitOfWork) -> None:
    """A posting into an earlier month moves the balances from its day on, and no other."""
    books = await _year(uow)

    await uow.journal.post(entry(books.food, books.checking, 30, on=date(2026, 2, 10)))

    checking = [books.checking]
    assert (await uow.accounts.balances(on=date(2026, 2, 9), accounts=checking))[books.checking.id] == Decimal("1899.5")
    assert (await uow.accounts.balances(on=date(2026, 2, 10), accounts=checking))[books.checking.id] == Decimal(
        "1869.5"
    )
    assert (await uow.accounts.balances(on=date(2026, 3, 31), accounts=checking))[books.checking.id] == Decimal(
        "2668.5"
    )


async def test_balance_of_an_unknown_account_is_refused(uow: UnitOfWork) -> None:
    """An id that the ledger does not have is an error, not a zero."""
    with pytest.raises(AccountNotFoundError):
        await uow.accounts.balances(accounts=[987_654_321])


async def test_trial_balance_agrees_in_each_currency(uow: UnitOfWork) -> None:
    """Debits equal credits, currency by currency, on any day."""
    await _year(uow)
    yen = await uow.accounts.open("Assets:Yen", currency="JPY")
    gift = await uow.accounts.open("Income:Gift", currency="JPY")
    await uow.journal.post(entry(yen, gift, 5000, on=date(2026, 2, 2)))

    trial = await uow.reports.trial_balance(on=date(2026, 2, 28))

    assert trial.totals() == {"EUR": (Decimal(2000), Decimal(2000)), "JPY": (Decimal(5000), Decimal(5000))}
    assert trial.is_balanced
    assert [(row.account, row.debit, row.credit) for row in trial.rows if row.currency == "EUR"] == [
        ("Assets:Checking", Decimal("1799.00"), Decimal(0)),
        ("Expenses:Food", Decimal("201.00"), Decimal(0)),
        ("Income:Salary", Decimal(0), Decimal(2000)),
    ]


async def test_balance_sheet_shows_income_in_equity(uow: UnitOfWork) -> None:
    """What was earned and not spent is equity, so that both sides are equal."""
    books = await _year(uow)
    card = await uow.accounts.open("Liabilities:Card", currency="EUR")
    await uow.journal.post(entry(books.food, card, 50, on=date(2026, 3, 20)))

    (sheet,) = await uow.reports.balance_sheets(on=date(2026, 3, 31))

    assert sheet.assets.lines == (("Assets:Checking", Decimal("2698.50")),)
    assert sheet.liabilities.lines == (("Liabilities:Card", Decimal(50)),)
    assert sheet.equity.lines == (("Net income", Decimal("2648.50")),)
    assert sheet.is_balanced


async def test_register_runs_from_the_balance_before(uow: UnitOfWork) -> None:
    """The balance after each posting counts what came before the first day shown."""
    books = await _year(uow)

    lines = [
        line async for line in uow.reports.register(books.checking, start_on=date(2026, 2, 15), end_on=date(2026, 3, 1))
    ]

    assert [(line.date.isoformat(), line.amount, line.balance) for line in lines] == [
        ("2026-02-15", Decimal("-100.50"), Decimal("1799.00")),
        ("2026-03-01", Decimal(1000), Decimal("2799.00")),
    ]
    assert lines[1].description == "Pay"


async def test_register_shows_all_without_dates(uow: UnitOfWork) -> None:
    """From the first posting to the last, which is the balance."""
    books = await _year(uow)

    lines = [line async for line in uow.reports.register(books.checking.id)]

    assert len(lines) == 7
    assert lines[0].balance == 1000
    assert lines[-1].balance == Decimal("2691.50")


async def test_register_of_an_unknown_account_is_refused(uow: UnitOfWork) -> None:
    """Nothing is shown for an account that is not there."""
    with pytest.raises(AccountNotFoundError):
        _ = [line async for line in uow.reports.register(987_654_321)]


async def test_verification_counts_what_it_read(db: DatabaseManager) -> None:
    """A clean ledger has no problems, and says how much was checked."""
    ledger = await db.ledgers.create("Clean", base_currency="EUR")
    async with db.unit_of_work(ledger) as uow:
        await _year(uow)

    verification = await db.verify("Clean")

    assert verification.is_clean
    assert (verification.accounts, verification.entries, verification.postings) == (3, 7, 14)


async def test_reports_do_not_round_long_amounts(uow: UnitOfWork) -> None:
    """Python's decimal context would round at 28 digits."""
    await uow.currencies.open("WEI", exponent=18)
    safe = await uow.accounts.open("Assets:Safe", currency="WEI")
    found = await uow.accounts.open("Equity:Found", currency="WEI")
    amount = Decimal("123456789012345678.123456789012345678")
    await uow.journal.post(entry(safe, found, amount))

    trial = await uow.reports.trial_balance()
    sheets = await uow.reports.balance_sheets()

    assert trial.totals()["WEI"] == (amount, amount)
    assert next(sheet for sheet in sheets if sheet.currency == "WEI").equity.lines == (("Equity:Found", amount),)


async def test_nothing_has_no_sign(uow: UnitOfWork) -> None:
    """What is owed, and a credit, is zero where there is none; a decimal can be a zero below zero."""
    books = await open_books(uow, prefix="Nothing:")
    await uow.journal.post(entry(books.checking, books.salary, 5))

    (worth,) = await uow.reports.net_worth(TODAY, TODAY)
    trial = await uow.reports.trial_balance()

    assert str(worth.points[0].liabilities) == "0"
    assert {str(row.credit) for row in trial.rows if not row.credit} == {"0"}
