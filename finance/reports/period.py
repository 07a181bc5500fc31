"""Periods: from a day through a day, as whole months and the parts of months at their ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

from finance.errors import InvalidError
from finance.repositories.balances import Months, is_early, month_end, require_day

#: A report with a column for each month has no more of them: a hundred years.
MONTHS_MAX = 1200


class Part(NamedTuple):
    """Postings from the day `first` through `last` to add to the totals of months (sign 1) or take back (-1)."""

    month: date
    first: date
    last: date
    sign: int


@dataclass(frozen=True, slots=True)
class Period:
    """The days from `starts_on` through `ends_on`.

    Raises:
        InvalidError: One of them is not a plain day, or the last comes before the first.
    """

    starts_on: date
    ends_on: date

    def __post_init__(self) -> None:
        for name in ("starts_on", "ends_on"):
            if require_day(name, getattr(self, name)) is None:
                raise InvalidError(f"{name} is missing: give the first and the last day of the period")
        if self.ends_on < self.starts_on:
            raise InvalidError(f"the period ends on {self.ends_on}, before it starts on {self.starts_on}")

    @property
    def months(self) -> tuple[date, ...]:
        """The first days of the months that it touches.

        Raises:
            InvalidError: They are more than `MONTHS_MAX`.
        """
        first = self.starts_on.year * 12 + self.starts_on.month - 1
        last = self.ends_on.year * 12 + self.ends_on.month - 1
        if last - first >= MONTHS_MAX:
            raise InvalidError(f"the period has {last - first + 1} months; {MONTHS_MAX} at most have a column each")
        return tuple(date(month // 12, month % 12 + 1, 1) for month in range(first, last + 1))

    @property
    def whole(self) -> tuple[date, date]:
        """Between which days the first days of those months lie whose totals count; none, if the second comes first."""
        first, last = _month(self.starts_on), _month(self.ends_on)
        if first == last:
            is_whole = self.starts_on == first and self.ends_on == month_end(last)
            return (first, last) if is_whole else (date.max, date.min)
        return (
            first if is_early(self.starts_on) else self.starts_on,
            self.ends_on if not is_early(self.ends_on) or self.ends_on == month_end(last) else last - timedelta(1),
        )

    @property
    def parts(self) -> tuple[Part, ...]:
        """What the totals of the whole months lack, or have too much: of each month at an end the shorter side."""
        first, last = _month(self.starts_on), _month(self.ends_on)
        if first == last:
            return () if self.whole == (first, last) else (Part(first, self.starts_on, self.ends_on, 1),)
        return (*self._at_start(first), *self._at_end(last))

    def _at_start(self, month: date) -> Iterator[Part]:
        if self.starts_on == month:
            return
        if is_early(self.starts_on):
            yield Part(month, month, self.starts_on - timedelta(1), -1)
        else:
            yield Part(month, self.starts_on, month_end(month), 1)

    def _at_end(self, month: date) -> Iterator[Part]:
        if self.ends_on == month_end(month):
            return
        if is_early(self.ends_on):
            yield Part(month, month, self.ends_on, 1)
        else:
            yield Part(month, self.ends_on + timedelta(1), month_end(month), -1)

    def before(self) -> Months:
        """Return the parts that make the balance at the end of the day before the first."""
        if self.starts_on.day == 1:
            return Months(self.starts_on, "+", date.max, date.min)
        return Months.through(self.starts_on - timedelta(1))


def _month(day: date) -> date:
    return day.replace(day=1)
