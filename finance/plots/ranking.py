"""The panel of a currency by names: a bar for each, with its exact amount."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from finance.lettering import printable, shortened
from finance.plots import style
from finance.plots.chart import Progress, Ranking
from finance.plots.scale import scale_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NAME = 40
#: The width of a character of an amount, as a part of the panel's.
_CHARACTER = 0.0105


def draw_ranking(axes: Axes, panel: Ranking) -> None:
    """Draw *panel*, its first row on top."""
    values = [float(amount) for amount in panel.amounts]
    colours = [style.UP if value >= 0 else style.DOWN for value in values]
    bars = axes.barh(range(len(values)), values, color=colours, height=0.7)
    labels = [f"{amount:,.{panel.decimals}f}" for amount in panel.amounts]
    axes.bar_label(bars, labels, padding=4, fontsize=9)
    set_rows(axes, [name for name, _ in panel.rows])
    widest = max(map(len, labels))
    set_scale(axes, panel, behind=widest, before=widest)


def set_rows(axes: Axes, names: Sequence[str]) -> None:
    """Name the rows, the first on top, and draw zero."""
    axes.set_yticks(range(len(names)), [shortened(printable(name), _NAME) for name in names])
    axes.tick_params(axis="y", length=0, labelcolor=style.NET)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.axvline(0, color=style.NET, linewidth=0.8)


def set_scale(axes: Axes, panel: Ranking | Progress, *, behind: int, before: int) -> None:
    """Leave room for labels of so many characters *behind* the longest bar, and *before* the longest below zero."""
    scale = scale_of(panel.amounts, most=6)
    low, high = float(min(Decimal(0), *panel.amounts)), float(max(Decimal(0), *panel.amounts))
    if low == high:
        high = 1.0
    left = low - _room(high - low, before) if low < 0 else 0.0
    right = high + _room(high - low, behind) if high > 0 else 0.0
    shown = [(float(tick), label) for tick, label in zip(scale.ticks, scale.labels, strict=True)]
    shown = [(tick, label) for tick, label in shown if left <= tick <= right]
    axes.set_xticks([tick for tick, _ in shown], [label for _, label in shown])
    axes.set_xlim(left, right)
    axes.set_xlabel(scale.unit(panel.currency))
    axes.grid(axis="x", color=style.GRID, linewidth=0.7)
    axes.set_axisbelow(True)


def _room(width: float, characters: int) -> float:
    """Return how much more than *width* a label needs, if what is drawn takes the rest of the panel."""
    part = min(0.6, (characters + 1) * _CHARACTER)
    return width * part / (1 - part)
