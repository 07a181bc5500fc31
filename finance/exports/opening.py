"""The currencies and accounts that an export for beancount declares: opened first, and closed last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from finance.errors import BooksFileError, ConflictError, InvalidError
from finance.exports.cells import BadCellError, amount_of, day_of, decimals_of, object_of
from finance.exports.directives import Directive
from finance.exports.names import original_account
from finance.models import Account, Currency
from finance.models.new_entry import details_json, require_text
from finance.unit_of_work import UnitOfWork

#: What the JSON of an account says of one of its currencies.
_FIELDS = {"opened_on", "closed_on", "minimum_balance", "maximum_balance", "details"}


class Commodity(NamedTuple):
    """A currency, and how many decimals it has."""

    code: str
    decimals: str


@dataclass(frozen=True, slots=True)
class Opened:
    """An account that was opened, and what it gets when everything is posted: by then it may refuse postings."""

    id: int
    name: str
    type: str
    commodity: Commodity
    line: int
    closed_on: date | None
    minimum_balance: str | None
    maximum_balance: str | None


class Opening:
    """Opens what the directives of a file declare, in an empty ledger, and knows it by its names there."""

    def __init__(self, uow: UnitOfWork, file: str) -> None:
        self._uow = uow
        self._file = file
        self._commodities: dict[str, Commodity] = {}
        self._codes: set[str] = set()
        self._accounts: dict[str, dict[str, Opened]] = {}

    @property
    def opened(self) -> int:
        """How many accounts were opened."""
        return sum(map(len, self._accounts.values()))

    def commodity(self, name: str) -> Commodity:
        """Return a currency by its name in the file.

        Raises:
            InvalidError: It is not declared so far.
        """
        found = self._commodities.get(name)
        if found is None:
            raise InvalidError(f"commodity {name[:40]!r} is not declared above")
        return found

    def account(self, name: str, commodity: str) -> Opened:
        """Return an account by its names in the file.

        Raises:
            InvalidError: It is not opened so far.
        """
        found = self._accounts.get(name, {}).get(commodity)
        if found is None:
            raise InvalidError(f"account {name[:80]!r} is not opened above with the commodity {commodity[:40]!r}")
        return found

    async def restrict(self) -> None:
        """Close the accounts that are closed, and set limits: nothing is posted any more.

        Raises:
            BooksFileError: The books refuse it.
        """
        for each in (account for held in self._accounts.values() for account in held.values()):
            try:
                await self._restrict(each)
            except (InvalidError, ConflictError) as error:
                raise BooksFileError(self._file, f"{error}", line=each.line) from error

    async def _restrict(self, account: Opened) -> None:
        changes = account.closed_on, account.minimum_balance, account.maximum_balance
        if any(each is not None for each in changes):
            closed_on, least, most = changes
            await self._uow.accounts.update(
                account.id, closed_on=closed_on, minimum_balance=least, maximum_balance=most
            )

    async def open_currency(self, said: Directive) -> None:
        """Open the currency of a commodity directive."""
        name, meta = said.said["name"], said.meta
        code = meta.get("code", name)
        if name in self._commodities or code in self._codes:
            raise InvalidError(f"commodity {name[:40]!r} stands in it twice")
        exponent = decimals_of(meta.get("precision", ""))
        found = await self._uow.currencies.get(code)
        if found is None:
            await self._uow.currencies.add(Currency(code=code, exponent=exponent, name=meta.get("name", code)))
        elif exponent < found.exponent:
            raise InvalidError(f"currency {code!r} has {found.exponent} decimals in this ledger, and {exponent} here")
        else:  # the base currency, which came with the ledger
            found.exponent, found.name = exponent, meta.get("name", code)
            await self._uow.session.flush()
        self._codes.add(code)
        self._commodities[name] = Commodity(code, str(exponent))

    async def open_accounts(self, said: Directive) -> None:
        """Open the accounts of an open directive, one for each of its currencies."""
        name, type_ = original_account(said.said["name"])
        if said.said["name"] in self._accounts:
            raise InvalidError(f"account {name[:80]!r} is opened twice")
        if said.meta.get("name", name) != name:
            raise InvalidError(f"the account is {name[:80]!r} by its name here, and another by the line `name`")
        held = {each: self.commodity(each) for each in said.said["held"].split(",")}
        stated = object_of("accounts", said.meta["accounts"]) if "accounts" in said.meta else {}
        if unknown := set(stated) - {each.code for each in held.values()}:
            raise InvalidError(f"`accounts` says something of currencies that it does not hold: {sorted(unknown)[:3]}")
        self._accounts[said.said["name"]] = {
            each: await self._open(name, type_, commodity, stated.get(commodity.code, {}), said.line)
            for each, commodity in held.items()
        }

    async def _open(self, name: str, type_: str, held: Commodity, stated: object, line: int) -> Opened:
        if not isinstance(stated, dict) or not set(stated) <= _FIELDS:
            raise BadCellError("accounts", stated, f"a JSON object of {', '.join(sorted(_FIELDS))} for each currency")
        days = {key: day_of(key, stated[key]) for key in ("opened_on", "closed_on") if key in stated}
        limits = {key: amount_of(key, stated[key]) for key in ("minimum_balance", "maximum_balance") if key in stated}
        require_text("the name of an account", name)
        account = Account(name=name, type=type_, currency=held.code, opened_on=days.get("opened_on"))
        account.details = _details(stated)
        await self._uow.accounts.add(account)
        least, most = limits.get("minimum_balance"), limits.get("maximum_balance")
        return Opened(account.id, name, type_, held, line, days.get("closed_on"), least, most)

    async def close(self, said: Directive) -> None:
        """See that the accounts of a close directive say the same."""
        held = self._accounts.get(said.said["name"], {})
        if not held or any(each.closed_on is None for each in held.values()):
            raise InvalidError(f"account {said.said['name'][:80]!r} is not opened above with a `closed_on`")


def _details(stated: Mapping[str, Any]) -> dict[str, Any]:
    details = stated.get("details", {})
    if not isinstance(details, dict):
        raise BadCellError("details", details, "a JSON object")
    details_json(details)  # or it is none that can be stored
    return details
