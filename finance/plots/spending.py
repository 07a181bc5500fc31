"""Spending by category, or by what else it is sorted, the largest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Protocol

from finance.money import total
from finance.plots.chart import Chart, Ranking, between, decimals_of

#: Rows of a currency; what is smaller is one row together.
_ROWS = 20
_Row = tuple[str, Decimal]


class Spent(Protocol):
    """What was spent in one currency of a period, by names; None is what has none."""

    @property
    def starts_on(self) -> date: ...  # noqa: D102
    @property
    def ends_on(self) -> date: ...  # noqa: D102
    @property
    def currency(self) -> str: ...  # noqa: D102
    @property
    def lines(self) -> Sequence[tuple[str | None, Decimal]]: ...  # noqa: D102


def spending_chart(
    spendings: Sequence[Spent], *, ledger: str, by: str = "category", exponents: Mapping[str, int] | None = None
) -> Chart:
    """Make a picture of what `uow.reports.spending()` returns.

    A currency has twenty rows at most, of which the last is what is smaller, together. A first segment that all names
    have in common is left out of them.

    Args:
        spendings: One for each currency, of one period.
        ledger: Whose books these are, for the title.
        by: What it is sorted by, for the title and for what has none.
        exponents: The decimals of each currency, for the labels; those of ISO 4217 unless given.
    """
    first = spendings[0] if spendings else None
    return Chart(
        "Spending" if by == "category" else f"Spending by {by}",
        ledger,
        between(first.starts_on, first.ends_on) if first else "",
        tuple(_panel(each, by, exponents) for each in spendings if each.lines),
    )


def _panel(spending: Spent, by: str, exponents: Mapping[str, int] | None) -> Ranking:
    rows = tuple((f"(no {by})" if name is None else name, amount) for name, amount in spending.lines)
    rows = _with_rest(_within_root(rows) if by == "category" else rows)
    return Ranking(spending.currency, decimals_of(spending.currency, (row[1] for row in rows), exponents), rows)


def _within_root(rows: tuple[_Row, ...]) -> tuple[_Row, ...]:
    """Leave the first segment of the names out, if it is that of all and something stands behind it."""
    parts = [name.partition(":") for name, _ in rows]
    if len({root for root, _, _ in parts}) > 1 or not all(rest for _, _, rest in parts):
        return rows
    return tuple((rest, amount) for (_, _, rest), (_, amount) in zip(parts, rows, strict=True))


def _with_rest(rows: tuple[_Row, ...]) -> tuple[_Row, ...]:
    if len(rows) <= _ROWS:
        return rows
    rest = rows[_ROWS - 1 :]
    return (*rows[: _ROWS - 1], (f"{len(rest)} others", total(amount for _, amount in rest)))
