"""Which account of the books a bank's account is."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from sqlalchemy import select

from finance import models
from finance.errors import InvalidError, StatementFileError
from finance.integrity import translated
from finance.models import AccountType
from finance.repositories import is_not_undone
from finance.statements.booking import EXPENSES, INCOME
from finance.statements.identifying import identify
from finance.statements.statement import Statement, StatementFile
from finance.unit_of_work import UnitOfWork

_UNKNOWN_KIND = "Assets:Bank"
_BY_KIND = {
    "CHECKING": "Assets:Checking",
    "SAVINGS": "Assets:Savings",
    "MONEYMRKT": "Assets:Money Market",
    "CD": "Assets:Deposits",
    "INVESTMENT": "Assets:Investments",
    "CREDITLINE": "Liabilities:Credit Line",
    "CREDITCARD": "Liabilities:Credit Card",
    "CASH": "Assets:Cash",
    "OTHERASSET": "Assets:Other",
    "OTHERLIABILITY": "Liabilities:Other",
}


def opens(statement: Statement) -> bool:
    """Tell whether *statement* opens an account: one without currency and lines is merely listed by the file."""
    return statement.currency is not None or bool(statement.lines)


def type_of(statement: Statement, name: str) -> AccountType | None:
    """Return the type of the account *name* of *statement*, where the name does not say it itself."""
    if name.split(":", 1)[0] in ("Assets", "Liabilities"):
        return None
    by_kind = _BY_KIND.get(statement.account_kind or "", _UNKNOWN_KIND)
    return AccountType.LIABILITY if by_kind.startswith("Liabilities:") else AccountType.ASSET


async def place(uow: UnitOfWork, file: StatementFile, wanted: str | None) -> list[str]:
    """Return the name of the account of each statement of *file*, in their order.

    It is the account that the bank's account was imported into before; else the one whose details have its IBAN, or
    its bank and number; else *wanted*; else a name made from its kind and number, with a number in brackets where
    another bank's account has that name already. A file that names no account, as QIF and CSV may, needs *wanted*
    each time.

    Raises:
        StatementFileError: The file names no account, and *wanted* does not either; or details of accounts say of
            several that they are the one, or of one in another currency.
        InvalidError: *wanted* names one account for a file of several, or another than the one before or by the
            details, or an account of the importer's own.

    Database:
        Up to five SELECTs for each statement.
    """
    _check_wanted(file, wanted)
    if wanted is None and not all(statement.account for statement in file.statements):
        raise StatementFileError(
            file.name, "it does not say of which account it is; name one with account= or --account"
        )
    owners: dict[str, Statement] = {}
    names = []
    for statement in file.statements:
        name = await _name(uow, statement, wanted if opens(statement) else None, owners, file.name)
        owners.setdefault(name, statement)
        names.append(name)
    return names


def _check_wanted(file: StatementFile, wanted: str | None) -> None:
    if wanted is None:
        return
    if wanted in (INCOME, EXPENSES):
        raise InvalidError(f"{wanted!r} takes the other side of each line: name the account that the file is about")
    if wanted.split(":", 1)[0] in ("Income", "Expenses", "Equity"):
        raise InvalidError(f"{wanted!r} is no account of a bank: name one under Assets or Liabilities")
    accounts = {_identity(statement) for statement in file.statements if opens(statement)}
    if len(accounts) > 1:
        raise InvalidError(
            f"{file.name} has {len(accounts)} accounts, and {wanted!r} can be the name of one only: leave the name out,"
            " and each is named by its kind and number"
        )


def _identity(statement: Statement) -> tuple[str | None, str, str | None]:
    return statement.bank, statement.account, statement.account_kind


async def _name(
    uow: UnitOfWork, statement: Statement, wanted: str | None, owners: dict[str, Statement], file: str
) -> str:
    if not statement.account:  # a file that names no account is of whichever it is brought into, each time
        return wanted or ""
    before = await _name_before(uow, statement)
    if wanted is not None and before not in (None, wanted):
        raise InvalidError(
            f"this bank account was imported into {before!r} before, and cannot go into {wanted!r} now:"
            " leave the name out, or rename that account"
        )
    known = before or await _name_by_details(uow, statement, wanted, owners, file) or wanted
    if known:
        return known
    for name in _candidates(statement):
        if not await _is_of_another(uow, name, statement, owners):
            return name
    raise AssertionError("the names do not end")


async def _name_before(uow: UnitOfWork, statement: Statement) -> str | None:
    """Return the account that the bank's account was imported into before.

    Some banks give one number to a customer's accounts of several kinds. The name that an account of another
    kind was given says that this is one of those.
    """
    latest = await uow.statements.latest_for(bank=statement.bank, bank_account=statement.account)
    if latest is None:
        return None
    account = await uow.accounts.get_one(latest.account_id)
    return None if _is_named_for_another_kind(account.name, statement) else account.name


def _is_named_for_another_kind(name: str, statement: Statement) -> bool:
    others = _BY_KIND.keys() - {statement.account_kind} if statement.account_kind in _BY_KIND else ()
    return name in {_named(_BY_KIND[kind], statement) for kind in others}


async def _name_by_details(
    uow: UnitOfWork, statement: Statement, wanted: str | None, owners: dict[str, Statement], file: str
) -> str | None:
    """Return the account that its details say it is. One in another currency is left to *wanted*, or refused."""
    account = await identify(uow, statement, file)
    if account is None or _is_named_for_another_kind(account.name, statement):
        return None
    if statement.currency not in (None, account.currency):
        if wanted is not None:
            return None
        raise StatementFileError(
            file,
            f"it is in {statement.currency}, and by its details of {account.name!r}, which holds {account.currency};"
            " name an account with account= or --account",
        )
    if wanted not in (None, account.name):
        raise InvalidError(f"by its details this bank account is {account.name!r}, and not {wanted!r}: leave it out")
    owner = owners.get(account.name, statement)
    if owner.account_kind != statement.account_kind:
        raise StatementFileError(
            file,
            f"accounts of two kinds in it have the number that the details of {account.name!r} have: remove"
            " the number from those",
        )
    return account.name


def _candidates(statement: Statement) -> Iterator[str]:
    name = _named(_BY_KIND.get(statement.account_kind or "", _UNKNOWN_KIND), statement)
    yield name
    for number in itertools.count(2):
        yield f"{name} ({number})"


def _named(parent: str, statement: Statement) -> str:
    # A colon would end the segment, and white space is never at its ends.
    number = " ".join(statement.account.replace(":", "-").split())
    return f"{parent}:{number or 'Unnamed'}"


async def _is_of_another(uow: UnitOfWork, name: str, statement: Statement, owners: dict[str, Statement]) -> bool:
    """Tell whether the account *name* belongs to another bank's account, in the books or earlier in this file."""
    if name in owners:
        owner = owners[name]
        return _differ(owner.bank, owner.account, statement)
    imported = (
        select(models.Statement.bank, models.Statement.bank_account)
        .join(models.Account, models.Account.id == models.Statement.account_id)
        .where(models.Account.ledger_id == uow.ledger_id, models.Account.name == name, is_not_undone())
        .order_by(models.Statement.id.desc())
        .limit(1)
    )
    with translated():
        latest = (await uow.session.execute(imported)).first()
    return latest is not None and _differ(latest.bank, latest.bank_account, statement)


def _differ(bank: str | None, number: str | None, statement: Statement) -> bool:
    """Tell whether these are two accounts. A bank that is not named, as with cards, is not another one."""
    return number != statement.account or (None not in (bank, statement.bank) and bank != statement.bank)
