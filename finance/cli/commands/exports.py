"""`finance export`."""

from __future__ import annotations

import contextlib
import math
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Annotated, BinaryIO, Literal

from cyclopts import Parameter

from finance import UnitOfWork
from finance.cli.books import HERE, Where, connected, ledger_of
from finance.cli.terminal import write_json, write_text
from finance.errors import InvalidError
from finance.exports import beancount_lines, csv_lines

_LINES: dict[str, Callable[[UnitOfWork], AsyncIterator[str]]] = {"csv": csv_lines, "beancount": beancount_lines}


async def export(
    *,
    format: Annotated[  # noqa: A002 - the option's own word
        Literal["csv", "beancount"],
        Parameter(help="CSV, which `finance load` takes back, or text for beancount."),
    ] = "csv",
    output: Annotated[
        Path | None,
        Parameter(help="A file, written whole or not at all; otherwise standard output.", show_default=False),
    ] = None,
    where: Where = HERE,
) -> None:
    """Write every posting of the journal, by date."""
    if output is None:
        if where.json:
            raise InvalidError("--json describes the file that --output names; without one, the export is the output")
        await _export(where, _LINES[format], sys.stdout.buffer)
        return
    with _whole(output) as part:
        written = await _export(where, _LINES[format], part)
    if where.json:
        write_json({"file": str(output), "format": format, "bytes": written})
    else:
        write_text(f"{output}: {format}, {written} bytes")


@contextlib.contextmanager
def _whole(output: Path) -> Iterator[BinaryIO]:
    """Lend a file beside *output*, readable by its owner only, which takes that name when the block ends well.

    Raises:
        InvalidError: It cannot be written there.
    """
    part = None
    try:
        handle, name = tempfile.mkstemp(prefix=f".{output.name}-", dir=output.parent)
        part = Path(name)
        with os.fdopen(handle, "wb") as file:
            yield file
        part.replace(output)
    except OSError as error:
        raise InvalidError(f"{output}: the file cannot be written: {error.strerror or error}") from error
    finally:
        if part is not None:
            part.unlink(missing_ok=True)


async def _export(where: Where, lines: Callable[[UnitOfWork], AsyncIterator[str]], to: BinaryIO) -> int:
    """Write an export of one instant, however slowly it is read, and return how many bytes it has."""
    written = 0
    async with connected(where) as db:
        ledger = await ledger_of(db, where)
        async with db.unit_of_work(
            ledger,
            isolation="repeatable_read",
            read_only=True,
            statement_timeout=math.inf,
            idle_in_transaction_timeout=math.inf,
        ) as uow:
            async for piece in lines(uow):
                written += to.write(piece.encode())
    to.flush()
    return written
