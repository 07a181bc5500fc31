"""Accounts by what identifies them to the outside."""

from __future__ import annotations

from sqlalchemy import ColumnElement, func, select

from finance.integrity import translated
from finance.models import Account
from finance.repositories.base import Scope

_IBAN = func.upper(func.replace(Account.details["iban"].astext, " ", ""))


async def account_of_iban(scope: Scope, iban: str) -> Account | None:
    """Return the account with this IBAN, which is in its normal form, or None."""
    return await _one(scope, Account.details["iban"].astext.is_not(None), _IBAN == iban)  # noqa: SIM300


async def account_of_number(scope: Scope, institution: str, number: str) -> Account | None:
    """Return the account with this number at this institution, or None."""
    found = (Account.details["institution"].astext == institution, Account.details["number"].astext == number)
    return await _one(scope, *found)


async def _one(scope: Scope, *conditions: ColumnElement[bool]) -> Account | None:
    session = scope.require_open()
    statement = select(Account).where(Account.ledger_id == scope.ledger_id, *conditions)
    with translated():
        return await session.scalar(statement.execution_options(populate_existing=True))
