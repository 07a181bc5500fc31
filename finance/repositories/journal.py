"""Journal entries: posted once, reversed once, never changed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from finance.errors import (
    AccountNotFoundError,
    AlreadyReversedError,
    AmountError,
    EntryConflictError,
    EntryNotFoundError,
    FinanceError,
    InvalidError,
    SealedError,
    SerializationError,
)
from finance.identifiers import uuid7
from finance.integrity import translated
from finance.models import Account, EntryKind, JournalEntry, NewEntry, NewPosting
from finance.models.new_entry import require_balanced
from finance.money import decimals
from finance.pagination import PAGE_SIZE, Page
from finance.repositories.base import Repository
from finance.repositories.postings import PostingRow, read_postings

# One statement, so that the guards see each entry with all its postings. It returns the ids that were new.
_POST = """
WITH entry AS (
    INSERT INTO journal_entries (ledger_id, id, date, description, kind, reverses_id, content_hash, metadata)
    SELECT $1, e.id, e.date, e.description, e.kind, e.reverses_id, e.content_hash, e.metadata::jsonb
      FROM unnest($2::uuid[], $3::date[], $4::text[], $5::text[], $6::uuid[], $7::bytea[], $8::text[])
               AS e(id, date, description, kind, reverses_id, content_hash, metadata)
    ON CONFLICT (ledger_id, id) DO NOTHING RETURNING ledger_id, id, date
), lines AS (
    INSERT INTO postings (ledger_id, entry_id, line, account_id, date, currency, amount, memo)
    SELECT e.ledger_id, e.id, p.line, p.account_id, e.date, p.currency, p.amount, p.memo
      FROM entry AS e
      JOIN unnest($9::uuid[], $10::int[], $11::bigint[], $12::text[], $13::numeric[], $14::text[])
               AS p(entry_id, line, account_id, currency, amount, memo) ON p.entry_id = e.id
)
SELECT id FROM entry
"""
_STORED = "SELECT id, content_hash FROM journal_entries WHERE ledger_id = $1 AND id = ANY ($2::uuid[])"
_CURRENCIES = "SELECT id, currency FROM accounts WHERE ledger_id = $1 AND id = ANY ($2::bigint[])"


@dataclass(frozen=True, slots=True)
class Posted:
    """The answer to posting: the entry's id, and whether it was stored before with the same content."""

    id: UUID
    is_replay: bool


class JournalRepository(Repository[JournalEntry]):
    """The journal entries of this ledger, in order of date and id."""

    model = JournalEntry
    order = (JournalEntry.date, JournalEntry.id)

    async def post(self, entry: NewEntry) -> Posted:
        """Post *entry* in this unit of work; it is durable once that commits.

        The entry's id makes it exactly once: posting the same id with the same content again changes
        nothing and says so.

        Raises:
            UnbalancedEntryError: Its postings do not sum to zero in a currency.
            AccountNotFoundError: An account is unknown, or of another ledger.
            AccountClosedError: An account is closed.
            AmountError: An amount has more decimals than its currency.
            BalanceLimitError: A balance would leave its account's limits.
            PeriodClosedError: The date is in a closed period.
            EntryConflictError: The id is stored with other content.
            AlreadyReversedError: It is the second reversal of an entry.
            SerializationError: Another transaction stored the id after this one's snapshot was taken.

        Database:
            One INSERT statement; one SELECT more when an account is given by its id for the first time, and
            one for a replay. It locks the accounts' rows, in the order of their ids, and shares the ledger's
            closing lock.
        """
        (posted,) = await self.post_many([entry])
        return posted

    async def post_many(self, entries: Sequence[NewEntry]) -> list[Posted]:
        """Post *entries* in this unit of work, all or none of them, and answer for each in their order.

        Ids that come in rising order, as those of `uuid7()` do, keep the journal's index warm; order and
        number of the entries make no other difference. All are held in memory: give a few thousand at a time.

        Raises:
            InvalidError: Two of them have the same id.
            FinanceError: As `post()`, for the first entry that is refused.

        Database:
            What `post()` takes, once for all of them.
        """
        if not entries:
            return []
        if len({entry.id for entry in entries}) < len(entries):
            raise InvalidError("two entries of one call have the same id; an id is used once")
        currencies = await self._currencies([line for entry in entries for line in entry.postings])
        for entry in entries:
            require_balanced(entry, currencies)
        new = await self._insert(entries, currencies)
        await self._require_same_content([entry for entry in entries if entry.id not in new])
        return [Posted(entry.id, is_replay=entry.id not in new) for entry in entries]

    async def reverse(
        self,
        entry_id: UUID,
        *,
        on: date | None = None,
        description: str | None = None,
        id: UUID | None = None,  # noqa: A002 - the field's own word
    ) -> Posted:
        """Post the opposite of a stored entry. An entry is reversed once.

        Args:
            entry_id: The entry to reverse.
            on: The day on which the reversal counts; the entry's own unless given.
            description: "Reversal of ..." unless given.
            id: The reversal's own id, for a replay; a new one unless given.

        Raises:
            EntryNotFoundError: This ledger has no such entry.
            AlreadyReversedError: It was reversed before, or another transaction did so first.
            FinanceError: As `post()`.

        Database:
            Two SELECTs and what `post()` takes.
        """
        original = await self.get_one(entry_id)
        postings = [NewPosting(line.account_id, line.amount.copy_negate(), line.memo) for line in original.postings]
        reversal = NewEntry(
            on or original.date,
            description if description is not None else f"Reversal of {original.description or original.id}",
            postings,
            kind=EntryKind.REVERSAL,
            id=id or uuid7(),
            reverses_id=original.id,
        )
        try:
            return await self.post(reversal)
        except AlreadyReversedError as error:
            raise AlreadyReversedError(entry_id) from error

    async def get(self, key: UUID, *, for_update: bool = False) -> JournalEntry | None:
        """Return the entry with this id and its postings in order, or None.

        Raises:
            SealedError: *for_update* is set; an entry never changes, so there is nothing to lock it for.

        Database:
            Two SELECTs.
        """
        if for_update:
            raise SealedError("an entry is not locked for an update")
        session = self._scope.require_open()
        with translated():
            return await session.get(
                JournalEntry,
                (self._scope.ledger_id, key),
                populate_existing=True,
                options=[selectinload(JournalEntry.postings)],
            )

    async def page(self, *, after: str | None = None, limit: int = PAGE_SIZE) -> Page[JournalEntry]:
        """Return up to *limit* entries with their postings, the oldest first, behind the cursor *after*.

        Raises:
            InvalidError: The cursor is not of this list, or the limit not between 1 and 1000.

        Database:
            Two SELECTs along indexes; no locks.
        """
        statement = select(JournalEntry).options(selectinload(JournalEntry.postings))
        return await self._page(statement, after, limit)

    async def postings(
        self, account: Account | int | None = None, *, start_on: date | None = None, end_on: date | None = None
    ) -> AsyncIterator[PostingRow]:
        """Yield postings as plain rows from *start_on* through *end_on*, in order of date, entry id and line.

        They are of one instant, and cost a fraction of what stored models do.

        Args:
            account: The account, or its id, whose postings are read; None for those of all accounts.
            start_on: The first day; None for no bound.
            end_on: The last day; None for no bound.

        Raises:
            AccountNotFoundError: This ledger has no such account.
            InvalidError: A bound is not a plain day.

        Database:
            One SELECT along an index through a cursor, 1,000 rows at a time, and one more where *account* is given;
            no locks; memory for 1,000 rows.
        """
        account_id = account.id if isinstance(account, Account) else account
        if account_id is not None:
            await self._currencies([NewPosting(account_id, 1)])  # which knows whether the account is there
        connection, ledger_id = self._scope.connection, self._scope.ledger_id
        async for row in read_postings(connection, ledger_id, account_id, start_on, end_on):
            yield row

    async def _currencies(self, lines: Sequence[NewPosting]) -> Mapping[int, str]:
        """Return the currency of every account in *lines*, by its id."""
        ledger_id, known = self._scope.ledger_id, self._scope.currencies
        found: dict[int, str] = {}
        for line in lines:
            if isinstance(line.account, Account):
                self._require_of_ledger(line.account)
                found[line.account.id] = line.account.currency
            elif (currency := known.get(ledger_id, line.account)) is not None:
                found[line.account] = currency
        unknown = [line.account_id for line in lines if line.account_id not in found]
        if unknown:
            for row in await self._scope.connection.fetch(_CURRENCIES, ledger_id, unknown):
                found[row["id"]] = row["currency"]
                known.add(ledger_id, row["id"], row["currency"])
        for account_id in unknown:
            if account_id not in found:
                raise AccountNotFoundError(account_id)
        return found

    def _require_of_ledger(self, account: Account) -> None:
        if account.ledger_id != self._scope.ledger_id:
            raise AccountNotFoundError(account.name, account.currency)

    async def _insert(self, entries: Sequence[NewEntry], currencies: Mapping[int, str]) -> set[UUID]:
        """Store *entries* and return the ids of those that were not there."""
        # In one order whoever posts, so that two who post the same ids do not wait for each other.
        ordered = sorted(entries, key=lambda entry: entry.id)
        try:
            rows = await self._scope.connection.fetch(
                _POST, self._scope.ledger_id, *_entry_columns(ordered), *_posting_columns(ordered, currencies)
            )
        except AmountError as error:
            raise _naming_the_amount(error, entries) from error
        return {row["id"] for row in rows}

    async def _require_same_content(self, replays: Sequence[NewEntry]) -> None:
        if not replays:
            return
        rows = await self._scope.connection.fetch(_STORED, self._scope.ledger_id, [entry.id for entry in replays])
        hashes = {row["id"]: row["content_hash"] for row in rows}
        for entry in replays:
            if entry.id not in hashes:
                # It was committed after this transaction's snapshot, so that it cannot be read here.
                raise SerializationError
            if hashes[entry.id] != entry.content_hash():
                raise EntryConflictError(entry.id)

    def _not_found(self, key: UUID) -> EntryNotFoundError:
        return EntryNotFoundError(key)


def _entry_columns(entries: Sequence[NewEntry]) -> Iterator[list[Any]]:
    yield [entry.id for entry in entries]
    yield [entry.date for entry in entries]
    yield [entry.description for entry in entries]
    yield [str(entry.kind) for entry in entries]
    yield [entry.reverses_id for entry in entries]
    yield [entry.content_hash() for entry in entries]
    yield [entry.details_json() for entry in entries]


def _posting_columns(entries: Sequence[NewEntry], currencies: Mapping[int, str]) -> Iterator[list[Any]]:
    lines = [(entry.id, *numbered) for entry in entries for numbered in enumerate(entry.postings, start=1)]
    yield [entry_id for entry_id, _, _ in lines]
    yield [number for _, number, _ in lines]
    yield [line.account_id for _, _, line in lines]
    yield [currencies[line.account_id] for _, _, line in lines]
    yield [line.value for _, _, line in lines]
    yield [line.memo for _, _, line in lines]


def _naming_the_amount(error: AmountError, entries: Sequence[NewEntry]) -> FinanceError:
    """Return *error* with the first amount of *entries* that has too many decimals, which the database does not say."""
    if error.exponent is None:
        return error
    for line in (line for entry in entries for line in entry.postings):
        if decimals(line.value) > error.exponent:
            return AmountError(line.value, error.reason, exponent=error.exponent)
    return error
