"""The scales of a picture: round amounts for ticks, and months for the days below them. All of it is exact."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal

from finance.money import decimals

# Steps between ticks that people count in.
_STEPS = (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5), Decimal(10))
_EXACT = Context(prec=200)
_MONTHS = (1, 2, 3, 4, 6, *(12 * years for years in (1, 2, 5, 10, 20, 25, 50, 100)))
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True, slots=True)
class Scale:
    """Ticks of amounts from below the smallest through above the largest, zero among them.

    `power` is that of ten in which they are labelled: 0 unless the labels would become too wide.
    """

    ticks: tuple[Decimal, ...]
    power: int

    @property
    def labels(self) -> tuple[str, ...]:
        """The ticks in their unit, with thousands separators and equally many decimals."""
        scaled = [_EXACT.scaleb(tick, -self.power) for tick in self.ticks]
        places = max(map(decimals, scaled))
        return tuple(f"{tick:,.{places}f}" for tick in scaled)

    def unit(self, currency: str) -> str:
        """Name the unit of the labels."""
        return f"{currency} × 10{str(self.power).translate(_SUPERSCRIPT)}" if self.power else currency  # noqa: RUF001 - times


def scale_of(amounts: Iterable[Decimal], *, most: int, digits: int = 9) -> Scale:
    """Find at most *most* + 2 ticks for *amounts*.

    Args:
        amounts: What is shown.
        most: How many steps there are between the smallest and the largest, about.
        digits: Labels of more digits than this before or behind the point take a power of ten.
    """
    found = [Decimal(0), *amounts]
    low, high = min(found), max(found)
    step = _step(_EXACT.subtract(high, low), most)
    first = int(_EXACT.divide(low, step).to_integral_value(ROUND_FLOOR))
    last = max(int(_EXACT.divide(high, step).to_integral_value(ROUND_CEILING)), first + 1)
    ticks = tuple(_EXACT.multiply(step, Decimal(place)) for place in range(first, last + 1))
    return Scale(ticks, _power(ticks, step, digits))


def _step(span: Decimal, most: int) -> Decimal:
    """Return the smallest round step that goes at most *most* times into *span*."""
    if not span:
        return Decimal(1)
    least = _EXACT.divide(span, Decimal(most))
    power = Decimal(1).scaleb(least.adjusted(), _EXACT)
    return next(_EXACT.multiply(step, power) for step in _STEPS if _EXACT.multiply(step, power) >= least)


def _power(ticks: Sequence[Decimal], step: Decimal, digits: int) -> int:
    largest = max(tick.copy_abs() for tick in ticks).adjusted()
    if largest >= digits or decimals(step) > digits:
        return largest // 3 * 3
    return 0


def month_ticks(days: Sequence[date], *, most: int) -> list[tuple[int, str]]:
    """Choose at most *most* of *days*, one in each month, and return their places and labels.

    Every month is "2026-01"; where these are too many, every second, third, fourth or sixth, counted from January; or
    else every January of some years is "2026".
    """
    numbers = [day.year * 12 + day.month - 1 for day in days]
    for step in _MONTHS:
        places = [place for place, number in enumerate(numbers) if number % step == 0]
        if len(places) <= max(most, 1):
            break
    if not places:  # a few months between two ticks
        places = [0]
        step = 1
    length = 7 if step < 12 else 4
    return [(place, days[place].isoformat()[:length]) for place in places]
