"""What the manager tells of its work: numbers, health, slow statements, leaks, and one hook."""

from __future__ import annotations

import asyncio
import logging
from io import BytesIO

import pytest

from finance import Acquired, DatabaseManager, Event, Retried, Retry, StatementRun
from finance.connection.events import without_literals
from finance.errors import DeadlockError, PoolOverloadedError, PoolTimeoutError, ServerUnreachableError
from finance.unit_of_work import UnitOfWork
from tests.conftest import Server
from tests.factories import open_books
from tests.waiting import until


def statements(seen: list[Event]) -> list[StatementRun]:
    """The statements among what was told."""
    return [event for event in seen if isinstance(event, StatementRun)]


async def test_every_statement_passes_the_hook(db: DatabaseManager, seen: list[Event]) -> None:
    """On every way, BEGIN and COMMIT among them, without their values."""
    ledger = await db.ledgers.create("Household", base_currency="EUR")
    seen.clear()
    await db.fetchval("SELECT $1::text", "secret")
    await db.executemany("SELECT $1::int", [(1,), (2,)])
    async with db.transaction() as conn:
        await conn.execute("SELECT 2")
    async with db.unit_of_work(ledger) as uow:
        await open_books(uow)

    told = [event.sql.split()[0].rstrip(";") for event in statements(seen)]
    assert told[:5] == ["SELECT", "SELECT", "BEGIN", "SELECT", "COMMIT"]
    assert told[5] == "BEGIN"
    assert told[-1] == "COMMIT"
    assert "INSERT" in told
    assert "secret" not in repr(seen)
    assert all(event.seconds >= 0 and event.error is None for event in statements(seen))
    assert len([event for event in seen if isinstance(event, Acquired)]) == 4


async def test_a_verification_takes_the_time_that_it_needs(db: DatabaseManager, seen: list[Event]) -> None:
    """A ledger of any size can be verified."""
    ledger = await db.ledgers.create("Household", base_currency="EUR")
    seen.clear()
    await db.verify(ledger)

    assert "SET LOCAL statement_timeout = 0;" in statements(seen)[0].sql


async def test_a_failure_passes_the_hook_with_its_kind(db: DatabaseManager, seen: list[Event]) -> None:
    """A statement's, and that of one who waited in vain."""
    with pytest.raises(Exception, match="42703"):
        await db.fetchval("SELECT nonsense")

    assert statements(seen)[-1].error.__name__ == "UndefinedColumnError"  # type: ignore[union-attr]


async def test_every_retry_passes_the_hook(db: DatabaseManager, seen: list[Event]) -> None:
    """With its number, its pause and what made it necessary."""
    calls = 0

    async def work(_: UnitOfWork) -> None:
        nonlocal calls
        calls += 1
        if calls < 3:
            raise DeadlockError

    await db.run(work, retry=Retry(pause=0.001))

    retries = [event for event in seen if isinstance(event, Retried)]
    assert [(event.attempt, event.error) for event in retries] == [(1, DeadlockError), (2, DeadlockError)]
    assert db.stats().retries == 2


async def test_a_hook_that_fails_harms_no_statement(common_dsn: str, caplog: pytest.LogCaptureFixture) -> None:
    """It is told in the log."""

    def fail(_: Event) -> None:
        raise ZeroDivisionError

    async with DatabaseManager(common_dsn, on_event=fail) as db:
        assert await db.fetchval("SELECT 1") == 1

    assert "on_event failed" in caplog.text


async def test_a_slow_statement_is_logged_without_its_values(common_dsn: str, caplog: pytest.LogCaptureFixture) -> None:
    """Neither those that were bound nor those that are written in it."""
    async with DatabaseManager(common_dsn, slow_threshold=0.05) as db:
        await db.fetchval("SELECT $1::text, 'card 4711', pg_sleep(0.1)", "secret")
        await db.fetchval("SELECT 'quick'")

    records = [record for record in caplog.records if record.name == "finance.slow"]
    assert [record.levelno for record in records] == [logging.WARNING]
    assert "SELECT $1::text, ?, pg_sleep(?)" in caplog.text
    assert not any(word in caplog.text for word in ("secret", "4711", "quick"))


@pytest.mark.parametrize(
    ("sql", "shown"),
    [
        ("SELECT 'it''s', E'a\\'b', $$x$$, $tag$y$tag$", "SELECT ?, ?, ?, ?"),
        ("SELECT 12.5, 1e10, t1.c2, $3 FROM t1\n WHERE n = 7", "SELECT ?, ?, t1.c2, $3 FROM t1 WHERE n = ?"),
    ],
)
def test_literals_are_left_out(sql: str, shown: str) -> None:
    """Names and numbered parameters stay."""
    assert without_literals(sql) == shown


async def test_a_connection_that_is_kept_is_warned_of(common_dsn: str, caplog: pytest.LogCaptureFixture) -> None:
    """Once, with the place where it was taken."""
    async with DatabaseManager(common_dsn, leak_threshold=0.1) as db, db.transaction():
        await asyncio.sleep(0.4)

    warnings = [record.getMessage() for record in caplog.records if record.name == "finance.pool"]
    assert len(warnings) == 1
    assert "test_observing.py" in warnings[0]
    assert "in test_a_connection_that_is_kept_is_warned_of" in warnings[0]


async def test_stats_count_what_happened(common_dsn: str) -> None:
    """Sizes now, sums since `connect()`."""
    async with DatabaseManager(common_dsn, max_size=2, min_size=1, acquire_timeout=1, max_waiting=1) as db:
        await db.fetchval("SELECT 1")
        async with db.transaction(), db.transaction() as conn:
            waiting = asyncio.create_task(db.fetchval("SELECT 1"))
            await asyncio.sleep(0.02)
            with pytest.raises(PoolOverloadedError, match="1 callers wait"):
                await db.fetchval("SELECT 1")
            busy = db.stats()
            with pytest.raises(PoolTimeoutError):
                await waiting
            assert await conn.fetchval("SELECT 1") == 1
        await until(lambda: db.stats().idle == 2)
        calm = db.stats()

    assert (busy.max_size, busy.size, busy.in_use, busy.idle, busy.waiting) == (2, 2, 2, 0, 1)
    assert (calm.in_use, calm.idle, calm.waiting, calm.timeouts) == (0, 2, 0, 1)
    assert (calm.acquires, calm.connects, calm.connect_errors, calm.lost, calm.errors) == (3, 2, 0, 0, 0)
    assert calm.use_seconds > 1 > calm.acquire_seconds
    assert calm.statements == 6


async def test_health_says_that_all_is_well(db: DatabaseManager) -> None:
    """Version, revision, and how long the answer took."""
    health = await db.health()

    assert health.is_ready
    assert (health.reachable, health.is_standby, health.reason) == (True, False, None)
    assert health.revision == health.code_revision == db.migrations.head
    assert health.latency is not None
    assert 0 < health.latency < 5
    assert health.server_version is not None
    assert health.server_version.startswith("18")


async def test_health_of_a_database_without_tables_is_not_ready(server: Server) -> None:
    """Reachable it is."""
    async with server.copy("template0") as dsn, DatabaseManager(dsn) as db:
        health = await db.health()

    assert health.reachable
    assert not health.is_ready
    assert health.revision is None


async def test_health_of_a_server_that_is_gone_is_a_finding(server: Server) -> None:
    """No error: who asks wants to know."""
    async with server.copy() as dsn:
        db = DatabaseManager(dsn, min_size=0, acquire_timeout=1)
        await db.connect()
    health = await db.health()
    await db.disconnect()

    assert not health.reachable
    assert not health.is_ready
    assert health.reason
    assert ServerUnreachableError.retryable


async def test_copy_and_the_rows_of_a_stream_pass_the_hook(db: DatabaseManager, seen: list[Event]) -> None:
    """With the time that they took."""
    await db.execute("CREATE TABLE things (n bigint)")
    seen.clear()
    await db.copy_in("things", [(1,), (2,)])
    await db.copy_out("SELECT * FROM things", to=BytesIO())
    assert len([row async for row in db.stream("SELECT n, pg_sleep(0.05) FROM things")]) == 2

    told = statements(seen)
    assert [event.sql.split()[0] for event in told if event.sql.startswith("COPY")] == ["COPY", "COPY"]
    (streamed,) = [event for event in told if "pg_sleep" in event.sql]
    assert streamed.seconds >= 0.1
