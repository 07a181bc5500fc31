"""What the texts of an OFX file mean: amounts and dates (specification 1.6 and 2.2, section 3.2.8).

Each function raises ValueError with a message that continues the element's name: `TRNAMT '$120' is not ...`.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal

from finance.money import EXPONENT_MAX, LIMIT
from finance.statements.flaw import shown

_AMOUNT = re.compile(r"[+-]?(?:[0-9]+(?:[.,]([0-9]*))?|[.,]([0-9]+))")
_DATE = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})(?:[0-9]{2}|[0-9]{4}|[0-9]{6})?(?![0-9])")
#: Banks that tell a change of the interest rate as a line without money; ofxparse reads it as zero, too.
_NULL = ("null", "-null")


def amount(text: str) -> Decimal:
    """Return the amount with the decimals as written: -5.50 stays -5.50.

    The decimal separator is a point or a comma, and there is no other separator: with both in one number, nobody
    can know which is which. Exponents, NaN and infinities are not amounts.
    """
    text = text.strip()
    if text in _NULL:
        return Decimal(0)
    written = _AMOUNT.fullmatch(text)
    if written is None:
        raise ValueError(f"{shown(text)} is not a decimal number{_about_separators(text)}")
    if len(written[1] or written[2] or "") > EXPONENT_MAX:
        raise ValueError(f"{shown(text)} has more than {EXPONENT_MAX} decimals")
    value = Decimal(text.replace(",", "."))
    if abs(value) >= LIMIT:
        raise ValueError(f"{shown(text)} is too large; amounts stay below {LIMIT:.0E}")
    return value


def _about_separators(text: str) -> str:
    several = re.fullmatch(r"[+-]?[0-9.,' \u00a0\u202f]+", text)
    return "; OFX allows one decimal point or comma and no thousands separators" if several else ""


def calendar_date(text: str) -> date:
    """Return the date that is written, `YYYYMMDD` and then perhaps a time, without moving it into any time zone.

    20230301003000[-8:PST] is 1 March, as the bank's own statement says, whatever the date is elsewhere.
    """
    text = text.strip()
    written = _DATE.match(text)
    if written is None:
        raise ValueError(f"{shown(text)} is not a date (YYYYMMDD)")
    try:
        return date(int(written[1]), int(written[2]), int(written[3]))
    except ValueError as error:
        raise ValueError(f"{shown(text)} is not a date in the calendar") from error
