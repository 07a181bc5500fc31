"""What was mended of what the database derives."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import Integer, text
from sqlalchemy.orm import Mapped, mapped_column

from finance.models.base import Base


class Rebuild(Base):
    """An account that contradicted its postings or its holds; what it derives from them was computed again.

    Inserting a row rebuilds the account that it names; everything else in the row is set by the database. The
    row has no foreign keys: it outlives the account.
    """

    __tablename__ = "rebuilds"

    ledger_id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(primary_key=True)
    rebuilt_at: Mapped[datetime] = mapped_column(primary_key=True, server_default=text("clock_timestamp()"))
    rebuilt_by: Mapped[str] = mapped_column(server_default=text("CURRENT_USER"))
    balance_before: Mapped[Decimal] = mapped_column(server_default=text("0"))
    balance_after: Mapped[Decimal] = mapped_column(server_default=text("0"))
    held_before: Mapped[Decimal] = mapped_column(server_default=text("0"))
    held_after: Mapped[Decimal] = mapped_column(server_default=text("0"))
    #: How many monthly totals were added, changed or removed.
    months: Mapped[int] = mapped_column(Integer, server_default=text("0"))

    def __repr__(self) -> str:
        return f"Rebuild(account_id={self.account_id}, rebuilt_at={self.rebuilt_at})"
