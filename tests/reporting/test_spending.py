"""Spending by payee and by tag is what plain Python says, for a period and by month."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal

import pytest

from finance import Account, DatabaseManager, Labels, NewEntry, NewPosting, UnitOfWork
from finance.errors import InvalidError
from finance.reports import MonthlySpending
from tests.conftest import Queries
from tests.factories import entry, open_books

from .drawn import FIRST, months, periods

#: A day, the payee or None, the tags, the currency and what was spent.
Line = tuple[date, str | None, list[str], str, Decimal]


async def _spend(uow: UnitOfWork, seed: int) -> list[Line]:
    """Post what was spent at random, with and without payees and tags, in two currencies, and reverse some of it."""
    chance = random.Random(seed)
    accounts = {
        currency: [
            await uow.accounts.open(name, currency=currency) for name in ("Expenses:A", "Expenses:B:C", "Assets:D")
        ]
        for currency in ("EUR", "JPY")
    }
    lines: list[Line] = []
    for _ in range(80):
        given, currency, amount = _drawn(chance, accounts)
        labels = Labels(
            chance.choice([None, "Rewe", "Edeka", "Жук"]), chance.sample(["trip", "food", "x"], chance.randrange(4))
        )
        await uow.journal.post(given)
        await uow.journal.label_many({given.id: labels})
        label = (labels.payee, list(labels.tags), currency)  # type: ignore[arg-type]
        lines.append((given.date, *label, amount))  # type: ignore[arg-type]
        if chance.random() < 0.2:
            on = given.date + timedelta(chance.randrange(40))
            await uow.journal.reverse(given.id, on=on)
            lines.append((on, *label, -amount))  # type: ignore[arg-type]
    return lines


def _drawn(chance: random.Random, accounts: dict[str, list[Account]]) -> tuple[NewEntry, str, Decimal]:
    currency = chance.choice(list(accounts))
    one, other, cash = accounts[currency]
    first, second = chance.randint(1, 10**6), chance.randint(-100, 100) or 1
    lines = [NewPosting(one, first), NewPosting(other, second), NewPosting(cash, -first - second)]
    day = FIRST + timedelta(chance.randrange(140))
    return NewEntry(day, "Drawn", lines), currency, Decimal(first + second)


def _names(line: Line, by: str) -> list[str | None]:
    return [line[1]] if by == "payee" else [*line[2]] or [None]


def _sums(lines: list[Line], by: str, currency: str, days: tuple[date, date]) -> dict[str | None, Decimal]:
    sums: dict[str | None, Decimal] = defaultdict(Decimal)
    for line in lines:
        if line[3] == currency and days[0] <= line[0] <= days[1]:
            for name in _names(line, by):
                sums[name] += line[4]
    return {name: amount for name, amount in sums.items() if amount}


def _total(lines: list[Line], currency: str, days: tuple[date, date]) -> Decimal:
    return sum((line[4] for line in lines if line[3] == currency and days[0] <= line[0] <= days[1]), Decimal(0))


@pytest.mark.parametrize("by", ["payee", "tag"])
@pytest.mark.parametrize("seed", range(2))
async def test_spending_by_label_is_what_python_says(uow: UnitOfWork, seed: int, by: str) -> None:
    """The largest first; what has no label is a line of its own; the total counts each entry once."""
    lines = await _spend(uow, seed)

    for days in periods(seed):
        found = await getattr(uow.reports, f"spending_by_{by}")(*days)

        assert [each.currency for each in found] == sorted({line[3] for line in lines if days[0] <= line[0] <= days[1]})
        for each in found:
            assert dict(each.lines) == _sums(lines, by, each.currency, days)
            assert [amount for _, amount in each.lines] == sorted((amount for _, amount in each.lines), reverse=True)
            assert each.total == _total(lines, each.currency, days)


@pytest.mark.parametrize("by", ["payee", "tag"])
async def test_monthly_spending_by_label_has_every_month(uow: UnitOfWork, by: str) -> None:
    """Each column is the spending of its month, as far as the period goes."""
    lines = await _spend(uow, 7)

    for days in [(date(2025, 11, 25), date(2026, 3, 10)), (date(2025, 1, 1), date(2026, 12, 31))]:
        for each in await getattr(uow.reports, f"monthly_spending_by_{by}")(*days):
            assert list(each.months) == months(*days)
            for column, part in enumerate(_parts(each, days)):
                cells = {name: amounts[column] for name, amounts in each.lines if amounts[column]}
                assert cells == _sums(lines, by, each.currency, part)
                assert each.totals[column] == _total(lines, each.currency, part)


def _parts(each: MonthlySpending, days: tuple[date, date]) -> list[tuple[date, date]]:
    ends = [(month + timedelta(31)).replace(day=1) - timedelta(1) for month in each.months]
    return [(max(month, days[0]), min(end, days[1])) for month, end in zip(each.months, ends, strict=True)]


async def test_monthly_spending_adds_up_to_that_of_the_period(uow: UnitOfWork) -> None:
    """By category too, of each depth."""
    await _spend(uow, 3)
    days = date(2025, 12, 3), date(2026, 2, 11)

    for depth in (None, 1, 2):
        whole = await uow.reports.spending(*days, depth=depth)
        by_month = await uow.reports.monthly_spending(*days, depth=depth)

        assert [{name: sum(amounts) for name, amounts in each.lines if sum(amounts)} for each in by_month] == [
            dict(each.lines) for each in whole
        ]
        assert [sum(each.totals) for each in by_month] == [each.total for each in whole]


async def test_what_was_merged_counts_for_what_stands(uow: UnitOfWork) -> None:
    """And what was renamed under its new name."""
    books = await open_books(uow)
    for name, amount in (("Rewe", 1), ("REWE 4711", 2)):
        given = entry(books.food, books.checking, amount)
        await uow.journal.post(given)
        await uow.journal.label(given.id, payee=name)
    await uow.payees.merge(*[await uow.payees.get_or_create(name) for name in ("REWE 4711", "Rewe")])
    await uow.payees.rename(await uow.payees.get_or_create("Rewe"), "Markt")

    (found,) = await uow.reports.spending_by_payee(date(2026, 1, 1), date(2026, 12, 31))

    assert found.lines == (("Markt", 3),)


async def test_spending_of_too_many_months_is_refused(uow: UnitOfWork) -> None:
    """A period that ends before it starts, too."""
    with pytest.raises(InvalidError):
        await uow.reports.monthly_spending_by_tag(date(1000, 1, 1), date(2026, 1, 1))
    with pytest.raises(InvalidError):
        await uow.reports.spending_by_payee(date(2026, 1, 2), date(2026, 1, 1))


async def test_spending_by_label_takes_one_statement(db: DatabaseManager, queries: Queries) -> None:
    """However many entries, payees and tags."""
    ledger = await db.ledgers.create("Household", base_currency="EUR")
    async with db.unit_of_work(ledger) as uow:
        await _spend(uow, 1)
        year = date(2026, 1, 1), date(2026, 12, 31)
        assert await queries.of(uow.reports.spending_by_payee(*year)) == ["SELECT"]
        assert await queries.of(uow.reports.monthly_spending_by_tag(*year)) == ["SELECT"]
