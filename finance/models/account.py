"""A place that holds value in one currency."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    FetchedValue,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, validates

from finance.errors import SealedError
from finance.models.account_details import AccountDetails
from finance.models.base import Base
from finance.money import total


class AccountType(enum.StrEnum):
    """The five kinds of account. Assets and expenses grow by debits, the others by credits."""

    ASSET = "asset"
    LIABILITY = "liability"
    EQUITY = "equity"
    INCOME = "income"
    EXPENSE = "expense"


class Account(Base):
    """A place that holds value in one currency. One name may hold several currencies, as several accounts.

    `balance` and `held` are kept by the database and only read here; so are `id`, `ledger_id` and `currency`,
    which never change. They are what they were when the row was read: posting does not change a row that one has.
    """

    __tablename__ = "accounts"
    __table_args__ = (
        UniqueConstraint("ledger_id", "name", "currency"),
        UniqueConstraint("id"),
        ForeignKeyConstraint(["ledger_id", "currency"], ["currencies.ledger_id", "currencies.code"]),
        ForeignKeyConstraint(["ledger_id", "parent_id"], ["accounts.ledger_id", "accounts.id"]),
        CheckConstraint("name = btrim(name) AND char_length(name) BETWEEN 1 AND 500", name="name_plain"),
        CheckConstraint("type IN ('asset', 'liability', 'equity', 'income', 'expense')", name="type_known"),
        CheckConstraint("purpose IN ('adjustments')", name="purpose_known"),
        CheckConstraint("abs(balance) < 1e30", name="balance_finite"),
        CheckConstraint("balance - held >= minimum_balance", name="minimum_balance"),
        CheckConstraint("balance <= maximum_balance", name="maximum_balance"),
        CheckConstraint("closed_on >= opened_on", name="closed_after_opened"),
        CheckConstraint("held >= 0 AND held < 1e30", name="held_finite"),
        CheckConstraint("closed_on IS NULL OR held = 0", name="closed_without_holds"),
        # Where adjustments are booked: one account for each currency.
        Index(
            "uq_accounts_adjustments",
            "ledger_id",
            "currency",
            unique=True,
            postgresql_where=text("purpose = 'adjustments'"),
        ),
        # What identifies an account to the outside, however an IBAN is written. Posting does not touch these: they
        # hold only what is given, and no column that changes with a balance.
        Index(
            "uq_accounts_iban",
            "ledger_id",
            text("upper(replace(metadata ->> 'iban', ' ', ''))"),
            unique=True,
            postgresql_where=text("(metadata ->> 'iban') IS NOT NULL"),
        ),
        Index(
            "uq_accounts_institution_number",
            "ledger_id",
            text("(metadata ->> 'institution')"),
            text("(metadata ->> 'number')"),
            unique=True,
            postgresql_where=text("(metadata ->> 'institution') IS NOT NULL AND (metadata ->> 'number') IS NOT NULL"),
        ),
        # Room on each page for the next versions of its rows: balances change often, and no index holds them.
        {"postgresql_with": {"fillfactor": "75"}},
    )

    ledger_id: Mapped[int] = mapped_column(ForeignKey("ledgers.id"), primary_key=True)
    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    parent_id: Mapped[int | None]
    #: Segments from the root to the leaf, joined by colons: "Assets:Bank:Checking".
    name: Mapped[str]
    type: Mapped[str]
    currency: Mapped[str]
    #: What the library uses the account for; None for the accounts of the user.
    purpose: Mapped[str | None]
    #: The sum of the account's postings, in `currency`: debits positive, credits negative.
    balance: Mapped[Decimal] = mapped_column(server_default=text("0"), server_onupdate=FetchedValue())
    #: The balance less what is held may not fall below this, whoever posts; None for no limit.
    minimum_balance: Mapped[Decimal | None]
    #: The balance may not rise above this, whoever posts; None for no limit.
    maximum_balance: Mapped[Decimal | None]
    opened_on: Mapped[date | None]
    #: A closed account takes no posting of any date until it is reopened.
    closed_on: Mapped[date | None]
    #: Free data about the account; they take no part in the books. Those named as in `AccountDetails` are verified.
    details: Mapped[dict[str, Any]] = mapped_column("metadata", server_default=text("'{}'"))
    #: Counts the changes of the fields above, not those of the balance.
    version: Mapped[int] = mapped_column(Integer, server_default=text("1"))
    created_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    #: The sum of the account's open holds, those counted in whose time is over and that nothing has closed yet.
    held: Mapped[Decimal] = mapped_column(server_default=text("0"), server_onupdate=FetchedValue())

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - the form that SQLAlchemy documents

    @property
    def available(self) -> Decimal:
        """What may still leave the account but for its limits: the balance without what is held."""
        return total([self.balance, self.held.copy_negate()])

    @property
    def identified_by(self) -> AccountDetails:
        """What identifies the account to the outside.

        Raises:
            InvalidError: Raw SQL wrote an IBAN or BIC that is none.
        """
        return AccountDetails.of(self.details)

    @validates("details")
    def _normalise(self, _key: str, details: Mapping[str, Any]) -> dict[str, Any]:
        return AccountDetails.of(details).within(details)

    @validates("balance")
    def _refuse_balance(self, _key: str, _value: object) -> None:
        raise SealedError("the balance of an account is kept by the database", "post an entry with uow.journal.post()")

    @validates("held")
    def _refuse_held(self, _key: str, _value: object) -> None:
        raise SealedError("what is held on an account is kept by the database", "place a hold with uow.holds.place()")

    def __repr__(self) -> str:
        return f"Account(id={self.id}, name={self.name!r}, currency={self.currency!r})"
