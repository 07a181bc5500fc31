"""Ledgers to import into."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from uuid import UUID

import pytest_asyncio

from finance import DatabaseManager, Ledger, UnitOfWork

from .files import bring, line, stored_lines

_names = itertools.count(1)


@pytest_asyncio.fixture
async def books(db: DatabaseManager) -> Ledger:
    """A ledger of its own, in a database of its own."""
    return await db.ledgers.create("Household", base_currency="EUR")


@pytest_asyncio.fixture
async def unit(shared_db: tuple[DatabaseManager, Ledger]) -> AsyncIterator[UnitOfWork]:
    """A unit of work for a new ledger, rolled back after everything that waits for COMMIT has been checked."""
    manager, _ = shared_db
    ledger = await manager.ledgers.create(f"Import {next(_names)}", base_currency="EUR")
    async with manager.unit_of_work(ledger) as uow:
        yield uow
        if uow.is_open:
            await uow.connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
            await uow.rollback()


@pytest_asyncio.fixture
async def books_of_another(shared_db: tuple[DatabaseManager, Ledger]) -> tuple[int, UUID]:
    """A line and its entry in another ledger: of five euros that went out."""
    manager, _ = shared_db
    ledger = await manager.ledgers.create(f"Import {next(_names)}", base_currency="EUR")
    async with manager.unit_of_work(ledger) as uow:
        await bring(uow, line("-5"))
        (stored,) = await stored_lines(uow)
        assert stored.entry_id
        return stored.id, stored.entry_id
