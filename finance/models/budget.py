"""Budgets: what may be spent on a category in each period of time."""

from __future__ import annotations

import calendar
import enum
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from finance.models.base import Base


class BudgetPeriod(enum.StrEnum):
    """How long an amount is for; each period starts where the one before ended."""

    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"

    def start(self, first: date, number: int) -> date | None:
        """Return the day on which the period of this *number* starts, where that of number 0 starts on *first*.

        Weeks have seven days. The others start on the same day of a month; a month that is too short has its last day,
        and the next one the same day as before again. None is a day behind the calendar's last.
        """
        if self is BudgetPeriod.WEEK:
            days = first.toordinal() + 7 * number
            return date.fromordinal(days) if days <= date.max.toordinal() else None
        year, month = divmod(first.year * 12 + first.month - 1 + _MONTHS[self] * number, 12)
        if year > date.max.year:
            return None
        return date(year, month + 1, min(first.day, calendar.monthrange(year, month + 1)[1]))

    def number(self, first: date, on: date) -> int:
        """Return the number of the period that the day *on* is in, from 0; it is not before *first*."""
        if self is BudgetPeriod.WEEK:
            return (on - first).days // 7
        number = ((on.year - first.year) * 12 + on.month - first.month) // _MONTHS[self]
        start = self.start(first, number)
        return number - 1 if start is not None and start > on else number


_MONTHS = {BudgetPeriod.MONTH: 1, BudgetPeriod.QUARTER: 3, BudgetPeriod.YEAR: 12}


class Rollover(enum.StrEnum):
    """What is carried from the end of a period into the next one."""

    #: Nothing: what is unused lapses, and overspending is forgotten.
    NONE = "none"
    #: What is left, if that is more than zero.
    UNUSED = "unused"
    #: What is left, if that is less than zero.
    OVERSPENT = "overspent"
    #: What is left, whatever it is.
    ALL = "all"


class Budget(Base):
    """An amount for an account and all below it, for each period from `starts_on` on.

    It holds until the next one of its account begins, so that two can never overlap; one without an amount says that
    there is no budget from then on (docs/decisions/0035-budgets-without-overlap.md). Amounts are in the currency of the
    account: a category in several currencies has a budget for each of them.
    """

    __tablename__ = "budgets"
    __table_args__ = (
        ForeignKeyConstraint(["ledger_id", "account_id"], ["accounts.ledger_id", "accounts.id"], ondelete="CASCADE"),
        CheckConstraint("amount >= 0 AND amount < 1e24", name="amount_not_negative"),
        CheckConstraint("period IN ('week', 'month', 'quarter', 'year')", name="period_known"),
        CheckConstraint("rollover IN ('none', 'unused', 'overspent', 'all')", name="rollover_known"),
        CheckConstraint("starts_on BETWEEN '0001-01-01' AND '9999-12-31'", name="starts_on_of_calendar"),
    )

    ledger_id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(primary_key=True)
    #: Its first day. Periods are counted from here: months from the 25th each start on a 25th.
    starts_on: Mapped[date] = mapped_column(primary_key=True)
    #: For each period; None where a budget ends.
    amount: Mapped[Decimal | None]
    period: Mapped[str] = mapped_column(server_default=text("'month'"))
    rollover: Mapped[str] = mapped_column(server_default=text("'none'"))
    recorded_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))

    def __repr__(self) -> str:
        return f"Budget(account_id={self.account_id}, starts_on={self.starts_on}, period={self.period!r})"
