"""The panel of a currency by names: a bar for each, with its exact amount."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from finance.lettering import printable, shortened
from finance.plots import style
from finance.plots.chart import Ranking
from finance.plots.scale import scale_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NAME = 40
#: The width of a character of an amount, as a part of the panel's.
_CHARACTER = 0.0105


def draw_ranking(axes: Axes, panel: Ranking) -> None:
    """Draw *panel*, its first row on top."""
    places = range(len(panel.rows))
    values = [float(amount) for amount in panel.amounts]
    bars = axes.barh(places, values, color=[style.UP if value >= 0 else style.DOWN for value in values], height=0.7)
    labels = [f"{amount:,.{panel.decimals}f}" for amount in panel.amounts]
    axes.bar_label(bars, labels, padding=4, fontsize=9)
    axes.set_yticks(places, [shortened(printable(name), _NAME) for name, _ in panel.rows])
    axes.tick_params(axis="y", length=0, labelcolor=style.NET)
    axes.invert_yaxis()
    axes.set_ylim(len(values) - 0.4, -0.6)
    axes.axvline(0, color=style.NET, linewidth=0.8)
    _set_scale(axes, panel, max(map(len, labels)))


def _set_scale(axes: Axes, panel: Ranking, characters: int) -> None:
    """Leave room for the amounts: behind the longest bar, and in front of the longest below zero."""
    scale = scale_of(panel.amounts, most=6)
    low, high = float(min(Decimal(0), *panel.amounts)), float(max(Decimal(0), *panel.amounts))
    part = min(0.6, (characters + 1) * _CHARACTER)
    room = (high - low) * part / (1 - part)
    axes.set_xticks([float(tick) for tick in scale.ticks], scale.labels)
    axes.set_xlim(low - room if low < 0 else 0, high + room if high > 0 else room / 10)
    axes.set_xlabel(scale.unit(panel.currency))
    axes.grid(axis="x", color=style.GRID, linewidth=0.7)
