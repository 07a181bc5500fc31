"""A balance on a day of an account with a million postings, against adding them up: P10 of the targets.

They lie in ten years, 274 of them on each day. The days that are asked for are drawn by lot from all of these: the
peer adds up half a million postings on average, the books a total for each month and a quarter of a month's postings.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from benchmarks.books import Books
from benchmarks.harness import Result, Row, Work, compare
from benchmarks.history import History, books_with, scaled
from finance import DatabaseManager, UnitOfWork

ROWS = {
    "P10": Row("P10", "balance on a date, an account with 1,000,000 postings", "SUM along the best index", 100, 1000)
}

#: The account has a million of the postings, in ten years.
_ENTRIES, _DAYS = 1_000_000, 3650
#: Days that both sides are asked for in a turn, drawn by lot, and how often ours is: the peer takes much longer.
_DATES, _TIMES = 10, 20

# The index by account and date has the amount in it: it is read alone.
_SUM = "SELECT sum(amount) FROM postings WHERE ledger_id = $1 AND account_id = $2 AND date <= $3"


class Bench:
    """Both sides on the same account and the same days, in a transaction that is open."""

    def __init__(self, uow: UnitOfWork, peer: Any, books: Books, history: History) -> None:
        self._uow = uow
        self._peer = peer
        self._books = books
        self._days = [history.day() for _ in range(_DATES)]

    async def ours(self) -> int:
        """Ask for the balance on each of the days."""
        for day in self._days * _TIMES:
            await self._uow.accounts.balance(self._books.accounts[0], on=day)
        return _DATES * _TIMES

    async def peers(self) -> int:
        """The same by a prepared statement of asyncpg."""
        for day in self._days:
            await self._peer.fetchval(self._books.ledger_id, self._books.accounts[0], day)
        return _DATES


async def measure(name: str, dsn: str) -> list[Result]:
    """Measure the row *name*; each round draws other days."""
    history = History(scaled(_ENTRIES), _DAYS, is_hot=True)
    async with books_with(history, dsn, "balances") as (own, books):

        @asynccontextmanager
        async def sides() -> AsyncIterator[tuple[Work, Work]]:
            async with (
                DatabaseManager(own, max_size=2) as db,
                db.unit_of_work(books.ledger_id) as uow,
                asyncpg.create_pool(own, min_size=1, max_size=1) as pool,
                pool.acquire() as connection,
                connection.transaction(),
            ):
                both = Bench(uow, await connection.prepare(_SUM), books, history)
                yield both.ours, both.peers

        return [await compare(ROWS[name], sides)]
