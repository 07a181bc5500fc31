"""Ledgers: sets of books."""

from __future__ import annotations

from datetime import date

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from finance.errors import AlreadyExistsError, InvalidError, LedgerNotFoundError, PeriodClosedError
from finance.integrity import translated
from finance.models import Currency, Ledger
from finance.money import iso_currency
from finance.repositories.balances import require_day
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

    async def close_through(self, ledger: Ledger | int, through: date) -> Ledger:
        """Close the ledger through the day *through*: nothing is posted on or before it any more.

        It waits until every transaction that is posting to the ledger has ended: none of them can land
        behind the closing. Closing through the same day again changes nothing.

        Raises:
            LedgerNotFoundError: There is no such ledger.
            PeriodClosedError: It is closed through a later day already; `reopen()` opens that again.
            InvalidError: *through* is not a plain day.

        Database:
            One SELECT FOR NO KEY UPDATE and one UPDATE; an exclusive advisory lock that posters share.
        """
        if not require_day("through", through):
            raise InvalidError("say through which day to close; reopen() opens a period again")
        found = await self._locked(ledger)
        if found.closed_through is not None and through < found.closed_through:
            raise PeriodClosedError(through, found.closed_through)
        return await self._close(found, through)

    async def reopen(self, ledger: Ledger | int, *, through: date | None = None) -> Ledger:
        """Open the closed period of the ledger again: all of it, or what lies behind the day *through*.

        Args:
            ledger: The ledger, or its id.
            through: The last day that stays closed; None for no such day.

        Raises:
            LedgerNotFoundError: There is no such ledger.
            InvalidError: *through* is later than what is closed: that would close more. Or it is not a plain day.

        Database:
            As `close_through()`.
        """
        require_day("through", through)
        found = await self._locked(ledger)
        if through is not None and (found.closed_through is None or through > found.closed_through):
            closed = "nothing is closed" if found.closed_through is None else f"closed through {found.closed_through}"
            raise InvalidError(f"reopening through {through} would close more ({closed}): use close_through()")
        return await self._close(found, through)

    async def _locked(self, ledger: Ledger | int) -> Ledger:
        """Lock the ledger's row, so that nobody closes or reopens it meanwhile, and read it."""
        return await self.get_one(ledger.id if isinstance(ledger, Ledger) else ledger, for_update=True)

    async def _close(self, ledger: Ledger, through: date | None) -> Ledger:
        ledger.closed_through = through
        await self._flush()
        return ledger

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
