"""The balance sheet: what is owned, what is owed, and the difference, on a day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from finance.money import total
from finance.reports.hierarchy import rolled_up
from finance.reports.trial_balance import TrialBalance, TrialBalanceRow


@dataclass(frozen=True, slots=True)
class Section:
    """One side's accounts of one currency, with amounts as a reader expects them: what is owed is positive."""

    title: str
    lines: tuple[tuple[str, Decimal], ...]

    @property
    def total(self) -> Decimal:
        """The sum of the lines, exact."""
        return total(amount for _, amount in self.lines)


@dataclass(frozen=True, slots=True)
class BalanceSheet:
    """Assets, liabilities and equity of one currency at the end of the day `on`.

    Equity has a line "Net income" for what income exceeds expenses by, since they are not closed into
    equity by hand.
    """

    on: date | None
    currency: str
    assets: Section
    liabilities: Section
    equity: Section

    @property
    def is_balanced(self) -> bool:
        """Whether assets equal liabilities and equity, as they must."""
        return self.assets.total == total((self.liabilities.total, self.equity.total))


def balance_sheets(trial: TrialBalance, depth: int | None = None) -> tuple[BalanceSheet, ...]:
    """Arrange a trial balance into one balance sheet for each currency, in order of their codes."""
    currencies = sorted({row.currency for row in trial.rows})
    return tuple(_sheet(trial, currency, depth) for currency in currencies)


def _sheet(trial: TrialBalance, currency: str, depth: int | None) -> BalanceSheet:
    rows = [row for row in trial.rows if row.currency == currency and row.balance != 0]
    income = total(row.balance.copy_negate() for row in rows if row.type in ("income", "expense"))
    equity = _rolled_up(_lines(rows, "equity"), depth)
    if income:
        equity = (*equity, ("Net income", income))
    return BalanceSheet(
        trial.on,
        currency,
        Section("Assets", _rolled_up(tuple((row.account, row.balance) for row in rows if row.type == "asset"), depth)),
        Section("Liabilities", _rolled_up(_lines(rows, "liability"), depth)),
        Section("Equity", equity),
    )


def _rolled_up(lines: tuple[tuple[str, Decimal], ...], depth: int | None) -> tuple[tuple[str, Decimal], ...]:
    return lines if depth is None else rolled_up(lines, depth)


def _lines(rows: list[TrialBalanceRow], type_: str) -> tuple[tuple[str, Decimal], ...]:
    """Return the accounts that grow by credits; a minus sign would round to 28 digits."""
    return tuple((row.account, row.balance.copy_negate()) for row in rows if row.type == type_)
