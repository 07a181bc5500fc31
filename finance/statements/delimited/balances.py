"""The column of balances: what it claims, and whether the amounts agree with it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from finance.money import total
from finance.statements.delimited.cells import Booked
from finance.statements.flaw import FlawError


@dataclass(frozen=True, slots=True)
class Balances:
    """The balances before the oldest line and after the newest, and its day; None where the file cannot tell.

    `daily` has the balance after the last line of each day, the oldest first.
    """

    opening: Decimal | None = None
    closing: Decimal | None = None
    closing_on: date | None = None
    daily: tuple[tuple[date, Decimal], ...] = ()


def check_balances(lines: Sequence[Booked]) -> Balances:
    """Derive the balances of one account, and compare the one after each line with the amounts.

    The lines may begin with the oldest or with the newest. Where they are so few, and of one day, that both could
    be, the balances are not told. A line without a balance counts for the next that has one.

    Raises:
        FlawError: In neither order does each balance follow from the one before: a line is missing or changed, or the
            profile has the sign or a column wrong.
    """
    if all(each.balance is None for each in lines):
        return Balances()
    newest_first = lines[0].line.date > lines[-1].line.date
    likely, other = (lines[::-1], lines) if newest_first else (lines, lines[::-1])
    wrong = _contradiction(likely)
    if wrong is None:
        is_open = lines[0].line.date == lines[-1].line.date and _contradiction(other) is None
        return Balances() if is_open and _balances(other) != _balances(likely) else _balances(likely)
    if _contradiction(other) is None:
        return _balances(other)
    raise FlawError(
        "the balance does not follow from the one before and the amount: a line is missing or changed, or the profile"
        " has a sign or a column wrong; without its column `balance` the file is read unchecked",
        wrong.at,
    )


def _contradiction(oldest_first: Sequence[Booked]) -> Booked | None:
    running: Decimal | None = None
    for each in oldest_first:
        if running is not None:
            running = total([running, each.line.amount])
        if each.balance is None:
            continue
        if running not in (None, each.balance):
            return each
        running = each.balance
    return None


def _balances(oldest_first: Sequence[Booked]) -> Balances:
    first = next(index for index, each in enumerate(oldest_first) if each.balance is not None)
    last = max(index for index, each in enumerate(oldest_first) if each.balance is not None)
    before = [each.line.amount.copy_negate() for each in oldest_first[: first + 1]]
    after = [each.line.amount for each in oldest_first[last + 1 :]]
    return Balances(
        opening=total([oldest_first[first].balance or Decimal(0), *before]),
        closing=total([oldest_first[last].balance or Decimal(0), *after]),
        closing_on=max(each.line.date for each in oldest_first),
        daily=tuple(_daily(oldest_first)),
    )


def _daily(oldest_first: Sequence[Booked]) -> Iterator[tuple[date, Decimal]]:
    """Yield the balance after the last line of each day; nothing where the days are not in order."""
    days = [each.line.date for each in oldest_first]
    if days != sorted(days):
        return
    for day, lines in itertools.groupby(oldest_first, key=lambda each: each.line.date):
        balance = list(lines)[-1].balance
        if balance is not None:
            yield day, balance
