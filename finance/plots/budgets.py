"""Budgets: how far each is spent, and what is beyond."""

from __future__ import annotations

from collections.abc import Mapping

from finance.money import total
from finance.plots.chart import Chart, Goal, Progress, between, decimals_of
from finance.reports import BudgetProgress, BudgetReport


def budget_chart(report: BudgetReport, *, ledger: str, exponents: Mapping[str, int] | None = None) -> Chart:
    """Make a picture of what `uow.reports.budgets()` returns: what was spent of what there was to spend.

    The periods of an account are one row: what was budgeted in all of them, and carried into the first.

    Args:
        report: Budgets of any currencies.
        ledger: Whose books these are, for the title.
        exponents: The decimals of each currency, for the labels; those of ISO 4217 unless given.
    """
    currencies = sorted({each.currency for each in report.budgets})
    panels = (
        _panel(currency, [each for each in report.budgets if each.currency == currency], exponents)
        for currency in currencies
    )
    return Chart("Budgets", ledger, between(report.starts_on, report.ends_on), tuple(panels))


def _panel(currency: str, budgets: list[BudgetProgress], exponents: Mapping[str, int] | None) -> Progress:
    rows = tuple(_row(each) for each in budgets)
    amounts = [amount for row in rows for amount in (row.reached, row.goal)]
    return Progress(currency, decimals_of(currency, amounts, exponents), rows)


def _row(budget: BudgetProgress) -> Goal:
    whole = budget.total
    return Goal(budget.account, whole.spent, total((whole.budgeted, whole.carried_in)))
