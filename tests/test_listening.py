"""LISTEN and NOTIFY over a connection that may be lost."""

from __future__ import annotations

import asyncio

import pytest

from finance import DatabaseManager, Gap, Listening, Notification
from finance.errors import ClosedError, InvalidError, NotConnectedError, UnavailableError
from tests.network import Wire, database_of
from tests.waiting import PATIENCE, until

pytestmark = pytest.mark.direct("LISTEN needs a session")


async def following(listening: Listening) -> Notification | Gap:
    """Wait for the next, not for ever."""
    async with asyncio.timeout(PATIENCE):
        return await anext(listening)


async def backend_of_listener(db: DatabaseManager) -> int:
    """Find the process that serves the listener."""
    backend: int = await db.fetchval("SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN%'")
    return backend


async def test_notifications_come_in_order(db: DatabaseManager) -> None:
    """With their channel and payload, from a statement or a transaction."""
    async with db.listen("a", "B c") as heard:
        await db.notify("a", "1")
        async with db.transaction() as conn:
            await conn.notify("B c", "2")
            await conn.notify("a")

        found = [await following(heard) for _ in range(3)]

    assert [(n.channel, n.payload) for n in found if isinstance(n, Notification)] == [
        ("a", "1"),
        ("B c", "2"),
        ("a", ""),
    ]


async def test_a_transaction_that_fails_notifies_nobody(db: DatabaseManager) -> None:
    """What is sent belongs to the transaction."""
    async with db.listen("a") as heard:
        with pytest.raises(ZeroDivisionError):
            async with db.transaction() as conn:
                await conn.notify("a", "never")
                raise ZeroDivisionError
        await db.notify("a", "next")

        assert (await following(heard)) == Notification("a", "next", pid=ANY)


class _Any:
    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


ANY: int = _Any()  # type: ignore[assignment]


async def test_a_lost_connection_is_made_again_and_tells_of_the_gap(db: DatabaseManager) -> None:
    """What was sent meanwhile is gone, and that is said."""
    async with db.listen("a") as heard:
        await db.execute("SELECT pg_terminate_backend($1)", await backend_of_listener(db))

        gap = await following(heard)
        await db.notify("a", "after")

        assert isinstance(gap, Gap)
        assert 0 <= gap.seconds < 5
        assert await following(heard) == Notification("a", "after", pid=ANY)


async def test_a_connection_that_stays_lost_is_given_up(wire: Wire, common_dsn: str) -> None:
    """After the patience that was asked for, each further call is told."""
    database = database_of(common_dsn)
    async with (
        DatabaseManager(wire.dsn(database), acquire_timeout=1, timeout=0.2) as db,
        db.listen("a", patience=0.3) as heard,
    ):
        wire.freeze()
        wire.cut()
        for _ in range(2):
            with pytest.raises(UnavailableError):
                await following(heard)


async def test_it_has_a_connection_beside_the_pool(common_dsn: str) -> None:
    """One who only waits keeps nobody from working, and leaves nothing behind."""
    async with DatabaseManager(common_dsn, max_size=1, acquire_timeout=1) as db:
        async with db.listen("a"):
            assert await db.fetchval("SELECT 1") == 1

        async def is_gone() -> bool:
            return bool(await db.fetchval("SELECT count(*) = 0 FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"))

        await until(is_gone)


async def test_outside_of_its_block_it_is_closed(db: DatabaseManager) -> None:
    """Before and after."""
    listening = db.listen("a")
    with pytest.raises(ClosedError):
        await anext(listening)
    async with listening:
        pass
    with pytest.raises(ClosedError):
        await anext(listening)


@pytest.mark.parametrize("channels", [(), ("",), ("x" * 64,)])
async def test_a_channel_has_a_name(db: DatabaseManager, channels: tuple[str, ...]) -> None:
    """PostgreSQL would cut a long one off."""
    with pytest.raises(InvalidError):
        db.listen(*channels)


async def test_who_listens_is_told_of_a_disconnect(common_dsn: str) -> None:
    """It does not wait for ever."""
    db = DatabaseManager(common_dsn)
    await db.connect()
    async with db.listen("a") as heard:
        waiting = asyncio.create_task(following(heard))
        await asyncio.sleep(0.05)
        await db.disconnect()

        with pytest.raises(NotConnectedError):
            await waiting
