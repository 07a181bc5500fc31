"""Dates of QIF files: `12/31/99`, `1/ 2'26`, `31.12.2026`, `2026-12-31`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from finance.statements.dates import DateOrder, calendar_date, full_year, possible_orders
from finance.statements.flaw import FlawError, shown

_YEAR_FIRST = re.compile(r"([0-9]{4})([-/.])([0-9]{1,2})\2([0-9]{1,2})")
_YEAR_LAST = re.compile(r"([0-9]{1,2})([-/.])([0-9]{1,2})(?:\2|')([0-9]{4}|[0-9]{1,2})")


@dataclass(frozen=True, slots=True)
class WrittenDate:
    """A date with its first two numbers as they stand; `year_first` says that they are month and day."""

    text: str
    line: int
    year: int
    first: int
    second: int
    year_first: bool

    def in_order(self, order: DateOrder) -> date:
        """Return the date, read in *order*.

        Raises:
            FlawError: There is no such day.
        """
        try:
            return calendar_date(self.year, self.first, self.second, "mdy" if self.year_first else order)
        except ValueError as error:
            how = "" if self.year_first else f" ({order})"
            raise FlawError(f"D {shown(self.text)} is not a date in the calendar{how}", self.line) from error


def written_date(text: str, line: int) -> WrittenDate:
    """Take a date apart. An apostrophe before the year says nothing: programs differ in the century that it means.

    Raises:
        FlawError: It is no date.
    """
    bare = "".join(text.split())
    if found := _YEAR_FIRST.fullmatch(bare):
        return WrittenDate(text, line, int(found[1]), int(found[3]), int(found[4]), year_first=True)
    found = _YEAR_LAST.fullmatch(bare)
    if found is None:
        raise FlawError(f"D {shown(text)} is not a date", line)
    year = int(found[4])
    year = full_year(year) if len(found[4]) <= 2 else year
    return WrittenDate(text, line, year, int(found[1]), int(found[3]), year_first=False)


def order_of(dates: list[WrittenDate], told: DateOrder | None) -> DateOrder:
    """Return the order of day and month: the one that was *told*, or else the only one that all *dates* can have.

    Raises:
        FlawError: Both are possible, and nobody told; or the dates contradict each other.
    """
    open_dates = [each for each in dates if not each.year_first]
    if told is not None or not open_dates:
        return told or "dmy"
    orders = possible_orders((each.first, each.second) for each in open_dates)
    if len(orders) == 1:
        return orders[0]
    if orders:
        example = next(each for each in open_dates if each.first != each.second)
        raise FlawError(
            f"nothing says whether dates such as {shown(example.text)} have the day or the month first:"
            " say date_order='dmy' or 'mdy', or --date-order",
            example.line,
        )
    raise FlawError(
        "some dates have the day first and some the month; no one order fits them all", _odd(open_dates).line
    )


def _odd(dates: list[WrittenDate]) -> WrittenDate:
    """Return the first date that contradicts those before it."""
    seen: set[tuple[int, int]] = set()
    for each in dates:
        if (each.first, each.second) not in seen:
            seen.add((each.first, each.second))
            if not possible_orders(seen):
                return each
    return dates[-1]
