"""Reports as Arrow tables: one row a line of the report, the currency beside each amount.

Every function takes what a report returned. `scale` is the number of decimals of all amounts of the table; unless
given, it is that of the finest amount, so that the type depends on the data. An amount that does not fit is an
`AmountError`, and without the extra `dataframe` each raises a `ConfigurationError`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from finance.frames.columns import Column, table
from finance.reports import (
    BalanceSheet,
    BudgetReport,
    CashFlow,
    Forecast,
    IncomeStatement,
    LabelledSpending,
    MonthlyIncomeStatement,
    MonthlySpending,
    NetWorth,
    RegisterLine,
    Spending,
    TrialBalance,
    Valuation,
    ValuedNetWorth,
)

if TYPE_CHECKING:
    import pyarrow

_PERIOD: tuple[Column, ...] = (("starts_on", "date"), ("ends_on", "date"), ("currency", "text"))
_SECTION: tuple[Column, ...] = (("section", "text"), ("account", "text"), ("amount", "amount"))


def trial_balance_table(trial: TrialBalance, *, scale: int | None = None) -> pyarrow.Table:
    """Return an account a row; `on` is null where all that is posted counts."""
    columns: tuple[Column, ...] = (
        ("on", "date"), ("account_id", "number"), ("account", "text"), ("type", "text"), ("currency", "text"),
        ("debit", "amount"), ("credit", "amount"), ("balance", "amount"),
    )  # fmt: skip
    rows = [
        (trial.on, row.account_id, row.account, row.type, row.currency, row.debit, row.credit, row.balance)
        for row in trial.rows
    ]
    return table(columns, rows, scale)


def balance_sheets_table(sheets: Sequence[BalanceSheet], *, scale: int | None = None) -> pyarrow.Table:
    """Return an account a row, with its section: Assets, Liabilities or Equity."""
    columns: tuple[Column, ...] = (("on", "date"), ("currency", "text"), *_SECTION)
    rows = [
        (each.on, each.currency, section.title, *line)
        for each in sheets
        for section in (each.assets, each.liabilities, each.equity)
        for line in section.lines
    ]
    return table(columns, rows, scale)


def income_statements_table(statements: Sequence[IncomeStatement], *, scale: int | None = None) -> pyarrow.Table:
    """Return an account a row, with its section: Income or Expenses."""
    rows = [
        (each.starts_on, each.ends_on, each.currency, section.title, *line)
        for each in statements
        for section in (each.income, each.expenses)
        for line in section.lines
    ]
    return table((*_PERIOD, *_SECTION), rows, scale)


def monthly_income_statements_table(
    statements: Sequence[MonthlyIncomeStatement], *, scale: int | None = None
) -> pyarrow.Table:
    """Return an account and month a row, by the month's first day: what is to be a column is for a pivot to say."""
    columns: tuple[Column, ...] = (("month", "date"), ("currency", "text"), *_SECTION)
    rows = [
        (month, each.currency, section.title, name, amount)
        for each in statements
        for section in (each.income, each.expenses)
        for name, amounts in section.lines
        for month, amount in zip(each.months, amounts, strict=True)
    ]
    return table(columns, rows, scale)


def net_worth_table(worths: Sequence[NetWorth], *, scale: int | None = None) -> pyarrow.Table:
    """Return a month a row, by its last day; what is owed is positive."""
    columns: tuple[Column, ...] = (
        ("on", "date"), ("currency", "text"), ("assets", "amount"), ("liabilities", "amount"), ("net", "amount"),
    )  # fmt: skip
    rows = [
        (point.on, each.currency, point.assets, point.liabilities, point.net)
        for each in worths
        for point in each.points
    ]
    return table(columns, rows, scale)


def valued_net_worth_table(worth: ValuedNetWorth, *, scale: int | None = None) -> pyarrow.Table:
    """Return a month a row, by its last day, in the quote; `unpriced` names the currencies without a rate."""
    columns: tuple[Column, ...] = (
        ("on", "date"), ("quote", "text"), ("assets", "amount"), ("liabilities", "amount"), ("net", "amount"),
        ("unpriced", "text"),
    )  # fmt: skip
    rows = [
        (point.on, worth.quote, point.assets, point.liabilities, point.net, " ".join(point.unpriced))
        for point in worth.points
    ]
    return table(columns, rows, scale)


def cash_flows_table(flows: Sequence[CashFlow], *, scale: int | None = None) -> pyarrow.Table:
    """Return a counter-account a row, `line` being "flow", between an "opening" and a "closing" balance."""
    columns: tuple[Column, ...] = (
        *_PERIOD, ("line", "text"), ("account", "text"), ("type", "text"),
        ("inflow", "amount"), ("outflow", "amount"), ("balance", "amount"),
    )  # fmt: skip
    return table(columns, [row for each in flows for row in _cash_flow(each)], scale)


def _cash_flow(each: CashFlow) -> Iterator[tuple[Any, ...]]:
    head = (each.starts_on, each.ends_on, each.currency)
    yield (*head, "opening", None, None, None, None, each.opening)
    for flow in each.flows:
        yield (*head, "flow", flow.account, flow.type, flow.inflow, flow.outflow, None)
    yield (*head, "closing", None, None, None, None, each.closing)


def spending_table(
    spendings: Sequence[Spending | LabelledSpending], *, by: str = "category", scale: int | None = None
) -> pyarrow.Table:
    """Return a category a row, the largest of each currency first; *by* names the column."""
    columns: tuple[Column, ...] = (*_PERIOD, (by, "text"), ("amount", "amount"))
    rows = [(each.starts_on, each.ends_on, each.currency, *line) for each in spendings for line in each.lines]
    return table(columns, rows, scale)


def monthly_spending_table(
    spendings: Sequence[MonthlySpending], *, by: str = "category", scale: int | None = None
) -> pyarrow.Table:
    """Return a category and month a row, by the month's first day; *by* names the column."""
    columns: tuple[Column, ...] = (("month", "date"), ("currency", "text"), (by, "text"), ("amount", "amount"))
    rows = [
        (month, each.currency, name, amount)
        for each in spendings
        for name, amounts in each.lines
        for month, amount in zip(each.months, amounts, strict=True)
    ]
    return table(columns, rows, scale)


def valuation_table(valuation: Valuation, *, scale: int | None = None) -> pyarrow.Table:
    """Return a currency a row: its amount, and what that is worth in the quote.

    The rate is text, because it may have more decimals than an amount: 34 digits, wherever the point is.
    """
    columns: tuple[Column, ...] = (
        ("on", "date"), ("currency", "text"), ("amount", "amount"), ("rate", "text"), ("rate_on", "date"),
        ("quote", "text"), ("value", "amount"),
    )  # fmt: skip
    rows = [
        (valuation.on, each.currency, each.amount, f"{each.rate.value:f}", each.rate.date, valuation.quote, each.value)
        for each in valuation.lines
    ]
    return table(columns, rows, scale)


def register_table(lines: Iterable[RegisterLine], *, currency: str, scale: int | None = None) -> pyarrow.Table:
    """Return a posting a row, with the balance after it; *currency* is that of the account."""
    columns: tuple[Column, ...] = (
        ("date", "date"), ("entry_id", "text"), ("line", "number"), ("description", "text"), ("memo", "text"),
        ("currency", "text"), ("amount", "amount"), ("balance", "amount"),
    )  # fmt: skip
    rows = [
        (each.date, str(each.entry_id), each.line, each.description, each.memo, currency, each.amount, each.balance)
        for each in lines
    ]
    return table(columns, rows, scale)


def budgets_table(report: BudgetReport, *, scale: int | None = None) -> pyarrow.Table:
    """Return a period of an account's budget a row; the part that was spent is for the amounts to say."""
    columns: tuple[Column, ...] = (
        *_PERIOD, ("account", "text"), ("type", "text"), ("within", "text"),
        ("budgeted", "amount"), ("carried_in", "amount"), ("spent", "amount"), ("left", "amount"),
    )  # fmt: skip
    rows = [
        (
            period.starts_on, period.ends_on, each.currency, each.account, each.type, each.within,
            period.budgeted, period.carried_in, period.spent, period.left,
        )
        for each in report.budgets
        for period in each.periods
    ]  # fmt: skip
    return table(columns, rows, scale)


def forecasts_table(forecasts: Sequence[Forecast], *, scale: int | None = None) -> pyarrow.Table:
    """Return a point of an account's forecast a row; debits are positive."""
    columns: tuple[Column, ...] = (
        ("on", "date"), ("account_id", "number"), ("account", "text"), ("type", "text"), ("currency", "text"),
        ("change", "amount"), ("balance", "amount"),
    )  # fmt: skip
    rows = [
        (point.on, each.account_id, each.account, each.type, each.currency, point.change, point.balance)
        for each in forecasts
        for point in each.points
    ]
    return table(columns, rows, scale)
