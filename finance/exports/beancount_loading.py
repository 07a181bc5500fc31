"""Post books that were exported for beancount: the same accounts, prices and entries, in an empty ledger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from finance.errors import BooksFileError, ConflictError, InvalidError
from finance.exports.cells import BadCellError, Row, amount_of, day_of, decimals_of, names_of, object_of, read_entry
from finance.exports.directives import Directive, Line, base_currency_of, read_directives
from finance.exports.names import is_tag, original_account
from finance.exports.posting import BATCH, Loaded, Loader, Read
from finance.exports.texts import tags_text
from finance.models import Account, Currency, NewPrice
from finance.models.new_entry import details_json, require_text
from finance.unit_of_work import UnitOfWork

_BATCH = BATCH
#: Prices that are recorded by one statement.
_PRICES = 5000

_BASE_CURRENCY = "SELECT base_currency FROM ledgers WHERE id = $1"
_IS_EMPTY = """
SELECT NOT EXISTS (SELECT FROM accounts WHERE ledger_id = $1)
   AND NOT EXISTS (SELECT FROM journal_entries WHERE ledger_id = $1)
   AND NOT EXISTS (SELECT FROM prices WHERE ledger_id = $1)
"""
#: Characters of a rate, which may have any number of decimals that PostgreSQL can store.
_LONGEST_RATE = 16_000
#: What the JSON of an account says of one of its currencies.
_FIELDS = {"opened_on", "closed_on", "minimum_balance", "maximum_balance", "details"}


class _Commodity(NamedTuple):
    code: str
    decimals: str


@dataclass(frozen=True, slots=True)
class _Opened:
    """An account that was opened, and what it gets when everything is posted: by then it may refuse postings."""

    id: int
    name: str
    type: str
    line: int
    closed_on: date | None
    minimum_balance: str | None
    maximum_balance: str | None


async def load_beancount(uow: UnitOfWork, path: str | Path) -> Loaded:
    """Post what `beancount_lines()` has written, in an empty ledger; exporting that gives the same bytes again.

    It reads the file itself and needs no beancount. Currencies, accounts with their days, limits and details, and
    prices come back, as do entries: ids, dates, descriptions, details, payees, tags, lines and memos, and the links to
    what they reverse or amend. What the file does not carry is not restored: who recorded something and when, what a
    description was before, aliases of payees and tags, holds, closed periods, statements, rules and plans. An
    adjustment that the database booked comes back as a normal entry.

    Raises:
        InvalidError: The ledger has accounts, entries or prices.
        BooksFileError: The file cannot be read, is no such export, or is of books with another base currency; says the
            line. Roll the unit of work back, as leaving its block by the error does.
        FinanceError: As `uow.journal.post_many()`.

    Database:
        For each 1,000 entries one INSERT and up to two SELECTs, and what `uow.journal.label_many()` takes; one INSERT
        for 5,000 prices; for each account and currency a SELECT and an INSERT, and for each account that is closed or
        has limits three statements more. Memory for the accounts, 1,000 entries and 5,000 prices, and for entries that
        stand before one that they name.
    """
    path = Path(path)
    if not await uow.connection.fetchval(_IS_EMPTY, uow.ledger_id):
        raise InvalidError("this ledger is not empty: an export is loaded into one without accounts, entries or prices")
    base_currency = await uow.connection.fetchval(_BASE_CURRENCY, uow.ledger_id)
    if (stated := base_currency_of(path)) != base_currency:
        reason = f"these books have the base currency {stated[:40]!r}, and the ledger {base_currency}"
        raise BooksFileError(path.name, f"{reason}: load it into another ledger")
    loading = _Loading(uow, path.name)
    for directive in read_directives(path):
        await loading.take(directive)
    return await loading.finished()


class _Loading:
    """Does what the directives of a file say, one after another."""

    def __init__(self, uow: UnitOfWork, file: str) -> None:
        self._uow = uow
        self._file = file
        self._commodities: dict[str, _Commodity] = {}
        self._codes: set[str] = set()
        self._accounts: dict[str, dict[str, _Opened]] = {}
        self._prices: list[NewPrice] = []
        self._entries: list[Read] = []
        self._loader = Loader(uow, file)
        self._takers = {
            "commodity": self._open_currency,
            "open": self._open_accounts,
            "close": self._close,
            "price": self._price,
            "entry": self._entry,
        }

    async def take(self, directive: Directive) -> None:
        """Do what a directive says, or keep it until there are enough of its kind.

        Raises:
            BooksFileError: It cannot be done.
        """
        try:
            await self._takers[directive.kind](directive)
        except BooksFileError:
            raise
        except (InvalidError, ConflictError) as error:
            raise BooksFileError(self._file, f"{error}", line=directive.line) from error

    async def finished(self) -> Loaded:
        """Post what is left, close what is closed, and return what was done.

        Raises:
            BooksFileError: Something is refused, or an entry names one that the file does not have.
        """
        await self._record()
        await self._post()
        opened = [each for held in self._accounts.values() for each in held.values()]
        loaded = self._loader.finished(len(opened))
        for each in opened:
            try:
                await self._restrict(each)
            except (InvalidError, ConflictError) as error:
                raise BooksFileError(self._file, f"{error}", line=each.line) from error
        return loaded

    async def _restrict(self, account: _Opened) -> None:
        """Close an account, and set its limits."""
        changes = account.closed_on, account.minimum_balance, account.maximum_balance
        if any(each is not None for each in changes):
            closed_on, least, most = changes
            await self._uow.accounts.update(
                account.id, closed_on=closed_on, minimum_balance=least, maximum_balance=most
            )

    async def _open_currency(self, said: Directive) -> None:
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
        self._commodities[name] = _Commodity(code, str(exponent))

    async def _open_accounts(self, said: Directive) -> None:
        name, type_ = original_account(said.said["name"])
        if said.said["name"] in self._accounts:
            raise InvalidError(f"account {name[:80]!r} is opened twice")
        if said.meta.get("name", name) != name:
            raise InvalidError(f"the account is {name[:80]!r} by its name here, and another by the line `name`")
        held = {each: self._commodity(each) for each in said.said["held"].split(",")}
        stated = object_of("accounts", said.meta["accounts"]) if "accounts" in said.meta else {}
        if unknown := set(stated) - {each.code for each in held.values()}:
            raise InvalidError(f"`accounts` says something of currencies that it does not hold: {sorted(unknown)[:3]}")
        self._accounts[said.said["name"]] = {
            each: await self._open(name, type_, commodity.code, stated.get(commodity.code, {}), said.line)
            for each, commodity in held.items()
        }

    async def _open(self, name: str, type_: str, code: str, stated: object, line: int) -> _Opened:
        if not isinstance(stated, dict) or not set(stated) <= _FIELDS:
            raise BadCellError("accounts", stated, f"a JSON object of {', '.join(sorted(_FIELDS))} for each currency")
        days = {key: day_of(key, stated[key]) for key in ("opened_on", "closed_on") if key in stated}
        limits = {key: amount_of(key, stated[key]) for key in ("minimum_balance", "maximum_balance") if key in stated}
        require_text("the name of an account", name)
        given = Account(name=name, type=type_, currency=code, opened_on=days.get("opened_on"), details=_details(stated))
        account = await self._uow.accounts.add(given)
        least, most = limits.get("minimum_balance"), limits.get("maximum_balance")
        return _Opened(account.id, name, type_, line, days.get("closed_on"), least, most)

    async def _close(self, said: Directive) -> None:
        held = self._accounts.get(said.said["name"], {})
        if not held or any(each.closed_on is None for each in held.values()):
            raise InvalidError(f"account {said.said['name'][:80]!r} is not opened above with a `closed_on`")

    async def _price(self, said: Directive) -> None:
        currency, quote = (self._commodity(said.said[key]).code for key in ("name", "quote"))
        rate = said.said["rate"]
        if len(rate) > _LONGEST_RATE:
            raise BadCellError("the rate", rate, f"a number of at most {_LONGEST_RATE} characters")
        day = day_of("date", said.said["day"])
        self._prices.append(NewPrice(currency, rate, quote, day, said.meta.get("source", "")))
        if len(self._prices) >= _PRICES:
            await self._record()

    async def _entry(self, said: Directive) -> None:
        rows = list(self._rows(said))
        if not rows:
            raise InvalidError("an entry has postings")
        accounts = [self._accounts[each.account][each.commodity].id for each in said.postings]
        self._entries.append(read_entry(rows, accounts, self._file))
        if len(self._entries) >= _BATCH:
            await self._post()

    def _rows(self, said: Directive) -> Iterator[Row]:
        meta = said.meta
        entry = (
            meta.get("id", ""),
            said.said["day"],
            said.text("description"),
            meta.get("reverses", ""),
            meta.get("amends", ""),
            meta.get("details", ""),
            said.text("payee"),
            _tags(said),
        )
        for each in said.postings:
            account = self._account(each)
            code, decimals = self._commodities[each.commodity]
            yield Row(each.line, *entry, account.name, account.type, code, decimals, each.amount, each.memo)

    def _account(self, line: Line) -> _Opened:
        account = self._accounts.get(line.account, {}).get(line.commodity)
        if account is None:
            reason = f"account {line.account[:80]!r} is not opened above with the commodity {line.commodity[:40]!r}"
            raise BooksFileError(self._file, reason, line=line.line)
        return account

    def _commodity(self, name: str) -> _Commodity:
        found = self._commodities.get(name)
        if found is None:
            raise InvalidError(f"commodity {name[:40]!r} is not declared above")
        return found

    async def _record(self) -> None:
        prices, self._prices = self._prices, []
        try:
            await self._uow.prices.record(prices)
        except InvalidError as error:
            raise BooksFileError(self._file, f"{error}") from error

    async def _post(self) -> None:
        entries, self._entries = self._entries, []
        await self._loader.post(entries)


def _details(stated: Mapping[str, Any]) -> dict[str, Any]:
    details = stated.get("details", {})
    if not isinstance(details, dict):
        raise BadCellError("details", details, "a JSON object")
    details_json(details)  # or it is none that can be stored
    return details


def _tags(said: Directive) -> str:
    """Return all tags of an entry in the form in which a CSV has them."""
    marked = [each.removeprefix("#") for each in said.said["tags"].split()]
    if not all(map(is_tag, marked)):
        raise InvalidError("a tag of it is none that beancount can have")
    others = names_of("tags", said.meta["tags"]) if "tags" in said.meta else []
    return tags_text([*marked, *others])
