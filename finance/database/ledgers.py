"""`db.ledgers`: ledgers, each call in a transaction of its own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import date
from typing import TYPE_CHECKING

from finance.pagination import PAGE_SIZE, Page

if TYPE_CHECKING:
    from finance.models import Ledger
    from finance.unit_of_work import UnitOfWork


class Ledgers:
    """The ledgers of the database. What `uow.ledgers` does inside a transaction, each call does in its own."""

    def __init__(self, unit_of_work: Callable[[], AbstractAsyncContextManager[UnitOfWork]]) -> None:
        self._unit_of_work = unit_of_work

    async def get(self, ledger_id: int) -> Ledger | None:
        """Return the ledger with this id, or None."""
        async with self._unit_of_work() as uow:
            return await uow.ledgers.get(ledger_id)

    async def get_by_name(self, name: str) -> Ledger | None:
        """Return the ledger *name*, or None."""
        async with self._unit_of_work() as uow:
            return await uow.ledgers.get_by_name(name)

    async def create(self, name: str, *, base_currency: str) -> Ledger:
        """Make a new ledger.

        Raises:
            AlreadyExistsError: The name is taken.
            CurrencyError: ISO 4217 does not know the currency.
        """
        async with self._unit_of_work() as uow:
            return await uow.ledgers.create(name, base_currency=base_currency)

    async def get_or_create(self, name: str, *, base_currency: str) -> Ledger:
        """Return the ledger *name*, making it when there is none. An existing one keeps its base currency.

        Raises:
            CurrencyError: ISO 4217 does not know the currency.
        """
        async with self._unit_of_work() as uow:
            return await uow.ledgers.get_or_create(name, base_currency=base_currency)

    async def close_through(self, ledger: Ledger | int, through: date) -> Ledger:
        """Close the ledger through the day *through*: nothing is posted on or before it any more.

        Raises:
            LedgerNotFoundError: There is no such ledger.
            PeriodClosedError: It is closed through a later day already; `reopen()` opens that again.
            InvalidError: *through* is not a plain day.
        """
        async with self._unit_of_work() as uow:
            return await uow.ledgers.close_through(ledger, through)

    async def reopen(self, ledger: Ledger | int, *, through: date | None = None) -> Ledger:
        """Open the closed period of the ledger again: all of it, or what lies behind the day *through*.

        Raises:
            LedgerNotFoundError: There is no such ledger.
            InvalidError: *through* is later than what is closed, or not a plain day.
        """
        async with self._unit_of_work() as uow:
            return await uow.ledgers.reopen(ledger, through=through)

    async def page(self, *, after: str | None = None, limit: int = PAGE_SIZE) -> Page[Ledger]:
        """Return up to *limit* ledgers in order of their ids, behind the cursor *after*."""
        async with self._unit_of_work() as uow:
            return await uow.ledgers.page(after=after, limit=limit)
