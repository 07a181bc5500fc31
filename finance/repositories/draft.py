"""Entries ready to be sent: balanced, hashed, and with the currency of each account."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple, TypeAlias
from uuid import UUID

from finance.connection import Record
from finance.errors import AccountNotFoundError, UnbalancedEntryError
from finance.models import Account, EntryKind, NewEntry, NewPosting
from finance.models.new_entry import canonical, canonical_transfer
from finance.money import total
from finance.repositories.base import KnownCurrencies

#: A ledger's id and an entry's.
Key: TypeAlias = tuple[int, UUID]

#: Runs a statement and returns its rows: that of a transaction, or one that commits by itself.
Fetch: TypeAlias = Callable[..., Awaitable[Sequence[Record]]]

# Besides those that are asked for, the ones that were opened next: whoever posts to some posts to others, and a
# statement for each that is met for the first time costs more than a look at a page of the index.
_CURRENCIES = """
SELECT a.ledger_id, a.id, a.currency FROM unnest($1::bigint[], $2::bigint[]) AS u(ledger_id, id)
  JOIN accounts AS a ON a.ledger_id = u.ledger_id AND a.id = u.id
UNION ALL
(SELECT a.ledger_id, a.id, a.currency FROM accounts AS a WHERE a.ledger_id = $3 AND a.id > $4 ORDER BY a.id LIMIT 256)
"""


class Line(NamedTuple):
    """A posting: the account's id, the amount, the memo, and the account's currency."""

    account_id: int
    amount: Decimal
    memo: str | None
    currency: str


class EntryDraft(NamedTuple):
    """An entry that balances, for a ledger."""

    ledger_id: int
    entry: NewEntry
    content_hash: bytes
    lines: Sequence[Line]

    @property
    def key(self) -> Key:
        """What it is stored under."""
        return self.ledger_id, self.entry.id

    @property
    def account_ids(self) -> set[int]:
        """The ids of its accounts."""
        return {line.account_id for line in self.lines}


class TransferDraft(NamedTuple):
    """What nearly all entries are: an amount that goes to a first account from a second one, and nothing more is said.

    It is told apart at once, and takes a shorter way from here on.
    """

    ledger_id: int
    entry: NewEntry
    content_hash: bytes
    first_account: int
    second_account: int
    currency: str
    #: What is posted to the first account, as it is written; its opposite goes to the second one.
    amount: str

    @property
    def key(self) -> Key:
        """What it is stored under."""
        return self.ledger_id, self.entry.id

    @property
    def account_ids(self) -> set[int]:
        """The ids of its accounts."""
        return {self.first_account, self.second_account}

    @property
    def lines(self) -> Sequence[Line]:
        """Its postings."""
        amount = Decimal(self.amount)
        return (
            Line(self.first_account, amount, None, self.currency),
            Line(self.second_account, amount.copy_negate(), None, self.currency),
        )


Draft: TypeAlias = EntryDraft | TransferDraft


def draft(ledger_id: int, entry: NewEntry, known: KnownCurrencies) -> Draft:
    """Make a draft of *entry*, whose accounts were looked up by `look_up()`.

    Raises:
        AccountNotFoundError: An account is unknown, or of another ledger.
        UnbalancedEntryError: Its postings do not sum to zero in a currency.
    """
    if (transfer := _transfer(ledger_id, entry, known)) is not None:
        return transfer
    lines = lines_of(ledger_id, entry, known)
    _require_balanced(entry.id, lines)
    content = canonical(
        entry.date,
        entry.description,
        entry.kind,
        links=(entry.reverses_id, entry.amends_id, entry.settles_id),
        lines=lines,
        details=entry.details,
    )
    return EntryDraft(ledger_id, entry, _hash(content), lines)


def lines_of(ledger_id: int, entry: NewEntry, known: KnownCurrencies) -> list[Line]:
    """Return the lines of *entry*, whose accounts were looked up by `look_up()`.

    Raises:
        AccountNotFoundError: An account is unknown, or of another ledger.
    """
    return [_line(ledger_id, posting, known) for posting in entry.postings]


def left_open(lines: Iterable[Line]) -> dict[str, Decimal]:
    """Return what *lines* sum to in each currency where that is not zero, in order of the codes."""
    amounts: dict[str, list[Decimal]] = {}
    for line in lines:
        amounts.setdefault(line.currency, []).append(line.amount)
    return {currency: left for currency in sorted(amounts) if (left := total(amounts[currency]))}


def _transfer(ledger_id: int, entry: NewEntry, known: KnownCurrencies) -> TransferDraft | None:
    """Make a draft of *entry* if it is a transfer, and return None if it is not."""
    postings = entry.postings
    if len(postings) > 2 or entry.details or entry.kind is not EntryKind.NORMAL:
        return None
    first, second = postings
    says_more = entry.amends_id is not None or entry.settles_id is not None
    if says_more or first.memo is not None or second.memo is not None:
        return None
    amount, opposite = str(first.amount), str(second.amount)
    # As they are written: 1.50 and -1.5 balance, and are stored with the zeros that each has.
    if opposite != "-" + amount and amount != "-" + opposite:
        return None
    first_account, currency = _account(ledger_id, first.account, known)
    second_account, other_currency = _account(ledger_id, second.account, known)
    if currency != other_currency:
        return None
    content = canonical_transfer(entry.date, entry.description, first_account, second_account, amount)
    return TransferDraft(ledger_id, entry, _hash(content), first_account, second_account, currency, amount)


def _line(ledger_id: int, posting: NewPosting, known: KnownCurrencies) -> Line:
    account_id, currency = _account(ledger_id, posting.account, known)
    return Line(account_id, posting.value, posting.memo, currency)


def _account(ledger_id: int, account: Account | int, known: KnownCurrencies) -> tuple[int, str]:
    """Return the id and the currency of *account*."""
    if isinstance(account, int):
        currency = known.get(ledger_id, account)
        if currency is None:
            raise AccountNotFoundError(account)
        return account, currency
    if account.ledger_id != ledger_id:
        raise AccountNotFoundError(account.name, account.currency)
    return account.id, account.currency


def _require_balanced(entry_id: UUID, lines: Sequence[Line]) -> None:
    for currency, difference in left_open(lines).items():
        raise UnbalancedEntryError(entry_id, currency, difference)


def _hash(content: str) -> bytes:
    return hashlib.sha256(content.encode()).digest()


async def look_up(fetch: Fetch, entries: Iterable[tuple[int, NewEntry]], known: KnownCurrencies) -> None:
    """Find the currencies of all accounts that *entries*, each with its ledger, give by their ids.

    Database:
        One SELECT of them and 256 more, where one is not *known* yet.
    """
    wanted: set[tuple[int, int]] = set()
    rows: dict[tuple[int, int], Account] = {}
    for ledger_id, entry in entries:
        for line in entry.postings:
            account = line.account
            if isinstance(account, Account):
                rows[account.ledger_id, account.id] = account
            elif known.get(ledger_id, account) is None:
                wanted.add((ledger_id, account))
    for key in wanted & rows.keys():
        known.add(*key, rows[key].currency)
    if wanted := wanted - rows.keys():
        ledgers, accounts = zip(*wanted, strict=True)
        for row in await fetch(_CURRENCIES, ledgers, accounts, *min(wanted)):
            known.add(row["ledger_id"], row["id"], row["currency"])
