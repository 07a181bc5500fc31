"""What a movement of securities becomes: an entry in which the security is a currency of its own.

Money that becomes a security, and a security that becomes money, go through the conversion accounts, as every exchange
does (docs/decisions/0025-prices-and-exchanges.md): the books need no rate, and no cost of a lot.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from uuid import UUID

from finance.errors import CurrencyError
from finance.models import Account, NewEntry, NewPosting
from finance.money import decimals
from finance.repositories.exchanges import CONVERSIONS
from finance.statements.booking import EXPENSES, INCOME
from finance.statements.statement import Movement, Statement, StatementLine
from finance.unit_of_work import UnitOfWork

#: The other side of securities that come from another account, or go there.
TRANSFERS = "Equity:Transfers"
#: Decimals of a security that the ledger does not know yet, unless its file has more.
_DECIMALS = 8
#: As many as a currency has at most, and as many characters as its code.
MOST_DECIMALS = 18
LONGEST_CODE = 64

#: The name of an account, its currency, and the amount to post to it.
Leg = tuple[str, str, Decimal]


def is_posted(line: StatementLine, statement: Statement, exponent: int) -> bool:
    """Tell whether *line* moves securities in a way that is known, in the currency of *statement* with its decimals."""
    movement = line.movement
    if movement is None or line.currency not in (None, statement.currency):
        return False
    return (
        decimals(movement.cash) <= exponent
        and decimals(movement.units) <= MOST_DECIMALS
        and len(movement.security) <= LONGEST_CODE
    )


def legs(movement: Movement, name: str, currency: str) -> Iterator[Leg]:
    """Yield the postings of *movement* in the account *name*, whose money is in *currency*."""
    security, units, cash = movement.security, movement.units, movement.cash
    if movement.kind == "cash":
        yield name, currency, cash
        yield INCOME if cash > 0 else EXPENSES, currency, cash.copy_negate()
        return
    yield name, security, units
    yield TRANSFERS if movement.kind == "transfer" else CONVERSIONS, security, units.copy_negate()
    if movement.kind in ("exchange", "reinvest"):
        yield name if movement.kind == "exchange" else INCOME, currency, cash
        yield CONVERSIONS, currency, cash.copy_negate()


def entry_of_movement(
    line: StatementLine, given: Iterable[Leg], accounts: Mapping[tuple[str, str], Account], entry_id: UUID
) -> NewEntry:
    """Make the entry of *line* out of its legs; *accounts* are by their names and currencies."""
    description = line.memo or line.type or ""
    postings = [NewPosting(accounts[name, currency], amount) for name, currency, amount in given]
    return NewEntry(line.date, description, postings, id=entry_id)


async def open_security(uow: UnitOfWork, code: str, finest: int) -> None:
    """Add the security *code* to the currencies of the ledger, or let one that is there have *finest* decimals.

    Database:
        One SELECT, and at most one INSERT or UPDATE.
    """
    try:
        known = await uow.currencies.get_or_open(code)
    except CurrencyError:
        await uow.currencies.open(code, exponent=max(_DECIMALS, finest))
        return
    if known.exponent < finest:
        known.exponent = finest
        await uow.session.flush()
