"""Which balances a statement claims, and for the end of which day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from finance.models import AssertionKind
from finance.money import decimals
from finance.repositories import Claim
from finance.statements.securities import LONGEST_CODE, MOST_DECIMALS
from finance.statements.statement import Statement

_TOO_LARGE = 10**24


def claims_of(statement: Statement) -> list[Claim]:
    """Return what *statement* claims.

    The opening balance holds before the first line: formats that date it differ in whether that is the day of the
    statement or the one before. A closing balance without a day holds after the last line. The first and the last day
    that Python has are left out, which stand for no day, and what is too large for an amount.
    """
    return [claim for claim in _claims(statement) if date.min < claim[1] < date.max and abs(claim[2]) < _TOO_LARGE]


def positions_of(statement: Statement) -> list[tuple[str, Claim]]:
    """Return how much of each security *statement* claims, by the codes of the securities."""
    on = statement.positions_on
    if on is None or statement.currency is None or not date.min < on < date.max:
        return []
    return [
        (code, (AssertionKind.POSITION, on, units))
        for code, units in statement.positions
        if len(code) <= LONGEST_CODE and decimals(units) <= MOST_DECIMALS
    ]


def _claims(statement: Statement) -> Iterator[Claim]:
    days = [line.date for line in statement.lines]
    if statement.opening_balance is not None and days and min(days) > date.min:
        yield AssertionKind.OPENING, min(days) - timedelta(days=1), statement.opening_balance
    closing_on = _closing_on(statement, days)
    for day, balance in statement.daily_balances:
        if closing_on is None or day < closing_on:
            yield AssertionKind.RUNNING, day, balance
    if closing_on is not None and statement.closing_balance is not None:
        yield AssertionKind.CLOSING, closing_on, statement.closing_balance


def _closing_on(statement: Statement, days: list[date]) -> date | None:
    if statement.closing_balance is None:
        return None
    known = [day for day in (statement.ends_on, *days) if day is not None]
    return statement.closing_on or max(known, default=None)
