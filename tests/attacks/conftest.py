"""Databases that an ordinary role owns, and in them a ledger to attack."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest_asyncio

from finance import DatabaseManager
from tests.attacks.victim import Victim, make_victim
from tests.conftest import WORKER, Server
from tests.pooler import past_pooler

OWNER = f"finance_test_owner{WORKER}"
_TEMPLATE = f"finance_owned_template{WORKER}"
_LOGIN = {"user": OWNER, "password": OWNER}


@contextlib.asynccontextmanager
async def owned_copy(server: Server) -> AsyncIterator[str]:
    """Make a database that the ordinary role owns, from a template that it migrated itself."""
    async with server.copy(_TEMPLATE) as dsn:
        async with server.administered() as admin:
            await admin.execute(f'ALTER DATABASE "{urlsplit(dsn).path[1:]}" OWNER TO {OWNER}')
        yield dsn


def as_owner(dsn: str, **options: Any) -> DatabaseManager:
    """Reach *dsn* as the role that owns it."""
    return DatabaseManager(dsn, **_LOGIN, **options)


@pytest_asyncio.fixture(scope="session")
async def owned_server(each_server: Server) -> Server:
    """Each server in turn, with a template database that an ordinary role owns and has migrated."""
    async with each_server.administered() as admin:
        await admin.execute(f"DROP DATABASE IF EXISTS {_TEMPLATE} WITH (FORCE)")
        await admin.execute(f"DROP ROLE IF EXISTS {OWNER}")
        await admin.execute(f"CREATE ROLE {OWNER} LOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB PASSWORD '{OWNER}'")
        await admin.execute(f"CREATE DATABASE {_TEMPLATE} OWNER {OWNER} TEMPLATE template0 ENCODING 'UTF8'")
    async with as_owner(each_server.direct_dsn(_TEMPLATE), min_size=1) as db:
        await db.migrations.upgrade()
    return each_server


@pytest_asyncio.fixture(scope="session")
async def shared_dsn(owned_server: Server) -> AsyncIterator[str]:
    """One database on each server, shared by attacks that leave nothing but their own ledger."""
    async with owned_copy(owned_server) as dsn:
        yield dsn


@pytest_asyncio.fixture(scope="session")
async def shared_owner_db(shared_dsn: str) -> AsyncIterator[DatabaseManager]:
    """A manager of the shared database."""
    async with as_owner(shared_dsn, max_size=50) as db:
        yield db


@pytest_asyncio.fixture
async def victim(shared_owner_db: DatabaseManager) -> AsyncIterator[Victim]:
    """A fresh ledger in the shared database. Whatever a test does to it, it must be clean afterwards."""
    victim = await make_victim(shared_owner_db)
    yield victim
    assert (await victim.verify()).problems == ()


@pytest_asyncio.fixture(scope="session")
async def steady(shared_owner_db: DatabaseManager) -> AsyncIterator[Victim]:
    """One ledger on each server, shared by attacks that are refused and so change nothing of it."""
    victim = await make_victim(shared_owner_db)
    yield victim
    assert (await victim.verify()).problems == ()


@pytest_asyncio.fixture
async def casualty(shared_owner_db: DatabaseManager) -> Victim:
    """A fresh ledger in the shared database that is not looked at afterwards."""
    return await make_victim(shared_owner_db)


@pytest_asyncio.fixture
async def own_victim(owned_server: Server) -> AsyncIterator[Victim]:
    """A ledger in a database of its own, for attacks that change the schema."""
    async with owned_copy(owned_server) as dsn, as_owner(dsn) as db:
        yield await make_victim(db)


@pytest_asyncio.fixture
async def superuser(shared_dsn: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A superuser in the shared database, for whom no trigger fires."""
    connection = await asyncpg.connect(past_pooler(shared_dsn))
    await connection.execute("SET session_replication_role = replica")
    yield connection
    await connection.close()
