"""A ledger to attack, and the SQL that its attackers write."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from finance import DatabaseManager, FinanceError, Ledger, NewEntry
from finance.errors import DatabaseError
from finance.integrity import translated
from finance.reports import Verification
from tests.factories import TODAY, entry

#: insufficient_privilege: PostgreSQL itself says that it is not theirs to do.
DENIED = "42501"

#: The first statement of a hand-written entry; `{new}` is a fresh id.
HEAD = "INSERT INTO journal_entries (ledger_id, id, date) VALUES ({ledger}, {new}, {day});"

_COLUMNS = "ledger_id, entry_id, line, account_id, date, currency, amount"
_STATE = """
SELECT array_agg(t.row::text ORDER BY t.row::text)
  FROM (SELECT a::text FROM accounts AS a WHERE a.ledger_id = ANY ($1)
        UNION ALL SELECT e::text FROM journal_entries AS e WHERE e.ledger_id = ANY ($1)
        UNION ALL SELECT p::text FROM postings AS p WHERE p.ledger_id = ANY ($1)
        UNION ALL SELECT r::text FROM entry_revisions AS r WHERE r.ledger_id = ANY ($1)
        UNION ALL SELECT y::text FROM payees AS y WHERE y.ledger_id = ANY ($1)
        UNION ALL SELECT g::text FROM tags AS g WHERE g.ledger_id = ANY ($1)
        UNION ALL SELECT x::text FROM entry_tags AS x WHERE x.ledger_id = ANY ($1)
        UNION ALL SELECT h::text FROM holds AS h WHERE h.ledger_id = ANY ($1)
        UNION ALL SELECT m::text FROM monthly_totals AS m WHERE m.ledger_id = ANY ($1)
        UNION ALL SELECT l::text FROM ledgers AS l WHERE l.id = ANY ($1)
        UNION ALL SELECT c::text FROM currencies AS c WHERE c.ledger_id = ANY ($1)) AS t(row)
"""


def lines(
    *amounts: tuple[str, object], first: int = 1, entry: str = "{new}", day: str = "{day}", currency: str = "'EUR'"
) -> str:
    """Write one INSERT of postings: pairs of an account and an amount, numbered from *first*."""
    rows = (
        f"({{ledger}}, {entry}, {number}, {account}, {day}, {currency}, {amount})"
        for number, (account, amount) in enumerate(amounts, first)
    )
    return f"INSERT INTO postings ({_COLUMNS}) VALUES {', '.join(rows)};"


#: A balanced entry in two statements, to be followed by more.
PAIR = HEAD + lines(("{food}", 10), ("{checking}", -10))


@dataclass(frozen=True)
class Victim:
    """A ledger with some accounts and a committed entry of 40 euros from checking to food.

    It is reached as the role that owns the schema, which is neither superuser nor may it create roles, or as
    one that is in the application's role.
    """

    db: DatabaseManager
    ledger: Ledger
    other_ledger: Ledger
    checking: int
    food: int
    #: In JPY, which has no decimals.
    yen: int
    #: Its balance stays between 0 and 1,000; it is 0.
    capped: int
    closed: int
    #: An account of the other ledger.
    foreign: int
    entry: UUID
    new: UUID
    new2: UUID
    is_owner: bool

    def sql(self, text: str) -> str:
        """Fill the names in braces into *text*."""
        return text.format(
            ledger=self.ledger.id,
            other=self.other_ledger.id,
            checking=self.checking,
            food=self.food,
            yen=self.yen,
            capped=self.capped,
            closed=self.closed,
            foreign=self.foreign,
            entry=f"'{self.entry}'",
            new=f"'{self.new}'",
            new2=f"'{self.new2}'",
            day=f"date '{TODAY}'",
        )

    async def run(self, text: str, **transaction: Any) -> None:
        """Run the statements of *text* in one transaction and commit it."""
        async with self.db.transaction(**transaction) as conn:
            await conn.execute(self.sql(text))

    async def fetchval(self, text: str) -> Any:
        """Run one query and return its value."""
        return await self.db.fetchval(self.sql(text))

    async def balance(self, account: int) -> Decimal | int:
        """Return the stored balance of *account*; the type lets it be compared with a whole number."""
        value: Decimal = await self.db.fetchval("SELECT balance FROM accounts WHERE id = $1", account)
        return value

    async def balances(self) -> tuple[Decimal | int, Decimal | int]:
        """Return the balances of checking and of food."""
        return await self.balance(self.checking), await self.balance(self.food)

    async def adjusted(self) -> Decimal | int:
        """Return the balance of the adjustments account in euros, 0 while there is none."""
        value: Decimal = await self.fetchval(
            "SELECT coalesce(sum(balance), 0) FROM accounts"
            " WHERE ledger_id = {ledger} AND purpose = 'adjustments' AND currency = 'EUR'"
        )
        return value

    async def state(self) -> object:
        """Return all that is stored of both ledgers, to compare it."""
        return await self.db.fetchval(_STATE, [self.ledger.id, self.other_ledger.id])

    async def verify(self) -> Verification:
        """Verify the ledger."""
        return await self.db.verify(self.ledger)

    def new_entry(self, amount: str | int = 1) -> NewEntry:
        """Make an entry from checking to food."""
        return entry(self.food, self.checking, amount)

    @contextlib.asynccontextmanager
    async def driver(self) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
        """Lend asyncpg's own connection in a transaction that commits; its errors are made typed."""
        async with self.db.transaction() as conn:
            with translated():
                yield conn.driver


async def make_victim(db: DatabaseManager, *, is_owner: bool = True) -> Victim:
    """Make two fresh ledgers in *db*, one of them to attack."""
    name = uuid4().hex
    ledger = await db.ledgers.create(f"Victim {name}", base_currency="EUR")
    other = await db.ledgers.create(f"Other {name}", base_currency="EUR")
    async with db.unit_of_work(other) as uow:
        foreign = await uow.accounts.open("Assets:Foreign", currency="EUR")
    async with db.unit_of_work(ledger) as uow:
        checking = await uow.accounts.open("Assets:Checking", currency="EUR")
        food = await uow.accounts.open("Expenses:Food", currency="EUR")
        yen = await uow.accounts.open("Assets:Yen", currency="JPY")
        capped = await uow.accounts.open("Assets:Capped", currency="EUR", minimum_balance=0, maximum_balance=1000)
        closed = await uow.accounts.open("Assets:Closed", currency="EUR")
        await uow.accounts.close(closed, on=TODAY)
        posted = await uow.journal.post(entry(food, checking, 40))
    return Victim(
        db,
        ledger,
        other,
        checking.id,
        food.id,
        yen.id,
        capped.id,
        closed.id,
        foreign.id,
        posted.id,
        uuid4(),
        uuid4(),
        is_owner,
    )


@contextlib.contextmanager
def refused(victim: Victim, error: type[FinanceError]) -> Iterator[None]:
    """Require that the block is refused: by just *error*, or by PostgreSQL, since the application has no right to it.

    The owner of the schema has every right, so that nothing but *error* will do.
    """
    with pytest.raises(FinanceError) as caught:
        yield
    is_denied = caught.type is DatabaseError and getattr(caught.value, "sqlstate", None) == DENIED
    assert caught.type is error or (is_denied and not victim.is_owner), caught.value


async def assert_refused(victim: Victim, text: str, error: type[FinanceError], **transaction: Any) -> None:
    """Run *text* in one transaction: it must be `refused()` with *error*, and leave everything as it was."""
    before = await victim.state()

    with refused(victim, error):
        await victim.run(text, **transaction)

    assert await victim.state() == before
