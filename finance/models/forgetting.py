"""What was forgotten: ledgers that were erased, and entries and other rows whose words were redacted."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Identity, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from finance.models.base import Base

#: What stands where a description stood.
REDACTED = "[redacted]"


class Erasure(Base):
    """A ledger that was erased whole. Inserting a row erases the ledger that it names, and the row outlives it.

    Everything but the ledger's id is set by the database. Nothing in it is of persons but the role that did it.
    """

    __tablename__ = "erasures"

    ledger_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    erased_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    erased_by: Mapped[str] = mapped_column(server_default=text("CURRENT_USER"))
    #: The database transaction that does it: rows of committed books are deleted only there.
    erased_xid: Mapped[int] = mapped_column(server_default=text("0"))
    #: How many rows each table had of it, those without any left out.
    counts: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))

    def __repr__(self) -> str:
        return f"Erasure(ledger_id={self.ledger_id}, erased_at={self.erased_at})"


class Redaction(Base):
    """One act of redacting, in the transaction in which it was inserted."""

    __tablename__ = "redactions"
    __table_args__ = (
        ForeignKeyConstraint(["ledger_id"], ["ledgers.id"]),
        CheckConstraint("isfinite(through)", name="through_finite"),
    )

    ledger_id: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    #: Everything of the ledger up to this day; None where entries alone were redacted.
    through: Mapped[date | None]
    redacted_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    redacted_by: Mapped[str] = mapped_column(server_default=text("CURRENT_USER"))
    redacted_xid: Mapped[int] = mapped_column(server_default=text("0"))

    def __repr__(self) -> str:
        return f"Redaction(id={self.id}, redacted_at={self.redacted_at})"


class RedactedEntry(Base):
    """An entry whose words were redacted. Inserting a row redacts the entry that it names."""

    __tablename__ = "redacted_entries"
    __table_args__ = (
        ForeignKeyConstraint(["ledger_id", "entry_id"], ["journal_entries.ledger_id", "journal_entries.id"]),
        ForeignKeyConstraint(["ledger_id", "redaction_id"], ["redactions.ledger_id", "redactions.id"]),
    )

    ledger_id: Mapped[int] = mapped_column(primary_key=True)
    entry_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    redaction_id: Mapped[int] = mapped_column(primary_key=True)
    #: SHA-256 of what is left of the content, as the entry's own `content_hash`; set by the database.
    content_hash: Mapped[bytes] = mapped_column(LargeBinary, server_default=text("''"))


class RedactedRow(Base):
    """A row beside the entries whose words were redacted. Inserting a row redacts the one that it names.

    What a redaction through a day takes in is told by its day, and what the bank sent of an entry by the entry.
    """

    __tablename__ = "redacted_rows"
    __table_args__ = (
        ForeignKeyConstraint(["ledger_id", "redaction_id"], ["redactions.ledger_id", "redactions.id"]),
        CheckConstraint(
            "table_name IN ('statement_lines', 'statements', 'imports', 'holds', 'assertions')", name="table_name_known"
        ),
    )

    ledger_id: Mapped[int] = mapped_column(primary_key=True)
    #: Where it is, and its id there, written as text.
    table_name: Mapped[str] = mapped_column(primary_key=True)
    row_id: Mapped[str] = mapped_column(primary_key=True)
    redaction_id: Mapped[int] = mapped_column(primary_key=True)
