"""`finance assertions`: balances that somebody claims, and whether the books agree."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from cyclopts import App, Parameter

from finance import NewAssertion, UnitOfWork
from finance.cli import statement_documents, statement_tables
from finance.cli.answers import write_answer
from finance.cli.books import HERE, Where, connected, exponents_of, ledger_of, reading, run
from finance.cli.commands.register import choose
from finance.cli.forms import Csv

app = App(name="assertions", help="Balances that statements and users claim: list which of them hold, add and remove.")


@app.default
async def assertions(
    *,
    account: Annotated[str | None, Parameter(help="Only those of this account.")] = None,
    currency: Annotated[str | None, Parameter(help="Which one, if the name holds several.")] = None,
    failing: Annotated[bool, Parameter(negative="", help="Only those that do not hold.")] = False,
    csv: Csv = False,
    where: Where = HERE,
) -> None:
    """List asserted balances and what the books say: by how much they differ, since when, and when they last held."""
    async with reading(where) as uow:
        row = None
        if account is not None:
            row = choose([each async for each in uow.accounts.stream()], account, currency)
        found = [each for each in await uow.reports.assertions(row) if not (failing and each.holds)]
        document = statement_documents.assertions(found, await exponents_of(uow))
    write_answer(document, statement_tables.assertions, csv=csv, json=where.json)


@app.command
async def add(
    account: Annotated[str, Parameter(help="Its name, as in Assets:Checking.")],
    amount: Annotated[str, Parameter(allow_leading_hyphen=True, help="What is on it; what is owed is negative.")],
    /,
    *,
    on: Annotated[date, Parameter(help="The day at whose end it holds, as in 2026-12-31.")],
    currency: Annotated[str | None, Parameter(help="Which one, if the name holds several.")] = None,
    note: Annotated[str, Parameter(help="Who says so.")] = "",
    csv: Csv = False,
    where: Where = HERE,
) -> None:
    """Assert a balance, whether or not the books agree."""
    async with connected(where) as db:
        ledger = await ledger_of(db, where)
        async with db.unit_of_work(ledger) as uow:
            row = choose([each async for each in uow.accounts.stream()], account, currency)
            recorded = await uow.assertions.record(NewAssertion(row, on, amount, note))
            found = [each for each in await uow.reports.assertions(row) if each.id == recorded.id]
            document = statement_documents.assertions(found, await exponents_of(uow))
    write_answer(document, statement_tables.assertions, csv=csv, json=where.json)


@app.command
async def remove(
    number: Annotated[int, Parameter(help="Its id, as `finance assertions` lists it.")],
    /,
    *,
    where: Where = HERE,
) -> None:
    """Remove an assertion that was made by hand; one of a statement stays."""

    async def work(uow: UnitOfWork) -> None:
        await uow.assertions.remove(await uow.assertions.get_one(number))

    await run(where, work)
