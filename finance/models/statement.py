"""What a bank sent, as it came: statements and their lines."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from finance.models.base import Base


class Statement(Base):
    """One account's part of a bank file, imported once. It never changes."""

    __tablename__ = "statements"
    __table_args__ = (
        ForeignKeyConstraint(["ledger_id", "account_id"], ["accounts.ledger_id", "accounts.id"]),
        CheckConstraint("octet_length(file_sha256) = 32", name="file_sha256_length"),
        Index(None, "ledger_id", "bank_account", "bank", "id"),
        Index(None, "ledger_id", "account_id", "id"),
    )

    ledger_id: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    #: The account of the books that it belongs to.
    account_id: Mapped[int]
    file_name: Mapped[str]
    file_sha256: Mapped[bytes] = mapped_column(LargeBinary)
    #: "ofx", "qif", "csv", "mt940", "camt.053", ..., and the version that the file states.
    format: Mapped[str]
    format_version: Mapped[str | None]
    #: How the bank names itself and the account.
    bank: Mapped[str | None]
    bank_account: Mapped[str | None]
    currency: Mapped[str]
    starts_on: Mapped[date | None]
    ends_on: Mapped[date | None]
    #: What the bank says; an assertion to report on, never a constraint.
    opening_balance: Mapped[Decimal | None]
    closing_balance: Mapped[Decimal | None]
    closing_on: Mapped[date | None]
    imported_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))


class StatementLine(Base):
    """One line of a statement, raw and immutable, and the journal entry that it became."""

    __tablename__ = "statement_lines"
    __table_args__ = (
        UniqueConstraint("ledger_id", "account_id", "fingerprint", "occurrence"),
        ForeignKeyConstraint(["ledger_id", "statement_id"], ["statements.ledger_id", "statements.id"]),
        ForeignKeyConstraint(["ledger_id", "account_id"], ["accounts.ledger_id", "accounts.id"]),
        ForeignKeyConstraint(["ledger_id", "entry_id"], ["journal_entries.ledger_id", "journal_entries.id"]),
        CheckConstraint("kind IN ('cash', 'security')", name="kind_known"),
        CheckConstraint("abs(amount) < 1e24", name="amount_finite"),
        CheckConstraint("occurrence > 0", name="occurrence_positive"),
        CheckConstraint("octet_length(fingerprint) = 32", name="fingerprint_length"),
        Index(None, "ledger_id", "statement_id", "number"),
        Index(None, "ledger_id", "entry_id"),
    )

    ledger_id: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    statement_id: Mapped[int]
    #: Its place in the statement, from 1.
    number: Mapped[int] = mapped_column(Integer)
    account_id: Mapped[int]
    date: Mapped[date]
    amount: Mapped[Decimal]
    currency: Mapped[str]
    #: "cash", or "security" for a movement of securities, which is kept but not posted.
    kind: Mapped[str]
    #: The bank's own identifier of the line (FITID, AcctSvcrRef, ...).
    bank_id: Mapped[str | None]
    type: Mapped[str | None]
    payee: Mapped[str | None]
    memo: Mapped[str | None]
    check_number: Mapped[str | None]
    #: Every element of the line, by its tag, as it came.
    raw: Mapped[dict[str, Any]]
    #: SHA-256 of what makes the line the same line in another file; equal lines are told apart by `occurrence`.
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    #: The how-manieth of the lines with this fingerprint it is in its file, from 1.
    occurrence: Mapped[int] = mapped_column(Integer)
    #: None for a line of amount zero and for a movement of securities: they post nothing.
    entry_id: Mapped[uuid.UUID | None]
