"""What `--json` prints of budgets, schedules and forecasts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import TypeAlias

from finance import BudgetTerm, Occurrence, PostedDue, Schedule
from finance.cli.documents import Document, padded
from finance.cli.report_documents import Exponents
from finance.reports import BudgetedPeriod, BudgetProgress, BudgetReport, BudgetTotal, Forecast

#: Of each account's id its name, its currency, and how many decimals that has.
Names: TypeAlias = Mapping[int, tuple[str, str, int]]


def budget_term(term: BudgetTerm, exponents: Exponents) -> Document:
    """Describe a budget and the days on which it holds."""
    return {
        "account": term.account,
        "currency": term.currency,
        "amount": padded(term.amount, exponents[term.currency]),
        "period": str(term.period),
        "rollover": str(term.rollover),
        "starts_on": term.starts_on.isoformat(),
        "ends_on": None if term.ends_on is None else term.ends_on.isoformat(),
    }


def budgets(report: BudgetReport, exponents: Exponents) -> Document:
    """Describe what was spent against what was budgeted."""
    return {
        "starts_on": report.starts_on.isoformat(),
        "ends_on": report.ends_on.isoformat(),
        "budgets": [_progress(each, exponents[each.currency]) for each in report.budgets],
        "totals": [
            {"type": each.type, "currency": each.currency, **_figures(each, exponents[each.currency])}
            for each in report.totals
        ],
    }


def schedule(row: Schedule, names: Names) -> Document:
    """Describe a schedule."""
    return {
        "id": str(row.id),
        "description": row.description,
        "rule": row.rule,
        "starts_on": row.starts_on.isoformat(),
        "ends_on": None if row.ends_on is None else row.ends_on.isoformat(),
        "weekends": row.weekends,
        "paused_on": None if row.paused_on is None else row.paused_on.isoformat(),
        "details": row.details,
        "postings": [_posting(line.account_id, line.amount, names) for line in row.postings],
    }


def occurrence(each: Occurrence, names: Names) -> Document:
    """Describe an occurrence and the entry that it becomes."""
    return {
        "schedule": str(each.schedule_id),
        "occurs_on": each.occurs_on.isoformat(),
        "posts_on": each.posts_on.isoformat(),
        "description": each.entry.description,
        "entry": str(each.entry.id),
        "postings": [_posting(line.account_id, line.value, names) for line in each.entry.postings],
    }


def posted_due(answer: PostedDue, names: Names) -> Document:
    """Describe what became of what was due."""
    return {
        "posted": [occurrence(each, names) for each in answer.posted],
        "refused": [{**occurrence(each.occurrence, names), "reason": str(each.error)} for each in answer.refused],
        "left": answer.left,
    }


def forecasts(found: Iterable[Forecast], exponents: Exponents) -> list[Document]:
    """Describe what accounts will hold."""
    return [_forecast(each, exponents[each.currency]) for each in found]


def _forecast(each: Forecast, exponent: int) -> Document:
    return {
        "account": each.account,
        "type": each.type,
        "currency": each.currency,
        "on": each.on.isoformat(),
        "opening": padded(each.opening, exponent),
        "overdue": padded(each.overdue, exponent),
        "held": padded(each.held, exponent),
        "limit": None if each.limit is None else padded(each.limit, exponent),
        "below_on": None if each.below_on is None else each.below_on.isoformat(),
        "lowest": padded(each.lowest, exponent),
        "points": [
            {
                "on": point.on.isoformat(),
                "change": padded(point.change, exponent),
                "balance": padded(point.balance, exponent),
            }
            for point in each.points
        ],
    }


def _progress(each: BudgetProgress, exponent: int) -> Document:
    return {
        "account": each.account,
        "type": each.type,
        "currency": each.currency,
        "within": each.within,
        "periods": [
            {
                "starts_on": period.starts_on.isoformat(),
                "ends_on": period.ends_on.isoformat(),
                **_figures(period, exponent),
            }
            for period in each.periods
        ],
    }


def _figures(each: BudgetedPeriod | BudgetTotal, exponent: int) -> Document:
    return {
        "budgeted": padded(each.budgeted, exponent),
        "carried_in": padded(each.carried_in, exponent),
        "spent": padded(each.spent, exponent),
        "left": padded(each.left, exponent),
        "fraction": None if each.fraction is None else f"{each.fraction:f}",
    }


def _posting(account_id: int, amount: Decimal, names: Names) -> Document:
    name, currency, exponent = names[account_id]
    return {"account": name, "currency": currency, "amount": padded(amount, exponent)}
