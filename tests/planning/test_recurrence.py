"""Recurrence rules: which days they name, and which are refused for which part."""

from __future__ import annotations

import builtins
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import pytest

from finance.errors import ConfigurationError, RecurrenceError
from finance.models import Recurrence
from finance.repositories.occurrences import OCCURRENCES_MAX, days_of, first_day

FAR = date.max


def days(rule: str, starts_on: str, count: int = 5, through: date = FAR) -> list[str]:
    """Name the first days of a rule."""
    found = days_of(Recurrence.parse(rule), date.fromisoformat(starts_on), through)
    return [day.isoformat() for _, day in zip(range(count), found, strict=False)]


@pytest.mark.parametrize(
    ("rule", "starts_on", "expected"),
    [
        ("FREQ=MONTHLY", "2026-01-15", ["2026-01-15", "2026-02-15", "2026-03-15"]),
        # A month that is too short has its last day, and the next one the day of the start again.
        ("FREQ=MONTHLY", "2026-01-31", ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"]),
        ("FREQ=MONTHLY", "2027-12-30", ["2027-12-30", "2028-01-30", "2028-02-29", "2028-03-30"]),
        ("FREQ=MONTHLY;INTERVAL=3", "2026-08-31", ["2026-08-31", "2026-11-30", "2027-02-28", "2027-05-31"]),
        ("FREQ=MONTHLY;COUNT=3", "2026-01-31", ["2026-01-31", "2026-02-28", "2026-03-31"]),
        ("FREQ=YEARLY", "2028-02-29", ["2028-02-29", "2029-02-28", "2030-02-28", "2031-02-28", "2032-02-29"]),
        ("FREQ=YEARLY;BYMONTH=4,5", "2026-03-31", ["2026-04-30", "2026-05-31", "2027-04-30", "2027-05-31"]),
        ("FREQ=YEARLY;INTERVAL=2;BYMONTH=4", "2026-03-31", ["2026-04-30", "2028-04-30"]),
        # What the rule names itself is as RFC 5545 says.
        ("FREQ=MONTHLY;BYMONTHDAY=31", "2026-01-31", ["2026-01-31", "2026-03-31", "2026-05-31"]),
        ("FREQ=MONTHLY;BYMONTHDAY=-1", "2026-01-01", ["2026-01-31", "2026-02-28", "2026-03-31"]),
        ("FREQ=MONTHLY;BYMONTHDAY=1", "2026-01-15", ["2026-02-01", "2026-03-01"]),
        ("FREQ=MONTHLY;BYDAY=-1FR", "2026-01-01", ["2026-01-30", "2026-02-27"]),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "2026-01-01", ["2026-01-30", "2026-02-27", "2026-03-31"]),
        ("FREQ=WEEKLY;INTERVAL=2", "2026-01-02", ["2026-01-02", "2026-01-16"]),
        ("FREQ=WEEKLY;BYDAY=MO,FR", "2026-01-01", ["2026-01-02", "2026-01-05", "2026-01-09"]),
        ("rrule:freq=daily;until=20260103", "2026-01-01", ["2026-01-01", "2026-01-02", "2026-01-03"]),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", "2026-01-01", ["2028-02-29", "2032-02-29"]),
        ("FREQ=MONTHLY", "9999-11-30", ["9999-11-30", "9999-12-30"]),
        ("FREQ=YEARLY", "0001-01-01", ["0001-01-01", "0002-01-01"]),
    ],
)
def test_a_rule_names_these_days(rule: str, starts_on: str, expected: Sequence[str]) -> None:
    """From the first day on, in their order."""
    is_short = "COUNT" in rule.upper() or "UNTIL" in rule.upper() or starts_on == "9999-11-30"
    assert days(rule, starts_on, len(expected) + is_short) == list(expected)


@pytest.mark.parametrize(
    ("rule", "part"),
    [
        ("", "RRULE"),
        ("MONTHLY", "MONTHLY"),
        ("INTERVAL=2", "FREQ"),
        ("FREQ=HOURLY", "FREQ"),
        ("FREQ=SECONDLY;COUNT=3", "FREQ"),
        ("FREQ=DAILY;BYHOUR=9", "BYHOUR"),
        ("FREQ=DAILY;BYEASTER=0", "BYEASTER"),
        ("FREQ=DAILY;FREQ=WEEKLY", "FREQ"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL"),
        ("FREQ=DAILY;INTERVAL=-1", "INTERVAL"),
        ("FREQ=DAILY;INTERVAL=\u0662", "INTERVAL"),
        ("FREQ=DAILY;INTERVAL=99999999999999999999", "INTERVAL"),
        ("FREQ=DAILY;COUNT=0", "COUNT"),
        ("FREQ=DAILY;COUNT=2;UNTIL=20270101", "COUNT"),
        ("FREQ=DAILY;UNTIL=20270230", "UNTIL"),
        ("FREQ=DAILY;UNTIL=20270101T120000Z", "UNTIL"),
        ("FREQ=MONTHLY;BYMONTHDAY=32", "BYMONTHDAY"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", "BYMONTHDAY"),
        ("FREQ=MONTHLY;BYMONTHDAY=", "BYMONTHDAY"),
        ("FREQ=WEEKLY;BYMONTHDAY=3", "BYMONTHDAY"),
        ("FREQ=YEARLY;BYMONTH=13", "BYMONTH"),
        ("FREQ=YEARLY;BYMONTH=-1", "BYMONTH"),
        ("FREQ=MONTHLY;BYYEARDAY=5", "BYYEARDAY"),
        ("FREQ=MONTHLY;BYWEEKNO=5", "BYWEEKNO"),
        ("FREQ=MONTHLY;BYSETPOS=1", "BYSETPOS"),
        ("FREQ=MONTHLY;BYDAY=8MO", "BYDAY"),
        ("FREQ=WEEKLY;BYDAY=2MO", "BYDAY"),
        ("FREQ=WEEKLY;BYDAY=XX", "BYDAY"),
        ("FREQ=WEEKLY;WKST=XX", "WKST"),
        ("FREQ=DAILY;" + "BYMONTH=1;" * 100, "RRULE"),
    ],
)
def test_what_is_no_rule_is_refused_for_its_part(rule: str, part: str) -> None:
    """Before dateutil sees it, which would loop, or say nothing of use."""
    with pytest.raises(RecurrenceError) as caught:
        Recurrence.parse(rule)

    assert caught.value.part == part
    assert part in str(caught.value)


@pytest.mark.parametrize(
    ("rule", "part"),
    [
        ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "BYMONTHDAY"),
        ("FREQ=YEARLY;BYMONTH=4;BYMONTHDAY=31", "BYMONTHDAY"),
        ("FREQ=MONTHLY;BYMONTHDAY=1;BYSETPOS=2", "BYSETPOS"),
        ("FREQ=DAILY;UNTIL=20251231", "UNTIL"),
    ],
)
def test_a_rule_that_names_no_day_is_refused_for_its_part(rule: str, part: str) -> None:
    """And in bounded time, though nothing is found up to the end of the calendar."""
    began = time.process_time()
    with pytest.raises(RecurrenceError) as caught:
        first_day(Recurrence.parse(rule), date(2026, 1, 1))

    assert caught.value.part == part
    assert time.process_time() - began < 30  # it would be hours for SECONDLY, and for ever with an interval of 0


def test_months_that_have_no_such_day_are_not_guessed_over_years() -> None:
    """Every second year, in several months, from a 31st: the rule has to say which day."""
    with pytest.raises(RecurrenceError, match="BYMONTHDAY"):
        days("FREQ=YEARLY;INTERVAL=2;BYMONTH=1,4", "2026-01-31")


def test_a_rule_of_too_many_days_is_refused() -> None:
    """Every day for a hundred years; every month for a hundred years is fine."""
    with pytest.raises(RecurrenceError, match=str(OCCURRENCES_MAX)):
        days("FREQ=DAILY", "2026-01-01", 10**9, date(2126, 1, 1))
    assert len(days("FREQ=MONTHLY", "2026-01-31", 10**9, date(2126, 1, 1))) == 1200


def test_the_days_are_the_same_in_every_cycle_of_the_calendar() -> None:
    """They are looked for in its last years, where the same days have the same weekdays."""
    near = days("FREQ=MONTHLY;BYDAY=3TH;INTERVAL=5", "2026-02-03", 20)
    far = days("FREQ=MONTHLY;BYDAY=3TH;INTERVAL=5", "9626-02-03", 20, date.max)

    assert near == [f"{int(day[:4]) - 7600:04}{day[4:]}" for day in far]


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing but a rule needs it."""
    real = builtins.__import__

    def refuse(name: str, scope: Mapping[str, Any] | None = None, *rest: Any) -> Any:
        if name.startswith("dateutil"):
            raise ModuleNotFoundError(name)
        return real(name, scope, *rest)

    monkeypatch.delitem(sys.modules, "dateutil.rrule", raising=False)
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ConfigurationError, match=r"finance-ledger\[schedules\]"):
        first_day(Recurrence.parse("FREQ=DAILY"), date(2026, 1, 1))
