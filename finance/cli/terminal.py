"""What is written where: results on standard output, everything else on standard error, one line each."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Table
from rich.text import Text

from finance.lettering import printable


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a listing. One of amounts is aligned to the right and never broken.

    `is_day` says that its cells are days, and `is_month` that its title is a month, as in 2026-01.
    """

    title: str
    is_amount: bool = False
    is_day: bool = False
    is_month: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """Rows of text under columns."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]


def prepare_streams() -> None:
    """Make standard output and error take whatever is written to them, also when they are closed or not UTF-8."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - for the rest of the run
        stream = getattr(sys, name)
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def tell(message: str) -> None:
    """Write one line for people to standard error."""
    sys.stderr.write(f"finance: {printable(message)}\n")
    sys.stderr.flush()


def shows_colours() -> bool:
    """Say whether standard output is a terminal whose user did not decline colours (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def write_json(document: Any) -> None:
    """Write *document* to standard output as JSON."""
    is_utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=not is_utf8) + "\n")
    sys.stdout.flush()


def write_text(line: str) -> None:
    """Write one line for people to standard output."""
    sys.stdout.write(f"{printable(line)}\n")
    sys.stdout.flush()


def write_document(text: str) -> None:
    """Write a document of lines, whose control characters are escaped already, to standard output as it is."""
    sys.stdout.write(text)
    sys.stdout.flush()


def write_listing(listing: Listing) -> None:
    """Write *listing* to standard output: as a table that fits a terminal, or else as plain lines, nothing cut off."""
    rows = [[printable(cell) for cell in row] for row in listing.rows]
    if sys.stdout.isatty():
        Console(file=sys.stdout).print(_table(listing.columns, rows))
    else:
        sys.stdout.writelines(_plain_lines(listing.columns, rows))
    sys.stdout.flush()


def write_csv(listing: Listing) -> None:
    """Write *listing* to standard output as CSV, the titles of its columns in small letters first."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([column.title.lower() for column in listing.columns])
    writer.writerows([printable(cell) for cell in row] for row in listing.rows)
    sys.stdout.flush()


def _table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for column in columns:
        justify: Any = "right" if column.is_amount else "left"
        table.add_column(column.title, justify=justify, no_wrap=column.is_amount, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _plain_lines(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    lines = [[column.title for column in columns], *rows]
    widths = [max(cell_len(line[index]) for line in lines) for index in range(len(columns))]
    for line in lines:
        cells = []
        for cell, width, column in zip(line, widths, columns, strict=True):
            blanks = " " * (width - cell_len(cell))
            cells.append(blanks + cell if column.is_amount else cell + blanks)
        yield "  ".join(cells).rstrip() + "\n"


@contextlib.contextmanager
def progress(what: str, *, is_long: bool) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on standard error while the block runs, if that is a terminal and the work long enough to wonder.

    The block is lent a function that takes how much is done, and of how much. The bar disappears at the end.
    """
    if not (is_long and sys.stderr.isatty()):
        yield lambda _done, _total: None
        return
    columns = (TextColumn(what), BarColumn(), TaskProgressColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
