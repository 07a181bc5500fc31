"""Pictures on paper: matplotlib's objects, without its global state and without a window."""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from finance.extras import library
from finance.lettering import printable, shortened
from finance.plots import style
from finance.plots.chart import Chart, OverTime, Panel, Progress
from finance.plots.over_time import draw_over_time
from finance.plots.progress import draw_progress
from finance.plots.ranking import draw_ranking

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Inches: of the paper, of what stands above the panels, of a panel, of a row, of nothing, and of what is below a panel.
_WIDTH, _HEAD, _OVER_TIME, _ROW, _EMPTY, _BELOW = 10.0, 0.6, 2.9, 0.3, 1.0, 0.6
#: Characters of the title and of the period below it that the width has room for.
_TITLE, _SUBTITLE = 62, 100
# matplotlib keeps its settings in one place for the whole process.
_LOCK = threading.Lock()


def chart_figure(chart: Chart) -> Figure:
    """Draw *chart* as a matplotlib figure, 10 inches wide: a panel for each currency, one below another.

    The labels are exact; only the places on the paper are floats. `save_chart()` writes it to a file.

    Raises:
        ConfigurationError: The extra `plots` is not installed.
        InvalidError: The chart has more than 12 currencies.
    """
    with matplotlib_settings():
        return draw_figure(chart)


@contextlib.contextmanager
def matplotlib_settings() -> Iterator[Any]:
    """Lend matplotlib with this project's settings, whatever those of the user are, which come back afterwards.

    Raises:
        ConfigurationError: The extra `plots` is not installed.
    """
    matplotlib = library("matplotlib", "plots", "a picture")
    font_manager = library("matplotlib.font_manager", "plots", "a picture")
    with _LOCK, matplotlib.rc_context(), warnings.catch_warnings():
        # A letter that no font has is drawn as a box.
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(style.settings(font_manager))
        yield matplotlib


def draw_figure(chart: Chart) -> Figure:
    """Draw *chart*, while matplotlib is lent.

    Raises:
        InvalidError: The chart has more than 12 currencies.
    """
    chart.require_drawable()
    module = library("matplotlib.figure", "plots", "a picture")
    heights = [_height(panel) for panel in chart.panels] or [_EMPTY]
    height = _HEAD + sum(heights) + _BELOW * len(heights)
    # What stands above the panels is no part of the layout: they have the room below it.
    layout = library("matplotlib.layout_engine", "plots", "a picture").ConstrainedLayoutEngine
    below = layout(rect=(0, 0, 1, 1 - _HEAD / height))
    figure: Figure = module.Figure(figsize=(_WIDTH, height), dpi=150, layout=below)
    _draw_head(figure, chart, height)
    axes = figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    for place, panel in enumerate(chart.panels):
        _draw_panel(axes[place], panel, has_legend=place == 0)
    if not chart.panels:
        _draw_nothing(axes[0])
    return figure


def _draw_panel(axes: Axes, panel: Panel, *, has_legend: bool) -> None:
    if isinstance(panel, OverTime):
        draw_over_time(axes, panel, has_legend=has_legend)
    elif isinstance(panel, Progress):
        draw_progress(axes, panel, has_legend=has_legend)
    else:
        draw_ranking(axes, panel)


def heading(chart: Chart) -> str:
    """Name the picture, in as many characters as a line of it has."""
    return f"{chart.title} · {shortened(printable(chart.ledger), _TITLE - len(chart.title))}"


def _draw_head(figure: Figure, chart: Chart, height: float) -> None:
    """Write whose picture it is and of when, each on a line, at the left edge."""
    place: dict[str, Any] = {"x": 0.01, "ha": "left", "va": "top"}
    figure.text(y=1 - 0.1 / height, s=heading(chart), fontsize=13, fontweight="bold", **place)
    figure.text(y=1 - 0.37 / height, s=shortened(printable(chart.period), _SUBTITLE), color=style.NOTE, **place)


def _height(panel: Panel) -> float:
    return _OVER_TIME if isinstance(panel, OverTime) else _ROW * max(len(panel.rows), 2)


def _draw_nothing(axes: Any) -> None:
    axes.axis("off")
    axes.text(0.5, 0.5, "Nothing to show", ha="center", va="center", fontsize=12, color=style.NOTE)
