"""Dates whose order of day and month is not written: what the values decide, and what they do not."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Literal, get_args

DateOrder = Literal["dmy", "mdy"]
ORDERS: tuple[DateOrder, ...] = get_args(DateOrder)

_MONTHS = 12
#: A year of two digits from here on is of the twentieth century, as in POSIX.
_TWENTIETH = 69


def full_year(two_digits: int) -> int:
    """Return the year that *two_digits* mean: 69 to 99 are 1969 to 1999, 0 to 68 are 2000 to 2068."""
    return two_digits + (1900 if two_digits >= _TWENTIETH else 2000)


def calendar_date(year: int, first: int, second: int, order: DateOrder) -> date:
    """Return the date whose day and month are written as *first* and *second*, in *order*.

    Raises:
        ValueError: There is no such day.
    """
    day, month = (first, second) if order == "dmy" else (second, first)
    return date(year, month, day)


def possible_orders(pairs: Iterable[tuple[int, int]]) -> tuple[DateOrder, ...]:
    """Return the orders in which all *pairs* of the first and the second number of dates can be read.

    Both, when nothing decides; one, too, when each date is the same in both; none, when two dates contradict each
    other.
    """
    pairs = set(pairs)
    orders: list[DateOrder] = []
    if all(second <= _MONTHS for _, second in pairs):
        orders.append("dmy")
    if all(first <= _MONTHS for first, _ in pairs):
        orders.append("mdy")
    is_same = all(first == second for first, second in pairs)
    return tuple(orders[:1] if is_same else orders)
