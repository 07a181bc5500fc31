"""What a picture shows, as values: made from a report, and drawn on paper or in a terminal."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from finance.errors import InvalidError
from finance.money import decimals, iso_currencies, total

#: A picture with more currencies than this is a wall, not a picture.
PANELS_MAX = 12


@dataclass(frozen=True, slots=True)
class Series:
    """One amount for each point of a panel."""

    title: str
    amounts: tuple[Decimal, ...]


@dataclass(frozen=True, slots=True)
class OverTime:
    """A currency month by month: `up` stands above zero, `down` below it, and `net` is the line of both.

    The amounts of `down` are positive where the report has them positive; it is the picture that turns them round.
    """

    currency: str
    decimals: int
    days: tuple[date, ...]
    up: Series
    down: Series
    net: Series

    @property
    def amounts(self) -> tuple[Decimal, ...]:
        """Every amount where it stands in the picture."""
        return (*self.up.amounts, *(each.copy_negate() for each in self.down.amounts), *self.net.amounts)


@dataclass(frozen=True, slots=True)
class Ranking:
    """A currency by names, in the order of the rows; an amount below zero stands on the other side."""

    currency: str
    decimals: int
    rows: tuple[tuple[str, Decimal], ...]

    @property
    def amounts(self) -> tuple[Decimal, ...]:
        """Every amount."""
        return tuple(amount for _, amount in self.rows)


@dataclass(frozen=True, slots=True)
class Goal:
    """How far something got: `reached` of `goal`."""

    name: str
    reached: Decimal
    goal: Decimal

    @property
    def beyond(self) -> Decimal:
        """What was reached beyond the goal, which counts as zero if it is less."""
        return max(Decimal(0), total((self.reached, max(Decimal(0), self.goal).copy_negate())))

    @property
    def within(self) -> Decimal:
        """What was reached of the goal; below zero if less than nothing was."""
        return total((self.reached, self.beyond.copy_negate()))


@dataclass(frozen=True, slots=True)
class Progress:
    """A currency by goals, in the order of the rows."""

    currency: str
    decimals: int
    rows: tuple[Goal, ...]

    @property
    def amounts(self) -> tuple[Decimal, ...]:
        """Every amount."""
        return tuple(amount for row in self.rows for amount in (row.reached, row.goal))


#: What a picture shows of one currency.
Panel = OverTime | Ranking | Progress


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture: what it is of, whose, of when, and a panel for each currency, since currencies are never added.

    `period` is empty where nothing says it. Without panels there is nothing to show, and the picture says so.
    """

    title: str
    ledger: str
    period: str
    panels: tuple[Panel, ...]

    def only(self, currencies: Collection[str]) -> Chart:
        """Return the picture of these *currencies*; all of them for none.

        Raises:
            InvalidError: One of them is not in the picture.
        """
        there = [panel.currency for panel in self.panels]
        missing = sorted(set(currencies) - set(there))
        if missing:
            raise InvalidError(f"nothing to draw in {', '.join(missing)}; there is {', '.join(there) or 'no currency'}")
        panels = tuple(panel for panel in self.panels if not currencies or panel.currency in currencies)
        return Chart(self.title, self.ledger, self.period, panels)

    def require_drawable(self) -> Chart:
        """Return the picture.

        Raises:
            InvalidError: It has more than `PANELS_MAX` currencies.
        """
        if len(self.panels) > PANELS_MAX:
            codes = ", ".join(panel.currency for panel in self.panels)
            raise InvalidError(
                f"a picture has {PANELS_MAX} currencies at most, and these are {len(self.panels)}: choose among {codes}"
            )
        return self


def decimals_of(currency: str, amounts: Iterable[Decimal], exponents: Mapping[str, int] | None) -> int:
    """Return with how many decimals *amounts* are labelled: those of the currency, and never fewer than they have.

    Args:
        currency: Its code.
        amounts: What is labelled.
        exponents: The decimals of each currency; None for those of ISO 4217.
    """
    iso = iso_currencies().get(currency)
    stated = (exponents or {}).get(currency, iso.exponent if iso else 0)
    return max([stated, *map(decimals, amounts)])


def between(first: date | None, last: date | None) -> str:
    """Write a period; empty for none."""
    return "" if first is None or last is None else f"{first}" if first == last else f"{first} to {last}"
