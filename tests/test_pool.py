"""The pool: how many connections there are, who gets them in which order, and what becomes of them at the end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from finance import DatabaseManager, Retry
from finance.database.pool import Pool
from finance.errors import (
    AuthenticationError,
    FinanceError,
    ForkedError,
    NotConnectedError,
    OutcomeUnknownError,
    PoolOverloadedError,
    PoolTimeoutError,
    TooManyConnectionsError,
    WrongLoopError,
)
from tests.conftest import Server
from tests.network import Wire, database_of
from tests.waiting import PATIENCE, until, until_left

pytestmark = pytest.mark.direct("it counts the server's own connections")

SLEEP = "SELECT pg_sleep(0.1)"


@pytest_asyncio.fixture(scope="session")
async def watcher(common_dsn: str) -> AsyncIterator[DatabaseManager]:
    """A manager that looks on, and ends what the tests tell it to end."""
    async with DatabaseManager(common_dsn, application_name="watcher") as manager:
        yield manager


def pool_of(db: DatabaseManager) -> Pool:
    """The pool itself."""
    assert db._pool is not None
    return db._pool


async def backends(watcher: DatabaseManager, name: str) -> set[int]:
    """The back ends that serve the application *name*."""
    rows = await watcher.fetch("SELECT pid FROM pg_stat_activity WHERE application_name = $1", name)
    return {row["pid"] for row in rows}


async def kill_all(watcher: DatabaseManager, name: str) -> None:
    """End every back end that serves the application *name*."""
    await watcher.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '" + name + "'"
    )
    await asyncio.sleep(0.05)


async def take_all(db: DatabaseManager, count: int) -> None:
    """Check that *count* connections can be in use at the same time."""
    met = asyncio.Barrier(count)

    async def hold() -> None:
        async with db.transaction() as conn:
            await conn.execute("SELECT 1")
            await met.wait()

    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*(hold() for _ in range(count)))


# --- how many ------------------------------------------------------------------------------------------


async def test_min_size_is_restored_after_every_connection_was_lost(common_dsn: str, watcher: DatabaseManager) -> None:
    """Nobody has to ask for one."""
    async with DatabaseManager(common_dsn, min_size=3, application_name="min-lost") as db:
        await kill_all(watcher, "min-lost")
        await until(lambda: db.stats().size == 0 or db.stats().lost == 3)

        await until(lambda: db.stats().idle == 3)

        assert len(await backends(watcher, "min-lost")) == 3


async def test_min_size_is_restored_after_the_server_was_away_for_a_while(
    common_dsn: str, watcher: DatabaseManager
) -> None:
    """An attempt that failed is not the last."""
    await watcher.execute("CREATE ROLE away LOGIN")
    try:
        async with DatabaseManager(common_dsn, user="away", min_size=2, application_name="away") as db:
            await watcher.execute("ALTER ROLE away CONNECTION LIMIT 0")
            await kill_all(watcher, "away")
            await until(lambda: db.stats().connect_errors > 0)
            await watcher.execute("ALTER ROLE away CONNECTION LIMIT -1")

            await until(lambda: db.stats().idle == 2)
    finally:
        await watcher.execute("DROP ROLE away")


async def test_a_wrong_password_is_not_tried_again_and_again(common_dsn: str, watcher: DatabaseManager) -> None:
    """Servers lock a user out after some attempts."""
    await watcher.execute("CREATE ROLE locked LOGIN")
    try:
        async with DatabaseManager(common_dsn, user="locked", min_size=1, application_name="locked") as db:
            await watcher.execute("ALTER ROLE locked NOLOGIN")
            await kill_all(watcher, "locked")
            await until(lambda: db.stats().connect_errors > 0)
            await asyncio.sleep(2.2)

            assert db.stats().connect_errors == 1
    finally:
        await watcher.execute("DROP ROLE locked")


async def test_max_size_is_never_exceeded(common_dsn: str, watcher: DatabaseManager) -> None:
    """Neither by callers in a crowd nor while connections are lost under them."""
    most = 0
    async with DatabaseManager(common_dsn, max_size=4, application_name="max") as db:
        work = asyncio.gather(*(db.fetch("SELECT pg_sleep(0.02)") for _ in range(120)), return_exceptions=True)
        while not work.done():
            stats = db.stats()
            assert stats.size + stats.connecting <= 4
            most = max(most, len(await backends(watcher, "max")))
            if random.random() < 0.1:
                await kill_all(watcher, "max")
        await work

    assert most <= 4


async def test_connections_that_are_slow_to_make_do_not_exceed_max_size(common_dsn: str) -> None:
    """The housekeeping counts those that are made at the start."""

    async def dawdle(_: object) -> None:
        await asyncio.sleep(1.3)

    async with DatabaseManager(common_dsn, min_size=2, max_size=2, init=dawdle) as db:
        stats = db.stats()

        assert stats.size + stats.connecting == 2


async def test_the_pool_grows_by_demand(common_dsn: str) -> None:
    """One caller after another needs few; many at once get many."""
    async with DatabaseManager(common_dsn, min_size=0, max_size=6) as db:
        assert db.stats().size == 0
        for _ in range(20):
            await db.fetch("SELECT 1")
        assert db.stats().size < 6

        await take_all(db, 6)

        assert db.stats().size == 6


async def test_connections_beyond_min_size_are_closed_after_a_rest(common_dsn: str) -> None:
    """Those, and no more of them."""
    sizes = []
    options = {"min_size": 2, "max_size": 5, "max_inactive_connection_lifetime": 0.2}
    async with DatabaseManager(common_dsn, **options) as db:
        await take_all(db, 5)
        started = time.monotonic()
        while time.monotonic() - started < 2.3 or db.stats().size > 2:
            sizes.append(db.stats().size)
            await asyncio.sleep(0.005)

    assert (sizes[0], min(sizes), sizes[-1]) == (5, 2, 2)


async def test_connections_are_replaced_at_the_end_of_their_lifetime(common_dsn: str, watcher: DatabaseManager) -> None:
    """At rest and in use alike; none is counted as lost."""
    async with DatabaseManager(common_dsn, min_size=2, max_lifetime=0.3, application_name="aged") as db:
        before = await backends(watcher, "aged")
        await asyncio.sleep(0.35)
        assert await db.fetchval("SELECT pg_backend_pid()") not in before

        await until(lambda: db.stats().size == 2 and db.stats().connects >= 4)

        assert not before & await backends(watcher, "aged")
        assert db.stats().lost == 0


async def test_lifetimes_differ_by_chance(common_dsn: str) -> None:
    """Connections that were made together do not end together, and none lives longer than it may."""
    async with DatabaseManager(common_dsn, min_size=8, max_lifetime=100) as db:
        now = time.monotonic()
        ends = sorted(driver.expires_at - now for driver in pool_of(db)._open)

    assert 85 < ends[0] < ends[-1] <= 100
    assert ends[-1] - ends[0] > 0.5


# --- who waits -----------------------------------------------------------------------------------------


async def test_callers_are_served_in_the_order_of_asking(common_dsn: str) -> None:
    """Whoever comes later does not overtake, not even one who comes as a connection gets free."""
    served: list[int] = []

    async def ask(number: int) -> None:
        async with db.transaction():
            served.append(number)

    async with DatabaseManager(common_dsn, max_size=1) as db:
        async with db.transaction():
            asking = []
            for number in range(20):
                asking.append(asyncio.create_task(ask(number)))
                await asyncio.sleep(0)
        asking.append(asyncio.create_task(ask(20)))
        await asyncio.gather(*asking)

    assert served == list(range(21))


async def test_max_waiting_refuses_the_next_at_once(common_dsn: str) -> None:
    """Who waits already goes on waiting."""
    async with DatabaseManager(common_dsn, max_size=1, max_waiting=2) as db:
        async with db.transaction():
            waiting = [asyncio.create_task(db.fetchval("SELECT 1")) for _ in range(2)]
            await asyncio.sleep(0.05)
            with pytest.raises(PoolOverloadedError) as caught:
                await db.fetch("SELECT 1")
        assert caught.value.retryable
        assert await asyncio.gather(*waiting) == [1, 1]


@pytest.mark.parametrize("is_cancelled", [True, False])
async def test_those_who_gave_up_do_not_wait_any_more(common_dsn: str, is_cancelled: bool) -> None:  # noqa: FBT001
    """Neither `max_waiting` nor `stats()` counts them."""
    async with DatabaseManager(common_dsn, max_size=1, max_waiting=1, acquire_timeout=0.1) as db, db.transaction():
        for _ in range(3):
            waiting = asyncio.create_task(db.fetch("SELECT 1"))
            await asyncio.sleep(0.02)
            if is_cancelled:
                waiting.cancel()
            with pytest.raises((asyncio.CancelledError, PoolTimeoutError)):
                await waiting

            assert db.stats().waiting == 0


async def test_short_deadlines_do_not_starve_the_pool(common_dsn: str) -> None:
    """A connection that takes longer to make than any caller waits is made all the same."""

    async def slow(_: object) -> None:
        await asyncio.sleep(0.04)

    served = 0
    async with DatabaseManager(common_dsn, min_size=0, max_size=2, init=slow) as db:
        chance = random.Random(1)
        for _ in range(1500):  # where each made its own, nobody would ever be served
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(chance.uniform(0.005, 0.02)):
                    await db.fetch("SELECT 1")
                    served += 1
            if served > 30:
                break
        assert db.stats().connects <= 2

    assert served > 30


async def test_a_caller_that_is_cancelled_as_it_is_served_costs_no_connection(common_dsn: str) -> None:
    """Whatever the instant, all connections can be in use together afterwards."""
    chance = random.Random(2)
    async with DatabaseManager(common_dsn, min_size=4, max_size=4, acquire_timeout=5) as db:
        for _ in range(150):
            tasks = [asyncio.create_task(db.fetch("SELECT 1")) for _ in range(12)]
            for _ in range(chance.randrange(12)):
                await asyncio.sleep(0)
            await asyncio.sleep(chance.uniform(0, 0.002))
            for task in chance.sample(tasks, 8):
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert not [one for one in results if isinstance(one, Exception)]
        await until(lambda: db.stats().restoring == 0)
        await take_all(db, 4)
        stats = db.stats()

    assert (stats.size, stats.waiting, stats.connecting, stats.lost) == (4, 0, 0, 0)


async def test_a_waiter_cancelled_after_it_was_served_hands_its_connection_on(common_dsn: str) -> None:
    """The next one gets it, not the one who left."""
    async with DatabaseManager(common_dsn, max_size=1, acquire_timeout=2) as db:
        pool = pool_of(db)
        driver = await pool.take()
        first, second = (asyncio.create_task(pool.take()) for _ in range(2))
        await asyncio.sleep(0.01)
        pool._lent.pop(driver)
        pool._supply(driver)
        first.cancel()

        assert await second is driver
        assert first.cancelled()
        pool.give_back(driver)


async def test_the_error_of_a_caller_who_waited_in_vain_says_why(common_dsn: str) -> None:
    """Who holds the connections, and what became of the attempt to make another."""
    async with DatabaseManager(common_dsn, max_size=1, acquire_timeout=0.05) as db, db.transaction():
        with pytest.raises(PoolTimeoutError, match=r"test_pool\.py") as caught:
            await db.fetch("SELECT 1")

    assert len(caught.value.holders) == 1
    assert caught.value.failure is None


# --- when no connection can be made ----------------------------------------------------------------------


@pytest_asyncio.fixture
async def narrow(watcher: DatabaseManager) -> AsyncIterator[str]:
    """A user that has one connection and no more."""
    await watcher.execute("CREATE ROLE narrow_pool LOGIN CONNECTION LIMIT 1")
    yield "narrow_pool"
    await watcher.execute("DROP ROLE narrow_pool")


async def test_a_passing_failure_leaves_those_waiting_who_can_be_served(common_dsn: str, narrow: str) -> None:
    """The one connection that there is serves them all."""
    async with DatabaseManager(common_dsn, user=narrow, max_size=4) as db:
        got = await asyncio.gather(*(db.fetchval("SELECT 1 FROM pg_sleep(0.05)") for _ in range(6)))
        stats = db.stats()

    assert got == [1] * 6
    assert stats.connect_errors > 0
    assert (stats.size, stats.timeouts) == (1, 0)


async def test_a_passing_failure_waits_for_the_attempt_beside_it(common_dsn: str, narrow: str) -> None:
    """One of two attempts fails before the other succeeds: its caller is served by that."""
    held: list[Any] = []

    async def slow(connection: Any) -> None:
        held.append(connection)
        await asyncio.sleep(0.4)

    async with DatabaseManager(common_dsn, user=narrow, min_size=0, max_size=2, init=slow) as db:
        first = asyncio.create_task(db.fetchval("SELECT 1"))
        while not held:  # noqa: ASYNC110 - two at once would both be refused by the server
            await asyncio.sleep(0.01)
        got = [await db.fetchval("SELECT 1"), await first]
        stats = db.stats()

    assert got == [1, 1]
    assert (len(held), stats.connect_errors > 0) == (1, True)


async def test_a_passing_failure_is_told_at_once_where_there_is_nothing_to_wait_for(
    common_dsn: str, watcher: DatabaseManager, narrow: str
) -> None:
    """No connection is open, and none is being made."""
    async with DatabaseManager(common_dsn, user=narrow, min_size=0, acquire_timeout=60) as db:
        await watcher.execute("ALTER ROLE narrow_pool CONNECTION LIMIT 0")
        started = time.monotonic()

        with pytest.raises(TooManyConnectionsError):
            await db.fetch("SELECT 1")

        assert time.monotonic() - started < PATIENCE


async def test_a_wrong_password_is_told_to_all_who_wait(common_dsn: str, watcher: DatabaseManager) -> None:
    """At once, also while another connection is in use; each gets an error of its own."""
    await watcher.execute("CREATE ROLE barred LOGIN")
    try:
        options = {"user": "barred", "max_size": 2, "acquire_timeout": 60}
        async with DatabaseManager(common_dsn, **options) as db, db.transaction():
            await watcher.execute("ALTER ROLE barred NOLOGIN")
            async with asyncio.timeout(PATIENCE):
                told = await asyncio.gather(*(db.fetch("SELECT 1") for _ in range(3)), return_exceptions=True)
    finally:
        await watcher.execute("DROP ROLE barred")

    assert [type(error) for error in told] == [AuthenticationError] * 3
    assert len({id(error) for error in told}) == 3


async def test_failures_without_end_leave_the_pool_working(common_dsn: str) -> None:
    """The pause between attempts is computed for any number of them."""
    async with DatabaseManager(common_dsn, max_size=2, acquire_timeout=0.2) as db:
        pool = pool_of(db)
        async with db.transaction(), db.transaction():
            waiting = asyncio.create_task(db.fetchval("SELECT 1"))
            await asyncio.sleep(0.02)
            pool._failures = 5000
            pool._fail(TooManyConnectionsError("here", "full"))
        assert await waiting == 1

    assert Retry(attempts=5000, deadline=None).pause_after(4999) <= 1.0


@pytest.mark.parametrize("error", [TimeoutError, LookupError])
async def test_an_error_of_init_reaches_who_waits_unchanged(common_dsn: str, error: type[Exception]) -> None:
    """A TimeoutError of the hook is not the pool's own."""
    made: list[object] = []

    def fail(connection: object) -> None:
        made.append(connection)
        if len(made) > 1:
            raise error("mine")

    async with DatabaseManager(common_dsn, max_size=2, init=fail) as db, db.transaction():
        with pytest.raises(error, match="mine"):
            await db.fetch("SELECT 1")


@pytest.mark.parametrize("way", ["listen", "advisory_lock"])
async def test_an_error_of_init_passes_unchanged_beside_the_pool(common_dsn: str, way: str) -> None:
    """Connections of their own are made with the same hook."""
    made: list[object] = []

    def fail(connection: object) -> None:
        made.append(connection)
        if len(made) > 1:
            raise LookupError("mine")

    async with DatabaseManager(common_dsn, max_size=1, init=fail) as db:
        block: Any = db.listen("news") if way == "listen" else db.advisory_lock("a", session=True)
        with pytest.raises(LookupError, match="mine"):
            async with block:
                pass


async def test_a_setup_that_is_cancelled_gives_its_connection_back(common_dsn: str) -> None:
    """The one who comes next gets it."""
    hangs = True

    async def setup(connection: Any) -> None:
        if hangs:
            await connection.execute("SELECT pg_sleep(30)")

    async with DatabaseManager(common_dsn, max_size=1, setup=setup, acquire_timeout=3) as db:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await db.fetch("SELECT 1")
        hangs = False

        assert await db.fetchval("SELECT 1") == 1


# --- disconnecting ---------------------------------------------------------------------------------------


async def test_disconnect_serves_those_who_wait(common_dsn: str) -> None:
    """Only who comes afterwards is refused."""
    db = DatabaseManager(common_dsn, max_size=1)
    await db.connect()
    tasks = [asyncio.create_task(db.fetchval("SELECT 1 FROM pg_sleep(0.05)")) for _ in range(4)]
    await asyncio.sleep(0.02)
    leaving = asyncio.create_task(db.disconnect())
    await asyncio.sleep(0.02)
    with pytest.raises(NotConnectedError):
        await db.fetch("SELECT 1")

    await leaving

    assert await asyncio.gather(*tasks) == [1] * 4


async def test_disconnect_cancels_at_the_server_what_does_not_end(common_dsn: str, watcher: DatabaseManager) -> None:
    """No statement runs on for nobody."""
    db = DatabaseManager(common_dsn, application_name="cancelled", max_size=3)
    await db.connect()
    tasks = [asyncio.create_task(db.fetch("SELECT pg_sleep(60)")) for _ in range(3)]
    await asyncio.sleep(0.15)
    started = time.monotonic()

    await db.disconnect(timeout=0.1)

    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(error) for error in results] == [NotConnectedError] * 3
    assert time.monotonic() - started < PATIENCE
    await until_left(watcher, "cancelled")


async def test_disconnect_of_a_silent_server_ends_in_time(wire: Wire, common_dsn: str) -> None:
    """After its time limit, and the patience for farewells."""
    db = DatabaseManager(wire.dsn(database_of(common_dsn)), min_size=3)
    await db.connect()
    wire.freeze()
    started = time.monotonic()

    await db.disconnect(timeout=0.1)

    assert time.monotonic() - started < PATIENCE
    assert db.__repr__() == "<DatabaseManager not connected>"


async def test_disconnecting_at_the_same_time_is_disconnecting_once(common_dsn: str) -> None:
    """All of them return when it is done."""
    db = DatabaseManager(common_dsn, min_size=2)
    await db.connect()
    working = asyncio.create_task(db.fetchval("SELECT 1 FROM pg_sleep(0.1)"))
    await asyncio.sleep(0.02)

    await asyncio.gather(*(db.disconnect() for _ in range(5)))

    assert await working == 1
    with pytest.raises(NotConnectedError):
        await db.ping()


async def test_disconnect_while_connecting_leaves_it_disconnected(common_dsn: str, watcher: DatabaseManager) -> None:
    """The one who connects is not surprised: both calls end well."""

    async def slow(_: object) -> None:
        await asyncio.sleep(0.1)

    db = DatabaseManager(common_dsn, init=slow, min_size=2, application_name="both")
    connecting = asyncio.create_task(db.connect())
    await asyncio.sleep(0.05)

    await db.disconnect()

    await connecting
    with pytest.raises(NotConnectedError):
        await db.ping()
    await until_left(watcher, "both")


async def test_a_commit_that_disconnect_cuts_off_has_an_unknown_outcome(
    common_dsn: str, watcher: DatabaseManager
) -> None:
    """It is not cancelled at the server, and nobody says that nothing was stored."""
    await watcher.execute("""
        CREATE TABLE slowly (n int);
        CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql
            AS $$ BEGIN PERFORM pg_sleep(0.6); RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER slowly AFTER INSERT ON slowly DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION slowly();
    """)
    db = DatabaseManager(common_dsn)
    await db.connect()

    async def work() -> None:
        async with db.transaction() as conn:
            await conn.execute("INSERT INTO slowly VALUES (1)")

    working = asyncio.create_task(work())
    await asyncio.sleep(0.2)
    await db.disconnect(timeout=0.05)

    with pytest.raises(OutcomeUnknownError):
        await working


async def test_a_manager_leaves_no_task_and_no_timer(common_dsn: str) -> None:
    """After disconnect() the event loop has no more to do than before."""
    before = asyncio.all_tasks()
    async with DatabaseManager(common_dsn, min_size=2, max_size=4) as db:
        await asyncio.gather(*(db.fetch(SLEEP) for _ in range(6)))
        housekeeping = pool_of(db)._housekeeping
    await asyncio.sleep(0.05)

    assert asyncio.all_tasks() <= before
    assert housekeeping is not None
    assert housekeeping.cancelled()


# --- another process, another loop ---------------------------------------------------------------------------


def in_child(work: Callable[[], Any]) -> str:
    """Do *work* in a forked process, and return what it returned or raised."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:  # nothing of pytest's may run here
        try:
            answer = str(work())
        except BaseException as error:  # it is told to the parent
            answer = type(error).__name__
        os.write(writing, answer.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as told:
        answer = told.read()
    os.waitpid(child, 0)
    return answer


@pytest.mark.filterwarnings("default::DeprecationWarning", "ignore::ResourceWarning")
async def test_a_forked_child_is_told_and_may_connect_again(common_dsn: str) -> None:
    """The parent's connections are left alone, and go on."""
    async with DatabaseManager(common_dsn, min_size=2) as db:
        backend = await db.fetchval("SELECT pg_backend_pid()")

        async def again() -> Any:
            await db.connect()
            answer = await db.fetchval("SELECT pg_backend_pid()")
            await db.disconnect()
            return answer != backend

        assert in_child(lambda: asyncio.run(db.fetchval("SELECT 1"))) == ForkedError.__name__
        assert in_child(lambda: asyncio.run(again())) == "True"
        assert in_child(lambda: asyncio.run(db.disconnect())) == "None"
        await take_all(db, 2)
        assert db.stats().lost == 0


async def test_another_event_loop_is_told(common_dsn: str) -> None:
    """On every way to a connection, and the pool goes on in its own."""
    calls: list[Callable[[DatabaseManager], Any]] = [
        lambda db: db.fetch("SELECT 1"),
        lambda db: db.transaction().__aenter__(),
        lambda db: db.unit_of_work().__aenter__(),
        lambda db: db.health(),
        lambda db: db.listen("a").__aenter__(),
    ]
    async with DatabaseManager(common_dsn) as db:
        for call in calls:

            async def use(call: Callable[[DatabaseManager], Any] = call) -> None:
                await call(db)

            with pytest.raises(WrongLoopError):
                await asyncio.to_thread(asyncio.run, use())
        assert await db.fetchval("SELECT 1") == 1


async def test_disconnect_in_another_event_loop_changes_nothing(common_dsn: str) -> None:
    """The manager stays connected where it is, and can be disconnected there."""
    async with DatabaseManager(common_dsn) as db:
        with pytest.raises(WrongLoopError):
            await asyncio.to_thread(asyncio.run, db.disconnect())

        assert await db.fetchval("SELECT 1") == 1


# --- SQLAlchemy's engine ---------------------------------------------------------------------------------------


async def test_the_engine_shares_the_pool_and_its_bound(common_dsn: str) -> None:
    """A connection in use by one is missing to the other."""
    async with DatabaseManager(common_dsn, max_size=1, acquire_timeout=0.1) as db:
        async with db.engine.connect() as connection:
            backend = await connection.scalar(text("SELECT pg_backend_pid()"))
            assert db.stats().in_use == 1
            with pytest.raises(PoolTimeoutError):
                await db.fetch("SELECT 1")
        assert await db.fetchval("SELECT pg_backend_pid()") == backend
        async with db.transaction():
            with pytest.raises(PoolTimeoutError):
                async with db.engine.connect():
                    pass


async def test_cancelled_users_of_the_engine_leave_the_pool_whole(common_dsn: str) -> None:
    """At whatever instant it comes."""
    chance = random.Random(3)

    async def work() -> None:
        async with db.engine.begin() as connection:
            await connection.execute(text("SELECT pg_sleep(0.005)"))

    async with DatabaseManager(common_dsn, max_size=3, acquire_timeout=5) as db:
        for _ in range(15):
            tasks = [asyncio.create_task(work()) for _ in range(8)]
            await asyncio.sleep(chance.uniform(0, 0.02))
            for task in chance.sample(tasks, 5):
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert not [one for one in results if isinstance(one, FinanceError)]
        await take_all(db, 3)


async def test_a_commit_of_the_engine_is_bounded_on_a_silent_network(wire: Wire, common_dsn: str) -> None:
    """The driver's limit holds for it, too, though it is never cancelled."""
    async with DatabaseManager(wire.dsn(database_of(common_dsn)), command_timeout=0.5) as db:
        started = time.monotonic()
        with pytest.raises(DBAPIError):
            async with asyncio.timeout(60), db.engine.begin() as connection:
                await connection.execute(text("SELECT 1"))
                wire.freeze()
        assert time.monotonic() - started < PATIENCE


# --- bounded answers ---------------------------------------------------------------------------------------------


async def test_health_of_a_busy_pool_is_told_in_time(common_dsn: str) -> None:
    """The wait for a connection counts."""
    async with DatabaseManager(common_dsn, max_size=1, acquire_timeout=60) as db, db.transaction():
        started = time.monotonic()
        health = await db.health(timeout=0.2)

        assert time.monotonic() - started < PATIENCE
        assert (health.reachable, health.reason) == (False, "no answer within 0.2 s")


async def test_a_listener_that_is_closed_ends_the_wait_of_another_task(common_dsn: str, server: Server) -> None:
    """It would wait for ever."""
    assert server.name == "18"
    async with DatabaseManager(common_dsn) as db:
        async with db.listen("nothing") as notifications:
            waiting = asyncio.create_task(anext(notifications))
            await asyncio.sleep(0.05)
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(FinanceError, match="listener"):
                await waiting
