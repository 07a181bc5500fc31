"""The unit of work: one transaction and its repositories, and the manager's `run()` around it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import exc as sa_exc
from sqlalchemy import select, text

from finance import Account, DatabaseManager, Ledger, NewEntry, NewPosting, Retry, UnitOfWork
from finance.errors import (
    AlreadyExistsError,
    ClosedError,
    ConcurrentUseError,
    ConnectionLostError,
    DatabaseError,
    DeadlockError,
    FinanceError,
    InvalidError,
    LedgerNotFoundError,
    LockTimeoutError,
    OutcomeUnknownError,
    ReadOnlyTransactionError,
    SchemaAheadError,
    SchemaBehindError,
    SchemaMissingError,
    SerializationError,
    TransactionAbortedError,
    UsageError,
)
from tests.conftest import Server
from tests.factories import TODAY, entry, open_books
from tests.network import Wire


@pytest_asyncio.fixture
async def dsn(emptied_dsn: str) -> str:
    """A database without books."""
    return emptied_dsn


class ChangedMindError(Exception):
    """Somebody changed their mind."""


async def names(db: DatabaseManager) -> list[str]:
    """Every ledger that is stored."""
    return [row["name"] for row in await db.fetch("SELECT name FROM ledgers ORDER BY id")]


async def insert_raw(uow: UnitOfWork, name: str) -> None:
    """Insert a ledger by raw SQL, which the session knows nothing of."""
    await uow.connection.execute("INSERT INTO ledgers (name, base_currency) VALUES ($1, 'EUR')", name)


# --- stored whole or not at all --------------------------------------------------------------------------


async def test_a_clean_exit_commits(db: DatabaseManager) -> None:
    """Repositories, session and raw SQL are in the one transaction."""
    async with db.unit_of_work() as uow:
        await insert_raw(uow, "raw")
        await uow.ledgers.create("repository", base_currency="EUR")
        uow.session.add(Ledger(name="session", base_currency="EUR"))

    assert await names(db) == ["raw", "repository", "session"]


async def test_an_error_rolls_everything_back(db: DatabaseManager) -> None:
    """A raw statement before any of SQLAlchemy's is inside the transaction, too, and so is COPY."""
    with pytest.raises(ChangedMindError):
        async with db.unit_of_work() as uow:
            await uow.connection.driver.copy_records_to_table(
                "ledgers", records=[("copied", "EUR")], columns=["name", "base_currency"]
            )
            await insert_raw(uow, "raw")
            await uow.ledgers.create("repository", base_currency="EUR")
            raise ChangedMindError

    assert await names(db) == []


async def test_rollback_abandons_without_an_error(db: DatabaseManager) -> None:
    """Nothing is stored, and the rest of the block cannot go on by mistake."""
    async with db.unit_of_work() as uow, uow.savepoint(), uow.connection.transaction():
        await uow.ledgers.create("gone", base_currency="EUR")
        await uow.rollback()
        assert not uow.is_open
        with pytest.raises(ClosedError):
            await uow.ledgers.get(1)

    assert await names(db) == []


@pytest.mark.parametrize(
    "error",
    [
        ValueError("mine"),
        OSError("mine"),
        TimeoutError("mine"),
        sa_exc.TimeoutError("mine"),
        sa_exc.NoResultFound("mine"),
    ],
)
async def test_an_error_of_the_callers_own_passes_unchanged(db: DatabaseManager, error: Exception) -> None:
    """It is neither translated nor wrapped, not even where the driver or SQLAlchemy has one of the same class."""
    with pytest.raises(type(error), match="mine") as caught:
        async with db.unit_of_work() as uow, uow.savepoint(), uow.connection.transaction():
            raise error

    assert caught.value is error
    assert caught.value.__cause__ is None


async def test_an_error_of_sqlalchemy_is_typed_when_it_leaves(db: DatabaseManager) -> None:
    """Who uses the session directly gets the errors of `finance` all the same."""
    await db.ledgers.create("taken", base_currency="EUR")

    with pytest.raises(AlreadyExistsError) as caught:
        async with db.unit_of_work() as uow:
            await uow.session.execute(text("INSERT INTO ledgers (name, base_currency) VALUES ('taken', 'EUR')"))

    assert isinstance(caught.value.__cause__, sa_exc.IntegrityError)


async def test_the_rows_are_usable_after_the_commit(db: DatabaseManager) -> None:
    """They keep what was read; nothing loads in silence."""
    async with db.unit_of_work() as uow:
        ledger = await uow.ledgers.create("kept", base_currency="EUR")

    assert (ledger.name, ledger.base_currency, ledger.closed_through) == ("kept", "EUR", None)
    assert ledger.created_at is not None


async def test_raw_sql_sees_what_the_session_has_pending(db: DatabaseManager) -> None:
    """Changes are flushed before each raw statement."""
    async with db.unit_of_work() as uow:
        uow.session.add(Ledger(name="pending", base_currency="EUR"))

        assert await uow.connection.fetchval("SELECT name FROM ledgers") == "pending"


# --- COMMIT tells the truth ----------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["connection", "session"])
async def test_commit_of_an_aborted_transaction_raises(db: DatabaseManager, way: str) -> None:
    """Whichever way the failed statement took."""
    with pytest.raises(TransactionAbortedError):
        async with db.unit_of_work() as uow:
            await uow.ledgers.create("lost", base_currency="EUR")
            with pytest.raises((FinanceError, sa_exc.DBAPIError)):
                if way == "connection":
                    await uow.connection.execute("SELECT 1 / 0")
                else:
                    await uow.session.execute(text("SELECT 1 / 0"))

    assert await names(db) == []


async def test_nothing_commits_by_itself_after_a_failed_flush(db: DatabaseManager) -> None:
    """SQLAlchemy rolls back then: a raw statement after that would be outside of any transaction."""
    await db.ledgers.create("taken", base_currency="EUR")

    with pytest.raises(TransactionAbortedError):
        async with db.unit_of_work() as uow:
            uow.session.add(Ledger(name="taken", base_currency="EUR"))
            with pytest.raises(sa_exc.IntegrityError):
                await uow.session.flush()
            await insert_raw(uow, "stray")

    assert await names(db) == ["taken"]


@pytest.mark.parametrize("kind", ["uow.savepoint", "connection.transaction"])
async def test_an_error_in_a_savepoint_may_be_swallowed(db: DatabaseManager, kind: str) -> None:
    """What was before it and after it is stored; the error is typed where it leaves the savepoint."""
    async with db.unit_of_work() as uow:
        await uow.ledgers.create("before", base_currency="EUR")
        with pytest.raises(AlreadyExistsError):
            async with uow.savepoint() if kind == "uow.savepoint" else uow.connection.transaction():
                await insert_raw(uow, "inside")
                await uow.session.execute(text("INSERT INTO ledgers (name, base_currency) VALUES ('before', 'EUR')"))
        await uow.ledgers.create("after", base_currency="EUR")

    assert await names(db) == ["before", "after"]


async def test_an_error_swallowed_inside_its_savepoint_is_told(db: DatabaseManager) -> None:
    """The savepoint is lost, and with it the transaction."""
    with pytest.raises(TransactionAbortedError):
        async with db.unit_of_work() as uow:
            await uow.ledgers.create("before", base_currency="EUR")
            with pytest.raises(TransactionAbortedError):
                async with uow.savepoint():
                    with pytest.raises(DatabaseError):
                        await uow.connection.execute("SELECT 1 / 0")

    assert await names(db) == []


async def test_a_failed_flush_in_a_savepoint_may_be_swallowed(db: DatabaseManager) -> None:
    """The session goes on with it."""
    async with db.unit_of_work() as uow:
        await uow.ledgers.create("taken", base_currency="EUR")
        with pytest.raises(AlreadyExistsError):
            async with uow.savepoint():
                uow.session.add(Ledger(name="taken", base_currency="EUR"))
        uow.session.add(Ledger(name="after", base_currency="EUR"))

    assert await names(db) == ["taken", "after"]


@pytest.mark.parametrize("statement", ["COMMIT", "ROLLBACK"])
async def test_a_typed_commit_or_rollback_is_told(db: DatabaseManager, statement: str) -> None:
    """The statements after it would commit by themselves, so they are refused."""
    with pytest.raises(UsageError, match="ended the transaction inside its block"):
        async with db.unit_of_work() as uow:
            await uow.connection.execute(statement)
            await insert_raw(uow, "stray")

    assert await names(db) == []


async def test_the_session_cannot_commit(db: DatabaseManager) -> None:
    """A commit in the middle of a block would not be the end of the unit of work."""
    with pytest.raises(UsageError, match=r"instead of session\.commit\(\)"):
        async with db.unit_of_work() as uow:
            await uow.ledgers.create("early", base_currency="EUR")
            await uow.session.commit()

    assert await names(db) == []


async def test_a_rollback_of_the_session_is_told(db: DatabaseManager) -> None:
    """Nothing goes on in a transaction that nobody asked for."""
    with pytest.raises(UsageError):
        async with db.unit_of_work() as uow:
            await uow.ledgers.create("gone", base_currency="EUR")
            await uow.session.rollback()
            await insert_raw(uow, "stray")

    assert await names(db) == []


async def test_a_lost_connection_at_commit_leaves_the_outcome_unknown(
    db: DatabaseManager, dsn: str, wire: Wire
) -> None:
    """It was stored here, and nobody could know."""
    async with DatabaseManager(wire.dsn(dsn.partition("?")[0].rpartition("/")[2])) as far:
        with pytest.raises(OutcomeUnknownError):
            async with far.unit_of_work() as uow:
                await uow.ledgers.create("stored", base_currency="EUR")
                wire.break_after = b"COMMIT"

    assert await names(db) == ["stored"]


@pytest.mark.parametrize("way", ["connection", "session", "none"])
async def test_a_backend_that_dies_before_commit_committed_nothing(db: DatabaseManager, way: str) -> None:
    """Whether raw SQL, the session or the end of the block meets it; the pool heals."""
    with pytest.raises(ConnectionLostError):
        async with db.unit_of_work() as uow:
            await uow.ledgers.create("lost", base_currency="EUR")
            backend = await uow.connection.fetchval("SELECT pg_backend_pid()")
            await db.execute("SELECT pg_terminate_backend($1)", backend)
            await asyncio.sleep(0.1)
            if way == "connection":
                await uow.connection.execute("SELECT 1")
            elif way == "session":
                await uow.session.execute(text("SELECT 1"))

    assert await names(db) == []


async def test_a_lost_connection_does_not_hide_the_callers_error(db: DatabaseManager) -> None:
    """There is nothing to roll back, and nothing more to say."""
    with pytest.raises(ChangedMindError):
        async with db.unit_of_work() as uow:
            backend = await uow.connection.fetchval("SELECT pg_backend_pid()")
            await db.execute("SELECT pg_terminate_backend($1)", backend)
            await asyncio.sleep(0.1)
            raise ChangedMindError


# --- one task, one block -------------------------------------------------------------------------------


PAIRS: dict[str, Callable[[UnitOfWork], list[Any]]] = {
    "raw": lambda uow: [uow.connection.fetch("SELECT pg_sleep(0.05)") for _ in range(2)],
    "session": lambda uow: [uow.session.execute(text("SELECT pg_sleep(0.05)")) for _ in range(2)],
    "mixed": lambda uow: [uow.session.execute(text("SELECT pg_sleep(0.05)")), uow.connection.fetch("SELECT 1")],
    "repositories": lambda uow: [uow.accounts.open(f"Assets:{n}", currency="EUR") for n in range(2)],
    "savepoints": lambda uow: [in_savepoint(uow) for _ in range(2)],
}


async def in_savepoint(uow: UnitOfWork) -> None:
    """Open an account, or not."""
    async with uow.savepoint():
        await uow.accounts.get_or_open("Assets:Cash", currency="EUR")


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
async def test_two_tasks_on_one_unit_of_work_are_told(dsn: str, pair: Callable[[UnitOfWork], list[Any]]) -> None:
    """Nothing of it is stored, and the pool stays whole."""
    async with DatabaseManager(dsn, max_size=1, acquire_timeout=1) as db:
        await db.ledgers.create("Household", base_currency="EUR")
        with pytest.raises(ConcurrentUseError):
            async with db.unit_of_work("Household") as uow:
                await asyncio.gather(*pair(uow))

        assert await db.fetchval("SELECT count(*) FROM accounts") == 0


async def test_everything_is_refused_after_the_block(db: DatabaseManager) -> None:
    """What was held from inside included."""
    await db.ledgers.create("Household", base_currency="EUR")
    async with db.unit_of_work("Household") as uow:
        accounts, journal, connection, session = uow.accounts, uow.journal, uow.connection, uow.session
        currencies, ledgers, statements, reports = uow.currencies, uow.ledgers, uow.statements, uow.reports

    for call in (
        accounts.get(1),
        accounts.open("Assets:Cash", currency="EUR"),
        accounts.balances(),
        journal.page(),
        journal.post(entry(1, 2, 3)),
        connection.fetch("SELECT 1"),
        currencies.get("EUR"),
        ledgers.get(1),
        statements.get(1),
        reports.trial_balance(),
        uow.rollback(),
        uow.savepoint().__aenter__(),
    ):
        with pytest.raises(ClosedError):
            await call
    with pytest.raises(ClosedError):
        uow.after_commit(print)
    with pytest.raises(sa_exc.InvalidRequestError):
        await session.execute(select(Account))


async def test_everything_is_refused_after_an_error(db: DatabaseManager) -> None:
    """However the block ended."""
    with pytest.raises(ChangedMindError):
        async with db.unit_of_work() as uow:
            ledgers, connection = uow.ledgers, uow.connection
            raise ChangedMindError

    for call in (ledgers.get(1), connection.fetch("SELECT 1")):
        with pytest.raises(ClosedError):
            await call


# --- for a ledger --------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["row", "id", "name"])
async def test_a_ledger_is_named_by_row_id_or_name(db: DatabaseManager, by: str) -> None:
    """All three mean the same."""
    ledger = await db.ledgers.create("Household", base_currency="EUR")

    names: dict[str, Ledger | int | str] = {"row": ledger, "id": ledger.id, "name": "Household"}

    async with db.unit_of_work(names[by]) as uow:
        assert uow.ledger_id == ledger.id


@pytest.mark.parametrize("unknown", ["Nobody", 999, -1, "", Ledger(name="Unsaved", base_currency="EUR")])
async def test_an_unknown_ledger_is_told_by_name(db: DatabaseManager, unknown: Ledger | int | str) -> None:
    """The error says how to make one; no connection stays behind."""
    with pytest.raises(LedgerNotFoundError, match="get_or_create") as caught:
        async with db.unit_of_work(unknown):
            pass

    assert caught.value.ledger == (unknown.name if isinstance(unknown, Ledger) else unknown)


@pytest.mark.parametrize("repository", ["accounts", "currencies", "journal", "statements", "reports", "ledger_id"])
async def test_without_a_ledger_there_are_no_books(db: DatabaseManager, repository: str) -> None:
    """The error says how to open a unit of work that has them."""
    async with db.unit_of_work() as uow:
        with pytest.raises(UsageError, match=r"unit_of_work\(ledger=\.\.\.\)"):
            getattr(uow, repository)


async def test_read_only_is_enforced_by_the_server(db: DatabaseManager) -> None:
    """Whichever way a write takes; the next user may write again."""
    for way in ("repository", "raw"):
        with pytest.raises(ReadOnlyTransactionError):
            async with db.unit_of_work(read_only=True) as uow:
                await (uow.ledgers.create("no", base_currency="EUR") if way == "repository" else insert_raw(uow, "no"))

    await db.ledgers.create("yes", base_currency="EUR")


@pytest.mark.parametrize("isolation", ["read_committed", "repeatable_read", "serializable"])
async def test_the_isolation_level_is_set_and_gone_for_the_next(dsn: str, isolation: str) -> None:
    """On both ways to the one connection."""
    async with DatabaseManager(dsn, max_size=1) as db:
        async with db.unit_of_work(isolation=isolation) as uow:  # type: ignore[arg-type]
            shown = await uow.session.scalar(text("SHOW transaction_isolation"))
            assert shown == await uow.connection.fetchval("SHOW transaction_isolation") == isolation.replace("_", " ")

        async with db.unit_of_work() as uow:
            assert await uow.connection.fetchval("SHOW transaction_isolation") == "read committed"
            assert await uow.connection.fetchval("SHOW transaction_read_only") == "off"
        async with db.transaction() as conn:
            assert await conn.fetchval("SHOW transaction_isolation") == "read committed"


# --- after the commit ----------------------------------------------------------------------------------


async def test_callbacks_run_after_the_commit(dsn: str) -> None:
    """They see what was stored, and have the connection's place in the pool."""
    seen = []

    async with DatabaseManager(dsn, max_size=1, acquire_timeout=1) as db:

        async def look() -> None:
            seen.append(await names(db))

        async with db.unit_of_work() as uow:
            await uow.ledgers.create("stored", base_currency="EUR")
            uow.after_commit(lambda: seen.append(["plain"]))
            uow.after_commit(look)
            assert seen == []

    assert seen == [["plain"], ["stored"]]


@pytest.mark.parametrize("end", ["error", "rollback", "aborted"])
async def test_callbacks_do_not_run_after_a_rollback(db: DatabaseManager, end: str) -> None:
    """Whatever ended the transaction."""
    seen: list[str] = []
    with pytest.raises((ChangedMindError, TransactionAbortedError)):
        async with db.unit_of_work() as uow:
            uow.after_commit(lambda: seen.append("called"))
            if end == "rollback":
                await uow.rollback()
            elif end == "aborted":
                with pytest.raises(DatabaseError):
                    await uow.connection.execute("SELECT 1 / 0")
            else:
                raise ChangedMindError
        if end == "rollback":
            raise ChangedMindError

    assert seen == []


async def test_callbacks_that_fail_neither_stop_the_others_nor_undo_the_commit(db: DatabaseManager) -> None:
    """All of what they raised leaves the block together."""
    seen: list[str] = []

    def fail() -> None:
        raise ChangedMindError

    with pytest.raises(ExceptionGroup, match="the transaction is committed") as caught:
        async with db.unit_of_work() as uow:
            await uow.ledgers.create("stored", base_currency="EUR")
            uow.after_commit(fail)
            uow.after_commit(lambda: seen.append("called"))
            uow.after_commit(fail)

    assert [type(error) for error in caught.value.exceptions] == [ChangedMindError, ChangedMindError]
    assert seen == ["called"]
    assert await names(db) == ["stored"]


# --- the schema ----------------------------------------------------------------------------------------


SCHEMAS = {
    "missing": (None, SchemaMissingError, "alembic upgrade head"),
    "behind": ("0000", SchemaBehindError, "0000, behind this code's"),
    "ahead": ("9999", SchemaAheadError, "9999, which this code .* does not know"),
}


@pytest.mark.parametrize(("revision", "error", "text"), SCHEMAS.values(), ids=SCHEMAS)
async def test_another_revision_of_the_schema_is_told(
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    revision: str | None,
    error: type[FinanceError],
    text: str,
) -> None:
    """It names both revisions and the remedy, on every way to the books, before anything is written."""
    monkeypatch.setattr("finance.migrations.is_known", lambda revision: revision == "0000")
    async with server.copy("template0") as dsn, DatabaseManager(dsn) as db:
        if revision is not None:
            await db.execute(f"CREATE TABLE finance_version AS SELECT '{revision}' AS version_num")

        for call in (db.unit_of_work().__aenter__(), db.ledgers.create("no", base_currency="EUR"), db.verify(1)):
            with pytest.raises(error, match=text) as caught:
                await call

        assert caught.value.database_revision == revision  # type: ignore[attr-defined]
        assert await db.fetchval("SELECT to_regclass('ledgers')") is None


# --- run -----------------------------------------------------------------------------------------------


async def test_run_returns_what_the_function_returned_after_the_commit(db: DatabaseManager) -> None:
    """The function gets a unit of work for the ledger."""
    ledger = await db.ledgers.create("Household", base_currency="EUR")

    async def work(uow: UnitOfWork) -> int:
        await uow.accounts.open("Assets:Cash", currency="EUR")
        return uow.ledger_id

    assert await db.run(work, ledger="Household") == ledger.id
    assert await db.fetchval("SELECT count(*) FROM accounts") == 1


class Failing:
    """Fails as often as it is told to, then returns how often it was called."""

    def __init__(self, error: Exception, times: int) -> None:
        self.error, self.times, self.calls = error, times, 0

    async def __call__(self, uow: UnitOfWork) -> int:
        """Write something, and fail or not."""
        self.calls += 1
        await uow.ledgers.create(f"attempt {self.calls}", base_currency="EUR")
        if self.calls <= self.times:
            raise self.error
        return self.calls


@pytest.mark.parametrize("error", [SerializationError(), DeadlockError(), LockTimeoutError(), ConnectionLostError()])
async def test_run_tries_again_after_what_passes(db: DatabaseManager, error: Exception) -> None:
    """Each attempt has a unit of work of its own; of the failed ones nothing is stored."""
    assert await db.run(Failing(error, times=2)) == 3

    assert await names(db) == ["attempt 3"]


@pytest.mark.parametrize(
    "error", [OutcomeUnknownError(), InvalidError("no"), ValueError("no"), asyncio.CancelledError()]
)
async def test_run_does_not_try_again_after_the_rest(db: DatabaseManager, error: Exception) -> None:
    """Least of all where the first attempt may have been stored."""
    work = Failing(error, times=2)
    with pytest.raises(type(error)) as caught:
        await db.run(work)

    assert caught.value is error
    assert work.calls == 1


async def test_run_gives_up_after_its_attempts(db: DatabaseManager) -> None:
    """The last error is told."""
    work = Failing(DeadlockError(), times=9)
    with pytest.raises(DeadlockError):
        await db.run(work, retry=Retry(attempts=3))

    assert work.calls == 3
    with pytest.raises(InvalidError, match="give at least 1"):
        await db.run(work, retry=Retry(attempts=0))


async def test_run_survives_a_real_deadlock(db: DatabaseManager) -> None:
    """Two that lock the same accounts in opposite orders both get through."""
    await db.ledgers.create("Household", base_currency="EUR")
    async with db.unit_of_work("Household") as uow:
        books = await open_books(uow)
    met = asyncio.Barrier(2)
    calls = 0

    async def lock(uow: UnitOfWork, first: Account, second: Account) -> None:
        nonlocal calls
        calls += 1
        await uow.connection.execute("SET LOCAL deadlock_timeout = '20ms'")
        await uow.accounts.get(first.id, for_update=True)
        if calls <= 2:
            await met.wait()
        await uow.accounts.get(second.id, for_update=True)

    await asyncio.gather(
        db.run(lambda uow: lock(uow, books.checking, books.food), ledger="Household"),
        db.run(lambda uow: lock(uow, books.food, books.checking), ledger="Household"),
    )

    assert calls == 3


async def test_run_survives_serialization_failures(db: DatabaseManager) -> None:
    """Everybody's posting is stored once, whoever had to try again."""
    await db.ledgers.create("Household", base_currency="EUR")
    async with db.unit_of_work("Household") as uow:
        books = await open_books(uow)

    async def earn(uow: UnitOfWork) -> None:
        await uow.accounts.balances()
        lines = [NewPosting(books.checking, 1), NewPosting(books.salary, -1)]
        await uow.journal.post(NewEntry(TODAY, "Salary", lines))

    await asyncio.gather(
        *(db.run(earn, ledger="Household", isolation="serializable", retry=Retry(attempts=50)) for _ in range(6))
    )

    assert await db.fetchval("SELECT balance FROM accounts WHERE id = $1", books.checking.id) == 6


async def test_a_ledger_is_made_in_the_same_transaction(db: DatabaseManager) -> None:
    """With a base currency a ledger that is not there is made; what fails afterwards leaves no trace of it."""
    with pytest.raises(ValueError, match="too early"):
        async with db.unit_of_work("New", base_currency="EUR") as uow:
            await uow.accounts.open("Assets:Cash", currency="EUR")
            raise ValueError("too early")
    assert await db.ledgers.get_by_name("New") is None

    async with db.unit_of_work("New", base_currency="EUR") as uow:
        await uow.accounts.open("Assets:Cash", currency="EUR")

    async with db.unit_of_work("New", base_currency="USD") as uow:
        ledger = await uow.ledgers.get_one(uow.ledger_id)
    assert ledger.base_currency == "EUR"


async def test_callbacks_of_an_undone_savepoint_are_dropped(db: DatabaseManager) -> None:
    """What was undone is not acted upon after the commit of the rest."""
    called: list[str] = []
    async with db.unit_of_work() as uow:
        uow.after_commit(lambda: called.append("outer"))
        with contextlib.suppress(ValueError):
            async with uow.savepoint():
                uow.after_commit(lambda: called.append("inner"))
                raise ValueError
        async with uow.savepoint():
            uow.after_commit(lambda: called.append("kept"))

    assert called == ["outer", "kept"]


@pytest.mark.direct("nothing is prepared there")
async def test_run_survives_a_change_of_the_schema(dsn: str) -> None:
    """Every connection has a statement that the change outdated; the second attempt meets none of them."""
    async with DatabaseManager(dsn, min_size=4, max_size=4) as db:
        await db.execute("CREATE TABLE changing (n int); INSERT INTO changing VALUES (1)")
        calls = 0

        async def read(uow: UnitOfWork) -> list[Any]:
            nonlocal calls
            calls += 1
            return await uow.connection.fetch("SELECT * FROM changing")

        async def read_at_once() -> None:
            async with contextlib.AsyncExitStack() as stack:
                for uow in [await stack.enter_async_context(db.unit_of_work()) for _ in range(4)]:
                    await read(uow)

        await read_at_once()
        await db.execute("ALTER TABLE changing ADD COLUMN m int")

        assert [dict(row) for row in await db.run(read)] == [{"n": 1, "m": None}]
        assert calls == 4 + 2
        await read_at_once()
        await db.execute("DROP TABLE changing")
