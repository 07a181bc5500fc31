"""Spending by category, payee or tag: the expense accounts of a period, what cost most first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TypeVar

from finance.money import total
from finance.reports.hierarchy import cut, require_depth, rolled_up
from finance.reports.income_statement import currencies_of
from finance.reports.labelled import Kind, Spent, read_spent
from finance.reports.movements import Movement, read_movements
from finance.reports.period import Period
from finance.repositories import Scope

N = TypeVar("N", str, str | None)


@dataclass(frozen=True, slots=True)
class Spending:
    """What was spent in one currency from `starts_on` through `ends_on`, by category: the largest amount first.

    Categories of which nothing is left, such as by a refund in full, are left out.
    """

    starts_on: date
    ends_on: date
    currency: str
    lines: tuple[tuple[str, Decimal], ...]

    @property
    def total(self) -> Decimal:
        """The sum of the lines, exact."""
        return total(amount for _, amount in self.lines)


@dataclass(frozen=True, slots=True)
class LabelledSpending:
    """What was spent in one currency from `starts_on` through `ends_on`, by payee or by tag: the largest amount first.

    The line without a name is what has no payee, or no tag. Lines of zero are left out. `total` is all that was spent:
    an entry with several tags is in the line of each, so that lines of tags may add up to more.
    """

    starts_on: date
    ends_on: date
    currency: str
    lines: tuple[tuple[str | None, Decimal], ...]
    total: Decimal


@dataclass(frozen=True, slots=True)
class MonthlySpending:
    """Spending by category, payee or tag with a column for each month that its period touches, by their first days.

    Of the first and the last month, only the days of the period count. A line that is zero in all months is left out;
    `totals` are as in `LabelledSpending`.
    """

    starts_on: date
    ends_on: date
    currency: str
    months: tuple[date, ...]
    lines: tuple[tuple[str | None, tuple[Decimal, ...]], ...]
    totals: tuple[Decimal, ...]


class SpendingReports:
    """What was spent, of one ledger. A currency is there when the ledger has an expense account in it.

    By payee and by tag a currency is there when something was posted on such an account; a reversal counts with the
    payee and the tags of the entry that it reverses.
    """

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    async def spending(self, starts_on: date, ends_on: date, *, depth: int | None = 2) -> tuple[Spending, ...]:
        """Return what was spent in each currency from *starts_on* through *ends_on*, the largest category first.

        Args:
            starts_on: The first day that counts.
            ends_on: The last day that counts.
            depth: How many segments of an expense account's name are its category, 2 as in "Expenses:Food"; None
                lists every account.

        Raises:
            InvalidError: As `income_statements()`.

        Database:
            As `income_statements()`, of expense accounts only.
        """
        period = Period(starts_on, ends_on)
        require_depth(depth)
        movements = await self._expenses(period, by_month=False)
        return tuple(
            Spending(starts_on, ends_on, currency, _largest_first(_categories(movements, currency, depth)))
            for currency in currencies_of(movements)
        )

    async def monthly_spending(
        self, starts_on: date, ends_on: date, *, depth: int | None = 2
    ) -> tuple[MonthlySpending, ...]:
        """Return the same with a column for each month.

        Raises:
            InvalidError: As `monthly_income_statements()`.

        Database:
            As `spending()`.
        """
        period = Period(starts_on, ends_on)
        _ = require_depth(depth), period.months
        movements = await self._expenses(period, by_month=True)
        lines = [Spent(cut(each.name, depth), *each[2:], is_total=False) for each in movements]
        return _monthly(period, [*lines, *_totals(lines)])

    async def spending_by_payee(self, starts_on: date, ends_on: date) -> tuple[LabelledSpending, ...]:
        """Return what was spent with each payee from *starts_on* through *ends_on*, in each currency.

        Raises:
            InvalidError: The period ends before it starts, or a day is not a plain day.

        Database:
            One SELECT; no locks; reads the postings that the period has on expense accounts, and its entries.
        """
        return await self._labelled("payee", Period(starts_on, ends_on))

    async def spending_by_tag(self, starts_on: date, ends_on: date) -> tuple[LabelledSpending, ...]:
        """Return what was spent under each tag, in full under each that an entry has.

        Raises:
            InvalidError: As `spending_by_payee()`.

        Database:
            One SELECT; no locks; reads the postings that the period has on expense accounts, and all tags of entries.
        """
        return await self._labelled("tag", Period(starts_on, ends_on))

    async def monthly_spending_by_payee(self, starts_on: date, ends_on: date) -> tuple[MonthlySpending, ...]:
        """Return what was spent with each payee, with a column for each month.

        Raises:
            InvalidError: As `spending_by_payee()`, or the period has more than 1,200 months.

        Database:
            As `spending_by_payee()`.
        """
        return await self._labelled_by_month("payee", Period(starts_on, ends_on))

    async def monthly_spending_by_tag(self, starts_on: date, ends_on: date) -> tuple[MonthlySpending, ...]:
        """Return what was spent under each tag, with a column for each month.

        Raises:
            InvalidError: As `monthly_spending_by_payee()`.

        Database:
            As `spending_by_tag()`.
        """
        return await self._labelled_by_month("tag", Period(starts_on, ends_on))

    async def _labelled(self, kind: Kind, period: Period) -> tuple[LabelledSpending, ...]:
        spent = await read_spent(self._scope.connection, self._scope.ledger_id, kind, period, by_month=False)
        totals = {each.currency: each.amount for each in spent if each.is_total}
        return tuple(
            LabelledSpending(
                period.starts_on, period.ends_on, currency, _largest_first(_lines_of(spent, currency)), totals[currency]
            )
            for currency in sorted(totals)
        )

    async def _labelled_by_month(self, kind: Kind, period: Period) -> tuple[MonthlySpending, ...]:
        _ = period.months
        connection, ledger_id = self._scope.connection, self._scope.ledger_id
        return _monthly(period, await read_spent(connection, ledger_id, kind, period, by_month=True))

    async def _expenses(self, period: Period, *, by_month: bool) -> list[Movement]:
        return await read_movements(
            self._scope.connection, self._scope.ledger_id, ("expense",), period, by_month=by_month
        )


def _categories(movements: Iterable[Movement], currency: str, depth: int | None) -> tuple[tuple[str, Decimal], ...]:
    return rolled_up(((each.name, each.amount) for each in movements if each.currency == currency), depth)


def _lines_of(spent: Iterable[Spent], currency: str) -> list[tuple[str | None, Decimal]]:
    of_currency = (each for each in spent if each.currency == currency and not each.is_total and each.amount)
    return [(each.name, each.amount) for each in sorted(of_currency, key=lambda each: each.name or "")]


def _largest_first(lines: Iterable[tuple[N, Decimal]]) -> tuple[tuple[N, Decimal], ...]:
    return tuple(sorted(lines, key=lambda line: line[1], reverse=True))


def _totals(lines: Iterable[Spent]) -> Iterator[Spent]:
    amounts: dict[tuple[str, date | None], list[Decimal]] = {}
    for each in lines:
        amounts.setdefault((each.currency, each.month), []).append(each.amount)
    return (Spent(None, *key, total(found), is_total=True) for key, found in amounts.items())


def _monthly(period: Period, spent: Iterable[Spent]) -> tuple[MonthlySpending, ...]:
    by_currency: dict[str, list[Spent]] = {}
    for each in spent:
        by_currency.setdefault(each.currency, []).append(each)
    return tuple(_of_currency(period, currency, some) for currency, some in sorted(by_currency.items()))


def _of_currency(period: Period, currency: str, spent: Iterable[Spent]) -> MonthlySpending:
    months, none = period.months, Decimal(0)
    places: dict[date | None, int] = {month: place for place, month in enumerate(months)}
    rows: dict[tuple[bool, str | None], list[Decimal]] = {(True, None): [none] * len(months)}
    for each in spent:
        if (row := rows.get((each.is_total, each.name))) is None:
            row = rows[each.is_total, each.name] = [none] * len(months)
        if each.amount and (place := places.get(each.month)) is not None:  # what never moved has no month
            row[place] = total((row[place], each.amount)) if row[place] else each.amount
    totals = tuple(rows.pop((True, None)))
    named = sorted(rows.items(), key=lambda row: row[0][1] or "")
    lines = [(name, tuple(amounts)) for (_, name), amounts in named if any(amounts)]
    lines.sort(key=lambda line: total(line[1]), reverse=True)
    return MonthlySpending(period.starts_on, period.ends_on, currency, months, tuple(lines), totals)
