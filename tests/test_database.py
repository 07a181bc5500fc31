"""The manager and its pool: connecting, single statements, sessions that start as good as new, healing."""

from __future__ import annotations

import asyncio
import copy
import gc
import json
import pickle
import random
import shutil
import time
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import JSON, literal, select, text
from sqlalchemy.dialects.postgresql import JSONB

from finance import DatabaseManager
from finance.database import pool as pool_module
from finance.errors import (
    AuthenticationError,
    ConfigurationError,
    ConnectionLostError,
    DatabaseError,
    FinanceError,
    InvalidError,
    NotConfiguredError,
    NotConnectedError,
    OutcomeUnknownError,
    PoolTimeoutError,
    QueryTimeoutError,
    ServerUnreachableError,
    TooManyConnectionsError,
    UnavailableError,
    UsageError,
)
from tests.conftest import Server
from tests.factories import open_books
from tests.network import Wire, database_of
from tests.waiting import PATIENCE, until, until_left

SECRET = "hunter2"


@pytest_asyncio.fixture
async def one(common_dsn: str) -> AsyncIterator[DatabaseManager]:
    """A manager with a single connection, so that whoever comes next gets the same one."""
    async with DatabaseManager(common_dsn, max_size=1) as manager:
        yield manager


@pytest_asyncio.fixture
async def two(common_dsn: str) -> AsyncIterator[DatabaseManager]:
    """A manager with two connections."""
    async with DatabaseManager(common_dsn, max_size=2) as manager:
        yield manager


def pid(db: DatabaseManager) -> Any:
    """Ask for the process id of the backend that serves the next statement."""
    return db.fetchval("SELECT pg_backend_pid()")


async def kill(db: DatabaseManager, backend: int) -> None:
    """End a backend, and give the loop the time to hear of it."""
    await db.execute("SELECT pg_terminate_backend($1)", backend)
    await asyncio.sleep(0.1)


def whole_text(error: BaseException) -> str:
    """Everything that a log would show of *error*."""
    return "".join(traceback.format_exception(error)) + repr(error)


# --- the original usage ------------------------------------------------------------------------------


async def test_the_original_usage_works_verbatim(db: DatabaseManager) -> None:
    """Who used the first version of the library keeps their lines."""
    books = await db.ledgers.create("Household", base_currency="EUR")
    async with db.unit_of_work(books) as uow:
        await open_books(uow)

    rows = await db.fetch("SELECT * FROM accounts")
    async with db.transaction() as conn:
        await conn.execute("UPDATE accounts SET balance = balance + $1 WHERE id = $2", 100.00, 1)

    assert [row["name"] for row in rows] == ["Assets:Checking", "Expenses:Food", "Income:Salary"]
    assert await db.fetchval("SELECT balance FROM accounts WHERE id = 1") == Decimal(100)


# --- single statements -------------------------------------------------------------------------------


async def test_fetch_returns_every_row(one: DatabaseManager) -> None:
    """Rows come as asyncpg's records."""
    rows = await one.fetch("SELECT n, n * 2 AS twice FROM generate_series(1, $1) AS n", 3)

    assert [(row["n"], row["twice"]) for row in rows] == [(1, 2), (2, 4), (3, 6)]


async def test_fetchrow_returns_the_first_row_or_none(one: DatabaseManager) -> None:
    """A query without rows is not an error."""
    row = await one.fetchrow("SELECT 1 AS a, 2 AS b")

    assert row is not None
    assert dict(row) == {"a": 1, "b": 2}
    assert await one.fetchrow("SELECT 1 WHERE false") is None


async def test_fetchval_returns_a_column_of_the_first_row_or_none(one: DatabaseManager) -> None:
    """The column is the first unless it is named."""
    assert await one.fetchval("SELECT 1, 2") == 1
    assert await one.fetchval("SELECT 1, 2", column=1) == 2
    assert await one.fetchval("SELECT 1 WHERE false") is None


async def test_execute_returns_the_command_tag(one: DatabaseManager) -> None:
    """With values it is one statement, without it may be several."""
    tag = await one.execute("CREATE TEMP TABLE t (n int); INSERT INTO t SELECT generate_series(1, 3)")

    assert tag == "INSERT 0 3"
    assert await one.execute("SELECT $1::int", 1) == "SELECT 1"


async def test_ping_tells_that_the_server_answers(one: DatabaseManager) -> None:
    """A sign of life is no result."""
    await one.ping()


async def test_a_refused_statement_is_typed_and_quotes_no_value(one: DatabaseManager) -> None:
    """What was bound stays out of the log."""
    with pytest.raises(DatabaseError, match="42P01") as caught:
        await one.fetch("SELECT * FROM no_such_table WHERE secret = $1", SECRET)

    assert caught.value.sqlstate == "42P01"
    assert SECRET not in str(caught.value)


async def test_a_value_of_the_wrong_type_is_invalid(one: DatabaseManager) -> None:
    """The driver refuses it before anything is sent."""
    with pytest.raises(InvalidError):
        await one.fetchval("SELECT $1::int", "twelve")


async def test_a_statement_stops_at_its_time_limit(one: DatabaseManager) -> None:
    """The connection is used again afterwards."""
    before = await pid(one)

    with pytest.raises(QueryTimeoutError):
        await one.fetch("SELECT pg_sleep(5)", timeout=0.1)

    assert await pid(one) == before


async def test_command_timeout_is_the_limit_of_every_statement(common_dsn: str) -> None:
    """It holds where a statement names none of its own."""
    async with DatabaseManager(common_dsn, command_timeout=0.1) as db:
        with pytest.raises(QueryTimeoutError):
            await db.execute("SELECT pg_sleep(5)")


# --- the manager's life ------------------------------------------------------------------------------


CALLS: dict[str, Callable[[DatabaseManager], Any]] = {
    "fetch": lambda db: db.fetch("SELECT 1"),
    "execute": lambda db: db.execute("SELECT 1"),
    "ping": lambda db: db.ping(),
    "transaction": lambda db: db.transaction().__aenter__(),
    "unit_of_work": lambda db: db.unit_of_work().__aenter__(),
    "run": lambda db: db.run(lambda uow: uow.ledgers.get(1)),
    "ledgers": lambda db: db.ledgers.get(1),
    "current": lambda db: db.migrations.current(),
    "upgrade": lambda db: db.migrations.upgrade(),
    "verify": lambda db: db.verify(1),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_use_before_connect_says_what_to_do(call: Callable[[DatabaseManager], Any]) -> None:
    """Nothing connects in silence."""
    with pytest.raises(NotConnectedError, match=r"await db\.connect\(\)") as caught:
        await call(DatabaseManager("postgresql://nowhere/db"))

    assert not caught.value.disconnected


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_use_after_disconnect_is_refused(common_dsn: str, call: Callable[[DatabaseManager], Any]) -> None:
    """The error says that there was a connection."""
    async with DatabaseManager(common_dsn) as db:
        pass

    with pytest.raises(NotConnectedError, match="was disconnected") as caught:
        await call(db)

    assert caught.value.disconnected


async def test_connecting_twice_is_connecting_once(one: DatabaseManager) -> None:
    """The pool stays the same."""
    before = await pid(one)
    await one.connect()

    assert await pid(one) == before


@pytest.mark.direct("it counts the server's own connections")
async def test_connecting_at_the_same_time_is_connecting_once(common_dsn: str) -> None:
    """The first opens the pool, the others wait for it."""
    db = DatabaseManager(common_dsn, application_name="at-once", min_size=2)
    await asyncio.gather(*(db.connect() for _ in range(5)))

    counted = await db.fetchval("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'at-once'")

    await db.disconnect()
    assert counted == 2


async def test_a_manager_connects_again_after_disconnect(common_dsn: str) -> None:
    """Disconnecting twice, or without connecting, does nothing."""
    db = DatabaseManager(common_dsn)
    await db.disconnect()
    for _ in range(2):
        await db.connect()
        assert await db.fetchval("SELECT 1") == 1
        await db.disconnect()
        await db.disconnect()


async def test_the_revision_is_looked_at_again_after_reconnecting(
    common_dsn: str, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment may name another database by then."""
    monkeypatch.setenv("FINANCE_DATABASE_URL", common_dsn)
    async with DatabaseManager() as db:
        await db.ledgers.get(1)
    monkeypatch.setenv("FINANCE_DATABASE_URL", server.dsn("postgres"))

    async with db:
        with pytest.raises(FinanceError, match="no finance schema"):
            await db.ledgers.get(1)


@pytest.mark.direct("it counts the server's own connections")
async def test_min_size_connections_are_open_at_once(common_dsn: str) -> None:
    """The first users do not wait for a connection to be made."""
    async with DatabaseManager(common_dsn, min_size=3, application_name="warm") as db:
        counted = await db.fetchval("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'warm'")

    assert counted == 3


async def test_disconnect_closes_every_connection(common_dsn: str, one: DatabaseManager) -> None:
    """The server has none of them afterwards."""
    async with DatabaseManager(common_dsn, min_size=3, application_name="gone"):
        pass

    await until_left(one, "gone")


async def test_disconnect_waits_for_those_at_work(common_dsn: str) -> None:
    """A statement that is under way ends as it would have."""
    db = DatabaseManager(common_dsn)
    await db.connect()
    working = asyncio.create_task(db.fetchval("SELECT 1 FROM pg_sleep(0.3)"))
    await asyncio.sleep(0.1)

    await db.disconnect()

    assert working.done()
    assert await working == 1


@pytest.mark.direct("it counts the server's own connections")
async def test_disconnect_takes_the_connection_from_those_who_stay(common_dsn: str, one: DatabaseManager) -> None:
    """After its time limit nobody keeps a connection; what was not committed is rolled back."""
    db = DatabaseManager(common_dsn, application_name="stays", max_size=1)
    await db.connect()

    async def stay() -> None:
        async with db.transaction() as conn:
            await conn.execute("SELECT pg_sleep(60)")

    staying = asyncio.create_task(stay())
    waiting = asyncio.create_task(db.fetch("SELECT 1"))
    await asyncio.sleep(0.1)
    started = time.monotonic()

    await db.disconnect(timeout=0.2)

    assert time.monotonic() - started < PATIENCE
    for task in (staying, waiting):
        with pytest.raises(NotConnectedError):
            await task
    await until_left(one, "stays")


async def test_a_disconnect_that_is_cancelled_closes_all_the_same(common_dsn: str, one: DatabaseManager) -> None:
    """Whoever has no more time to wait takes the connections at once."""
    db = DatabaseManager(common_dsn, application_name="impatient")
    await db.connect()

    async def stay() -> None:
        async with db.transaction():
            leaving = asyncio.create_task(db.disconnect())
            await asyncio.sleep(0.05)
            leaving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await leaving

    with pytest.raises(ConnectionLostError):
        await stay()

    await until_left(one, "impatient")
    with pytest.raises(NotConnectedError):
        await db.ping()


async def test_a_connect_that_is_cancelled_leaves_nothing(wire: Wire) -> None:
    """The manager is not connected, and can be asked to connect again."""
    wire.freeze()
    db = DatabaseManager(wire.dsn("postgres"))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await db.connect()

    with pytest.raises(NotConnectedError):
        await db.ping()


async def test_a_manager_belongs_to_its_event_loop(common_dsn: str) -> None:
    """Another loop is told so, and may connect once the first one has ended."""
    db = DatabaseManager(common_dsn)

    async def connect() -> None:
        await db.connect()
        await db.fetchval("SELECT 1")

    await db.connect()
    with pytest.raises(UsageError, match="event loop"):
        await asyncio.to_thread(asyncio.run, connect())
    await db.disconnect()


@pytest.mark.direct("it counts the server's own connections")
async def test_a_manager_survives_the_end_of_its_event_loop(common_dsn: str) -> None:
    """A script that runs `asyncio.run()` twice connects twice."""
    db = DatabaseManager(common_dsn)
    answers = []

    async def use() -> None:
        await db.connect()
        answers.append(await db.fetchval("SELECT 1"))

    def run_twice() -> None:
        asyncio.run(use())
        asyncio.run(use())
        asyncio.run(db.disconnect())
        gc.collect()

    await asyncio.to_thread(run_twice)

    assert answers == [1, 1]


@pytest.fixture
def embedded(reachable_tmp: Path) -> Iterator[tuple[DatabaseManager, Path]]:
    """A manager of an embedded server, and the file that is there while it runs."""
    folder = reachable_tmp / "lease"
    yield DatabaseManager("embedded", data_dir=folder), folder / "postgresql-18" / "data" / "postmaster.pid"
    shutil.rmtree(folder, ignore_errors=True)


async def test_the_embedded_server_runs_while_somebody_is_connected(embedded: tuple[DatabaseManager, Path]) -> None:
    """The last to leave stops it."""
    db, running = embedded
    async with db:
        await db.migrations.upgrade()
        assert running.exists()

    assert not running.exists()


async def test_a_failed_connect_gives_the_embedded_server_back(embedded: tuple[DatabaseManager, Path]) -> None:
    """Nobody is left who would stop it."""
    db, running = embedded
    seen = []

    def fail(_connection: object) -> None:
        seen.append(running.exists())
        raise LookupError

    with pytest.raises(LookupError):
        await DatabaseManager("embedded", data_dir=running.parents[2], init=fail).connect()

    assert seen == [True]
    assert not running.exists()
    with pytest.raises(NotConnectedError):
        await db.ping()


async def test_an_unknown_option_is_refused_by_name() -> None:
    """A mistyped word is not swallowed."""
    with pytest.raises(ConfigurationError, match="there is no option max_sise; did you mean max_size"):
        DatabaseManager("postgresql://localhost/db", max_sise=3)


async def test_a_manager_shows_no_password() -> None:
    """Neither its repr nor an attempt to pickle or copy it has one."""
    db = DatabaseManager(f"postgresql://me:{SECRET}@localhost/db", password=SECRET)

    assert SECRET not in repr(db)
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="make one in the new process") as caught:
            attempt(db)
        assert SECRET not in whole_text(caught.value)


# --- hooks -------------------------------------------------------------------------------------------


async def test_init_sees_each_new_connection_once(common_dsn: str) -> None:
    """It may be a coroutine function or not."""
    seen: list[asyncpg.Connection[Any]] = []

    async with DatabaseManager(common_dsn, max_size=1, init=seen.append) as db:
        await db.fetch("SELECT 1")
        await db.fetch("SELECT 1")

    assert len(seen) == 1


async def test_json_is_text_on_every_connection(common_dsn: str) -> None:
    """Raw SQL reads the same before SQLAlchemy used the connection and afterwards; JSON columns are decoded."""
    query = """SELECT '{"a": 0.1}'::jsonb, '[1]'::json, $1::jsonb"""
    async with DatabaseManager(common_dsn, max_size=1) as db:
        before = await db.fetchrow(query, '{"b": 1}')
        async with db.engine.connect() as connection:
            columns = literal({"a": 0.1}, JSONB), literal([1], JSON)
            decoded = (await connection.execute(select(*columns))).one()
        after = await db.fetchrow(query, '{"b": 1}')

    assert before is not None
    assert tuple(before) == ('{"a": 0.1}', "[1]", '{"b": 1}')
    assert before == after
    assert tuple(decoded) == ({"a": 0.1}, [1])


async def test_a_codec_for_json_is_refused(common_dsn: str) -> None:
    """SQLAlchemy and the books' own statements would write text in quotes; other types take one."""

    async def init(connection: asyncpg.Connection[Any]) -> None:
        await connection.set_type_codec("interval", schema="pg_catalog", encoder=str, decoder=str)
        if wants_json:
            await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)

    wants_json = False
    async with DatabaseManager(common_dsn, max_size=1, init=init) as db:
        assert await db.fetchval("SELECT interval '1 day'") == "1 day"
    wants_json = True
    with pytest.raises(UsageError, match=r"jsonb is text .* json\.loads"):
        await DatabaseManager(common_dsn, init=init).connect()


async def test_setup_prepares_each_loan_outside_a_transaction(common_dsn: str) -> None:
    """What it sets holds for one user, on every way to a connection."""
    states = []

    async def setup(connection: asyncpg.Connection[Any]) -> None:
        states.append(connection.is_in_transaction())
        await connection.execute("SET work_mem = '5MB'")

    async with DatabaseManager(common_dsn, max_size=1, min_size=0, setup=setup) as db:
        assert await db.fetchval("SHOW work_mem") == "5MB"
        async with db.transaction() as conn:
            assert await conn.fetchval("SHOW work_mem") == "5MB"
        await db.migrations.require_head()
        async with db.unit_of_work() as uow:
            assert await uow.connection.fetchval("SHOW work_mem") == "5MB"

    assert states == [False] * 4


@pytest.mark.direct("it counts the server's own connections")
@pytest.mark.parametrize("hook", ["init", "setup"])
@pytest.mark.parametrize("error", [ValueError, OSError, LookupError])
async def test_an_error_of_a_hook_passes_unchanged(
    common_dsn: str, one: DatabaseManager, hook: str, error: type[Exception]
) -> None:
    """It is the user's own; the connection is closed, and its place in the pool is free again."""
    failures = [error("mine")]

    def fail(_connection: object) -> None:
        if failures:
            raise failures[0]

    options: dict[str, Any] = {hook: fail, "application_name": "hooked"}
    async with DatabaseManager(common_dsn, min_size=0, max_size=1, acquire_timeout=1, **options) as db:
        for way in (db.fetchval("SELECT 1"), db.transaction().__aenter__()):
            with pytest.raises(error, match="mine") as caught:
                await way
            assert caught.value is failures[0]
        failures.clear()
        assert await db.fetchval("SELECT 1") == 1
        await until_left(one, "hooked", 1)


@pytest.mark.parametrize("hook", ["init", "setup"])
async def test_a_statement_that_fails_in_a_hook_is_typed(common_dsn: str, hook: str) -> None:
    """It is the database's error, like any other."""
    options: dict[str, Any] = {hook: lambda connection: connection.execute("SELECT nonsense")}
    with pytest.raises(DatabaseError, match="42703"):
        async with DatabaseManager(common_dsn, **options) as db:
            await db.ping()


# --- sessions as good as new ---------------------------------------------------------------------------


TRACES = {
    "SET": ("SET work_mem = '7MB'", "SELECT current_setting('work_mem') = '7MB'"),
    "SET search_path": ("SET search_path = pg_catalog", "SELECT current_setting('search_path') = 'pg_catalog'"),
    "set_config in a function": (
        """CREATE OR REPLACE FUNCTION pg_temp.f() RETURNS text LANGUAGE plpgsql
           AS $$ BEGIN RETURN set_config('books.owner', 'me', false); END $$; SELECT pg_temp.f()""",
        "SELECT coalesce(current_setting('books.owner', true), '') <> ''",
    ),
    "SET ROLE": ("SET ROLE pg_monitor", "SELECT current_user = 'pg_monitor'"),
    "SET SESSION AUTHORIZATION": ("SET SESSION AUTHORIZATION pg_monitor", "SELECT session_user = 'pg_monitor'"),
    "temporary table": ("CREATE TEMP TABLE mine (n int)", "SELECT to_regclass('pg_temp.mine') IS NOT NULL"),
    "advisory lock": ("SELECT pg_advisory_lock(7)", "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory')"),
    "LISTEN": ("LISTEN news", "SELECT EXISTS (SELECT pg_listening_channels())"),
    "cursor WITH HOLD": (
        "DECLARE mine CURSOR WITH HOLD FOR SELECT 1",
        "SELECT EXISTS (SELECT FROM pg_cursors WHERE name = 'mine')",
    ),
    "default isolation": (
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
        "SELECT current_setting('default_transaction_read_only')::bool",
    ),
}


@pytest.mark.direct("the session is PgBouncer's")
@pytest.mark.parametrize(("trace", "is_left"), TRACES.values(), ids=TRACES)
@pytest.mark.parametrize("way", ["execute", "transaction", "unit_of_work"])
async def test_nothing_of_one_session_reaches_the_next_user(
    one: DatabaseManager, way: str, trace: str, is_left: str
) -> None:
    """Whatever one user set, the next finds the session as good as new."""
    if way == "execute":
        await one.execute(trace)
    elif way == "transaction":
        async with one.transaction() as conn:
            await conn.execute(trace)
    else:
        async with one.unit_of_work() as uow:
            await uow.connection.execute(trace)

    assert not await one.fetchval(is_left)


@pytest.mark.direct("the session is PgBouncer's")
async def test_currval_of_one_user_is_not_defined_for_the_next(one: DatabaseManager) -> None:
    """A sequence's last value is of the session, too."""
    await one.execute("CREATE SEQUENCE IF NOT EXISTS numbers")
    await one.fetchval("SELECT nextval('numbers')")

    with pytest.raises(DatabaseError, match="55000"):
        await one.fetchval("SELECT currval('numbers')")


async def test_the_reset_keeps_the_connection(one: DatabaseManager) -> None:
    """It costs a round trip, not a reconnection."""
    before = await pid(one)
    async with one.transaction() as conn:
        await conn.execute("SET work_mem = '7MB'")

    assert await pid(one) == before


@pytest.mark.direct("the session is PgBouncer's")
async def test_a_session_that_cannot_be_reset_is_closed(one: DatabaseManager, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next user gets a new one."""
    before = await pid(one)
    with monkeypatch.context() as patch:
        patch.setattr("finance.connection.driver._RESET", "SELECT nonsense")
        await one.fetchval("SELECT 1")
        await asyncio.sleep(0.05)

    async with one.engine.connect() as connection:
        assert await connection.scalar(text("SELECT pg_backend_pid()")) != before


@pytest.mark.direct("the session is PgBouncer's")
async def test_a_begin_outside_a_transaction_block_is_told_and_rolled_back(one: DatabaseManager) -> None:
    """It would have held the next user's statements."""
    await one.execute("CREATE TABLE IF NOT EXISTS begun (n int)")

    with pytest.raises(UsageError, match="BEGIN outside a transaction block was rolled back"):
        await one.execute("BEGIN; INSERT INTO begun VALUES (1)")

    assert await one.fetchval("SELECT count(*) FROM begun") == 0


@pytest.mark.direct("the session is PgBouncer's")
async def test_a_begin_that_was_cancelled_too_late_does_not_reach_the_next_user(
    one: DatabaseManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection is closed, since the driver learns of the transaction only in the reset."""

    async def lost(**_arguments: object) -> None:
        """Stand for a CancelRequest that comes too late."""

    monkeypatch.setattr("asyncpg.connect_utils._cancel", lost)
    task = asyncio.create_task(one.execute("BEGIN; SELECT pg_sleep(0.2)"))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0.3)

    assert await one.execute("CREATE TABLE IF NOT EXISTS late (n int)") == "CREATE TABLE"


# --- where connections come from -----------------------------------------------------------------------


FORMS = {
    "postgres": "postgres://finance@127.0.0.1:{port}/{db}",
    "sqlalchemy": "postgresql+asyncpg://finance@127.0.0.1:{port}/{db}",
    "no tls": "postgresql://finance@127.0.0.1:{port}/{db}?sslmode=disable",
    "channel binding": "postgresql://finance@127.0.0.1:{port}/{db}?sslmode=prefer&channel_binding=prefer",
    "conninfo": "host=127.0.0.1 port={port} user=finance dbname={db}",
    "a dead host first": "postgresql://finance@127.0.0.1:1,127.0.0.1:{port}/{db}?target_session_attrs=read-write",
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
async def test_every_form_of_a_dsn_connects(wire: Wire, common_dsn: str, form: str) -> None:
    """What hosting companies hand out is taken as it is."""
    async with DatabaseManager(form.format(port=wire.port, db=database_of(common_dsn))) as db:
        assert await db.fetchval("SELECT current_database()") == database_of(common_dsn)


async def test_settings_of_the_dsn_reach_the_server(wire: Wire, common_dsn: str) -> None:
    """The name is seen in pg_stat_activity, the search path holds for every user."""
    dsn = wire.dsn(database_of(common_dsn), "?application_name=books&options=-csearch_path%3Dpg_temp,public")

    async with DatabaseManager(dsn, max_size=1) as db:
        await db.execute("SET search_path = pg_catalog")
        row = await db.fetchrow(
            "SELECT application_name, current_setting('search_path') AS path"
            " FROM pg_stat_activity WHERE pid = pg_backend_pid()"
        )

    assert row is not None
    assert dict(row) == {"application_name": "books", "path": "pg_temp,public"}


async def test_the_pg_variables_name_the_database(wire: Wire, common_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are read at connect(), not at import."""
    db = DatabaseManager()
    values = {"HOST": "127.0.0.1", "PORT": str(wire.port), "USER": "finance", "DATABASE": database_of(common_dsn)}
    for name, value in values.items():
        monkeypatch.setenv(f"PG{name}", value)

    async with db:
        assert await db.fetchval("SELECT current_database()") == database_of(common_dsn)


async def test_a_service_file_names_the_database(
    wire: Wire, common_dsn: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PGSERVICE chooses a section of it."""
    file = tmp_path / "pg_service.conf"
    file.write_text(f"[books]\nhost=127.0.0.1\nport={wire.port}\nuser=finance\ndbname={database_of(common_dsn)}\n")
    monkeypatch.setenv("PGSERVICEFILE", str(file))
    monkeypatch.setenv("PGSERVICE", "books")

    async with DatabaseManager() as db:
        assert await db.fetchval("SELECT current_database()") == database_of(common_dsn)


# --- when there is no way to connect -------------------------------------------------------------------


async def test_no_configuration_at_all_names_the_ways() -> None:
    """A missing variable must not put the books into a hidden server."""
    with pytest.raises(NotConfiguredError, match="FINANCE_DATABASE_URL"):
        await DatabaseManager().connect()


UNREACHABLE = {
    "refused": ("127.0.0.1:1", "connection refused"),
    "refused on both protocols": ("localhost:1", "connection refused"),
    "unknown host": ("no-such-host.invalid", "not known"),
    "no socket": ("%2Fno%2Fsuch%2Ffolder", "no such file or directory"),
}


@pytest.mark.parametrize(("host", "reason"), UNREACHABLE.values(), ids=UNREACHABLE)
async def test_an_unreachable_server_is_told_with_its_address(host: str, reason: str) -> None:
    """The password is nowhere in what a log would show."""
    db = DatabaseManager(f"postgresql://me:{SECRET}@{host}/books", timeout=5)

    with pytest.raises(ServerUnreachableError, match=reason) as caught:
        await db.connect()

    assert caught.value.retryable
    assert SECRET not in whole_text(caught.value)


async def test_a_server_without_tls_is_told_as_such(wire: Wire) -> None:
    """A required encryption is not given up in silence."""
    with pytest.raises(ServerUnreachableError, match="TLS"):
        await DatabaseManager(wire.dsn("postgres", "?sslmode=require")).connect()


async def test_a_server_that_never_answers_is_given_up_in_time(wire: Wire) -> None:
    """`timeout` bounds the whole attempt."""
    wire.freeze()
    started = time.monotonic()

    with pytest.raises(ServerUnreachableError, match="no answer in time"):
        await DatabaseManager(wire.dsn("postgres"), timeout=0.3).connect()

    assert time.monotonic() - started < PATIENCE


@pytest.mark.direct("PgBouncer answers in the server's place")
async def test_an_unknown_database_is_told(server: Server) -> None:
    """It is a matter of configuration: trying again does not help."""
    with pytest.raises(AuthenticationError, match="there is no such database") as caught:
        await DatabaseManager(server.dsn("no_such_database")).connect()

    assert not caught.value.retryable


async def test_an_unknown_user_is_told(wire: Wire) -> None:
    """The server's own words may name users, so they are not repeated."""
    dsn = wire.dsn("postgres").replace("finance@", f"stranger:{SECRET}@")

    with pytest.raises(AuthenticationError) as caught:
        await DatabaseManager(dsn).connect()

    assert SECRET not in whole_text(caught.value)


async def test_a_failed_connect_leaves_no_connection(common_dsn: str, one: DatabaseManager) -> None:
    """Those that were open already are closed."""
    opened: list[object] = []

    def fail_the_second(connection: object) -> None:
        opened.append(connection)
        if len(opened) == 2:
            raise ValueError

    db = DatabaseManager(common_dsn, min_size=3, application_name="failed", init=fail_the_second)
    with pytest.raises(ValueError):  # noqa: PT011 - it has no text
        await db.connect()

    await until_left(one, "failed")
    with pytest.raises(NotConnectedError):
        await db.ping()


@pytest.mark.direct("PgBouncer answers in the server's place")
async def test_a_full_server_is_unavailable(common_dsn: str, one: DatabaseManager) -> None:
    """Too many connections pass; a wrong password does not."""
    await one.execute("CREATE ROLE narrow LOGIN CONNECTION LIMIT 1")
    try:
        narrow = DatabaseManager(common_dsn, user="narrow", max_size=2, acquire_timeout=0.3)
        async with narrow as db, db.transaction():
            with pytest.raises(PoolTimeoutError, match="no place for another connection") as waited:
                await db.fetch("SELECT 1")  # one that is open might have come free
            with pytest.raises(TooManyConnectionsError) as refused:
                await DatabaseManager(common_dsn, user="narrow").connect()
    finally:
        await one.execute("DROP ROLE narrow")

    assert isinstance(waited.value.__cause__, TooManyConnectionsError)
    assert refused.value.retryable


# --- a pool that heals -----------------------------------------------------------------------------------


@pytest.mark.direct("PgBouncer tells of it at the next statement")
async def test_a_connection_that_died_at_rest_is_replaced_unseen(one: DatabaseManager, two: DatabaseManager) -> None:
    """No statement was sent on it, so there is nothing to tell."""
    before = await pid(one)
    await kill(two, before)

    assert await pid(one) not in {None, before}


@pytest.mark.direct("PgBouncer tells of it at the next statement")
@pytest.mark.parametrize("way", ["transaction", "unit_of_work"])
async def test_a_transaction_starts_on_a_living_connection(
    one: DatabaseManager, two: DatabaseManager, way: str
) -> None:
    """Also the ways that go through SQLAlchemy heal unseen."""
    await one.migrations.require_head()
    await kill(two, await pid(one))

    if way == "transaction":
        async with one.transaction() as conn:
            assert await conn.fetchval("SELECT 1") == 1
    else:
        async with one.unit_of_work() as uow:
            assert await uow.connection.fetchval("SELECT 1") == 1


async def test_a_connection_that_fell_silent_at_rest_is_replaced_in_time(
    wire: Wire, common_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a while at rest it is asked for a sign of life first; one that gives none stands for all of them."""
    checked: list[object] = []
    check = pool_module.Pool._check

    def noted(pool: pool_module.Pool, driver: Any) -> Any:
        checked.append(driver)
        return check(pool, driver)

    monkeypatch.setattr(pool_module, "PING_TIMEOUT", 0.4)
    monkeypatch.setattr(pool_module.Pool, "_check", noted)
    async with DatabaseManager(wire.dsn(database_of(common_dsn)), min_size=4, max_size=4, ping_after_idle=0.1) as db:
        before = await pid(db)
        assert db._pool is not None
        silent = set(db._pool._open)
        await asyncio.sleep(0.2)
        wire.freeze(new=False)
        started = time.monotonic()

        assert await pid(db) != before
        await asyncio.gather(*(pid(db) for _ in range(4)))

        assert time.monotonic() - started < PATIENCE
        assert sum(driver in silent for driver in checked) == 1  # nobody waits for the others that fell silent
        assert db.stats().lost == 4
        await until(lambda: db.stats().restoring == 0)  # nor do they keep their places while a farewell goes unanswered


async def test_connections_that_rested_are_asked_for_all_callers_at_once(common_dsn: str) -> None:
    """Each of four callers gets one of the four that rest, and none waits for another one's."""
    async with DatabaseManager(common_dsn, min_size=4, max_size=4, max_waiting=1, ping_after_idle=0.1) as db:
        await asyncio.sleep(0.2)

        backends = await asyncio.gather(*(db.fetchval("SELECT pg_backend_pid() FROM pg_sleep(0.2)") for _ in range(4)))

        assert len(set(backends)) == 4
        assert db.stats().connects == 4


async def test_a_statement_whose_backend_is_killed_has_an_unknown_outcome(
    one: DatabaseManager, two: DatabaseManager
) -> None:
    """It commits by itself, and nobody can say whether it had; the pool heals."""
    backend = await pid(one)
    task = asyncio.create_task(one.execute("SELECT pg_sleep(5)"))
    await asyncio.sleep(0.1)
    await kill(two, backend)

    with pytest.raises(OutcomeUnknownError):
        await task

    assert await one.fetchval("SELECT 1") == 1


async def test_a_statement_whose_answer_is_lost_has_an_unknown_outcome(wire: Wire, common_dsn: str) -> None:
    """It was executed: to say that nothing was committed would be a lie."""
    async with DatabaseManager(wire.dsn(database_of(common_dsn)), max_size=1) as db:
        await db.execute("CREATE TABLE IF NOT EXISTS lost (n int)")
        wire.break_after = b"INSERT INTO lost"

        with pytest.raises(OutcomeUnknownError) as caught:
            await db.execute("INSERT INTO lost VALUES (1)")

        wire.break_after = None
        assert not caught.value.retryable
        assert await db.fetchval("SELECT count(*) FROM lost") == 1


async def test_ping_of_a_silent_server_ends_in_time(wire: Wire, common_dsn: str) -> None:
    """An answer that does not come is told as an unavailable server."""
    options = {"max_size": 1, "command_timeout": 120}
    async with DatabaseManager(wire.dsn(database_of(common_dsn)), **options) as db:
        wire.freeze()
        started = time.monotonic()

        with pytest.raises(UnavailableError):
            await db.ping(timeout=0.2)

        assert time.monotonic() - started < PATIENCE


async def test_a_pool_without_a_free_connection_times_out(common_dsn: str) -> None:
    """The error says who has them, on every way to a connection."""
    message = r"within 0\.1 s.*in use by task '.*' for 0\.\d s, taken at test_database.py:\d+ in test_a_pool_without"
    async with DatabaseManager(common_dsn, max_size=1, acquire_timeout=0.1) as db:
        await db.migrations.require_head()
        async with db.transaction():
            for way in (db.fetch("SELECT 1"), db.transaction().__aenter__(), db.unit_of_work().__aenter__()):
                with pytest.raises(PoolTimeoutError, match=message) as caught:
                    await way
                assert (caught.value.size, caught.value.seconds) == (1, 0.1)
        assert await db.fetchval("SELECT 1") == 1


@pytest.mark.direct("it counts the server's own connections")
@pytest.mark.parametrize("way", ["fetch", "transaction", "unit_of_work"])
async def test_cancelled_tasks_leave_the_pool_whole(common_dsn: str, one: DatabaseManager, way: str) -> None:
    """At whatever instant it comes, no place in the pool and no transaction on the server is left behind."""
    name = f"cancelled-{way}"
    chance = random.Random(way)

    async def work(db: DatabaseManager) -> None:
        if way == "fetch":
            await db.fetch("SELECT pg_sleep(0.005)")
        elif way == "transaction":
            async with db.transaction() as conn:
                await conn.execute("SELECT pg_sleep(0.005)")
        else:
            async with db.unit_of_work() as uow, uow.savepoint():
                await uow.connection.execute("SELECT pg_sleep(0.005)")

    async with DatabaseManager(common_dsn, max_size=2, application_name=name, acquire_timeout=5) as db:
        await db.migrations.require_head()
        tasks = []
        for _ in range(60):
            tasks.append(asyncio.create_task(work(db)))
            await asyncio.sleep(chance.uniform(0, 0.004))
            tasks[chance.randrange(len(tasks))].cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [result for result in results if not isinstance(result, asyncio.CancelledError | None)] == []
        async with db.transaction() as first, db.transaction() as second:
            assert await first.fetchval("SELECT 1") == await second.fetchval("SELECT 1")
        states = await one.fetch("SELECT state FROM pg_stat_activity WHERE application_name = $1", name)

    assert [row["state"] for row in states] == ["idle", "idle"]


async def test_a_task_cancelled_twice_leaves_the_pool_whole(common_dsn: str) -> None:
    """Frameworks cancel again while the connection is on its way back."""
    async with DatabaseManager(common_dsn, max_size=1, acquire_timeout=10) as db:
        for _ in range(5):
            task = asyncio.create_task(db.fetch("SELECT pg_sleep(1)"))
            await asyncio.sleep(0.02)
            while not task.done():
                task.cancel()
                await asyncio.sleep(0)

        assert await db.fetchval("SELECT 1") == 1
