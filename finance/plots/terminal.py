"""Pictures in a terminal, as lines of text."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from finance.lettering import cells, printable, shortened
from finance.plots import style
from finance.plots.canvas import panel_lines
from finance.plots.chart import Chart, OverTime, Ranking

#: Columns below which nothing can be read.
WIDTH_MIN: Final = 30
_EIGHTHS = " ▏▎▍▌▋▊▉"


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
        if isinstance(panel, OverTime):
            lines += [*_legend(panel, width, colour=colour), *panel_lines(panel, width, colour=colour)]
        else:
            lines += _ranking(panel, width, colour=colour)
    return "\n".join(lines if chart.panels else [*lines, "", "Nothing to show"]) + "\n"


def _legend(panel: OverTime, width: int, *, colour: bool) -> Iterator[str]:
    """Yield what the colours and the sides mean, and the last amount in full, in as many lines as that takes."""
    last = f"{panel.net.amounts[-1]:,.{panel.decimals}f}"
    parts = [
        (panel.currency, panel.currency),
        (f"█ {panel.up.title} above", f"{_coloured('█', style.UP_CODE, colour=colour)} {panel.up.title} above"),
        (f"█ {panel.down.title} below", f"{_coloured('█', style.DOWN_CODE, colour=colour)} {panel.down.title} below"),
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


def _ranking(panel: Ranking, width: int, *, colour: bool) -> Iterator[str]:
    """Yield a line for each row: its name, a bar from zero on, and the exact amount.

    The bars are written here, because plotext counts characters where a terminal counts columns: a Chinese name would
    shift its bar.
    """
    names = [shortened(printable(name), width * 2 // 5) for name, _ in panel.rows]
    amounts = [f"{amount:,.{panel.decimals}f}" for amount in panel.amounts]
    name_width, amount_width = max(map(cells, names)), max(map(len, amounts))
    room = max(width - name_width - amount_width - 2, 1)
    yield panel.currency
    for name, bar, amount in zip(names, _bars(panel, room, colour=colour), amounts, strict=True):
        yield f"{name}{' ' * (name_width - cells(name))} {bar} {amount:>{amount_width}}"


def _bars(panel: Ranking, room: int, *, colour: bool) -> Iterator[str]:
    """Yield a bar of *room* columns for each amount; those below zero end where the others begin."""
    low, high = min(Decimal(0), *panel.amounts), max(Decimal(0), *panel.amounts)
    left = min(round(room * float(low) / (float(low) - float(high))) or int(low < 0), room - 1)
    for amount in panel.amounts:
        if amount < 0:
            full = max(round(left * float(amount) / float(low)), 1)
            yield " " * (left - full) + _coloured("█" * full, style.DOWN_CODE, colour=colour) + " " * (room - left)
        else:
            bar = _from_left(float(amount) / float(high) * (room - left)) if high else ""
            yield " " * left + _coloured(bar, style.UP_CODE, colour=colour) + " " * (room - left - len(bar))


def _from_left(columns: float) -> str:
    """Return a bar of so many columns, to an eighth of one, and never without any."""
    eighths = max(round(columns * 8), 1)
    return "█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")


def _coloured(text: str, code: int, *, colour: bool) -> str:
    return f"\033[38;5;{code}m{text}\033[0m" if colour and text else text
