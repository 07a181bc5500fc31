"""Net worth over time: what is owned, what is owed, and the line of the difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from finance.plots.chart import Chart, OverTime, Series, between, decimals_of
from finance.reports import NetWorth, ValuedNetWorth, Worth


def net_worth_chart(
    worths: Sequence[NetWorth] | ValuedNetWorth, *, ledger: str, exponents: Mapping[str, int] | None = None
) -> Chart:
    """Make a picture of what `uow.reports.net_worth()` or `monthly_net_worth_valued()` returns.

    A currency that is zero throughout is left out.

    Args:
        worths: One for each currency, or all of them valued in one; what had no rate is not in that.
        ledger: Whose books these are, for the title.
        exponents: The decimals of each currency, for the labels; those of ISO 4217 unless given.
    """
    is_valued = isinstance(worths, ValuedNetWorth)
    if isinstance(worths, ValuedNetWorth):
        points = tuple(Worth(point.on, point.assets, point.liabilities) for point in worths.points)
        worths = (NetWorth(worths.quote, points),)
    days = [point.on for worth in worths for point in worth.points]
    panels = (_panel(worth, exponents) for worth in worths)
    return Chart(
        "Net worth, valued" if is_valued else "Net worth",
        ledger,
        between(min(days, default=None), max(days, default=None)),
        tuple(panel for panel in panels if any(panel.amounts)),
    )


def _panel(worth: NetWorth, exponents: Mapping[str, int] | None) -> OverTime:
    amounts = [amount for point in worth.points for amount in (point.assets, point.liabilities)]
    return OverTime(
        worth.currency,
        decimals_of(worth.currency, amounts, exponents),
        tuple(point.on for point in worth.points),
        Series("Assets", tuple(point.assets for point in worth.points)),
        Series("Liabilities", tuple(point.liabilities for point in worth.points)),
        Series("Net worth", tuple(point.net for point in worth.points)),
    )
