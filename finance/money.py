"""Exact amounts and the currencies that they are counted in.

An amount is a `Decimal` in major units (12.50 is twelve euros and fifty cents). It may be handed in
as `Decimal`, `int` or `str`; a `float` is refused, because 0.1 + 0.2 is not 0.3 in binary.
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow
from pathlib import Path

from finance.errors import AmountError, CurrencyError

Amount = Decimal | int | str

#: Amounts are smaller than this; the database checks the same bound. asyncpg would store
#: Decimal("1E+131072") as zero, without an error.
LIMIT = Decimal(10) ** 24

#: The finest currency has this many decimals (one wei is 1e-18 ether).
EXPONENT_MAX = 18

#: Decimals of a currency for which ISO 4217 states none (gold, test codes).
_EXPONENT_WITHOUT_MINOR_UNIT = 6
#: Decimals of a withdrawn currency; the published table no longer states them.
_EXPONENT_OF_WITHDRAWN = 2

# 24 digits before the point and 18 behind it; the default context would round sums at 28 digits.
_EXACT = Context(prec=64, traps=[Inexact, InvalidOperation, Overflow])
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class IsoCurrency:
    """A currency as ISO 4217 publishes it.

    `exponent` is the number of decimals of its minor unit; `withdrawn` the year and month in which
    it ceased to be one (`"2023-01"`), None for an active currency.
    """

    code: str
    exponent: int
    name: str
    withdrawn: str | None = None


def exact(value: Amount) -> Decimal:
    """Return *value* as a finite Decimal, unrounded.

    Raises:
        AmountError: *value* is a float, a bool, not a number, not finite, or `LIMIT` or larger.
    """
    if isinstance(value, bool) or not isinstance(value, (Decimal, int, str)):
        raise AmountError(value, f"give a Decimal, an int or a string, not a {type(value).__name__}")
    try:
        amount = Decimal(value)
    except InvalidOperation:
        raise AmountError(value, "is not a decimal number (write it like -1234.56)") from None
    if not amount.is_finite():
        raise AmountError(value, "is not a finite number")
    if amount.copy_abs() >= LIMIT:  # abs() would round to 28 digits
        raise AmountError(value, f"is too large; amounts stay below {LIMIT:.0E}")
    return amount


def exact_in(value: Amount, currency: str, exponent: int) -> Decimal:
    """Return *value* as a Decimal that *currency* can express with its *exponent* decimals.

    Raises:
        AmountError: As `exact()`, and when there are more significant decimals than *exponent*.
    """
    amount = exact(value)
    if decimals(amount) > exponent:
        raise AmountError(value, f"has more than the {exponent} decimals of {currency}; round it first")
    return amount


def decimals(amount: Decimal) -> int:
    """Count the decimals that *amount* needs: 2 for 1.50E+0 written as 1.50, but 1 for its value."""
    exponent = amount.normalize(_EXACT).as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def total(amounts: Iterable[Decimal]) -> Decimal:
    """Add *amounts* without rounding, however many digits that takes."""
    return functools.reduce(_EXACT.add, amounts, _ZERO)


def iso_currency(code: str) -> IsoCurrency:
    """Look *code* up in ISO 4217, active or withdrawn; case does not matter.

    Raises:
        CurrencyError: ISO 4217 does not know *code*.
    """
    try:
        return iso_currencies()[code.upper()]
    except KeyError:
        raise CurrencyError(
            code, "is not in ISO 4217; add a currency of your own with uow.currencies.open(code, exponent=...)"
        ) from None


@functools.cache
def iso_currencies() -> Mapping[str, IsoCurrency]:
    """Return every ISO 4217 currency by code, read from the table that the package ships."""
    text = Path(__file__).with_name("iso4217.csv").read_text("utf-8")
    return {row["code"]: _iso_currency(row) for row in csv.DictReader(text.splitlines())}


def _iso_currency(row: Mapping[str, str]) -> IsoCurrency:
    withdrawn = row["withdrawn"] or None
    stated = row["exponent"]
    default = _EXPONENT_OF_WITHDRAWN if withdrawn else _EXPONENT_WITHOUT_MINOR_UNIT
    return IsoCurrency(row["code"], int(stated) if stated else default, row["name"], withdrawn)
