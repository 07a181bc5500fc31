"""Net worth over time: what is owned less what is owed, at the end of each month."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from finance.connection import Record
from finance.money import total
from finance.reports.period import Period
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


def net_worths(period: Period, rows: Sequence[Record]) -> tuple[NetWorth, ...]:
    """Add up the months of *rows* into the worth of each currency, in order of their codes."""
    ends = tuple(min(month_end(month), period.ends_on) for month in period.months)
    return tuple(
        NetWorth(
            currency,
            tuple(
                Worth(on, asset, total((liability.copy_negate(),)))  # whose zero has no sign
                for on, asset, liability in zip(
                    ends,
                    *(
                        _running(period, (row for row in rows if (row["type"], row["currency"]) == (type_, currency)))
                        for type_ in TYPES
                    ),
                    strict=True,
                )
            ),
        )
        for currency in sorted({row["currency"] for row in rows})
    )


def _running(period: Period, rows: Iterable[Record]) -> list[Decimal]:
    """Return the balance at the end of each month, debits positive."""
    moved = {row["month"]: row["amount"] for row in rows}
    balances, balance = [], Decimal(0)
    for month in period.months:
        balance = total((balance, moved.get(month, Decimal(0))))
        balances.append(balance)
    return balances
