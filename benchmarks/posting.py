"""Posting against peers: P4 to P7 of the targets, and beside them what an ORM makes of the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress

from benchmarks.books import Books, entry_of, make_books
from benchmarks.harness import TURNS, Result, Row, Work, compare
from benchmarks.peers import Peer, Transfer
from benchmarks.peers.advanced import advanced
from benchmarks.peers.handwritten import handwritten
from benchmarks.peers.naive_orm import naive_orm
from finance import DatabaseManager, NewEntry
from finance.errors import BalanceLimitError

ROWS = {
    "P4": Row("P4", "post, one caller", "hand-written", 0.5, 0.75),
    "P4-orm": Row("P4-orm", "post, one caller", "naive ORM", 1.0, 2.0),
    "P4-advanced": Row("P4-advanced", "post, one caller", "advanced-alchemy", 1.0, 2.0),
    "P5": Row("P5", "post, 64 callers, 1,000 accounts", "hand-written, 64 connections", 1.8, 2.75),
    "P5-orm": Row("P5-orm", "post, 64 callers, 1,000 accounts", "naive ORM, 64 connections", 5.0, 10.0),
    "P5-advanced": Row(
        "P5-advanced", "post, 64 callers, 1,000 accounts", "advanced-alchemy, 64 connections", 5.0, 10.0
    ),
    "P5r": Row("P5r", "P5 with 5 % of the entries refused by a limit", "P5", 0.5, 0.8),
    "P6": Row("P6", "post, 64 callers, one account in every entry", "hand-written, 64 connections", 8.0, 15.0),
    "P7": Row("P7", "post_many, 8,189 entries", "hand-written, one unnest statement", 1.0, 2.2),
}

CALLERS = 64
#: Entries of one call: TigerBeetle takes as many transfers in a message.
BATCH = 8189
#: Entries of each caller in a turn.
_EACH = {"P4": 100, "P5": 12, "P6": 12}

_PEERS: dict[str, Callable[[str, int, int], AbstractAsyncContextManager[Peer]]] = {
    "": handwritten,
    "orm": naive_orm,
    "advanced": advanced,
}


class Ours:
    """The fast lane."""

    def __init__(self, db: DatabaseManager, ledger_id: int) -> None:
        self._db = db
        self._ledger_id = ledger_id
        self._made: list[list[NewEntry]] = []

    def make(self, transfers: Sequence[Transfer], turns: int) -> None:
        """Make the entries of *turns* calls of `post_many()`: they are what that is handed."""
        self._made = [[entry_of(each) for each in transfers] for _ in range(turns)]

    async def post(self, _caller: int, transfer: Transfer, /) -> None:
        """Post one entry; that a limit refuses it is an answer too."""
        with suppress(BalanceLimitError):
            await self._db.journal.post(entry_of(transfer), ledger=self._ledger_id)

    async def post_many(self, _transfers: Sequence[Transfer]) -> None:
        """Post the entries that were made, one for each transfer."""
        answers = await self._db.journal.post_many(self._made.pop(), ledger=self._ledger_id)
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer


def _work(name: str, side: Peer, books: Books, *, refused: float = 0) -> Work:
    """Return the work of one turn of *side* in the row *name*."""
    base = name.partition("-")[0].removesuffix("r")
    callers = 1 if base == "P4" else CALLERS
    # Drawn before anything is timed. What is made of them each side makes itself, but for the entries that post_many()
    # is handed: of many, the call alone is timed on both sides.
    batch = books.transfers(BATCH if base == "P7" else 0)
    each = [books.transfers(_EACH.get(base, 0), hot=base == "P6", refused=refused) for _ in range(callers)]

    if isinstance(side, Ours):
        side.make(batch, TURNS + 1)

    async def many() -> int:
        await side.post_many(batch)
        return BATCH

    async def turn() -> int:
        await asyncio.gather(*(_caller(side, number, transfers) for number, transfers in enumerate(each)))
        return callers * _EACH[base]

    return many if base == "P7" else turn


async def _caller(side: Peer, number: int, transfers: Sequence[Transfer]) -> None:
    for transfer in transfers:
        await side.post(number, transfer)


async def measure(name: str, dsn: str) -> Result:
    """Measure the row *name*."""
    books = await make_books(dsn)
    callers = 1 if name.startswith(("P4", "P7")) else CALLERS

    @asynccontextmanager
    async def sides() -> AsyncIterator[tuple[Work, Work]]:
        async with AsyncExitStack() as stack:
            db = await stack.enter_async_context(DatabaseManager(dsn, max_size=4))
            ours = Ours(db, books.ledger_id)
            if name == "P5r":
                yield _work(name, ours, books, refused=0.05), _work(name, ours, books)
                return
            make = _PEERS[name.partition("-")[2]]
            peer = await stack.enter_async_context(make(dsn, books.ledger_id, callers))
            yield _work(name, ours, books), _work(name, peer, books)

    return await compare(ROWS[name], sides)
