"""Journal entries with their postings, and what the database derives from them."""

from __future__ import annotations

import enum
import uuid
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    FetchedValue,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    text,
)
from sqlalchemy.orm import Mapped, foreign, mapped_column, relationship

from finance.models.base import Base
from finance.models.label import EntryTag, Payee, Tag


class EntryKind(enum.StrEnum):
    """Why an entry was written."""

    NORMAL = "normal"
    REVERSAL = "reversal"
    ADJUSTMENT = "adjustment"


class JournalEntry(Base):
    """One dated economic event. Once committed it never changes but for its description, details, payee and tags.

    A correction of anything else is a new entry. What a description, details or a payee replaced is kept: see
    `EntryRevision`.
    """

    __tablename__ = "journal_entries"
    __table_args__ = (
        # Most entries reverse, amend and settle nothing: they take no room in these, and no time.
        *(
            Index(
                f"uq_journal_entries_ledger_id_{column}",
                "ledger_id",
                column,
                unique=True,
                postgresql_where=text(f"{column} IS NOT NULL"),
            )
            for column in ("reverses_id", "amends_id", "settles_id")
        ),
        ForeignKeyConstraint(["ledger_id", "reverses_id"], ["journal_entries.ledger_id", "journal_entries.id"]),
        CheckConstraint("kind IN ('normal', 'reversal', 'adjustment')", name="kind_known"),
        CheckConstraint("date BETWEEN '0001-01-01' AND '9999-12-31'", name="date_of_calendar"),
        CheckConstraint("(kind = 'reversal') = (reverses_id IS NOT NULL)", name="reversal_names_entry"),
        CheckConstraint("amends_id IS NULL OR (kind = 'normal' AND amends_id <> id)", name="amendment_normal"),
        CheckConstraint("settles_id IS NULL OR kind = 'normal'", name="settlement_normal"),
        CheckConstraint("octet_length(content_hash) = 32", name="content_hash_length"),
        Index(None, "ledger_id", "date", "id"),
        Index(None, "ledger_id", "payee_id", postgresql_where=text("payee_id IS NOT NULL")),
        # Entries come in the order of this column, or nearly: a few kilobytes find what was recorded lately.
        Index(
            None,
            "recorded_at",
            postgresql_using="brin",
            postgresql_ops={"recorded_at": "timestamptz_minmax_multi_ops"},
            postgresql_with={"autosummarize": "on", "pages_per_range": "32"},
        ),
    )

    ledger_id: Mapped[int] = mapped_column(primary_key=True)
    #: Made by the client (UUIDv7 unless it gives its own): the key under which posting is done exactly once.
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    #: The day on which it counts.
    date: Mapped[date]
    description: Mapped[str] = mapped_column(server_default=text("''"))
    kind: Mapped[str] = mapped_column(server_default=text("'normal'"))
    reverses_id: Mapped[uuid.UUID | None]
    #: SHA-256 of the original content (docs/reference/content-hash.md); None when not written by the library.
    content_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    details: Mapped[dict[str, Any]] = mapped_column("metadata", server_default=text("'{}'"))
    #: When the database recorded it.
    recorded_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    recorded_by: Mapped[str] = mapped_column(server_default=text("CURRENT_USER"))
    #: The database transaction that wrote it: lines may join it only there.
    recorded_xid: Mapped[int] = mapped_column(
        BigInteger, server_default=text("(pg_current_xact_id()::text)::bigint"), server_onupdate=FetchedValue()
    )
    #: The entry, reversed, that this one replaces.
    amends_id: Mapped[uuid.UUID | None]
    #: The hold that this one settles.
    settles_id: Mapped[uuid.UUID | None]
    #: Whom it is with. A guard keeps it a payee of the ledger: a foreign key would be looked at for every entry.
    payee_id: Mapped[int | None]

    #: In the order of their lines.
    postings: Mapped[list[Posting]] = relationship(
        primaryjoin=lambda: (
            (JournalEntry.ledger_id == foreign(Posting.ledger_id)) & (JournalEntry.id == foreign(Posting.entry_id))
        ),
        order_by=lambda: Posting.line,
        back_populates="entry",
        lazy="raise",
        passive_deletes="all",
    )
    #: `uow.journal.label()` sets it.
    payee: Mapped[Payee | None] = relationship(
        primaryjoin=lambda: (JournalEntry.ledger_id == Payee.ledger_id) & (foreign(JournalEntry.payee_id) == Payee.id),
        lazy="raise",
        viewonly=True,
    )
    #: In the order of their names; `uow.journal.label()` sets them.
    tags: Mapped[list[Tag]] = relationship(
        secondary=lambda: EntryTag.__table__, order_by=lambda: Tag.key, lazy="raise", viewonly=True
    )

    def __repr__(self) -> str:
        return f"JournalEntry(id={self.id}, date={self.date}, kind={self.kind!r})"


class Posting(Base):
    """One signed amount on one account: debits positive, credits negative.

    It has no foreign keys: the trigger that applies it proves the same for all rows of a statement at
    once, and deletions are refused (docs/decisions/0004-no-foreign-keys-on-postings.md).
    """

    __tablename__ = "postings"
    __table_args__ = (
        CheckConstraint("amount <> 0", name="amount_nonzero"),
        CheckConstraint("abs(amount) < 1e24", name="amount_finite"),
        CheckConstraint("line > 0", name="line_positive"),
        # What a register and a balance need, in their order; a memo may be too long for an index.
        Index(None, "ledger_id", "account_id", "date", "entry_id", "line", postgresql_include=["amount"]),
        Index(
            "ix_postings_memo",
            *("ledger_id", "account_id", "date", "entry_id", "line"),
            postgresql_where=text("memo IS NOT NULL"),
        ),
    )

    ledger_id: Mapped[int] = mapped_column(primary_key=True)
    entry_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    #: Its place in the entry, from 1.
    line: Mapped[int] = mapped_column(Integer, primary_key=True)
    account_id: Mapped[int]
    #: The date of its entry.
    date: Mapped[date]
    #: The currency of its account.
    currency: Mapped[str]
    amount: Mapped[Decimal]
    memo: Mapped[str | None]

    entry: Mapped[JournalEntry] = relationship(
        primaryjoin=lambda: (
            (JournalEntry.ledger_id == foreign(Posting.ledger_id)) & (JournalEntry.id == foreign(Posting.entry_id))
        ),
        back_populates="postings",
        lazy="raise",
    )

    def __repr__(self) -> str:
        return f"Posting(entry_id={self.entry_id}, line={self.line}, account_id={self.account_id})"


class EntryRevision(Base):
    """The description, details and payee of an entry that others have replaced; written by the database only.

    The first revision is what was posted. What holds now stands in the entry, and has the next number.
    """

    __tablename__ = "entry_revisions"
    __table_args__ = (
        ForeignKeyConstraint(["ledger_id", "entry_id"], ["journal_entries.ledger_id", "journal_entries.id"]),
        ForeignKeyConstraint(["ledger_id", "payee_id"], ["payees.ledger_id", "payees.id"]),
        CheckConstraint("revision > 0", name="revision_positive"),
    )

    ledger_id: Mapped[int] = mapped_column(primary_key=True)
    entry_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    #: From 1, without gaps.
    revision: Mapped[int] = mapped_column(Integer, primary_key=True)
    description: Mapped[str]
    details: Mapped[dict[str, Any]] = mapped_column("metadata")
    replaced_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    replaced_by: Mapped[str] = mapped_column(server_default=text("CURRENT_USER"))
    payee_id: Mapped[int | None]


class MonthlyTotal(Base):
    """The debits and credits of one account in one month, kept by the database.

    They add up, so that a backdated posting touches one row, and a balance on any date costs the months
    before it and the postings of one month.
    """

    __tablename__ = "monthly_totals"
    __table_args__ = ({"postgresql_with": {"fillfactor": "75"}},)

    ledger_id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(primary_key=True)
    #: The first day of the month.
    month: Mapped[date] = mapped_column(primary_key=True)
    #: The sum of the positive amounts.
    debit: Mapped[Decimal]
    #: The sum of the negative amounts, without their sign.
    credit: Mapped[Decimal]
    #: How many postings were summed.
    postings: Mapped[int]


class Unsettled(Base):
    """An entry that a statement left unbalanced, to be looked at before COMMIT. Committed, it is always empty."""

    __tablename__ = "unsettled"
    __table_args__ = (Index("ix_unsettled_adjustment", "ledger_id", postgresql_where=text("adjustment")),)

    ledger_id: Mapped[int] = mapped_column(primary_key=True)
    entry_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    #: The entry gathers balances that were set directly; what it lacks is booked at COMMIT.
    adjustment: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
