"""The statement that posts: the same for a unit of work and for the fast lane."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from finance.errors import AmountError, EntryConflictError, FinanceError, SerializationError
from finance.money import decimals
from finance.repositories.draft import Draft, Fetch, Key

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
# The same for entries of one ledger that say nothing more than most do: what is not sent need not be read either.
_POST_PLAIN = """
WITH {settings}entry AS (
    INSERT INTO journal_entries (ledger_id, id, date, description, content_hash)
    SELECT $1, e.id, e.date, e.description, e.content_hash
      FROM {source}unnest($2::uuid[], $3::date[], $4::text[], $5::bytea[]) AS e(id, date, description, content_hash)
    ON CONFLICT (ledger_id, id) DO NOTHING RETURNING ledger_id, id, date
), lines AS (
    INSERT INTO postings (ledger_id, entry_id, line, account_id, date, currency, amount)
    SELECT e.ledger_id, e.id, p.line, p.account_id, e.date, p.currency, p.amount
      FROM entry AS e
      JOIN unnest($6::uuid[], $7::int[], $8::bigint[], $9::text[], $10::numeric[])
               AS p(entry_id, line, account_id, currency, amount) ON p.entry_id = e.id
)
SELECT ledger_id, id FROM entry
"""
# A statement that commits by itself has no BEGIN with which its settings could be sent. They are made before the
# first row is, and end with it.
_SETTINGS = (
    "settings AS MATERIALIZED ("
    "SELECT set_config('lock_timeout', ${}, true), set_config('finance.posting', ${}, true)), "
)


def _forms(post: str, parameters: int) -> tuple[str, str]:
    """Return *post* for a transaction, and as a statement that commits by itself."""
    settings = _SETTINGS.format(parameters + 1, parameters + 2)
    return post.format(settings="", source=""), post.format(settings=settings, source="settings, ")


_IN_TRANSACTION, _ALONE = _forms(_POST, 17)
_PLAIN_IN_TRANSACTION, _PLAIN_ALONE = _forms(_POST_PLAIN, 10)

_STORED = """
SELECT j.ledger_id, j.id, j.content_hash FROM unnest($1::bigint[], $2::uuid[]) AS u(ledger_id, id)
  JOIN journal_entries AS j ON j.ledger_id = u.ledger_id AND j.id = u.id
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
class Limit:
    """An account that has a limit: its balance, what is held of it, and between what it must stay."""

    balance: Decimal
    held: Decimal
    minimum: Decimal | None
    maximum: Decimal | None


async def insert(
    fetch: Fetch, drafts: Sequence[Draft], *, lock_timeout: str | None = None, unordered: bool = False
) -> set[Key]:
    """Store *drafts*, which have different keys, and return the keys of those that were stored before.

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
    ordered = sorted(drafts, key=lambda each: (each.ledger_id, each.entry.id.int))
    is_plain = ordered[0].ledger_id == ordered[-1].ledger_id and all(each.is_plain for each in ordered)
    columns = _plain_columns(ordered) if is_plain else _columns(ordered)
    try:
        if lock_timeout is None:
            rows = await fetch(_PLAIN_IN_TRANSACTION if is_plain else _IN_TRANSACTION, *columns)
        else:
            settings = (lock_timeout, "unordered" if unordered else "")
            rows = await fetch(_PLAIN_ALONE if is_plain else _ALONE, *columns, *settings)
    except AmountError as error:
        raise _naming_the_amount(error, drafts) from error
    if len(rows) == len(drafts):
        return set()
    return {each.key for each in drafts} - {(row["ledger_id"], row["id"]) for row in rows}


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


async def lock_limits(fetch: Fetch, drafts: Iterable[Draft]) -> dict[int, Limit]:
    """Lock every account of *drafts* until the transaction ends, and return those that have limits, by their ids."""
    accounts = sorted({(each.ledger_id, account) for each in drafts for account in each.account_ids})
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


def _plain_columns(drafts: Sequence[Draft]) -> tuple[Any, ...]:
    entries = [each.entry for each in drafts]
    return (
        drafts[0].ledger_id,
        [entry.id for entry in entries],
        [entry.date for entry in entries],
        [entry.description for entry in entries],
        [each.content_hash for each in drafts],
        [each.entry.id for each in drafts for _ in each.lines],
        [number for each in drafts for number in range(1, len(each.lines) + 1)],
        [line.account_id for each in drafts for line in each.lines],
        [line.currency for each in drafts for line in each.lines],
        [line.amount for each in drafts for line in each.lines],
    )


def _columns(drafts: Sequence[Draft]) -> tuple[Any, ...]:
    entries = [each.entry for each in drafts]
    _, *of_entries_and_lines = _plain_columns(drafts)
    return (
        [each.ledger_id for each in drafts],
        *of_entries_and_lines[:4],
        [str(entry.kind) for entry in entries],
        [entry.reverses_id for entry in entries],
        [entry.details_json() for entry in entries],
        [entry.amends_id for entry in entries],
        [entry.settles_id for entry in entries],
        [each.ledger_id for each in drafts for _ in each.lines],
        *of_entries_and_lines[4:],
        [line.memo for each in drafts for line in each.lines],
    )


def _naming_the_amount(error: AmountError, drafts: Sequence[Draft]) -> FinanceError:
    """Return *error* with the first amount of *drafts* that has too many decimals, which the database does not say."""
    if error.exponent is None:
        return error
    for line in (line for each in drafts for line in each.lines):
        if decimals(line.amount) > error.exponent:
            return AmountError(line.amount, error.reason, exponent=error.exponent)
    return error
