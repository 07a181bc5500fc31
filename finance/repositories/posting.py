"""The statement that posts: the same for a unit of work and for the fast lane."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias
from uuid import UUID

from finance.connection import Record
from finance.errors import AccountNotFoundError, AmountError, EntryConflictError, FinanceError
from finance.models import Account, NewEntry, NewPosting
from finance.models.new_entry import require_balanced
from finance.money import decimals
from finance.repositories.base import KnownCurrencies

#: A ledger's id and an entry's.
Key: TypeAlias = tuple[int, UUID]

#: Runs a statement and returns its rows: that of a transaction, or one that commits by itself.
Fetch: TypeAlias = Callable[..., Awaitable[Sequence[Record]]]

# One statement, so that the guards see each entry with all its postings. It returns the keys that were new.
_POST = """
WITH {settings}entry AS (
    INSERT INTO journal_entries (ledger_id, id, date, description, kind, reverses_id, content_hash, metadata,
                                 amends_id, settles_id)
    SELECT e.ledger_id, e.id, e.date, e.description, e.kind, e.reverses_id, e.content_hash, e.metadata::jsonb,
           e.amends_id, e.settles_id
      FROM {source}unnest($1::bigint[], $2::uuid[], $3::date[], $4::text[], $5::text[], $6::uuid[], $7::bytea[],
                  $8::text[], $9::uuid[], $10::uuid[])
               AS e(ledger_id, id, date, description, kind, reverses_id, content_hash, metadata, amends_id, settles_id)
    ON CONFLICT (ledger_id, id) DO NOTHING RETURNING ledger_id, id, date
), lines AS (
    INSERT INTO postings (ledger_id, entry_id, line, account_id, date, currency, amount, memo)
    SELECT e.ledger_id, e.id, p.line, p.account_id, e.date, p.currency, p.amount, p.memo
      FROM entry AS e
      JOIN unnest($11::bigint[], $12::uuid[], $13::int[], $14::bigint[], $15::text[], $16::numeric[], $17::text[])
               AS p(ledger_id, entry_id, line, account_id, currency, amount, memo)
        ON p.ledger_id = e.ledger_id AND p.entry_id = e.id
)
SELECT ledger_id, id FROM entry
"""
_IN_TRANSACTION = _POST.format(settings="", source="")
# A statement that commits by itself has no BEGIN with which its settings could be sent. They are made before the
# first row is, and end with it.
_ALONE = _POST.format(
    settings="settings AS MATERIALIZED ("
    "SELECT set_config('lock_timeout', $18, true), set_config('finance.posting', $19, true)), ",
    source="settings, ",
)
_STORED = """
SELECT j.ledger_id, j.id, j.content_hash FROM unnest($1::bigint[], $2::uuid[]) AS u(ledger_id, id)
  JOIN journal_entries AS j ON j.ledger_id = u.ledger_id AND j.id = u.id
"""
_CURRENCIES = """
SELECT a.ledger_id, a.id, a.currency FROM unnest($1::bigint[], $2::bigint[]) AS u(ledger_id, id)
  JOIN accounts AS a ON a.ledger_id = u.ledger_id AND a.id = u.id
"""
# In this order everywhere: the ledgers' closing locks, then the accounts by their ids.
_SHARE_LEDGERS = """
SELECT pg_advisory_xact_lock_shared(1179209295, hashint8(u.id)) FROM unnest($1::bigint[]) AS u(id)
"""
_LOCK_ACCOUNTS = """
SELECT a.* FROM unnest($1::bigint[], $2::bigint[]) AS u(ledger_id, id),
       LATERAL (SELECT id, balance, held, minimum_balance, maximum_balance FROM accounts
                 WHERE ledger_id = u.ledger_id AND id = u.id FOR NO KEY UPDATE) AS a
"""
# A hold that somebody has locked is closed by whoever that is, and waits for the account: here it would be a circle.
_EXPIRE_HOLDS = """
UPDATE holds SET status = 'expired' FROM (
    SELECT h.ledger_id, h.id FROM unnest($1::bigint[], $2::bigint[]) AS u(ledger_id, account_id)
      JOIN holds AS h ON h.ledger_id = u.ledger_id AND h.account_id = u.account_id
     WHERE h.status = 'open' AND h.expires_at <= clock_timestamp() FOR UPDATE OF h SKIP LOCKED) AS d
 WHERE holds.ledger_id = d.ledger_id AND holds.id = d.id
"""


@dataclass(frozen=True, slots=True)
class Posted:
    """The answer to posting: the entry's id, and whether it was stored before with the same content."""

    id: UUID
    is_replay: bool


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry that balances, for a ledger, with the currency of each of its accounts."""

    ledger_id: int
    entry: NewEntry
    currencies: Mapping[int, str]
    content_hash: bytes

    @property
    def key(self) -> Key:
        """What it is stored under."""
        return self.ledger_id, self.entry.id


@dataclass(frozen=True, slots=True)
class Limit:
    """An account that has a limit: its balance, what is held of it, and between what it must stay."""

    balance: Decimal
    held: Decimal
    minimum: Decimal | None
    maximum: Decimal | None


def draft(ledger_id: int, entry: NewEntry, known: KnownCurrencies) -> Draft:
    """Make a draft of *entry*, whose accounts were looked up by `look_up()`.

    Raises:
        AccountNotFoundError: An account is unknown, or of another ledger.
        UnbalancedEntryError: Its postings do not sum to zero in a currency.
    """
    currencies = {}
    for line in entry.postings:
        currency = _currency(ledger_id, line, known)
        if currency is None:
            raise AccountNotFoundError(line.account_id)
        currencies[line.account_id] = currency
    require_balanced(entry, currencies)
    return Draft(ledger_id, entry, currencies, entry.content_hash())


async def look_up(fetch: Fetch, entries: Iterable[tuple[int, NewEntry]], known: KnownCurrencies) -> None:
    """Find the currencies of all accounts that *entries*, each with its ledger, give by their ids.

    Database:
        One SELECT, where one is not *known* yet.
    """
    wanted: set[tuple[int, int]] = set()
    rows: dict[tuple[int, int], Account] = {}
    for ledger_id, entry in entries:
        for line in entry.postings:
            if isinstance(line.account, Account):
                rows[line.account.ledger_id, line.account.id] = line.account
            elif known.get(ledger_id, line.account) is None:
                wanted.add((ledger_id, line.account))
    for key in wanted & rows.keys():
        known.add(*key, rows[key].currency)
    if wanted := wanted - rows.keys():
        ledgers, accounts = zip(*wanted, strict=True)
        for row in await fetch(_CURRENCIES, ledgers, accounts):
            known.add(row["ledger_id"], row["id"], row["currency"])


def _currency(ledger_id: int, line: NewPosting, known: KnownCurrencies) -> str | None:
    account = line.account
    if not isinstance(account, Account):
        return known.get(ledger_id, account)
    if account.ledger_id != ledger_id:
        raise AccountNotFoundError(account.name, account.currency)
    return account.currency


async def insert(
    fetch: Fetch, drafts: Sequence[Draft], *, lock_timeout: str | None = None, unordered: bool = False
) -> set[Key]:
    """Store *drafts*, which have different keys, and return the keys of those that were not stored before.

    Args:
        fetch: How to run the statement.
        drafts: Any number of them, of any ledgers, in any order.
        lock_timeout: For a statement that commits by itself: how long it may wait for a lock, as the server writes it.
        unordered: Of such a statement: refuse where one of them touches an account that has limits, since the database
            would look at the sum of all, and not at one after another.

    Raises:
        BalanceLimitError: A limit is exceeded, or touched where that is refused.
    """
    # In one order whoever posts, so that two who post the same ids do not wait for each other.
    ordered = sorted(drafts, key=lambda each: each.key)
    columns = (*_entry_columns(ordered), *_posting_columns(ordered))
    try:
        if lock_timeout is None:
            rows = await fetch(_IN_TRANSACTION, *columns)
        else:
            rows = await fetch(_ALONE, *columns, lock_timeout, "unordered" if unordered else "")
    except AmountError as error:
        raise _naming_the_amount(error, drafts) from error
    return {(row["ledger_id"], row["id"]) for row in rows}


async def stored(fetch: Fetch, drafts: Sequence[Draft]) -> dict[Key, bytes | None]:
    """Return the content hashes of those of *drafts* whose keys are stored."""
    if not drafts:
        return {}
    ledgers, ids = zip(*(each.key for each in drafts), strict=True)
    return {(row["ledger_id"], row["id"]): row["content_hash"] for row in await fetch(_STORED, ledgers, ids)}


async def lock_limits(fetch: Fetch, drafts: Iterable[Draft]) -> dict[int, Limit]:
    """Lock every account of *drafts* until the transaction ends, and return those that have limits, by their ids."""
    accounts = sorted({(each.ledger_id, account) for each in drafts for account in each.currencies})
    ledgers, ids = zip(*accounts, strict=True)
    await fetch(_SHARE_LEDGERS, sorted(set(ledgers)))
    rows = await fetch(_LOCK_ACCOUNTS, ledgers, ids)
    if any(row["held"] for row in rows):  # a hold whose time is over holds nothing
        await fetch(_EXPIRE_HOLDS, ledgers, ids)
        rows = await fetch(_LOCK_ACCOUNTS, ledgers, ids)
    return {
        row["id"]: Limit(row["balance"], row["held"], row["minimum_balance"], row["maximum_balance"])
        for row in rows
        if row["minimum_balance"] is not None or row["maximum_balance"] is not None
    }


def replayed(draft: Draft, content_hash: bytes | None) -> Posted:
    """Return the answer for a draft whose key was stored before.

    Raises:
        EntryConflictError: It was stored with other content.
    """
    if content_hash != draft.content_hash:
        raise EntryConflictError(draft.entry.id)
    return Posted(draft.entry.id, is_replay=True)


def _entry_columns(drafts: Sequence[Draft]) -> tuple[list[Any], ...]:
    entries = [each.entry for each in drafts]
    return (
        [each.ledger_id for each in drafts],
        [entry.id for entry in entries],
        [entry.date for entry in entries],
        [entry.description for entry in entries],
        [str(entry.kind) for entry in entries],
        [entry.reverses_id for entry in entries],
        [each.content_hash for each in drafts],
        [entry.details_json() for entry in entries],
        [entry.amends_id for entry in entries],
        [entry.settles_id for entry in entries],
    )


def _posting_columns(drafts: Sequence[Draft]) -> tuple[list[Any], ...]:
    lines = [(each, *numbered) for each in drafts for numbered in enumerate(each.entry.postings, start=1)]
    accounts = [line.account_id for _, _, line in lines]
    return (
        [each.ledger_id for each, _, _ in lines],
        [each.entry.id for each, _, _ in lines],
        [number for _, number, _ in lines],
        accounts,
        [each.currencies[account] for (each, _, _), account in zip(lines, accounts, strict=True)],
        [line.value for _, _, line in lines],
        [line.memo for _, _, line in lines],
    )


def _naming_the_amount(error: AmountError, drafts: Sequence[Draft]) -> FinanceError:
    """Return *error* with the first amount of *drafts* that has too many decimals, which the database does not say."""
    if error.exponent is None:
        return error
    for line in (line for each in drafts for line in each.entry.postings):
        if decimals(line.value) > error.exponent:
            return AmountError(line.value, error.reason, exponent=error.exponent)
    return error
