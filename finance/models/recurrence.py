"""Recurrence rules of RFC 5545, section 3.3.10, as far as they name days: read, and every part of them looked at."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Self

from finance.errors import RecurrenceError

FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
#: Parts that say which days; without any of them the day is that of the start.
_DAYS = ("BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYDAY")
_LONGEST = 500
_WEEKDAY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)")

# The largest number of each part that lists numbers, and whether it may count from the end (section 3.3.10).
_NUMBERS = {
    "BYMONTH": (12, False),
    "BYMONTHDAY": (31, True),
    "BYYEARDAY": (366, True),
    "BYWEEKNO": (53, True),
    "BYSETPOS": (366, True),
}
_PARTS = ("FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", *_NUMBERS)
#: How often a numbered weekday, such as 2TU, can come in a month and in a year.
_NUMBERED = {"MONTHLY": 5, "YEARLY": 53}


@dataclass(frozen=True, slots=True)
class Recurrence:
    """The parts of a rule, in capitals and by their names, and the last day that it allows."""

    parts: Mapping[str, str]
    until: date | None

    @classmethod
    def parse(cls, rule: str) -> Self:
        """Read a rule such as "FREQ=MONTHLY;BYMONTHDAY=-1", with or without "RRULE:" before it.

        Raises:
            RecurrenceError: A part is unknown, there twice, not what it must be, or finer than a day.
        """
        if not isinstance(rule, str) or len(rule) > _LONGEST:
            raise RecurrenceError("RRULE", f"is a string of at most {_LONGEST} characters, such as FREQ=MONTHLY")
        parts: dict[str, str] = {}
        for part in rule.strip().upper().removeprefix("RRULE:").rstrip(";").split(";"):
            name, _, value = part.partition("=")
            _require_part(name, value, parts)
            parts[name] = value
        _require_together(parts)
        return cls(parts, _day_of(parts["UNTIL"]) if "UNTIL" in parts else None)

    @property
    def rule(self) -> str:
        """The rule as it is stored."""
        return ";".join(f"{name}={value}" for name, value in self.parts.items())

    @property
    def frequency(self) -> str:
        """DAILY, WEEKLY, MONTHLY or YEARLY."""
        return self.parts["FREQ"]

    @property
    def interval(self) -> int:
        """Every how-manieth day, week, month or year."""
        return int(self.parts.get("INTERVAL", "1"))

    @property
    def names_days(self) -> bool:
        """Whether it says itself which days of a month or a year it means."""
        return any(name in self.parts for name in _DAYS)


def _require_part(name: str, value: str, known: Mapping[str, str]) -> None:
    if name in {"BYHOUR", "BYMINUTE", "BYSECOND"}:
        raise RecurrenceError(name, "is finer than a day; entries are of days")
    if name not in _PARTS:
        raise RecurrenceError(name or "RRULE", f"is not a part of a rule; the parts are {', '.join(_PARTS)}")
    if name in known:
        raise RecurrenceError(name, "is there twice; a rule has each part once")
    if name == "FREQ" and value not in FREQUENCIES:
        raise RecurrenceError(name, f"{value!r} is none of {', '.join(FREQUENCIES)}")
    if name in {"INTERVAL", "COUNT"} and not (_is_number(value) and 1 <= int(value) <= 10_000):
        raise RecurrenceError(name, f"{value!r} is no number from 1 to 10000")
    if name == "WKST" and not re.fullmatch("MO|TU|WE|TH|FR|SA|SU", value):
        raise RecurrenceError(name, f"{value!r} is no weekday; write MO, TU, WE, TH, FR, SA or SU")
    if name in _NUMBERS:
        _require_numbers(name, value)


def _require_numbers(name: str, value: str) -> None:
    largest, from_end = _NUMBERS[name]
    for number in value.split(","):
        digits = number[1:] if number[:1] in {"+", "-"} else number
        if not (_is_number(digits) and 1 <= int(digits) <= largest) or (number.startswith("-") and not from_end):
            counted = f"1 to {largest}" + (f", or -1 to -{largest} from the end" if from_end else "")
            raise RecurrenceError(name, f"{number!r} is no number of {counted}")


def _require_together(parts: Mapping[str, str]) -> None:
    frequency = parts.get("FREQ")
    if frequency is None:
        raise RecurrenceError("FREQ", f"is missing: say one of {', '.join(FREQUENCIES)}")
    if "COUNT" in parts and "UNTIL" in parts:
        raise RecurrenceError("COUNT", "and UNTIL both say where it ends; give one of them")
    if "BYSETPOS" in parts and not any(name in parts for name in (*_DAYS, "BYMONTH")):
        raise RecurrenceError("BYSETPOS", "chooses among days that another part names; there is none")
    if "BYWEEKNO" in parts and frequency != "YEARLY":
        raise RecurrenceError("BYWEEKNO", "is for FREQ=YEARLY only")
    if "BYMONTHDAY" in parts and frequency == "WEEKLY":
        raise RecurrenceError("BYMONTHDAY", "is not for FREQ=WEEKLY")
    if "BYYEARDAY" in parts and frequency != "YEARLY":
        raise RecurrenceError("BYYEARDAY", "is for FREQ=YEARLY only")
    if "BYDAY" in parts:
        _require_weekdays(parts)


def _require_weekdays(parts: Mapping[str, str]) -> None:
    largest = 0 if "BYWEEKNO" in parts else _NUMBERED.get(parts["FREQ"], 0)
    if "BYMONTH" in parts:
        largest = min(largest, _NUMBERED["MONTHLY"])
    for day in parts["BYDAY"].split(","):
        found = _WEEKDAY.fullmatch(day)
        if found is None:
            raise RecurrenceError("BYDAY", f"{day!r} is no weekday; write MO, TU, ..., or 2TU, -1FR")
        if found[1] is not None and not 1 <= abs(int(found[1])) <= largest:
            raise RecurrenceError("BYDAY", f"{day!r}: there is no such weekday in what the rule counts by")


def _day_of(value: str) -> date:
    try:
        if re.fullmatch(r"\d{8}", value, re.ASCII):
            return date(int(value[:4]), int(value[4:6]), int(value[6:]))
    except ValueError:
        pass
    raise RecurrenceError("UNTIL", f"{value!r} is no day; write it like 20271231")


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\d{1,5}", text, re.ASCII) is not None
