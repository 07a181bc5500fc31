"""Dates in the cells of a table, by a format that the profile declares."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from datetime import date

from finance.statements.dates import full_year
from finance.statements.flaw import shown

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_TOKEN = re.compile("YYYY|YY|MMM|MM|DD")
_PATTERNS = {
    "YYYY": "(?P<year>[0-9]{4})",
    "YY": "(?P<short>[0-9]{2})",
    "MMM": "(?P<name>[A-Za-z]{3})[A-Za-z]*",
    "MM": "(?P<month>[0-9]{1,2})",
    "DD": "(?P<day>[0-9]{1,2})",
}
#: A time behind the date, as in 2026-01-31T23:59:59.000+01:00, which changes nothing: the bank's day counts.
_TIME = (
    r"(?:[T ,] ?[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?(?: ?[AaPp][Mm])?(?: ?(?:Z|[+-][0-9]{2}:?[0-9]{2}))?)?"
)


@functools.cache
def date_reader(written: str) -> Callable[[str], date]:
    """Return what reads dates that are *written* such as `"DD.MM.YYYY"`.

    YYYY and YY are the year, MM the month, MMM its English name, DD the day; all else stands for itself. A day or month
    may have one digit, unless the format is nothing but digits. A time behind the date is left out.

    Raises:
        ValueError: The format lacks the day, the month or the year, or has one of them twice. What is returned
        raises it
            for texts of another form, with a message that continues the name of the cell.
    """
    tokens = sorted(token[0] for token in _TOKEN.findall(written))
    if tokens != ["D", "M", "Y"]:
        raise ValueError(f"{shown(written)} is no date format; write it like 'DD.MM.YYYY', 'MM/DD/YY' or 'YYYY-MM-DD'")
    pattern = re.compile(_pattern(written) + _TIME)
    return functools.partial(_read, pattern, written)


def _pattern(written: str) -> str:
    parts, end = [], 0
    for token in _TOKEN.finditer(written):
        parts += [re.escape(written[end : token.start()]), _PATTERNS[token[0]]]
        end = token.end()
    pattern = "".join(parts) + re.escape(written[end:])
    return pattern.replace("{1,2}", "{2}") if not _TOKEN.sub("", written) else pattern


def _read(pattern: re.Pattern[str], written: str, text: str) -> date:
    found = pattern.fullmatch(text.strip())
    parts = found.groupdict() if found else {}
    month = _month(parts)
    if not month:
        raise ValueError(f"{shown(text)} is not a date as {written}")
    year = int(parts["year"]) if parts.get("year") else full_year(int(parts["short"]))
    try:
        return date(year, month, int(parts["day"]))
    except ValueError as error:
        raise ValueError(f"{shown(text)} is not a date in the calendar ({written})") from error


def _month(parts: dict[str, str]) -> int | None:
    if parts.get("month"):
        return int(parts["month"]) or 13  # no month 0 either: the calendar refuses both
    name = parts.get("name", "").lower()
    return _MONTHS.index(name) + 1 if name in _MONTHS else None
