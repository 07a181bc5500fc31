"""What a bank sent, as it came: imports of files, their statements and their lines."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    FetchedValue,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from finance.models.base import Base


class Import(Base):
    """One file that was brought into the books, as a whole. All that changes is that it is undone, once."""

    __tablename__ = "imports"
    __table_args__ = (
        CheckConstraint("octet_length(file_sha256) = 32", name="file_sha256_length"),
        CheckConstraint("(undone_at IS NULL) = (undone_by IS NULL)", name="undone_by_known"),
    )

    ledger_id: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    file_name: Mapped[str]
    file_sha256: Mapped[bytes] = mapped_column(LargeBinary)
    #: "ofx", "qif", "csv", "mt940", "camt.053", ...
    format: Mapped[str]
    imported_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    imported_by: Mapped[str] = mapped_column(server_default=text("CURRENT_USER"))
    #: When what it had posted was reversed, and by which role; the database writes both.
    undone_at: Mapped[datetime | None] = mapped_column(server_onupdate=FetchedValue())
    undone_by: Mapped[str | None] = mapped_column(server_onupdate=FetchedValue())


class Statement(Base):
    """One account's part of a bank file, imported once. It never changes."""

    __tablename__ = "statements"
    __table_args__ = (
        ForeignKeyConstraint(["ledger_id", "account_id"], ["accounts.ledger_id", "accounts.id"]),
        ForeignKeyConstraint(["ledger_id", "import_id"], ["imports.ledger_id", "imports.id"]),
        CheckConstraint("octet_length(file_sha256) = 32", name="file_sha256_length"),
        Index(None, "ledger_id", "bank_account", "bank", "id"),
        Index(None, "ledger_id", "account_id", "id"),
        Index(None, "ledger_id", "import_id"),
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
    #: The import that brought it.
    import_id: Mapped[int | None]


class StatementLine(Base):
    """One line of a statement as it came, and the journal entry that it became. It can be marked as undone, once."""

    __tablename__ = "statement_lines"
    __table_args__ = (
        # A line whose import was undone is kept, and may come again.
        Index(
            "uq_statement_lines_ledger_id_account_id_fingerprint_occurrence",
            "ledger_id",
            "account_id",
            "fingerprint",
            "occurrence",
            unique=True,
            postgresql_where=text("undone_at IS NULL"),
        ),
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
    #: "cash", or "security" for what is no amount of money in the account's currency, with amount 0.
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
    #: None for a line of amount zero, for a movement of securities that posts nothing, and for one that was matched
    #: with an entry that was there before it.
    entry_id: Mapped[uuid.UUID | None]
    #: When its import was undone; the database writes the instant.
    undone_at: Mapped[datetime | None] = mapped_column(server_onupdate=FetchedValue())
