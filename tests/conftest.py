"""Real servers, a template database that the migrations built, and a fresh copy of it for whoever commits."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import traceback
from collections.abc import AsyncIterator, Awaitable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import hypothesis
import pytest
import pytest_asyncio
from hypothesis import HealthCheck

from finance import DatabaseManager, Event, StatementRun
from finance.connection import PooledConnection
from finance.embedded import EmbeddedServer
from finance.models import Base, Ledger
from finance.unit_of_work import UnitOfWork
from tests import templates
from tests.network import Wire, wire_to
from tests.places import make_reachable
from tests.pooler import PROGRAM, past_pooler, pooler_to

#: What the names of databases and roles end with, where several processes share the server of the environment.
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
TEMPLATE = f"finance_template{WORKER}"

#: Have all tests that can go through PgBouncer in transaction mode; those marked `direct` are skipped.
THROUGH_PGBOUNCER = bool(os.environ.get("FINANCE_TEST_PGBOUNCER"))
DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")
_copies = itertools.count(1)

# No durability is needed here, and no test may see what the machine's environment says of databases.
_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
_SOURCES = ("FINANCE_DATABASE_URL", "DATABASE_URL", "FINANCE_DATA_DIR")


# How long an example takes is the machine's, and no property of what is tested.
hypothesis.settings.register_profile("finance", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis.settings.load_profile("finance")


def pytest_configure() -> None:
    """Have Ctrl-C reach the programs that the tests start, also where a script runs these in the background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what cannot go through a pooler, when the run does."""
    if not THROUGH_PGBOUNCER:
        return
    missing = pytest.mark.skip(reason="pgbouncer is not installed")
    for item in items:
        if PROGRAM is None:
            item.add_marker(missing)
        elif (mark := item.get_closest_marker("direct")) is not None:
            item.add_marker(pytest.mark.skip(reason=f"not through PgBouncer: {mark.args[0]}"))


@pytest.fixture(scope="session", autouse=True)
def _no_configuration() -> Iterator[None]:
    """Hide the environment's own databases from the tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name in (*_SOURCES, *(name for name in os.environ if name.startswith("PG"))):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="session", autouse=True)
def _told_origins() -> Iterator[None]:
    """Have a connection that nobody closed say where it was made, and in which test: its end comes in another one."""
    made = PooledConnection.__init__

    def told(self: PooledConnection, *args: Any, **options: Any) -> None:
        made(self, *args, **options)
        stack = "".join(traceback.format_stack(limit=12))
        self._source_traceback = f"{stack}in {os.environ.get('PYTEST_CURRENT_TEST')}"  # type: ignore[attr-defined]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PooledConnection, "__init__", told)
        yield


@pytest.fixture(scope="session")
def reachable_tmp() -> Iterator[Path]:
    """A folder that the server's unprivileged user can reach too; pytest's own is root's alone."""
    folder = make_reachable("finance-")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class Server:
    """A running PostgreSQL with a template database at the current revision."""

    name: str
    url: str
    pooled_url: str | None = None

    def dsn(self, database: str) -> str:
        """Name a database of this server: through PgBouncer where the whole run goes through it."""
        return urlunsplit(urlsplit(self.pooled_url or self.url)._replace(path=f"/{database}"))

    def direct_dsn(self, database: str) -> str:
        """Name a database of this server, and no pooler."""
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{database}"))

    @contextlib.asynccontextmanager
    async def administered(self) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
        """Lend a connection that creates and drops databases."""
        connection = await asyncpg.connect(self.url)
        try:
            yield connection
        finally:
            await connection.close()

    @contextlib.asynccontextmanager
    async def copy(self, template: str = TEMPLATE) -> AsyncIterator[str]:
        """Make a database from *template*, and drop it afterwards."""
        name = f"finance_test_{os.getpid()}_{next(_copies)}"
        async with self.administered() as admin:
            await templates.copy(admin, name, template)
        try:
            yield self.dsn(name)
        finally:
            async with self.administered() as admin:
                await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    async def build_template(self) -> None:
        """Have the migrations build the template database."""
        async with self.administered() as admin:
            await admin.execute(f"DROP DATABASE IF EXISTS {TEMPLATE} WITH (FORCE)")
            await admin.execute(f"CREATE DATABASE {TEMPLATE} TEMPLATE template0 ENCODING 'UTF8'")
        async with DatabaseManager(self.direct_dsn(TEMPLATE)) as db:
            await db.migrations.upgrade()
        async with self.administered() as admin:
            await templates.seal(admin, TEMPLATE)


class Servers:
    """The servers of this run, each started when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._servers: dict[str, Server] = {}
        self._stack = contextlib.AsyncExitStack()

    async def get(self, name: str) -> Server:
        """Return the running server *name*: a version out of the wheel, "15" of Debian, or "url"."""
        if name not in self._servers:
            url = await self._start(name)
            server = Server(name, url, await self._pool(name, url))
            await server.build_template()
            self._servers[name] = server
        return self._servers[name]

    async def _start(self, name: str) -> str:
        if name == "url":
            return os.environ["FINANCE_TEST_DATABASE_URL"]
        binaries = DEBIAN_15 if name == "15" else None
        embedded = EmbeddedServer(self._folder / name, version=int(name), binaries=binaries, settings=_SETTINGS)
        await self._stack.enter_async_context(embedded)
        return embedded.dsn("postgres")

    async def _pool(self, name: str, url: str) -> str | None:
        if not THROUGH_PGBOUNCER or name == "url":
            return None
        return await self._stack.enter_async_context(pooler_to(url, self._folder / f"pgbouncer-{name}"))

    async def stop(self) -> None:
        """Stop every server that was started."""
        await self._stack.aclose()


def versions() -> list[str]:
    """Name every PostgreSQL that this machine can run."""
    present = ["18", "16"]
    if DEBIAN_15.is_dir():
        present.append("15")
    if os.environ.get("FINANCE_TEST_DATABASE_URL"):
        present.append("url")
    return present


@pytest_asyncio.fixture(scope="session")
async def servers(reachable_tmp: Path) -> AsyncIterator[Servers]:
    """Every server of this run."""
    running = Servers(reachable_tmp)
    yield running
    await running.stop()


@pytest_asyncio.fixture(scope="session")
async def server(servers: Servers) -> Server:
    """PostgreSQL 18 out of the wheel."""
    return await servers.get("18")


@pytest.fixture(scope="session", params=versions())
def version(request: pytest.FixtureRequest) -> str:
    """Each PostgreSQL that this machine can run: a test that takes it runs once on each."""
    name: str = request.param
    return name


@pytest_asyncio.fixture(scope="session")
async def each_server(servers: Servers, version: str) -> Server:
    """Each server in turn."""
    return await servers.get(version)


@pytest_asyncio.fixture
async def dsn(server: Server) -> AsyncIterator[str]:
    """A database of its own, at the current revision, for a test that commits."""
    async with server.copy() as dsn:
        yield dsn


@pytest.fixture
def seen() -> list[Event]:
    """What the manager `db` tells of its work."""
    return []


@pytest_asyncio.fixture
async def db(dsn: str, seen: list[Event]) -> AsyncIterator[DatabaseManager]:
    """A manager of a database of its own."""
    async with DatabaseManager(dsn, on_event=seen.append) as manager:
        yield manager


@pytest_asyncio.fixture
async def each_dsn(each_server: Server) -> AsyncIterator[str]:
    """A database of its own on each server in turn."""
    async with each_server.copy() as dsn:
        yield dsn


@pytest_asyncio.fixture
async def each_db(each_dsn: str) -> AsyncIterator[DatabaseManager]:
    """A manager of a database of its own on each server in turn."""
    async with DatabaseManager(each_dsn) as manager:
        yield manager


@pytest_asyncio.fixture(scope="session")
async def shared_db(server: Server) -> AsyncIterator[tuple[DatabaseManager, Ledger]]:
    """A manager and a ledger that tests share, since what they write is rolled back."""
    async with server.copy() as dsn, DatabaseManager(dsn) as manager:
        yield manager, await manager.ledgers.create("Shared", base_currency="EUR")


@pytest_asyncio.fixture
async def uow(shared_db: tuple[DatabaseManager, Ledger]) -> AsyncIterator[UnitOfWork]:
    """A unit of work that is rolled back, after everything that waits for COMMIT has been checked."""
    manager, ledger = shared_db
    async with manager.unit_of_work(ledger) as unit:
        yield unit
        if unit.is_open:
            await unit.connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
            await unit.rollback()


@pytest_asyncio.fixture(scope="session")
async def common_dsn(server: Server) -> AsyncIterator[str]:
    """A database at the current revision that tests share: what they leave in it disturbs nobody."""
    async with server.copy() as dsn:
        yield dsn


@pytest_asyncio.fixture
async def emptied_dsn(common_dsn: str) -> str:
    """The common database without books: quicker than a copy, for modules that make no tables of their own."""
    connection = await asyncpg.connect(past_pooler(common_dsn))
    tables = ", ".join(Base.metadata.tables)
    await connection.execute(f"SET session_replication_role = replica; TRUNCATE {tables} RESTART IDENTITY CASCADE")
    await connection.close()
    return common_dsn


@pytest_asyncio.fixture
async def wire(server: Server) -> AsyncIterator[Wire]:
    """A network to PostgreSQL 18 that can fail."""
    async with wire_to(server.url) as wire:
        yield wire


class Queries:
    """The statements that reached the server, those that only frame a transaction left out."""

    _FRAME = ("BEGIN", "COMMIT", "ROLLBACK", "SELECT version_num")

    def __init__(self, seen: list[Event]) -> None:
        self._seen = seen

    async def of(self, call: Awaitable[Any]) -> list[str]:
        """Await *call*, and return what each statement that it took was: SELECT, INSERT, UPDATE and so on."""
        self._seen.clear()
        await call
        statements = [event.sql for event in self._seen if isinstance(event, StatementRun)]
        return [_verb(sql) for sql in statements if not sql.lstrip().startswith(self._FRAME)]


def _verb(query: str) -> str:
    first = query.split(maxsplit=1)[0].upper()
    return first if first != "WITH" else "INSERT" if "INSERT INTO" in query else "SELECT"


@pytest.fixture
def queries(db: DatabaseManager, seen: list[Event]) -> Queries:  # noqa: ARG001 - it is *db* that tells
    """Count the statements of *db* that reach the server."""
    return Queries(seen)
