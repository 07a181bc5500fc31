"""Balances that a file claims, compared with the books once it is loaded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from finance.foreign_books.books import BookAssertion
from finance.money import total
from finance.unit_of_work import UnitOfWork

# The months before the day's, and the postings of its own; the ledger was filled a moment ago and has no statistics,
# so that OFFSET keeps the planner to looking one by one.
_BALANCES = """
SELECT n.number, sum(m.amount + d.amount) AS balance
  FROM unnest($2::integer[], $3::bigint[], $4::date[], $5::date[]) AS n(number, account_id, first, last),
       LATERAL (SELECT coalesce(sum(t.debit - t.credit), 0) AS amount
                  FROM (SELECT debit, credit FROM monthly_totals
                         WHERE ledger_id = $1 AND account_id = n.account_id AND month < n.first OFFSET 0) AS t) AS m,
       LATERAL (SELECT coalesce(sum(p.amount), 0) AS amount
                  FROM (SELECT amount FROM postings
                         WHERE ledger_id = $1 AND account_id = n.account_id AND date BETWEEN n.first AND n.last
                        OFFSET 0) AS p) AS d
 GROUP BY n.number
"""


@dataclass(frozen=True, slots=True)
class FailedAssertion:
    """A balance that the file claims and the books do not have, both at the same place of the file."""

    account: str
    currency: str
    on: date
    claimed: Decimal
    found: Decimal
    file: str
    line: int | None

    @property
    def difference(self) -> Decimal:
        """What the books have more than the file claims."""
        return total([self.found, self.claimed.copy_negate()])


async def failed_assertions(
    uow: UnitOfWork, assertions: Sequence[BookAssertion], accounts: Mapping[tuple[str, str], int]
) -> tuple[FailedAssertion, ...]:
    """Return those of *assertions* that do not hold.

    Args:
        uow: Where the books are.
        assertions: With the ledger's codes for their currencies.
        accounts: The ids of the ledger's accounts by name and currency.

    Database:
        One SELECT, which reads one row a month and at most a month of postings for each.
    """
    rows = [
        (number, account_id, claim.on.replace(day=1), claim.on)
        for number, claim in enumerate(assertions)
        for account_id in _ids(claim, accounts)
    ]
    balances: dict[int, Decimal] = {}
    if rows:
        found = await uow.connection.fetch(_BALANCES, uow.ledger_id, *map(list, zip(*rows, strict=True)))
        balances = {row["number"]: row["balance"] for row in found}
    return tuple(
        FailedAssertion(claim.account, claim.currency, claim.on, claim.amount, found_, claim.file, claim.line)
        for number, claim in enumerate(assertions)
        if abs(total([(found_ := _at(claim, balances.get(number, Decimal(0)))), claim.amount.copy_negate()]))
        > claim.tolerance
    )


def _at(claim: BookAssertion, balance: Decimal) -> Decimal:
    """Return the balance where the claim stands, of the one at the end of its day."""
    return total([balance, claim.later.copy_negate()])


def _ids(claim: BookAssertion, accounts: Mapping[tuple[str, str], int]) -> Iterator[int]:
    if not claim.with_children:
        if (found := accounts.get((claim.account, claim.currency))) is not None:
            yield found
        return
    for (name, currency), account_id in accounts.items():
        if currency == claim.currency and (name == claim.account or name.startswith(f"{claim.account}:")):
            yield account_id
