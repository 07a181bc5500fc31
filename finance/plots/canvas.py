"""A panel over time as lines of a terminal, drawn by plotext.

plotext counts characters where a terminal counts columns, so that names of strangers stay outside: a Chinese one would
shift everything behind it.
"""

from __future__ import annotations

import threading
from typing import Any

from finance.extras import library
from finance.plots import style
from finance.plots.chart import OverTime
from finance.plots.scale import Scale, month_ticks, scale_of

HEIGHT = 16
#: Columns that a month needs to be a bar; with fewer, months are an area.
_BAR = 3
#: Columns of a label of the lower axis, and of the space around it.
_TICK = 10
#: A few months do not become broader than if they were so many.
_PLACES_MIN = 6
# plotext has one canvas for the whole process.
_LOCK = threading.Lock()


def panel_lines(panel: OverTime, width: int, *, colour: bool) -> list[str]:
    """Draw *panel* in *width* columns and `HEIGHT` lines, with escape sequences of colours or without.

    Raises:
        ConfigurationError: The extra `plots` is not installed.
    """
    plotext = library("plotext", "plots", "a picture")
    scale = scale_of(panel.amounts, most=4, digits=9 if width >= 60 else 6)
    with _LOCK:
        try:
            plotext.terminal.limit(False, False)  # noqa: FBT003 - its words
            _draw(plotext, panel, scale, width)
            drawn: str = plotext.figure.build().string(colorless=not colour)
        finally:
            plotext.figure.clear.all()
            plotext.terminal.limit()
    return [line.rstrip() for line in drawn.splitlines()]


def _draw(plotext: Any, panel: OverTime, scale: Scale, width: int) -> None:
    figure = plotext.figure
    figure.clear.all()
    figure.theme("colorless")
    figure.plot_size(width, HEIGHT)
    figure.legend(False)  # noqa: FBT003 - its word
    for axis in (0, 1):
        figure.axes(False, axis=axis, side=1)  # noqa: FBT003 - its word
    room = width - max(map(len, scale.labels)) - 1
    _draw_side(plotext, panel.up.amounts, style.UP_CODE, 1, room)
    _draw_side(plotext, panel.down.amounts, style.DOWN_CODE, -1, room)
    line = plotext.marker("braille", plotext.pixel(style.NET_CODE, "default"))
    values = [float(amount) for amount in panel.net.amounts]
    figure.draw(figure.signal(list(range(len(values))), values, marker=line).lines(True))  # noqa: FBT003 - its word
    _set_rulers(figure, panel, scale, room)


def _draw_side(plotext: Any, amounts: Any, code: int, turn: int, room: int) -> None:
    figure = plotext.figure
    values, places = [turn * float(amount) for amount in amounts], list(range(len(amounts)))
    marker = plotext.marker("hd", plotext.pixel(code, "default"))
    if room >= _BAR * len(values):
        figure.draw(figure.bar(places, values, width=0.7, marker=marker))
    else:
        figure.draw(figure.signal(places, values, marker=marker).lines(True).fillx(True))  # noqa: FBT003 - its words


def _set_rulers(figure: Any, panel: OverTime, scale: Scale, room: int) -> None:
    ticks = [float(tick) for tick in scale.ticks]
    figure.ruler(1, 0).lim(ticks[0], ticks[-1])
    figure.ruler(1, 0).ticks(ticks, list(scale.labels))
    figure.line(0)
    months = month_ticks(panel.days, most=max(room // _TICK, 1))
    margin = max(0.5, (_PLACES_MIN - len(panel.days)) / 2)
    figure.ruler(0, 0).lim(-margin, len(panel.days) - 1 + margin)
    figure.ruler(0, 0).ticks([place for place, _ in months], [label for _, label in months])
