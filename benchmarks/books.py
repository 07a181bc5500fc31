"""The books that both sides post to: a thousand accounts, and transfers between them that are drawn by lot."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from benchmarks import peers
from benchmarks.peers import Transfer
from finance import DatabaseManager, NewEntry, NewPosting

ACCOUNTS = 1000

_OPEN = """
INSERT INTO accounts (ledger_id, name, type, currency, minimum_balance)
SELECT $1, 'Assets:' || g, 'asset', 'EUR', CASE WHEN g = 0 THEN 0 END FROM generate_series(0, $2) AS g
    ON CONFLICT DO NOTHING
"""
_OPENED = "SELECT id FROM accounts WHERE ledger_id = $1 AND name LIKE 'Assets:%' ORDER BY id"


@dataclass(frozen=True, slots=True)
class Books:
    """A ledger with its accounts; the first of them has no money and may not be overdrawn."""

    ledger_id: int
    poor: int
    accounts: Sequence[int]

    def transfers(self, count: int, *, hot: bool = False, refused: float = 0) -> list[Transfer]:
        """Return *count* transfers between accounts drawn by lot; with *hot*, all go to one account."""
        return [self._transfer(hot=hot, is_refused=random.random() < refused) for _ in range(count)]

    def _transfer(self, *, hot: bool, is_refused: bool) -> Transfer:
        debit, credit = random.sample(self.accounts[1:], 2)
        day = date(2026, 11, 22) - timedelta(days=random.randrange(28))
        amount = Decimal(random.randint(1, 100_000)).scaleb(-2)
        return Transfer(day, "bench", self.accounts[0] if hot else debit, self.poor if is_refused else credit, amount)


async def make_books(dsn: str) -> Books:
    """Open the accounts, unless they are there, and copy them for the peers."""
    async with DatabaseManager(dsn) as db:
        books = await db.ledgers.get_or_create("Posting", base_currency="EUR")
        async with db.unit_of_work(books) as uow:
            await uow.currencies.get_or_open("EUR")
        await db.execute(_OPEN, books.id, ACCOUNTS)
        ids = [row["id"] for row in await db.fetch(_OPENED, books.id)]
        for statement in ("ANALYZE accounts", *peers.statements()):
            await db.execute(statement)
    return Books(books.id, ids[0], ids[1:])


def entry_of(transfer: Transfer) -> NewEntry:
    """Make the entry that *transfer* becomes, with an id of its own."""
    day, description, debit, credit, amount = transfer
    return NewEntry(day, description, [NewPosting(debit, amount), NewPosting(credit, -amount)])
