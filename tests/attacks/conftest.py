"""Databases that an ordinary role owns, and in them a ledger that the owner attacks, or the application."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
import pytest_asyncio

from finance import DatabaseManager
from tests import templates
from tests.attacks.victim import Victim, make_victim
from tests.conftest import WORKER, Server, Servers, versions
from tests.pooler import past_pooler

OWNER = f"finance_test_owner{WORKER}"
#: A login that may do what the application may: it is in the role, and owns nothing.
APPLICATION = f"finance_test_application{WORKER}"
_ROLES = f"finance_attacked{WORKER}"
_TEMPLATE = f"finance_owned_template{WORKER}"

#: Who attacks, and where: the owner of the schema on every server, the application on one.
_ATTACKERS = [*((version, OWNER) for version in versions()), ("18", APPLICATION)]
_IDS = [*versions(), "18 as application"]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave what only the owner of the schema can do, by the marker `owners`, out of what the application tries."""
    others = [
        item for item in items if item.get_closest_marker("owners") is not None and "[18 as application" in item.name
    ]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in others]


Owned = Callable[[str], Awaitable[Server]]


@contextlib.asynccontextmanager
async def owned_copy(server: Server) -> AsyncIterator[str]:
    """Make a database that the ordinary role owns, from a template that it migrated itself."""
    async with server.copy(_TEMPLATE) as dsn:
        async with server.administered() as admin:
            await admin.execute(f'ALTER DATABASE "{urlsplit(dsn).path[1:]}" OWNER TO {OWNER}')
        yield dsn


def as_owner(dsn: str, **options: Any) -> DatabaseManager:
    """Reach *dsn* as the role that owns it."""
    return _as(OWNER, dsn, **options)


def _as(login: str, dsn: str, **options: Any) -> DatabaseManager:
    return DatabaseManager(dsn, user=login, password=login, **options)


@pytest_asyncio.fixture(scope="session")
async def owned(servers: Servers) -> Owned:
    """Give each server, once, a template database that an ordinary role owns and has migrated."""
    known: dict[str, Server] = {}

    async def get(version: str) -> Server:
        if version not in known:
            known[version] = await servers.get(version)
            await _build_owned(known[version])
        return known[version]

    return get


async def _build_owned(server: Server) -> None:
    async with server.administered() as admin:
        await admin.execute(f"DROP DATABASE IF EXISTS {_TEMPLATE} WITH (FORCE)")
        for login in (OWNER, APPLICATION):
            await admin.execute(f"DROP ROLE IF EXISTS {login}")
            await admin.execute(f"CREATE ROLE {login} LOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB PASSWORD '{login}'")
        await admin.execute(f"CREATE DATABASE {_TEMPLATE} OWNER {OWNER} TEMPLATE template0 ENCODING 'UTF8'")
    async with as_owner(server.direct_dsn(_TEMPLATE), min_size=1) as db:
        await db.migrations.upgrade()
    async with server.administered() as admin:
        await templates.seal(admin, _TEMPLATE)


@pytest_asyncio.fixture(scope="session")
async def owned_server(owned: Owned, version: str) -> Server:
    """Each server in turn, for attacks that it takes the owner of the schema to make."""
    return await owned(version)


@pytest.fixture(scope="session", params=_ATTACKERS, ids=_IDS)
def attacker(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Name a server, and who attacks the books on it."""
    found: tuple[str, str] = request.param
    return found


@pytest_asyncio.fixture(scope="session")
async def shared_dsn(owned: Owned, attacker: tuple[str, str]) -> AsyncIterator[str]:
    """One database for each attacker, shared by attacks that leave nothing but their own ledger."""
    version, login = attacker
    async with owned_copy(await owned(version)) as dsn:
        if login == APPLICATION:
            async with DatabaseManager(past_pooler(dsn)) as admin:
                names = await admin.roles.create(_ROLES)
                await admin.execute(f"GRANT {names.app} TO {APPLICATION}")
        yield dsn


@pytest_asyncio.fixture(scope="session")
async def attackers_db(shared_dsn: str, attacker: tuple[str, str]) -> AsyncIterator[DatabaseManager]:
    """A manager of the shared database, logged in as the attacker."""
    async with _as(attacker[1], shared_dsn, max_size=50) as db:
        yield db


def _is_owner(attacker: tuple[str, str]) -> bool:
    return attacker[1] == OWNER


@pytest_asyncio.fixture
async def victim(attackers_db: DatabaseManager, attacker: tuple[str, str]) -> AsyncIterator[Victim]:
    """A fresh ledger in the shared database. Whatever a test does to it, it must be clean afterwards."""
    victim = await make_victim(attackers_db, is_owner=_is_owner(attacker))
    yield victim
    assert (await victim.verify()).problems == ()


@pytest_asyncio.fixture(scope="session")
async def steady(attackers_db: DatabaseManager, attacker: tuple[str, str]) -> AsyncIterator[Victim]:
    """One ledger on each server, shared by attacks that are refused and so change nothing of it."""
    victim = await make_victim(attackers_db, is_owner=_is_owner(attacker))
    yield victim
    assert (await victim.verify()).problems == ()


@pytest_asyncio.fixture
async def casualty(attackers_db: DatabaseManager, attacker: tuple[str, str]) -> Victim:
    """A fresh ledger in the shared database that is not looked at afterwards."""
    return await make_victim(attackers_db, is_owner=_is_owner(attacker))


@pytest_asyncio.fixture
async def own_victim(owned_server: Server) -> AsyncIterator[Victim]:
    """A ledger in a database of its own, for attacks that change the schema: only its owner can."""
    async with owned_copy(owned_server) as dsn, as_owner(dsn) as db:
        yield await make_victim(db)


@pytest_asyncio.fixture
async def superuser(shared_dsn: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A superuser in the shared database, for whom no trigger fires."""
    connection = await asyncpg.connect(past_pooler(shared_dsn))
    await connection.execute("SET session_replication_role = replica")
    yield connection
    await connection.close()
