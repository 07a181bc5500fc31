"""A set of books, and the currencies that it counts in."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Identity, SmallInteger, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from finance.models.base import Base


class Ledger(Base):
    """A set of books: the tenant to which everything else belongs."""

    __tablename__ = "ledgers"
    __table_args__ = (
        UniqueConstraint("name"),
        CheckConstraint("name = btrim(name) AND char_length(name) BETWEEN 1 AND 200", name="name_plain"),
        CheckConstraint("closed_through BETWEEN '0001-01-01' AND '9999-12-31'", name="closed_through_of_calendar"),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    name: Mapped[str]
    #: The currency that reports value everything in.
    base_currency: Mapped[str]
    #: No posting on or before this day; None while no period is closed.
    closed_through: Mapped[date | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))

    def __repr__(self) -> str:
        return f"Ledger(id={self.id}, name={self.name!r}, base_currency={self.base_currency!r})"


class Currency(Base):
    """A commodity that one ledger counts in: of ISO 4217, or its owner's own (BTC, AAPL)."""

    __tablename__ = "currencies"
    __table_args__ = (
        CheckConstraint("code = btrim(code) AND char_length(code) BETWEEN 1 AND 64", name="code_plain"),
        CheckConstraint("exponent BETWEEN 0 AND 18", name="exponent_range"),
    )

    ledger_id: Mapped[int] = mapped_column(ForeignKey("ledgers.id"), primary_key=True)
    code: Mapped[str] = mapped_column(primary_key=True)
    #: How many decimals an amount may have; it may grow, never shrink.
    exponent: Mapped[int] = mapped_column(SmallInteger)
    name: Mapped[str]

    def __repr__(self) -> str:
        return f"Currency(code={self.code!r}, exponent={self.exponent})"
