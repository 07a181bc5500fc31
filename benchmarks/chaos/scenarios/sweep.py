"""C2: each call is cancelled at each of its suspensions, on a warm pool and on a cold one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

from benchmarks.chaos.cluster import wait_until
from benchmarks.chaos.lab import MARK, Books, Lab
from benchmarks.chaos.steps import At, cancelled_at
from benchmarks.chaos.verdict import Verdict
from finance import DatabaseManager, Outcome, Retry

_LIMIT = 200
Step = Callable[[DatabaseManager, Books, UUID], Awaitable[None]]


async def _executemany(db: DatabaseManager, _books: Books, key: UUID) -> None:
    await db.executemany(MARK, [(key, 1, 10), (key, 2, -10)])


async def _copy_in(db: DatabaseManager, _books: Books, key: UUID) -> None:
    await db.copy_in("marks", [(key, 1, 10), (key, 2, -10)], columns=["key", "line", "amount"])


async def _fetch(db: DatabaseManager, _books: Books, key: UUID) -> None:
    await db.fetch("INSERT INTO marks SELECT $1, g, 30 - 20 * g FROM generate_series(1, 2) AS g RETURNING 1", key)


#: Calls with a handle that says what became of them.
TOLD: dict[str, Step] = {
    "transaction": lambda db, books, key: books.mark(db, key),
    "unit_of_work": lambda db, books, key: books.post(db, key),
}
#: Calls that commit by themselves: whole or not at all.
UNTOLD: dict[str, Step] = {
    "fetch": _fetch,
    "executemany": _executemany,
    "copy_in": _copy_in,
    "run": lambda db, books, key: books.run(db, key, Retry(idempotent=True)),
}
CALLS = TOLD | UNTOLD


async def sweep(lab: Lab, call: str) -> Verdict:
    """C2: what is told is what is stored, at every suspension."""
    name = f"C2 {call}"
    async with lab.books(name) as books:
        points = 0
        async with DatabaseManager(books.dsn, max_size=2) as warm:
            await _attempt(warm, books, call, 10**6, At.WAITING)
            for at in At:
                points += await _each_point(lab, books, call, at, warm)
            for at in At:
                points += await _each_point(lab, books, call, at, None)
            unknown = books.record.keys(Outcome.UNKNOWN) if call in TOLD else set()
            failures = [f"{len(unknown)} were told UNKNOWN"] if unknown else []
            if swallowed := books.record.errors["swallowed"]:
                failures.append(f"{swallowed} cancellations were swallowed")
            verdict = lab.verdict(name, faults=points, note=f"{points} points")
            return await books.judge(verdict, warm, failures=failures)


async def _each_point(lab: Lab, books: Books, call: str, at: At, warm: DatabaseManager | None) -> int:
    """Cancel at the first suspension, the second, and so on, until there are no more; a short form skips some."""
    n = 1 if not lab.is_short else books.random.randint(1, 3)
    points = 0
    while n < _LIMIT:
        if warm is not None:
            has_struck = await _attempt(warm, books, call, n, at)
        else:
            async with DatabaseManager(books.dsn, min_size=0, max_size=2) as cold:
                has_struck = await _attempt(cold, books, call, n, at)
                await _settled(cold)
        if not has_struck:
            return points
        points += 1
        n += lab.size(1, books.random.randint(1, 3))
    raise RuntimeError(f"{call} still suspends after {_LIMIT} times")


async def _attempt(db: DatabaseManager, books: Books, call: str, n: int, at: At) -> bool:
    key = books.key()
    stepped, error = await cancelled_at(CALLS[call](db, books, key), n, at)
    if call not in TOLD and call != "run":
        # Without a handle nobody is told; the audit sees to it that all of it is stored, or nothing.
        books.record.told[key] = Outcome.APPLIED if error is None else Outcome.UNKNOWN
    if error is not None and not isinstance(error, asyncio.CancelledError):
        books.record.untyped.append(f"{call}, point {n}, {at.name}: {error!r}")
    if stepped.has_struck and error is None:
        books.record.errors["swallowed"] += 1
    await _settled(db)
    return stepped.has_struck


async def _settled(db: DatabaseManager) -> None:
    """Wait until the connection is back: a cleanup that goes on behind the caller would disturb the next point."""

    async def is_back() -> bool:
        return db.stats().in_use == 0

    await wait_until(is_back, "the connection to be back", 10)
