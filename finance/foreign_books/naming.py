"""What a ledger calls the currencies and the accounts of a file, and what kind of account each is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from finance.errors import BooksFileError, CurrencyError, InvalidError
from finance.foreign_books.books import BookCommodity, BookEntry, Books
from finance.models import AccountType
from finance.money import EXPONENT_MAX, decimals, iso_currencies

#: Roots that say what they are, in the words of the programs that declare none; hledger takes the same.
_ROOTS = (
    (re.compile(r"assets?", re.IGNORECASE), AccountType.ASSET),
    (re.compile(r"liabilit(y|ies)|debts?", re.IGNORECASE), AccountType.LIABILITY),
    (re.compile(r"equity", re.IGNORECASE), AccountType.EQUITY),
    (re.compile(r"income|revenues?", re.IGNORECASE), AccountType.INCOME),
    (re.compile(r"expenses?", re.IGNORECASE), AccountType.EXPENSE),
)
_LONGEST_CODE, _LONGEST_NAME = 64, 500


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user says about books that do not say it themselves.

    Args:
        currencies: What the ledger is to call a commodity of the file: {"$": "USD"}.
        decimals: More decimals than ISO 4217 gives a currency, where the file has finer amounts: {"USD": 4}.
        types: Of the accounts of a name and those below it: {"Sparschwein": "asset"}.
        tolerance: How far an entry may be from balancing at cost; one smallest unit of the currency unless given.

    Raises:
        InvalidError: A type is unknown, or the tolerance less than zero.
    """

    currencies: Mapping[str, str]
    decimals: Mapping[str, int]
    types: Mapping[str, AccountType | str]
    tolerance: Decimal | None

    def __post_init__(self) -> None:
        for name, type_ in self.types.items():
            if type_ not in set(AccountType):
                raise InvalidError(f"type {type_!r} of account {name!r}: one of {', '.join(AccountType)}")
        if self.tolerance is not None and self.tolerance < 0:
            raise InvalidError("the tolerance is zero or more")
        for code, count in self.decimals.items():
            if not 0 <= count <= EXPONENT_MAX:
                raise CurrencyError(code, f"has {count} decimals; 0 to {EXPONENT_MAX} are possible")

    def type_of(self, name: str, declared: AccountType | None) -> AccountType | None:
        """Return the type of an account: as the user says, as the file says, as its root says; None for no answer."""
        segments = name.split(":")
        for length in range(len(segments), 0, -1):
            if (wished := self.types.get(":".join(segments[:length]))) is not None:
                return AccountType(wished)
        if declared is not None:
            return declared
        return next((type_ for root, type_ in _ROOTS if root.fullmatch(segments[0])), None)

    def code_of(self, currency: str, file: str, line: int | None) -> str:
        """Return what the ledger calls a currency of the file.

        Raises:
            BooksFileError: It has no name, or one that no currency can have.
        """
        code = self.currencies.get(currency, currency)
        if not code:
            remedy = "say which currency it is: currencies={'': 'EUR'}, or --currency =EUR"
            raise BooksFileError(file, f"an amount is in no currency; {remedy}", line=line)
        if code != code.strip() or len(code) > _LONGEST_CODE:
            raise BooksFileError(file, f"{code[:_LONGEST_CODE]!r} is no name of a currency", line=line)
        return code


@dataclass(frozen=True, slots=True)
class CurrencyPlan:
    """A currency that the books need: as many decimals as they have, no more where ISO 4217 says how many."""

    code: str
    exponent: int
    name: str
    is_iso: bool


def plan_currencies(books: Books, wishes: Wishes) -> dict[str, CurrencyPlan]:
    """Return the currencies that postings, declared accounts and prices of *books* are in, by their codes.

    Raises:
        BooksFileError: An amount has more decimals than ISO 4217 gives its currency, or than are possible.
    """
    declared = {wishes.currencies.get(each.code, each.code): each for each in books.commodities}
    found: dict[str, CurrencyPlan] = {}
    for code, count, entry in _needed(books, wishes):
        known = found.get(code) or _plan(code, declared.get(code), wishes)
        if count > known.exponent and (known.is_iso or count > EXPONENT_MAX):
            raise _too_fine(code, count, known, entry)
        found[code] = CurrencyPlan(code, max(known.exponent, count), known.name, known.is_iso)
    return found


def _needed(books: Books, wishes: Wishes) -> Iterator[tuple[str, int, BookEntry | None]]:
    """Yield currencies with the decimals that an amount has, and the entry that has it."""
    seen: set[tuple[str, int]] = set()
    for entry in books.entries:
        for posting in entry.postings:
            digits = posting.amount.as_tuple().exponent
            if (posting.currency, int(digits)) in seen:
                continue
            code = wishes.code_of(posting.currency, entry.file, entry.line)
            count = decimals(posting.amount)
            if count == -int(digits):  # of 1.50 and 1.51 only the second one says what others like it need
                seen.add((posting.currency, int(digits)))
            yield code, count, entry
    others = [each.weight_currency for entry in books.entries for each in entry.postings if each.weight_currency]
    others += [code for account in books.accounts for code in account.currencies]
    others += [code for price in books.prices for code in (price.currency, price.quote)]
    others += [claim.currency for claim in books.assertions]
    for code in dict.fromkeys(others):
        yield wishes.code_of(code, books.file, None), 0, None


def _plan(code: str, declared: BookCommodity | None, wishes: Wishes) -> CurrencyPlan:
    iso = iso_currencies().get(code)
    name = declared.name if declared else None
    if iso is not None and (declared is None or declared.is_currency is not False):
        return CurrencyPlan(code, max(iso.exponent, wishes.decimals.get(code, 0)), iso.name, is_iso=True)
    stated = (declared.decimals if declared else None) or 0
    return CurrencyPlan(code, wishes.decimals.get(code, stated), name or code, is_iso=False)


def _too_fine(code: str, count: int, known: CurrencyPlan, entry: BookEntry | None) -> BooksFileError:
    reason = f"an amount has {count} decimals, and {code} has {known.exponent}: nothing is rounded in silence"
    if count <= EXPONENT_MAX:
        reason += f"; give it more in this ledger with decimals={{'{code}': {count}}}, or --decimals {code}={count}"
    return BooksFileError(entry.file if entry else "", reason, line=entry.line if entry else None)


def require_account_name(name: str, file: str, line: int | None) -> str:
    """Return the name of an account.

    Raises:
        BooksFileError: No account can be called so.
    """
    if len(name) > _LONGEST_NAME or not all(segment and segment == segment.strip() for segment in name.split(":")):
        raise BooksFileError(file, f"{name[:80]!r} is no name of an account", line=line)
    return name


def roots_of(names: Iterable[str]) -> list[str]:
    """Return the first segments of account names, each once, in order."""
    return sorted({name.split(":", 1)[0] for name in names})
