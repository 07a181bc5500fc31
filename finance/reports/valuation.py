"""What amounts of several currencies are worth in one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from finance.money import total
from finance.repositories import Rate, Rates


@dataclass(frozen=True, slots=True)
class ValuedAmount:
    """An amount of one currency, and what it is worth at `rate`, rounded to the decimals of the quote, half to even."""

    currency: str
    amount: Decimal
    rate: Rate
    value: Decimal


@dataclass(frozen=True, slots=True)
class Valuation:
    """Amounts of several currencies at the end of the day `on`, in order of their codes, and their worth in `quote`."""

    on: date
    quote: str
    lines: tuple[ValuedAmount, ...]

    @property
    def total(self) -> Decimal:
        """The sum of the values, exact."""
        return total(line.value for line in self.lines)


def valued(amounts: Mapping[str, Decimal], rates: Rates, quote: str) -> Valuation:
    """Value *amounts*, by their currencies, in *quote*; those of zero need no rate and are left out.

    Raises:
        PriceNotFoundError: There is no rate for one of them.
    """
    lines = (
        ValuedAmount(currency, amount, rates.rate(currency, quote), rates.value(amount, currency, quote))
        for currency, amount in sorted(amounts.items())
        if amount
    )
    return Valuation(rates.on, quote, tuple(lines))
