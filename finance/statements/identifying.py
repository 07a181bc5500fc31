"""The account of the books that a statement is of, by what the accounts' details say."""

from __future__ import annotations

from collections.abc import Iterator

from finance.errors import InvalidError, StatementFileError
from finance.models import Account, AccountDetails
from finance.statements.statement import Statement
from finance.unit_of_work import UnitOfWork


async def identify(uow: UnitOfWork, statement: Statement, file: str) -> Account | None:
    """Return the account whose IBAN, or whose institution and number, are those of *statement*; None for none.

    Raises:
        StatementFileError: The IBAN is one account's, and the institution and number another's.

    Database:
        Up to two SELECTs.
    """
    found: dict[int, Account] = {}
    for details in _details_of(statement):
        account = None
        if details.iban is not None:
            account = await uow.accounts.get_by_iban(details.iban)
        elif details.institution is not None and details.number is not None:
            account = await uow.accounts.get_by_number(details.institution, details.number)
        if account is not None:
            found[account.id] = account
    if len(found) > 1:
        names = " and ".join(sorted(repr(account.name) for account in found.values()))
        raise StatementFileError(
            file, f"by their details its account is {names}: correct those with `finance accounts identify`"
        )
    return next(iter(found.values()), None)


def _details_of(statement: Statement) -> Iterator[AccountDetails]:
    """Yield what *statement* says of its account, each way in which formats write it."""
    number = statement.account
    # Banks append the currency to the IBAN in field :25: of MT940, or put the bank before a slash.
    for iban in {number, number.removesuffix(statement.currency or "")}:
        yield from _valid(iban=iban)
    if statement.bank:
        yield from _valid(institution=statement.bank, number=number)
    elif number.count("/") == 1:
        institution, _, rest = number.partition("/")
        yield from _valid(institution=institution, number=rest)


def _valid(**fields: str) -> Iterator[AccountDetails]:
    """Yield the details, unless they are none: a bank writes into these fields what it likes."""
    try:
        details = AccountDetails(**fields)
    except InvalidError:
        return
    yield details
