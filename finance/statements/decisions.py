"""What an import does with each line of a file, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal
from uuid import UUID

from finance.repositories import LineOrigin
from finance.statements.fingerprint import CountedLine

Decision = Literal["new", "known", "matched", "refused"]


@dataclass(frozen=True, slots=True)
class LineDecision:
    """What an import does with a line of a statement.

    Attributes:
        number: The line's place in its statement, from 1.
        date: As the bank wrote it.
        amount: As the bank wrote it.
        text: Its payee, or else its memo, for people.
        decision: "new" is stored and posted; "known" was stored by an earlier import; "matched" is stored and taken for
            an entry that is there; "refused" keeps the whole file out.
        counter: The account that takes the other side; None where nothing is posted.
        payee: The payee that a rule proposes.
        tags: The tags that a rule proposes.
        rule: The id of the rule that decided; None where none did.
        entry: The entry that is there already: of a matched line its own, of a new one the entry that it may be.
        reason: Why it is known, matched or refused, or posts nothing.
    """

    number: int
    date: date
    amount: Decimal
    text: str
    decision: Decision
    counter: str | None = None
    payee: str | None = None
    tags: tuple[str, ...] = ()
    rule: int | None = None
    entry: UUID | None = None
    reason: str | None = None


def why_known(counted: CountedLine, origins: Mapping[tuple[bytes, int], LineOrigin]) -> str:
    """Say with which stored line *counted* is one, and by what it was recognised."""
    marks = "the bank's id, date and amount" if counted.line.bank_id else "date, amount, payee and memo"
    nth = f", number {counted.occurrence} of its equals" if counted.occurrence > 1 else ""
    origin = origins.get((counted.fingerprint, counted.occurrence))
    where = f"line {origin.number} of {origin.file}, imported {origin.imported_at:%Y-%m-%d}" if origin else "a line"
    return f"{marks} are those of {where}{nth}"
