"""Text with delimiters, row by row, and its columns by name or number."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from finance.statements.decoding import lines_of
from finance.statements.delimited.profile import Column, CsvProfile
from finance.statements.flaw import FlawError, plain

#: More rows are refused: each takes about a kilobyte of memory when it is read.
MOST_ROWS = 500_000
_MOST_CELLS = 1_000
#: Cells of all rows together, also empty ones: each is in the raw of its line.
MOST_CELLS = 4_000_000


@dataclass(frozen=True, slots=True)
class Row:
    """A row: the line of the file that it begins on, and its cells without white space around them."""

    line: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Header:
    """The names of the columns; `"1"`, `"2"` where there is no header. Of equal names the second is `"Name[2]"`."""

    names: tuple[str, ...]
    positions: dict[str, list[int]] = field(repr=False)

    @classmethod
    def of(cls, cells: Sequence[str]) -> Header:
        """Name the columns by *cells*."""
        positions: dict[str, list[int]] = {}
        names = []
        for index, cell in enumerate(cells):
            alike = positions.setdefault(cell.casefold(), [])
            alike.append(index)
            names.append(cell if len(alike) == 1 else f"{cell}[{len(alike)}]")
        return cls(tuple(names), positions)

    def position(self, column: Column) -> int:
        """Return where *column* stands, from 0.

        Raises:
            FlawError: There is no such column, or several with this name.
        """
        if isinstance(column, int):
            if column > len(self.names):
                raise FlawError(f"there is no column {column}; the table has {len(self.names)}")
            return column - 1
        found = self.positions.get(column.strip().casefold(), [])
        if len(found) == 1:
            return found[0]
        if found:
            raise FlawError(f"the header has {len(found)} columns {plain(column)!r}; say which one by its number")
        there = plain(", ".join(repr(name) for name in self.names), 300)
        raise FlawError(
            f"the header has no column {plain(column)!r}; it has {there}: another file, or another delimiter"
        )


def rows_of(text: str, profile: CsvProfile) -> Iterator[Row]:
    """Yield the rows of *text* behind the lines to skip, blank ones left out, the header among them.

    Raises:
        FlawError: A quote is never closed, or something follows one; a cell is larger than 128 KiB; a row has more
            than 1,000 cells; there are more than `MOST_ROWS`, or `MOST_CELLS` in all, which are counted before the
            first row is yielded.
    """
    # Cells may hold line breaks and delimiters: there are at most as many rows and cells as these.
    lines = text.count("\n") + 1
    if lines > MOST_ROWS or lines + text.count(profile.delimiter) > MOST_CELLS:
        _check_size(text, profile)
    yield from _rows(text, profile)


def _check_size(text: str, profile: CsvProfile) -> None:
    cells = 0
    for number, row in enumerate(_rows(text, profile), start=1):
        cells += len(row.cells)
        if number > MOST_ROWS or cells > MOST_CELLS:
            how = f"{MOST_ROWS:,} rows or {MOST_CELLS:,} cells"
            raise FlawError(f"the table has more than {how}; export a shorter period", row.line)


def _rows(text: str, profile: CsvProfile) -> Iterator[Row]:
    lines = itertools.islice(lines_of(text), profile.skip_lines, None)
    options: dict[str, Any] = {"quotechar": profile.quote} if profile.quote else {"quoting": csv.QUOTE_NONE}
    reader = csv.reader(lines, delimiter=profile.delimiter, strict=True, **options)
    begin = profile.skip_lines + 1
    try:
        for cells in reader:
            if len(cells) > _MOST_CELLS:
                raise FlawError(f"the row has more than {_MOST_CELLS:,} cells", begin)
            row = Row(begin, tuple(map(str.strip, cells)))
            begin = profile.skip_lines + reader.line_num + 1
            if any(row.cells):
                yield row
    except csv.Error as error:
        raise FlawError(f"the row that begins here is damaged: {error}", begin) from error
