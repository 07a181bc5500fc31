"""The cash flow: where money came from and where it went, between an opening and a closing balance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from finance.connection import Connection, Record
from finance.money import total
from finance.reports.hierarchy import cut
from finance.reports.period import Period

# An entry sums to zero in each currency. So what it moved on the cash accounts of a currency is the opposite of what
# it moved on all others of that currency, each of which says where the money came from or went. One statement, so that
# both sides are of one instant. OFFSET 0 keeps the planner to looking account by account and entry by entry: of a
# ledger that was filled a moment ago it has no statistics, takes it for empty, and would join all with all.
_FLOWS = """
WITH cash AS MATERIALIZED (
    SELECT id, currency FROM accounts WHERE ledger_id = $1 AND id = ANY ($2::bigint[])
), touched AS MATERIALIZED (
    SELECT DISTINCT p.entry_id, c.currency FROM cash AS c
     CROSS JOIN LATERAL (SELECT q.entry_id FROM postings AS q
                          WHERE q.ledger_id = $1 AND q.account_id = c.id AND q.date BETWEEN $3 AND $4 OFFSET 0) AS p
)
SELECT NULL AS name, NULL AS type, c.currency, 0::numeric AS outflow,
       sum(coalesce((SELECT sum(t.debit - t.credit) FROM monthly_totals AS t
                      WHERE t.ledger_id = $1 AND t.account_id = c.id AND t.month < $5), 0)
    {sign} coalesce((SELECT sum(p.amount) FROM postings AS p
                      WHERE p.ledger_id = $1 AND p.account_id = c.id AND p.date BETWEEN $6 AND $7), 0)) AS inflow
  FROM cash AS c GROUP BY c.currency
 UNION ALL
SELECT a.name, a.type, a.currency, f.outflow, f.inflow
  FROM (SELECT p.account_id,
               coalesce(sum(p.amount) FILTER (WHERE p.amount > 0), 0) AS outflow,
               coalesce(-sum(p.amount) FILTER (WHERE p.amount < 0), 0) AS inflow
          FROM touched AS t
         CROSS JOIN LATERAL (SELECT q.account_id, q.amount FROM postings AS q
                              WHERE q.ledger_id = $1 AND q.entry_id = t.entry_id AND q.currency = t.currency
                             OFFSET 0) AS p
         GROUP BY p.account_id) AS f
  JOIN accounts AS a ON a.ledger_id = $1 AND a.id = f.account_id
 WHERE a.id <> ALL ($2::bigint[])
"""
_CASH = """
SELECT id FROM accounts
 WHERE ledger_id = $1 AND type = 'asset' AND (name = $2 OR starts_with(name, $2 || ':')) ORDER BY id
"""
_ORDER = ("income", "expense", "equity", "liability", "asset")


@dataclass(frozen=True, slots=True)
class Flow:
    """What came from one counter-account, or all of its type under the same first segments, and what went to it."""

    account: str
    type: str
    inflow: Decimal
    outflow: Decimal

    @property
    def net(self) -> Decimal:
        """What came in less what went out."""
        return total((self.inflow, self.outflow.copy_negate()))


@dataclass(frozen=True, slots=True)
class CashFlow:
    """The cash accounts of one currency from `starts_on` through `ends_on`, taken together.

    `opening` is their balance before the first day. What moved between them is no flow. An entry that touches several
    counter-accounts says what it did with each: a salary of 3000 of which 1000 went to taxes is both in full.
    """

    starts_on: date
    ends_on: date
    currency: str
    opening: Decimal
    flows: tuple[Flow, ...]

    @property
    def inflow(self) -> Decimal:
        """All that came in."""
        return total(flow.inflow for flow in self.flows)

    @property
    def outflow(self) -> Decimal:
        """All that went out."""
        return total(flow.outflow for flow in self.flows)

    @property
    def closing(self) -> Decimal:
        """The balance at the end of the last day: opening, inflow and outflow add up to it."""
        return total((self.opening, self.inflow, self.outflow.copy_negate()))


async def find_cash(connection: Connection, ledger_id: int | None, under: str) -> list[int]:
    """Return the ids of the asset accounts of the name *under*, and of those below it."""
    return [row["id"] for row in await connection.fetch(_CASH, ledger_id, under)]


async def read_cash_flows(
    connection: Connection, ledger_id: int | None, accounts: Sequence[int], period: Period, depth: int | None
) -> tuple[CashFlow, ...]:
    """Read the flows of the cash *accounts*, for each of their currencies in order of the codes."""
    before = period.before()
    days = (period.starts_on, period.ends_on, before.before, before.first, before.last)
    rows = await connection.fetch(_FLOWS.format(sign=before.sign), ledger_id, accounts, *days)
    openings = {row["currency"]: row["inflow"] for row in rows if row["name"] is None}
    return tuple(
        CashFlow(
            period.starts_on,
            period.ends_on,
            currency,
            openings[currency],
            _flows([row for row in rows if row["name"] is not None and row["currency"] == currency], depth),
        )
        for currency in sorted(openings)
    )


def _flows(rows: Sequence[Record], depth: int | None) -> tuple[Flow, ...]:
    found: dict[tuple[int, str], list[Record]] = {}
    for row in rows:
        found.setdefault((_ORDER.index(row["type"]), cut(row["name"], depth)), []).append(row)
    return tuple(
        Flow(name, _ORDER[place], total(row["inflow"] for row in some), total(row["outflow"] for row in some))
        for (place, name), some in sorted(found.items())
    )
