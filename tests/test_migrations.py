"""The schema's revisions: up, down, at once, in another schema, from the command line."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import create_async_engine

from finance import DatabaseManager, migrations
from finance.errors import (
    BalanceLimitError,
    ConnectionLostError,
    DatabaseError,
    InvalidError,
    LockTimeoutError,
    MigrationLockError,
    SchemaAheadError,
    SchemaMissingError,
    SealedError,
)
from finance.migrations import REVISION
from finance.models import Base
from tests.conftest import Server
from tests.factories import entry, open_books
from tests.network import Wire
from tests.waiting import until

pytestmark = pytest.mark.direct("migrations hold a lock of the session")

ROOT = Path(__file__).parents[1]

# Everything that a schema is made of, each as PostgreSQL itself writes it.
SHAPE = """
SELECT 'column', c.relname, a.attname || ' ' || row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum),
       concat_ws(' ', format_type(a.atttypid, a.atttypmod),
       a.attnotnull, a.attidentity, a.attgenerated, a.attstorage, pg_get_expr(d.adbin, d.adrelid))
  FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid LEFT JOIN pg_attrdef AS d
    ON d.adrelid = c.oid AND d.adnum = a.attnum
 WHERE c.relkind IN ('r', 'v') AND a.attnum > 0 AND NOT a.attisdropped AND c.relnamespace = $1::regnamespace
UNION ALL SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid)
  FROM pg_constraint WHERE connamespace = $1::regnamespace
UNION ALL SELECT 'index', indrelid::regclass::text, indexrelid::regclass::text, pg_get_indexdef(indexrelid)
  FROM pg_index JOIN pg_class AS c ON c.oid = indrelid WHERE c.relnamespace = $1::regnamespace
UNION ALL SELECT 'function', proname, oidvectortypes(proargtypes), concat_ws(' ', pg_get_functiondef(oid), proacl::text)
  FROM pg_proc WHERE pronamespace = $1::regnamespace
UNION ALL SELECT 'trigger', tgrelid::regclass::text, tgname, tgenabled::text || pg_get_triggerdef(t.oid)
  FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = tgrelid
 WHERE NOT tgisinternal AND c.relnamespace = $1::regnamespace
UNION ALL SELECT 'view', relname, '', pg_get_viewdef(oid) FROM pg_class
 WHERE relkind = 'v' AND relnamespace = $1::regnamespace
UNION ALL SELECT 'storage', relname, relkind::text, concat_ws(' ', reloptions::text, relpersistence)
  FROM pg_class WHERE relkind IN ('r', 'i', 'S', 'v') AND relnamespace = $1::regnamespace
UNION ALL SELECT 'sequence', seqrelid::regclass::text, '', concat_ws(' ', seqtypid, seqstart, seqincrement, seqcycle)
  FROM pg_sequence JOIN pg_class AS c ON c.oid = seqrelid WHERE c.relnamespace = $1::regnamespace
ORDER BY 1, 2, 3, 4
"""

CATALOGUES = (
    "pg_attrdef", "pg_class", "pg_constraint", "pg_depend", "pg_namespace", "pg_proc", "pg_trigger", "pg_type",
)  # fmt: skip


@pytest_asyncio.fixture
async def empty_dsn(server: Server) -> AsyncIterator[str]:
    """A database without anything in it."""
    async with server.copy("template0") as dsn:
        yield dsn


@pytest_asyncio.fixture
async def empty(empty_dsn: str) -> AsyncIterator[DatabaseManager]:
    """A manager of an empty database."""
    async with DatabaseManager(empty_dsn) as manager:
        yield manager


async def shape(db: DatabaseManager, schema: str = "public") -> list[tuple[str, ...]]:
    """Describe a schema, without Alembic's own table."""
    return [tuple(row) for row in await db.fetch(SHAPE, schema) if migrations.VERSION_TABLE not in row[1]]


async def traces(db: DatabaseManager) -> dict[str, int]:
    """Count what the catalogues hold."""
    return {name: await db.fetchval(f"SELECT count(*) FROM {name}") for name in CATALOGUES}


async def alembic(*words: str, **environment: str) -> tuple[int, str, str]:
    """Run the command as a user would type it; return its status and what it said."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "alembic", *words),
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


# --- the revisions ---------------------------------------------------------------------------------------


def revisions() -> list[str]:
    """Every revision, the oldest first."""
    script = ScriptDirectory(str(migrations.script_location()))
    return [revision.revision for revision in script.walk_revisions()][::-1]


def test_there_is_one_head_and_the_models_name_it() -> None:
    """Two would leave a fresh database between them."""
    script = ScriptDirectory(str(migrations.script_location()))

    assert script.get_heads() == [REVISION]
    assert migrations.is_known(REVISION)
    assert not migrations.is_known("9999")


async def test_an_empty_database_is_upgraded(empty: DatabaseManager) -> None:
    """Before, it has no revision; after, it is ready for the books."""
    assert await empty.migrations.current() is None

    await empty.migrations.upgrade()

    assert await empty.migrations.current() == REVISION == empty.migrations.head
    await empty.ledgers.create("Household", base_currency="EUR")


async def test_every_revision_goes_down_and_up_again(empty: DatabaseManager) -> None:
    """One step at a time, with what is behind it unchanged."""
    for before, revision in zip([None, *revisions()], revisions(), strict=False):
        await empty.migrations.upgrade(revision)
        shape_of_revision = await shape(empty)
        await empty.migrations.downgrade("-1")
        assert await empty.migrations.current() == before
        await empty.migrations.upgrade(revision)
        assert await shape(empty) == shape_of_revision


_BOOKS = """
INSERT INTO ledgers (name, base_currency) VALUES ('Old', 'EUR');
INSERT INTO currencies VALUES (1, 'EUR', 2, 'Euro');
INSERT INTO accounts (ledger_id, name, type, currency, minimum_balance) VALUES
    (1, 'Assets:Checking', 'asset', 'EUR', -100), (1, 'Expenses:Food', 'expense', 'EUR', NULL);
UPDATE accounts SET balance = balance + 42.10 WHERE id = 2; UPDATE accounts SET balance = balance - 42.10 WHERE id = 1;
"""


async def test_books_of_the_first_revision_are_kept_on_the_way(empty: DatabaseManager) -> None:
    """Up and down and up again: balances, entries and limits stay, and nothing is held."""
    await empty.migrations.upgrade("0001")
    async with empty.transaction() as conn:
        await conn.execute(_BOOKS)

    for _ in range(2):
        await empty.migrations.upgrade()
        assert (await empty.verify(1)).problems == ()
        rows = await empty.fetch("SELECT balance, held FROM accounts ORDER BY id")
        assert [[str(value) for value in row] for row in rows] == [["-42.10", "0"], ["42.10", "0"]]
        await empty.migrations.downgrade("0001")
        with pytest.raises(BalanceLimitError):
            await empty.execute("UPDATE accounts SET balance = -101 WHERE id = 1")
        with pytest.raises(SealedError):
            await empty.execute("UPDATE journal_entries SET description = 'x'")


async def test_downgrade_to_base_leaves_no_trace(each_server: Server) -> None:
    """Nothing in any catalogue, Alembic's own table included; and the way up is open again."""
    async with each_server.copy("template0") as dsn, DatabaseManager(dsn) as db:
        untouched = await traces(db)
        await db.migrations.upgrade()

        await db.migrations.downgrade("base")

        assert await traces(db) == untouched
        with pytest.raises(SchemaMissingError):
            await db.ledgers.get(1)
        await db.migrations.upgrade()
        await db.ledgers.create("Household", base_currency="EUR")


async def test_the_migrated_schema_is_the_declared_one(each_db: DatabaseManager, each_server: Server) -> None:
    """Columns, constraints, indexes, functions, triggers and storage, as PostgreSQL writes them."""
    async with each_server.copy("template0") as dsn, DatabaseManager(dsn) as declared:
        engine = create_async_engine("postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(dsn))
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        await engine.dispose()

        assert await shape(each_db) == await shape(declared)


async def test_what_is_there_already_is_left_alone(db: DatabaseManager, monkeypatch: pytest.MonkeyPatch) -> None:
    """At head, an upgrade takes no lock and opens no connection of its own."""
    monkeypatch.setattr(db.migrations, "locked", None)

    await db.migrations.upgrade()


async def test_an_unknown_revision_is_told(db: DatabaseManager) -> None:
    """By its name; nothing is changed."""
    for move in (db.migrations.upgrade, db.migrations.downgrade):
        with pytest.raises(InvalidError, match="revision 'nonsense'"):
            await move("nonsense")

    assert await db.migrations.current() == REVISION


async def test_a_database_that_is_ahead_is_left_alone(db: DatabaseManager) -> None:
    """Only the newer version of the code knows the way."""
    await db.execute("UPDATE finance_version SET version_num = '9999'")

    for move in (db.migrations.upgrade(), db.migrations.downgrade("base")):
        with pytest.raises(SchemaAheadError, match="9999"):
            await move

    assert await db.migrations.current() == "9999"


async def test_a_migration_that_fails_rolls_back_whole(empty: DatabaseManager) -> None:
    """Somebody's table is in the way: nothing is left of the attempt, and the next one succeeds."""
    await empty.execute("CREATE TABLE statements (mine int)")
    before = await traces(empty)

    with pytest.raises(DatabaseError, match="42P07"):
        await empty.migrations.upgrade()

    assert await traces(empty) == before
    await empty.execute("DROP TABLE statements")
    await empty.migrations.upgrade()


async def test_a_migration_does_not_wait_for_a_busy_table_for_ever(
    db: DatabaseManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every reader would queue behind it; it gives up, rolls back and may be run again."""
    monkeypatch.setattr(migrations, "TABLE_LOCK_TIMEOUT", "100ms")
    async with db.transaction() as conn:
        for table in Base.metadata.tables:
            await conn.fetch(f"SELECT FROM {table}")
        started = time.monotonic()
        with pytest.raises(LockTimeoutError):
            await db.migrations.downgrade("base")

    assert time.monotonic() - started < 30
    await db.migrations.upgrade()
    assert await db.migrations.current() == REVISION
    await db.ledgers.create("Household", base_currency="EUR")


@pytest.mark.parametrize(("first", "then"), [("0011", "head"), ("0012", "0011")], ids=["up", "down"])
async def test_a_migration_and_a_poster_do_not_wait_in_a_circle(db: DatabaseManager, first: str, then: str) -> None:
    """Whoever has looked for an entry writes it with its postings, and the migration comes after."""
    async with db.unit_of_work("Household", base_currency="EUR") as uow:
        books = await open_books(uow)
    await db.migrations.downgrade(first)
    migrate = db.migrations.upgrade if then == "head" else db.migrations.downgrade
    one = entry(books.food, books.checking, 1)
    key = (books.food.ledger_id, one.id, one.date)

    async def is_waited_for() -> bool:
        return bool(
            await db.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock')")
        )

    async with db.transaction() as conn:
        await conn.execute("SELECT FROM journal_entries WHERE ledger_id = $1 AND id = $2", *key[:2])
        migrating = asyncio.create_task(migrate(then))
        await until(is_waited_for)
        await conn.execute("INSERT INTO journal_entries (ledger_id, id, date) VALUES ($1, $2, $3)", *key)
        await conn.execute(
            "INSERT INTO postings (ledger_id, entry_id, line, account_id, date, currency, amount)"
            " SELECT $1, $2, l.line, l.account_id, $3, 'EUR', l.amount"
            "  FROM (VALUES (1, $4::bigint, 1), (2, $5::bigint, -1)) AS l(line, account_id, amount)",
            *key,
            books.food.id,
            books.checking.id,
        )
    await migrating

    assert await db.fetchval("SELECT balance FROM accounts WHERE id = $1", books.food.id) == 1


async def test_an_index_that_was_left_half_made_is_made_anew(empty: DatabaseManager, db: DatabaseManager) -> None:
    """A run that failed beside posters cannot roll it back; the next one finds it under the name of its own."""
    await empty.migrations.upgrade("0012")
    for name in ("ix_postings_memo", "ix_postings_ledger_id_account_id_date_entry_id_line"):
        await empty.execute(f"CREATE INDEX {name} ON postings (line)")

    await empty.migrations.upgrade()

    assert await shape(empty) == await shape(db)


@pytest.mark.parametrize("is_cancelled", [True, False], ids=["cancelled", "cut off"])
async def test_what_ended_the_making_of_an_index_is_told(db: DatabaseManager, *, is_cancelled: bool) -> None:
    """Whoever gives up, or loses the server, hears of that, and the next run finishes the work."""
    waiting = " FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'CREATE INDEX CONCURRENTLY%'"
    declared = await shape(db)
    await db.migrations.downgrade("0012")
    async with db.transaction() as poster:
        await poster.execute("LOCK TABLE postings IN ROW EXCLUSIVE MODE")
        run = asyncio.create_task(db.migrations.upgrade())
        await until(lambda: db.fetchval(f"SELECT count(*) = 1{waiting} AND wait_event_type = 'Lock'"))

        if is_cancelled:
            run.cancel()
        else:
            await db.execute(f"SELECT pg_terminate_backend(pid){waiting}")
        (outcome,) = await asyncio.gather(run, return_exceptions=True)

    assert type(outcome) is (asyncio.CancelledError if is_cancelled else ConnectionLostError)
    await db.migrations.upgrade()
    assert await shape(db) == declared


# --- connections ---------------------------------------------------------------------------------------


async def test_a_pool_of_one_can_migrate(empty_dsn: str) -> None:
    """The migration has connections of its own."""
    async with DatabaseManager(empty_dsn, max_size=1, acquire_timeout=1) as db:
        await db.migrations.upgrade()

        assert await db.migrations.current() == REVISION


async def test_a_migration_leaves_no_connection(empty_dsn: str) -> None:
    """Neither the one that migrates nor the one that holds the lock."""
    async with DatabaseManager(empty_dsn, max_size=1, application_name="migrates") as db:
        await db.migrations.upgrade()
        await asyncio.sleep(0.1)

        counted = await db.fetchval("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'migrates'")

    assert counted == 1


async def test_open_connections_work_through_a_migration(db: DatabaseManager) -> None:
    """Statements that were prepared for the old tables are prepared again."""
    for _ in range(2):
        ledger = await db.ledgers.create("Household", base_currency="EUR")
        async with db.unit_of_work(ledger) as uow:
            books = await open_books(uow)
            await uow.journal.post(entry(books.food, books.checking, "42.10"))
        assert len(await db.fetch("SELECT * FROM accounts")) == 3
        async with db.transaction() as conn:
            assert len(await conn.fetch("SELECT * FROM accounts")) == 3
        await db.migrations.downgrade("base")
        await db.migrations.upgrade()


# --- several at once -----------------------------------------------------------------------------------


UPGRADE = """
import asyncio, finance

async def main():
    async with finance.DatabaseManager() as db:
        await db.migrations.upgrade()

asyncio.run(main())
"""


async def test_several_may_upgrade_at_once(empty_dsn: str) -> None:
    """Tasks, managers and processes: one migrates, the others wait, all succeed."""
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", UPGRADE, cwd=ROOT, env={**os.environ, "FINANCE_DATABASE_URL": empty_dsn}
        )
        for _ in range(2)
    ]
    async with DatabaseManager(empty_dsn) as first, DatabaseManager(empty_dsn) as second:
        await asyncio.gather(*(db.migrations.upgrade() for db in (first, second, first)))
        assert await first.migrations.current() == REVISION

    assert [await process.wait() for process in processes] == [0, 0]


async def test_several_databases_may_be_upgraded_at_once(server: Server) -> None:
    """Alembic keeps the running migration in module globals: one process runs them one after another."""
    async with (
        server.copy("template0") as one,
        server.copy("template0") as two,
        DatabaseManager(one) as first,
        DatabaseManager(two) as second,
    ):
        await asyncio.gather(first.migrations.upgrade(), second.migrations.upgrade())

        assert [await db.migrations.current() for db in (first, second)] == [REVISION, REVISION]


async def test_waiting_for_another_migration_ends_in_time(empty: DatabaseManager) -> None:
    """The error may be met by trying again."""
    async with DatabaseManager(**_same(empty)) as other, other.migrations.locked():
        with pytest.raises(MigrationLockError, match=r"more than 0\.2 s") as caught:
            await empty.migrations.upgrade(lock_timeout=0.2)

    assert caught.value.retryable
    await empty.migrations.upgrade(lock_timeout=0.2)


async def test_waiting_for_another_process_ends_in_time(empty: DatabaseManager) -> None:
    """The lock is the database's, by the schema that is migrated; another schema's is free."""
    async with empty.transaction() as stranger:
        lock = f"SELECT pg_advisory_lock({migrations._LOCK_CLASS}, hashtext('public'))"
        await stranger.execute(lock)

        with pytest.raises(MigrationLockError):
            await empty.migrations.upgrade(lock_timeout=0.2)
        async with DatabaseManager(**_same(empty), schema="books") as books:
            await books.migrations.upgrade(lock_timeout=0.2)


def _same(db: DatabaseManager) -> dict[str, Any]:
    """The arguments for another manager of the same database."""
    return {"dsn": db._dsn}


# --- two schemas ---------------------------------------------------------------------------------------


async def test_two_schemas_live_beside_each_other(empty_dsn: str) -> None:
    """Each has its own revision, books and guards; the end of one is not that of the other."""
    async with (
        DatabaseManager(empty_dsn, schema="books_a") as a,
        DatabaseManager(empty_dsn, schema="Books b") as b,
        DatabaseManager(empty_dsn) as public,
    ):
        for db, amount in ((a, 1), (b, 2), (public, 3)):
            await db.migrations.upgrade()
            ledger = await db.ledgers.create("Household", base_currency="EUR")
            async with db.unit_of_work(ledger) as uow:
                books = await open_books(uow)
                await uow.journal.post(entry(books.food, books.checking, amount))
                await uow.connection.execute("UPDATE accounts SET balance = balance - 1 WHERE id = $1", books.food.id)
        rows = [await db.fetch("SELECT balance FROM accounts ORDER BY id LIMIT 2") for db in (a, b, public)]
        assert [[row["balance"] for row in each] for each in rows] == [[-1, 0], [-2, 1], [-3, 2]]

        await a.migrations.downgrade("base")

        assert await a.migrations.current() is None
        for db in (b, public):
            assert (await db.verify("Household")).is_clean
            assert await db.migrations.current() == REVISION


async def test_books_that_stand_behind_in_the_search_path_keep_their_indexes(empty_dsn: str) -> None:
    """They have the same names, and may be somebody else's."""
    async with (
        DatabaseManager(empty_dsn) as public,
        DatabaseManager(empty_dsn, schema="books") as books,
        DatabaseManager(f"{empty_dsn}&options=-csearch_path%3Dbooks,public") as both,
    ):
        await public.migrations.upgrade()
        declared = await shape(public)
        await books.migrations.upgrade("0012")

        await both.migrations.upgrade()
        assert await shape(public) == declared
        await both.migrations.downgrade("0012")
        assert await shape(public) == declared


async def test_every_schema_has_the_same_shape(empty_dsn: str, db: DatabaseManager) -> None:
    """Its functions see its own tables only, whatever the caller's search path."""
    async with DatabaseManager(empty_dsn, schema="books_a") as a:
        await a.migrations.upgrade()
        moved = [tuple(word.replace("books_a", "public") for word in row) for row in await shape(a, "books_a")]
        pinned = await a.fetch(
            "SELECT unnest(proconfig) AS setting FROM pg_proc WHERE pronamespace = 'books_a'::regnamespace"
        )

    # Outside of the search path, PostgreSQL writes public.accounts for accounts.
    plain = [tuple(word.replace("public.", "") for word in row) for row in await shape(db)]
    assert [tuple(word.replace("public.", "") for word in row) for row in moved] == plain
    paths = {row["setting"] for row in pinned if row["setting"].startswith("search_path")}
    assert paths == {"search_path=books_a, pg_temp"}


async def test_a_schema_that_is_there_needs_no_right_to_make_one(empty: DatabaseManager) -> None:
    """Its owner migrates it, without a right on the database."""
    await empty.execute("CREATE ROLE librarian LOGIN; CREATE SCHEMA books AUTHORIZATION librarian")
    try:
        async with DatabaseManager(**_same(empty), user="librarian", schema="books") as db:
            await db.migrations.upgrade()
            await db.ledgers.create("Household", base_currency="EUR")
    finally:
        await empty.execute("DROP OWNED BY librarian CASCADE; DROP ROLE librarian")


# --- the command line ----------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["FINANCE_DATABASE_URL", "DATABASE_URL", "PG*", "-x dsn="])
async def test_the_command_migrates_whatever_names_the_database(
    empty: DatabaseManager, wire: Wire, source: str
) -> None:
    """As it does for every other command."""
    name = await empty.fetchval("SELECT current_database()")
    words: list[str] = []
    environment = {"PGHOST": "127.0.0.1", "PGPORT": str(wire.port), "PGUSER": "finance", "PGDATABASE": name}
    if source == "-x dsn=":
        words, environment = ["-x", f"dsn={wire.dsn(name)}"], {}
    elif source != "PG*":
        environment = {source: wire.dsn(name)}

    status, _, err = await alembic(*words, "upgrade", "head", **environment)

    assert (status, "Traceback" in err) == (0, False), err
    assert await empty.migrations.current() == REVISION


async def test_the_command_migrates_another_schema(empty: DatabaseManager, empty_dsn: str) -> None:
    """`-x schema=` names it."""
    status, _, err = await alembic("-x", "schema=books", "upgrade", "head", DATABASE_URL=empty_dsn)

    assert status == 0, err
    assert await empty.fetchval("SELECT to_regclass('books.ledgers') IS NOT NULL")
    assert await empty.fetchval("SELECT to_regclass('public.ledgers') IS NULL")


async def test_the_command_goes_down_and_up_again(empty: DatabaseManager, empty_dsn: str) -> None:
    """`current` and `check` agree with it, and change nothing."""
    untouched = await traces(empty)
    says = {}
    status, _, err = await alembic("-x", "schema=nowhere", "current", DATABASE_URL=empty_dsn)
    assert (status, await traces(empty)) == (0, untouched), err
    for words in (("upgrade", "head"), ("check",), ("current",), ("downgrade", "base")):
        status, says[" ".join(words)], err = await alembic(*words, DATABASE_URL=empty_dsn)
        assert status == 0, err

    assert REVISION in says["current"]
    assert "No new upgrade operations detected" in says["check"]
    assert await traces(empty) == untouched


async def test_the_command_with_nothing_set_takes_the_embedded_server(reachable_tmp: Path) -> None:
    """It says so in one line, and leaves no process."""
    folder = reachable_tmp / "nothing-set"

    status, _, err = await alembic("upgrade", "head", FINANCE_DATA_DIR=str(folder))

    assert status == 0, err
    assert "no database is configured: using the embedded PostgreSQL" in err.splitlines()[0]
    assert not list(folder.rglob("postmaster.pid"))


@pytest.mark.parametrize(
    ("dsn", "reason"),
    [
        ("postgresql://me:hunter2@127.0.0.1:1/books", "no PostgreSQL answers at 127.0.0.1:1/books: connection refused"),
        ("mysql://me:hunter2@localhost/books", "DATABASE_URL: a mysql:// URL is not one of PostgreSQL"),
    ],
)
async def test_the_command_fails_in_one_line(dsn: str, reason: str) -> None:
    """Without a traceback, and without the password."""
    status, out, err = await alembic("upgrade", "head", DATABASE_URL=dsn)

    assert status == 1
    assert err.startswith(f"alembic: {reason}")
    assert (len(err.splitlines()), out, "hunter2" in err) == (1, "", False)


async def test_the_command_tells_a_refused_statement_in_one_line(empty: DatabaseManager, empty_dsn: str) -> None:
    """Such as one that meets somebody's table."""
    await empty.execute("CREATE TABLE ledgers (mine int)")

    status, _, err = await alembic("upgrade", "head", DATABASE_URL=empty_dsn)

    assert status == 1
    assert "Traceback" not in err
    assert err.splitlines()[-1] == 'alembic: relation "ledgers" already exists (SQLSTATE 42P07)'


async def test_the_sql_of_a_revision_can_be_run_by_hand(empty: DatabaseManager, db: DatabaseManager) -> None:
    """`upgrade --sql` needs no database, and what it prints makes the same schema."""
    status, sql, err = await alembic("upgrade", "head", "--sql")

    assert status == 0, err
    await empty.execute(sql)
    assert await shape(empty) == await shape(db)
    assert await empty.migrations.current() == REVISION


def test_alembic_is_told_of_no_database_in_its_configuration() -> None:
    """A URL in a file that is committed would be a leak waiting to happen."""
    assert "://" not in (ROOT / "alembic.ini").read_text("utf-8")
