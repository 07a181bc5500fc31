"""Post books that were exported for beancount: the same accounts, prices and entries, in an empty ledger."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from finance.errors import BooksFileError, ConflictError, InvalidError
from finance.exports.cells import BadCellError, Row, day_of, names_of, read_entry
from finance.exports.directives import Directive, Line, base_currency_of, read_directives
from finance.exports.names import is_tag
from finance.exports.opening import Opened, Opening
from finance.exports.posting import BATCH, Loaded, Loader, Read
from finance.exports.texts import tags_text
from finance.models import NewPrice
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
        self._opening = Opening(uow, file)
        self._prices: list[NewPrice] = []
        self._entries: list[Read] = []
        self._loader = Loader(uow, file)
        self._takers = {
            "commodity": self._opening.open_currency,
            "open": self._opening.open_accounts,
            "close": self._opening.close,
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
        loaded = self._loader.finished(self._opening.opened)
        await self._opening.restrict()
        return loaded

    async def _price(self, said: Directive) -> None:
        currency, quote = (self._opening.commodity(said.said[key]).code for key in ("name", "quote"))
        rate = said.said["rate"]
        if len(rate) > _LONGEST_RATE:
            raise BadCellError("the rate", rate, f"a number of at most {_LONGEST_RATE} characters")
        day = day_of("date", said.said["day"])
        self._prices.append(NewPrice(currency, rate, quote, day, said.meta.get("source", "")))
        if len(self._prices) >= _PRICES:
            await self._record()

    async def _entry(self, said: Directive) -> None:
        if not said.postings:
            raise InvalidError("an entry has postings")
        accounts = [self._account(each) for each in said.postings]
        self._entries.append(read_entry(self._rows(said, accounts), [each.id for each in accounts], self._file))
        if len(self._entries) >= _BATCH:
            await self._post()

    def _account(self, line: Line) -> Opened:
        try:
            return self._opening.account(line.account, line.commodity)
        except InvalidError as error:
            raise BooksFileError(self._file, f"{error}", line=line.line) from error

    def _rows(self, said: Directive, accounts: Sequence[Opened]) -> list[Row]:
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
        return [
            Row(each.line, *entry, account.name, account.type, *account.commodity, each.amount, each.memo)
            for each, account in zip(said.postings, accounts, strict=True)
        ]

    async def _record(self) -> None:
        prices, self._prices = self._prices, []
        try:
            await self._uow.prices.record(prices)
        except InvalidError as error:
            raise BooksFileError(self._file, f"{error}") from error

    async def _post(self) -> None:
        entries, self._entries = self._entries, []
        await self._loader.post(entries)


def _tags(said: Directive) -> str:
    """Return all tags of an entry in the form in which a CSV has them."""
    marked = [each.removeprefix("#") for each in said.said["tags"].split()]
    if not all(map(is_tag, marked)):
        raise InvalidError("a tag of it is none that beancount can have")
    others = names_of("tags", said.meta["tags"]) if "tags" in said.meta else []
    return tags_text([*marked, *others])
