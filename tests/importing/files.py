"""Files that no bank has sent, and what is in the books after them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select

from finance import UnitOfWork
from finance.models import StatementLine as StoredLine
from finance.reports import RegisterLine
from finance.statements import Statement, StatementFile, StatementLine
from finance.statements.importer import import_statements
from finance.statements.result import StatementResult

CHECKING = "Assets:Checking:4711"
FIRST = date(2026, 8, 5)


def line(amount: str, bank_id: str | None = None, on: date = FIRST, **fields: Any) -> StatementLine:
    """Make a line of a statement, which numbers it."""
    return StatementLine(number=0, date=on, amount=Decimal(amount), bank_id=bank_id, **fields)


def statement(*lines: StatementLine, **fields: Any) -> Statement:
    """Make a statement of a checking account in euros; *fields* say otherwise."""
    numbered = tuple(
        StatementLine(**{name: getattr(each, name) for name in each.__slots__} | {"number": number})
        for number, each in enumerate(lines, start=1)
    )
    values: dict[str, Any] = {
        "bank": "99955500",
        "branch": None,
        "account": "4711",
        "account_kind": "CHECKING",
        "currency": "EUR",
        "lines": numbered,
    }
    return Statement(**values | fields)


def file(*statements: Statement, name: str = "bank.ofx") -> StatementFile:
    """Make a file; equal statements make an equal one."""
    content = repr(statements).encode()
    return StatementFile(name, "ofx", "102", hashlib.sha256(content).hexdigest(), "Stadtbank", statements)


async def bring(uow: UnitOfWork, *lines: StatementLine, **fields: Any) -> StatementResult:
    """Import a file of one statement."""
    return (await import_statements(uow, file(statement(*lines, **fields)))).statements[0]


async def count(uow: UnitOfWork, model: type[Any]) -> int:
    """Count the rows of the ledger."""
    found = await uow.session.scalar(select(func.count()).where(model.ledger_id == uow.ledger_id))
    assert found is not None
    return found


async def balance(uow: UnitOfWork, name: str, currency: str = "EUR") -> str:
    """Give the balance of an account as it is written."""
    account = await uow.accounts.get_by_name(name, currency)
    assert account
    return f"{(await uow.accounts.balances(accounts=[account]))[account.id]:f}"


async def register(uow: UnitOfWork, name: str) -> list[RegisterLine]:
    """List the postings of an account with the balance after each."""
    account = await uow.accounts.get_by_name(name)
    assert account
    return [each async for each in uow.reports.register(account)]


async def stored_lines(uow: UnitOfWork) -> Sequence[StoredLine]:
    """List the lines in the order in which they were stored."""
    query = select(StoredLine).where(StoredLine.ledger_id == uow.ledger_id).order_by(StoredLine.id)
    return (await uow.session.scalars(query)).all()
