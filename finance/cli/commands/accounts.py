"""`finance accounts`, `finance accounts identify` and `finance balances`."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from cyclopts import App, Parameter

from finance import Account, AccountDetails
from finance.cli import documents, tables
from finance.cli.books import HERE, Where, exponents_of, reading, writing
from finance.cli.commands.register import choose
from finance.cli.forms import Locale
from finance.cli.localised import localised
from finance.cli.terminal import write_json, write_listing

app = App(name="accounts", help="The accounts: list them, and say what identifies one to its bank.")

Given = Annotated[str | None, Parameter(show_default=False)]


@app.default
async def accounts(*, locale: Locale = None, where: Where = HERE) -> None:
    """List the accounts, by name."""
    found = [documents.account(row, balance) for row, balance in await _with_balances(where)]
    if where.json:
        write_json(found)
    else:
        write_listing(localised(tables.accounts(found), locale))


@app.command
async def identify(
    account: Annotated[str, Parameter(help="The account's name, as in Assets:Checking.")],
    /,
    *,
    iban: Given = None,
    bic: Given = None,
    institution: Annotated[
        str | None, Parameter(help="The bank as its files name it: a routing number, a BLZ, a BIC.", show_default=False)
    ] = None,
    number: Annotated[str | None, Parameter(help="The account's number there.", show_default=False)] = None,
    currency: Annotated[str | None, Parameter(help="Which one, if the name holds several.", show_default=False)] = None,
    where: Where = HERE,
) -> None:
    """Say what identifies an account to its bank, so that `finance import` finds it; then show that.

    What is not given stays as it is, and an empty text removes it: --iban "".
    """
    given = {"iban": iban, "bic": bic, "institution": institution, "number": number}
    changes = {name: value or None for name, value in given.items() if value is not None}
    async with writing(where) if changes else reading(where) as uow:
        row = choose([each async for each in uow.accounts.stream()], account, currency and currency.upper())
        if changes:
            row = await uow.accounts.update(row, details=AccountDetails.of({**row.details, **changes}))
        document = documents.account(row, documents.padded(row.balance, (await exponents_of(uow))[row.currency]))
    if where.json:
        write_json(document)
    else:
        write_listing(tables.identities([document]))


async def balances(
    *,
    on: Annotated[date | None, Parameter(help="Count what is posted through this day, as in 2026-12-31.")] = None,
    locale: Locale = None,
    where: Where = HERE,
) -> None:
    """List what is on each account, by name. Debits are positive, credits negative."""
    found = [documents.balance(row, balance) for row, balance in await _with_balances(where, on)]
    if where.json:
        write_json(found)
    else:
        write_listing(localised(tables.balances(found), locale))


async def _with_balances(where: Where, on: date | None = None) -> list[tuple[Account, str]]:
    async with reading(where) as uow:
        exponents = await exponents_of(uow)
        amounts = await uow.accounts.balances(on=on)
        return [
            (row, documents.padded(amounts[row.id], exponents[row.currency])) async for row in uow.accounts.stream()
        ]
