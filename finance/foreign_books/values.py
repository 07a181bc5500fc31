"""Values as other programs write them, and what is wrong with one that cannot be."""

from __future__ import annotations

import re
from datetime import date
from decimal import Context, Decimal, DivisionByZero, Inexact, InvalidOperation

from finance.errors import BooksFileError

# The digits of decimal128, as for rates: a price may be any fraction.
_ROUNDED = Context(prec=34)
_EXACT = Context(prec=60, traps=[Inexact, InvalidOperation, DivisionByZero])
_WIDE = Context(prec=140)
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?(E[+-]?[0-9]{1,3})?")
#: Digits that a number may have, and zeros that its exponent may add.
_LONGEST = 60


def number(text: str, file: str, line: int | None = None) -> Decimal:
    """Return the number that *text* says, exact.

    Raises:
        BooksFileError: It is no number of a sensible length.
    """
    if not _NUMBER.fullmatch(text):
        raise BooksFileError(file, f"{text[:40]!r} is not a decimal number", line=line)
    found = Decimal(text)
    _, digits, exponent = found.as_tuple()
    if len(digits) > _LONGEST or abs(int(exponent)) > _LONGEST:
        raise BooksFileError(file, f"{text[:40]!r} has more digits than any amount", line=line)
    return found


def day(text: str, file: str, line: int | None = None) -> date:
    """Return the day that *text* says as 2020-12-31.

    Raises:
        BooksFileError: There is no such day.
    """
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise BooksFileError(file, f"{text[:40]!r} is not a day of the calendar", line=line) from error


def fraction(numerator: int, denominator: int) -> Decimal | None:
    """Return an exact quotient, or None where it has no end, or is of anything but whole numbers.

    A denominator below zero is none: in some files of GnuCash it stands for a factor.
    """
    if not isinstance(numerator, int) or not isinstance(denominator, int) or denominator <= 0:
        return None
    try:
        return _EXACT.divide(Decimal(numerator), Decimal(denominator))
    except ArithmeticError:
        return None


def rate(numerator: int, denominator: int) -> Decimal:
    """Return a quotient, rounded to 34 digits: of a price, which is no amount."""
    return _ROUNDED.divide(Decimal(numerator), Decimal(denominator))


def product(amount: Decimal, factor: Decimal) -> Decimal:
    """Return an exact product; the default context would round it to 28 digits."""
    return _WIDE.multiply(amount, factor)
