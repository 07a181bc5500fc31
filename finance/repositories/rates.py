"""Rates on a day: direct, inverse, and across other currencies."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, InvalidOperation, Overflow
from typing import NamedTuple

from finance.errors import PriceNotFoundError
from finance.money import exact

# decimal128 of IEEE 754: an inverse has no end in general, and 34 digits are more than any price has.
_ROUNDED = Context(prec=34, rounding=ROUND_HALF_EVEN, traps=[DivisionByZero, InvalidOperation, Overflow])
# Products are taken exactly before they are rounded to a currency's decimals: 24 + 18 digits times 34.
_WIDE = Context(prec=80, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, Overflow])


class KnownPrice(NamedTuple):
    """The newest price of a pair up to a day."""

    currency: str
    quote: str
    rate: Decimal
    date: date


@dataclass(frozen=True, slots=True)
class Rate:
    """What one unit of `currency` is worth in `quote`.

    Attributes:
        value: Exact for a price as it was recorded, else rounded to 34 digits, half to even.
        date: Of the oldest price that it is made of; of the day asked for where currency and quote are the same.
        through: The currencies from `currency` to `quote`, both included: two of them for a direct or an inverse
            price, more for a cross rate.
    """

    currency: str
    quote: str
    value: Decimal
    date: date
    through: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rates:
    """The rates of a ledger on a day.

    Of a pair that is priced both ways the newer price counts, and as it was recorded where both are of one day. Where
    a pair has no price, the way over the fewest other currencies is taken; of several such ways the one whose oldest
    price is the newest, then the first by the codes.

    Attributes:
        on: The day: no later price is looked at.
        max_age: Older prices are not used; None uses any.
    """

    on: date
    max_age: timedelta | None
    #: What each currency is priced in, and the price: both ways.
    _priced: Mapping[str, Mapping[str, KnownPrice]] = field(repr=False)
    #: The decimals of each currency.
    _exponents: Mapping[str, int] = field(repr=False)

    @classmethod
    def of(
        cls, prices: Iterable[KnownPrice], exponents: Mapping[str, int], on: date, max_age: timedelta | None
    ) -> Rates:
        """Make the rates of *on* from the newest price of each pair up to then."""
        priced: dict[str, dict[str, KnownPrice]] = {}
        for price in prices:
            for one, other in ((price.currency, price.quote), (price.quote, price.currency)):
                known = priced.setdefault(one, {}).get(other)
                # As it was recorded rather than the other way round, where both are of one day.
                if known is None or (known.date, known.currency == one) < (price.date, price.currency == one):
                    priced[one][other] = price
        return cls(on, max_age, priced, exponents)

    def rate(self, currency: str, quote: str) -> Rate:
        """Return what one unit of *currency* is worth in *quote*.

        Raises:
            PriceNotFoundError: No prices that are new enough lead from one to the other.
        """
        if currency == quote:
            return Rate(currency, quote, Decimal(1), self.on, (currency,))
        direct = self._priced.get(currency, {}).get(quote)
        if direct is not None and self._is_usable(direct):  # as nearly all are
            value = direct.rate if direct.currency == currency else _ROUNDED.divide(1, direct.rate)
            return Rate(currency, quote, value, direct.date, (currency, quote))
        # Few steps first, then the freshest: what is put in order is (steps, age in days, the way).
        ways: list[tuple[int, int, tuple[str, ...]]] = [(0, 0, (currency,))]
        done: set[str] = set()
        while ways:
            steps, age, through = heapq.heappop(ways)
            last = through[-1]
            if last == quote:
                return self._along(through)
            if last in done:
                continue
            done.add(last)
            for code, price in self._usable(last):
                heapq.heappush(ways, (steps + 1, max(age, (self.on - price.date).days), (*through, code)))
        raise PriceNotFoundError(currency, quote, self.on, self.max_age)

    def value(self, amount: Decimal | int | str, currency: str, quote: str) -> Decimal:
        """Return what *amount* of *currency* is worth in *quote*, rounded to its decimals, half to even.

        Raises:
            AmountError: The amount is a float, or not a finite number.
            PriceNotFoundError: As `rate()`.
        """
        return self.worth(exact(amount), self.rate(currency, quote))

    def worth(self, amount: Decimal, rate: Rate) -> Decimal:
        """Return what *amount* is worth at *rate*, one of these, as `value()` does."""
        if rate.currency == rate.quote:
            return amount
        return _WIDE.multiply(amount, rate.value).quantize(
            Decimal(1).scaleb(-self._exponents[rate.quote]), context=_WIDE
        )

    def _usable(self, currency: str) -> Iterator[tuple[str, KnownPrice]]:
        for code, price in self._priced.get(currency, {}).items():
            if self._is_usable(price):
                yield code, price

    def _is_usable(self, price: KnownPrice) -> bool:
        return self.max_age is None or self.on - price.date <= self.max_age

    def _along(self, through: tuple[str, ...]) -> Rate:
        prices = [self._priced[one][other] for one, other in itertools.pairwise(through)]
        value = Decimal(1)
        for one, price in zip(through, prices, strict=False):
            if len(prices) == 1 and price.currency == one:
                value = price.rate
            elif price.currency == one:
                value = _ROUNDED.multiply(value, price.rate)
            else:
                value = _ROUNDED.divide(value, price.rate)
        return Rate(through[0], through[-1], value, min(price.date for price in prices), through)
