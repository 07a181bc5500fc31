"""Statements that find their account by its details."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from finance import AccountDetails, UnitOfWork
from finance.errors import InvalidError, StatementFileError
from finance.statements import parse_statements
from finance.statements.importer import import_statements

from .files import bring, file, line, statement

IBAN = "DE89370400440532013000"
BY_IBAN = AccountDetails(iban=IBAN)
BY_NUMBER = AccountDetails(institution="37040044", number="0532013000")


@pytest.mark.parametrize(
    ("details", "written"),
    [
        (BY_IBAN, {"bank": None, "account": IBAN}),
        (BY_IBAN, {"bank": "DEUTDEFF", "account": "de89 3704 0044 0532 0130 00"}),
        (BY_IBAN, {"bank": None, "account": f"{IBAN}EUR"}),
        (BY_NUMBER, {"bank": "37040044", "account": "0532013000"}),
        (BY_NUMBER, {"bank": None, "account": "37040044/0532013000"}),
    ],
)
async def test_statement_goes_to_the_account_with_its_details(
    unit: UnitOfWork, details: AccountDetails, written: dict[str, Any]
) -> None:
    """As the formats write an IBAN, or the bank and the number."""
    await unit.accounts.open("Assets:Giro", currency="EUR", details=details)

    result = await bring(unit, line("1"), **written)

    assert (result.account, result.added) == ("Assets:Giro", 1)


async def test_real_form_of_a_message_finds_its_account(unit: UnitOfWork) -> None:
    """A CAMT file, read from its bytes, brings its lines to the account that was identified before."""
    sample = Path(__file__).parents[1] / "samples" / "statement.camt053.xml"
    read = parse_statements(sample.read_bytes(), name=sample.name)
    number = read.statements[0].account
    await unit.accounts.open("Assets:Giro", currency=read.statements[0].currency or "", details={"iban": number})

    result = await import_statements(unit, read)

    assert (result.statements[0].account, result.statements[0].added) == ("Assets:Giro", len(read.statements[0].lines))
    assert result.statements[0].added > 0


@pytest.mark.parametrize("written", [{"bank": "37040045"}, {"account": "0532013001"}, {"bank": None}])
async def test_other_numbers_are_of_other_accounts(unit: UnitOfWork, written: dict[str, Any]) -> None:
    """A number alone is no account: each bank has its own."""
    await unit.accounts.open("Assets:Giro", currency="EUR", details=BY_NUMBER)

    fields: dict[str, Any] = {"bank": "37040044", "account": "0532013000"} | written

    assert (await bring(unit, line("1"), **fields)).account == f"Assets:Checking:{fields['account']}"


async def test_what_was_placed_before_keeps_its_place(unit: UnitOfWork) -> None:
    """Details that come later move nothing: the lines would come twice."""
    await import_statements(unit, file(statement(line("1", "A"), bank=None, account=IBAN)), account="Assets:First")
    await unit.accounts.open("Assets:Giro", currency="EUR", details=BY_IBAN)

    result = await bring(unit, line("1", "A"), line("2", "B"), bank=None, account=IBAN)

    assert (result.account, result.added) == ("Assets:First", 1)


async def test_another_currency_is_refused(unit: UnitOfWork) -> None:
    """Unless an account is named for it."""
    await unit.accounts.open("Assets:Giro", currency="EUR", details=BY_IBAN)
    dollars = file(statement(line("1"), bank=None, account=IBAN, currency="USD"))

    with pytest.raises(StatementFileError, match=r"in USD, and by its details of 'Assets:Giro', which holds EUR"):
        await import_statements(unit, dollars)

    result = await import_statements(unit, dollars, account="Assets:Dollars")
    assert result.statements[0].account == "Assets:Dollars"


async def test_another_account_than_the_details_say_is_refused(unit: UnitOfWork) -> None:
    """Who names the right one may."""
    await unit.accounts.open("Assets:Giro", currency="EUR", details=BY_IBAN)
    read = file(statement(line("1"), bank=None, account=IBAN))

    with pytest.raises(InvalidError, match="'Assets:Giro', and not 'Assets:Other'") as caught:
        await import_statements(unit, read, account="Assets:Other")

    assert IBAN not in str(caught.value)
    assert (await import_statements(unit, read, account="Assets:Giro")).added == 1


async def test_two_accounts_for_one_statement_are_refused(unit: UnitOfWork) -> None:
    """The IBAN says one, the bank and the number another."""
    await unit.accounts.open("Assets:Giro", currency="EUR", details=BY_IBAN)
    other = AccountDetails(institution="DEUTDEFF", number=IBAN)
    await unit.accounts.open("Assets:Other", currency="EUR", details=other)

    with pytest.raises(StatementFileError, match="'Assets:Giro' and 'Assets:Other'") as caught:
        await bring(unit, line("1"), bank="DEUTDEFF", account=IBAN)

    assert IBAN not in str(caught.value)


async def test_one_number_for_accounts_of_two_kinds_is_refused(unit: UnitOfWork) -> None:
    """Some banks give a customer one number: which of the accounts it means, the details do not say."""
    await unit.accounts.open("Assets:Giro", currency="EUR", details=BY_NUMBER)
    fields: dict[str, Any] = {"bank": "37040044", "account": "0532013000"}
    both = file(statement(line("1"), **fields), statement(line("2"), account_kind="SAVINGS", **fields))

    with pytest.raises(StatementFileError, match="accounts of two kinds"):
        await import_statements(unit, both)


async def test_account_named_for_another_kind_is_not_taken(unit: UnitOfWork) -> None:
    """A checking account's number leads no savings into it, where its name says what it is."""
    fields: dict[str, Any] = {"bank": "37040044", "account": "0532013000"}
    checking = (await bring(unit, line("1"), **fields)).account
    account = await unit.accounts.get_by_name(checking)
    assert account is not None
    await unit.accounts.update(account, details=BY_NUMBER)

    savings = await bring(unit, line("2"), account_kind="SAVINGS", **fields)

    assert savings.account == "Assets:Savings:0532013000"
