"""The signs with which a locale writes numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Symbols:
    """The minus sign, and twice what stands before decimals and between groups: of numbers, and of money."""

    minus: str
    of_numbers: tuple[str, str]
    of_money: tuple[str, str]

    @classmethod
    def of(cls, locale: Any) -> Symbols:
        """Read the signs that go with the digits 0 to 9; Austria and others write money with signs of its own."""
        signs = locale.number_symbols["latn"]
        point, between = signs["decimal"], signs["group"]
        money = signs.get("currencyDecimal", point), signs.get("currencyGroup", between)
        return cls(signs["minusSign"], (point, between), money)
