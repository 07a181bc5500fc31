"""Amounts as somebody wrote them in a locale, read strictly."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection
from decimal import Decimal

from finance.formatting.symbols import Symbols

# Marks that say in which direction text runs, and nothing else.
_DIRECTIONS = dict.fromkeys(map(ord, "\u200e\u200f\u061c\u202a\u202b\u202c\u2066\u2067\u2068\u2069"))
#: What a keyboard has in the place of the sign of a locale, and the other way round.
_ALIKE = ("'\u2019", " \u00a0\u202f\u2009", "-\u2212")
#: No amount that the books can hold is longer.
_LENGTH_MAX = 100
#: What makes an amount negative: parentheses, or a sign outside of the currency, inside of it, or behind the digits.
_SIGNS = ("open", "outer", "inner", "last")


def parsed(
    text: str, symbols: Symbols, groupings: Collection[tuple[int, int]], names: Collection[str]
) -> Decimal | None:
    """Return the amount that *text* is; None if it is none, or could be two.

    Args:
        text: As it was typed. Any space or apostrophe between groups is that of the locale, if it has one there.
        symbols: Of the locale.
        groupings: How many digits the last group has, and the others.
        names: What the currency may be called, before or behind the number.
    """
    plain = text.translate(_DIRECTIONS).strip()
    if len(plain) > _LENGTH_MAX:
        return None
    ways = itertools.product((symbols.of_numbers, symbols.of_money), groupings)
    found = (re.fullmatch(_pattern(*signs, grouping, names), plain) for signs, grouping in ways)
    amounts = {_amount(each) for each in found if each is not None and _is_whole(each)}
    return amounts.pop() if len(amounts) == 1 else None


def _is_whole(found: re.Match[str]) -> bool:
    """Say whether parentheses are closed, and neither the sign nor the currency is told twice."""
    signs = [name for name in _SIGNS if found[name]]
    return (
        (found["open"] is None) == (found["close"] is None)
        and len(signs) <= 1
        and not (found["before"] and found["behind"])
    )


def _amount(found: re.Match[str]) -> Decimal:
    whole = "".join(character for character in found["whole"] if character.isdecimal())
    part = f".{found['part']}" if found["part"] else ""
    return Decimal(f"{'-' if any(found[name] for name in _SIGNS) else ''}{whole}{part}")


def _pattern(point: str, between: str, grouping: tuple[int, int], names: Collection[str]) -> str:
    last, others = grouping
    sign, space = _any_of("-"), rf"[{_ALIKE[1]}]?"
    name = "|".join(re.escape(each.translate(_DIRECTIONS)) for each in sorted(names, key=len, reverse=True))
    # One kind of sign between all groups, and no group that begins with zero: "0.123" is no thousand.
    grouped = rf"[1-9][0-9]{{0,{others - 1}}}(?P<between>{_any_of(between)})"
    grouped += rf"(?:[0-9]{{{others}}}(?P=between))*[0-9]{{{last}}}"
    number = rf"(?P<whole>[0-9]+|{grouped})(?:{re.escape(point)}(?P<part>[0-9]+))?"
    return (
        rf"(?P<open>\()?(?P<outer>{sign})?{space}(?P<before>{name})?{space}(?P<inner>{sign})?{space}"
        rf"{number}(?P<last>{sign})?{space}(?P<behind>{name})?(?P<close>\))?"
    )


def _any_of(sign: str) -> str:
    """Return a pattern for *sign* and what is like it."""
    return "[" + re.escape(next((alike for alike in _ALIKE if sign in alike), sign)) + "]"
