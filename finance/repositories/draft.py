"""Entries ready to be sent: balanced, hashed, and with the currency of each account."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple, TypeAlias
from uuid import UUID

from finance.connection import Record
from finance.errors import AccountNotFoundError
from finance.models import Account, EntryKind, NewEntry
from finance.models.new_entry import canonical, require_balanced
from finance.repositories.base import KnownCurrencies

#: A ledger's id and an entry's.
Key: TypeAlias = tuple[int, UUID]

#: Runs a statement and returns its rows: that of a transaction, or one that commits by itself.
Fetch: TypeAlias = Callable[..., Awaitable[Sequence[Record]]]

_CURRENCIES = """
SELECT a.ledger_id, a.id, a.currency FROM unnest($1::bigint[], $2::bigint[]) AS u(ledger_id, id)
  JOIN accounts AS a ON a.ledger_id = u.ledger_id AND a.id = u.id
"""


class Line(NamedTuple):
    """A posting: the account's id, the amount, the memo, and the account's currency."""

    account_id: int
    amount: Decimal
    memo: str | None
    currency: str


class Draft(NamedTuple):
    """An entry that balances, for a ledger."""

    ledger_id: int
    entry: NewEntry
    lines: Sequence[Line]
    content_hash: bytes
    #: It says nothing but what every entry says.
    is_plain: bool

    @property
    def key(self) -> Key:
        """What it is stored under."""
        return self.ledger_id, self.entry.id

    @property
    def account_ids(self) -> set[int]:
        """The ids of its accounts."""
        return {line.account_id for line in self.lines}


def draft(ledger_id: int, entry: NewEntry, known: KnownCurrencies) -> Draft:
    """Make a draft of *entry*, whose accounts were looked up by `look_up()`.

    Raises:
        AccountNotFoundError: An account is unknown, or of another ledger.
        UnbalancedEntryError: Its postings do not sum to zero in a currency.
    """
    lines = []
    for posting in entry.postings:
        account = posting.account
        if isinstance(account, Account):
            if account.ledger_id != ledger_id:
                raise AccountNotFoundError(account.name, account.currency)
            lines.append(Line(account.id, posting.value, posting.memo, account.currency))
        else:
            currency = known.get(ledger_id, account)
            if currency is None:
                raise AccountNotFoundError(account)
            lines.append(Line(account, posting.value, posting.memo, currency))
    require_balanced(entry.id, [(line.currency, line.amount) for line in lines])
    content = canonical(
        entry.date,
        entry.description,
        entry.kind,
        links=(entry.reverses_id, entry.amends_id, entry.settles_id),
        lines=[line[:3] for line in lines],
        details=entry.details,
    )
    return Draft(ledger_id, entry, lines, hashlib.sha256(content.encode()).digest(), _is_plain(entry))


def _is_plain(entry: NewEntry) -> bool:
    return (
        entry.kind is EntryKind.NORMAL
        and entry.amends_id is None
        and entry.settles_id is None
        and entry.details == {}
        and all(line.memo is None for line in entry.postings)
    )


async def look_up(fetch: Fetch, entries: Iterable[tuple[int, NewEntry]], known: KnownCurrencies) -> None:
    """Find the currencies of all accounts that *entries*, each with its ledger, give by their ids.

    Database:
        One SELECT, where one is not *known* yet.
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
        for row in await fetch(_CURRENCIES, ledgers, accounts):
            known.add(row["ledger_id"], row["id"], row["currency"])
