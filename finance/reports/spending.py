"""Spending by category: the expense accounts of a period, what cost most first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from finance.money import total
from finance.reports.hierarchy import rolled_up
from finance.reports.income_statement import currencies_of
from finance.reports.movements import Movement
from finance.reports.period import Period


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


def spendings(period: Period, movements: Sequence[Movement], depth: int | None) -> tuple[Spending, ...]:
    """Arrange the *movements* of expense accounts for each currency, in order of their codes."""
    return tuple(
        Spending(period.starts_on, period.ends_on, currency, _largest_first(movements, currency, depth))
        for currency in currencies_of(movements)
    )


def _largest_first(movements: Sequence[Movement], currency: str, depth: int | None) -> tuple[tuple[str, Decimal], ...]:
    lines = rolled_up(((each.name, each.amount) for each in movements if each.currency == currency), depth)
    return tuple(sorted(lines, key=lambda line: line[1], reverse=True))
