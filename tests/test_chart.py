"""The chart of accounts: opened whole, moved in branches, begun with balances."""

from __future__ import annotations

from uuid import uuid4

import pytest

from finance import Chart, UnitOfWork
from finance.errors import AccountNotFoundError, AlreadyExistsError, AmountError, InvalidError
from tests.factories import TODAY, entry


@pytest.mark.parametrize("chart", list(Chart))
async def test_a_chart_is_opened_once(uow: UnitOfWork, chart: Chart) -> None:
    """By its name, in its order; what is there already stays."""
    first = await uow.accounts.open_chart(str(chart), currency="EUR")
    again = await uow.accounts.open_chart(chart, currency="EUR")

    assert [account.name for account in first] == list(chart.names)
    assert [account.id for account in first] == [account.id for account in again]
    assert len(set(chart.names)) == len(chart.names)
    assert {account.currency for account in first} == {"EUR"}


async def test_a_chart_may_be_ones_own(uow: UnitOfWork) -> None:
    """Any names will do, and one that is no name is told."""
    opened = await uow.accounts.open_chart(["Assets:Purse", "Expenses:Ice"], currency="EUR")

    assert [(account.name, account.type) for account in opened] == [
        ("Assets:Purse", "asset"),
        ("Expenses:Ice", "expense"),
    ]
    with pytest.raises(InvalidError, match="chart 'houshold': one of household, small_business"):
        await uow.accounts.open_chart("houshold", currency="EUR")
    with pytest.raises(InvalidError, match="account name"):
        await uow.accounts.open_chart(["Assets::Purse"], currency="EUR")


async def test_a_branch_is_moved_with_its_history(uow: UnitOfWork) -> None:
    """Everything below goes along, in every currency; what only begins alike stays."""
    car, fuel, francs, carpets, cash = await uow.accounts.open_chart(
        ["Expenses:Car", "Expenses:Car:Fuel", "Expenses:Car:Tolls", "Expenses:Carpets", "Assets:Purse"], currency="EUR"
    )
    abroad = await uow.accounts.open("Expenses:Car", currency="CHF")
    await uow.journal.post(entry(fuel, cash, "60"))

    count = await uow.accounts.move("Expenses:Car", "Expenses:Mobility:Car")

    names = {account.id: account.name async for account in uow.accounts.stream()}
    assert count == 4
    assert [names[each.id] for each in (car, fuel, francs, carpets, abroad)] == [
        "Expenses:Mobility:Car",
        "Expenses:Mobility:Car:Fuel",
        "Expenses:Mobility:Car:Tolls",
        "Expenses:Carpets",
        "Expenses:Mobility:Car",
    ]
    assert await uow.accounts.balance(fuel.id) == 60
    assert (await uow.accounts.get_one(fuel.id)).version == 2


async def test_a_branch_may_become_a_branch_of_itself(uow: UnitOfWork) -> None:
    """Everything is one segment deeper then, and back again."""
    await uow.accounts.open_chart(["Expenses:Car", "Expenses:Car:Fuel"], currency="EUR")

    await uow.accounts.move("Expenses:Car", "Expenses:Car:Old")
    assert [each.name async for each in uow.accounts.stream()] == ["Expenses:Car:Old", "Expenses:Car:Old:Fuel"]
    await uow.accounts.move("Expenses:Car:Old", "Expenses:Car")
    assert [each.name async for each in uow.accounts.stream()] == ["Expenses:Car", "Expenses:Car:Fuel"]


@pytest.mark.parametrize(
    ("name", "to", "error"),
    [
        ("Expenses:Car", "Expenses:Food", AlreadyExistsError),
        ("Expenses:Bike", "Expenses:Mobility", AccountNotFoundError),
        ("Expenses:Car", "Expenses:Car", InvalidError),
        ("Expenses:Car", "Income:Car", InvalidError),
        ("Expenses:Car", "Expenses::Car", InvalidError),
        ("Expenses:Car", "Expenses:" + "x" * 500, InvalidError),
    ],
)
async def test_a_move_that_cannot_be_is_refused_whole(
    uow: UnitOfWork, name: str, to: str, error: type[Exception]
) -> None:
    """No account is renamed then."""
    await uow.accounts.open_chart(["Expenses:Car", "Expenses:Food"], currency="EUR")
    with pytest.raises(error):
        async with uow.savepoint():
            await uow.accounts.move(name, to)
    assert [each.name async for each in uow.accounts.stream()] == ["Expenses:Car", "Expenses:Food"]


async def test_books_begin_with_balances(uow: UnitOfWork) -> None:
    """Of what is owned and what is owed; twice with one id is once."""
    giro = await uow.accounts.open("Assets:Giro", currency="EUR")
    card = await uow.accounts.open("Liabilities:Card", currency="CHF")
    chosen = uuid4()

    await uow.journal.open_balance(giro, "1234.56", on=TODAY, id=chosen)
    again = await uow.journal.open_balance(giro.id, "1234.56", on=TODAY, id=chosen)
    await uow.journal.open_balance(card, -100, on=TODAY)

    trial = await uow.reports.trial_balance()
    assert again.is_replay
    assert {(row.account, row.currency): str(row.balance) for row in trial.rows} == {
        ("Assets:Giro", "EUR"): "1234.56",
        ("Equity:Opening Balances", "CHF"): "100",
        ("Equity:Opening Balances", "EUR"): "-1234.56",
        ("Liabilities:Card", "CHF"): "-100",
    }
    with pytest.raises(AmountError):
        await uow.journal.open_balance(giro, 0, on=TODAY)
    with pytest.raises(AccountNotFoundError):
        await uow.journal.open_balance(10**9, 1, on=TODAY)
