"""What accounts will hold: their balances of today, and what is known or planned to come."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from finance.connection import Connection, Record
from finance.errors import InvalidError
from finance.money import total
from finance.reports.budgets import BudgetedPeriod, BudgetProgress, BudgetReport
from finance.reports.period import Period
from finance.repositories import Occurrence
from finance.repositories.balances import month_end

#: A forecast by days has no more of them: ten years.
DAYS_MAX = 3660

_ACCOUNTS = """
SELECT id, name, type, currency, minimum_balance, closed_on FROM accounts WHERE ledger_id = $1 ORDER BY name, currency
"""
# Along an index of the account: what is dated behind the first day, and the open holds whose time is not over.
_POSTED_AHEAD = """
SELECT p.account_id, p.date, sum(p.amount) AS amount FROM unnest($2::bigint[]) AS a(id)
  JOIN postings AS p ON p.ledger_id = $1 AND p.account_id = a.id AND p.date > $3 AND p.date <= $4
 GROUP BY p.account_id, p.date
"""
_HELD = """
SELECT account_id, sum(amount) AS amount FROM holds
 WHERE ledger_id = $1 AND account_id = ANY ($2) AND status = 'open'
   AND (expires_at IS NULL OR expires_at > clock_timestamp())
 GROUP BY account_id
"""


@dataclass(frozen=True, slots=True)
class ForecastPoint:
    """The balance at the end of the day `on`, and how it changed since the point before."""

    on: date
    change: Decimal
    balance: Decimal


@dataclass(frozen=True, slots=True)
class Forecast:
    """What an account will hold, in its currency; debits are positive, so that what is owed is negative.

    `opening` is the balance at the end of the day `on`. Everything else is expected: what is posted with a later date
    counts on its day; a scheduled entry that is not posted yet on its day, or on `on` where that is over: `overdue`
    says how much that is; what is held, if asked for, leaves on `on`.

    `limit` is the account's minimum balance; without one it is zero for an asset, and None for any other account.
    `below_on` is the first day that ends with less, from `on`; None where none does. `lowest` is the lowest balance at
    the end of any day.
    """

    account_id: int
    account: str
    type: str
    currency: str
    on: date
    opening: Decimal
    overdue: Decimal
    held: Decimal
    limit: Decimal | None
    below_on: date | None
    lowest: Decimal
    points: tuple[ForecastPoint, ...]

    @property
    def closing(self) -> Decimal:
        """The balance at the end of the last day."""
        return self.points[-1].balance


class Move(NamedTuple):
    """An amount that an account will get on a day."""

    account_id: int
    on: date
    amount: Decimal
    is_overdue: bool = False


async def read_accounts(connection: Connection, ledger_id: int | None) -> list[Record]:
    """Return every account of the ledger, by name."""
    return await connection.fetch(_ACCOUNTS, ledger_id)


async def read_ahead(
    connection: Connection, ledger_id: int | None, accounts: Sequence[int], period: Period
) -> list[Move]:
    """Return what is posted to *accounts* behind the first day of *period* and through its last one, by days."""
    rows = await connection.fetch(_POSTED_AHEAD, ledger_id, accounts, period.starts_on, period.ends_on)
    return [Move(row["account_id"], row["date"], row["amount"]) for row in rows]


async def read_held(connection: Connection, ledger_id: int | None, accounts: Sequence[int]) -> dict[int, Decimal]:
    """Return what is held on *accounts* now, by their ids."""
    rows = await connection.fetch(_HELD, ledger_id, accounts)
    return {row["account_id"]: row["amount"] for row in rows}


def scheduled(occurrences: Iterable[Occurrence], on: date) -> list[Move]:
    """Return what *occurrences* will post; what is overdue comes on the day *on*."""
    return [
        Move(line.account_id, max(each.posts_on, on), line.value, each.posts_on < on)
        for each in occurrences
        for line in each.entry.postings
    ]


def budgeted(report: BudgetReport, payer: Record, moves: Sequence[Move], accounts: Mapping[int, Record]) -> list[Move]:
    """Return what budgets of expenses still let go out of the account *payer*, each period on its last day.

    Of a period under way that is what is left of it; later ones begin anew, less what was overspent, as if each were
    spent to its end. What is scheduled in the category is not counted twice. A budget within another one, one in
    another currency than the payer's, and a period that ends behind the last day are left out.
    """
    found = []
    by_account: dict[int, list[Move]] = {}
    for move in moves:
        by_account.setdefault(move.account_id, []).append(move)
    for each in report.budgets:
        if each.type == "expense" and each.within is None and each.currency == payer["currency"]:
            category = sorted(
                (move.on, move.amount)
                for id_, some in by_account.items()
                if _is_in(accounts[id_], each)
                for move in some
            )
            for period in each.periods:
                left = _left(period, category, report.starts_on)
                if left > 0 and period.ends_on <= report.ends_on:
                    found.append(Move(payer["id"], period.ends_on, left.copy_negate()))
                    found.append(Move(each.account_id, period.ends_on, left))
    return found


def forecast(
    account: Record, opening: Decimal, held: Decimal, moves: Iterable[Move], period: Period, *, by_day: bool
) -> Forecast:
    """Add up the *moves* of one account to its balance at the end of each day."""
    by_days: dict[date, list[Decimal]] = {period.starts_on: [held.copy_negate()]}
    overdue = []
    for each in moves:
        by_days.setdefault(each.on, []).append(each.amount)
        if each.is_overdue:
            overdue.append(each.amount)
    balances: dict[date, Decimal] = {}
    balance = opening
    for day in sorted(by_days):
        balance = balances[day] = total((balance, *by_days[day]))
    limit = _limit(account)
    return Forecast(
        account["id"],
        account["name"],
        account["type"],
        account["currency"],
        period.starts_on,
        opening,
        total(overdue),
        held,
        limit,
        next((day for day, each in balances.items() if limit is not None and each < limit), None),
        min(balances.values()),
        tuple(_points(opening, balances, _days(period, by_day=by_day))),
    )


def _days(period: Period, *, by_day: bool) -> list[date]:
    if not by_day:
        return [min(month_end(month), period.ends_on) for month in period.months]
    days = (period.ends_on - period.starts_on).days + 1
    if days > DAYS_MAX:
        raise InvalidError(f"the forecast has {days} days; {DAYS_MAX} at most are told one by one: ask for months")
    return [period.starts_on + timedelta(number) for number in range(days)]


def _points(opening: Decimal, balances: Mapping[date, Decimal], days: Sequence[date]) -> Iterable[ForecastPoint]:
    moved = iter(balances.items())
    following = next(moved, None)
    balance = opening
    for day in days:
        before = balance
        while following is not None and following[0] <= day:
            balance, following = following[1], next(moved, None)
        yield ForecastPoint(day, total((balance, before.copy_negate())), balance)


def _limit(account: Record) -> Decimal | None:
    if account["minimum_balance"] is not None:
        found: Decimal = account["minimum_balance"]
        return found
    return Decimal(0) if account["type"] == "asset" else None


def _left(period: BudgetedPeriod, category: Sequence[tuple[date, Decimal]], on: date) -> Decimal:
    """Return what is left of *period* beside what is scheduled in its *category*, by rising days."""
    begin = bisect_left(category, period.starts_on, key=_day)
    end = bisect_right(category, period.ends_on, lo=begin, key=_day)
    scheduled_in = total(amount for _, amount in category[begin:end])
    carried = period.carried_in if period.starts_on <= on else min(period.carried_in, Decimal(0))
    return total((period.budgeted, carried, period.spent.copy_negate(), scheduled_in.copy_negate()))


def _day(move: tuple[date, Decimal]) -> date:
    return move[0]


def _is_in(account: Record, budget: BudgetProgress) -> bool:
    name: str = account["name"]
    if account["currency"] != budget.currency:
        return False
    return name == budget.account or name.startswith(f"{budget.account}:")
