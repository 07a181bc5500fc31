"""Amounts and days as a locale writes them: the patterns and signs of CLDR, the decimals of the ledger."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from finance.errors import AmountError, CurrencyError, InvalidError
from finance.extras import library
from finance.formatting.parsing import parsed
from finance.formatting.symbols import Symbols
from finance.money import Amount, decimals, exact, iso_currency

Style = Literal["symbol", "code", "accounting"]
Length = Literal["short", "medium", "long", "full"]

# Stands for the currency in the patterns of CLDR.
_SIGN = "¤"


class Formatter:
    """Writes and reads amounts and days in one locale.

    How many decimals an amount has is said by the ledger, not by CLDR, which knows no shares and writes some currencies
    without decimals that they have. Nothing is ever rounded, and no float is taken. Digits are always 0 to 9.

    Args:
        locale: As in "de", "de_CH" or "pt-BR".
        exponents: The decimals of each currency of the ledger; None for those of ISO 4217.

    Raises:
        InvalidError: CLDR does not know the locale.
        ConfigurationError: The extra `fmt` is not installed.
    """

    def __init__(self, locale: str, exponents: Mapping[str, int] | None = None) -> None:
        self._locale = _locale(locale)
        self._exponents = exponents
        self._symbols = Symbols.of(self._locale)

    def amount(self, value: Amount, currency: str, *, style: Style = "symbol") -> str:
        """Write *value* with all the decimals of *currency*.

        Args:
            value: A Decimal, int or string.
            currency: Its code in the ledger.
            style: With the symbol, such as €; with the code; or as accountants do, with the symbol, and in many locales
                with parentheses instead of a minus sign. A currency without a symbol in CLDR has its code.

        Raises:
            AmountError: It is not exact, not finite, or has more decimals than the currency.
            CurrencyError: The ledger has no such currency.
        """
        kind = "accounting" if style == "accounting" else "standard"
        pattern = self._locale.currency_formats[kind]
        name = currency if style == "code" else self._symbol(currency)
        number, is_negative = self._digits(value, self.exponent(currency), is_money=True)
        prefix, suffix = (self._affix(affix[is_negative]) for affix in (pattern.prefix, pattern.suffix))
        return _named(prefix, name, at_end=True) + number + _named(suffix, name, at_end=False)

    def number(self, value: Amount, places: int) -> str:
        """Write *value* with *places* decimals and no currency.

        Raises:
            AmountError: As `amount()`.
        """
        pattern = self._locale.decimal_formats[None]
        number, is_negative = self._digits(value, places, is_money=False)
        return self._affix(pattern.prefix[is_negative]) + number + self._affix(pattern.suffix[is_negative])

    def parse(self, text: str, currency: str) -> Decimal:
        """Read what somebody wrote in this locale: digits, perhaps in groups, a sign, the currency's symbol or code.

        Strictly: "1.234,56" is an amount in German and "1,234.56" is not, nor are "12.34" and "1.23.456", whose groups
        are not of three. Minus signs and parentheses are negative.

        Raises:
            AmountError: It is not an amount as this locale writes it, or has more decimals than the currency.
            CurrencyError: The ledger has no such currency.
        """
        exponent = self.exponent(currency)
        groupings = (self._locale.decimal_formats[None].grouping, self._locale.currency_formats["standard"].grouping)
        found = parsed(text, self._symbols, groupings, {currency, self._symbol(currency)})
        if found is None:
            example = self.number(Decimal("-12345.67"), 2)
            raise AmountError(text[:40], f"is not an amount as {self._locale} writes it (such as {example})")
        if decimals(found) > exponent:
            raise AmountError(text[:40], f"has more than the {exponent} decimals of {currency}; round it first")
        return found

    def day(self, day: date, *, length: Length = "medium") -> str:
        """Write a day of the Gregorian calendar.

        Raises:
            InvalidError: It is not a plain day.
        """
        written: str = self._dates().format_date(_plain(day), format=length, locale=self._locale)
        return written

    def month(self, day: date) -> str:
        """Write the month of a day, with its year.

        Raises:
            InvalidError: It is not a plain day.
        """
        written: str = self._dates().format_skeleton("yMMM", _plain(day), locale=self._locale)
        return written

    def exponent(self, currency: str) -> int:
        """Return how many decimals amounts of *currency* have.

        Raises:
            CurrencyError: The ledger has no such currency; without a ledger, ISO 4217.
        """
        if self._exponents is None:
            return iso_currency(currency).exponent
        try:
            return self._exponents[currency]
        except KeyError:
            raise CurrencyError(currency, "is not a currency of this ledger") from None

    def _symbol(self, currency: str) -> str:
        symbol: str = library("babel.numbers", "fmt", "a locale").get_currency_symbol(currency, self._locale)
        return symbol

    def _affix(self, affix: str) -> str:
        """Return what stands beside the digits; its hyphen stands for the locale's minus sign."""
        return affix.replace("-", self._symbols.minus)

    def _digits(self, value: Amount, places: int, *, is_money: bool) -> tuple[str, bool]:
        """Return the digits of *value*, in groups, and whether it is below zero."""
        amount = _exact(value)
        if decimals(amount) > places:
            raise AmountError(value, f"has more than {places} decimals; round it first")
        # copy_abs and format() are exact; abs() and quantize() round to the 28 digits of the context.
        whole, _, part = f"{amount.copy_abs():.{places}f}".partition(".")
        point, between = self._symbols.of_money if is_money else self._symbols.of_numbers
        pattern = self._locale.currency_formats["standard"] if is_money else self._locale.decimal_formats[None]
        return _grouped(whole, pattern.grouping, between) + (point + part if part else ""), amount < 0

    @staticmethod
    def _dates() -> Any:
        return library("babel.dates", "fmt", "a locale")


def _locale(name: str) -> Any:
    babel = library("babel", "fmt", "a locale")
    try:
        return babel.Locale.parse(name, sep="-" if "-" in name else "_")
    except (babel.UnknownLocaleError, ValueError, TypeError):
        known = "is not one that CLDR knows; write it like de, de_CH or pt_BR"
        raise InvalidError(f"locale {name[:40]!r} {known}") from None


def _exact(value: Amount) -> Decimal:
    """Return *value* as a Decimal; a sum may be larger than any one amount."""
    if isinstance(value, Decimal) and value.is_finite():
        return value
    return exact(value)


def _plain(day: date) -> date:
    if isinstance(day, datetime) or not isinstance(day, date):
        raise InvalidError(f"{day!r} is not a plain day: give a datetime.date")
    return day


def _grouped(digits: str, grouping: tuple[int, int], between: str) -> str:
    """Put *between* in front of the last group of digits and of each before it, as in 12,34,567 where these differ."""
    last, others = grouping
    groups, rest = [digits[-last:]], digits[:-last]
    while rest:
        groups.append(rest[-others:])
        rest = rest[:-others]
    return between.join(reversed(groups))


def _named(affix: str, name: str, *, at_end: bool) -> str:
    """Put the *name* of the currency into *affix*, and a space between letters and the digits, as CLDR has it.

    Args:
        affix: What stands before or behind the digits.
        name: A symbol or a code.
        at_end: Whether the digits follow.
    """
    touches = affix.endswith(_SIGN) if at_end else affix.startswith(_SIGN)
    neighbour = name[-1] if at_end else name[0]
    if touches and unicodedata.category(neighbour)[0] not in "SZ":
        name = f"{name}\N{NO-BREAK SPACE}" if at_end else f"\N{NO-BREAK SPACE}{name}"
    return affix.replace(_SIGN, name)
