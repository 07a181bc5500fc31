"""CSV and QIF in the books: files without ids of the bank, told apart by content and by counting."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from finance import UnitOfWork
from finance.errors import InvalidError, StatementFileError
from finance.models import JournalEntry
from finance.statements import (
    CsvColumns,
    CsvProfile,
    StatementFile,
    import_statements,
    parse_statements,
    read_statements,
)

from .files import balance, count

SAMPLES = Path(__file__).parents[1] / "samples"
HEAD = "Date,Payee,Amount,Balance"
ROWS = [
    "2026-10-01,Salary,1000.00,1000.00",
    "2026-10-02,Coffee,-2.50,997.50",
    "2026-10-02,Coffee,-2.50,995.00",
    "2026-10-03,Interest,0.00,995.00",
    "2026-10-04,Rent,-500.00,495.00",
    "2026-10-05,Coffee,-2.50,492.50",
]
PROFILE = CsvProfile(
    columns=CsvColumns(date="Date", amount="Amount", payee="Payee", balance="Balance"),
    date_format="YYYY-MM-DD",
    currency="EUR",
    account="4711",
    account_kind="CHECKING",
)
RECORDS = [
    "D10/01'26\nT1000.00\nPSalary\n^",
    "D10/02'26\nT-2.50\nPCoffee\n^",
    "D10/02'26\nT-2.50\nPCoffee\n^",
    "D10/13'26\nT-500.00\nPRent\n^",
    "D10/14'26\nT-2.50\nPCoffee\n^",
]


def _csv(*rows: str) -> StatementFile:
    return parse_statements("\n".join([HEAD, *rows, ""]).encode(), name="bank.csv", profile=PROFILE)


def _qif(*records: str) -> StatementFile:
    data = "\n".join(["!Type:Bank", *records, ""]).encode()
    return parse_statements(data, name="bank.qif", currency="EUR", date_order="mdy")


# --- csv -------------------------------------------------------------------------------------------


async def test_csv_again_adds_nothing_and_overlapping_what_is_new(unit: UnitOfWork) -> None:
    """Two equal lines stay two, in each file; the closing balance agrees with the books."""
    first = await import_statements(unit, _csv(*ROWS[:3]))
    again = await import_statements(unit, _csv(*ROWS[:3]))
    later = await import_statements(unit, _csv(*ROWS[1:]))

    assert [each.added for each in (first, again, later)] == [3, 0, 3]
    assert [each.statements[0].account for each in (first, later)] == ["Assets:Checking:4711"] * 2
    assert [each.statements[0].closing_balance_matches for each in (first, again, later)] == [True, True, True]
    assert await balance(unit, "Assets:Checking:4711") == "492.50"
    assert await count(unit, JournalEntry) == 5
    assert (await unit.reports.verify()).is_clean


async def test_csv_that_ends_between_equal_lines_adds_the_other_later(unit: UnitOfWork) -> None:
    """An export of noon has one coffee, that of the evening two."""
    await import_statements(unit, _csv(*ROWS[:2]))
    result = await import_statements(unit, _csv(*ROWS[:3]))

    assert (result.added, await balance(unit, "Assets:Checking:4711")) == (1, "995.00")


async def test_csv_with_the_newest_first_is_the_same(unit: UnitOfWork) -> None:
    """The order of an export changes neither which lines are new nor the balances."""
    await import_statements(unit, _csv(*ROWS[:3]))
    result = await import_statements(unit, _csv(*reversed(ROWS)))

    assert (result.added, result.statements[0].closing_balance_matches) == (3, True)
    assert (await unit.reports.verify()).is_clean


async def test_refused_csv_leaves_nothing(unit: UnitOfWork) -> None:
    """An amount finer than its currency undoes the file."""
    with pytest.raises(StatementFileError, match="more than the 2 decimals of EUR"):
        await import_statements(unit, _csv(ROWS[0], "2026-10-02,Fee,-0.005,999.995"))
    assert (await count(unit, JournalEntry), [each async for each in unit.accounts.stream()]) == (0, [])


async def test_sample_adds_up(unit: UnitOfWork) -> None:
    """The bank's opening balance is missing in new books, and that is told, not invented."""
    file = read_statements(SAMPLES / "giro.csv", profile=CsvProfile.load(SAMPLES / "giro.toml"))
    (result,) = (await import_statements(unit, file, account="Assets:Giro")).statements

    assert (result.added, str(result.books_balance), result.closing_balance_matches) == (4, "2295.67", False)
    assert (await import_statements(unit, file)).added == 0


# --- qif -------------------------------------------------------------------------------------------


async def test_qif_again_adds_nothing_and_overlapping_what_is_new(unit: UnitOfWork) -> None:
    """Without any id of the bank, content and count decide."""
    first = await import_statements(unit, _qif(*RECORDS[:3]), account="Assets:Giro")
    again = await import_statements(unit, _qif(*RECORDS[:3]), account="Assets:Giro")
    later = await import_statements(unit, _qif(*RECORDS[1:]), account="Assets:Giro")

    assert [each.added for each in (first, again, later)] == [3, 0, 2]
    assert await balance(unit, "Assets:Giro") == "492.50"
    assert (await unit.reports.verify()).is_clean


async def test_sections_with_names_have_accounts_of_their_own(unit: UnitOfWork) -> None:
    """Named by kind and name, and found again."""
    file = read_statements(SAMPLES / "accounts.qif", currency="USD")
    first = await import_statements(unit, file)
    again = await import_statements(unit, file)

    assert [(each.account, each.added) for each in first.statements] == [
        ("Assets:Checking:Checking", 4),
        ("Liabilities:Credit Card:Visa", 1),
    ]
    assert again.added == 0
    assert (await unit.reports.verify()).is_clean


async def test_file_without_an_account_needs_one_each_time(unit: UnitOfWork) -> None:
    """Two files without a name are not one account, and neither is guessed."""
    with pytest.raises(StatementFileError, match="name one with account="):
        await import_statements(unit, _qif(*RECORDS))
    await import_statements(unit, _qif(*RECORDS[:1]), account="Assets:Giro")
    await import_statements(unit, _qif(*RECORDS[:1]), account="Liabilities:Visa")
    with pytest.raises(StatementFileError, match="name one with account="):
        await import_statements(unit, _qif(*RECORDS))

    assert (await balance(unit, "Assets:Giro"), await balance(unit, "Liabilities:Visa")) == ("1000.00", "1000.00")


async def test_file_without_a_currency_is_refused_with_the_argument(unit: UnitOfWork) -> None:
    """The message says how to say it."""
    file = parse_statements(b"!Type:Bank\nD1/31/26\nT1.00\n^\n", name="bank.qif")
    with pytest.raises(StatementFileError, match="currency='EUR' or --currency"):
        await import_statements(unit, file, account="Assets:Giro")


async def test_investments_are_kept_and_not_posted(unit: UnitOfWork) -> None:
    """As those of OFX."""
    data = b"!Account\nNDepot\nTInvst\n^\n!Type:Invst\nD1/31/26\nNBuy\nYACME\nQ2\nT21.00\n^\n"
    file = parse_statements(data, name="bank.qif", currency="EUR")
    (result,) = (await import_statements(unit, file)).statements

    assert (result.account, result.added, result.securities) == ("Assets:Investments:Depot", 1, 1)
    assert await count(unit, JournalEntry) == 0


async def test_one_name_for_two_named_accounts_is_refused(unit: UnitOfWork) -> None:
    """As with OFX."""
    file = dataclasses.replace(read_statements(SAMPLES / "accounts.qif", currency="USD"))
    with pytest.raises(InvalidError, match="2 accounts"):
        await import_statements(unit, file, account="Assets:Giro")
