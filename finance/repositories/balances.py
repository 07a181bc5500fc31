"""Balances on a day and as they were known at an instant, from the totals that the database keeps."""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Self

from finance.connection import Connection
from finance.errors import InvalidError

# What entries that were recorded later moved is taken back. The newest are the fewest, and an index on the instant
# finds them: it reads what was recorded since, not the history.
_LATER = """
  LEFT JOIN (SELECT p.account_id, sum(p.amount) AS amount
               FROM journal_entries AS e
               JOIN postings AS p ON p.ledger_id = e.ledger_id AND p.entry_id = e.id
              WHERE e.ledger_id = $1 AND p.ledger_id = $1 AND e.recorded_at > {known_at}{days}{accounts}
              GROUP BY p.account_id) AS later ON later.account_id = a.id"""
# What an account had before a month: its totals up to there, or its balance less those from there on, whichever
# are fewer in an account that is used until today. Of a subquery in the other branch nothing is read.
_BEFORE_MONTH = """CASE
          WHEN {month} > (SELECT min(t.month) + (current_date - min(t.month)) / 2 FROM monthly_totals AS t
                           WHERE t.ledger_id = {ledger} AND t.account_id = {account})
          THEN {balance} - coalesce((SELECT sum(t.debit - t.credit) FROM monthly_totals AS t
                  WHERE t.ledger_id = {ledger} AND t.account_id = {account} AND t.month >= {month}), 0)
          ELSE coalesce((SELECT sum(t.debit - t.credit) FROM monthly_totals AS t
                  WHERE t.ledger_id = {ledger} AND t.account_id = {account} AND t.month < {month}), 0)
     END"""
_ON = """{before}
     {sign} coalesce((SELECT sum(p.amount) FROM postings AS p
                  WHERE p.ledger_id = $1 AND p.account_id = {account} AND p.date BETWEEN {first} AND {last}), 0)"""


def before_month(*, ledger: str, account: str, balance: str, month: str) -> str:
    """Return the SQL of what an account had before a month; each argument is the SQL of what its name says."""
    return _BEFORE_MONTH.format(ledger=ledger, account=account, balance=balance, month=month)


def month_end(day: date) -> date:
    """Return the last day of the month of *day*."""
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])


def is_early(day: date) -> bool:
    """Whether the days of a month up to *day* are not more than those behind it."""
    return day.day <= month_end(day).day // 2


@dataclass(frozen=True, slots=True)
class Months:
    """How a balance on a day is made: every month before `before`, and the postings from `first` through `last`.

    Of the month that the day is in, the shorter side is read: up to the day and added, or behind it and taken back.
    """

    before: date
    sign: str
    first: date
    last: date

    @classmethod
    def through(cls, on: date) -> Self:
        """Return the parts that make the balance at the end of the day *on*."""
        first, last = on.replace(day=1), month_end(on)
        if is_early(on):
            return cls(first, "+", first, on)
        # No month starts on its last day, so that this one counts as well; the year 9999 has no day behind it.
        return cls(last, "-", last if on == last else on.replace(day=on.day + 1), first if on == last else last)


async def read_balances(
    connection: Connection,
    ledger_id: int | None,
    on: date | None,
    known_at: datetime | None,
    accounts: int | Sequence[int] | None,
) -> dict[int, Decimal]:
    """Return the balances of one account, of some, or of all (None) by the accounts' ids; unknown ids are left out.

    Raises:
        InvalidError: *on* is not a plain day, or *known_at* has no time zone.
    """
    statement = _Statement(ledger_id)
    sql = statement.balances(on, require_instant(known_at), accounts)
    return {row["id"]: row["balance"] for row in await connection.fetch(sql, *statement.args)}


def require_instant(known_at: datetime | None) -> datetime | None:
    """Return *known_at*, which is an instant or None.

    Raises:
        InvalidError: It is not a datetime, or has no time zone, so that it could be any of a day's instants.
    """
    if known_at is not None and (not isinstance(known_at, datetime) or known_at.utcoffset() is None):
        raise InvalidError(f"known_at {known_at!r}: give a datetime with a time zone, such as datetime.now(UTC)")
    return known_at


def require_day(name: str, day: date | None) -> date | None:
    """Return *day*, which is a plain day or None.

    Raises:
        InvalidError: It is something else, such as a datetime.
    """
    if day is not None and (not isinstance(day, date) or isinstance(day, datetime)):
        raise InvalidError(f"{name} {day!r}: give a datetime.date")
    return day


def given_day(name: str, day: date | None) -> date:
    """Return *day*, which is a plain day.

    Raises:
        InvalidError: It is something else, or missing.
    """
    found = require_day(name, day)
    if found is None:
        raise InvalidError(f"{name} is missing: give a datetime.date")
    return found


class _Statement:
    """One SELECT that is put together from its parts, and the values that its placeholders stand for."""

    def __init__(self, ledger_id: int | None) -> None:
        self.args: list[Any] = [ledger_id]

    def balances(self, on: date | None, known_at: datetime | None, accounts: int | Sequence[int] | None) -> str:
        require_day("on", on)
        chosen, account = self._chosen(accounts)
        balance = "a.balance" if on is None else self._on(Months.through(on), account)
        later = ""
        if known_at is not None:
            balance += " - coalesce(later.amount, 0)"
            later = _LATER.format(
                known_at=self._bind(known_at),
                days="" if on is None else f" AND p.date <= {self._bind(on)}",
                accounts=chosen.format("p.account_id"),
            )
        where = f"a.ledger_id = $1{chosen.format('a.id')}"
        return f"SELECT a.id, {balance} AS balance FROM accounts AS a{later} WHERE {where} ORDER BY a.id"  # noqa: S608

    def _on(self, months: Months, account: str) -> str:
        month = f"{self._bind(months.before)}::date"
        return _ON.format(
            before=before_month(ledger="$1", account=account, balance="a.balance", month=month),
            account=account,
            sign=months.sign,
            first=self._bind(months.first),
            last=self._bind(months.last),
        )

    def _chosen(self, accounts: int | Sequence[int] | None) -> tuple[str, str]:
        """Return the condition that chooses *accounts*, for a column to be filled in, and what names the account."""
        # A condition that covers one, some and all would be planned for all.
        if accounts is None:
            return "", "a.id"
        if isinstance(accounts, int):
            account = self._bind(accounts)
            return (
                f" AND {{}} = {account}",
                account,
            )  # what does not hang on a row of accounts is set up once, and faster
        return self._any(accounts), "a.id"

    def _any(self, accounts: Sequence[int]) -> str:
        return f" AND {{}} = ANY ({self._bind(list(accounts))}::bigint[])"

    def _bind(self, value: Any) -> str:
        self.args.append(value)
        return f"${len(self.args)}"
