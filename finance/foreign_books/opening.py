"""The currencies and accounts that books need: found in the ledger, or opened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import NamedTuple

from sqlalchemy import update

from finance.errors import InvalidError
from finance.foreign_books.books import BookAccount, Books
from finance.foreign_books.naming import CurrencyPlan, Wishes, require_account_name, roots_of
from finance.foreign_books.weighing import ROUNDING, VIRTUAL, Weighed
from finance.integrity import translated
from finance.models import Account, AccountType, Currency
from finance.repositories.exchanges import CONVERSIONS
from finance.unit_of_work import UnitOfWork

#: A name and a currency: of these a ledger has one account.
Place = tuple[str, str]

_ACCOUNTS = "SELECT id, name, currency, type, closed_on FROM accounts WHERE ledger_id = $1"
_OURS = (CONVERSIONS, ROUNDING, VIRTUAL)


class _Known(NamedTuple):
    id: int
    type: str
    closed_on: date | None


class Opening:
    """The accounts of a ledger while books are loaded into it."""

    def __init__(self, uow: UnitOfWork, books: Books, wishes: Wishes) -> None:
        self._uow = uow
        self._books = books
        self._wishes = wishes
        self._declared = {each.name: each for each in books.accounts}
        self._known: dict[Place, _Known] = {}
        self._untyped: set[str] = set()
        self._reopened: set[Place] = set()
        self.opened = 0

    async def open_currencies(self, plans: Iterable[CurrencyPlan]) -> dict[str, int]:
        """Have the currencies in the ledger, and return the decimals of each.

        One of the ledger's own gets more decimals where the file needs them, one of ISO 4217 where the user said so.
        """
        exponents = {}
        for plan in sorted(plans, key=lambda each: each.code):
            found = await self._uow.currencies.get(plan.code)
            if found is None:
                found = Currency(code=plan.code, exponent=plan.exponent, name=plan.name)
                await self._uow.currencies.add(found)
            elif found.exponent < plan.exponent:
                found.exponent = plan.exponent
            exponents[plan.code] = found.exponent
        await self._uow.session.flush()
        return exponents

    async def open_accounts(self, weighed: Iterable[Weighed], base_currency: str) -> dict[Place, int]:
        """Have every account that is posted to, and that the file declares, and return their ids.

        Raises:
            BooksFileError: A name is none that an account can have.
            InvalidError: The ledger has an account of that name of another type.
        """
        await self._read()
        wanted = {(line.account, line.currency): None for each in weighed for line in each.lines}
        for place in self._declared_places({name for name, _ in wanted}, base_currency):
            wanted.setdefault(place)
        missing = [self._account(*place) for place in wanted if not self._is_there(*place)]
        self._uow.session.add_all(missing)
        with translated():
            await self._uow.session.flush()
        self.opened = len(missing)
        await self._read()
        return {place: known.id for place, known in self._known.items()}

    async def reopen(self, places: Iterable[Place]) -> None:
        """Open accounts that an earlier load of the file has closed, and that have got more since."""
        for place in set(places):
            closed_on = self._known[place].closed_on
            if closed_on is not None and (declared := self._declared.get(place[0])) and declared.closed_on == closed_on:
                self._reopened.add(place)
        await self._close(dict.fromkeys(self._reopened))

    async def close(self) -> None:
        """Close what the file says is closed."""
        closings = {
            place: declared.closed_on
            for place, known in self._known.items()
            if (declared := self._declared.get(place[0])) is not None
            and declared.closed_on is not None
            and (known.closed_on is None or place in self._reopened)
        }
        await self._close(closings)

    def remarks(self) -> Iterator[str]:
        """Yield what the user should say better."""
        if self._untyped:
            roots = ", ".join(roots_of(self._untyped)[:5])
            yield (
                f"accounts of which nothing says what they are, taken for equity: {len(self._untyped)}, below {roots};"
                " a new ledger takes them right with types={'Name': 'asset'}, or --type Name=asset"
            )

    async def _read(self) -> None:
        rows = await self._uow.connection.fetch(_ACCOUNTS, self._uow.ledger_id)
        self._known = {(row["name"], row["currency"]): _Known(row["id"], row["type"], row["closed_on"]) for row in rows}

    def _declared_places(self, used: set[str], base_currency: str) -> Iterator[Place]:
        """Yield the accounts that the file declares: in the currencies that it states, or in the one of the ledger."""
        for each in self._books.accounts:
            codes = [self._wishes.code_of(code, self._books.file, None) for code in each.currencies]
            if not codes and each.name not in used:
                codes = [base_currency]
            yield from ((each.name, code) for code in codes)

    def _is_there(self, name: str, currency: str) -> bool:
        known = self._known.get((name, currency))
        if known is not None and (type_ := self._type(name)) is not None and known.type != type_:
            raise InvalidError(
                f"account {name!r} is of type {known.type} in this ledger, and {type_} in {self._books.file}:"
                " load it into a ledger of its own"
            )
        return known is not None

    def _account(self, name: str, currency: str) -> Account:
        require_account_name(name, self._books.file, None)
        type_ = self._type(name)
        if type_ is None:
            self._untyped.add(name)
        declared = self._declared.get(name, BookAccount(name))
        return Account(
            ledger_id=self._uow.ledger_id,
            name=name,
            type=str(type_ or AccountType.EQUITY),
            currency=currency,
            opened_on=declared.opened_on,
            # Under the program's own name, as those of entries: an `iban` of ours identifies one account.
            details={self._books.program: dict(declared.details)} if declared.details else {},
        )

    def _type(self, name: str) -> AccountType | None:
        declared = self._declared.get(name)
        return self._wishes.type_of(name, declared.type if declared else AccountType.EQUITY if name in _OURS else None)

    async def _close(self, closings: Mapping[Place, date | None]) -> None:
        for place, closed_on in sorted(closings.items()):
            statement = update(Account).where(
                Account.ledger_id == self._uow.ledger_id, Account.id == self._known[place].id
            )
            with translated():
                await self._uow.session.execute(statement.values(closed_on=closed_on))
