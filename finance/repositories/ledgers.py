"""Ledgers: sets of books."""

from __future__ import annotations

from datetime import date

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from finance.errors import AlreadyExistsError, LedgerNotFoundError
from finance.integrity import translated
from finance.models import Currency, Ledger
from finance.money import iso_currency
from finance.repositories.base import Repository


class LedgerRepository(Repository[Ledger]):
    """Every ledger of the database, in order of their ids."""

    model = Ledger
    order = (Ledger.id,)

    async def get_by_name(self, name: str) -> Ledger | None:
        """Return the ledger *name*, or None.

        Database:
            One SELECT.
        """
        session = self._scope.require_open()
        with translated():
            return await session.scalar(
                select(Ledger).where(Ledger.name == name).execution_options(populate_existing=True)
            )

    async def create(self, name: str, *, base_currency: str) -> Ledger:
        """Make a new ledger.

        Args:
            name: Unique in the database.
            base_currency: An ISO 4217 code; reports value everything in it.

        Raises:
            AlreadyExistsError: The name is taken.
            CurrencyError: ISO 4217 does not know the currency.

        Database:
            Two INSERTs.
        """
        ledger = await self._insert(name, base_currency)
        if ledger is None:
            raise AlreadyExistsError("ledger", [name])
        return ledger

    async def get_or_create(self, name: str, *, base_currency: str) -> Ledger:
        """Return the ledger *name*, making it when there is none. An existing one keeps its base currency.

        Raises:
            CurrencyError: ISO 4217 does not know the currency.

        Database:
            One SELECT; when it is new two INSERTs, and when another was faster one more SELECT.
        """
        found = await self.get_by_name(name) or await self._insert(name, base_currency)
        if found is None:
            found = await self.get_by_name(name)
        if found is None:
            raise LedgerNotFoundError(name)
        return found

    async def close_through(self, ledger: Ledger | int, through: date | None) -> Ledger:
        """Close the ledger through the day *through*, or reopen it with an earlier day or None.

        It waits until every transaction that is posting to the ledger has ended: none of them can land
        behind the closing.

        Raises:
            LedgerNotFoundError: There is no such ledger.

        Database:
            One SELECT and one UPDATE; an exclusive advisory lock that posters share.
        """
        found = await self.get_one(ledger.id if isinstance(ledger, Ledger) else ledger)
        found.closed_through = through
        await self._flush()
        return found

    async def _insert(self, name: str, base_currency: str) -> Ledger | None:
        iso = iso_currency(base_currency)
        session = self._scope.require_open()
        statement = insert(Ledger).values(name=name, base_currency=iso.code)
        with translated():
            ledger = await session.scalar(
                statement.on_conflict_do_nothing(index_elements=[Ledger.name]).returning(Ledger)
            )
        if ledger is not None:
            session.add(Currency(ledger_id=ledger.id, code=iso.code, exponent=iso.exponent, name=iso.name))
            await self._flush()
        return ledger

    def _not_found(self, key: int) -> LedgerNotFoundError:
        return LedgerNotFoundError(key)
