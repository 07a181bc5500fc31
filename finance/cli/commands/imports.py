"""`finance imports`: which files were imported, and taking one back."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from cyclopts import App, Parameter

from finance import UnitOfWork
from finance.cli import statement_documents, statement_tables
from finance.cli.answers import write_answer
from finance.cli.books import HERE, Where, reading, run
from finance.cli.forms import Csv
from finance.cli.terminal import write_json, write_text
from finance.statements import UndoneImport, undo_import

app = App(name="imports", help="The files that were imported: list them, and take one back.")


@app.default
async def imports(*, csv: Csv = False, where: Where = HERE) -> None:
    """List the files that were imported, the oldest first."""
    async with reading(where) as uow:
        document = statement_documents.imports(await uow.imports.overview())
    write_answer(document, statement_tables.imports, csv=csv, json=where.json)


@app.command
async def undo(
    number: Annotated[int, Parameter(help="The id of the import, as `finance imports` lists it.")],
    /,
    *,
    on: Annotated[
        date | None, Parameter(help="The day on which the reversals count; otherwise that of each entry.")
    ] = None,
    where: Where = HERE,
) -> None:
    """Reverse all that an import posted. Its lines are kept and marked, and its file can be imported again."""

    async def work(uow: UnitOfWork) -> UndoneImport:
        return await undo_import(uow, number, on=on)

    found = await run(where, work)
    document = statement_documents.undone(found)
    if where.json:
        write_json(document)
    else:
        write_text(
            f"{found.file}: {found.lines} lines undone, {found.reversed} entries reversed"
            f" ({found.replacements} of them made since), {found.already_reversed} reversed before"
        )
