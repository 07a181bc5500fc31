"""Holds: value that is about to leave an account, reserved until an entry takes it."""

from __future__ import annotations

import enum
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from finance.errors import AmountError, InvalidError
from finance.identifiers import uuid7
from finance.models.account import Account
from finance.models.base import Base
from finance.models.new_entry import require_account, require_text
from finance.money import Amount, exact


class HoldStatus(enum.StrEnum):
    """What became of a hold. A closed one stays what it is."""

    OPEN = "open"
    SETTLED = "settled"
    RELEASED = "released"
    EXPIRED = "expired"


class Hold(Base):
    """Value that is about to leave an account: while it is open, the account's limits count it as gone.

    It is placed open, and closed once: settled by the entry that takes what was held or a part of it,
    released, or expired. It has no foreign keys, as postings have none: the triggers that keep
    `Account.held` prove the same (docs/decisions/0019-holds-settled-by-entries.md).
    """

    __tablename__ = "holds"
    __table_args__ = (
        CheckConstraint("amount > 0", name="amount_positive"),
        CheckConstraint("amount < 1e24", name="amount_finite"),
        CheckConstraint("isfinite(expires_at)", name="expires_at_finite"),
        CheckConstraint("status IN ('open', 'settled', 'released', 'expired')", name="status_known"),
        CheckConstraint("(status = 'open') = (closed_at IS NULL)", name="closed_at_known"),
        CheckConstraint("(status = 'settled') = (entry_id IS NOT NULL)", name="settled_names_entry"),
        CheckConstraint(
            "settled_amount IS NULL OR (status = 'settled' AND settled_amount > 0 AND settled_amount <= amount)",
            name="settled_amount",
        ),
        # The open ones of an account, those first that expire first; and whatever is over.
        *(
            Index(None, "ledger_id", *columns, "expires_at", postgresql_where=text("status = 'open'"))
            for columns in (["account_id"], [])
        ),
    )

    ledger_id: Mapped[int] = mapped_column(primary_key=True)
    #: Made by the client (UUIDv7 unless it gives its own): the key under which placing is done exactly once.
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    account_id: Mapped[int]
    #: More than zero, in `currency`.
    amount: Mapped[Decimal]
    #: The currency of its account.
    currency: Mapped[str]
    description: Mapped[str] = mapped_column(server_default=text("''"))
    #: From this instant it holds nothing any more, whether or not it is marked as expired; None for no end.
    expires_at: Mapped[datetime | None]
    status: Mapped[str] = mapped_column(server_default=text("'open'"))
    #: The entry that settled it.
    entry_id: Mapped[uuid.UUID | None]
    #: What that entry took; the database writes it when the entry is committed.
    settled_amount: Mapped[Decimal | None]
    placed_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    placed_by: Mapped[str] = mapped_column(server_default=text("CURRENT_USER"))
    closed_at: Mapped[datetime | None]

    def __repr__(self) -> str:
        return f"Hold(id={self.id}, account_id={self.account_id}, status={self.status!r})"


@dataclass(frozen=True, slots=True)
class NewHold:
    """Value of an account to reserve.

    Args:
        account: The account that the value will leave, or its id.
        amount: A Decimal, int or string, in major units of the account's currency; more than zero.
        description: What it is for.
        expires_at: The instant from which it holds nothing any more; None for no end.
        id: The key under which it is placed exactly once: the same id with the same content is told as
            a replay, with other content refused. A new UUIDv7 unless given.

    Raises:
        AmountError: The amount is a float, not more than zero, not finite or too large.
        InvalidError: The account, the description, the instant or the id is not what it must be.
    """

    account: Account | int
    amount: Amount
    description: str = ""
    expires_at: datetime | None = None
    id: uuid.UUID = field(default_factory=uuid7)

    def __post_init__(self) -> None:
        require_account(self.account)
        if exact(self.amount) <= 0:
            raise AmountError(self.amount, "a hold holds more than zero")
        require_text("the description", self.description)
        if self.expires_at is not None and (
            not isinstance(self.expires_at, datetime) or self.expires_at.utcoffset() is None
        ):
            raise InvalidError(f"expires_at {self.expires_at!r}: give a datetime with its time zone, or None")
        if not isinstance(self.id, uuid.UUID):
            raise InvalidError(f"id {self.id!r}: give a uuid.UUID")
        object.__setattr__(self, "amount", exact(self.amount))

    @property
    def value(self) -> Decimal:
        """The amount as the Decimal that it was made into."""
        return exact(self.amount)

    @property
    def account_id(self) -> int:
        """The id of the account."""
        return self.account.id if isinstance(self.account, Account) else self.account
