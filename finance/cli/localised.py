"""Listings as the people of a locale read them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

from finance.cli.terminal import Column, Listing
from finance.formatting import Formatter

# Say in which direction text runs. A cell stands by itself, and a terminal would show them as characters.
_DIRECTIONS = dict.fromkeys(map(ord, "\u200e\u200f\u061c"))


def localised(listing: Listing, locale: str | None) -> Listing:
    """Return *listing* with its amounts, days and months as *locale* writes them; for None as it is.

    Amounts keep their decimals, which are those of their currencies.

    Raises:
        InvalidError: CLDR does not know the locale.
        ConfigurationError: The extra `fmt` is not installed.
    """
    if locale is None:
        return listing
    formatter = Formatter(locale)
    return Listing(
        [_titled(column, formatter) for column in listing.columns],
        [
            [_cell(cell, column, formatter) for cell, column in zip(row, listing.columns, strict=True)]
            for row in listing.rows
        ],
    )


def _titled(column: Column, formatter: Formatter) -> Column:
    if not column.is_month:
        return column
    return replace(column, title=formatter.month(date.fromisoformat(f"{column.title}-01")).translate(_DIRECTIONS))


def _cell(cell: str, column: Column, formatter: Formatter) -> str:
    if cell and column.is_amount:
        cell = formatter.number(Decimal(cell), len(cell.partition(".")[2])).translate(_DIRECTIONS)
    elif cell and column.is_day:
        cell = formatter.day(date.fromisoformat(cell)).translate(_DIRECTIONS)
    return cell
