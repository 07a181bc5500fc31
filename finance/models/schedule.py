"""Schedules: entries that come again and again, by a rule."""

from __future__ import annotations

import copy
import enum
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Integer, text
from sqlalchemy.orm import Mapped, foreign, mapped_column, relationship

from finance.errors import InvalidError, UnbalancedEntryError
from finance.identifiers import uuid7
from finance.models.base import Base
from finance.models.new_entry import NewPosting, details_json, require_text
from finance.models.recurrence import Recurrence


class Weekends(enum.StrEnum):
    """What becomes of an occurrence on a Saturday or Sunday."""

    #: It is posted on that day.
    STAY = "stay"
    #: It is posted on the Friday before.
    BEFORE = "before"
    #: It is posted on the Monday after.
    AFTER = "after"


class Schedule(Base):
    """An entry that comes again and again: what is posted, and by which rule.

    The rule and its first day never change: the days that they name are what makes an occurrence the same one again.
    """

    __tablename__ = "schedules"
    __table_args__ = (
        ForeignKeyConstraint(["ledger_id"], ["ledgers.id"]),
        CheckConstraint("char_length(rule) BETWEEN 6 AND 500", name="rule_length"),
        CheckConstraint("starts_on BETWEEN '0001-01-01' AND '9999-12-31'", name="starts_on_of_calendar"),
        CheckConstraint("ends_on BETWEEN starts_on AND '9999-12-31'", name="ends_after_start"),
        CheckConstraint("isfinite(paused_on)", name="paused_on_finite"),
        CheckConstraint("isfinite(posted_through)", name="posted_through_finite"),
        CheckConstraint("weekends IN ('stay', 'before', 'after')", name="weekends_known"),
    )

    ledger_id: Mapped[int] = mapped_column(primary_key=True)
    #: Made by the client; the ids of the entries that it becomes are made from it.
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    description: Mapped[str]
    #: A recurrence rule of RFC 5545, such as "FREQ=MONTHLY;BYMONTHDAY=-1".
    rule: Mapped[str]
    #: The first day that the rule may name.
    starts_on: Mapped[date]
    #: The last day that it may name; None for as long as the rule goes on.
    ends_on: Mapped[date | None]
    weekends: Mapped[str] = mapped_column(server_default=text("'stay'"))
    #: From this day on nothing is due; None while it is not paused.
    paused_on: Mapped[date | None]
    #: Every occurrence through this day is posted or skipped, so that it need not be looked for; None if nobody knows.
    posted_through: Mapped[date | None]
    #: Free data that each entry gets, such as a payee and tags.
    details: Mapped[dict[str, Any]] = mapped_column("metadata", server_default=text("'{}'"))
    created_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))

    #: In the order of their lines.
    postings: Mapped[list[SchedulePosting]] = relationship(
        primaryjoin=lambda: (
            (Schedule.ledger_id == foreign(SchedulePosting.ledger_id))
            & (Schedule.id == foreign(SchedulePosting.schedule_id))
        ),
        order_by=lambda: SchedulePosting.line,
        lazy="raise",
        viewonly=True,
    )

    def __repr__(self) -> str:
        return f"Schedule(id={self.id}, rule={self.rule!r}, starts_on={self.starts_on})"


class SchedulePosting(Base):
    """One signed amount that every entry of a schedule has on an account: debits positive."""

    __tablename__ = "schedule_postings"
    __table_args__ = (
        ForeignKeyConstraint(["ledger_id", "schedule_id"], ["schedules.ledger_id", "schedules.id"], ondelete="CASCADE"),
        ForeignKeyConstraint(["ledger_id", "account_id"], ["accounts.ledger_id", "accounts.id"]),
        CheckConstraint("amount <> 0", name="amount_nonzero"),
        CheckConstraint("abs(amount) < 1e24", name="amount_finite"),
        CheckConstraint("line > 0", name="line_positive"),
    )

    ledger_id: Mapped[int] = mapped_column(primary_key=True)
    schedule_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    #: Its place in the entry, from 1.
    line: Mapped[int] = mapped_column(Integer, primary_key=True)
    account_id: Mapped[int]
    amount: Mapped[Decimal]
    memo: Mapped[str | None]


class ScheduleChange(Base):
    """What is different about one occurrence of a schedule: it is skipped, or has another day, text or amount."""

    __tablename__ = "schedule_changes"
    __table_args__ = (
        ForeignKeyConstraint(["ledger_id", "schedule_id"], ["schedules.ledger_id", "schedules.id"], ondelete="CASCADE"),
        CheckConstraint("amount <> 0 AND abs(amount) < 1e24", name="amount_nonzero"),
        CheckConstraint("isfinite(occurs_on) AND isfinite(posts_on)", name="days_finite"),
    )

    ledger_id: Mapped[int] = mapped_column(primary_key=True)
    schedule_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    #: The day that the rule names, whatever day it is posted on.
    occurs_on: Mapped[date] = mapped_column(primary_key=True)
    is_skipped: Mapped[bool] = mapped_column(server_default=text("false"))
    #: The day on which it is posted instead; None for the one that the schedule gives.
    posts_on: Mapped[date | None]
    description: Mapped[str | None]
    #: Of a schedule with two postings: the amount of the first, and its opposite is that of the second.
    amount: Mapped[Decimal | None]


@dataclass(frozen=True, slots=True)
class NewSchedule:
    """A schedule to create.

    Args:
        description: What happens; each entry gets it.
        postings: At least two, summing to zero in each currency.
        rule: A recurrence rule of RFC 5545 whose finest step is a day, such as "FREQ=MONTHLY". Where it names no days,
            they are those of *starts_on*; from the 29th, 30th or 31st on, a shorter month has its last day.
        starts_on: The first day that the rule may name.
        ends_on: The last day that it may name; None for as long as the rule goes on.
        weekends: What becomes of an occurrence on a Saturday or Sunday: "stay", "before" or "after".
        details: Free data that each entry gets, such as a payee and tags; JSON. Each entry has "schedule" and
            "occurs_on" besides, which say of which occurrence it is.
        id: A new UUIDv7 unless given; the ids of the entries are made from it.

    Raises:
        RecurrenceError: The rule is none; it names the part.
        InvalidError: The days, texts, details or postings are not what they must be.
        UnbalancedEntryError: There are fewer than two postings.
    """

    description: str
    postings: Sequence[NewPosting]
    rule: str
    starts_on: date
    ends_on: date | None = None
    weekends: Weekends | str = Weekends.STAY
    details: Mapping[str, Any] = field(default_factory=dict)
    id: uuid.UUID = field(default_factory=uuid7)

    def __post_init__(self) -> None:
        require_text("the description", self.description)
        object.__setattr__(self, "rule", Recurrence.parse(self.rule).rule)
        _require_days(self.starts_on, self.ends_on)
        if self.weekends not in set(Weekends):
            raise InvalidError(f"weekends {self.weekends!r}: one of {', '.join(Weekends)}")
        if not isinstance(self.id, uuid.UUID):
            raise InvalidError(f"id {self.id!r}: give a uuid.UUID")
        details_json(self.details)
        if taken := {"schedule", "occurs_on"} & set(self.details):
            raise InvalidError(
                f"details {sorted(taken)}: these say in each entry which occurrence it is; use other words"
            )
        object.__setattr__(self, "details", copy.deepcopy(dict(self.details)))
        object.__setattr__(self, "postings", tuple(self.postings))
        if not all(isinstance(line, NewPosting) for line in self.postings):
            raise InvalidError("the postings of a schedule are NewPosting(account, amount)")
        if len(self.postings) < 2:
            raise UnbalancedEntryError(None)


def _require_days(starts_on: date, ends_on: date | None) -> None:
    for name, day in (("starts_on", starts_on), ("ends_on", ends_on)):
        if isinstance(day, datetime) or not isinstance(day, date | None):
            raise InvalidError(f"{name} {day!r}: give a datetime.date")
    if starts_on is None:
        raise InvalidError("starts_on is missing: give the first day that the rule may name")
    if ends_on is not None and ends_on < starts_on:
        raise InvalidError(f"the schedule ends on {ends_on}, before it starts on {starts_on}")
