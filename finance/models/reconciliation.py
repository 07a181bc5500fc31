"""Reconciling: which line of a statement is which posting, and which statements are agreed with."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Integer, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from finance.models.base import Base


class Match(Base):
    """A line of a statement and the posting that is the same event: same account, same amount, each at most once."""

    __tablename__ = "matches"
    __table_args__ = (
        UniqueConstraint("ledger_id", "entry_id", "posting"),
        ForeignKeyConstraint(["ledger_id", "line_id"], ["statement_lines.ledger_id", "statement_lines.id"]),
        CheckConstraint("posting > 0", name="posting_positive"),
    )

    ledger_id: Mapped[int] = mapped_column(primary_key=True)
    line_id: Mapped[int] = mapped_column(primary_key=True)
    entry_id: Mapped[uuid.UUID]
    #: The posting's place in its entry, from 1.
    posting: Mapped[int] = mapped_column(Integer)
    matched_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    matched_by: Mapped[str] = mapped_column(server_default=text("CURRENT_USER"))


class Reconciliation(Base):
    """A statement that somebody agreed with: while it stands, no match of its lines is taken back."""

    __tablename__ = "reconciliations"
    __table_args__ = (ForeignKeyConstraint(["ledger_id", "statement_id"], ["statements.ledger_id", "statements.id"]),)

    ledger_id: Mapped[int] = mapped_column(primary_key=True)
    statement_id: Mapped[int] = mapped_column(primary_key=True)
    reconciled_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    reconciled_by: Mapped[str] = mapped_column(server_default=text("CURRENT_USER"))
