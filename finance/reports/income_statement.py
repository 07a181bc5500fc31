"""The income statement: what was earned and what was spent in a period, and the difference."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from finance.money import total
from finance.reports.balance_sheet import Section
from finance.reports.hierarchy import cut, rolled_up
from finance.reports.movements import Movement
from finance.reports.period import Period


@dataclass(frozen=True, slots=True)
class IncomeStatement:
    """Income and expenses of one currency from `starts_on` through `ends_on`, each positive as a reader expects it.

    A line is an account, or all accounts under the same first segments of their names. Lines of zero are left out. A
    refund that exceeds what was spent is a negative expense.
    """

    starts_on: date
    ends_on: date
    currency: str
    income: Section
    expenses: Section

    @property
    def net(self) -> Decimal:
        """What income exceeds expenses by; negative for a loss."""
        return total((self.income.total, self.expenses.total.copy_negate()))


@dataclass(frozen=True, slots=True)
class MonthlySection:
    """One side's lines of one currency, each with an amount for every month."""

    title: str
    lines: tuple[tuple[str, tuple[Decimal, ...]], ...]
    months: int

    @property
    def totals(self) -> tuple[Decimal, ...]:
        """The sum of the lines in each month, exact."""
        return tuple(total(amounts[month] for _, amounts in self.lines) for month in range(self.months))


@dataclass(frozen=True, slots=True)
class MonthlyIncomeStatement:
    """An income statement with a column for each month that its period touches, by the months' first days.

    Of the first and the last month, only the days of the period count. A month without movement is there with zeros;
    a line that is zero in all of them is left out.
    """

    starts_on: date
    ends_on: date
    currency: str
    months: tuple[date, ...]
    income: MonthlySection
    expenses: MonthlySection

    @property
    def net(self) -> tuple[Decimal, ...]:
        """What income exceeds expenses by, in each month."""
        sides = zip(self.income.totals, self.expenses.totals, strict=True)
        return tuple(total((income, expenses.copy_negate())) for income, expenses in sides)


def income_statements(period: Period, movements: Sequence[Movement], depth: int | None) -> tuple[IncomeStatement, ...]:
    """Arrange *movements* into one statement for each currency, in order of their codes."""
    return tuple(
        IncomeStatement(
            period.starts_on,
            period.ends_on,
            currency,
            *(_section(title, _of_side(movements, type_, currency), depth) for title, type_ in _SIDES),
        )
        for currency in currencies_of(movements)
    )


def monthly_income_statements(
    period: Period, movements: Sequence[Movement], depth: int | None
) -> tuple[MonthlyIncomeStatement, ...]:
    """Arrange *movements* by months into one statement for each currency, in order of their codes."""
    months = period.months
    sides: dict[tuple[str, str], list[Movement]] = {}
    for each in movements:
        sides.setdefault((each.type, each.currency), []).append(each)
    return tuple(
        MonthlyIncomeStatement(
            period.starts_on,
            period.ends_on,
            currency,
            months,
            *(_monthly(title, months, sides.get((type_, currency), ()), depth) for title, type_ in _SIDES),
        )
        for currency in currencies_of(movements)
    )


_SIDES = (("Income", "income"), ("Expenses", "expense"))


def currencies_of(movements: Iterable[Movement]) -> list[str]:
    """Return the currencies of the accounts, in order of their codes."""
    return sorted({movement.currency for movement in movements})


def _of_side(movements: Iterable[Movement], type_: str, currency: str) -> list[Movement]:
    return [each for each in movements if each.type == type_ and each.currency == currency]


def _readable(movement: Movement) -> Decimal:
    """Return the amount of an income, which grows by credits, as positive; a minus sign would round to 28 digits."""
    return movement.amount.copy_negate() if movement.type == "income" else movement.amount


def _section(title: str, movements: Iterable[Movement], depth: int | None) -> Section:
    return Section(title, rolled_up(((each.name, _readable(each)) for each in movements), depth))


def _monthly(title: str, months: tuple[date, ...], movements: Iterable[Movement], depth: int | None) -> MonthlySection:
    places = {month: place for place, month in enumerate(months)}
    nothing = Decimal(0)
    cells: dict[str, list[Decimal]] = {}
    for each in movements:
        if each.month is None or not each.amount:
            continue
        name, place = cut(each.name, depth), places[each.month]
        if (row := cells.get(name)) is None:
            row = cells[name] = [nothing] * len(months)
        amount = _readable(each)
        row[place] = total((row[place], amount)) if row[place] else amount
    lines = ((name, tuple(row)) for name, row in sorted(cells.items()))
    return MonthlySection(title, tuple((name, amounts) for name, amounts in lines if any(amounts)), len(months))
