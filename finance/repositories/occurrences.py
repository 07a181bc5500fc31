"""The days that a recurrence rule names, and the entries that the occurrences of a schedule become."""

from __future__ import annotations

import itertools
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID, uuid5

from finance.errors import ConfigurationError, RecurrenceError
from finance.models import NewEntry, NewPosting, Recurrence, Weekends

#: So many occurrences of one schedule are looked at, at most: of days more than 27 years.
OCCURRENCES_MAX: Final = 10_000

# The calendar repeats itself after 400 years, weekdays included (146,097 days are 20,871 weeks).
_YEARS, _DAYS = 400, 146_097
# dateutil goes on to the year 9999 for a rule that names nothing more: this many years, or up to 400 more.
_YEARS_LOOKED_AT = 100
#: The parts that can leave nothing, those first that do so most often.
_NARROWING = ("BYSETPOS", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYDAY", "BYMONTH")


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One occurrence of a schedule: the day that its rule names, and the entry that it becomes.

    The entry's id is made from the schedule's id and that day, and from nothing else (a UUID of version 5). So it is
    posted once, whatever the schedule says at the time, and on whatever day it is posted.
    """

    schedule_id: UUID
    occurs_on: date
    entry: NewEntry

    @property
    def posts_on(self) -> date:
        """The day on which it counts: *occurs_on*, moved from a weekend or by a change."""
        return self.entry.date


@dataclass(frozen=True, slots=True)
class Change:
    """What is different about one occurrence."""

    occurs_on: date
    is_skipped: bool = False
    posts_on: date | None = None
    description: str | None = None
    amount: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A schedule as it is stored, with its postings and what is different about single occurrences."""

    id: UUID
    description: str
    rule: str
    starts_on: date
    ends_on: date | None
    weekends: str
    paused_on: date | None
    posted_through: date | None
    details: Mapping[str, Any]
    postings: tuple[NewPosting, ...]
    changes: Mapping[date, Change]

    def due(self, through: date) -> list[tuple[date, date]]:
        """Return the days that the rule names, and those to post on, of what is to be posted through a day.

        Raises:
            RecurrenceError: They are more than `OCCURRENCES_MAX`.
        """
        found = ((day, self.posts_on(day)) for day in self._days(through) if not self._is_skipped(day))
        return [(day, posts_on) for day, posts_on in found if posts_on <= through]

    def settled_through(self, through: date, still_due: Container[date]) -> date | None:
        """Return the day through which every occurrence is skipped, or posted once all that was due is but *still_due*.

        Args:
            through: The day through which it was posted.
            still_due: The days of the occurrences that are not posted.
        """
        settled = self.posted_through
        for day in self._days(through):
            is_open = day in still_due or (self.posts_on(day) > through and not self._is_skipped(day))
            if is_open or day > through:
                break
            settled = day
        return settled

    def posts_on(self, day: date) -> date:
        """Return the day on which the occurrence of a day is posted."""
        change = self.changes.get(day)
        return _moved(day, self.weekends) if change is None or change.posts_on is None else change.posts_on

    def occurrence(self, day: date, posts_on: date) -> Occurrence:
        """Return the occurrence of a day with its entry."""
        change = self.changes.get(day)
        details = {**self.details, "schedule": str(self.id), "occurs_on": day.isoformat()}
        description = self.description if change is None or change.description is None else change.description
        postings = self._postings(change)
        entry = NewEntry(posts_on, description, postings, id=entry_id(self.id, day), details=details)
        return Occurrence(self.id, day, entry)

    def _days(self, through: date) -> Iterator[date]:
        """Yield the days that the rule names as far as one of them might be posted through a day."""
        # A Sunday is posted on the Friday before, and a single occurrence whenever somebody says.
        moved = [each.occurs_on for each in self.changes.values() if each.posts_on and each.posts_on <= through]
        last = max([_later(through, 2), *moved])
        if self.ends_on is not None:
            last = min(last, self.ends_on)
        if self.paused_on is not None:
            last = min(last, self.paused_on - timedelta(1))
        return days_of(Recurrence.parse(self.rule), self.starts_on, last, after=self.posted_through)

    def _is_skipped(self, day: date) -> bool:
        return day in self.changes and self.changes[day].is_skipped

    def _postings(self, change: Change | None) -> tuple[NewPosting, ...]:
        if change is None or change.amount is None:
            return self.postings
        first, second = self.postings
        return (
            NewPosting(first.account, change.amount, first.memo),
            NewPosting(second.account, change.amount.copy_negate(), second.memo),
        )


def entry_id(schedule_id: UUID, occurs_on: date) -> UUID:
    """Return the id of the entry that the occurrence of a day becomes: a UUID of version 5 (RFC 9562, section 5.5).

    Its namespace is the schedule's id, its name the day that the rule names as ISO 8601 writes it, such as 2026-11-30.
    """
    return uuid5(schedule_id, occurs_on.isoformat())


def days_of(rule: Recurrence, starts_on: date, through: date, *, after: date | None = None) -> Iterator[date]:
    """Yield the days that *rule* names from *starts_on*, or behind the day *after*, through a day, in their order.

    A rule that names no days means that of *starts_on*; a month that is too short for it has its last day instead
    (RFC 7529, SKIP=BACKWARD). RFC 5545 alone would leave such a month out. Days that the rule itself
    names are those of RFC 5545: BYMONTHDAY=31 leaves short months out, BYMONTHDAY=-1 is the last day of every month.

    Raises:
        RecurrenceError: They are more than `OCCURRENCES_MAX`.
        ConfigurationError: The extra `schedules` is not installed.
    """
    last = through if rule.until is None else min(through, rule.until)
    first = starts_on if after is None else max(starts_on, _later(after, 1))
    days = itertools.takewhile(lambda day: day <= last, _all(rule, starts_on))
    for number, day in enumerate(itertools.dropwhile(lambda day: day < first, days)):
        if number == OCCURRENCES_MAX:
            raise RecurrenceError(
                "FREQ",
                f"names more than {OCCURRENCES_MAX} days from {after or starts_on} through {last};"
                " end the schedule, and start another one later",
            )
        yield day


def first_day(rule: Recurrence, starts_on: date) -> date:
    """Return the first day that *rule* names.

    Raises:
        RecurrenceError: It names none; it says which part is in the way.
        ConfigurationError: The extra `schedules` is not installed.
    """
    day = next(_all(rule, starts_on), None)
    if day is None:
        raise RecurrenceError(_impossible(rule, starts_on), "leaves no day, together with the other parts")
    if rule.until is not None and rule.until < day:
        raise RecurrenceError("UNTIL", f"is before the first day that the rule names, {day}")
    return day


def _all(rule: Recurrence, starts_on: date) -> Iterator[date]:
    """Yield the days, whose end need not come; a search that finds nothing ends with dateutil's calendar."""
    rrulestr = _rrulestr()
    # In the last years of the calendar the same days are found, and a search for what never comes is short.
    shift = max(0, (date.max.year - _YEARS_LOOKED_AT - starts_on.year) // _YEARS) * _DAYS
    start = datetime.combine(date.fromordinal(starts_on.toordinal() + shift), datetime.min.time())
    parts = _completed(rule, starts_on)
    try:
        found = iter(rrulestr(";".join(f"{name}={value}" for name, value in parts.items()), dtstart=start))
    except (ValueError, IndexError, TypeError) as error:
        raise RecurrenceError("RRULE", "cannot be read; see the cause") from error
    return (date.fromordinal(day.toordinal() - shift) for day in found)


def _completed(rule: Recurrence, starts_on: date) -> dict[str, str]:
    """Return the parts of *rule* without its end, and where it names no days, with those that *starts_on* means.

    Raises:
        RecurrenceError: The months of a year cannot be completed.
    """
    parts = {name: value for name, value in rule.parts.items() if name != "UNTIL"}
    if rule.names_days or rule.frequency in {"DAILY", "WEEKLY"} or starts_on.day <= 28:
        return parts
    if rule.frequency == "YEARLY":
        months = parts.setdefault("BYMONTH", str(starts_on.month))
        if "," in months:
            if rule.interval > 1 or "BYSETPOS" in parts:
                raise RecurrenceError(
                    "BYMONTH", f"names no day, and not every month has a {starts_on.day}th: add BYMONTHDAY, such as -1"
                )
            parts["FREQ"] = "MONTHLY"  # the same months, each of which has a last day of its own
    return parts | {"BYMONTHDAY": ",".join(map(str, range(28, starts_on.day + 1))), "BYSETPOS": "-1"}


def _impossible(rule: Recurrence, starts_on: date) -> str:
    """Return the part of *rule* without which it would name a day."""
    for name in _NARROWING:
        if name in rule.parts:
            rest = {key: value for key, value in rule.parts.items() if key != name}
            if next(_all(Recurrence(rest, None), starts_on), None) is not None:
                return name
    return "FREQ"


def _moved(day: date, weekends: str) -> date:
    """Return the day on which an occurrence of *day* is posted."""
    days_behind_friday = day.weekday() - 4
    if days_behind_friday <= 0 or weekends == Weekends.STAY:
        return day
    return day - timedelta(days_behind_friday) if weekends == Weekends.BEFORE else _later(day, 3 - days_behind_friday)


def _later(day: date, days: int) -> date:
    return date.fromordinal(min(day.toordinal() + days, date.max.toordinal()))


def _rrulestr() -> Any:
    try:
        from dateutil.rrule import rrulestr  # noqa: PLC0415 - of an extra
    except ImportError as error:
        raise ConfigurationError(
            "recurrence rules need the extra `schedules`: pip install 'finance-ledger[schedules]'"
        ) from error
    return rrulestr
