"""What an import did."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from finance.statements.decisions import LineDecision


@dataclass(frozen=True, slots=True)
class StatementResult:
    """What became of one statement of a file.

    Attributes:
        account: The account of the books; for an account that the file merely lists, the one that it would get.
        currency: None for an account that the file merely lists: it was not opened.
        lines: How many the statement has.
        added: How many of them were new; the others were stored by an earlier import.
        sum: Of all its cash lines, new or not, with the decimals as written.
        opening_balance: What the bank says, None where it does not.
        closing_balance: What the bank says, None where it does not.
        closing_on: The day at whose end the closing balance holds; None: after all that is posted.
        books_balance: The account's balance in the books at the same time; None without a closing balance, and where a
            later statement of the file closes on the same day, as the next page of an MT940 does.
        securities: How many lines move securities in a way that is not known, or not in the currency of the account:
            they are stored and not posted.
        kept: How many lines of money are stored and post nothing: in another currency than the account, or a correction
            of an earlier line.
        pending: How many lines the bank announces as not booked yet; they are left out.
        matched: How many of the new lines were taken for entries that were there, and posted nothing.
        possible_matches: How many of the lines that were posted may be entries that were there: of the same amount on
            the same account, a few days apart.
        decisions: What a dry run found of each line; empty otherwise.
        adds_up: Whether the bank's opening balance and all lines lead to its closing balance; None without both.
    """

    account: str
    currency: str | None
    lines: int
    added: int
    sum: Decimal
    opening_balance: Decimal | None = None
    closing_balance: Decimal | None = None
    closing_on: date | None = None
    books_balance: Decimal | None = None
    securities: int = 0
    kept: int = 0
    pending: int = 0
    adds_up: bool | None = None
    matched: int = 0
    possible_matches: int = 0
    decisions: tuple[LineDecision, ...] = field(default=(), repr=False)

    @property
    def duplicates(self) -> int:
        """How many of its lines were stored by an earlier import."""
        return self.lines - self.added - self.refused

    @property
    def refused(self) -> int:
        """How many of its lines keep the file out, which a dry run counts; an import raises on the first."""
        return sum(each.decision == "refused" for each in self.decisions)

    @property
    def closing_balance_matches(self) -> bool | None:
        """Whether the books agree with the bank; None where there is nothing to compare."""
        return None if self.books_balance is None else self.closing_balance == self.books_balance


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What became of a file: its name, its format, and each of its statements in the order of the file.

    `id` is that of the import, by which it can be undone; None where nothing was stored, as in a dry run. `remarks` are
    the file's own.
    """

    file: str
    format: str
    statements: tuple[StatementResult, ...]
    id: int | None = None
    is_dry_run: bool = False
    remarks: tuple[str, ...] = ()

    @property
    def added(self) -> int:
        """How many lines were new."""
        return sum(statement.added for statement in self.statements)

    @property
    def refused(self) -> int:
        """How many lines keep the file out; of a dry run."""
        return sum(statement.refused for statement in self.statements)
