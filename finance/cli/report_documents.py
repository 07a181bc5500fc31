"""What `--json` prints of reports: the values of each currency, padded with all its decimals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from finance.cli.documents import Document, padded
from finance.reports import (
    BalanceSheet,
    CashFlow,
    IncomeStatement,
    LabelledSpending,
    MonthlyIncomeStatement,
    MonthlySection,
    MonthlySpending,
    NetWorth,
    Section,
    Spending,
    TrialBalance,
    ValuedNetWorth,
)

Exponents = Mapping[str, int]


def income_statements(found: Sequence[IncomeStatement], exponents: Exponents) -> list[Document]:
    """Describe income statements."""
    return [
        {
            **_head(each),
            "income": _section(each.income, exponents[each.currency]),
            "expenses": _section(each.expenses, exponents[each.currency]),
            "net": padded(each.net, exponents[each.currency]),
        }
        for each in found
    ]


def monthly_income_statements(found: Sequence[MonthlyIncomeStatement], exponents: Exponents) -> list[Document]:
    """Describe income statements by month."""
    return [
        {
            **_head(each),
            "months": [month.isoformat()[:7] for month in each.months],
            "income": _monthly(each.income, exponents[each.currency]),
            "expenses": _monthly(each.expenses, exponents[each.currency]),
            "net": _all(each.net, exponents[each.currency]),
        }
        for each in found
    ]


def balance_sheets(found: Sequence[BalanceSheet], exponents: Exponents) -> list[Document]:
    """Describe balance sheets."""
    return [
        {
            "on": None if each.on is None else each.on.isoformat(),
            "currency": each.currency,
            "assets": _section(each.assets, exponents[each.currency]),
            "liabilities": _section(each.liabilities, exponents[each.currency]),
            "equity": _section(each.equity, exponents[each.currency]),
        }
        for each in found
    ]


def trial_balance(found: TrialBalance, exponents: Exponents) -> Document:
    """Describe a trial balance."""
    return {
        "on": None if found.on is None else found.on.isoformat(),
        "accounts": [
            {
                "account": row.account,
                "type": row.type,
                "currency": row.currency,
                "debit": padded(row.debit, exponents[row.currency]),
                "credit": padded(row.credit, exponents[row.currency]),
            }
            for row in found.rows
        ],
        "totals": [
            {
                "currency": currency,
                "debit": padded(debit, exponents[currency]),
                "credit": padded(credit, exponents[currency]),
            }
            for currency, (debit, credit) in found.totals().items()
        ],
    }


def net_worths(found: Sequence[NetWorth], exponents: Exponents) -> list[Document]:
    """Describe the net worth over time."""
    return [
        {
            "currency": each.currency,
            "points": [
                {
                    "on": point.on.isoformat(),
                    "assets": padded(point.assets, exponents[each.currency]),
                    "liabilities": padded(point.liabilities, exponents[each.currency]),
                    "net": padded(point.net, exponents[each.currency]),
                }
                for point in each.points
            ],
        }
        for each in found
    ]


def valued_net_worths(found: ValuedNetWorth, exponents: Exponents) -> list[Document]:
    """Describe the net worth over time, valued in one currency."""
    exponent = exponents.get(found.quote, 0)
    points = [
        {
            "on": point.on.isoformat(),
            "assets": padded(point.assets, exponent),
            "liabilities": padded(point.liabilities, exponent),
            "net": padded(point.net, exponent),
            "unpriced": list(point.unpriced),
        }
        for point in found.points
    ]
    return [{"quote": found.quote, "points": points}]


def cash_flows(found: Sequence[CashFlow], exponents: Exponents) -> list[Document]:
    """Describe cash flows."""
    return [
        {
            **_head(each),
            "opening": padded(each.opening, exponents[each.currency]),
            "flows": [
                {
                    "account": flow.account,
                    "type": flow.type,
                    "inflow": padded(flow.inflow, exponents[each.currency]),
                    "outflow": padded(flow.outflow, exponents[each.currency]),
                }
                for flow in each.flows
            ],
            "inflow": padded(each.inflow, exponents[each.currency]),
            "outflow": padded(each.outflow, exponents[each.currency]),
            "closing": padded(each.closing, exponents[each.currency]),
        }
        for each in found
    ]


def spendings(found: Sequence[Spending | LabelledSpending], by: str, exponents: Exponents) -> list[Document]:
    """Describe what was spent *by* category (an account), payee or tag; null is what has none."""
    return [
        {
            **_head(each),
            "lines": [
                {_key(by): name, "amount": padded(amount, exponents[each.currency])} for name, amount in each.lines
            ],
            "total": padded(each.total, exponents[each.currency]),
        }
        for each in found
    ]


def monthly_spendings(found: Sequence[MonthlySpending], by: str, exponents: Exponents) -> list[Document]:
    """Describe the same by month."""
    return [
        {
            **_head(each),
            "months": [month.isoformat()[:7] for month in each.months],
            "lines": [
                {_key(by): name, "amounts": _all(amounts, exponents[each.currency])} for name, amounts in each.lines
            ],
            "totals": _all(each.totals, exponents[each.currency]),
        }
        for each in found
    ]


def _key(by: str) -> str:
    return "account" if by == "category" else by


def _head(
    each: IncomeStatement | MonthlyIncomeStatement | CashFlow | Spending | LabelledSpending | MonthlySpending,
) -> Document:
    return {
        "starts_on": each.starts_on.isoformat(),
        "ends_on": each.ends_on.isoformat(),
        "currency": each.currency,
    }


def _section(section: Section, exponent: int) -> Document:
    return {"lines": _lines(section.lines, exponent), "total": padded(section.total, exponent)}


def _monthly(section: MonthlySection, exponent: int) -> Document:
    return {
        "lines": [{"account": name, "amounts": _all(amounts, exponent)} for name, amounts in section.lines],
        "totals": _all(section.totals, exponent),
    }


def _lines(lines: Sequence[tuple[str, Decimal]], exponent: int) -> list[Document]:
    return [{"account": name, "amount": padded(amount, exponent)} for name, amount in lines]


def _all(amounts: Sequence[Decimal], exponent: int) -> list[str]:
    return [padded(amount, exponent) for amount in amounts]
