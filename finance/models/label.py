"""What people sort entries by: whom they were with, and words of their own."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, Computed, ForeignKeyConstraint, Identity, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.schema import SchemaItem

from finance.models.base import Base

#: Characters of a name: as many as a key of an index may have, whatever they are.
NAME_MAX = 500


def _rules(table: str) -> tuple[SchemaItem, ...]:
    return (
        UniqueConstraint("ledger_id", "key"),
        ForeignKeyConstraint(["ledger_id"], ["ledgers.id"]),
        ForeignKeyConstraint(["ledger_id", "merged_into_id"], [f"{table}.ledger_id", f"{table}.id"]),
        CheckConstraint(f"name = btrim(name) AND char_length(name) BETWEEN 1 AND {NAME_MAX}", name="name_plain"),
        CheckConstraint("merged_into_id <> id", name="merged_into_another"),
        Index(None, "ledger_id", "merged_into_id", postgresql_where=text("merged_into_id IS NOT NULL")),
    )


class Payee(Base):
    """Whom entries are with: a shop, an employer, a friend.

    One that was merged into another stays as its alias: the old name leads to the other, and no entry has it.
    """

    __tablename__ = "payees"
    __table_args__ = _rules("payees")

    ledger_id: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    name: Mapped[str]
    #: The name without regard to case, as the database's locale has it: unique in the ledger.
    key: Mapped[str] = mapped_column(Computed("lower(name)", persisted=True))
    merged_into_id: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))

    def __repr__(self) -> str:
        return f"Payee(id={self.id})"


class Tag(Base):
    """A word that entries are marked with, as many as one likes. One that was merged is an alias, as with payees."""

    __tablename__ = "tags"
    __table_args__ = _rules("tags")

    ledger_id: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    name: Mapped[str]
    #: The name without regard to case, as the database's locale has it: unique in the ledger.
    key: Mapped[str] = mapped_column(Computed("lower(name)", persisted=True))
    merged_into_id: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))

    def __repr__(self) -> str:
        return f"Tag(id={self.id})"


class EntryTag(Base):
    """A tag of an entry."""

    __tablename__ = "entry_tags"
    __table_args__ = (
        ForeignKeyConstraint(["ledger_id", "entry_id"], ["journal_entries.ledger_id", "journal_entries.id"]),
        ForeignKeyConstraint(["ledger_id", "tag_id"], ["tags.ledger_id", "tags.id"]),
        Index(None, "ledger_id", "tag_id", "entry_id"),
    )

    ledger_id: Mapped[int] = mapped_column(primary_key=True)
    entry_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    tag_id: Mapped[int] = mapped_column(primary_key=True)
