"""Values that the driver would change in silence, and the types of the server for which it would.

Where the type of a parameter is known, which is wherever a statement is prepared, such a value is refused. Not
refused are what cannot be known, and what is a matter of the type: a value inside a composite or a range, a
Decimal or a large int for `double precision` (which rounds), the first and the last `date` and `datetime`, which
the driver stores as infinities, and for an integer a UUID below 2**63, which no version of UUID makes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from finance.errors import ParameterError

_INTEGERS = frozenset({"int2", "int4", "int8", "oid"})

#: What NUMERIC holds: digits before and after the point (the manual's table 8.2).
_LARGEST_EXPONENT = 131071
_FINEST_EXPONENT = -16383

#: The exponent of the longest number of 64 bits.
_LONGEST_INTEGER = 18

#: The types that values may have which the driver changes for no type of the server.
_HARMLESS = frozenset({bool, bytes, int, str, type(None), UUID})


def may_change(values: Iterable[Any]) -> bool:
    """Tell whether a value is of a type that the driver changes for some type of the server."""
    return not _HARMLESS.issuperset(map(type, values))


def check_parameters(values: Sequence[Any], types: Sequence[str]) -> None:
    """Check *values* against the server's names of their types; "int8[]" is an array.

    Raises:
        ParameterError: The driver would store another value than the one that was given.
    """
    for position, (value, kind) in enumerate(zip(values, types, strict=False), 1):
        if flaw := _flaw(value, kind.removesuffix("[]")):
            raise ParameterError(position, flaw)


def check_row(values: Sequence[Any], types: Sequence[str]) -> None:
    """Do the same for one of many rows, of which most hold nothing that could change.

    Raises:
        ParameterError: As `check_parameters()`.
    """
    if may_change(values):
        check_parameters(values, types)


def _flaw(value: Any, kind: str) -> str | None:
    if isinstance(value, list | tuple):
        suspects = value if may_change(value) else ()
        return next((flaw for item in suspects if (flaw := _flaw(item, kind))), None)
    if kind in _INTEGERS:
        return _flaw_for_integer(value)
    if kind == "numeric":
        return _flaw_for_numeric(value)
    if kind == "timestamptz":
        return _flaw_for_instant(value)
    if kind == "date" and isinstance(value, datetime) and value.timetz() != time(0):
        return "a date would lose the time of day: give value.date()"
    return None


def _flaw_for_integer(value: Any) -> str | None:
    if isinstance(value, Decimal):
        if not value.is_finite():
            return None  # which the driver refuses
        if value.adjusted() > _LONGEST_INTEGER:  # making it an int could take seconds
            return "an integer has at most 64 bits"
        has_fraction = value != value.to_integral_value()
    else:
        has_fraction = isinstance(value, float) and math.isfinite(value) and not value.is_integer()
    return "an integer would lose the fraction: round it, or cast the parameter to numeric" if has_fraction else None


def _flaw_for_numeric(value: Any) -> str | None:
    if not isinstance(value, Decimal) or not value.is_finite() or not value:
        return None
    if value.adjusted() > _LARGEST_EXPONENT:
        return "numeric has at most 131,072 digits before the point"
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and exponent < _FINEST_EXPONENT:
        return "numeric has at most 16,383 digits after the point: round it"
    return None


def _flaw_for_instant(value: Any) -> str | None:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            return "an instant needs a time zone, or this machine's would be taken: give an aware datetime"
    elif isinstance(value, date):
        return "an instant needs a time and a time zone, or this machine's midnight would be taken"
    return None
