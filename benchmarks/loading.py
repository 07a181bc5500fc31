"""A million entries with every check on, against COPY without any: P8 of the targets.

The library's way is `db.journal.post_many()`, which keeps several groups under way. COPY into the books' own tables by
`copy_in()` is checked as well and was no faster where it was tried: its entries come before their postings, so that
each is looked at once more at COMMIT. They would have neither an answer nor a content hash.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Sequence
from typing import Any

import asyncpg

from benchmarks.books import Books, entry_of, make_books
from benchmarks.harness import Pair, Result, Row, collected, judge
from benchmarks.history import database, scaled
from benchmarks.peers import SCHEMA, Transfer
from finance import DatabaseManager
from finance.identifiers import uuid7

ROWS = {"P8": Row("P8", "load 1,000,000 entries", "COPY without triggers", 0.35, 0.6)}

_ENTRIES = 1_000_000
#: Fewer than of other rows, because each takes minutes.
_ROUNDS = 3
#: Entries that both sides load before, so that they are warm.
_FIRST = 1000

_ENTRY = ("ledger_id", "id", "date", "description")
_POSTING = ("ledger_id", "entry_id", "line", "account_id", "date", "currency", "amount")


async def load(db: DatabaseManager, books: Books, transfers: Sequence[Transfer]) -> None:
    """Post an entry for each of *transfers*."""
    answers = await db.journal.post_many((entry_of(each) for each in transfers), ledger=books.ledger_id)
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer


async def copy(connection: Any, books: Books, transfers: Sequence[Transfer]) -> None:
    """Copy the same into the peers' tables, in one transaction."""
    ids = [uuid7() for _ in transfers]
    entries = ((books.ledger_id, id_, each.date, each.description) for id_, each in zip(ids, transfers, strict=True))
    postings = (
        (books.ledger_id, id_, line, account_id, each.date, "EUR", amount)
        for id_, each in zip(ids, transfers, strict=True)
        for line, account_id, amount in ((1, each.debit, each.amount), (2, each.credit, -each.amount))
    )
    async with connection.transaction():
        for table, columns, records in (("journal_entries", _ENTRY, entries), ("postings", _POSTING, postings)):
            await connection.copy_records_to_table(table, records=records, columns=columns, schema_name=SCHEMA)


async def measure(name: str, dsn: str) -> list[Result]:
    """Measure the row *name*, in a database of its own each round; the one that was first is second in the next."""
    pairs = [await _round(dsn, is_peer_first=bool(number % 2)) for number in range(_ROUNDS)]
    return [judge(ROWS[name], pairs, unit="entries/s")]


async def _round(dsn: str, *, is_peer_first: bool) -> Pair:
    async with (
        database(dsn, "loading") as own,
        DatabaseManager(own, max_size=4) as db,
        asyncpg.create_pool(own, min_size=1, max_size=1) as pool,
        pool.acquire() as connection,
    ):
        books = await make_books(own)
        # Drawn before anything is timed; what is made of them, each side makes itself.
        first, transfers = books.transfers(_FIRST), books.transfers(scaled(_ENTRIES))
        works = [lambda some: load(db, books, some), lambda some: copy(connection, books, some)]
        rates = [0.0, 0.0]
        for side in (1, 0) if is_peer_first else (0, 1):
            await works[side](first)
            await connection.execute("CHECKPOINT")  # what one has written, the other does not write out
            rates[side] = len(transfers) / await _seconds(works[side](transfers))
    return rates[0], rates[1]


async def _seconds(work: Awaitable[None]) -> float:
    with collected():
        started = time.perf_counter()
        await work
        return time.perf_counter() - started
