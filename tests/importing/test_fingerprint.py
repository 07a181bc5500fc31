"""Which lines are new: each once, whatever comes again."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from finance import UnitOfWork
from finance.models import Statement as StoredStatement
from finance.models import StatementLine as StoredLine
from finance.statements import read_statements
from finance.statements.importer import import_statements

from .files import CHECKING, balance, bring, count, file, line, statement, stored_lines

SAMPLES = Path(__file__).parents[1] / "samples"


async def test_file_that_comes_again_adds_nothing(unit: UnitOfWork) -> None:
    """The same file twice: all lines are told as duplicates, and not even a statement is stored."""
    lines = [line("-1.50", "A"), line("-1.50", None, payee="Kiosk"), line("0", "Z")]
    await bring(unit, *lines)
    again = await bring(unit, *lines)

    assert (again.lines, again.added, again.duplicates) == (3, 0, 3)
    assert await balance(unit, CHECKING) == "-3.00"
    assert (await count(unit, StoredLine), await count(unit, StoredStatement)) == (3, 1)


async def test_overlapping_file_adds_only_what_is_new(unit: UnitOfWork) -> None:
    """Two files share some days: what the first brought is not brought again by the second."""
    old, shared, new = line("1", "A"), line("2", "B"), line("4", "C")
    await bring(unit, old, shared)
    result = await bring(unit, shared, new)

    assert (result.added, result.duplicates) == (1, 1)
    assert await balance(unit, CHECKING) == "7"
    latest = await unit.statements.latest_for(bank="99955500", bank_account="4711")
    assert latest
    assert [each.number for each in (await unit.statements.lines(latest)).items] == [2]


async def test_other_file_with_known_lines_is_remembered(unit: UnitOfWork) -> None:
    """A file that adds no line may still say a balance, and so it is stored as a statement."""
    await bring(unit, line("1", "A"))
    await bring(unit, line("1", "A"), closing_balance=Decimal(9))

    latest = await unit.statements.latest_for(bank="99955500", bank_account="4711")
    assert latest
    assert str(latest.closing_balance) == "9"


@pytest.mark.parametrize("bank_id", ["SAME", None])
async def test_two_equal_lines_of_a_file_are_both_kept(unit: UnitOfWork, bank_id: str | None) -> None:
    """Two coffees on one day are two, with one repeated id of the bank or without any."""
    coffee = line("-2.50", bank_id, payee="Café")
    await bring(unit, coffee, coffee)
    again = await bring(unit, coffee, coffee, coffee)

    assert (again.added, again.duplicates) == (1, 2)
    assert await balance(unit, CHECKING) == "-7.50"
    assert [each.occurrence for each in await stored_lines(unit)] == [1, 2, 3]


async def test_one_bank_id_with_other_amounts_or_days_is_several_lines(unit: UnitOfWork) -> None:
    """A bank that uses one id for a payment, its fee, and next month's payment loses none of them."""
    await bring(unit, line("-100", "X"), line("-1", "X"), line("-100", "X", on=date(2026, 9, 5)))

    assert await balance(unit, CHECKING) == "-201"


async def test_text_that_the_bank_completes_later_makes_no_new_line(unit: UnitOfWork) -> None:
    """With an id of the bank, neither texts nor zeros at the end of an amount make a line another one."""
    await bring(unit, line("-9.9", "X", payee="CARD 1234"), line("0", "Z"))
    result = await bring(unit, line("-9.90", "X", payee="Bookshop", memo="Card 1234"), line("-0.00", "Z"))

    assert result.added == 0


@pytest.mark.parametrize(
    "other", [{"payee": "B"}, {"memo": "B"}, {"type": "B"}, {"check_number": "B"}, {"on": date(2026, 8, 6)}]
)
async def test_without_bank_id_every_field_tells_lines_apart(unit: UnitOfWork, other: dict[str, Any]) -> None:
    """Lines without an id of the bank are the same only if all that they say is the same."""
    await bring(unit, line("-1", payee="A", memo="A", type="A", check_number="A"))
    fields: dict[str, Any] = {"payee": "A", "memo": "A", "type": "A", "check_number": "A"}
    result = await bring(unit, line("-1", **(fields | other)))

    assert result.added == 1


async def test_equal_lines_are_counted_over_all_statements_of_a_file(unit: UnitOfWork) -> None:
    """A file with two statements of one account holds two coffees, if each statement has one."""
    coffee = line("-2.50", "SAME")
    both = file(statement(coffee), statement(coffee, line("-1", "B")))
    first = await import_statements(unit, both)
    again = await import_statements(unit, both)

    assert ([each.added for each in first.statements], again.added) == ([1, 2], 0)
    assert await balance(unit, CHECKING) == "-6.00"
    assert await count(unit, StoredStatement) == 2


async def test_statement_that_a_file_has_twice_is_imported_once(unit: UnitOfWork) -> None:
    """Downloads that were joined: its balances say that it cannot follow itself, and the file tells of the copy."""
    august = statement(line("-2.50"), opening_balance=Decimal(10), closing_balance=Decimal("7.50"))
    september = statement(line("-2.50"), opening_balance=Decimal("7.50"), closing_balance=Decimal(5))
    found = await import_statements(unit, file(august, september, august, september))

    assert ([each.added for each in found.statements], await balance(unit, CHECKING)) == ([1, 1], "-5.00")
    assert found.remarks == ("statements that are copies of an earlier one in it, left out: 2",)


async def test_equal_statements_that_may_follow_each_other_are_two(unit: UnitOfWork) -> None:
    """Another page led back to where the first began, or nothing says where they begin."""
    out = statement(line("-2.50"), opening_balance=Decimal(10), closing_balance=Decimal("7.50"))
    back = statement(line("2.50"), opening_balance=Decimal("7.50"), closing_balance=Decimal(10))
    found = await import_statements(unit, file(out, back, out))
    assert (found.added, found.remarks, await balance(unit, CHECKING)) == (3, (), "-2.50")

    level = statement(line("1"), line("-1"), opening_balance=Decimal(0), closing_balance=Decimal(0), account="4712")
    report = statement(line("-2.50", "A"), line("-1"), account="4713")
    found = await import_statements(unit, file(level, level, report, report))
    assert (found.added, len(found.remarks)) == (8, 1)
    assert "same id of the bank, date and amount, each taken for another one: 1;" in found.remarks[0]


async def test_equal_lines_of_two_accounts_are_two(unit: UnitOfWork) -> None:
    """Lines are counted account by account."""
    same = line("-2.50", "SAME")
    both = file(statement(same), statement(same, account="4712"))
    first = await import_statements(unit, both)
    again = await import_statements(unit, both)

    assert ([each.added for each in first.statements], again.added) == ([1, 1], 0)


async def test_samples_add_up_and_add_nothing_again(unit: UnitOfWork) -> None:
    """What the reader makes of real syntax is imported, also several accounts and repeated ids."""
    several = read_statements(SAMPLES / "several-accounts.ofx")
    repeated = read_statements(SAMPLES / "repeated-fitid.ofx")
    result = await import_statements(unit, several)

    assert [(each.account, each.added, str(each.sum)) for each in result.statements] == [
        ("Assets:Checking:100", 2, "15.50"),
        ("Assets:Savings:200", 1, "0.12"),
        ("Assets:Checking:100", 1, "-3.00"),
        ("Liabilities:Credit Card:5500000000000004", 1, "-7.77"),
    ]
    assert (await import_statements(unit, repeated)).added == 3
    assert (await import_statements(unit, several)).added == 0
    assert (await import_statements(unit, repeated)).added == 0
    assert (await unit.reports.verify()).is_clean
