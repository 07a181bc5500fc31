"""The statement that posts: the same for a unit of work and for the fast lane."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from finance.errors import AlreadyExistsError, AmountError, EntryConflictError, FinanceError, SerializationError
from finance.money import decimals
from finance.repositories.draft import Draft, Fetch, Key, TransferDraft

# One statement, so that the guards see each entry with all its postings. It returns the keys that were new.
_POST = """
WITH {settings}entry AS (
    INSERT INTO journal_entries (ledger_id, id, date, description, content_hash, kind, reverses_id, metadata,
                                 amends_id, settles_id)
    SELECT e.ledger_id, e.id, e.date, e.description, e.content_hash, e.kind, e.reverses_id, e.metadata::jsonb,
           e.amends_id, e.settles_id
      FROM {source}unnest($1::bigint[], $2::uuid[], $3::date[], $4::text[], $5::bytea[], $6::text[], $7::uuid[],
                  $8::text[], $9::uuid[], $10::uuid[])
               AS e(ledger_id, id, date, description, content_hash, kind, reverses_id, metadata, amends_id, settles_id)
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
# A statement that commits by itself has no BEGIN with which its settings could be sent. They are made before the
# first row is, and end with it.
_SETTINGS = """settings AS MATERIALIZED (
    SELECT set_config('lock_timeout', ${}, true), set_config('finance.posting', ${}, true)
), """
_IN_TRANSACTION = _POST.format(settings="", source="")
_ALONE = _POST.format(settings=_SETTINGS.format(18, 19), source="settings, ")

# What nearly all entries are, of one ledger: a guard writes them, and knows of them what it would have to find out of
# others (docs/decisions/0039-transfers-by-a-guard.md). And nearly all are new: that one is not fails it, which costs
# less than to look before each is stored, and to return the keys of all.
_POST_TRANSFERS = """
INSERT INTO new_transfers (ledger_id, ids, dates, descriptions, content_hashes, first_accounts, second_accounts,
                           currencies, amounts, lock_timeout, is_unordered)
VALUES ($1, {values}, $10, $11)
"""
# Of many, the driver takes longer to make most arrays than the server to read them as text.
_TRANSFERS = _POST_TRANSFERS.format(
    values="$2::uuid[], $3::date[], $4::text[], ARRAY[$5::bytea], $6::text::bigint[], $7::text::bigint[],"
    " $8::text[], $9::text::numeric[]"
)
_TRANSFER = _POST_TRANSFERS.format(
    values="ARRAY[$2::uuid], ARRAY[$3::date], ARRAY[$4::text], ARRAY[$5::bytea], ARRAY[$6::bigint], ARRAY[$7::bigint],"
    " ARRAY[$8::text], ARRAY[$9::text::numeric]"
)

_STORED = """
SELECT j.ledger_id, j.id, j.content_hash FROM unnest($1::bigint[], $2::uuid[]) AS u(ledger_id, id)
  JOIN journal_entries AS j ON j.ledger_id = u.ledger_id AND j.id = u.id
"""
# In this order everywhere: the ledgers' closing locks, then the accounts by their ids.
_SHARE_LEDGERS = """
SELECT pg_advisory_xact_lock_shared(1179209295, hashint8(u.id)) FROM unnest($1::bigint[]) AS u(id)
"""
_LIMITED = """
SELECT a.id FROM unnest($1::bigint[], $2::bigint[]) AS u(ledger_id, id)
  JOIN accounts AS a ON a.ledger_id = u.ledger_id AND a.id = u.id
 WHERE a.minimum_balance IS NOT NULL OR a.maximum_balance IS NOT NULL
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
class Limit:
    """An account that has a limit: its balance, what is held of it, and between what it must stay."""

    balance: Decimal
    held: Decimal
    minimum: Decimal | None
    maximum: Decimal | None


async def insert(
    fetch: Fetch,
    drafts: Sequence[Draft],
    *,
    lock_timeout: str | None = None,
    unordered: bool = False,
    by_guard: bool = False,
) -> set[Key]:
    """Store *drafts*, which have different keys, and return the keys of those that were stored before.

    Args:
        fetch: How to run the statement.
        drafts: Any number of them, of any ledgers, in any order.
        lock_timeout: For a statement that commits by itself: how long it may wait for a lock, as the server writes it.
        unordered: Of such a statement: refuse where one of them touches an account that has limits, since the database
            would look at the sum of all, and not at one after another.
        by_guard: Have a guard write them, where it is such a statement and they are transfers. It sees every ledger.

    Raises:
        BalanceLimitError: A limit is exceeded, or touched where that is refused.
    """
    # In one order whoever posts, so that two who post the same ids do not wait for each other.
    ordered = sorted(drafts, key=_order)
    try:
        if lock_timeout is None:
            rows = await fetch(_IN_TRANSACTION, *_columns(ordered))
        else:
            transfers = _transfers(ordered) if by_guard else ()
            if transfers and await _insert_transfers(fetch, transfers, lock_timeout, unordered=unordered):
                return set()
            rows = await fetch(_ALONE, *_columns(ordered), lock_timeout, "unordered" if unordered else "")
    except AmountError as error:
        raise _naming_the_amount(error, drafts) from error
    if len(rows) == len(drafts):
        return set()
    return {each.key for each in drafts} - {(row["ledger_id"], row["id"]) for row in rows}


async def _insert_transfers(
    fetch: Fetch, drafts: Sequence[TransferDraft], lock_timeout: str, *, unordered: bool
) -> bool:
    """Store *drafts*, and return whether all of them were new; else nothing is stored."""
    statement, columns = (
        (_TRANSFER, _columns_of_one(*drafts)) if len(drafts) == 1 else (_TRANSFERS, _columns_of_many(drafts))
    )
    try:
        await fetch(statement, drafts[0].ledger_id, *columns, lock_timeout, unordered)
    except AlreadyExistsError:
        return False
    return True


async def post(fetch: Fetch, drafts: Sequence[Draft]) -> list[Posted]:
    """Store *drafts*, which have different keys, in an open transaction, and answer for each in their order.

    Raises:
        EntryConflictError: One of them was stored before with other content.
        SerializationError: One was committed after this transaction's snapshot, so that it cannot be read here.
    """
    old = await insert(fetch, drafts)
    hashes = await stored(fetch, [each for each in drafts if each.key in old])
    answers = []
    for each in drafts:
        if each.key not in old:
            answers.append(Posted(each.entry.id, is_replay=False))
        elif each.key in hashes:
            answers.append(replayed(each, hashes[each.key]))
        else:
            raise SerializationError
    return answers


async def stored(fetch: Fetch, drafts: Sequence[Draft]) -> dict[Key, bytes | None]:
    """Return the content hashes of those of *drafts* whose keys are stored."""
    if not drafts:
        return {}
    ledgers, ids = zip(*(each.key for each in drafts), strict=True)
    return {(row["ledger_id"], row["id"]): row["content_hash"] for row in await fetch(_STORED, ledgers, ids)}


async def limited(fetch: Fetch, drafts: Iterable[Draft]) -> set[int]:
    """Return the ids of those accounts of *drafts* that have limits at this moment."""
    return {row["id"] for row in await fetch(_LIMITED, *_accounts(drafts))}


async def lock_limits(fetch: Fetch, drafts: Iterable[Draft]) -> dict[int, Limit]:
    """Lock every account of *drafts* until the transaction ends, and return those that have limits, by their ids."""
    ledgers, ids = _accounts(drafts)
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


def _accounts(drafts: Iterable[Draft]) -> tuple[Sequence[int], Sequence[int]]:
    """Return the ledgers and the ids of all accounts of *drafts*, in the order in which they are locked."""
    accounts = sorted({(each.ledger_id, account) for each in drafts for account in each.account_ids})
    ledgers, ids = zip(*accounts, strict=True)
    return ledgers, ids


def replayed(draft: Draft, content_hash: bytes | None) -> Posted:
    """Return the answer for a draft whose key was stored before.

    Raises:
        EntryConflictError: It was stored with other content.
    """
    if content_hash != draft.content_hash:
        raise EntryConflictError(draft.entry.id)
    return Posted(draft.entry.id, is_replay=True)


def _order(draft: Draft) -> tuple[int, int]:
    return draft.ledger_id, draft.entry.id.int


def _transfers(drafts: Sequence[Draft]) -> Sequence[TransferDraft]:
    """Return *drafts*, which are in their order, if all are transfers of one ledger; else none."""
    if drafts[0].ledger_id != drafts[-1].ledger_id:
        return ()
    found = [each for each in drafts if isinstance(each, TransferDraft)]
    return found if len(found) == len(drafts) else ()


def _columns_of_one(draft: TransferDraft) -> tuple[Any, ...]:
    entry = draft.entry
    return entry.id, entry.date, entry.description, *draft[2:]


def _columns_of_many(drafts: Sequence[TransferDraft]) -> tuple[Any, ...]:
    _, entries, hashes, first_accounts, second_accounts, currencies, amounts = zip(*drafts, strict=True)
    return (
        [entry.id for entry in entries],
        [entry.date for entry in entries],
        [entry.description for entry in entries],
        b"".join(hashes),
        _array(map(str, first_accounts)),
        _array(map(str, second_accounts)),
        currencies if len(set(currencies)) > 1 else currencies[:1],
        _array(amounts),
    )


def _array(numbers: Iterable[str]) -> str:
    """Write *numbers* as the database writes an array of them."""
    return f"{{{','.join(numbers)}}}"


def _columns(drafts: Sequence[Draft]) -> tuple[Any, ...]:
    entries = [each.entry for each in drafts]
    lines = [(each, number, line) for each in drafts for number, line in enumerate(each.lines, 1)]
    return (
        [each.ledger_id for each in drafts],
        [entry.id for entry in entries],
        [entry.date for entry in entries],
        [entry.description for entry in entries],
        [each.content_hash for each in drafts],
        [str(entry.kind) for entry in entries],
        [entry.reverses_id for entry in entries],
        [entry.details_json() for entry in entries],
        [entry.amends_id for entry in entries],
        [entry.settles_id for entry in entries],
        [each.ledger_id for each, _, _ in lines],
        [each.entry.id for each, _, _ in lines],
        [number for _, number, _ in lines],
        [line.account_id for _, _, line in lines],
        [line.currency for _, _, line in lines],
        [line.amount for _, _, line in lines],
        [line.memo for _, _, line in lines],
    )


def _naming_the_amount(error: AmountError, drafts: Sequence[Draft]) -> FinanceError:
    """Return *error* with the first amount of *drafts* that has too many decimals, which the database does not say."""
    if error.exponent is None:
        return error
    for line in (line for each in drafts for line in each.lines):
        if decimals(line.amount) > error.exponent:
            return AmountError(line.amount, error.reason, exponent=error.exponent)
    return error
