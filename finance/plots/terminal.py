"""Pictures in a terminal, as lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from finance.lettering import printable, shortened
from finance.plots import style
from finance.plots.canvas import panel_lines
from finance.plots.chart import Chart, OverTime, Panel
from finance.plots.rows import coloured, row_lines

#: Columns below which nothing can be read.
WIDTH_MIN: Final = 30


def chart_text(chart: Chart, *, width: int = 80, colour: bool = False) -> str:
    """Draw *chart* as lines of text, a panel for each currency, one below another.

    Args:
        chart: What to draw.
        width: Columns that a line may take; fewer than 30 count as 30.
        colour: Whether to write escape sequences of 256 colours; without them the picture says the same.

    Raises:
        ConfigurationError: The extra `plots` is not installed.
        InvalidError: The chart has more than 12 currencies.
    """
    width = max(width, WIDTH_MIN)
    lines = [shortened(printable(f"{chart.title} · {chart.ledger}"), width), *([chart.period] if chart.period else [])]
    for panel in chart.require_drawable().panels:
        lines.append("")
        lines += _panel(panel, width, colour=colour)
    return "\n".join(lines if chart.panels else [*lines, "", "Nothing to show"]) + "\n"


def _panel(panel: Panel, width: int, *, colour: bool) -> Sequence[str]:
    if isinstance(panel, OverTime):
        return [*_legend(panel, width, colour=colour), *panel_lines(panel, width, colour=colour)]
    return row_lines(panel, width, colour=colour)


def _legend(panel: OverTime, width: int, *, colour: bool) -> Iterator[str]:
    """Yield what the colours and the sides mean, and the last amount in full, in as many lines as that takes."""
    last = f"{panel.net.amounts[-1]:,.{panel.decimals}f}"
    parts = [
        (panel.currency, panel.currency),
        (f"█ {panel.up.title} above", f"{coloured('█', style.UP_CODE, colour=colour)} {panel.up.title} above"),
        (f"█ {panel.down.title} below", f"{coloured('█', style.DOWN_CODE, colour=colour)} {panel.down.title} below"),
        (f"⠒ {panel.net.title}",) * 2,
        (f"at last {last}",) * 2,
    ]
    line, taken = "", 0
    for plain, shown in parts:
        if line and taken + 2 + len(plain) > width:
            yield line
            line, taken = "", 0
        line, taken = f"{line}  {shown}" if line else shown, taken + len(plain) + (2 if line else 0)
    yield line
