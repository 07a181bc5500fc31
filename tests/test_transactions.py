"""`db.transaction()`: raw SQL that is stored whole or not at all, and that says which."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from finance import Connection, DatabaseManager
from finance.errors import (
    AlreadyExistsError,
    ClosedError,
    ConcurrentUseError,
    ConnectionLostError,
    DatabaseError,
    DeadlockError,
    FinanceError,
    InvalidError,
    LockTimeoutError,
    OutcomeUnknownError,
    QueryTimeoutError,
    ReadOnlyTransactionError,
    SerializationError,
    TransactionAbortedError,
    UsageError,
)
from tests.network import Wire, database_of

INSERT = "INSERT INTO things VALUES ($1)"


@pytest_asyncio.fixture(scope="session")
async def things_dsn(common_dsn: str) -> str:
    """The common database, with a table of things that are unique."""
    async with DatabaseManager(common_dsn) as db:
        await db.execute("CREATE TABLE things (n int CONSTRAINT things_unique UNIQUE DEFERRABLE)")
    return common_dsn


@pytest_asyncio.fixture
async def db(things_dsn: str) -> AsyncIterator[DatabaseManager]:
    """A manager with two connections, and no things yet."""
    async with DatabaseManager(things_dsn, max_size=2) as manager:
        await manager.execute("TRUNCATE things")
        yield manager


async def things(db: DatabaseManager) -> list[int]:
    """Everything that is stored."""
    return [row["n"] for row in await db.fetch("SELECT n FROM things ORDER BY n")]


async def copy_in(conn: Connection, *numbers: int) -> None:
    """Insert things by COPY, straight on the driver."""
    await conn.driver.copy_records_to_table("things", records=[(n,) for n in numbers])


class ChangedMindError(Exception):
    """Somebody changed their mind."""


# --- stored whole or not at all --------------------------------------------------------------------------


async def test_a_clean_exit_commits(db: DatabaseManager) -> None:
    """All verbs and COPY are in the one transaction."""
    async with db.transaction() as conn:
        await conn.execute(INSERT, 1)
        await conn.fetch(f"{INSERT} RETURNING n", 2)
        await copy_in(conn, 3, 4)
        assert await things(db) == []

    assert await things(db) == [1, 2, 3, 4]


async def test_an_error_rolls_everything_back(db: DatabaseManager) -> None:
    """Whichever way the statement took, COPY as the first one included."""
    with pytest.raises(ChangedMindError):
        async with db.transaction() as conn:
            await copy_in(conn, 1)
            await conn.execute(INSERT, 2)
            raise ChangedMindError

    assert await things(db) == []


@pytest.mark.parametrize(
    "error", [ValueError("mine"), OSError("mine"), TimeoutError("mine"), KeyboardInterrupt("mine")]
)
async def test_an_error_of_the_callers_own_passes_unchanged(db: DatabaseManager, error: BaseException) -> None:
    """It is neither translated nor wrapped, not even where the driver has one of the same class."""
    with pytest.raises(type(error), match="mine") as caught:
        async with db.transaction() as conn, conn.transaction():
            await conn.execute(INSERT, 1)
            raise error

    assert caught.value is error
    assert caught.value.__cause__ is None
    assert await things(db) == []


async def test_an_error_of_the_driver_is_typed_when_it_leaves(db: DatabaseManager) -> None:
    """Also one of a call that has no verb here."""
    with pytest.raises(DatabaseError, match="42P01"):
        async with db.transaction() as conn:
            await conn.driver.copy_records_to_table("no_such_table", records=[(1,)])


async def test_an_abandoned_generator_rolls_back(db: DatabaseManager) -> None:
    """A stream that nobody reads to its end lets go of its connection."""

    async def stream() -> AsyncIterator[int]:
        async with db.transaction() as conn:
            await conn.execute(INSERT, 1)
            yield 1
            yield 2

    numbers = stream()
    async for _ in numbers:
        break
    await numbers.aclose()  # type: ignore[attr-defined]

    assert await things(db) == []


# --- COMMIT tells the truth ----------------------------------------------------------------------------


async def test_commit_of_an_aborted_transaction_raises(db: DatabaseManager) -> None:
    """PostgreSQL answers such a COMMIT with ROLLBACK, and no error."""
    with pytest.raises(TransactionAbortedError, match="rolled back"):
        async with db.transaction() as conn:
            await conn.execute(INSERT, 1)
            with pytest.raises(DatabaseError, match="22012"):
                await conn.execute("SELECT 1 / 0")

    assert await things(db) == []


@pytest.mark.parametrize("statement", ["COMMIT", " commit;", "END", "PREPARE TRANSACTION 'x'"])
async def test_a_typed_commit_of_an_aborted_transaction_raises(db: DatabaseManager, statement: str) -> None:
    """However it is spelled."""
    with pytest.raises(TransactionAbortedError):
        async with db.transaction() as conn:
            with pytest.raises(DatabaseError):
                await conn.execute("SELECT 1 / 0")
            await conn.execute(statement)


async def test_an_error_in_a_savepoint_may_be_swallowed(db: DatabaseManager) -> None:
    """What was before it and after it is stored."""
    async with db.transaction() as conn:
        await conn.execute(INSERT, 1)
        with pytest.raises(DatabaseError):
            async with conn.transaction():
                await conn.execute(INSERT, 2)
                await conn.execute("SELECT 1 / 0")
        await conn.execute(INSERT, 3)

    assert await things(db) == [1, 3]


async def test_an_error_swallowed_inside_its_savepoint_undoes_the_savepoint(db: DatabaseManager) -> None:
    """The block says so; the transaction goes on."""
    async with db.transaction() as conn:
        await conn.execute(INSERT, 1)
        with pytest.raises(TransactionAbortedError):
            async with conn.transaction():
                await conn.execute(INSERT, 2)
                with pytest.raises(DatabaseError):
                    await conn.execute("SELECT 1 / 0")
        await conn.execute(INSERT, 3)

    assert await things(db) == [1, 3]


async def test_savepoints_nest(db: DatabaseManager) -> None:
    """An error undoes the innermost that it leaves."""
    async with db.transaction() as conn:
        async with conn.transaction():
            await conn.execute(INSERT, 1)
            with pytest.raises(ChangedMindError):
                async with conn.transaction():
                    await conn.execute(INSERT, 2)
                    raise ChangedMindError
            await conn.execute(INSERT, 3)
        with pytest.raises(ChangedMindError):
            async with conn.transaction():
                async with conn.transaction():
                    await conn.execute(INSERT, 4)
                raise ChangedMindError

    assert await things(db) == [1, 3]


async def test_what_the_server_refuses_at_commit_is_typed(db: DatabaseManager) -> None:
    """A deferred constraint speaks at COMMIT; nothing is stored."""
    with pytest.raises(AlreadyExistsError):
        async with db.transaction() as conn:
            await conn.execute("SET CONSTRAINTS ALL DEFERRED")
            await copy_in(conn, 1, 1)

    assert await things(db) == []


@pytest.mark.parametrize("statement", ["COMMIT", "ROLLBACK"])
async def test_a_typed_commit_or_rollback_is_told(db: DatabaseManager, statement: str) -> None:
    """The statements after it would commit by themselves, so they are refused."""
    with pytest.raises(UsageError, match="ended the transaction inside its block"):
        async with db.transaction() as conn:
            await conn.execute(statement)
            await conn.execute(INSERT, 1)

    assert await things(db) == []


async def test_a_typed_commit_at_the_end_is_told(db: DatabaseManager) -> None:
    """It did commit, and the block says what it does not know."""
    with pytest.raises(UsageError, match="leave the block to commit"):
        async with db.transaction() as conn:
            await conn.execute(INSERT, 1)
            await conn.execute("COMMIT")

    assert await things(db) == [1]


# --- a connection that breaks --------------------------------------------------------------------------


async def kill(db: DatabaseManager, backend: int) -> None:
    """End a backend, and give the loop the time to hear of it."""
    await db.execute("SELECT pg_terminate_backend($1)", backend)
    await asyncio.sleep(0.1)


async def test_a_backend_that_dies_in_a_statement_committed_nothing(db: DatabaseManager) -> None:
    """COMMIT was not sent; the same call may be made again."""

    async def work() -> None:
        async with db.transaction() as conn:
            await conn.execute(INSERT, 1)
            await conn.execute("SELECT pg_sleep(5)")

    task = asyncio.create_task(work())
    await asyncio.sleep(0.1)
    [row] = await db.fetch(
        "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
    )
    await kill(db, row["pid"])

    with pytest.raises(ConnectionLostError) as caught:
        await task
    assert caught.value.retryable
    assert await things(db) == []


@pytest.mark.parametrize("is_noticed", [True, False])
async def test_a_backend_that_dies_between_statements_committed_nothing(db: DatabaseManager, is_noticed: bool) -> None:  # noqa: FBT001
    """Whether the next statement or the end of the block meets it."""
    with pytest.raises(ConnectionLostError):
        async with db.transaction() as conn:
            await conn.execute(INSERT, 1)
            await kill(db, await conn.fetchval("SELECT pg_backend_pid()"))
            if is_noticed:
                await conn.execute("SELECT 1")

    assert await things(db) == []


async def test_a_lost_connection_does_not_hide_the_callers_error(db: DatabaseManager) -> None:
    """There is nothing to roll back, and nothing more to say."""
    with pytest.raises(ChangedMindError):
        async with db.transaction() as conn:
            await kill(db, await conn.fetchval("SELECT pg_backend_pid()"))
            raise ChangedMindError


async def test_a_backend_that_dies_in_commit_leaves_the_outcome_unknown(db: DatabaseManager) -> None:
    """Nobody can know from here whether it came through."""
    await db.execute("""
        CREATE TABLE slow (n int);
        CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql
            AS $$ BEGIN PERFORM pg_sleep(5); RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER dawdle AFTER INSERT ON slow DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION dawdle();
    """)

    async def work() -> None:
        async with db.transaction() as conn:
            await conn.execute("INSERT INTO slow VALUES (1)")

    task = asyncio.create_task(work())
    await asyncio.sleep(0.2)
    [row] = await db.fetch("SELECT pid FROM pg_stat_activity WHERE query LIKE 'COMMIT%' AND wait_event = 'PgSleep'")
    await kill(db, row["pid"])

    with pytest.raises(OutcomeUnknownError) as caught:
        await task
    assert not caught.value.retryable


@pytest.mark.parametrize(("word", "stored"), [("break_after", [1]), ("break_before", [])])
async def test_a_commit_without_an_answer_leaves_the_outcome_unknown(
    db: DatabaseManager, wire: Wire, things_dsn: str, word: str, stored: list[int]
) -> None:
    """A lost request and a lost answer look the same from here, and one of them has committed."""
    database = database_of(things_dsn)
    async with DatabaseManager(wire.dsn(database)) as far:
        with pytest.raises(OutcomeUnknownError):
            async with far.transaction() as conn:
                await conn.execute(INSERT, 1)
                setattr(wire, word, b"COMMIT")

    assert await things(db) == stored


# --- one task, one block -------------------------------------------------------------------------------


async def test_two_tasks_on_one_transaction_are_told(db: DatabaseManager) -> None:
    """The statements would run in no order that anybody chose; the pool stays whole."""
    with pytest.raises(ConcurrentUseError):
        async with db.transaction() as conn:
            await asyncio.gather(conn.execute(INSERT, 1), conn.execute("SELECT pg_sleep(0.1)"))

    assert await things(db) == []
    async with db.transaction(), db.transaction():
        pass


async def test_a_savepoint_that_cannot_be_undone_is_never_committed(db: DatabaseManager) -> None:
    """Another task's statement is in the way of ROLLBACK TO: the transaction ends with its connection."""
    with pytest.raises(ConnectionLostError):
        async with db.transaction() as conn:
            with pytest.raises(ChangedMindError):
                async with conn.transaction():
                    await conn.execute(INSERT, 1)
                    other = asyncio.create_task(conn.execute("SELECT pg_sleep(5)"))
                    await asyncio.sleep(0.05)
                    raise ChangedMindError
            with pytest.raises(FinanceError):
                await other

    assert await things(db) == []


async def test_a_transaction_is_refused_after_its_block(db: DatabaseManager) -> None:
    """Its connection is somebody else's by then."""
    async with db.transaction() as conn:
        assert conn.is_open

    assert not conn.is_open
    for call in (conn.execute("SELECT 1"), conn.fetch("SELECT 1"), conn.transaction().__aenter__()):
        with pytest.raises(ClosedError, match="transaction"):
            await call
    with pytest.raises(ClosedError):
        _ = conn.driver


# --- what kind of transaction --------------------------------------------------------------------------


@pytest.mark.parametrize("isolation", ["read_committed", "repeatable_read", "serializable"])
async def test_the_isolation_level_is_set_and_gone_for_the_next(things_dsn: str, isolation: str) -> None:
    """The default is the server's again."""
    async with DatabaseManager(things_dsn, max_size=1) as db:
        async with db.transaction(isolation=isolation) as conn:  # type: ignore[arg-type]
            assert await conn.fetchval("SHOW transaction_isolation") == isolation.replace("_", " ")

        async with db.transaction() as conn:
            assert await conn.fetchval("SHOW transaction_isolation") == "read committed"


async def test_readonly_is_enforced_by_the_server(db: DatabaseManager) -> None:
    """Whatever the statement hides behind."""
    with pytest.raises(ReadOnlyTransactionError):
        async with db.transaction(readonly=True) as conn:
            await conn.execute(INSERT, 1)

    assert await things(db) == []


async def test_a_deferrable_transaction_has_a_safe_snapshot(db: DatabaseManager) -> None:
    """It waits at its start and cannot fail for others afterwards."""
    async with db.transaction(isolation="serializable", readonly=True, deferrable=True) as conn:
        assert await conn.fetchval("SHOW transaction_deferrable") == "on"


async def test_an_unknown_isolation_level_is_refused_before_anything_is_sent(db: DatabaseManager) -> None:
    """The error names those that there are."""
    with pytest.raises(InvalidError, match="read_committed, repeatable_read, serializable"):
        async with db.transaction(isolation="chaos"):  # type: ignore[arg-type]
            pass


# --- errors that pass ----------------------------------------------------------------------------------


async def test_a_deadlock_is_told_to_one_of_the_two(db: DatabaseManager) -> None:
    """The other goes on; the loser may run again."""
    await db.execute("INSERT INTO things VALUES (1), (2)")
    met = asyncio.Barrier(2)

    async def update(first: int, second: int) -> None:
        async with db.transaction() as conn:
            await conn.execute("SET LOCAL deadlock_timeout = '20ms'")
            await conn.execute("UPDATE things SET n = n WHERE n = $1", first)
            await met.wait()
            await conn.execute("UPDATE things SET n = n WHERE n = $1", second)

    results = await asyncio.gather(update(1, 2), update(2, 1), return_exceptions=True)

    [error] = [result for result in results if result is not None]
    assert isinstance(error, DeadlockError)
    assert error.retryable


async def test_a_serialization_failure_may_run_again(db: DatabaseManager) -> None:
    """The first to commit wins."""
    await db.execute("INSERT INTO things VALUES (1)")
    with pytest.raises(SerializationError) as caught:
        async with db.transaction(isolation="repeatable_read") as conn:
            await conn.fetch("SELECT * FROM things")
            await db.execute("UPDATE things SET n = 2")
            await conn.execute("UPDATE things SET n = 3")

    assert caught.value.retryable
    assert await things(db) == [2]


async def test_a_lock_that_is_not_granted_in_time_is_told(db: DatabaseManager) -> None:
    """The limit is the server's own setting."""
    async with db.transaction() as holder:
        await holder.execute("LOCK TABLE things")
        with pytest.raises(LockTimeoutError):
            async with db.transaction() as conn:
                await conn.execute("SET LOCAL lock_timeout = '20ms'")
                await conn.execute(INSERT, 1)


@pytest.mark.parametrize("limit", ["server", "client"])
async def test_a_statement_limit_rolls_back(db: DatabaseManager, limit: str) -> None:
    """Whoever keeps the time."""
    with pytest.raises(QueryTimeoutError) as caught:
        async with db.transaction() as conn:
            await conn.execute(INSERT, 1)
            await conn.execute("SET LOCAL statement_timeout = '50ms'" if limit == "server" else "SELECT 1")
            await conn.execute("SELECT pg_sleep(5)", timeout=0.05 if limit == "client" else None)

    assert not caught.value.retryable
    assert await things(db) == []


async def test_a_time_limit_of_the_caller_rolls_back(db: DatabaseManager) -> None:
    """`asyncio.timeout()` around it is the caller's own error."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1), db.transaction() as conn:
            await conn.execute(INSERT, 1)
            await conn.execute("SELECT pg_sleep(5)")

    assert await things(db) == []
