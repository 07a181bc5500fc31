"""A program of ours, to be killed: `python -m benchmarks.chaos.child JOB DSN LEDGER`, one line of JSON after another.

post     keys come on standard input, one a line; it says which it has begun, and what was told of each
drain    fifty callers are under way when SIGTERM comes; it says what was told of each, and how long the end took
zones    instants are stored and read in the time zone of the environment; it says which came back as another
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sys
from collections.abc import Callable, Coroutine
from datetime import date, datetime, timedelta, timezone
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from benchmarks.chaos.cluster import wait_until
from benchmarks.chaos.lab import Books
from benchmarks.chaos.record import Record
from finance import DatabaseManager, NewEntry, NewPosting, Retry
from finance.errors import InvalidError, ParameterError

#: Seconds that those under way have to finish after SIGTERM.
DRAIN = 1.0
_CALLERS = 50
#: Callers of the fast lane beside them.
_OF_LANE = 8


def main(arguments: list[str]) -> None:
    """Do the job."""
    job, dsn, ledger = arguments
    asyncio.run(_JOBS[job](dsn, int(ledger)))


def _say(**found: Any) -> None:
    print(json.dumps(found), flush=True)


async def _books(db: DatabaseManager, dsn: str, ledger: int) -> Books:
    accounts = [row["id"] for row in await db.fetch("SELECT id FROM accounts ORDER BY id")]
    return Books("", dsn, ledger, accounts, random.Random(0))


# --- post ----------------------------------------------------------------------------------------------


async def _post(dsn: str, ledger: int) -> None:
    async with DatabaseManager(dsn, min_size=4, max_size=8) as db:
        books = await _books(db, dsn, ledger)
        keys = [UUID(line) for line in await asyncio.to_thread(sys.stdin.read().split)]
        _say(event="ready")
        async with asyncio.TaskGroup() as group:
            for number in range(8):
                group.create_task(_post_each(db, books, keys[number::8]))


async def _post_each(db: DatabaseManager, books: Books, keys: list[UUID]) -> None:
    for key in keys:
        _say(event="begun", key=str(key))
        await (books.lane(db, key) if key.int % 2 else books.run(db, key, Retry(idempotent=True)))
        _say(event="told", key=str(key), outcome=books.record.told[key].name)


# --- drain ---------------------------------------------------------------------------------------------


async def _drain(dsn: str, ledger: int) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    db = DatabaseManager(dsn, max_size=30, max_waiting=None, slow_threshold=None)
    await db.connect()
    books = await _books(db, dsn, ledger)
    keys = [UUID(int=random.getrandbits(128), version=4) for _ in range(_CALLERS)]
    tasks = [loop.create_task(_post_slowly(db, books, key)) for key in keys]
    tasks += [loop.create_task(_post_again_and_again(db, books, ended)) for _ in range(_OF_LANE)]
    await wait_until(lambda: _all_hold(db), "all to be under way")
    _say(event="ready")
    await ended.wait()
    started = loop.time()
    await db.disconnect(DRAIN)
    seconds = loop.time() - started
    await asyncio.wait(tasks, timeout=2)
    _say(event="drained", seconds=seconds, **_told(books.record), pending=sum(not task.done() for task in tasks))


async def _post_again_and_again(db: DatabaseManager, books: Books, ended: asyncio.Event) -> None:
    while not ended.is_set():
        await books.lane(db, UUID(int=random.getrandbits(128), version=4))


async def _all_hold(db: DatabaseManager) -> bool:
    """The pool has fewer places than there are callers: some wait."""
    stats = db.stats()
    return stats.in_use == stats.max_size and stats.in_use + stats.waiting >= _CALLERS


async def _post_slowly(db: DatabaseManager, books: Books, key: UUID) -> None:
    with books.record.of(key) as call:
        async with db.unit_of_work(books.ledger) as uow:
            call.handle = uow
            await uow.connection.execute("SELECT pg_sleep($1)", random.uniform(0, 2.5 * DRAIN))
            await uow.journal.post(books.entry(key))


def _told(record: Record) -> dict[str, Any]:
    return {
        "told": {str(key): outcome.name for key, outcome in record.told.items()},
        "untyped": record.untyped,
        "contradictions": record.contradictions,
        "errors": dict(record.errors),
    }


# --- zones ---------------------------------------------------------------------------------------------

_ECHO = "SELECT $1::timestamptz AS at, extract(epoch FROM $1::timestamptz) AS seconds"


async def _zones(dsn: str, ledger: int) -> None:
    async with DatabaseManager(dsn) as db:
        wrong = [await _flaw(db, at) for at in _instants()]
        wrong += [await _let_through(db, naive) for naive in _naive()]
        wrong += await _entry_flaws(db, await _books(db, dsn, ledger))
        tries = len(wrong)
        _say(event="zones", tries=tries, wrong=[flaw for flaw in wrong if flaw], here=str(datetime.now().astimezone()))


def _instants() -> list[datetime]:
    """Instants around the hours that clocks skip and repeat, with both folds, in several zones."""
    found = []
    for name in ("UTC", "Asia/Tokyo", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca"):
        zone = ZoneInfo(name)
        for day in (date(2026, 3, 8), date(2026, 3, 29), date(2026, 4, 5), date(2026, 10, 4), date(2026, 10, 25)):
            for minutes in range(0, 240, 15):
                at = datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(minutes=minutes)
                found += [at, at.replace(fold=1)]
    odd = timezone(timedelta(hours=5, minutes=45, seconds=7))
    return [*found, datetime(1883, 11, 18, 12, tzinfo=odd), datetime(2026, 12, 31, 23, 59, 59, 999999, tzinfo=odd)]


def _naive() -> list[datetime | date]:
    return [datetime(2026, 3, 29, 2, 30), datetime(2026, 10, 25, 2, 30, fold=1), date(2026, 3, 29)]  # noqa: DTZ001


async def _flaw(db: DatabaseManager, at: datetime) -> str | None:
    row = await db.fetchrow(_ECHO, at)
    if row is None or row["at"].utcoffset() is None or row["at"].timestamp() != at.timestamp():
        return f"{at!r} came back as {row and row['at']!r}"
    return None if float(row["seconds"]) == at.timestamp() else f"{at!r} is at {row['seconds']} for the server"


async def _let_through(db: DatabaseManager, naive: datetime | date) -> str | None:
    try:
        await db.fetchrow(_ECHO, naive)
    except ParameterError:
        return None
    return f"{naive!r} was let through"


async def _entry_flaws(db: DatabaseManager, books: Books) -> list[str | None]:
    """Days are days wherever the process stands, and instants of recording are instants."""
    flaws: list[str | None] = []
    for day in (date(2026, 3, 29), date(2026, 10, 25), date(2026, 2, 28), date(2026, 12, 31), date(2026, 1, 1)):
        entry = NewEntry(day, f"{day} in {ZONE}", [NewPosting(books.accounts[0], 1), NewPosting(books.accounts[1], -1)])
        before = datetime.now().astimezone()
        async with db.unit_of_work(books.ledger) as uow:
            await uow.journal.post(entry)
            stored = await uow.journal.get_one(entry.id)
            month = await uow.connection.fetchval(
                "SELECT bool_or(month = $2) FROM monthly_totals WHERE account_id = $1",
                books.accounts[0],
                day.replace(day=1),
            )
        is_timely = timedelta(seconds=-5) < stored.recorded_at - before < timedelta(seconds=30)
        flaws.append(None if stored.date == day and month and is_timely else f"{day} was stored as {stored.date}")
        _say(event="posted", key=str(entry.id))
    try:
        NewEntry(datetime(2026, 1, 1), "x", [])  # noqa: DTZ001
    except InvalidError:
        flaws.append(None)
    else:
        flaws.append("a datetime was taken for a day")
    return flaws


ZONE = datetime.now().astimezone().tzname()
_JOBS: dict[str, Callable[[str, int], Coroutine[Any, Any, None]]] = {"post": _post, "drain": _drain, "zones": _zones}

if __name__ == "__main__":
    main(sys.argv[1:])
