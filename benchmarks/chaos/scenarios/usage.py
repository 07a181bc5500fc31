"""C4: statement errors are swallowed. C6: two tasks share what belongs to one. L1: holders never return."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
from sqlalchemy import text

from benchmarks.chaos.lab import MARK, Books, Lab
from benchmarks.chaos.verdict import Verdict
from finance import DatabaseManager, FinanceError
from finance.errors import ConcurrentUseError, PoolOverloadedError, PoolTimeoutError

_FAILS = "SELECT 1 / 0"
_STARVING = 0.5
_MAX_WAITING = 20

Swallow = Callable[[DatabaseManager, Books], Awaitable[None]]


# --- C4 ------------------------------------------------------------------------------------------------


async def _in_transaction(db: DatabaseManager, books: Books) -> None:
    async with _marking(books) as call, db.transaction() as call.handle:
        await call.handle.execute(MARK, call.key, 1, 10)
        await call.handle.execute(MARK, call.key, 2, -10)
        with contextlib.suppress(FinanceError):
            await call.handle.execute(_FAILS)


async def _in_unit_of_work(db: DatabaseManager, books: Books) -> None:
    async with _marking(books) as call, db.unit_of_work(books.ledger) as call.handle:
        await call.handle.journal.post(books.entry(call.key))
        with contextlib.suppress(FinanceError):
            await call.handle.connection.execute(_FAILS)


async def _in_session(db: DatabaseManager, books: Books) -> None:
    async with _marking(books) as call, db.unit_of_work(books.ledger) as call.handle:
        await call.handle.journal.post(books.entry(call.key))
        with contextlib.suppress(Exception):
            await call.handle.session.execute(text(_FAILS))


async def _in_driver(db: DatabaseManager, books: Books) -> None:
    async with _marking(books) as call, db.transaction() as call.handle:
        await call.handle.execute(MARK, call.key, 1, 10)
        await call.handle.execute(MARK, call.key, 2, -10)
        with contextlib.suppress(Exception):
            await call.handle.driver.fetch(_FAILS)


async def _in_savepoint(db: DatabaseManager, books: Books) -> None:
    async with _marking(books) as call, db.transaction() as call.handle:
        await call.handle.execute(MARK, call.key, 1, 10)
        await call.handle.execute(MARK, call.key, 2, -10)
        async with call.handle.transaction() as inner:
            with contextlib.suppress(FinanceError):
                await inner.execute(_FAILS)


async def _in_savepoint_of_unit(db: DatabaseManager, books: Books) -> None:
    async with _marking(books) as call, db.unit_of_work(books.ledger) as call.handle:
        await call.handle.journal.post(books.entry(call.key))
        async with call.handle.savepoint():
            with contextlib.suppress(FinanceError):
                await call.handle.connection.execute(_FAILS)


async def _around_savepoint(db: DatabaseManager, books: Books) -> None:
    """Swallow it outside of its savepoint, as one should: everything else is stored."""
    async with _marking(books, is_stored=True) as call, db.transaction() as call.handle:
        await call.handle.execute(MARK, call.key, 1, 10)
        await call.handle.execute(MARK, call.key, 2, -10)
        with contextlib.suppress(FinanceError):
            async with call.handle.transaction() as inner:
                await inner.execute(_FAILS)


SWALLOWS: dict[str, Swallow] = {
    "transaction": _in_transaction,
    "unit_of_work": _in_unit_of_work,
    "session": _in_session,
    "driver": _in_driver,
    "savepoint": _in_savepoint,
    "unit_savepoint": _in_savepoint_of_unit,
    "around_savepoint": _around_savepoint,
}


@contextlib.asynccontextmanager
async def _marking(books: Books, *, is_stored: bool = False) -> AsyncIterator[Any]:
    key = books.key()
    with books.record.of(key) as call:
        yield call
    if (books.record.told[key].name == "APPLIED") is not is_stored:
        books.record.errors["silent"] += 1


async def swallowed_errors(lab: Lab) -> Verdict:
    """C4: a block whose statement failed never ends in silence."""
    async with lab.books("C4") as books, DatabaseManager(books.dsn) as db:
        for _ in range(lab.size(20, 2)):
            for swallow in SWALLOWS.values():
                await swallow(db, books)
        silent = books.record.errors.pop("silent", 0)
        failures = [f"{silent} of {len(books.record.told)} ended otherwise than they should"] if silent else []
        verdict = lab.verdict("C4", faults=len(books.record.told), note=f"{silent} silent rollbacks")
        return await books.judge(verdict, db, failures=failures)


# --- C6 ------------------------------------------------------------------------------------------------


async def shared_by_two(lab: Lab) -> Verdict:
    """C6: of two tasks that use one transaction at a time, the second is refused at once."""
    failures: list[str] = []
    async with (
        lab.books("C6") as books,
        DatabaseManager(books.dsn) as db,
        lab.node.administered(books.database) as keeper,
    ):
        intrude = functools.partial(_intrude, keeper)
        tries = lab.size(50, 2)
        for _ in range(tries):
            async with db.transaction() as connection:
                failures += await intrude(connection.execute, lambda: connection.execute(MARK, books.key(), 1, 1))
            async with db.unit_of_work(books.ledger) as uow:
                failures += await intrude(uow.connection.execute, lambda: uow.journal.post(books.entry(books.key())))
            async with db.unit_of_work(books.ledger) as uow:
                failures += await intrude(
                    lambda sql: uow.session.execute(text(sql)), lambda: uow.connection.execute(_FAILS)
                )
            failures += await _intrude_by_session(db, books)
        return await books.judge(lab.verdict("C6", tries=4 * tries, faults=4 * tries), db, failures=failures)


async def _intrude(
    keeper: asyncpg.Connection[asyncpg.Record],
    first: Callable[[str], Awaitable[Any]],
    second: Callable[[], Awaitable[Any]],
) -> list[str]:
    """Have *second* called while *first* waits for a lock of *keeper*'s."""
    await keeper.execute("SELECT pg_advisory_lock(1)")
    owner = asyncio.ensure_future(first("SELECT pg_advisory_xact_lock(1)"))
    await asyncio.sleep(0.03)
    failures = []
    try:
        await second()
        failures.append("an interleaving was let through")
    except ConcurrentUseError:
        pass
    except Exception as error:
        failures.append(f"a second task got {error!r}")
    if owner.done():
        failures.append("a second task waited for the first")
    await keeper.execute("SELECT pg_advisory_unlock(1)")
    try:
        await owner
    except Exception as error:
        failures.append(f"the first task got {error!r}")
    return failures


async def _intrude_by_session(db: DatabaseManager, books: Books) -> list[str]:
    """The session is SQLAlchemy's own, so that its errors are typed where they leave the block."""
    owner: asyncio.Future[Any] | None = None
    started = asyncio.get_running_loop().time()
    failures = []
    try:
        async with db.unit_of_work(books.ledger) as uow:
            owner = asyncio.ensure_future(uow.connection.execute("SELECT pg_sleep(0.15)"))
            await asyncio.sleep(0.03)
            await uow.session.execute(text(_FAILS))
        failures.append("an interleaving was let through")
    except ConcurrentUseError:
        pass
    except Exception as error:
        failures.append(f"a second task got {error!r}")
    if asyncio.get_running_loop().time() - started > 10:
        failures.append("a second task waited")
    if owner is not None:
        await asyncio.wait([owner])
    return failures


# --- L1 ------------------------------------------------------------------------------------------------


async def starvation(lab: Lab) -> Verdict:
    """L1: whoever waits for holders that never return is told in time who they are, and since when."""
    failures: list[str] = []
    overrun = 0.0
    async with lab.books("L1") as books, _crowded(books) as db, lab.patience(0.2, asks_server=False) as bound:
        release = asyncio.Event()

        async def hold() -> None:
            async with db.transaction():
                await release.wait()

        holders = [asyncio.create_task(hold(), name=f"holder-{number}") for number in range(3)]
        await asyncio.sleep(0.2)
        starving = [_starve(db, [task.get_name() for task in holders]) for _ in range(lab.size(20, 4))]
        for waited, problems in await asyncio.gather(*starving):
            overrun = max(overrun, waited - _STARVING)
            failures += problems
        failures += await _give_up_waiting(db)
        release.set()
        await asyncio.gather(*holders)
        if overrun > bound():
            failures.append(f"one waited {overrun:.2f} s longer than acquire_timeout")
        verdict = lab.verdict("L1", tries=len(starving), faults=len(holders), overrun=overrun)
        return await books.judge(verdict, db, failures=failures)


def _crowded(books: Books) -> DatabaseManager:
    return DatabaseManager(books.dsn, max_size=3, acquire_timeout=_STARVING, max_waiting=_MAX_WAITING)


async def _give_up_waiting(db: DatabaseManager) -> list[str]:
    """Whoever gives up before acquire_timeout waits no more, and takes nobody's place in the queue."""
    try:
        for _ in range(_MAX_WAITING + 1):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.02):
                    await db.fetchval("SELECT 1")
    except PoolOverloadedError as error:
        return [f"nobody waits any more, and yet: {error}"]
    waiting = db.stats().waiting
    return [f"{waiting} are said to wait, and nobody does"] if waiting else []


async def _starve(db: DatabaseManager, holders: list[str]) -> tuple[float, list[str]]:
    clock = asyncio.get_running_loop().time
    started = clock()
    try:
        await db.fetchval("SELECT 1")
    except PoolTimeoutError as error:
        problems = [f"{name} is not named in {error}" for name in holders if name not in str(error)]
        if len(re.findall(r"\d+(?:\.\d+)?\s*s\b", str(error))) < len(holders):
            problems.append(f"it does not tell since when: {error}")
    except Exception as error:
        problems = [f"a starving call got {error!r}"]
    else:
        problems = ["a starving call got a connection"]
    return clock() - started, problems
