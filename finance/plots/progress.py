"""The panel of a currency by goals: a bar as far as each got, a mark where it should end, and what is beyond."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from finance.plots import style
from finance.plots.chart import Goal, Progress
from finance.plots.ranking import set_rows, set_scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_progress(axes: Axes, panel: Progress, *, has_legend: bool) -> None:
    """Draw *panel*, its first row on top."""
    places = range(len(panel.rows))
    within, beyond = [float(row.within) for row in panel.rows], [float(row.beyond) for row in panel.rows]
    goals = [float(row.goal) for row in panel.rows]
    bars = axes.barh(places, within, color=style.UP, height=0.6, label="Within")
    over = axes.barh(places, beyond, left=within, color=style.DOWN, height=0.6, label="Beyond")
    (marks,) = axes.plot(goals, places, "|", color=style.NET, markersize=16, markeredgewidth=2, label="Goal", zorder=3)
    labels = [label(row, panel.decimals) for row in panel.rows]
    for place, (text, row) in enumerate(zip(labels, panel.rows, strict=True)):
        end = max(0.0, float(row.reached), float(row.goal))
        axes.annotate(text, (end, place), xytext=(8, 0), textcoords="offset points", va="center", fontsize=9)
    set_rows(axes, [row.name for row in panel.rows])
    set_scale(axes, panel, behind=max(map(len, labels)) + 1, before=0)
    if has_legend:
        place_above: dict[str, Any] = {"loc": "lower right", "bbox_to_anchor": (1, 1), "ncols": 3}
        axes.legend(handles=[bars, over, marks], frameon=False, borderaxespad=0.2, **place_above)


def label(row: Goal, decimals: int) -> str:
    """Write both amounts in full."""
    return f"{row.reached:,.{decimals}f} of {row.goal:,.{decimals}f}"
