"""What the subfields of MT940 mean: dates, amounts, balances.

The grammar of the subfields is mt-940's. Its values are not used: it takes 951016 for a day of 2095 and 30 February for
the 29th, cuts off the digits that a balance has too many of, gives a reversed credit the sign of a credit, and
lets a second statement overwrite the balances of the first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from finance.statements.extra import library
from finance.statements.flaw import FlawError, shown
from finance.statements.mt940.fields import Field
from finance.statements.values import currency, signed, unsigned

_AMOUNT = re.compile(r"[0-9]+(?:,([0-9]*))?")
_RULE = "digits with at most one decimal comma, and no other separator"
_LAST_YEAR_OF_2000 = 79


@dataclass(frozen=True, slots=True)
class Balance:
    """A balance: signed, in *currency*, at the end of *day*."""

    amount: Decimal
    currency: str
    day: date


def subfields(field: Field, text: str, grammar: str) -> Mapping[str, str | None]:
    """Return the subfields of *text*, by the names that mt-940 gives them.

    Args:
        field: Where *text* is from, for the error.
        text: The lines of the field that *grammar* is about.
        grammar: The name of the field in mt-940's table, such as `"STATEMENT"`.

    Raises:
        FlawError: *text* is not such a field, in whole.
        ConfigurationError: The extra `statements` is not installed.
    """
    written: re.Match[str] | None = (
        library("mt940.tags", "reading MT940 and MT942 files").Tags[grammar].value.re.match(text)
    )
    if written is None or text[written.end() :].strip():
        begins = shown(text.split("\n", maxsplit=1)[0])
        raise FlawError(f"field :{field.tag}: {begins} is not written as MT940 has it", field.line)
    return written.groupdict()


def balance(field: Field) -> Balance:
    """Read a field :60F:, :60M:, :62F: or :62M:.

    Raises:
        FlawError: It is not a balance, or its date or amount cannot be right.
    """
    parts = subfields(field, field.text, "FINAL_CLOSING_BALANCE")
    try:
        return Balance(
            signed(amount(parts["amount"] or ""), is_debit=(parts["status"] or "").upper() == "D"),
            currency(parts["currency"] or ""),
            full_date(parts["year"], parts["month"], parts["day"]),
        )
    except ValueError as error:
        raise FlawError(f"field :{field.tag}: {error}", field.line) from error


def amount(text: str) -> Decimal:
    """Return the amount with the decimals as written; some banks leave out the comma of `15,`, which SWIFT wants."""
    return unsigned(text, _AMOUNT, _RULE)


def full_date(year: str | None, month: str | None, day: str | None) -> date:
    """Return the day of a date of six digits. By SWIFT's rule 80 to 99 are years of the 20th century."""
    full = int(year or "")
    full += 2000 if full <= _LAST_YEAR_OF_2000 else 1900
    try:
        return date(full, int(month or ""), int(day or ""))
    except ValueError as error:
        raise ValueError(f"{year}{month}{day} is not a date in the calendar (YYMMDD)") from error


def entry_date(parts: Mapping[str, str | None]) -> date:
    """Return the day on which a line was booked: its entry date, and else its value date.

    An entry date has no year: it is in that which brings it next to the value date. Banks that count months of 30
    days write value dates on 30 February, which do no harm beside an entry date.
    """
    month, day = (parts["entry_month"] or "").strip(), (parts["entry_day"] or "").strip()
    if not (month and day):
        return full_date(parts["year"], parts["month"], parts["day"])
    near = _near(parts)
    days = [found for year in (near.year - 1, near.year, near.year + 1) if (found := _day(year, month, day))]
    if not days:
        raise ValueError(f"entry date {month}{day} is not a date in the calendar (MMDD)")
    return min(days, key=lambda found: abs(found - near))


def _near(parts: Mapping[str, str | None]) -> date:
    if parts["month"] == "02" and parts["day"] in ("29", "30"):
        return full_date(parts["year"], "02", "28")
    return full_date(parts["year"], parts["month"], parts["day"])


def _day(year: int, month: str, day: str) -> date | None:
    try:
        return date(year, int(month), int(day))
    except ValueError:
        return None
