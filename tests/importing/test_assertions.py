"""Balances that statements and users claim, compared with the books as they are now."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from finance import NewAssertion, NewEntry, NewPosting, UnitOfWork
from finance.errors import AccountNotFoundError, AmountError, InvalidError, SealedError
from finance.statements import CsvColumns, CsvProfile, import_statements, parse_statements

from .files import CHECKING, FIRST, bring, file, line, statement

Shown = list[tuple[str, str, str, bool]]


def day(number: int) -> date:
    """Give a day of August."""
    return date(2026, 8, number)


async def shown(uow: UnitOfWork) -> Shown:
    """List day, kind, stated balance, and whether it holds."""
    return [(each.on.isoformat(), each.kind, f"{each.stated:f}", each.holds) for each in await uow.reports.assertions()]


async def post(uow: UnitOfWork, amount: str, on: date) -> NewEntry:
    """Post by hand."""
    checking = await uow.accounts.get_or_open(CHECKING, currency="EUR")
    other = await uow.accounts.get_or_open("Equity:Other", currency="EUR")
    entry = NewEntry(on, "By hand", [NewPosting(checking, amount), NewPosting(other, Decimal(amount).copy_negate())])
    await uow.journal.post(entry)
    return entry


def month(opening: str, *amounts: tuple[int, str], closing: str, closing_on: date) -> Any:
    """Make a statement with balances."""
    lines = [line(amount, f"{number}/{amount}", on=day(number)) for number, amount in amounts]
    return statement(*lines, opening_balance=Decimal(opening), closing_balance=Decimal(closing), closing_on=closing_on)


async def test_opening_and_closing_balances_are_asserted(unit: UnitOfWork) -> None:
    """The opening one holds at the end of the day before the first line; the books begin later, so that it fails."""
    await import_statements(unit, file(month("100", (5, "1.50"), (7, "2"), closing="103.50", closing_on=day(9))))

    assert await shown(unit) == [
        ("2026-08-04", "opening", "100", False),
        ("2026-08-09", "closing", "103.50", False),
    ]
    checking = await unit.accounts.get_by_name(CHECKING)
    assert checking
    await unit.journal.open_balance(checking, 100, on=day(1))
    assert [holds for *_, holds in await shown(unit)] == [True, True]


async def test_failing_assertion_says_by_how_much_and_since_when(unit: UnitOfWork) -> None:
    """It is judged against the last that holds, and as of now: an entry that is posted later makes it fail."""
    for first, balance in ((1, "10"), (5, "20"), (9, "30"), (13, "40")):
        await import_statements(unit, file(month("0", (first, "10"), closing=balance, closing_on=day(first + 1))))
    assert all(each.holds for each in await unit.reports.assertions() if each.kind == "closing")

    late = await post(unit, "-3", on=day(8))
    await post(unit, "1", on=day(12))

    closings = [each for each in await unit.reports.assertions() if each.kind == "closing"]
    assert [(each.difference, each.since, each.held_on) for each in closings] == [
        (0, None, None),
        (0, None, None),
        (-3, day(10), day(6)),
        (-2, day(14), day(6)),
    ]
    assert (closings[2].stated, closings[2].books, closings[2].file) == (30, 27, "bank.ofx")
    await unit.journal.reverse(late.id)
    assert [each.difference for each in await unit.reports.assertions() if each.kind == "closing"] == [0, 0, 0, 1]


async def test_the_same_difference_goes_back_to_where_it_began(unit: UnitOfWork) -> None:
    """A run of assertions that fail by as much has one beginning; with none that holds before, it says so."""
    await post(unit, "10", on=day(1))
    checking = await unit.accounts.get_by_name(CHECKING)
    assert checking
    for number in (3, 4, 5):
        await unit.assertions.record(NewAssertion(checking, day(number), "9.5", note="my receipt"))

    found = await unit.reports.assertions(checking)
    assert [(each.difference, each.since, each.held_on) for each in found] == [(Decimal("0.5"), day(3), None)] * 3
    assert (found[0].kind, found[0].note, found[0].statement_id) == ("hand", "my receipt", None)


async def test_of_two_statements_of_one_day_the_later_one_counts(unit: UnitOfWork) -> None:
    """A bank that was asked at noon says something else in the evening."""
    await bring(unit, line("1", "A"), closing_balance=Decimal(1), closing_on=FIRST)
    await bring(unit, line("1", "A"), line("2", "B"), closing_balance=Decimal(3), closing_on=FIRST)

    assert await shown(unit) == [("2026-08-05", "closing", "3", True)]


async def test_page_that_goes_on_within_a_day_claims_no_opening(unit: UnitOfWork) -> None:
    """Its opening balance is that of the middle of the day; in one file and in two."""
    first = month("0", (5, "1"), closing="1", closing_on=day(5))
    second = month("1", (5, "2"), closing="3", closing_on=day(5))
    third = month("3", (5, "4"), closing="7", closing_on=day(5))
    await import_statements(unit, file(first, second))
    await import_statements(unit, file(third))

    assert await shown(unit) == [("2026-08-04", "opening", "0", True), ("2026-08-05", "closing", "7", True)]


async def test_file_that_comes_again_asserts_nothing_twice(unit: UnitOfWork) -> None:
    """The claims of a file are those of its first import."""
    for _ in range(2):
        await bring(unit, line("1", "A"), closing_balance=Decimal(1), closing_on=FIRST)

    assert len([each async for each in unit.assertions.stream()]) == 1


async def test_running_balances_of_a_table_are_asserted_day_by_day(unit: UnitOfWork) -> None:
    """The balance after the last line of each day, whichever line the file begins with."""
    columns = CsvColumns(date="Day", amount="Amount", balance="Balance")
    profile = CsvProfile(columns=columns, date_format="YYYY-MM-DD", currency="EUR")
    table = b"Day,Amount,Balance\n2026-08-07,4,17\n2026-08-06,2,13\n2026-08-06,1,11\n2026-08-05,10,10\n"
    read = parse_statements(table, name="bank.csv", profile=profile)

    assert read.statements[0].daily_balances == ((day(5), 10), (day(6), 13), (day(7), 17))
    await import_statements(unit, read, account=CHECKING)
    assert await shown(unit) == [
        ("2026-08-04", "opening", "0", True),
        ("2026-08-05", "running", "10", True),
        ("2026-08-06", "running", "13", True),
        ("2026-08-07", "closing", "17", True),
    ]


async def test_assertion_by_hand_is_checked_and_may_go(unit: UnitOfWork) -> None:
    """Of an account of this ledger, exact and not finer than its currency; one of a statement stays."""
    await bring(unit, line("1", "A"), closing_balance=Decimal(1), closing_on=FIRST)
    checking = await unit.accounts.get_by_name(CHECKING)
    assert checking
    with pytest.raises(AmountError, match="2 decimals"):
        await unit.assertions.record(NewAssertion(checking, FIRST, "1.001"))
    with pytest.raises(AccountNotFoundError):
        await unit.assertions.record(NewAssertion(999_999, FIRST, 1))
    with pytest.raises(AmountError):
        NewAssertion(checking, FIRST, 1.5)  # type: ignore[arg-type]
    with pytest.raises(InvalidError, match="day at whose end"):
        NewAssertion(checking, "2026-08-05", 1)  # type: ignore[arg-type]

    mine = await unit.assertions.record(NewAssertion(checking, FIRST, 2))
    assert [holds for *_, holds in await shown(unit)] == [True, False]
    await unit.assertions.remove(mine)
    (banks,) = [each async for each in unit.assertions.stream()]
    with pytest.raises(SealedError):
        async with unit.savepoint():
            await unit.assertions.remove(banks)


async def test_months_and_their_ends_are_counted(unit: UnitOfWork) -> None:
    """Balances far apart, on first and last days of months, and before all postings."""
    checking = await unit.accounts.get_or_open(CHECKING, currency="EUR")
    for on in (date(2024, 2, 29), date(2025, 1, 1), date(2026, 8, 31)):
        await post(unit, "1", on=on)
    stated = [(date(2024, 2, 28), 0), (date(2024, 2, 29), 1), (date(2024, 12, 31), 1), (date(2025, 1, 1), 2)]
    for on, amount in [*stated, (date(2026, 8, 30), 2), (date(2026, 8, 31), 3), (date(9998, 12, 31), 3)]:
        await unit.assertions.record(NewAssertion(checking, on, amount))

    assert [each.difference for each in await unit.reports.assertions(checking.id)] == [0] * 7
