"""What accounts derive from their postings: balances and monthly totals, summed again and compared."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar
from uuid import UUID

from finance.connection import Connection
from finance.money import total
from finance.reports.verification.findings import Report

#: Postings that one statement sums: some hundredths of a second.
_BATCH = 20_000

#: The rules that are looked at here.
BALANCE_RULE = "balance differs from postings"
MONTH_RULE = "monthly total differs from postings"

T = TypeVar("T")
Key = tuple[int, str, UUID]

_FIRST: Key = (-(2**63), "-infinity", UUID(int=0))
_LAST: Key = (2**63 - 1, "infinity", UUID(int=2**128 - 1))

# Along the one index that has all of it. Days travel as text: a damaged one may be of no calendar that Python has.
_EDGE = """
SELECT p.account_id, p.date::text AS day, p.entry_id FROM postings AS p
 WHERE p.ledger_id = $1 AND (p.account_id, p.date, p.entry_id) > ($2, $3::text::date, $4)
 ORDER BY p.account_id, p.date, p.entry_id OFFSET {offset} LIMIT 1
"""
# Months as numbers, so that both sides come in one order.
_NUMBER = (
    "CASE WHEN isfinite(t.month) THEN t.month - date '2000-01-01'"
    " WHEN t.month > date '2000-01-01' THEN 2147483647 ELSE -2147483648 END"
)
_SUMS = f"""
SELECT t.account_id, {_NUMBER} AS number, t.month::text AS label, t.debit, t.credit, t.postings
  FROM (SELECT account_id, date_trunc('month', date::timestamp)::date AS month, count(*) AS postings,
               sum(greatest(amount, 0)) AS debit, sum(greatest(-amount, 0)) AS credit
          FROM postings
         WHERE ledger_id = $1 AND (account_id, date, entry_id) > ($2, $3::text::date, $4)
           AND (account_id, date, entry_id) <= ($5, $6::text::date, $7)
         GROUP BY 1, 2) AS t
 ORDER BY t.account_id, t.month
"""  # noqa: S608 - our own text
_STORED = f"""
SELECT t.account_id, {_NUMBER} AS number, t.month::text AS label, t.debit, t.credit, t.postings
  FROM monthly_totals AS t WHERE t.ledger_id = $1 ORDER BY t.account_id, t.month
"""  # noqa: S608 - our own text
_BALANCES = "SELECT id, balance FROM accounts WHERE ledger_id = $1 ORDER BY id"


@dataclass(frozen=True, slots=True)
class Month:
    """The debits, credits and postings of an account in a month."""

    account_id: int
    number: int
    label: str
    debit: Decimal
    credit: Decimal
    postings: int

    @property
    def key(self) -> tuple[int, int]:
        """What it is ordered by."""
        return self.account_id, self.number

    @property
    def sums(self) -> tuple[Decimal, Decimal, int]:
        """What is compared."""
        return self.debit, self.credit, self.postings

    def joined(self, other: Month) -> Month:
        """Return this month with what a later batch found of it."""
        debit, credit = total((self.debit, other.debit)), total((self.credit, other.credit))
        return Month(*self.key, self.label, debit, credit, self.postings + other.postings)


async def compare_totals(
    connection: Connection, ledger_id: int | None, report: Report, tell: Callable[[int], None]
) -> int:
    """Compare every account with the sums of its postings; return how many accounts there are.

    It holds one batch of sums in memory. *tell* is called with the number of postings that were summed.
    """
    accounts = 0
    sums = _checked_months(connection, ledger_id, report, tell)
    async for account, found in _paired(_balances(connection, ledger_id), sums, lambda each: each[0], _account_of):
        if account is None:
            continue  # its postings are told of one by one
        accounts += 1
        expected = Decimal(0) if found is None else found[1]
        if account[1] != expected:
            report(BALANCE_RULE, str(account[0]), f"{account[1]:f} against {expected:f}")
    return accounts


async def _checked_months(
    connection: Connection, ledger_id: int | None, report: Report, tell: Callable[[int], None]
) -> AsyncIterator[tuple[int, Decimal]]:
    """Compare the totals of every month, and yield the sum of each account that has postings."""
    account_id, balance = None, Decimal(0)
    pairs = _paired(_stored(connection, ledger_id), _summed(connection, ledger_id, tell), _key_of, _key_of)
    async for stored, found in pairs:
        month = stored or found
        assert month is not None  # noqa: S101 - one of a pair is there
        if stored is None or found is None or stored.sums != found.sums:
            report(MONTH_RULE, str(month.account_id), month.label)
        if found is None:
            continue
        if found.account_id != account_id:
            if account_id is not None:
                yield account_id, balance
            account_id, balance = found.account_id, Decimal(0)
        balance = total((balance, found.debit, found.credit.copy_negate()))
    if account_id is not None:
        yield account_id, balance


async def _summed(connection: Connection, ledger_id: int | None, tell: Callable[[int], None]) -> AsyncIterator[Month]:
    """Yield what the postings say of each month, in order; a month may lie across the edge of two batches."""
    open_month: Month | None = None
    done, start = 0, _FIRST
    while start != _LAST:
        edge = await connection.fetchrow(_EDGE.format(offset=_BATCH - 1), ledger_id, *start)
        end: Key = _LAST if edge is None else (edge["account_id"], edge["day"], edge["entry_id"])
        for row in await connection.fetch(_SUMS, ledger_id, *start, *end):
            month = Month(*row)
            done += month.postings
            if open_month is not None and open_month.key == month.key:
                month = open_month.joined(month)
            elif open_month is not None:
                yield open_month
            open_month = month
        tell(done)
        start = end
    if open_month is not None:
        yield open_month


async def _stored(connection: Connection, ledger_id: int | None) -> AsyncIterator[Month]:
    async for row in connection.stream(_STORED, ledger_id):
        yield Month(*row)


async def _balances(connection: Connection, ledger_id: int | None) -> AsyncIterator[tuple[int, Decimal]]:
    async for row in connection.stream(_BALANCES, ledger_id):
        yield row["id"], row["balance"]


def _key_of(month: Month) -> tuple[int, int]:
    return month.key


def _account_of(found: tuple[int, Decimal]) -> int:
    return found[0]


async def _paired(
    left: AsyncIterator[T], right: AsyncIterator[T], left_key: Callable[[T], object], right_key: Callable[[T], object]
) -> AsyncIterator[tuple[T | None, T | None]]:
    """Put two ordered lists side by side by their keys; where one has no partner, the other is None."""
    one, other = await anext(left, None), await anext(right, None)
    while one is not None or other is not None:
        keys: tuple[object, object] = (
            None if one is None else left_key(one),
            None if other is None else right_key(other),
        )
        if other is None or (one is not None and keys[0] < keys[1]):  # type: ignore[operator]
            yield one, None
            one = await anext(left, None)
        elif one is None or keys[0] != keys[1]:
            yield None, other
            other = await anext(right, None)
        else:
            yield one, other
            one, other = await anext(left, None), await anext(right, None)
