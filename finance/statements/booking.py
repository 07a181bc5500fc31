"""What a line of a statement becomes: a journal entry, and the row that keeps it as it came."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any
from uuid import UUID

from finance.models import Account, NewEntry, NewPosting
from finance.money import decimals
from finance.repositories import Candidate, Labels, Proposal
from finance.statements.fingerprint import CountedLine
from finance.statements.statement import Statement, StatementLine

#: The accounts that take the other side of each line, until somebody sorts them.
INCOME = "Income:Uncategorised"
EXPENSES = "Expenses:Uncategorised"


def moves_money(line: StatementLine, statement: Statement) -> bool:
    """Tell whether *line* is posted: a line of amount zero, a movement of securities and what is kept are not."""
    return line.kind == "cash" and line.amount != 0 and why_kept(line, statement) is None


def why_kept(line: StatementLine, statement: Statement) -> str | None:
    """Say why a *line* of money is kept as it came and posts nothing; None where it posts.

    What a line moved on an account in another currency is not stated to the last digit, and nothing is rounded. A
    correction would be in the books beside what it corrects.
    """
    if line.kind != "cash" or not line.amount:
        return None
    if line.currency not in (None, statement.currency):
        return (
            f"its amount is in {line.currency}, its account in {statement.currency},"
            " and what it moved on the account is not stated exactly"
        )
    if line.corrects is not None:
        return f"it corrects the line with the bank's id {line.corrects}, whose entry is yours to amend or reverse"
    return None


def counter_name(line: StatementLine) -> str:
    """Return the name of the account that takes the other side of *line* where no rule says another."""
    return INCOME if line.amount > 0 else EXPENSES


def why_refused(line: StatementLine, statement: Statement, exponent: int) -> str | None:
    """Say why *line* cannot be posted to an account in the currency of *statement*, which has *exponent* decimals.

    Returns:
        Which line and why; None where it can be posted.
    """
    if decimals(line.amount) <= exponent:
        return None
    bank_id = f" (bank's id {line.bank_id})" if line.bank_id else ""
    reason = f"amount {line.amount:f} has more than the {exponent} decimals of {statement.currency}"
    return f"transaction {line.number}{bank_id} of {line.date}: {reason}"


def entry_of(
    line: StatementLine, account: Account, counter: Account, entry_id: UUID, rule: int | None = None
) -> NewEntry:
    """Make the entry that moves the amount of *line* between the bank's *account* and *counter*.

    Its details name the *rule* that decided on the counter-account.
    """
    description = line.payee or line.memo or line.type or ""
    memo = line.memo if line.memo != description else None
    # Changing the sign by arithmetic would round to 28 digits.
    postings = [NewPosting(account, line.amount, memo), NewPosting(counter, line.amount.copy_negate())]
    return NewEntry(line.date, description, postings, id=entry_id, details={} if rule is None else {"rule": rule})


def labels_of(proposal: Proposal) -> Labels | None:
    """Return the payee and the tags that *proposal* gives to an entry; None where it gives neither."""
    given: dict[str, Any] = {}
    if proposal.payee is not None:
        given["payee"] = proposal.payee
    if proposal.tags:
        given["tags"] = proposal.tags
    return Labels(**given) if given else None


def row_of(
    counted: CountedLine, entry: NewEntry | None, match: Candidate | None = None, *, is_kept: bool = False
) -> dict[str, Any]:
    """Return the columns of `statement_lines` for a line that became *entry*, or is the posting *match*.

    One that *is_kept* has no amount in the account's currency, as a movement of securities: `raw` has what it says.
    """
    line = counted.line
    return {
        "number": line.number,
        "date": line.date,
        "amount": Decimal(0) if is_kept else line.amount,
        "kind": "security" if is_kept else line.kind,
        "bank_id": line.bank_id,
        "type": line.type,
        "payee": line.payee,
        "memo": line.memo,
        "check_number": line.check_number,
        "raw": json.dumps(dict(line.raw), ensure_ascii=False),
        "fingerprint": counted.fingerprint,
        "occurrence": counted.occurrence,
        "entry_id": None if entry is None else entry.id,
        "matched_id": None if match is None else match.entry_id,
        "posting": None if match is None else match.posting,
    }
