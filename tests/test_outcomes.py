"""What a transaction may cost, and what it says of itself afterwards: limits, deadlines, outcomes, retries."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from typing import Any

import anyio
import pytest
import pytest_asyncio
from sqlalchemy import text

from finance import Connection, DatabaseManager, Retry
from finance.connection import PooledConnection
from finance.errors import (
    AfterCommitError,
    ConcurrentUseError,
    ConnectionLostError,
    DatabaseError,
    DeadlineError,
    DeadlockError,
    FinanceError,
    InvalidError,
    LockTimeoutError,
    Outcome,
    OutcomeUnknownError,
    QueryTimeoutError,
    ReadOnlyServerError,
    ReadOnlyTransactionError,
    SchemaChangedError,
    UsageError,
)
from finance.unit_of_work import UnitOfWork
from tests.conftest import Server
from tests.network import Wire, database_of
from tests.waiting import PATIENCE, until

pytestmark = pytest.mark.direct("it looks at the server's own sessions and settings")

INSERT = "INSERT INTO marks VALUES ($1)"


@pytest_asyncio.fixture(scope="session")
async def marks_dsn(server: Server) -> AsyncIterator[str]:
    """A database with a table of marks, and one whose COMMIT takes its time."""
    async with server.copy() as dsn:
        async with DatabaseManager(dsn) as db:
            await db.execute("""
                CREATE TABLE marks (n int);
                CREATE TABLE slow (n int, seconds float);
                CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql
                    AS $$ BEGIN PERFORM pg_sleep(NEW.seconds); RETURN NULL; END $$;
                CREATE CONSTRAINT TRIGGER dawdle AFTER INSERT ON slow DEFERRABLE INITIALLY DEFERRED
                    FOR EACH ROW EXECUTE FUNCTION dawdle();
            """)
        yield dsn


@pytest_asyncio.fixture
async def db(marks_dsn: str) -> AsyncIterator[DatabaseManager]:
    """A manager with few connections, and no marks yet."""
    async with DatabaseManager(marks_dsn, max_size=3, acquire_timeout=5) as manager:
        await manager.execute("TRUNCATE marks, slow")
        yield manager


@pytest_asyncio.fixture
async def far(marks_dsn: str, wire: Wire, db: DatabaseManager) -> AsyncIterator[DatabaseManager]:
    """A manager of the same database at the end of a wire."""
    assert await marks(db) == []
    async with DatabaseManager(wire.dsn(database_of(marks_dsn)), max_size=2) as manager:
        yield manager


async def marks(db: DatabaseManager) -> list[int]:
    """Everything that is stored."""
    return [row["n"] for row in await db.fetch("SELECT n FROM marks ORDER BY n")]


async def slow_mark(conn: Connection, number: int, seconds: float) -> None:
    """Leave a mark whose COMMIT takes so many seconds."""
    await conn.execute(INSERT, number)
    await conn.execute("INSERT INTO slow VALUES ($1, $2)", number, seconds)


class Work:
    """A transaction on one of the two ways, whose handle is kept."""

    def __init__(self, db: DatabaseManager, way: str) -> None:
        self._db = db
        self._way = way
        self.handle: Connection | UnitOfWork | None = None
        self.driver: PooledConnection | None = None

    @property
    def outcome(self) -> Outcome | None:
        """What the handle says."""
        assert self.handle is not None
        return self.handle.outcome

    def is_committing(self) -> bool:
        """Whether its COMMIT is under way."""
        return self.driver is not None and self.driver.is_committing

    async def run(self, work: Callable[[Connection], Awaitable[object]], **options: Any) -> None:
        """Open a transaction, and do *work* in it."""
        if self._way == "transaction":
            async with self._db.transaction(**options) as conn:
                self.handle, self.driver = conn, conn.driver
                await work(conn)
        else:
            async with self._db.unit_of_work(**options) as uow:
                self.handle, self.driver = uow, uow.connection.driver
                await work(uow.connection)


@pytest.fixture(params=["transaction", "unit_of_work"])
def way(request: pytest.FixtureRequest) -> str:
    """Each way to a transaction."""
    chosen: str = request.param
    return chosen


@pytest_asyncio.fixture
async def work(db: DatabaseManager, way: str) -> Work:
    """A transaction on each way; what the first one takes longer for is done."""
    await Work(db, way).run(lambda conn: conn.execute("SELECT 1"))
    return Work(db, way)


# --- limits on the server --------------------------------------------------------------------------------

SETTINGS = "SELECT name, setting::float / 1000 AS seconds FROM pg_settings WHERE unit = 'ms' AND name = ANY($1)"
NAMES = ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"]


async def limits(verbs: DatabaseManager | Connection) -> list[float]:
    """The server's three limits, in seconds."""
    found = {row["name"]: row["seconds"] for row in await verbs.fetch(SETTINGS, NAMES)}
    return [found[name] for name in NAMES]


async def test_limits_are_on_by_default(db: DatabaseManager) -> None:
    """Nobody has to know of them to be safe."""
    assert await limits(db) == [30, 5, 60]


async def test_a_manager_may_have_limits_of_its_own(marks_dsn: str) -> None:
    """None leaves one to the server, which has none."""
    options = {"statement_timeout": 7, "lock_timeout": None, "idle_in_transaction_timeout": 0.25}
    async with DatabaseManager(marks_dsn, **options) as db:
        assert await limits(db) == [7, 0, 0.25]


async def test_settings_that_somebody_states_win_over_the_defaults(marks_dsn: str) -> None:
    """In `server_settings` or in the DSN."""
    settings = {"server_settings": {"statement_timeout": "1234ms"}}
    async with DatabaseManager(marks_dsn, **settings) as db:
        assert await limits(db) == [1.234, 5, 60]
    separator = "&" if "?" in marks_dsn else "?"
    for options in ("-clock_timeout%3D3s", "-c%20geqo%3Doff%20--lock-timeout%3D3s"):
        async with DatabaseManager(f"{marks_dsn}{separator}options={options}") as db:
            assert await limits(db) == [30, 3, 60]


async def test_limits_of_a_transaction_are_gone_for_the_next_user(marks_dsn: str, way: str) -> None:
    """Whichever way it ends."""
    own = {"statement_timeout": 2, "lock_timeout": math.inf, "idle_in_transaction_timeout": 3}
    async with DatabaseManager(marks_dsn, max_size=1) as db:
        for error in (None, LookupError):

            async def check(conn: Connection, error: type[Exception] | None = error) -> None:
                assert await limits(conn) == [2, 0, 3]
                if error is not None:
                    raise error

            with contextlib.suppress(LookupError):
                await Work(db, way).run(check, **own)
            assert await limits(db) == [30, 5, 60]
            async with db.transaction() as conn:
                assert await limits(conn) == [30, 5, 60]
                assert conn.driver.time_limit == 35


async def test_a_statement_that_is_too_slow_is_cancelled_at_the_server(work: Work, db: DatabaseManager) -> None:
    """Nothing of its transaction is stored."""

    async def dawdle(conn: Connection) -> None:
        await conn.execute(INSERT, 1)
        await conn.execute("SELECT pg_sleep(20)")

    with pytest.raises(QueryTimeoutError):
        await work.run(dawdle, statement_timeout=0.05)

    assert (work.outcome, await marks(db)) == (Outcome.NOT_APPLIED, [])


async def test_a_lock_is_waited_for_no_longer_than_lock_timeout(work: Work, db: DatabaseManager) -> None:
    """The error may be retried."""
    async with db.transaction() as holder:
        await holder.execute("LOCK TABLE marks")
        with pytest.raises(LockTimeoutError) as caught:
            await work.run(lambda conn: conn.execute(INSERT, 1), lock_timeout=0.05)

    assert caught.value.retryable


async def test_a_transaction_that_rests_for_too_long_is_ended_by_the_server(work: Work, db: DatabaseManager) -> None:
    """It holds locks that others need; its connection is replaced."""

    async def rest(conn: Connection) -> None:
        await conn.execute(INSERT, 1)
        await asyncio.sleep(0.3)
        await conn.execute(INSERT, 2)

    with pytest.raises(ConnectionLostError):
        await work.run(rest, idle_in_transaction_timeout=0.05)

    assert (work.outcome, await marks(db)) == (Outcome.NOT_APPLIED, [])


async def test_command_timeout_is_the_limit_where_the_server_falls_silent(marks_dsn: str, wire: Wire) -> None:
    """The server's own limit cannot reach the caller then."""
    name = database_of(marks_dsn)
    async with DatabaseManager(wire.dsn(name), command_timeout=0.3) as db:
        started = time.monotonic()
        with pytest.raises(QueryTimeoutError) as caught:
            async with db.transaction() as conn:
                await conn.execute("SELECT 1")
                wire.freeze()
                await conn.execute("SELECT 1")
        assert time.monotonic() - started < PATIENCE
        assert caught.value.outcome is Outcome.NOT_APPLIED


async def test_a_rollback_on_a_silent_network_ends_in_time(marks_dsn: str, wire: Wire) -> None:
    """Also where no limit holds for statements."""
    name = database_of(marks_dsn)
    async with DatabaseManager(wire.dsn(name), statement_timeout=None) as db:
        started = time.monotonic()
        with pytest.raises(LookupError):
            async with db.transaction() as conn:
                await conn.execute("SELECT 1")
                wire.freeze()
                raise LookupError
        assert time.monotonic() - started < PATIENCE


# --- the deadline of a transaction ---------------------------------------------------------------------------


async def test_a_transaction_beyond_its_deadline_is_rolled_back(work: Work, db: DatabaseManager) -> None:
    """Wherever the time went: a statement, or the caller's own work."""

    async def run(conn: Connection) -> None:
        await conn.execute(INSERT, 1)
        await asyncio.sleep(120)

    started = time.monotonic()
    with pytest.raises(DeadlineError) as caught:
        await work.run(run, timeout=0.1)

    assert time.monotonic() - started < PATIENCE
    assert not caught.value.retryable
    assert (work.outcome, await marks(db)) == (Outcome.NOT_APPLIED, [])


async def test_the_wait_for_a_connection_counts(marks_dsn: str, way: str) -> None:
    """The deadline is for the whole block."""
    async with DatabaseManager(marks_dsn, max_size=1, acquire_timeout=120) as db, db.transaction():
        started = time.monotonic()
        with pytest.raises(DeadlineError):
            await Work(db, way).run(lambda conn: conn.execute(INSERT, 1), timeout=0.1)
        assert time.monotonic() - started < PATIENCE


async def test_a_deadline_that_passes_in_commit_tells_what_became_of_it(work: Work, db: DatabaseManager) -> None:
    """The answer came while the block was given up: it is stored, and so there is no error."""
    await work.run(lambda conn: slow_mark(conn, 1, 1.6), timeout=1)

    assert (work.outcome, await marks(db)) == (Outcome.APPLIED, [1])


async def test_a_deadline_that_passes_long_before_the_answer_has_an_unknown_outcome(
    work: Work, db: DatabaseManager
) -> None:
    """And it turns into what happened when the answer comes."""
    with pytest.raises(OutcomeUnknownError):
        await work.run(lambda conn: slow_mark(conn, 1, 4.5), timeout=1)
    assert work.outcome is Outcome.UNKNOWN

    async with asyncio.timeout(20):
        while work.outcome is Outcome.UNKNOWN:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.1)
    assert (work.outcome, await marks(db)) == (Outcome.APPLIED, [1])


async def test_a_time_limit_of_the_callers_own_is_not_taken_for_the_deadline(db: DatabaseManager) -> None:
    """Its TimeoutError passes unchanged."""
    with pytest.raises(TimeoutError) as caught:
        async with db.transaction(timeout=60):
            async with asyncio.timeout(0.02):
                await asyncio.sleep(1)

    assert not isinstance(caught.value, FinanceError)


# --- the outcome ---------------------------------------------------------------------------------------------


async def test_the_outcome_is_none_until_the_end(work: Work) -> None:
    """And then what became of it."""
    seen: list[Outcome | None] = []

    async def look(conn: Connection) -> None:
        seen.append(conn.outcome)

    await work.run(look)

    assert (seen, work.outcome) == ([None], Outcome.APPLIED)


async def test_the_outcome_after_an_error_is_not_applied(work: Work, db: DatabaseManager) -> None:
    """The caller's own and the server's alike."""
    with pytest.raises(ZeroDivisionError):
        await work.run(lambda conn: conn.execute("SELECT $1::int", 1 // 0))
    assert work.outcome is Outcome.NOT_APPLIED
    with pytest.raises(DatabaseError):
        await work.run(lambda conn: conn.execute("SELECT 1 / 0"))

    assert (work.outcome, await marks(db)) == (Outcome.NOT_APPLIED, [])


async def test_the_outcome_after_rollback_is_not_applied(db: DatabaseManager) -> None:
    """The block ends without an error."""
    async with db.unit_of_work() as uow:
        await uow.connection.execute(INSERT, 1)
        await uow.rollback()

    assert (uow.outcome, await marks(db)) == (Outcome.NOT_APPLIED, [])


async def test_a_typed_commit_leaves_no_untrue_outcome(work: Work, db: DatabaseManager) -> None:
    """It is stored, and nobody says that it is not."""
    with pytest.raises(UsageError) as caught:
        await work.run(lambda conn: conn.execute("INSERT INTO marks VALUES (1); COMMIT"))

    assert await marks(db) == [1]
    assert (caught.value.outcome, work.outcome) == (Outcome.UNKNOWN, Outcome.UNKNOWN)


async def test_a_typed_rollback_is_not_applied(work: Work, db: DatabaseManager) -> None:
    """So much is known."""
    with pytest.raises(UsageError) as caught:
        await work.run(lambda conn: conn.execute("ROLLBACK"))

    assert (caught.value.outcome, work.outcome) == (Outcome.NOT_APPLIED, Outcome.NOT_APPLIED)
    assert await marks(db) == []


async def test_a_typed_commit_whose_answer_is_lost_is_unknown(
    far: DatabaseManager, db: DatabaseManager, wire: Wire, way: str
) -> None:
    """It would be run again otherwise."""

    async def commit(conn: Connection) -> None:
        await conn.execute(INSERT, 1)
        wire.break_after = b"COMMIT"
        await conn.execute("COMMIT")

    work = Work(far, way)
    with pytest.raises(OutcomeUnknownError):
        await work.run(commit)

    assert (work.outcome, await marks(db)) == (Outcome.UNKNOWN, [1])


@pytest.mark.parametrize("word", ["break_after", "break_before"])
async def test_a_lost_commit_is_unknown(
    far: DatabaseManager, db: DatabaseManager, wire: Wire, way: str, word: str
) -> None:
    """The request's loss and the answer's look the same."""

    async def mark(conn: Connection) -> None:
        await conn.execute(INSERT, 1)
        setattr(wire, word, b"COMMIT")

    work = Work(far, way)
    with pytest.raises(OutcomeUnknownError) as caught:
        await work.run(mark)

    assert (caught.value.outcome, work.outcome) == (Outcome.UNKNOWN, Outcome.UNKNOWN)
    assert await marks(db) == ([1] if word == "break_after" else [])


async def test_a_commit_that_could_not_be_sent_is_not_applied(work: Work, db: DatabaseManager) -> None:
    """The connection was closed just before: the error and the handle say the same."""

    async def mark(conn: Connection) -> None:
        await conn.execute(INSERT, 1)
        asyncio.get_running_loop().call_soon(conn.driver.terminate)

    with pytest.raises(ConnectionLostError):
        await work.run(mark)

    assert (work.outcome, await marks(db)) == (Outcome.NOT_APPLIED, [])


async def test_a_stream_that_writes_is_unknown_when_its_commit_is_lost(
    far: DatabaseManager, db: DatabaseManager, wire: Wire
) -> None:
    """It commits by itself, like every statement."""
    wire.break_after = b"COMMIT"
    with pytest.raises(OutcomeUnknownError):
        async for _ in far.stream("INSERT INTO marks VALUES (1) RETURNING n"):
            pass

    assert await marks(db) == [1]


# --- cancellation ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("times", [1, 2, 20])
async def test_a_cancelled_transaction_is_not_applied(work: Work, db: DatabaseManager, times: int) -> None:
    """However often, and the pool stays whole."""

    async def dawdle(conn: Connection) -> None:
        await conn.execute(INSERT, 1)
        await conn.execute("SELECT pg_sleep(20)")

    task = asyncio.create_task(work.run(dawdle))
    await until(lambda: work.handle is not None)
    await asyncio.sleep(0.1)
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await task

    assert (work.outcome, await marks(db)) == (Outcome.NOT_APPLIED, [])
    async with db.transaction(), db.transaction(), db.transaction():
        pass


@pytest.mark.parametrize("times", [1, 2, 20])
async def test_a_transaction_cancelled_in_commit_says_what_became_of_it(
    work: Work, db: DatabaseManager, times: int
) -> None:
    """The caller is held until the answer, and COMMIT is not cancelled."""
    task = asyncio.create_task(work.run(lambda conn: slow_mark(conn, 1, 0.8)))
    await until(work.is_committing)
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0.001)
    with pytest.raises(asyncio.CancelledError):
        await task

    assert (work.outcome, await marks(db)) == (Outcome.APPLIED, [1])


async def test_no_caller_is_told_an_untruth_wherever_it_is_cancelled(work: Work, db: DatabaseManager) -> None:
    """At each of its suspensions in turn."""
    applied = 0
    for number in range(60):

        async def mark(conn: Connection, number: int = number) -> None:
            await conn.execute(INSERT, number)

        task = asyncio.create_task(work.run(mark))
        for _ in range(number):
            await asyncio.sleep(0.0001)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        stored = number in await marks(db)
        known = work.outcome if work.handle is not None else Outcome.NOT_APPLIED
        assert known is (Outcome.APPLIED if stored else Outcome.NOT_APPLIED), number
        applied += stored
        work.handle = None

    assert 0 < applied < 60


async def test_a_scope_of_anyio_rolls_back(work: Work, db: DatabaseManager) -> None:
    """It cancels again at every await."""

    async def dawdle(conn: Connection) -> None:
        await conn.execute(INSERT, 1)
        await conn.execute("SELECT pg_sleep(20)")

    with anyio.move_on_after(0.1) as scope:
        await work.run(dawdle)

    assert scope.cancelled_caught
    assert (work.outcome, await marks(db)) == (Outcome.NOT_APPLIED, [])
    async with db.transaction(), db.transaction(), db.transaction():
        pass


async def test_a_scope_of_anyio_in_commit_tells_the_truth(work: Work, db: DatabaseManager) -> None:
    """The outcome is there when the scope ends."""
    with anyio.CancelScope() as scope:

        async def cancel() -> None:
            await until(work.is_committing)
            scope.cancel()

        cancelling = asyncio.create_task(cancel())
        await work.run(lambda conn: slow_mark(conn, 1, 0.8))
    await cancelling

    assert (work.outcome, await marks(db)) == (Outcome.APPLIED, [1])


async def test_what_a_cancelled_caller_left_does_not_run_on(db: DatabaseManager) -> None:
    """The server is told to give it up."""

    async def is_sleeping() -> bool:
        query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
        return bool(await db.fetchval(query))

    task = asyncio.create_task(db.fetch("SELECT pg_sleep(60)"))
    await until(is_sleeping)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    async def is_awake() -> bool:
        return not await is_sleeping()

    await until(is_awake)


# --- two tasks in one transaction ------------------------------------------------------------------------------

OTHERS: dict[str, Callable[[Connection], Awaitable[object]]] = {
    "fetch": lambda conn: conn.fetch("SELECT 1"),
    "execute": lambda conn: conn.execute("SELECT 1"),
    "a checked value": lambda conn: conn.fetch("SELECT $1::numeric", Decimal(1)),
    "executemany": lambda conn: conn.executemany(INSERT, [(1,)]),
    "copy_in": lambda conn: conn.copy_in("marks", [(1,)]),
    "stream": lambda conn: anext(conn.stream("SELECT 1")),
    "transaction": lambda conn: conn.transaction().__aenter__(),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
async def test_every_verb_of_a_second_task_is_refused(
    db: DatabaseManager, other: Callable[[Connection], Awaitable[object]]
) -> None:
    """With one and the same error, and the first task goes on."""
    async with db.transaction() as conn:
        first = asyncio.create_task(conn.fetchval("SELECT 1 FROM pg_sleep(0.1)"))
        await asyncio.sleep(0.03)
        with pytest.raises(ConcurrentUseError):
            await other(conn)
        assert await first == 1


async def test_a_refused_statement_beside_commit_does_not_make_it_cancellable(db: DatabaseManager) -> None:
    """COMMIT is still under way, and nobody may cancel it."""
    async with db.transaction() as conn:
        driver = conn.driver
        await slow_mark(conn, 1, 0.3)
        committing = asyncio.create_task(driver.execute("COMMIT"))
        await asyncio.sleep(0.05)
        with pytest.raises(Exception, match="in progress"):
            await driver.execute("SELECT 1")
        assert driver.is_committing
        await committing
        await driver.execute("BEGIN")

    assert await marks(db) == [1]


# --- after COMMIT ----------------------------------------------------------------------------------------------


async def test_a_callback_that_fails_does_not_deny_the_commit(db: DatabaseManager) -> None:
    """The others have their turn, and the error says that all is stored."""
    called: list[int] = []
    with pytest.raises(AfterCommitError) as caught:
        async with db.unit_of_work() as uow:
            await uow.connection.execute(INSERT, 1)
            uow.after_commit(lambda: 1 // 0)
            uow.after_commit(lambda: called.append(1))

    assert (caught.value.outcome, uow.outcome) == (Outcome.APPLIED, Outcome.APPLIED)
    assert not caught.value.retryable
    assert (called, await marks(db)) == ([1], [1])


async def test_a_callback_has_the_connection_back_in_the_pool(marks_dsn: str) -> None:
    """It may use the manager, even where there is one connection only."""
    answers: list[int] = []
    async with DatabaseManager(marks_dsn, max_size=1, acquire_timeout=2) as db:

        async def ask() -> None:
            answers.append(await db.fetchval("SELECT 1"))

        async with db.unit_of_work(timeout=5) as uow:
            uow.after_commit(ask)

    assert answers == [1]


# --- db.run --------------------------------------------------------------------------------------------------


class Faulty:
    """Work that fails some times, and leaves a mark each time."""

    def __init__(self, *errors: Exception | None) -> None:
        self._errors = list(errors)
        self.calls = 0

    async def __call__(self, uow: UnitOfWork) -> int:
        """Do it once."""
        self.calls += 1
        await uow.connection.execute(INSERT, self.calls)
        error = self._errors.pop(0) if self._errors else None
        if error is not None:
            raise error
        return self.calls


async def test_run_stores_the_last_attempt_only(db: DatabaseManager) -> None:
    """What failed before is rolled back."""
    work = Faulty(DeadlockError(), LockTimeoutError(), ConnectionLostError())

    assert await db.run(work) == 4

    assert await marks(db) == [4]


async def test_run_gives_up_after_its_attempts(db: DatabaseManager) -> None:
    """And tells the last error."""
    work = Faulty(*(DeadlockError() for _ in range(9)))
    with pytest.raises(DeadlockError):
        await db.run(work, retry=Retry(attempts=3, pause=0.001))

    assert (work.calls, await marks(db)) == (3, [])


@pytest.mark.parametrize("error", [LookupError(), InvalidError("no"), OutcomeUnknownError(), QueryTimeoutError()])
async def test_run_does_not_repeat_what_would_fail_again_or_be_stored_twice(
    db: DatabaseManager, error: Exception
) -> None:
    """The first error is told."""
    work = Faulty(error)
    with pytest.raises(type(error)):
        await db.run(work)

    assert work.calls == 1


@pytest.mark.parametrize("is_first", [True, False])
async def test_run_ends_at_its_deadline(marks_dsn: str, is_first: bool) -> None:  # noqa: FBT001
    """The look at the revision and the wait for a connection included."""
    async with DatabaseManager(marks_dsn, max_size=1, acquire_timeout=120) as db:
        if not is_first:
            await db.migrations.require_head()
        async with db.transaction():
            started = time.monotonic()
            with pytest.raises(DeadlineError):
                await db.run(Faulty(), retry=Retry(deadline=0.2))

            assert time.monotonic() - started < PATIENCE


@pytest.mark.parametrize("idempotent", [True, False])
async def test_run_repeats_an_unknown_outcome_only_where_that_does_no_harm(
    far: DatabaseManager,
    db: DatabaseManager,
    wire: Wire,
    idempotent: bool,  # noqa: FBT001
) -> None:
    """A function that says nothing of it is not run twice."""
    calls = 0

    async def mark(uow: UnitOfWork) -> None:
        nonlocal calls
        calls += 1
        wire.break_after = b"COMMIT" if calls == 1 else None
        await uow.connection.execute("INSERT INTO marks SELECT 1 WHERE NOT EXISTS (SELECT FROM marks)")

    await far.migrations.require_head()
    with contextlib.nullcontext() if idempotent else pytest.raises(OutcomeUnknownError):
        await far.run(mark, retry=Retry(idempotent=idempotent))

    assert (calls, await marks(db)) == (2 if idempotent else 1, [1])


async def test_run_begins_again_when_the_look_at_the_revision_is_lost(
    far: DatabaseManager, db: DatabaseManager, wire: Wire
) -> None:
    """Nothing had begun, so that no outcome is unknown, and the function need not be idempotent."""
    work = Faulty()
    wire.break_after = b"finance_version"
    running = asyncio.create_task(far.run(work))
    while not far.stats().retries and not running.done():  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    wire.break_after = None
    await running

    assert (work.calls, await marks(db)) == (1, [1])


async def test_run_does_not_repeat_what_is_stored(db: DatabaseManager) -> None:
    """A callback that fails comes after COMMIT."""
    work = Faulty()

    async def mark(uow: UnitOfWork) -> None:
        await work(uow)
        uow.after_commit(lambda: (_ for _ in ()).throw(DeadlockError()).__next__())

    with pytest.raises(AfterCommitError):
        await db.run(mark)

    assert (work.calls, await marks(db)) == (1, [1])


# --- a server that takes no writes -----------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def read_only(server: Server) -> AsyncIterator[None]:
    """Have the server take no writes for a while, as a demoted one does not."""
    async with server.administered() as admin:
        await admin.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        await admin.execute("SELECT pg_reload_conf()")
        try:
            await asyncio.sleep(0.1)
            yield
        finally:
            await admin.execute("SET default_transaction_read_only = off")
            await admin.execute("ALTER SYSTEM RESET default_transaction_read_only")
            await admin.execute("SELECT pg_reload_conf()")
            await asyncio.sleep(0.1)


async def test_a_server_that_turned_read_only_loses_its_connections(
    db: DatabaseManager, server: Server, way: str
) -> None:
    """All that rest, too: the next ones find the server that takes writes."""
    async with db.transaction(), db.transaction():
        pass
    before = await db.fetchval("SELECT pg_backend_pid()")
    work = Work(db, way)
    async with read_only(server):
        with pytest.raises(ReadOnlyServerError) as caught:
            await work.run(lambda conn: conn.execute(INSERT, 1))
        assert caught.value.retryable
        assert work.outcome is Outcome.NOT_APPLIED
    await asyncio.sleep(0.1)

    await db.execute(INSERT, 2)

    assert await db.fetchval("SELECT pg_backend_pid()") != before
    assert await marks(db) == [2]


async def test_a_statement_on_a_server_that_turned_read_only_is_told_as_such(
    db: DatabaseManager, server: Server
) -> None:
    """It commits by itself; nothing is stored."""
    async with read_only(server):
        with pytest.raises(ReadOnlyServerError) as caught:
            await db.execute(INSERT, 1)

    assert caught.value.outcome is Outcome.NOT_APPLIED


async def test_a_transaction_that_was_opened_to_read_is_not_the_servers_fault(work: Work) -> None:
    """The program needs a change, and its connection does not."""
    word = "readonly" if isinstance(work._way, str) and work._way == "transaction" else "read_only"
    with pytest.raises(ReadOnlyTransactionError):
        await work.run(lambda conn: conn.execute(INSERT, 1), **{word: True})


# --- a schema that changes ---------------------------------------------------------------------------------------


async def test_a_change_of_the_schema_is_not_seen_by_a_single_statement(db: DatabaseManager) -> None:
    """On none of the connections that have it prepared."""
    await db.execute("CREATE TABLE changing (a int); INSERT INTO changing VALUES (1)")
    await asyncio.gather(*(db.fetch("SELECT * FROM changing, pg_sleep(0.05)") for _ in range(3)))
    await db.execute("ALTER TABLE changing ADD COLUMN b int DEFAULT 2")

    answers = await asyncio.gather(*(db.fetchrow("SELECT * FROM changing, pg_sleep(0.05)") for _ in range(3)))

    assert [answer["b"] for answer in answers if answer is not None] == [2, 2, 2]


async def test_a_change_of_the_schema_in_a_transaction_may_run_again(db: DatabaseManager) -> None:
    """`db.run()` hides it."""
    await db.execute("CREATE TABLE altering (a int); INSERT INTO altering VALUES (1)")
    columns = iter(("b", "c"))

    async def read(conn: Connection) -> int:
        first = await conn.fetchrow("SELECT * FROM altering")
        if (name := next(columns, None)) is not None:
            await conn.execute(f"ALTER TABLE altering ADD COLUMN {name} int")
            await conn.fetchrow("SELECT * FROM altering")
        assert first is not None
        return len(first)

    with pytest.raises(SchemaChangedError) as caught:
        async with db.transaction() as conn:
            await read(conn)
    assert caught.value.retryable

    assert await db.run(lambda uow: read(uow.connection)) == 1


# --- errors without values ---------------------------------------------------------------------------------------


async def test_no_error_of_a_transaction_shows_a_value(db: DatabaseManager, way: str) -> None:
    """Whatever the server says of it."""
    await db.execute("CREATE TABLE IF NOT EXISTS secrets (s text PRIMARY KEY CHECK (s <> 'hunter2'), n int)")
    statements = [
        ("INSERT INTO secrets VALUES ($1)", "hunter2"),
        ("SELECT $1::text::int", "hunter2"),
        ("SELECT $1::text::date", "hunter2"),
        ("SELECT $1::text::jsonb", "{hunter2"),
        ("SELECT $1::text::uuid", "hunter2"),
        ("SELECT 1 FROM pg_catalog.set_config('timezone', $1::text, true)", "hunter2"),
        ("SELECT '2020-01-01'::timestamptz AT TIME ZONE $1::text", "hunter2"),
        ("SELECT ('hunter2' || $1)::numeric", "hunter2"),
    ]
    shown = []
    for statement, value in statements:

        async def run(conn: Connection, statement: str = statement, value: str = value) -> None:
            await conn.fetch(statement, value)

        try:
            await Work(db, way).run(run)
        except FinanceError as error:
            shown.append((statement, str(error)))

    assert len(shown) >= 6
    assert [each for each in shown if "hunter2" in each[1]] == []


async def test_the_session_of_sqlalchemy_commits_nothing_after_a_typed_commit(db: DatabaseManager) -> None:
    """Also one that went through SQLAlchemy is noticed."""
    with pytest.raises(UsageError) as caught:
        async with db.unit_of_work() as uow:
            await uow.session.execute(text("INSERT INTO marks VALUES (1)"))
            await uow.session.execute(text("COMMIT"))

    assert (caught.value.outcome, uow.outcome) == (Outcome.UNKNOWN, Outcome.UNKNOWN)
    assert await marks(db) == [1]


async def test_a_commit_of_the_engine_is_not_cancelled_either(db: DatabaseManager) -> None:
    """Whoever is cancelled leaves; the server goes on committing."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1), db.engine.begin() as connection:
            await connection.execute(text("INSERT INTO slow VALUES (77, 1.5)"))

    async def is_stored() -> bool:
        return bool(await db.fetchval("SELECT count(*) = 1 FROM slow WHERE n = 77"))

    await until(is_stored)


async def test_an_abandoned_unit_of_work_is_not_applied(db: DatabaseManager) -> None:
    """That is known at once."""
    async with db.unit_of_work() as uow:
        await uow.rollback()
        assert uow.outcome is Outcome.NOT_APPLIED


async def test_no_pause_goes_on_past_the_deadline(db: DatabaseManager) -> None:
    """Where the next attempt would come too late, the fault is told now."""

    async def fail(_: UnitOfWork) -> None:
        raise DeadlockError

    started = time.monotonic()
    with pytest.raises((DeadlockError, DeadlineError)):
        await db.run(fail, retry=Retry(attempts=100, deadline=0.3, pause=2000, longest_pause=2000))

    assert time.monotonic() - started < PATIENCE


async def test_a_type_that_was_made_anew_is_not_noticed_by_a_single_statement(db: DatabaseManager) -> None:
    """On no connection that had prepared it; in a transaction the whole of it is to be run again."""
    make = "CREATE TYPE mood AS ENUM ('calm'); CREATE TABLE feelings (mood mood)"
    await db.execute(make)
    insert = "INSERT INTO feelings VALUES ($1)"
    await asyncio.gather(*(db.execute(insert, "calm") for _ in range(4)))
    await db.execute(f"DROP TABLE feelings; DROP TYPE mood; {make}")

    await asyncio.gather(*(db.execute(insert, "calm") for _ in range(4)))

    assert await db.fetchval("SELECT count(*) FROM feelings") == 4
