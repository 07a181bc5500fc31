"""Applying rules to what lies in the accounts that take whatever nobody has sorted."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from itertools import groupby
from uuid import UUID

from finance.connection import Record
from finance.identifiers import uuid7
from finance.models import NewEntry, NewPosting
from finance.repositories import Labels, Proposal, RuledLine
from finance.repositories.matching import IS_REVERSED
from finance.statements.booking import EXPENSES, INCOME, labels_of
from finance.statements.turns import take_turn
from finance.unit_of_work import UnitOfWork

# Entries of two postings, of which one is on such an account: the other is what a bank's line would be. Its texts are
# the line's, or else the entry's own.
_UNSORTED = f"""
SELECT e.id, e.date, e.description, e.metadata::text AS details, u.account_id AS unsorted_id, ua.name AS unsorted,
       p.line, p.account_id, a.name AS account, p.currency, p.amount, p.memo,
       coalesce(l.payee, e.description) AS payee, coalesce(l.memo, p.memo, '') AS text,
       e.payee_id IS NOT NULL AS has_payee,
       array(SELECT t.name FROM entry_tags AS g JOIN tags AS t ON t.ledger_id = $1 AND t.id = g.tag_id
              WHERE g.ledger_id = $1 AND g.entry_id = e.id ORDER BY t.name) AS tags
  FROM postings AS u
  JOIN accounts AS ua ON ua.ledger_id = $1 AND ua.id = u.account_id
  JOIN journal_entries AS e ON e.ledger_id = $1 AND e.id = u.entry_id
  JOIN postings AS p ON p.ledger_id = $1 AND p.entry_id = u.entry_id AND p.line <> u.line
  JOIN accounts AS a ON a.ledger_id = $1 AND a.id = p.account_id
  JOIN ledgers AS b ON b.id = $1
  LEFT JOIN matches AS m ON m.ledger_id = $1 AND m.entry_id = e.id AND m.posting = p.line
  LEFT JOIN statement_lines AS l ON l.ledger_id = $1 AND l.id = m.line_id
 WHERE u.ledger_id = $1 AND u.account_id = ANY ($2) AND p.account_id <> u.account_id AND p.amount = -u.amount
   AND e.kind = 'normal' AND NOT {IS_REVERSED.format(entry="e.id")}
   AND (b.closed_through IS NULL OR e.date > b.closed_through)
   AND NOT EXISTS (SELECT FROM postings AS o WHERE o.ledger_id = $1 AND o.entry_id = e.id AND o.line > 2)
 ORDER BY p.account_id, e.date, e.id
"""  # noqa: S608 - our own names


@dataclass(frozen=True, slots=True)
class RuledEntry:
    """An entry that a rule decided on.

    Attributes:
        entry_id: The entry, as it was.
        date: Its day.
        description: Its description.
        account: The account whose posting the rule looked at.
        currency: Of that account.
        amount: That posting's.
        counter: The account that takes the other side from now on.
        payee: The payee that it gets; None where the rule proposes none, or it has one.
        tags: The tags that it gets beside its own.
        rule: The rule's id.
        replacement_id: The entry that replaces it; None where only payee and tags were given, and in a dry run.
    """

    entry_id: UUID
    date: date
    description: str
    account: str
    currency: str
    amount: Decimal
    counter: str
    payee: str | None
    tags: tuple[str, ...]
    rule: int
    replacement_id: UUID | None


async def apply_rules(uow: UnitOfWork, *, dry_run: bool = False) -> tuple[RuledEntry, ...]:
    """Apply the rules to what lies in "Income:Uncategorised" and "Expenses:Uncategorised".

    An entry for which the first rule that is true names another account is amended: its reversal and its replacement
    are posted, and its history is kept. It gets the payee unless it has one, and the tags beside its own. Entries of
    more than two postings, and those of a closed period, are left as they are.

    Args:
        uow: The unit of work; an error undoes what this call did in it, and no more.
        dry_run: Write nothing, and say what would be done.

    Raises:
        FinanceError: As `uow.journal.amend()`.

    Database:
        It takes turns with imports. One SELECT, two for each account, and for each entry what `uow.journal.amend()` and
        `uow.journal.label_many()` take.
    """
    async with uow.savepoint():
        await take_turn(uow)
        unsorted = [each.id async for each in uow.accounts.stream() if each.name in (INCOME, EXPENSES)]
        rows = await uow.connection.fetch(_UNSORTED, uow.ledger_id, unsorted)
        decided = [pair async for pair in _proposals(uow, rows)]
        replaced = {} if dry_run else await _replace(uow, decided)
        return tuple(_told(row, proposal, replaced.get(row["id"])) for row, proposal in decided)


async def _proposals(uow: UnitOfWork, rows: Sequence[Record]) -> AsyncIterator[tuple[Record, Proposal]]:
    """Yield each entry that a rule would change, with what of its proposal is new to it."""
    for account_id, found in groupby(rows, key=lambda row: row["account_id"]):
        of_account = list(found)
        lines = [RuledLine(number, row["amount"], row["payee"], row["text"]) for number, row in enumerate(of_account)]
        proposals = await uow.rules.propose(lines, account=account_id, currency=of_account[0]["currency"])
        for number, proposal in sorted(proposals.items()):
            left = _new_of(of_account[number], proposal)
            if left.counter is not None or left.payee is not None or left.tags:
                yield of_account[number], left


def _new_of(row: Record, proposal: Proposal) -> Proposal:
    return replace(
        proposal,
        counter=None if proposal.counter in (row["unsorted"], row["account"]) else proposal.counter,
        payee=None if row["has_payee"] else proposal.payee,
        tags=tuple(tag for tag in proposal.tags if tag not in row["tags"]),
    )


async def _replace(uow: UnitOfWork, decided: Sequence[tuple[Record, Proposal]]) -> dict[UUID, UUID]:
    """Amend and label the entries, and return the ids of the replacements by those of what they replace."""
    replaced: dict[UUID, UUID] = {}
    labels: dict[UUID, Labels] = {}
    for row, proposal in decided:
        entry_id = row["id"]
        if proposal.counter is not None:
            entry = await _replacement(uow, row, proposal)
            await uow.journal.amend(entry_id, entry)
            replaced[entry_id] = entry_id = entry.id
        if (label := labels_of(replace(proposal, tags=proposal.tags and (*row["tags"], *proposal.tags)))) is not None:
            labels[entry_id] = label
    await uow.journal.label_many(labels)
    return replaced


async def _replacement(uow: UnitOfWork, row: Record, proposal: Proposal) -> NewEntry:
    counter = await uow.accounts.get_or_open(str(proposal.counter), currency=row["currency"])
    postings = [
        NewPosting(row["account_id"], row["amount"], row["memo"]),
        NewPosting(counter, row["amount"].copy_negate()),
    ]
    details = {**json.loads(row["details"]), "rule": proposal.rule}
    return NewEntry(row["date"], row["description"], postings, id=uuid7(), details=details)


def _told(row: Record, proposal: Proposal, replacement_id: UUID | None) -> RuledEntry:
    return RuledEntry(
        entry_id=row["id"],
        date=row["date"],
        description=row["description"],
        account=row["account"],
        currency=row["currency"],
        amount=row["amount"],
        counter=proposal.counter or row["unsorted"],
        payee=proposal.payee,
        tags=proposal.tags,
        rule=proposal.rule,
        replacement_id=replacement_id,
    )
