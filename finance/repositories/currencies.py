"""The currencies of a ledger: of ISO 4217 on first use, or its owner's own."""

from __future__ import annotations

from sqlalchemy.dialects.postgresql import insert

from finance.errors import CurrencyError, NotFoundError
from finance.integrity import translated
from finance.models import Currency
from finance.money import EXPONENT_MAX, iso_currency
from finance.repositories.base import Repository


class CurrencyRepository(Repository[Currency]):
    """The currencies that this ledger counts in, in order of their codes."""

    model = Currency
    order = (Currency.code,)

    async def open(self, code: str, *, exponent: int, name: str | None = None) -> Currency:
        """Add a currency of the ledger's own, such as BTC or AAPL.

        Args:
            code: As it is written everywhere; case matters.
            exponent: How many decimals its amounts may have, 0 to 18; it may grow later, never shrink.
            name: For people; the code unless given.

        Raises:
            AlreadyExistsError: The ledger has it.
            CurrencyError: The exponent is not between 0 and 18.

        Database:
            One INSERT.
        """
        if not isinstance(exponent, int) or not 0 <= exponent <= EXPONENT_MAX:
            raise CurrencyError(code, f"has {exponent!r} decimals; 0 to {EXPONENT_MAX} are possible")
        return await self.add(Currency(code=code, exponent=exponent, name=name or code))

    async def get_or_open(self, code: str) -> Currency:
        """Return the ledger's currency *code*, adding it from ISO 4217 when the ledger has not used it yet.

        Raises:
            CurrencyError: Neither the ledger nor ISO 4217 knows it.

        Database:
            One SELECT; on first use one INSERT and another SELECT.
        """
        found = await self.get(code)
        if found is not None:
            return found
        iso = iso_currency(code)
        statement = insert(Currency).values(
            ledger_id=self._scope.ledger_id, code=iso.code, exponent=iso.exponent, name=iso.name
        )
        with translated():
            await self._scope.session.execute(statement.on_conflict_do_nothing())
        return await self.get_one(iso.code)

    def _not_found(self, key: str) -> NotFoundError:
        return NotFoundError(f"this ledger has no currency {key!r}")
