"""Net worth over time: what is owned less what is owed, at the end of each month."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from finance.connection import Record
from finance.errors import PriceNotFoundError
from finance.money import total
from finance.reports.period import Period
from finance.repositories import Rates
from finance.repositories.balances import month_end

TYPES = ("asset", "liability")


@dataclass(frozen=True, slots=True)
class Worth:
    """Assets and liabilities at the end of the day `on`; what is owed is positive."""

    on: date
    assets: Decimal
    liabilities: Decimal

    @property
    def net(self) -> Decimal:
        """Assets less liabilities, exact."""
        return total((self.assets, self.liabilities.copy_negate()))


@dataclass(frozen=True, slots=True)
class NetWorth:
    """One currency's worth at the end of each month, and on the last day of the period; currencies are never added."""

    currency: str
    points: tuple[Worth, ...]


@dataclass(frozen=True, slots=True)
class ValuedWorth:
    """What is owned and what is owed at the end of the day `on`, valued in one currency; what is owed is positive.

    Each currency's assets and liabilities are valued at the rates of that day, and rounded to the decimals of the
    quote. Those of `unpriced` have no rate on it and are not in the amounts.
    """

    on: date
    assets: Decimal
    liabilities: Decimal
    unpriced: tuple[str, ...]

    @property
    def net(self) -> Decimal:
        """Assets less liabilities, exact."""
        return total((self.assets, self.liabilities.copy_negate()))


@dataclass(frozen=True, slots=True)
class ValuedNetWorth:
    """Net worth in `quote` at the end of each month, and on the last day of the period."""

    quote: str
    points: tuple[ValuedWorth, ...]


def month_ends(period: Period) -> list[date]:
    """Return the last days of the months of *period*, and of the last one its own last day."""
    return [min(month_end(month), period.ends_on) for month in period.months]


def valued_net_worth(worths: Sequence[NetWorth], every: Sequence[Rates], quote: str) -> ValuedNetWorth:
    """Value *worths*, which have a point for each of the days that *every* has rates of, in their order."""
    return ValuedNetWorth(
        quote,
        tuple(
            _valued(rates, [(each.currency, each.points[number]) for each in worths], quote)
            for number, rates in enumerate(every)
        ),
    )


def _valued(rates: Rates, worths: Sequence[tuple[str, Worth]], quote: str) -> ValuedWorth:
    assets: list[Decimal] = []
    liabilities: list[Decimal] = []
    unpriced: list[str] = []
    for currency, worth in worths:
        if not worth.assets and not worth.liabilities:
            continue
        try:
            rate = rates.rate(currency, quote)
        except PriceNotFoundError:
            unpriced.append(currency)
            continue
        for side, amount in ((assets, worth.assets), (liabilities, worth.liabilities)):
            if amount:
                side.append(rates.worth(amount, rate))
    return ValuedWorth(rates.on, total(assets), total(liabilities), tuple(unpriced))


def net_worths(period: Period, rows: Sequence[Record]) -> tuple[NetWorth, ...]:
    """Add up the months of *rows* into the worth of each currency, in order of their codes."""
    ends = month_ends(period)
    moved: dict[tuple[str, str], dict[date | None, Decimal]] = {}
    for row in rows:
        moved.setdefault((row["type"], row["currency"]), {})[row["month"]] = row["amount"]
    return tuple(
        NetWorth(
            currency,
            tuple(
                Worth(on, asset, total((liability.copy_negate(),)))  # whose zero has no sign
                for on, asset, liability in zip(
                    ends,
                    *(_running(period, moved.get((type_, currency), {})) for type_ in TYPES),
                    strict=True,
                )
            ),
        )
        for currency in sorted({currency for _, currency in moved})
    )


def _running(period: Period, moved: Mapping[date | None, Decimal]) -> list[Decimal]:
    """Return the balance at the end of each month, debits positive."""
    balances, balance = [], Decimal(0)
    for month in period.months:
        if month in moved:
            balance = total((balance, moved[month]))
        balances.append(balance)
    return balances
