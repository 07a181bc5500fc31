"""Exact amounts, and the currencies of ISO 4217."""

from __future__ import annotations

import csv
import os
from decimal import Decimal
from pathlib import Path

import pytest

from finance.errors import AmountError, CurrencyError
from finance.money import decimals, exact, exact_in, iso_currencies, iso_currency, total

REALDATA = Path(os.environ.get("FINANCE_REALDATA", Path(__file__).parents[2] / "shared" / "realdata"))
CODES = REALDATA / "reference" / "datasets__currency-codes" / "codes-all.csv"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("42.10", "42.10"),
        (7, "7"),
        (Decimal("-0.001"), "-0.001"),
        ("1E+2", "1E+2"),
        ("999999999999999999999999.9", None),
        ("999999999999999999999999.999999999999999999", None),
    ],
)
def test_exact_amount_keeps_what_was_written(value: str | int | Decimal, expected: str | None) -> None:
    """Nothing is rounded, and no decimals are added or lost."""
    assert str(exact(value)) == (expected or str(value))


@pytest.mark.parametrize(
    ("amount", "needed"), [("1", 0), ("1.50", 1), ("1.05", 2), ("1E+3", 0), ("0.00", 0), ("1E-18", 18)]
)
def test_decimals_count_what_the_value_needs(amount: str, needed: int) -> None:
    """Zeros at the end are no decimals."""
    assert decimals(Decimal(amount)) == needed


def test_amount_finer_than_its_currency_is_refused() -> None:
    """A yen has no decimals, a euro has two."""
    assert exact_in("1.50", "EUR", 2) == Decimal("1.5")

    with pytest.raises(AmountError, match=r"1\.005.*2 decimals of EUR"):
        exact_in("1.005", "EUR", 2)
    with pytest.raises(AmountError, match="JPY"):
        exact_in("0.5", "JPY", 0)


def test_total_does_not_round() -> None:
    """Python's own sum would round at 28 digits."""
    amounts = [Decimal("999999999999999999999999.99"), Decimal("0.000000000000000001")]

    assert str(total(amounts)) == "999999999999999999999999.990000000000000001"


@pytest.mark.parametrize(
    ("code", "exponent"),
    [
        ("EUR", 2),
        ("eur", 2),
        ("JPY", 0),
        ("BHD", 3),
        ("CLF", 4),
        ("XCG", 2),
        ("ZWG", 2),
        ("XAU", 6),
        ("HRK", 2),
        ("DEM", 2),
    ],
)
def test_iso_currency_knows_its_decimals(code: str, exponent: int) -> None:
    """Active and withdrawn currencies, and those without a minor unit."""
    assert iso_currency(code).exponent == exponent


def test_withdrawn_currency_says_since_when() -> None:
    """The kuna ended in January 2023."""
    assert iso_currency("HRK").withdrawn == "2023-01"
    assert iso_currency("EUR").withdrawn is None


def test_unknown_currency_is_refused() -> None:
    """A code that ISO 4217 does not know names the way to add one."""
    with pytest.raises(CurrencyError, match=r"'BTC'.*currencies\.open"):
        iso_currency("BTC")


@pytest.mark.skipif(not CODES.is_file(), reason="the folder of real data is not here")
def test_every_published_code_is_known() -> None:
    """The package ships every code of the published table, active or withdrawn."""
    with CODES.open(encoding="utf-8", newline="") as file:
        published = {row["AlphabeticCode"] for row in csv.DictReader(file) if row["AlphabeticCode"]}

    assert published == set(iso_currencies())
