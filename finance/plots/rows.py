"""Panels by names as lines of a terminal: a name, a bar, and the exact amounts.

The bars are written here, because plotext counts characters where a terminal counts columns: a Chinese name would shift
its bar.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import groupby

from finance.lettering import cells, printable, shortened
from finance.plots import style
from finance.plots.chart import Goal, Progress, Ranking
from finance.plots.progress import label

_EIGHTHS = " ▏▎▍▌▋▊▉"
_GOAL, _BEYOND = "┃", "▓"
_CODES = {"█": style.UP_CODE, _BEYOND: style.DOWN_CODE}


def row_lines(panel: Ranking | Progress, width: int, *, colour: bool) -> list[str]:
    """Return a line for the currency and one for each row of *panel*, in *width* columns if the amounts fit there."""
    if isinstance(panel, Progress):
        names, texts = [row.name for row in panel.rows], [label(row, panel.decimals) for row in panel.rows]
    else:
        names = [name for name, _ in panel.rows]
        texts = [f"{amount:,.{panel.decimals}f}" for amount in panel.amounts]
    names = [shortened(printable(name), width * 2 // 5) for name in names]
    name_width, text_width = max(map(cells, names)), max(map(len, texts))
    room = max(width - name_width - text_width - 2, 1)
    bars = _goals(panel, room, colour=colour) if isinstance(panel, Progress) else _bars(panel, room, colour=colour)
    return [panel.currency] + [
        f"{name}{' ' * (name_width - cells(name))} {bar} {text:>{text_width}}"
        for name, bar, text in zip(names, bars, texts, strict=True)
    ]


def _bars(panel: Ranking, room: int, *, colour: bool) -> Iterator[str]:
    """Yield a bar of *room* columns for each amount; those below zero end where the others begin."""
    low, high = min(Decimal(0), *panel.amounts), max(Decimal(0), *panel.amounts)
    left = min(round(room * float(low) / (float(low) - float(high))) or int(low < 0), room - 1)
    for amount in panel.amounts:
        if amount < 0:
            full = max(round(left * float(amount) / float(low)), 1)
            yield " " * (left - full) + coloured("█" * full, style.DOWN_CODE, colour=colour) + " " * (room - left)
        else:
            bar = _from_left(float(amount) / float(high) * (room - left)) if high else ""
            yield " " * left + coloured(bar, style.UP_CODE, colour=colour) + " " * (room - left - len(bar))


def _goals(panel: Progress, room: int, *, colour: bool) -> Iterator[str]:
    """Yield a bar of *room* columns for each row, with a mark for its goal, and what is beyond that in another sign."""
    high = max((amount for amount in panel.amounts if amount > 0), default=Decimal(1))
    for row in panel.rows:
        signs = _goal(row, float(high), room)
        yield "".join(
            coloured("".join(some), _CODES[sign], colour=colour) if sign in _CODES else "".join(some)
            for sign, some in groupby(signs)
        )


def _goal(row: Goal, high: float, room: int) -> Sequence[str]:
    within, reached = (max(0, round(float(amount) / high * room)) for amount in (row.within, row.reached))
    signs = ["█" if place < within else _BEYOND if place < reached else " " for place in range(room)]
    if row.goal > 0:
        signs[min(round(float(row.goal) / high * room), room - 1)] = _GOAL
    return signs


def _from_left(columns: float) -> str:
    """Return a bar of so many columns, to an eighth of one, and never without any."""
    eighths = max(round(columns * 8), 1)
    return "█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")


def coloured(text: str, code: int, *, colour: bool) -> str:
    """Put *text* into a colour of 256, or leave it as it is."""
    return f"\033[38;5;{code}m{text}\033[0m" if colour and text else text
