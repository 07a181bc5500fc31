"""The panel of a currency over time: bars on both sides of zero, or areas for many months, and a line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from finance.plots import style
from finance.plots.chart import OverTime
from finance.plots.scale import month_ticks, scale_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: More months than this are areas instead of bars, and their points have no marks of their own.
_BARS_MAX = 60
#: Characters that the labels of all points may have together.
_LABELS_MAX = 110
#: A few months do not become broader than if they were so many.
_PLACES_MIN = 6
_BACKGROUND: dict[str, Any] = {"boxstyle": "round,pad=0.15", "facecolor": "white", "alpha": 0.8, "linewidth": 0}


def draw_over_time(axes: Axes, panel: OverTime, *, has_legend: bool) -> None:
    """Draw *panel*: the line is labelled with its exact amounts where they are few, and at its end in any case."""
    sides = _draw_sides(axes, panel)
    line = _draw_net(axes, panel)
    _label_net(axes, panel)
    axes.axhline(0, color=style.NET, linewidth=0.8, zorder=2.5)
    _set_scales(axes, panel)
    if has_legend:
        place: dict[str, Any] = {"loc": "lower right", "bbox_to_anchor": (1, 1), "ncols": 3}
        axes.legend(handles=[*sides, line], frameon=False, borderaxespad=0.2, **place)


def _draw_sides(axes: Axes, panel: OverTime) -> list[Any]:
    """Draw the amounts from zero; those of both series that stand on one side, such as by a refund, on one another."""
    up = [float(amount) for amount in panel.up.amounts]
    down = [-float(amount) for amount in panel.down.amounts]
    base = [high if high * low > 0 else 0.0 for high, low in zip(up, down, strict=True)]
    return [
        _draw_side(axes, panel.up.title, style.UP, [0.0] * len(up), up),
        _draw_side(axes, panel.down.title, style.DOWN, base, down),
    ]


def _draw_side(axes: Axes, title: str, colour: str, base: list[float], values: list[float]) -> Any:
    places = range(len(values))
    if len(values) > _BARS_MAX:
        ends = [start + value for start, value in zip(base, values, strict=True)]
        return axes.fill_between(places, base, ends, color=colour, linewidth=0, step="mid", label=title, zorder=2)
    return axes.bar(places, values, bottom=base, color=colour, width=0.7, label=title, zorder=2)


def _draw_net(axes: Axes, panel: OverTime) -> Any:
    values = [float(amount) for amount in panel.net.amounts]
    is_dense = len(values) > _BARS_MAX
    marks: dict[str, Any] = {} if is_dense else {"marker": "o", "markersize": 4, "markerfacecolor": "white"}
    look: dict[str, Any] = {
        "color": style.NET,
        "linewidth": 0.7 if is_dense else 1.6,
        "label": panel.net.title,
        "zorder": 3,
    }
    (line,) = axes.plot(range(len(values)), values, **look, **marks)
    return line


def _label_net(axes: Axes, panel: OverTime) -> None:
    """Write the amounts above or below their points; or, where they are many, the last one behind its point."""
    labels = [f"{amount:,.{panel.decimals}f}" for amount in panel.net.amounts]
    if sum(map(len, labels)) > _LABELS_MAX:
        end = len(labels) - 1, float(panel.net.amounts[-1])
        axes.annotate(labels[-1], end, xytext=(9, 0), textcoords="offset points", va="center", fontsize=8)
        return
    look: dict[str, Any] = {"fontsize": 8, "ha": "center", "zorder": 4, "bbox": _BACKGROUND}
    for place, (label, amount) in enumerate(zip(labels, panel.net.amounts, strict=True)):
        away, side = (-7, "top") if amount < 0 else (7, "bottom")
        axes.annotate(label, (place, float(amount)), xytext=(0, away), textcoords="offset points", va=side, **look)


def _set_scales(axes: Axes, panel: OverTime) -> None:
    scale = scale_of(panel.amounts, most=5)
    axes.set_yticks([float(tick) for tick in scale.ticks], scale.labels)
    axes.set_ylim(float(scale.ticks[0]), float(scale.ticks[-1]))
    axes.set_ylabel(scale.unit(panel.currency))
    axes.grid(axis="y", color=style.GRID, linewidth=0.7)
    ticks = month_ticks(panel.days, most=13)
    axes.set_xticks([place for place, _ in ticks], [label for _, label in ticks])
    room = max(0.6, (_PLACES_MIN - len(panel.days)) / 2)
    axes.set_xlim(-room, len(panel.days) - 1 + room)
