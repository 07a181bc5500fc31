"""`finance accounts` and `finance balances`."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from cyclopts import Parameter

from finance import Account
from finance.cli import documents, tables
from finance.cli.books import HERE, Where, exponents_of, reading
from finance.cli.forms import Locale
from finance.cli.localised import localised
from finance.cli.terminal import write_json, write_listing


async def accounts(*, locale: Locale = None, where: Where = HERE) -> None:
    """List the accounts, by name."""
    found = [documents.account(row, balance) for row, balance in await _with_balances(where)]
    if where.json:
        write_json(found)
    else:
        write_listing(localised(tables.accounts(found), locale))


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
