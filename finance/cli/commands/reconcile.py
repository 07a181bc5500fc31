"""`finance reconcile`: which lines of statements are which entries, and what is left over."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from cyclopts import App, Parameter

from finance import UnitOfWork
from finance.cli import statement_documents, statement_tables
from finance.cli.answers import write_answer
from finance.cli.books import HERE, Where, exponents_of, reading, run
from finance.cli.forms import Csv
from finance.cli.terminal import write_json, write_text
from finance.repositories.matching import MOST_DAYS

app = App(name="reconcile", help="Statements and the books: what is matched, what is left over, and agreeing.")

StatementId = Annotated[int, Parameter(help="The id of the statement, as `finance reconcile` lists it.")]
LineId = Annotated[int, Parameter(help="The id of the line, as `finance reconcile show` lists it.")]


@app.default
async def statements(*, csv: Csv = False, where: Where = HERE) -> None:
    """List the statements, how many of their lines are matched with nothing, and which are reconciled."""
    async with reading(where) as uow:
        found = await uow.reconciliation.statements()
    document = [statement_documents.state(each) for each in found]
    write_answer(document, statement_tables.states, csv=csv, json=where.json)


@app.command
async def show(statement: StatementId, /, *, csv: Csv = False, where: Where = HERE) -> None:
    """List what is left over on both sides: lines without an entry, and entries of those days without a line."""
    async with reading(where) as uow:
        state = await uow.reconciliation.statement(statement)
        lines = await uow.reconciliation.unmatched_lines(statement)
        around = timedelta(days=MOST_DAYS)
        free = await uow.reconciliation.free_postings(
            state.account_id,
            start_on=state.first_on and state.first_on - around,
            end_on=state.last_on and state.last_on + around,
        )
        document = statement_documents.left_over(state, lines, free, (await exponents_of(uow))[state.currency])
    write_answer(document, statement_tables.left_over, csv=csv, json=where.json)


@app.command
async def balances(*, csv: Csv = False, where: Where = HERE) -> None:
    """List the balance of each account with statements, and how much of it they confirm."""
    async with reading(where) as uow:
        exponents = await exponents_of(uow)
        document = [
            statement_documents.cleared(each, exponents[each.currency]) for each in await uow.reconciliation.balances()
        ]
    write_answer(document, statement_tables.cleared, csv=csv, json=where.json)


@app.command
async def match(
    line: LineId,
    entry: Annotated[UUID, Parameter(help="The id of the entry.")],
    /,
    *,
    replace: Annotated[
        bool, Parameter(negative="", help="Reverse the entry that the line is matched with so far.")
    ] = False,
    where: Where = HERE,
) -> None:
    """Say that a line and an entry are the same event."""

    async def work(uow: UnitOfWork) -> None:
        await uow.reconciliation.match(line, entry, replace=replace)

    await run(where, work)


@app.command
async def accept(statement: StatementId, /, *, where: Where = HERE) -> None:
    """Match every line that is left over with the entry that it may be."""

    async def work(uow: UnitOfWork) -> int:
        return await uow.reconciliation.accept(statement)

    matched = await run(where, work)
    if where.json:
        write_json({"statement": statement, "matched": matched})
    else:
        write_text(f"lines that were matched: {matched}")


@app.command
async def unmatch(line: LineId, /, *, where: Where = HERE) -> None:
    """Take back that a line is matched; the entry stays."""

    async def work(uow: UnitOfWork) -> None:
        await uow.reconciliation.unmatch(line)

    await run(where, work)


@app.command
async def finish(statement: StatementId, /, *, where: Where = HERE) -> None:
    """Agree with a statement: from now on none of its matches is taken back."""

    async def work(uow: UnitOfWork) -> None:
        await uow.reconciliation.reconcile(statement)

    await run(where, work)


@app.command
async def reopen(statement: StatementId, /, *, where: Where = HERE) -> None:
    """Take back that a statement is reconciled."""

    async def work(uow: UnitOfWork) -> None:
        await uow.reconciliation.reopen(statement)

    await run(where, work)
