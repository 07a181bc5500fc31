"""`pgbouncer=True`: the switch itself, and work through Debian's PgBouncer where it is installed."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from finance import DatabaseManager
from finance.errors import ConfigurationError
from finance.unit_of_work import UnitOfWork
from tests.conftest import Server
from tests.factories import entry, open_books
from tests.network import database_of
from tests.pooler import PROGRAM, pooler_to

pytestmark = pytest.mark.direct("it makes a PgBouncer of its own")

NEEDING_A_SESSION = {
    "listen": lambda db: db.listen("a").__aenter__(),
    "lock": lambda db: db.advisory_lock("a", session=True).__aenter__(),
    "migrate": lambda db: db.migrations.downgrade("base"),
}


@pytest.mark.parametrize("way", NEEDING_A_SESSION)
async def test_what_needs_a_session_says_so(common_dsn: str, way: str) -> None:
    """And names the way out."""
    async with DatabaseManager(common_dsn, pgbouncer=True) as db:
        with pytest.raises(ConfigurationError, match=r"does not work through PgBouncer.*direct_dsn="):
            await NEEDING_A_SESSION[way](db)


async def test_what_needs_a_session_takes_the_direct_way(server: Server) -> None:
    """The address of the server itself; the pooler's host does not count there."""
    async with server.copy("template0") as dsn, DatabaseManager(dsn, pgbouncer=True, direct_dsn=dsn) as db:
        await db.migrations.upgrade()
        async with db.advisory_lock("a", session=True), db.listen("a") as heard:
            await db.notify("a", "through the pooler")
            told = await anext(heard)

    assert getattr(told, "payload", None) == "through the pooler"


async def test_the_limits_travel_with_each_transaction(common_dsn: str) -> None:
    """Nothing is sent at the start of a session; a transaction's own come on top."""
    async with DatabaseManager(common_dsn, pgbouncer=True, lock_timeout=2) as db:
        assert await db.fetchval("SHOW lock_timeout") == "0"
        async with db.transaction(statement_timeout=3) as conn:
            shown = [await conn.fetchval(f"SHOW {name}") for name in ("statement_timeout", "lock_timeout")]
        async with db.unit_of_work() as uow:
            shown.append(await uow.connection.fetchval("SHOW statement_timeout"))

    assert shown == ["3s", "2s", "30s"]


async def test_nothing_is_sent_between_two_users(common_dsn: str) -> None:
    """What is committed leaves nothing behind, and no ROLLBACK follows it."""
    async with (
        DatabaseManager(common_dsn, pgbouncer=True, max_size=1) as db,
        DatabaseManager(common_dsn, max_size=1) as watcher,
    ):
        backend = await pid_of_only(db)
        async with db.transaction() as conn:
            await conn.fetchval("SELECT 1")
        await asyncio.sleep(0.05)

        assert await watcher.fetchval("SELECT query FROM pg_stat_activity WHERE pid = $1", backend) == "COMMIT;"


async def pid_of_only(db: DatabaseManager) -> int:
    """Ask for the process behind a manager of one connection."""
    backend: int = await db.fetchval("SELECT pg_backend_pid()")
    return backend


@pytest_asyncio.fixture
async def pooled(server: Server, dsn: str, reachable_tmp: Path) -> AsyncIterator[DatabaseManager]:
    """A manager behind PgBouncer, with more connections than there are behind it."""
    if PROGRAM is None:
        pytest.skip("pgbouncer is not installed")
    database = database_of(dsn)
    folder = reachable_tmp / "pgbouncer-alone"
    async with pooler_to(server.direct_dsn(database), folder) as url, DatabaseManager(url, max_size=12) as db:
        yield db


async def test_many_work_through_it_and_are_cancelled_without_an_error(pooled: DatabaseManager) -> None:
    """Statements, transactions and units of work that share few sessions, a third of them cancelled at random."""
    ledger = await pooled.ledgers.create("Household", base_currency="EUR")
    async with pooled.unit_of_work(ledger) as uow:
        books = await open_books(uow)
    chance = random.Random(7)
    ended: Counter[str] = Counter()

    async def statement() -> Any:
        return await pooled.fetch("SELECT pg_sleep(0.002), $1::int", 1)

    async def transaction() -> None:
        async with pooled.transaction() as conn:
            await conn.fetch("SELECT $1::text", "a")
            await conn.execute("SELECT pg_sleep(0.002)")

    async def post(uow: UnitOfWork) -> None:
        await uow.journal.post(entry(books.food.id, books.checking.id, 1))

    async def posting() -> None:
        await pooled.run(post, ledger=ledger)

    async def work() -> None:
        try:
            async with asyncio.timeout(chance.choice([None, None, chance.uniform(0, 0.02)])):
                await chance.choice([statement, transaction, posting])()
        except TimeoutError:
            ended["cancelled"] += 1
        except Exception as error:
            ended[repr(error)] += 1
        else:
            ended["done"] += 1

    for _ in range(20):
        await asyncio.gather(*(work() for _ in range(16)))

    assert ended.keys() <= {"done", "cancelled"}
    assert ended["done"] > 100
    assert (await pooled.verify(ledger)).is_clean
    assert pooled.stats().lost == 0
