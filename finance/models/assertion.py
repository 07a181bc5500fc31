"""Assertions: balances that somebody claims. They are judged against the books, and constrain nothing."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import cast

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from finance.errors import InvalidError
from finance.models.account import Account
from finance.models.base import Base
from finance.models.new_entry import require_account, require_text
from finance.money import Amount, exact


class AssertionKind(enum.StrEnum):
    """Who claims it: a statement, by one of its balances, or a user."""

    OPENING = "opening"
    #: A balance that a statement gives between its lines.
    RUNNING = "running"
    CLOSING = "closing"
    #: How much of a security a broker says is there.
    POSITION = "position"
    HAND = "hand"


class Assertion(Base):
    """What an account had at the end of the day `date`, as somebody claims. One of a statement stays for ever."""

    __tablename__ = "assertions"
    __table_args__ = (
        ForeignKeyConstraint(["ledger_id", "account_id"], ["accounts.ledger_id", "accounts.id"]),
        ForeignKeyConstraint(["ledger_id", "statement_id"], ["statements.ledger_id", "statements.id"]),
        CheckConstraint("kind IN ('opening', 'running', 'closing', 'position', 'hand')", name="kind_known"),
        CheckConstraint("(kind = 'hand') = (statement_id IS NULL)", name="statement_known"),
        CheckConstraint("abs(amount) < 1e24", name="amount_finite"),
        CheckConstraint("date BETWEEN '0001-01-01' AND '9999-12-31'", name="date_of_calendar"),
        Index(None, "ledger_id", "account_id", "date"),
    )

    ledger_id: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    account_id: Mapped[int]
    date: Mapped[date]
    #: In the currency of the account, signed as its balance is.
    amount: Mapped[Decimal]
    kind: Mapped[str] = mapped_column(server_default=text("'hand'"))
    statement_id: Mapped[int | None]
    note: Mapped[str] = mapped_column(server_default=text("''"))
    recorded_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    recorded_by: Mapped[str] = mapped_column(server_default=text("CURRENT_USER"))


@dataclass(frozen=True, slots=True)
class NewAssertion:
    """A balance to assert: at the end of the day *date*, *account* had *amount*.

    Args:
        account: The account, or its id.
        date: The day at whose end it holds.
        amount: A Decimal, int or string, signed as the balance is: what is owed is negative.
        note: Who says so, for people.

    Raises:
        AmountError: The amount is a float, not finite or too large.
        InvalidError: The account is neither an Account nor an id, the date not a plain day, or the note no text.
    """

    account: Account | int
    date: date
    amount: Amount
    note: str = ""

    def __post_init__(self) -> None:
        require_account(self.account)
        if not isinstance(self.date, date) or isinstance(self.date, datetime):
            raise InvalidError(f"date {self.date!r}: give a datetime.date, the day at whose end the balance holds")
        object.__setattr__(self, "amount", exact(self.amount))
        require_text("the note", self.note)

    @property
    def value(self) -> Decimal:
        """The amount as the Decimal that it was made into."""
        return cast("Decimal", self.amount)

    @property
    def account_id(self) -> int:
        """The id of the account."""
        return self.account.id if isinstance(self.account, Account) else self.account
