"""Amounts and days as a locale writes them, and read back: exactly, or refused."""

from __future__ import annotations

import random
import sys
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from babel.localedata import locale_identifiers

from finance.errors import AmountError, ConfigurationError, CurrencyError, InvalidError
from finance.formatting import Formatter
from finance.formatting.formatter import Length, Style

EXPONENTS = {"EUR": 2, "JPY": 0, "ISK": 2, "BTC": 8, "AAPL": 3, "ETH": 18, "$": 2}
LARGEST = "999999999999999999999999.999999999999999999"
STYLES: tuple[Style, ...] = ("symbol", "code", "accounting")


def plain(text: str) -> str:
    """Make the spaces and marks visible that look alike."""
    return text.replace("\xa0", "_").replace("\u202f", "~").replace("\u200f", "<").replace("\u200e", ">")


@pytest.mark.parametrize(
    ("locale", "amount", "currency", "style", "expected"),
    [
        ("de", "-1234567.5", "EUR", "symbol", "-1.234.567,50_€"),
        ("en_US", "-1234567.5", "EUR", "symbol", "-€1,234,567.50"),
        ("en-US", "-1234567.5", "EUR", "accounting", "(€1,234,567.50)"),
        ("en", "-0.00", "EUR", "accounting", "€0.00"),
        ("fr", "1234.5", "EUR", "code", "1~234,50_EUR"),
        ("de_CH", "1234567", "EUR", "code", "EUR_1\u2019234\u2019567.00"),
        ("de_AT", "1234.5", "EUR", "symbol", "€_1.234,50"),
        ("hi_IN", "1234567.5", "EUR", "symbol", "€12,34,567.50"),
        ("sv_SE", "-1.5", "EUR", "symbol", "\u22121,50_€"),
        ("he", "-1.5", "EUR", "symbol", "<>-1.50_<€"),
        ("fa", "1.5", "EUR", "symbol", ">€_1.50"),
        ("de", "12345", "JPY", "symbol", "12.345_¥"),
        ("en", "1.5", "AAPL", "symbol", "AAPL_1.500"),
        ("en", "-0.00000001", "BTC", "symbol", "-BTC_0.00000001"),
        ("de", "1.5", "BTC", "symbol", "1,50000000_BTC"),
        ("de", LARGEST, "ETH", "symbol", "999.999.999.999.999.999.999.999,999999999999999999_ETH"),
    ],
)  # fmt: skip
def test_amount_is_written_as_its_locale_does(
    locale: str, amount: str, currency: str, style: Style, expected: str
) -> None:
    """With the sign, groups and place of the symbol of CLDR; letters are kept from the digits by a space."""
    assert plain(Formatter(locale, EXPONENTS).amount(amount, currency, style=style)) == expected


def test_decimals_are_those_of_the_ledger() -> None:
    """CLDR writes the Icelandic króna without any; the ledger has two, and nothing is rounded away."""
    assert plain(Formatter("is", EXPONENTS).amount("1.25", "ISK")) == "1,25_kr."
    assert plain(Formatter("en", {"ISK": 0}).amount(1, "ISK")) == "ISK_1"
    assert plain(Formatter("en").amount("1.25", "EUR")) == "€1.25"


@pytest.mark.parametrize(
    ("amount", "currency", "error", "reason"),
    [
        ("1.005", "EUR", AmountError, "has more than 2 decimals; round it first"),
        (1.5, "EUR", AmountError, "not a float"),
        (Decimal("NaN"), "EUR", AmountError, "is not a finite number"),
        (Decimal("-Infinity"), "EUR", AmountError, "is not a finite number"),
        ("1", "USD", CurrencyError, "currency 'USD': is not a currency of this ledger"),
    ],
)
def test_what_is_not_exact_is_not_written(amount: Any, currency: str, error: type[Exception], reason: str) -> None:
    """No float, no rounding, and no currency that the ledger does not have."""
    with pytest.raises(error, match=reason):
        Formatter("de", EXPONENTS).amount(amount, currency)


def test_a_sum_may_be_larger_than_an_amount() -> None:
    """The bound is that of a posting."""
    assert Formatter("en", EXPONENTS).amount(Decimal(10) ** 26, "JPY") == "¥100,000,000,000,000,000,000,000,000"


@pytest.mark.parametrize("seed", range(3))
def test_every_locale_reads_what_it_writes(seed: int) -> None:
    """In each of CLDR's, each style, with shares and coins."""
    chance = random.Random(seed)
    for locale in chance.sample(sorted(locale_identifiers()), 120):
        formatter = Formatter(locale, EXPONENTS)
        for currency, exponent in EXPONENTS.items():
            amount = Decimal(chance.randint(-(10 ** chance.randint(1, 40)), 10**12)).scaleb(-exponent)
            amount = amount if amount.copy_abs() < Decimal(10) ** 24 else Decimal(-1)
            for style in STYLES:
                written = formatter.amount(amount, currency, style=style)
                assert formatter.parse(written, currency) == amount, (locale, written)


@pytest.mark.parametrize(
    ("locale", "text", "expected"),
    [
        ("de", "1.234,56", "1234.56"),
        ("de", "1234,56", "1234.56"),
        ("de", "  -1.234.567,5 € ", "-1234567.5"),
        ("de", "EUR 5", "5"),
        ("de", "(5,00 €)", "-5"),
        ("de", "5,00-", "-5"),
        ("de", "-€5", "-5"),
        ("de", "€ -5", "-5"),
        ("de", "1.234", "1234"),
        ("en", "1,234", "1234"),
        ("en_IN", "12,34,567.8", "1234567.8"),
        ("fr", "1 234 567,8", "1234567.8"),
        ("fr", "1\u00a0234,5", "1234.5"),
        ("de_CH", "1'234.50", "1234.5"),
        ("de_CH", "1\u2019234.50", "1234.5"),
        ("sv", "-1 234,50", "-1234.5"),
        ("he", "\u200f\u200e-1.50 \u200f€", "-1.5"),
    ],
)
def test_amounts_are_read(locale: str, text: str, expected: str) -> None:
    """With groups or without, and with the spaces and apostrophes that a keyboard has."""
    assert Formatter(locale, EXPONENTS).parse(text, "EUR") == Decimal(expected)


@pytest.mark.parametrize(
    ("locale", "text"),
    [
        ("de", text)
        for text in (
            "", " ", "1,234.56", "12.34", "1.23.456", "1.2345,6", "0.123", "01.234", "1.234.567.", "5,", ",5", "--5",
            "-(5)", "(5", "5)", "(-5)", "€5€", "€ 5 EUR", "$5", "5 USD", "+5", "NaN", "Infinity", "1e5", "1_000", "٣",
            "1 234,5", "1.234'567,0", "0x1", "1,,2", "5 5", "1\n2", "9" * 200,
        )
    ]
    + [("en", text) for text in ("1.234,56", "1,23", "1,234,5", "1 234")]
    + [("fr", "1.234,56"), ("fr", "1 2345"), ("en_IN", "123,45,67")],
)  # fmt: skip
def test_what_could_be_something_else_is_refused(locale: str, text: str) -> None:
    """A wrong group is never taken for decimals; the message shows how the locale writes."""
    with pytest.raises(AmountError, match=f"is not an amount as {locale} writes it \\(such as "):
        Formatter(locale, EXPONENTS).parse(text, "EUR")


def test_amounts_finer_than_the_currency_are_refused() -> None:
    """They are not rounded."""
    with pytest.raises(AmountError, match="has more than the 2 decimals of EUR; round it first"):
        Formatter("de", EXPONENTS).parse("1,005", "EUR")
    with pytest.raises(CurrencyError, match="'USD': is not a currency of this ledger"):
        Formatter("de", EXPONENTS).parse("1", "USD")
    assert Formatter("de", EXPONENTS).parse("1,500", "EUR") == Decimal("1.5")


@pytest.mark.parametrize(
    ("locale", "length", "expected"),
    [
        ("de", "medium", "31.01.2026"),
        ("en_US", "short", "1/31/26"),
        ("en_GB", "long", "31 January 2026"),
        ("ja", "medium", "2026/01/31"),
        ("he", "long", "31 בינואר 2026"),
    ],
)
def test_days_are_written(locale: str, length: Length, expected: str) -> None:
    """In four lengths; the months of a year too."""
    assert Formatter(locale).day(date(2026, 1, 31), length=length) == expected
    assert "2026" in Formatter(locale).month(date(2026, 1, 31))


def test_only_plain_days_are_written() -> None:
    """An instant is of different days in different places."""
    day: Any
    for day in (datetime(2026, 1, 31), "2026-01-31"):  # noqa: DTZ001 - what is refused
        with pytest.raises(InvalidError, match="is not a plain day"):
            Formatter("de").day(day)


@pytest.mark.parametrize("locale", ["xx", "", "de_", "../../etc/passwd", "de;DE", "x" * 1000])
def test_unknown_locale_is_refused(locale: str) -> None:
    """It shows how one is written."""
    with pytest.raises(InvalidError, match="is not one that CLDR knows; write it like de, de_CH or pt_BR"):
        Formatter(locale)


def test_missing_library_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """In words that say what to install."""
    monkeypatch.setitem(sys.modules, "babel", None)

    with pytest.raises(ConfigurationError, match="a locale needs the extra `fmt`: pip install"):
        Formatter("de")
