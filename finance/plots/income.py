"""Income and expenses by month, and the line of what is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from finance.plots.chart import Chart, OverTime, Series, between, decimals_of
from finance.reports import MonthlyIncomeStatement


def income_chart(
    statements: Sequence[MonthlyIncomeStatement], *, ledger: str, exponents: Mapping[str, int] | None = None
) -> Chart:
    """Make a picture of what `uow.reports.monthly_income_statements()` returns.

    A currency in which nothing moved is left out.

    Args:
        statements: One for each currency, of one period.
        ledger: Whose books these are, for the title.
        exponents: The decimals of each currency, for the labels; those of ISO 4217 unless given.
    """
    first = statements[0] if statements else None
    panels = (_panel(statement, exponents) for statement in statements)
    return Chart(
        "Income and expenses",
        ledger,
        between(first.starts_on, first.ends_on) if first else "",
        tuple(panel for panel in panels if any(panel.amounts)),
    )


def _panel(statement: MonthlyIncomeStatement, exponents: Mapping[str, int] | None) -> OverTime:
    income, expenses, net = statement.income.totals, statement.expenses.totals, statement.net
    return OverTime(
        statement.currency,
        decimals_of(statement.currency, (*income, *expenses), exponents),
        statement.months,
        Series("Income", income),
        Series("Expenses", expenses),
        Series("Net income", net),
    )
