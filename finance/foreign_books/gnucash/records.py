"""What both forms of a GnuCash file hold, and the books that it makes.

Of a transaction every split has a value in the transaction's currency, in which they sum to zero, and a quantity of
its account's commodity. Scheduled transactions are templates and no part of the books.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from finance.errors import BooksFileError, InvalidError
from finance.foreign_books.books import BookAccount, BookCommodity, BookEntry, BookPosting, Books
from finance.foreign_books.values import fraction, rate
from finance.models import AccountType, NewPrice
from finance.money import iso_currencies

#: Account types of GnuCash (libgnucash/engine/Account.h).
_TYPES: Mapping[str, AccountType] = {
    **dict.fromkeys(("ASSET", "BANK", "CASH", "STOCK", "MUTUAL", "RECEIVABLE", "CURRENCY"), AccountType.ASSET),
    **dict.fromkeys(("CHECKING", "SAVINGS", "MONEYMRKT"), AccountType.ASSET),
    **dict.fromkeys(("LIABILITY", "CREDIT", "PAYABLE", "CREDITLINE"), AccountType.LIABILITY),
    **dict.fromkeys(("EQUITY", "TRADING"), AccountType.EQUITY),
    "INCOME": AccountType.INCOME,
    "EXPENSE": AccountType.EXPENSE,
}
#: What the namespace of a currency is called; the second one by old files.
_CURRENCIES = ("CURRENCY", "ISO4217")
_ROOT = "ROOT"
#: Accounts below each other; a file that has more goes round in a circle.
_DEEPEST = 100


@dataclass(frozen=True, slots=True)
class CommodityRecord:
    """A commodity, under the key that accounts and transactions name it by."""

    key: str
    namespace: str
    mnemonic: str
    name: str | None = None
    units: int | None = None


@dataclass(frozen=True, slots=True)
class AccountRecord:
    """An account."""

    guid: str
    name: str
    type: str
    commodity: str | None
    parent: str | None
    details: Mapping[str, Any] = field(default_factory=dict)
    line: int | None = None


@dataclass(frozen=True, slots=True)
class SplitRecord:
    """A split of a transaction: value and quantity as pairs of whole numbers."""

    account: str
    value: tuple[int, int]
    quantity: tuple[int, int]
    memo: str = ""
    action: str = ""


@dataclass(frozen=True, slots=True)
class TransactionRecord:
    """A transaction with its splits."""

    guid: str
    currency: str
    date: date
    description: str
    splits: Sequence[SplitRecord]
    details: Mapping[str, Any] = field(default_factory=dict)
    line: int | None = None


@dataclass(frozen=True, slots=True)
class PriceRecord:
    """A price of a commodity in a currency."""

    commodity: str
    currency: str
    date: date
    value: tuple[int, int]
    source: str = ""


class BooksOfGnuCash:
    """Makes books of records."""

    def __init__(
        self, file: str, commodities: Iterable[CommodityRecord], accounts: Iterable[AccountRecord], templates: set[str]
    ) -> None:
        self._file = file
        self._commodities = {each.key: each for each in commodities if each.namespace != "template"}
        self._codes = _codes(self._commodities.values())
        self._accounts = {each.guid: each for each in accounts}
        self._roots = {each.guid for each in self._accounts.values() if each.type == _ROOT}
        self._templates = templates
        self._names: dict[str, str | None] = {}
        self._scheduled = 0
        self._without_value = 0

    def finished(self, transactions: Iterable[TransactionRecord], prices: Iterable[PriceRecord]) -> Books:
        """Return the books.

        Raises:
            BooksFileError: A record names one that is not there, or says what cannot be.
        """
        accounts = self._book_accounts()
        entries = tuple(entry for each in transactions if (entry := self._entry(each)) is not None)
        found = tuple(price for each in prices if (price := self._price(each)) is not None)
        remarks = []
        if self._scheduled:
            remarks.append(f"scheduled transactions, which are templates and not books: {self._scheduled}")
        if self._without_value:
            remarks.append(f"prices of nothing, left out: {self._without_value}")
        commodities = tuple(
            BookCommodity(
                self._codes[key],
                each.name,
                None if each.units is None else _decimals(each.units),
                each.namespace in _CURRENCIES,
            )
            for key, each in self._commodities.items()
        )
        return Books(
            self._file,
            "gnucash",
            commodities,
            accounts,
            entries,
            found,
            base_currency=self._most_used(entries),
            remarks=tuple(remarks),
        )

    def _book_accounts(self) -> tuple[BookAccount, ...]:
        made: dict[str, BookAccount] = {}
        for each in self._accounts.values():
            name = self._name(each.guid)
            if name is None:
                continue
            if name in made:
                raise self._error(f"two accounts are called {name!r}; rename one in GnuCash", each.line)
            made[name] = BookAccount(
                name, self._type(each), (self._code(each.commodity, each.line),), details=each.details
            )
        return tuple(made.values())

    def _name(self, guid: str) -> str | None:
        """Return the name of an account with those above it; None for a root, and for what is below the templates'."""
        if guid not in self._names:
            segments: list[str] = []
            at: str | None = guid
            while at is not None and at not in self._roots:
                account = self._accounts.get(at)
                if account is None or len(segments) > _DEEPEST:
                    raise self._error(f"account {guid[:40]!r} is below one that is not there, or below itself")
                # A colon is between the segments; GnuCash allows it in a name where its separator is another.
                segments.append(account.name.strip().replace(":", "-"))
                at = account.parent
            is_template = at in self._templates
            if not is_template and not all(segments):
                raise self._error(f"account {guid[:40]!r} has no name")
            self._names[guid] = None if is_template or not segments else ":".join(reversed(segments))
        return self._names[guid]

    def _type(self, account: AccountRecord) -> AccountType:
        try:
            return _TYPES[account.type]
        except KeyError:
            raise self._error(f"{account.type[:40]!r} is no type of accounts of GnuCash", account.line) from None

    def _code(self, key: str | None, line: int | None) -> str:
        try:
            return self._codes[key or ""]
        except KeyError:
            raise self._error("an account or a transaction names a commodity that is not there", line) from None

    def _entry(self, record: TransactionRecord) -> BookEntry | None:
        names = []
        for split in record.splits:
            if split.account not in self._accounts:
                raise self._error(f"transaction {record.guid[:40]!r} names an account that is not there", record.line)
            names.append(self._name(split.account))
        if names and all(name is None for name in names):
            self._scheduled += 1
            return None
        if None in names:
            raise self._error(f"transaction {record.guid[:40]!r} is on a root account", record.line)
        currency = self._code(record.currency, record.line)
        postings = tuple(
            self._posting(record, split, name, currency)
            for split, name in zip(record.splits, names, strict=True)
            if name
        )
        return BookEntry(
            record.date, record.description, postings, self._file, record.line, record.guid, details=record.details
        )

    def _posting(self, record: TransactionRecord, split: SplitRecord, name: str, currency: str) -> BookPosting:
        held = self._code(self._accounts[split.account].commodity, record.line)
        value, quantity = (self._amount(pair, record) for pair in (split.value, split.quantity))
        memo = " | ".join(filter(None, (split.action, split.memo))) or None
        if held == currency and value == quantity:
            return BookPosting(name, quantity, held, memo=memo)
        return BookPosting(
            name, quantity, held, value, currency, memo, lot={"total": f"{value.copy_abs():f} {currency}"}
        )

    def _amount(self, pair: tuple[int, int], record: TransactionRecord) -> Decimal:
        found = fraction(*pair)
        if found is None:
            reason = f"{pair[0]}/{pair[1]} in transaction {record.guid[:40]!r} is no decimal number"
            raise self._error(reason, record.line)
        return found

    def _price(self, record: PriceRecord) -> NewPrice | None:
        if record.commodity not in self._codes or record.currency not in self._codes:
            return None
        value = rate(*record.value) if record.value[1] else Decimal(0)
        if value <= 0:
            self._without_value += 1
            return None
        try:
            codes = self._codes[record.commodity], self._codes[record.currency]
            return NewPrice(codes[0], value, codes[1], record.date, record.source)
        except InvalidError as error:
            raise self._error(f"{error}") from error

    def _most_used(self, entries: Sequence[BookEntry]) -> str | None:
        """Return the currency that most postings are in."""
        iso = {self._codes[key] for key, each in self._commodities.items() if each.namespace in _CURRENCIES}
        used = Counter(posting.currency for entry in entries for posting in entry.postings if posting.currency in iso)
        return min(used, key=lambda code: (-used[code], code)) if used else min(iso, default=None)

    def _error(self, reason: str, line: int | None = None) -> BooksFileError:
        return BooksFileError(self._file, reason, line=line)


def _codes(commodities: Iterable[CommodityRecord]) -> dict[str, str]:
    """Return a code for each: its mnemonic, with the namespace in front where another has it, or ISO 4217."""
    every = list(commodities)
    times = Counter(each.mnemonic for each in every)
    return {
        each.key: each.mnemonic
        if each.namespace in _CURRENCIES or (times[each.mnemonic] == 1 and each.mnemonic not in iso_currencies())
        else f"{each.namespace}:{each.mnemonic}"
        for each in every
    }


def _decimals(units: int) -> int:
    """Return the decimals of an amount that is counted in so many parts of one: 2 for 100."""
    decimals = 0
    while 10**decimals < units:
        decimals += 1
    return decimals
