"""`finance register`."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from functools import partial
from typing import Annotated

from cyclopts import Parameter

from finance import Account
from finance.cli import documents, tables
from finance.cli.books import HERE, Where, exponents_of, reading
from finance.cli.forms import TABLE, Answer, Form, require_one, write
from finance.errors import InvalidError, NotFoundError
from finance.frames import register_table


async def register(
    account: Annotated[str, Parameter(help="Its name, as in Assets:Checking.")],
    /,
    *,
    currency: Annotated[str | None, Parameter(help="Which one, if the name holds several.")] = None,
    form: Form = TABLE,
    where: Where = HERE,
) -> None:
    """List the postings of an account, the oldest first, with the balance after each."""
    require_one(form, json=where.json)
    async with reading(where) as uow:
        row = choose([each async for each in uow.accounts.stream()], account, currency)
        lines = [line async for line in uow.reports.register(row)]
        exponents = await exponents_of(uow)
    answer = Answer(
        documents.register(row, lines, exponents),
        tables.register,
        partial(register_table, lines, currency=row.currency, scale=exponents[row.currency]),
    )
    write(answer, form, json=where.json)


def choose(accounts: Sequence[Account], name: str, currency: str | None) -> Account:
    """Return the account *name* in *currency*.

    Raises:
        NotFoundError: There is none; says which names are near.
        InvalidError: It holds several currencies, and *currency* is None.
    """
    named = [account for account in accounts if account.name == name]
    if not named:
        raise NotFoundError(f"this ledger has no account {name!r}{_suggestion(name, accounts)}")
    held = ", ".join(account.currency for account in named)
    found = [account for account in named if currency is None or account.currency == currency.upper()]
    if not found:
        raise NotFoundError(f"account {name!r} does not hold {currency!r}; it holds {held}")
    if len(found) > 1:
        raise InvalidError(f"account {name!r} holds {held}: say which one with --currency")
    return found[0]


def _suggestion(name: str, accounts: Sequence[Account]) -> str:
    """Name up to three accounts that hold *name* in theirs, or else are spelled like it."""
    names = {account.name.casefold(): account.name for account in accounts}
    wanted = name.casefold()
    near = [each for each in names if wanted in each] or difflib.get_close_matches(wanted, names)
    if not near:
        return "; `finance accounts` lists them"
    return f"; is it {' or '.join(repr(names[each]) for each in near[:3])}?"
