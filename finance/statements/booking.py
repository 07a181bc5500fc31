"""What a line of a statement becomes: a journal entry, and the row that keeps it as it came."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from finance.errors import StatementFileError
from finance.models import Account, NewEntry, NewPosting
from finance.money import decimals
from finance.statements.fingerprint import CountedLine
from finance.statements.statement import Statement, StatementLine

#: The accounts that take the other side of each line, until somebody sorts them.
INCOME = "Income:Uncategorised"
EXPENSES = "Expenses:Uncategorised"


def moves_money(line: StatementLine) -> bool:
    """Tell whether *line* is posted: a line of amount zero and a movement of securities are not."""
    return line.kind == "cash" and line.amount != 0


def counter_name(line: StatementLine) -> str:
    """Return the name of the account that takes the other side of *line*."""
    return INCOME if line.amount > 0 else EXPENSES


def check_bookable(line: StatementLine, statement: Statement, exponent: int, file: str) -> None:
    """Check that *line* can be posted to an account in the currency of *statement*, which has *exponent* decimals.

    Raises:
        StatementFileError: It cannot; says which line and why.
    """
    if line.currency not in (None, statement.currency):
        reason = (
            f"its amount is in {line.currency}, its account in {statement.currency};"
            " lines in several currencies are not supported yet"
        )
    elif decimals(line.amount) > exponent:
        reason = f"amount {line.amount:f} has more than the {exponent} decimals of {statement.currency}"
    else:
        return
    bank_id = f" (bank's id {line.bank_id})" if line.bank_id else ""
    raise StatementFileError(file, f"transaction {line.number}{bank_id} of {line.date}: {reason}; nothing was imported")


def entry_of(line: StatementLine, account: Account, counter: Account, entry_id: UUID) -> NewEntry:
    """Make the entry that moves the amount of *line* between the bank's *account* and *counter*."""
    description = line.payee or line.memo or line.type or ""
    memo = line.memo if line.memo != description else None
    # Changing the sign by arithmetic would round to 28 digits.
    postings = [NewPosting(account, line.amount, memo), NewPosting(counter, line.amount.copy_negate())]
    return NewEntry(line.date, description, postings, id=entry_id)


def row_of(counted: CountedLine, entry: NewEntry | None) -> dict[str, Any]:
    """Return the columns of `statement_lines` for a line that became *entry*."""
    line = counted.line
    return {
        "number": line.number,
        "date": line.date,
        "amount": line.amount,
        "kind": line.kind,
        "bank_id": line.bank_id,
        "type": line.type,
        "payee": line.payee,
        "memo": line.memo,
        "check_number": line.check_number,
        "raw": json.dumps(dict(line.raw), ensure_ascii=False),
        "fingerprint": counted.fingerprint,
        "occurrence": counted.occurrence,
        "entry_id": None if entry is None else entry.id,
    }
