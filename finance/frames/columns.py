"""Columns of Arrow tables: exact decimals, plain days, instants in UTC, and text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import TYPE_CHECKING, Any, Literal

from finance.errors import AmountError, InvalidError
from finance.extras import library
from finance.money import EXPONENT_MAX

if TYPE_CHECKING:
    import pyarrow

Kind = Literal["amount", "date", "instant", "number", "text"]
#: The name of a column and what it holds.
Column = tuple[str, Kind]

# Digits that Arrow's two types of decimals hold.
_NARROW, _WIDE = 38, 76
_LONG = Context(prec=1000)
_EXACT = Context(prec=_WIDE + EXPONENT_MAX, traps=[Inexact, InvalidOperation])


def arrow() -> Any:
    """Import pyarrow.

    Raises:
        ConfigurationError: The extra `dataframe` is not installed.
    """
    return library("pyarrow", "dataframe", "a data frame")


def table(columns: Sequence[Column], rows: Sequence[Sequence[Any]], scale: int | None) -> pyarrow.Table:
    """Make a table of *rows*, in their order; all its amounts have the same type.

    Raises:
        AmountError: As `amount_type()`.
        ConfigurationError: The extra `dataframe` is not installed.
    """
    places = [place for place, (_, kind) in enumerate(columns) if kind == "amount"]
    amounts = [row[place] for row in rows for place in places]
    described = schema(columns, amount_type(amounts, scale))
    arrays = [
        array([row[place] for row in rows], kind, described.field(place).type)
        for place, (_, kind) in enumerate(columns)
    ]
    return arrow().Table.from_arrays(arrays, schema=described)


def schema(columns: Sequence[Column], amounts: Any) -> pyarrow.Schema:
    """Describe *columns*, whose amounts are of the Arrow type *amounts*."""
    pa = arrow()
    types = {
        "amount": amounts,
        "date": pa.date32(),
        "instant": pa.timestamp("us", tz="UTC"),
        "number": pa.int64(),
        "text": pa.string(),
    }
    return pa.schema([(name, types[kind]) for name, kind in columns])


def array(values: Iterable[Any], kind: Kind, type_: Any) -> Any:
    """Make a column of *values*, of which None stands for what is not there."""
    if kind == "amount":
        values = [None if value is None else _at_scale(value, type_.scale) for value in values]
    return arrow().array(list(values), type_)


def amount_type(amounts: Iterable[Decimal | None], scale: int | None = None) -> Any:
    """Return the narrowest type that holds *amounts*: decimal128 of 38 digits, or decimal256 of 76.

    Args:
        amounts: What is to be held, exactly.
        scale: How many decimals; as many as the finest amount has unless given.

    Raises:
        AmountError: An amount has more decimals than *scale*, or takes more than 76 digits.
        InvalidError: *scale* is not between 0 and 38.
    """
    known = [amount for amount in amounts if amount is not None]
    finest = max(known, key=_decimals, default=Decimal(0))
    if scale is None:
        scale = _decimals(finest)
    elif not 0 <= scale <= _NARROW:
        raise InvalidError(f"scale {scale!r}: give how many decimals there are, 0 to {_NARROW}")
    if _decimals(finest) > scale:
        raise AmountError(finest, f"has more than {scale} decimals; nothing is rounded")
    largest = max(known, key=lambda amount: amount.copy_abs(), default=Decimal(0))
    return type_of(digits_before_point(largest), scale, largest)


def type_of(digits: int, scale: int, largest: Decimal) -> Any:
    """Return the narrowest type of so many *digits* before the point and *scale* behind it.

    Raises:
        AmountError: They are more than 76; names the *largest* amount.
    """
    if digits + scale > _WIDE:
        raise AmountError(largest, f"takes {digits + scale} digits beside {scale} decimals; Arrow has {_WIDE} at most")
    pa = arrow()
    return pa.decimal128(_NARROW, scale) if digits + scale <= _NARROW else pa.decimal256(_WIDE, scale)


def digits_before_point(amount: Decimal) -> int:
    """Count the digits of the whole part of *amount*."""
    return max(amount.adjusted() + 1, 0) if amount else 0


def _decimals(amount: Decimal) -> int:
    """Count the decimals that *amount* needs, also where it is longer than any of the books."""
    if not amount.is_finite():
        raise AmountError(amount, "is not a finite number")
    exponent = amount.normalize(_LONG).as_tuple().exponent
    return max(0, -int(exponent))


def _at_scale(amount: Decimal, scale: int) -> Decimal:
    """Write *amount* with *scale* decimals, of which it needs no more."""
    return amount.quantize(Decimal(1).scaleb(-scale), context=_EXACT)
