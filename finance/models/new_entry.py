"""The values that one hands in to have an entry posted, and the canonical form of their content."""

from __future__ import annotations

import copy
import functools
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any, TypeAlias
from uuid import UUID

from finance.errors import AmountError, InvalidError, UnbalancedEntryError
from finance.identifiers import uuid7
from finance.models.account import Account
from finance.models.journal import EntryKind
from finance.money import Amount, exact

#: How JSON writes a zero character: not behind a backslash that is itself written so.
_ZERO_IN_JSON = r"\u0000"
_ZERO = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")

#: How a day is written. There are few of them, and writing one takes as long as half of what else is written.
_iso = functools.lru_cache(maxsize=4096)(date.isoformat)


@dataclass(frozen=True, slots=True)
class NewPosting:
    """An amount to post to an account: positive debits it, negative credits it.

    Args:
        account: The account, or its id.
        amount: A Decimal, int or string, in major units of the account's currency; not zero.
        memo: A note on this line.

    Raises:
        AmountError: The amount is a float, zero, not finite or too large.
        InvalidError: The account is neither an Account nor an id, or the memo no text that PostgreSQL can store.
    """

    account: Account | int
    amount: Amount
    memo: str | None = None

    def __post_init__(self) -> None:
        require_account(self.account)
        if type(self.account) is not int and isinstance(self.account, int):  # others write themselves as they like
            object.__setattr__(self, "account", int(self.account))
        amount = exact(self.amount)
        if not amount:
            raise AmountError(self.amount, "a posting of zero says nothing; leave it out")
        if self.memo is not None:
            require_text("the memo", self.memo)
        object.__setattr__(self, "amount", amount)

    @property
    def value(self) -> Decimal:
        """The amount as the Decimal that it was made into."""
        return self.amount  # type: ignore[return-value]  # since __post_init__(); cast() would be a call for each

    @property
    def account_id(self) -> int:
        """The id of the account."""
        return self.account.id if isinstance(self.account, Account) else self.account


@dataclass(frozen=True, slots=True)
class NewEntry:
    """A journal entry to post.

    Args:
        date: The day on which it counts.
        description: What happened.
        postings: At least two, summing to zero in each currency.
        id: The key under which it is posted exactly once: the same id with the same content is told as
            a replay, with other content refused. A new UUIDv7 unless given.
        details: Free data to keep with it; JSON.
        amends_id: The entry, reversed, that it replaces; `uow.journal.amend()` sets it.
        settles_id: The hold that it settles; `uow.holds.settle()` sets it.

    Raises:
        InvalidError: The date is not a plain day, or the description, details or postings are not what they must be.
        UnbalancedEntryError: There are fewer than two postings.
    """

    date: date
    description: str
    postings: Sequence[NewPosting]
    id: UUID = field(default_factory=uuid7)
    details: Mapping[str, Any] = field(default_factory=dict)
    kind: EntryKind = EntryKind.NORMAL
    reverses_id: UUID | None = None
    amends_id: UUID | None = None
    settles_id: UUID | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.date, date) or isinstance(self.date, datetime):
            raise InvalidError(f"date {self.date!r}: give a datetime.date, the day on which the entry counts")
        require_text("the description", self.description)
        if not isinstance(self.id, UUID):
            raise InvalidError(f"id {self.id!r}: give a uuid.UUID")
        self.details_json()
        if self.details:  # whoever made them may change them later
            object.__setattr__(self, "details", copy.deepcopy(dict(self.details)))
        object.__setattr__(self, "postings", tuple(self.postings))
        if not all(isinstance(line, NewPosting) for line in self.postings):
            raise InvalidError("the postings of an entry are NewPosting(account, amount)")
        if len(self.postings) < 2:
            raise UnbalancedEntryError(self.id)

    def content_hash(self) -> bytes:
        """Return the SHA-256 of the canonical form: 32 bytes.

        The form is JSON without blanks and with sorted keys, in UTF-8 (docs/reference/content-hash.md).
        """
        return hashlib.sha256(self.canonical().encode()).digest()

    def details_json(self) -> str:
        """Return the details as the JSON that is stored."""
        return details_json(self.details)

    def canonical(self) -> str:
        """Return the content as text that is the same wherever and whenever it is written."""
        return canonical(
            self.date,
            self.description,
            self.kind,
            links=(self.reverses_id, self.amends_id, self.settles_id),
            lines=[(line.account_id, line.value, line.memo) for line in self.postings],
            details=self.details,
        )


#: Of a posting the account's id, the amount and the memo, and whatever else the caller knows of it.
CanonicalLine: TypeAlias = tuple[int, Decimal, str | None, *tuple[Any, ...]]


def canonical(
    day: date,
    description: str,
    kind: str,
    *,
    links: tuple[UUID | None, UUID | None, UUID | None],
    lines: Iterable[CanonicalLine],
    details: Mapping[str, Any],
) -> str:
    """Return the content of an entry in the form that is hashed.

    Args:
        day: The day on which it counts.
        description: What happened.
        kind: Why it was written.
        links: The ids of the entry that it reverses, of the one that it amends, and of the hold that it settles.
        lines: Account id, amount and memo of each posting, in order.
        details: The free data kept with it.
    """
    # Put together by hand: the library's encoder takes three times as long.
    reverses, amends, settles = links
    head = f'"{_iso(day)}",{encode_basestring(description)},"{kind}",{_link(reverses)}'
    rest = f"[{','.join(map(_canonical_line, lines))}],{_canonical_json(details)}"
    if amends is None and settles is None:
        return f'["finance.entry.1",{head},{rest}]'
    # The second form is for those that have more to say: what was posted in the first one stays as it is.
    return f'["finance.entry.2",{head},{_link(amends)},{_link(settles)},{rest}]'


def canonical_transfer(day: date, description: str, first: int, second: int, amount: str) -> str:
    """Return what `canonical()` does for an entry that moves an amount from one account to another, and no more.

    Args:
        day: The day on which it counts.
        description: What happened.
        first: The account's id of the first posting.
        second: That of the second one.
        amount: What the first one says, as `str()` writes it; the second one says the opposite.
    """
    amount = _plain(amount)
    opposite = amount[1:] if amount[0] == "-" else f"-{amount}"
    lines = f'[{first:d},"{amount}",null],[{second:d},"{opposite}",null]'
    return f'["finance.entry.1","{_iso(day)}",{encode_basestring(description)},"normal",null,[{lines}],{{}}]'


def _link(entry_id: UUID | None) -> str:
    return "null" if entry_id is None else f'"{entry_id}"'


def _canonical_line(line: CanonicalLine) -> str:
    memo = line[2]
    return f'[{line[0]:d},"{plain(line[1])}",{"null" if memo is None else encode_basestring(memo)}]'


def _canonical_json(details: Mapping[str, Any]) -> str:
    if details == {}:
        return "{}"
    return json.dumps(dict(details), ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False)


def plain(amount: Decimal) -> str:
    """Write *amount* without exponent and without zeros at its end: 42.10 and 4.21E+1 are both "42.1"."""
    return _plain(str(amount))


def _plain(text: str) -> str:
    if "E" in text or "e" in text:  # asking for none costs three times as much
        text = f"{Decimal(text):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def details_json(details: Mapping[str, Any]) -> str:
    """Return *details* as the JSON that is stored.

    Raises:
        InvalidError: They are not JSON.
    """
    if details == {}:
        return "{}"
    try:
        text = json.dumps(dict(details), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidError(f"the details are not JSON: {error}") from error
    if _ZERO_IN_JSON in text or not text.isascii():
        require_text("a text of the details", _ZERO.sub("\x00", text))
    return text


def require_account(account: object) -> None:
    """Refuse what is neither an Account nor an id."""
    if isinstance(account, bool) or not isinstance(account, (Account, int)):
        raise InvalidError(f"account {account!r}: give an Account or its id")


def require_text(what: str, text: object) -> None:
    """Refuse what PostgreSQL cannot store as text, before a statement fails on it."""
    if not isinstance(text, str):
        raise InvalidError(f"{what} is a string, not a {type(text).__name__}")
    surrogates = not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text)
    if "\x00" in text or surrogates:
        raise InvalidError(f"{what} holds a zero character or half of a surrogate pair, which no database text can")
