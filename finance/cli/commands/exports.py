"""`finance export`."""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Annotated, BinaryIO, Literal

from cyclopts import Parameter

from finance import UnitOfWork
from finance.cli.books import HERE, Where, connected, ledger_of
from finance.cli.terminal import write_json, write_text
from finance.errors import InvalidError
from finance.exports import beancount_lines, csv_lines
from finance.files import whole_file
from finance.frames import posting_batches, save_postings
from finance.frames.saving import SUFFIXES as FRAMES

#: What the name of a file says of its format.
_BY_SUFFIX = {".csv": "csv", ".beancount": "beancount", ".bean": "beancount"}
_LINES: dict[str, Callable[[UnitOfWork], AsyncIterator[str]]] = {"csv": csv_lines, "beancount": beancount_lines}


async def export(
    *,
    format: Annotated[  # noqa: A002 - the option's own word
        Literal["csv", "beancount"] | None,
        Parameter(
            help="CSV, or text for beancount; `finance load` takes both back. Otherwise what the name of the file says,"
            " or CSV.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        Parameter(
            help="A file, written whole or not at all; otherwise standard output. One that ends with .parquet or .arrow"
            " is a table for data frames.",
            show_default=False,
        ),
    ] = None,
    where: Where = HERE,
) -> None:
    """Write every posting of the journal, by date; for beancount also accounts without postings, and prices."""
    if output is None:
        if where.json:
            raise InvalidError("--json describes the file that --output names; without one, the export is the output")
        await _write_lines(where, _LINES[format or "csv"], sys.stdout.buffer)
        return
    kind, written = await _save(where, output, format)
    if where.json:
        write_json({"file": str(output), "format": kind, "bytes": written})
    else:
        write_text(f"{output}: {kind}, {written} bytes")


async def _save(where: Where, output: Path, format_: str | None) -> tuple[str, int]:
    """Write the file *output*, and return of which kind it is and how many bytes it has."""
    if output.suffix.lower() not in FRAMES:
        kind = format_ or _BY_SUFFIX.get(output.suffix.lower(), "csv")
        with whole_file(output) as part:
            return kind, await _write_lines(where, _LINES[kind], part)
    if format_ is not None:
        raise InvalidError(f"{output}: the name says that it is no {format_}; leave --format out, or name another file")
    return output.suffix.lower().removeprefix("."), await _write_frame(where, output)


async def _write_lines(where: Where, lines: Callable[[UnitOfWork], AsyncIterator[str]], to: BinaryIO) -> int:
    """Write an export as text, and return how many bytes it has."""
    written = 0
    async with _one_instant(where) as uow:
        async for piece in lines(uow):
            written += to.write(piece.encode())
    to.flush()
    return written


async def _write_frame(where: Where, output: Path) -> int:
    """Write an export as a table of Arrow, and return how many bytes it has."""
    async with _one_instant(where) as uow:
        return await save_postings(await posting_batches(uow), output)


@contextlib.asynccontextmanager
async def _one_instant(where: Where) -> AsyncIterator[UnitOfWork]:
    """Read the books as they are at one instant, however slowly what is read is taken."""
    async with connected(where) as db:
        ledger = await ledger_of(db, where)
        async with db.unit_of_work(
            ledger,
            isolation="repeatable_read",
            read_only=True,
            statement_timeout=math.inf,
            idle_in_transaction_timeout=math.inf,
        ) as uow:
            yield uow
