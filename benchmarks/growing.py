"""The same books after twelve years and after six weeks, side by side: P9 of the targets.

A thousand accounts take 1,140 entries a day: 50,000 in 44 days, 5,000,000 in twelve years. Both are made by bulk SQL
with the guards off, then measured with all of them on. FINANCE_BENCH_SIZE changes the large ones only.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from benchmarks.books import Books
from benchmarks.harness import Pair, Result, Row, Work, judge, rates
from benchmarks.history import History, books_with, scaled
from finance import DatabaseManager, NewEntry, NewPosting

_PEER = "100,000 postings"
#: What is asked of one row is asked of the worst of the three works, each of which has a row besides.
ROWS = {"P9": Row("P9", "post, balance, register page on 10,000,000 postings", _PEER, 1.3, 1.1)}
_WORKS = ("post", "balance", "register")

_LARGE, _SMALL = 5_000_000, 50_000
_ENTRIES_A_DAY = 1140
#: From here on, a register of the small books fills a page: everyone reads a full one.
_LATE = 2 / 3


class Bench:
    """Some books and the works that are done on them, each on accounts and days drawn by lot."""

    def __init__(self, db: DatabaseManager, books: Books, history: History) -> None:
        self._db = db
        self._books = books
        self._history = history

    async def post(self) -> int:
        """Post entries of the last days, one after another."""
        for _ in range(50):
            debit, credit = random.sample(self._books.accounts, 2)
            entry = NewEntry(self._history.day(_LATE), "bench", [NewPosting(debit, 1), NewPosting(credit, -1)])
            await self._db.journal.post(entry, ledger=self._books.ledger_id)
        return 50

    async def balance(self) -> int:
        """Ask for balances on any day of the history."""
        async with self._db.unit_of_work(self._books.ledger_id) as uow:
            for _ in range(100):
                await uow.accounts.balance(random.choice(self._books.accounts), on=self._history.day())
        return 100

    async def register(self) -> int:
        """Read pages of registers, with the balance after each line, the newest first."""
        async with self._db.unit_of_work(self._books.ledger_id) as uow:
            for _ in range(50):
                account, day = random.choice(self._books.accounts), self._history.day(_LATE)
                await uow.reports.register_page(account, end_on=day, newest_first=True)
        return 50


async def measure(name: str, dsn: str) -> list[Result]:
    """Measure the row *name*: the worst of the works, then each of them, in milliseconds an operation."""
    large, small = _history(max(_SMALL, scaled(_LARGE))), _history(_SMALL)
    async with (
        books_with(large, dsn, "growing_large") as (large_dsn, large_books),
        books_with(small, dsn, "growing_small") as (small_dsn, small_books),
    ):

        @asynccontextmanager
        async def benches() -> AsyncIterator[tuple[Bench, Bench]]:
            async with DatabaseManager(large_dsn, max_size=2) as ours, DatabaseManager(small_dsn, max_size=2) as peers:
                yield Bench(ours, large_books, large), Bench(peers, small_books, small)

        found = [judge(_row(work), await _times(benches, work), unit="ms", lower_is_better=True) for work in _WORKS]
    worst = max(found, key=lambda result: result.ratio)
    return [dataclasses.replace(worst, name=name), *found]


async def _times(benches: Callable[[], AbstractAsyncContextManager[tuple[Bench, Bench]]], work: str) -> list[Pair]:
    """Return the milliseconds that one operation of *work* takes on both, in each round."""

    @asynccontextmanager
    async def sides() -> AsyncIterator[tuple[Work, Work]]:
        async with benches() as (large, small):
            yield getattr(large, work), getattr(small, work)

    return [(1000 / ours, 1000 / peers) for ours, peers in await rates(sides)]


def _row(work: str) -> Row:
    return dataclasses.replace(ROWS["P9"], name=f"P9-{work}", title=work)


def _history(entries: int) -> History:
    return History(entries, max(1, entries // _ENTRIES_A_DAY))
