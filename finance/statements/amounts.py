"""Amounts as tables and QIF files write them: separators, signs on either side, brackets, currency signs."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from finance.money import EXPONENT_MAX, LIMIT
from finance.statements.flaw import shown

#: What a sign beside an amount may stand for. A sign that is not here is refused.
_SIGNS = {
    "$": "USD CAD AUD NZD HKD SGD TWD MXN ARS CLP COP UYU DOP JMD TTD BSD BBD BZD XCD FJD LRD NAD BND",
    "US$": "USD",
    "C$": "CAD NIO",
    "CA$": "CAD",
    "A$": "AUD",
    "AU$": "AUD",
    "NZ$": "NZD",
    "HK$": "HKD",
    "S$": "SGD",
    "R$": "BRL",
    "€": "EUR",
    "£": "GBP EGP GIP FKP SHP SYP LBP SDG",
    "¥": "JPY CNY",
    "₹": "INR",
    "₩": "KRW KPW",
    "₽": "RUB",
    "₺": "TRY",
    "₴": "UAH",
    "₪": "ILS",
    "₫": "VND",
    "₱": "PHP",
    "฿": "THB",
    "zł": "PLN",
    "Kč": "CZK",
    "Ft": "HUF",
    "lei": "RON MDL",
    "kr": "SEK NOK DKK ISK",
    "kr.": "DKK",
    "Fr.": "CHF",
    "SFr.": "CHF",
    "R": "ZAR",
}

_MINUS = "\u2212\u2013-"  # the hyphen last: it stands in sets of characters
_BLANK = " \u00a0\u2009\u202f"
_MARK = "|".join(sorted(map(re.escape, _SIGNS), key=len, reverse=True))
_WRITTEN = re.compile(
    rf"(?:(?P<first>{_MARK}|[A-Z]{{3}}) ?(?=\())?(?P<open>\()? ?(?P<sign>[+{_MINUS}])? ?(?P<mark>{_MARK}|[A-Z]{{3}})? ?"
    rf"(?P<inner>[+{_MINUS}])? ?(?P<digits>(?:[0-9]|[.,](?=[0-9]))(?:[0-9.,'\u2019 ]*[0-9.,])?)"
    rf" ?(?P<after>[+{_MINUS}])? ?(?P<mark_after>{_MARK}|[A-Z]{{3}})? ?(?P<word>CR|DR|Cr|Dr)? ?(?P<close>\))?"
)
_BLANKS = re.compile(rf"[{_BLANK}]+")
#: Longer ones are no amounts, and are not even looked at.
_LONGEST = 64
_SEPARATOR = re.compile(r"[.,]")
_ALIKE = {" ": " ", "'": "['\u2019]"}


@dataclass(frozen=True, slots=True)
class AmountFormat:
    """How amounts are written.

    Attributes:
        decimal: `"."` or `","`.
        thousands: `"."`, `","`, `"'"`, `" "` (any blank that breaks no line, too), or `""` for none.
    """

    decimal: str = "."
    thousands: str = ""

    def amount(self, text: str, currency: str | None = None) -> Decimal:
        """Return the amount with the decimals as written: `(1,234.50)` is -1234.50.

        A minus may stand before or behind; brackets mean one, and so does DR. A currency's sign or code may
        stand beside it, and must be that of *currency* where that is known.

        Raises:
            ValueError: With a message that continues the name of the cell.
        """
        written = _parts(text)
        if written is None or bool(written["open"]) != bool(written["close"]):
            raise ValueError(f"{shown(text)} is not an amount")
        _check_mark(text, {written["first"], written["mark"], written["mark_after"]} - {None}, currency)
        value = self._value(text, written["digits"])
        return value.copy_negate() if _is_negative(text, written) else value

    def _value(self, text: str, digits: str) -> Decimal:
        found = _digits(self.decimal, self.thousands).fullmatch(digits)
        if found is None:
            raise ValueError(f"{shown(text)} is not an amount{self._described()}")
        fraction = found["fraction"] or ""
        if len(fraction) > EXPONENT_MAX:
            raise ValueError(f"{shown(text)} has more than {EXPONENT_MAX} decimals")
        whole = "".join(filter(str.isdigit, found["whole"] or "0"))
        value = Decimal(f"{whole}.{fraction}" if fraction else whole)
        if value >= LIMIT:
            raise ValueError(f"{shown(text)} is too large; amounts stay below {LIMIT:.0E}")
        return value

    def _described(self) -> str:
        thousands = f"and {self.thousands!r} between thousands" if self.thousands else "and nothing between thousands"
        return f" with {self.decimal!r} before decimals {thousands}"


def _parts(text: str) -> re.Match[str] | None:
    # With blanks in a row, the pattern could be tried in very many ways.
    return _WRITTEN.fullmatch(_BLANKS.sub(" ", text.strip())) if len(text) <= _LONGEST else None


@functools.cache
def _digits(decimal: str, thousands: str) -> re.Pattern[str]:
    whole = "[0-9]+"
    if thousands:
        mark = _ALIKE.get(thousands, re.escape(thousands))
        # Western groups of three, or Indian ones: 12,34,567.
        whole += rf"|[0-9]{{1,3}}(?:{mark}[0-9]{{3}})+|[0-9]{{1,2}}(?:{mark}[0-9]{{2}})+{mark}[0-9]{{3}}"
    return re.compile(rf"(?P<whole>{whole})?(?:{re.escape(decimal)}(?P<fraction>[0-9]*))?")


def _check_mark(text: str, marks: set[str | None], currency: str | None) -> None:
    if len(marks) > 1:
        raise ValueError(f"{shown(text)} names two currencies")
    for mark in marks:
        if currency and mark and currency not in _SIGNS.get(mark, mark).split():
            raise ValueError(f"{shown(text)} is not in {currency}")


def _is_negative(text: str, written: re.Match[str]) -> bool:
    signs = [sign for sign in (written["sign"], written["inner"], written["after"]) if sign]
    word = (written["word"] or "").upper()
    if len(signs) + bool(written["open"]) + bool(word) > 1:
        raise ValueError(f"{shown(text)} has more than one sign")
    return bool(written["open"]) or word == "DR" or bool(signs and signs[0] in _MINUS)


@dataclass(frozen=True, slots=True)
class Separators:
    """What a column of amounts says about its own separators.

    Attributes:
        decimals: The decimal separators that some amount proves: none, one, or two that contradict each other.
        thousands: What stands between thousands, if the one of `decimals` is right; `""` for nothing.
        ambiguous: An amount, such as `1,234`, that may be read in two ways; None when there is none.
    """

    decimals: frozenset[str]
    thousands: str
    ambiguous: str | None


def separators(texts: Iterable[str]) -> Separators:
    """Tell from *texts*, all amounts of a file, which separator is which."""
    proven: set[str] = set()
    between: set[str] = set()
    ambiguous = None
    for text in texts:
        found = _parts(text)
        digits = found["digits"] if found else ""
        between |= {mark for mark, alike in _ALIKE.items() if re.search(alike, digits)}
        proof = _decimal_of(digits)
        if proof:
            proven.add(proof)
            between |= set(_SEPARATOR.findall(digits)) - {proof}
        elif _SEPARATOR.search(digits):
            ambiguous = ambiguous or text.strip()
    return Separators(frozenset(proven), min(between - proven, default=""), ambiguous)


def _decimal_of(digits: str) -> str | None:
    """Return the decimal separator that *digits* prove, None where they have none or prove nothing."""
    marks = _SEPARATOR.findall(digits)
    if not marks:
        return None
    last = marks[-1]
    if len(set(marks)) > 1:
        return str(last)
    if len(marks) > 1:
        return "," if last == "." else "."
    whole, fraction = _SEPARATOR.split(digits)
    may_be_group = len(fraction) == 3 and 1 <= len(whole) <= 3 and not whole.startswith("0")
    return None if may_be_group else str(last)
