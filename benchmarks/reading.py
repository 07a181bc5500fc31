"""Postings as plain rows against ORM objects: P3b of the targets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import select

from benchmarks.books import Books
from benchmarks.harness import Result, Row, Work, collected, compare
from benchmarks.history import History, books_with
from finance import DatabaseManager
from finance.models import Posting

ROWS = {"P3b": Row("P3b", "10,000 postings of one account as plain rows", "the same as ORM objects", 3.0, 5.0)}

#: A year in which the account has as many postings.
_HISTORY = History(entries=10_000, days=365, is_hot=True)


class Bench:
    """Both sides on the same account, each in a unit of work that is opened for it."""

    def __init__(self, db: DatabaseManager, books: Books) -> None:
        self._db = db
        self._books = books

    async def rows(self) -> int:
        """Read every posting of the account as a plain row, in order."""
        count = 0
        async with self._db.unit_of_work(self._books.ledger_id) as uow:
            async for _ in uow.journal.postings(self._books.accounts[0]):
                count += 1
        return _all(count)

    async def objects(self) -> int:
        """The same through the session."""
        ours = (Posting.ledger_id == self._books.ledger_id) & (Posting.account_id == self._books.accounts[0])
        ordered = select(Posting).where(ours).order_by(Posting.date, Posting.entry_id, Posting.line)
        async with self._db.unit_of_work(self._books.ledger_id) as uow:
            count = sum(1 for _ in await uow.session.scalars(ordered))
        return _all(count)


def _all(count: int) -> int:
    assert count == _HISTORY.entries  # noqa: S101 - a side that reads less is no side
    return count


async def measure(name: str, dsn: str) -> Result:
    """Measure the row *name*."""
    async with books_with(_HISTORY, dsn, "reading") as (own, books):

        @asynccontextmanager
        async def sides() -> AsyncIterator[tuple[Work, Work]]:
            async with DatabaseManager(own, max_size=2) as db:
                both = Bench(db, books)
                yield both.rows, both.objects

        # Both live with the collector: it is what ten thousand objects cost besides being made.
        return await compare(ROWS[name], sides, collector=collected)
