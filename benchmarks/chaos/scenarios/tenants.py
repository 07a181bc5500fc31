"""K2: tenants share connections, are cancelled at random, and never see a row of each other."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator

from sqlalchemy import text

from benchmarks.chaos.lab import Books, Lab
from benchmarks.chaos.load import all_of
from benchmarks.chaos.scenarios.privileges import as_role, login_of, make_roles
from benchmarks.chaos.verdict import Verdict
from finance import DatabaseManager
from tests.pooler import PROGRAM, pooler_to

WAYS = ("directly", "through pgbouncer")

_LEDGERS = 4
_ACCOUNTS = 3
_SEEN = "SELECT count(*) AS seen, count(*) FILTER (WHERE ledger_id <> $1) AS of_others FROM accounts"
_TOUCH = "UPDATE accounts SET opened_on = opened_on"
_ANY = "SELECT (SELECT count(*) FROM accounts) + (SELECT count(*) FROM ledgers) + (SELECT count(*) FROM currencies)"


class _UndoneError(Exception):
    """Ends a transaction without storing it."""


async def isolation(lab: Lab, way: str) -> Verdict:
    """K2: each transaction sees its ledger, whole, and nothing else; what names no ledger sees nothing."""
    name = f"K2 {way}"
    if way != WAYS[0] and PROGRAM is None:
        return lab.verdict(name, passed=True, note="skipped: pgbouncer is not installed")
    tally: Counter[str] = Counter()
    async with lab.books(name) as books, _reached(lab, books, way) as db:
        ledgers = await _more_ledgers(books)
        await all_of((lambda: _check(db, books, ledgers, tally) for _ in range(lab.size(10_000, 250))), callers=12)
        failures = [f"{tally[what]} {what}" for what in ("foreign rows", "rows missing", "rows unset") if tally[what]]
        failures += [f"no check {what}" for what in ("cancelled", "undone", "unset") if not tally[what]]
        leaks = tally["foreign rows"] + tally["rows unset"]
        counts = ", ".join(f"{tally[what]} {what}" for what in ("cancelled", "undone", "unset"))
        note = f"{tally['seen']} looks, {counts}, {leaks} leaks"
        verdict = lab.verdict(name, tries=tally["seen"] + tally["unset"], faults=tally["cancelled"], note=note)
        return await books.judge(verdict, db, failures=failures)


@contextlib.asynccontextmanager
async def _reached(lab: Lab, books: Books, way: str) -> AsyncIterator[DatabaseManager]:
    """Reach the books as a tenant, by fewer connections than there are callers."""
    await make_roles(books)
    async with contextlib.AsyncExitStack() as stack:
        dsn = books.dsn
        if way != WAYS[0]:
            users = ("finance", login_of("tenant"))
            dsn = await stack.enter_async_context(pooler_to(dsn, lab.folder / f"pgbouncer-{books.database}", users))
        yield await stack.enter_async_context(as_role(dsn, "tenant", min_size=0, max_size=6))


async def _more_ledgers(books: Books) -> dict[int, int]:
    """Make some ledgers, and return how many accounts each has."""
    counts = {}
    async with DatabaseManager(books.dsn) as db:
        for number in range(_LEDGERS):
            async with db.unit_of_work(f"Tenant {number}", base_currency="EUR") as uow:
                for account in range(_ACCOUNTS + number):
                    await uow.accounts.open(f"Assets:{account}", currency="EUR")
                counts[uow.ledger_id] = _ACCOUNTS + number
    return counts


async def _check(db: DatabaseManager, books: Books, ledgers: dict[int, int], tally: Counter[str]) -> None:
    """Look once as a tenant, to an end that is drawn, and sometimes as nobody right behind it."""
    ledger = books.random.choice(list(ledgers))
    ending = books.random.choice(["stored", "undone", "cancelled", "cancelled"])
    task = asyncio.create_task(_look(db, ledger, ledgers[ledger], tally, ending))
    if ending == "cancelled":
        await asyncio.wait((task,), timeout=books.random.uniform(0, 0.03))
        tally["cancelled"] += task.cancel()
    await asyncio.wait((task,))
    if not task.cancelled() and (error := task.exception()) is not None and not isinstance(error, _UndoneError):
        raise error
    tally["undone"] += ending == "undone"
    if books.random.random() < 0.5:
        await _look_as_nobody(db, tally)


async def _look(db: DatabaseManager, ledger: int, count: int, tally: Counter[str], ending: str) -> None:
    async with db.transaction(ledger=ledger) as connection:
        for _ in range(2):
            (row,) = await connection.fetch(_SEEN, ledger)
            tally["seen"] += 1
            tally["foreign rows"] += row["of_others"]
            tally["rows missing"] += count - (row["seen"] - row["of_others"])
        touched = int((await connection.execute(_TOUCH)).split()[-1])
        tally["foreign rows"] += max(0, touched - count)
        tally["rows missing"] += max(0, count - touched)
        if ending == "undone":
            raise _UndoneError


async def _look_as_nobody(db: DatabaseManager, tally: Counter[str]) -> None:
    """Go past our verbs, on the very connections that tenants have used."""
    async with db.engine.connect() as connection:
        tally["rows unset"] += (await connection.execute(text(_ANY))).scalar_one()
        tally["unset"] += 1
