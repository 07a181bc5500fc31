"""Whole books as another program keeps them: what each reader makes, and what the one loader takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from finance.models import AccountType, NewPrice


@dataclass(frozen=True, slots=True)
class BookCommodity:
    """A commodity that the file declares.

    `decimals` are those that it states, None where it states none; amounts may have more. `is_currency` says whether
    it is the currency that ISO 4217 gives this code: None where the program cannot tell a currency from a share.
    """

    code: str
    name: str | None = None
    decimals: int | None = None
    is_currency: bool | None = None


@dataclass(frozen=True, slots=True)
class BookAccount:
    """An account that the file declares, with the currencies that it states; `type` is None where nothing says it."""

    name: str
    type: AccountType | None = None
    currencies: tuple[str, ...] = ()
    opened_on: date | None = None
    closed_on: date | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BookPosting:
    """An amount of a currency on an account, debits positive; zero is possible.

    `weight` is what it counts for where the entry balances, in `weight_currency`: its cost, its price, or the value
    that the program states; None where it counts as itself. `lot` says the cost or price for people, and is kept in
    the entry's details. One that `is_virtual` takes no part in the balance of the entry.
    """

    account: str
    amount: Decimal
    currency: str
    weight: Decimal | None = None
    weight_currency: str | None = None
    memo: str | None = None
    is_virtual: bool = False
    lot: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BookEntry:
    """An entry of the file, which balances by the weights of its postings. `key` is the program's own id for it."""

    date: date
    description: str
    postings: tuple[BookPosting, ...]
    file: str
    line: int | None = None
    key: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    payee: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BookAssertion:
    """A balance that the file claims: of `account`, with those below it if `with_children`, in `currency`.

    `on` is the last day that counts, and `later` what the file books on that day behind the claim: the balance at the
    end of the day, less that, may differ from `amount` by `tolerance`.
    """

    account: str
    currency: str
    amount: Decimal
    on: date
    file: str
    line: int | None = None
    later: Decimal = Decimal(0)
    tolerance: Decimal = Decimal(0)
    with_children: bool = False


@dataclass(frozen=True, slots=True)
class Books:
    """Everything that was read of a file. Of several prices of one pair and day the last one counts.

    `base_currency` is the one that the file says its owner thinks in, if it says one; `remarks` are what a user should
    know: what was not taken over.
    """

    file: str
    program: str
    commodities: tuple[BookCommodity, ...] = ()
    accounts: tuple[BookAccount, ...] = ()
    entries: tuple[BookEntry, ...] = ()
    prices: tuple[NewPrice, ...] = ()
    assertions: tuple[BookAssertion, ...] = ()
    base_currency: str | None = None
    remarks: tuple[str, ...] = ()
