"""Which account of the books a bank's account is."""

from __future__ import annotations

import pytest

from finance import UnitOfWork
from finance.errors import InvalidError
from finance.statements.importer import import_statements

from .files import CHECKING, balance, bring, file, line, statement


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("CHECKING", "Assets:Checking:4711"),
        ("SAVINGS", "Assets:Savings:4711"),
        ("MONEYMRKT", "Assets:Money Market:4711"),
        ("CD", "Assets:Deposits:4711"),
        ("INVESTMENT", "Assets:Investments:4711"),
        ("CREDITLINE", "Liabilities:Credit Line:4711"),
        ("CREDITCARD", "Liabilities:Credit Card:4711"),
        ("SHOEBOX", "Assets:Bank:4711"),
        (None, "Assets:Bank:4711"),
    ],
)
async def test_account_is_named_by_kind_and_number(unit: UnitOfWork, kind: str | None, name: str) -> None:
    """An account that is seen for the first time is named by what the bank calls it."""
    assert (await bring(unit, line("1"), account_kind=kind)).account == name


async def test_number_cannot_make_segments(unit: UnitOfWork) -> None:
    """A colon in the number would end the segment of a name, and blanks at its ends are not allowed."""
    assert (await bring(unit, line("1"), account=" 47:11  22 ")).account == "Assets:Checking:47-11 22"


async def test_chosen_account_is_remembered(unit: UnitOfWork) -> None:
    """The account that was named for the first file is that of the next ones, named again or not."""
    first = file(statement(line("1", "A")))
    assert (await import_statements(unit, first, account="Assets:Giro")).statements[0].account == "Assets:Giro"

    assert (await bring(unit, line("1", "A"), line("2", "B"))).account == "Assets:Giro"
    named_again = await import_statements(unit, file(statement(line("4", "C"))), account="Assets:Giro")

    assert named_again.added == 1
    assert await balance(unit, "Assets:Giro") == "7"


async def test_chosen_account_of_an_empty_statement_is_remembered(unit: UnitOfWork) -> None:
    """A statement without lines says already which account of the books the bank's account is."""
    await import_statements(unit, file(statement()), account="Assets:Giro")

    assert (await bring(unit, line("1"))).account == "Assets:Giro"


async def test_bank_that_is_named_only_later_is_the_same(unit: UnitOfWork) -> None:
    """A bank id that some of the files leave out makes no second account, and no line comes twice."""
    await bring(unit, line("1", "A"), bank=None)
    result = await bring(unit, line("1", "A"))

    assert (result.account, result.added) == (CHECKING, 0)


async def test_another_account_than_before_is_refused(unit: UnitOfWork) -> None:
    """A bank account that was imported cannot continue in another account: its lines would come twice."""
    await bring(unit, line("1", "A"))

    with pytest.raises(InvalidError, match=f"{CHECKING}.*Assets:Giro"):
        await import_statements(unit, file(statement(line("1", "A"))), account="Assets:Giro")


async def test_one_name_for_several_accounts_is_refused(unit: UnitOfWork) -> None:
    """A name is for a file of one account; two statements of one account are one."""
    two_months = file(statement(line("1", "A")), statement(line("2", "B")))
    assert (await import_statements(unit, two_months, account="Assets:Giro")).added == 2

    with pytest.raises(InvalidError, match="2 accounts"):
        await import_statements(unit, file(statement(line("1")), statement(account="4712")), account="Assets:Two")


@pytest.mark.parametrize(
    "name", ["Expenses:Uncategorised", "Income:Uncategorised", "Expenses:Food", "Equity:Giro", "Assets::Giro"]
)
async def test_name_that_cannot_be_the_account_is_refused(unit: UnitOfWork, name: str) -> None:
    """The other side of each line is not the bank's account, and a new account has a name in order."""
    with pytest.raises(InvalidError, match=name):
        await import_statements(unit, file(statement(line("1"))), account=name)


async def test_listed_account_opens_nothing(unit: UnitOfWork) -> None:
    """An account that the file merely lists is reported, and not opened."""
    result = await bring(unit, currency=None, account_kind="SAVINGS")

    assert (result.account, result.currency, result.lines, result.added) == ("Assets:Savings:4711", None, 0, 0)
    assert str(result.sum) == "0"
    assert [account.name async for account in unit.accounts.stream()] == []


async def test_account_of_a_file_that_lists_others_can_be_named(unit: UnitOfWork) -> None:
    """Accounts that are merely listed do not make it a file of several."""
    listing = file(statement(line("1")), statement(currency=None, account="4712"))
    result = await import_statements(unit, listing, account="Assets:Giro")

    assert [each.account for each in result.statements] == ["Assets:Giro", "Assets:Checking:4712"]


async def test_two_banks_with_one_number_have_two_accounts(unit: UnitOfWork) -> None:
    """A number is unique at its bank only: equal ones are told apart, in one file and in two, and for ever."""
    same = line("-2.50", "SAME")
    await import_statements(unit, file(statement(same), statement(same, bank="88800000")))
    await bring(unit, same, line("-5", "B"), bank="88800000")
    await bring(unit, same, bank="77700000")

    assert await balance(unit, CHECKING) == "-2.50"
    assert await balance(unit, f"{CHECKING} (2)") == "-7.50"
    assert await balance(unit, f"{CHECKING} (3)") == "-2.50"


async def test_one_number_of_two_kinds_has_two_accounts(unit: UnitOfWork) -> None:
    """Some banks give one number to a customer's accounts of several kinds."""
    await bring(unit, line("1", "A"))
    await bring(unit, line("1", "A"), account_kind="SAVINGS")
    await bring(unit, line("1", "A"), line("2", "B"))

    assert (await balance(unit, CHECKING), await balance(unit, "Assets:Savings:4711")) == ("3", "1")


async def test_one_number_in_two_currencies_is_one_name(unit: UnitOfWork) -> None:
    """An account that holds several currencies has a statement in each, and one name."""
    await import_statements(unit, file(statement(line("1", "A")), statement(line("2", "A"), currency="USD")))

    assert (await balance(unit, CHECKING, "EUR"), await balance(unit, CHECKING, "USD")) == ("1", "2")
    assert await balance(unit, "Income:Uncategorised", "USD") == "-2"


async def test_name_without_a_type_takes_that_of_the_bank(unit: UnitOfWork) -> None:
    """A bank's account is an asset, or a liability where the bank lends, whatever somebody calls it."""
    await import_statements(unit, file(statement(account_kind="CREDITCARD")), account="My Card")

    card = await unit.accounts.get_by_name("My Card")
    assert card is not None
    assert card.type == "liability"
