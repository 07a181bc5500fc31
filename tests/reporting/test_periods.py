"""Income statements, net worth, cash flows and spending of drawn books are what plain Python says."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from finance import DatabaseManager, UnitOfWork
from finance.errors import AccountNotFoundError, InvalidError, NotFoundError
from finance.reports import CashFlow
from tests.conftest import Queries
from tests.factories import entry, open_books

from .drawn import Drawn, Line, cut, draw_books, months, periods

DEPTHS = (None, 1, 2, 3)
_SIDES = {"income": -1, "expense": 1}


def _by_name(drawn: Drawn, type_: str, currency: str, days: tuple[date, date], depth: int | None) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for line in drawn.lines:
        if line.type == type_ and line.currency == currency and days[0] <= line.on <= days[1]:
            sums[cut(line.name, depth)] += line.amount * _SIDES[type_]
    return {name: amount for name, amount in sums.items() if amount}


def _currencies(drawn: Drawn, *types: str) -> list[str]:
    return sorted({account.currency for account in drawn.accounts if account.type in types})


@pytest.mark.parametrize("seed", range(3))
async def test_income_statements_are_what_python_says(uow: UnitOfWork, seed: int) -> None:
    """For each currency, period and depth; the lines add up to the totals, and these to what is left."""
    drawn = await draw_books(uow, seed)

    for days in periods(seed):
        for depth in DEPTHS:
            found = await uow.reports.income_statements(*days, depth=depth)

            assert [each.currency for each in found] == _currencies(drawn, "income", "expense")
            for each in found:
                income = _by_name(drawn, "income", each.currency, days, depth)
                expenses = _by_name(drawn, "expense", each.currency, days, depth)
                assert each.income.lines == tuple(sorted(income.items()))
                assert each.expenses.lines == tuple(sorted(expenses.items()))
                assert each.net == sum(income.values()) - sum(expenses.values())
                assert (each.starts_on, each.ends_on) == days


@pytest.mark.parametrize("seed", range(3))
async def test_income_by_month_has_every_month(uow: UnitOfWork, seed: int) -> None:
    """Each column is the statement of its month, as far as the period goes; months without movement are zeros."""
    drawn = await draw_books(uow, seed, entries=40)

    for days in [days for days in periods(seed) if days[0].year > 1] + [(date(2025, 1, 5), date(2026, 12, 9))]:
        for each in await uow.reports.monthly_income_statements(*days, depth=2):
            assert list(each.months) == months(*days)
            for column, month in enumerate(each.months):
                last = (month + timedelta(31)).replace(day=1) - timedelta(1)
                part = (max(month, days[0]), min(last, days[1]))
                income = _by_name(drawn, "income", each.currency, part, 2)
                expenses = _by_name(drawn, "expense", each.currency, part, 2)
                assert {name: amounts[column] for name, amounts in each.income.lines if amounts[column]} == income
                assert {name: amounts[column] for name, amounts in each.expenses.lines if amounts[column]} == expenses
                assert each.net[column] == sum(income.values()) - sum(expenses.values())


@pytest.mark.parametrize("seed", range(3))
async def test_spending_is_what_python_says(uow: UnitOfWork, seed: int) -> None:
    """Categories of expense accounts, the largest first."""
    drawn = await draw_books(uow, seed)

    for days in periods(seed):
        for each in await uow.reports.spending(*days):
            expected = _by_name(drawn, "expense", each.currency, days, 2)
            assert dict(each.lines) == expected
            assert [amount for _, amount in each.lines] == sorted(expected.values(), reverse=True)
            assert each.total == sum(expected.values())


@pytest.mark.parametrize("seed", range(3))
async def test_net_worth_is_what_python_says(uow: UnitOfWork, seed: int) -> None:
    """At the end of each month, and on the last day, everything before the period included; per currency."""
    drawn = await draw_books(uow, seed)

    for days in periods(seed):
        if days[0] == date.min:
            continue
        found = await uow.reports.net_worth(*days)
        assert [each.currency for each in found] == _currencies(drawn, "asset", "liability")
        ends = [min((month + timedelta(31)).replace(day=1) - timedelta(1), days[1]) for month in months(*days)]
        for each in found:
            assert [point.on for point in each.points] == ends
            for point in each.points:

                def through(type_: str, on: date = point.on, currency: str = each.currency) -> Decimal:
                    return drawn.sum(lambda x: x.type == type_ and x.currency == currency and x.on <= on)

                assert (point.assets, point.liabilities) == (through("asset"), -through("liability"))
                assert point.net == through("asset") + through("liability")


def _flows(drawn: Drawn, is_cash: Any, currency: str, days: tuple[date, date], depth: int | None) -> dict[Any, Any]:
    """Walk entry by entry: of one that touches cash in *currency*, the other lines say from where and where to."""
    entries: dict[int, list[Line]] = defaultdict(list)
    for line in drawn.lines:
        if line.currency == currency and days[0] <= line.on <= days[1]:
            entries[line.entry].append(line)
    flows: dict[Any, list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    for lines in entries.values():
        if any(map(is_cash, lines)):
            for line in (line for line in lines if not is_cash(line)):
                flows[line.type, cut(line.name, depth)][line.amount > 0] += abs(line.amount)
    return {key: tuple(amounts) for key, amounts in flows.items()}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("depth", [None, 1, 2])
async def test_cash_flows_are_what_python_says(uow: UnitOfWork, seed: int, depth: int | None) -> None:
    """Opening, inflow and outflow by counter-account, closing; what moved between cash accounts is none."""
    drawn = await draw_books(uow, seed)

    def is_cash(line: Line) -> bool:
        return line.name.startswith("Assets:Bank:")

    for days in periods(seed):
        found = await uow.reports.cash_flows(*days, under="Assets:Bank", depth=depth)
        assert [each.currency for each in found] == ["EUR", "JPY"]
        for each in found:
            assert {(flow.type, flow.account): (flow.inflow, flow.outflow) for flow in each.flows} == _flows(
                drawn, is_cash, each.currency, days, depth
            )
            _require_continuous(drawn, each, is_cash)


def _require_continuous(drawn: Drawn, flow: CashFlow, is_cash: Any) -> None:
    def own(line: Line) -> bool:
        return is_cash(line) and line.currency == flow.currency

    assert flow.opening == drawn.sum(lambda line: own(line) and line.on < flow.starts_on)
    assert flow.closing == drawn.sum(lambda line: own(line) and line.on <= flow.ends_on)
    assert flow.closing == flow.opening + flow.inflow - flow.outflow


async def test_cash_may_be_any_accounts(uow: UnitOfWork) -> None:
    """A credit card is taken for cash when it is named; a counter-account may be any that is not."""
    drawn = await draw_books(uow, 7)
    card = next(each for each in drawn.accounts if each.type == "liability" and each.currency == "EUR")
    days = (date(2025, 12, 10), date(2026, 2, 20))

    (found,) = await uow.reports.cash_flows(*days, accounts=[card])

    def is_cash(line: Line) -> bool:
        return (line.name, line.currency) == (card.name, card.currency)

    expected = _flows(drawn, is_cash, "EUR", days, None)
    assert {(flow.type, flow.account): (flow.inflow, flow.outflow) for flow in found.flows} == expected
    _require_continuous(drawn, found, is_cash)


@pytest.mark.parametrize("depth", [1, 2, 3])
async def test_balance_sheet_rolls_up(uow: UnitOfWork, depth: int) -> None:
    """Lines are the sums of the accounts under them, sides and totals stay what they are."""
    await draw_books(uow, 3)
    on = date(2026, 2, 5)

    for plain, rolled in zip(
        await uow.reports.balance_sheets(on=on), await uow.reports.balance_sheets(on=on, depth=depth), strict=True
    ):
        assert rolled.is_balanced
        for side in ("assets", "liabilities", "equity"):
            sums: dict[str, Decimal] = defaultdict(Decimal)
            for name, amount in getattr(plain, side).lines:
                sums[cut(name, depth)] += amount
            assert dict(getattr(rolled, side).lines) == {name: amount for name, amount in sums.items() if amount}


async def test_reports_of_periods_do_not_round(uow: UnitOfWork) -> None:
    """Python's decimal context would round at 28 digits."""
    await uow.currencies.open("WEI", exponent=18)
    safe = await uow.accounts.open("Assets:Safe", currency="WEI")
    gas = await uow.accounts.open("Expenses:Gas", currency="WEI")
    work = await uow.accounts.open("Income:Work", currency="WEI")
    large, small = Decimal("123456789012345678901234.000000000000000001"), Decimal("0.000000000000000002")
    await uow.journal.post(entry(safe, work, large))
    await uow.journal.post(entry(gas, safe, small))
    year = date(2026, 1, 1), date(2026, 12, 31)
    left = Decimal("123456789012345678901233.999999999999999999")

    (statement,) = await uow.reports.income_statements(*year)
    (monthly,) = await uow.reports.monthly_income_statements(*year)
    (worth,) = await uow.reports.net_worth(*year)
    (flow,) = await uow.reports.cash_flows(*year)

    assert (statement.income.total, statement.expenses.total, statement.net) == (large, small, left)
    assert monthly.net[10] == worth.points[-1].net == flow.closing == left


async def test_periods_that_cannot_be_are_refused(uow: UnitOfWork) -> None:
    """Turned round, of instants instead of days, without end, too long for columns; a depth of nothing."""
    await open_books(uow)
    day, next_day = date(2026, 1, 1), date(2026, 1, 2)
    calls: list[tuple[Any, str]] = [
        (uow.reports.income_statements(next_day, day), "before it starts"),
        (uow.reports.income_statements(datetime(2026, 1, 1), day), "datetime.date"),  # noqa: DTZ001
        (uow.reports.net_worth(day, None), "ends_on"),  # type: ignore[arg-type]
        (uow.reports.monthly_income_statements(date(1, 1, 1), day), "24301 months"),
        (uow.reports.net_worth(date(1, 1, 1), day), "1200"),
        (uow.reports.spending(day, next_day, depth=0), "depth"),
        (uow.reports.balance_sheets(depth=-1), "depth"),
        (uow.reports.cash_flows(day, next_day, depth=True), "depth"),
    ]
    for call, reason in calls:
        with pytest.raises(InvalidError, match=reason):
            await call


async def test_cash_that_is_not_there_is_refused(uow: UnitOfWork) -> None:
    """A name that no asset account has is no report of zeros; a prefix is of whole segments."""
    await open_books(uow)
    year = date(2026, 1, 1), date(2026, 12, 31)

    for under in ("Assets:Check", "Expenses", "assets"):
        with pytest.raises(NotFoundError, match=under):
            await uow.reports.cash_flows(*year, under=under)
    with pytest.raises(AccountNotFoundError):
        await uow.reports.cash_flows(*year, accounts=[987_654_321])


async def test_reports_work_at_the_ends_of_the_calendar(uow: UnitOfWork) -> None:
    """The first and the last day that there are have no neighbour."""
    books = await open_books(uow)
    # The driver takes the very first and the very last day for infinities, which no entry is dated.
    await uow.journal.post(entry(books.food, books.checking, 1, on=date(1, 1, 2)))
    await uow.journal.post(entry(books.food, books.checking, 2, on=date(9999, 12, 30)))

    ever = (date.min, date.max)
    (statement,) = await uow.reports.income_statements(*ever)
    (flow,) = await uow.reports.cash_flows(*ever)
    (worth,) = await uow.reports.net_worth(date.max, date.max)
    (early,) = await uow.reports.net_worth(date.min, date(1, 1, 2))

    assert (statement.expenses.total, flow.outflow, flow.opening) == (3, 3, 0)
    assert (worth.points[0].net, early.points[0].net) == (-3, -1)


async def test_reports_of_a_period_are_of_one_instant(db: DatabaseManager, queries: Queries) -> None:
    """Each is read by one SELECT, after another where accounts are looked for, and with nothing else."""
    year = date(2026, 1, 1), date(2026, 11, 30)
    async with db.unit_of_work("Once", base_currency="EUR") as uow:
        books = await open_books(uow)
        await uow.journal.post(entry(books.food, books.checking, 1))
        for report in (
            uow.reports.income_statements(*year),
            uow.reports.monthly_income_statements(*year),
            uow.reports.spending(*year),
            uow.reports.net_worth(*year),
        ):
            assert await queries.of(report) == ["SELECT"]
        assert await queries.of(uow.reports.cash_flows(*year)) == ["SELECT", "SELECT"]
        assert await queries.of(uow.reports.cash_flows(*year, accounts=[books.checking])) == ["SELECT", "SELECT"]
