"""Journal entries: posted once, reversed or amended once; of a posted one only its description and details change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID, uuid5

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
from finance.repositories import revisions
from finance.repositories.base import Repository
from finance.repositories.revisions import Revision

# One statement, so that the guards see each entry with all its postings. It returns the ids that were new.
_POST = """
WITH entry AS (
    INSERT INTO journal_entries (ledger_id, id, date, description, kind, reverses_id, content_hash, metadata,
                                 amends_id, settles_id)
    SELECT $1, e.id, e.date, e.description, e.kind, e.reverses_id, e.content_hash, e.metadata::jsonb,
           e.amends_id, e.settles_id
      FROM unnest($2::uuid[], $3::date[], $4::text[], $5::text[], $6::uuid[], $7::bytea[], $8::text[],
                  $15::uuid[], $16::uuid[])
               AS e(id, date, description, kind, reverses_id, content_hash, metadata, amends_id, settles_id)
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


@dataclass(frozen=True, slots=True)
class Amended:
    """The answer to amending: the ids of the new entry and of the reversal, and whether both were stored before."""

    id: UUID
    reversal_id: UUID
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
            description: "Reversal of ..." unless given, with the description that was posted.
            id: The reversal's own id, for a replay; a new one unless given.

        Raises:
            EntryNotFoundError: This ledger has no such entry.
            AlreadyReversedError: It was reversed before, or another transaction did so first.
            FinanceError: As `post()`.

        Database:
            Two SELECTs, a third unless *description* is given, and what `post()` takes.
        """
        reversal = await self._reversal(entry_id, id or uuid7(), on, description)
        try:
            return await self.post(reversal)
        except AlreadyReversedError as error:
            raise AlreadyReversedError(entry_id) from error

    async def amend(
        self, entry_id: UUID, replacement: NewEntry, *, on: date | None = None, reversal_id: UUID | None = None
    ) -> Amended:
        """Replace a stored entry: post its opposite and *replacement*, which names it, in one step.

        Both or neither are stored, once: amending again with the same replacement is a replay. A replacement may be
        amended in its turn.

        Args:
            entry_id: The entry to replace. Its settled hold, if it has one, stays settled.
            replacement: What should have been posted, under an id of its own.
            on: The day on which the reversal counts; the entry's own unless given.
            reversal_id: The reversal's id; made from that of the replacement unless given, so that it replays.

        Raises:
            EntryNotFoundError: This ledger has no such entry.
            AlreadyReversedError: It was reversed or amended before, or another transaction did so first.
            InvalidError: The replacement is of another kind than normal, or amends another entry.
            FinanceError: As `post()`.

        Database:
            One SELECT FOR NO KEY UPDATE of the entry, three SELECTs, and what `post()` takes, once for both entries.
        """
        if replacement.amends_id not in {None, entry_id}:
            raise InvalidError(f"the replacement amends entry {replacement.amends_id}, not {entry_id}")
        if replacement.kind is not EntryKind.NORMAL:
            raise InvalidError("a replacement is an entry of kind normal")
        # Two who amend it wait here: each inserts two unique keys, and would wait for the other's in a circle.
        await revisions.lock(self._scope, entry_id)
        reversal = await self._reversal(entry_id, reversal_id or uuid5(replacement.id, "reversal"), on, None)
        try:
            posted = await self.post_many([reversal, replace(replacement, amends_id=entry_id)])
        except AlreadyReversedError as error:
            raise AlreadyReversedError(entry_id) from error
        return Amended(replacement.id, reversal.id, is_replay=all(answer.is_replay for answer in posted))

    async def describe(
        self,
        entry_id: UUID,
        *,
        description: str | None = None,
        details: Mapping[str, Any] | None = None,
        expected_revision: int | None = None,
    ) -> JournalEntry:
        """Change the description and the details of a stored entry; what is not given stays as it is.

        Nothing else of an entry ever changes. The database keeps what was replaced: `history()` reads it. The content
        hash stays that of what was posted, so that posting it again is still a replay.

        Args:
            entry_id: The entry.
            description: What happened, in other words.
            details: The free data that replace the old.
            expected_revision: Refuse when the entry is no longer at this revision; it is posted as the first.

        Raises:
            EntryNotFoundError: This ledger has no such entry.
            StaleVersionError: It was changed since *expected_revision*.
            InvalidError: The description is no text that can be stored, or the details are no JSON.

        Database:
            One SELECT FOR NO KEY UPDATE, one UPDATE and two SELECTs; one SELECT more for *expected_revision*.
        """
        await revisions.describe(self._scope, entry_id, description, details, expected_revision)
        return await self.get_one(entry_id)

    async def history(self, entry_id: UUID) -> tuple[Revision, ...]:
        """Return every description and details that the entry had, the oldest first, the current ones last.

        Raises:
            EntryNotFoundError: This ledger has no such entry.

        Database:
            One SELECT along indexes; no locks.
        """
        return await revisions.history(self._scope, entry_id)

    async def get(self, key: UUID, *, for_update: bool = False) -> JournalEntry | None:
        """Return the entry with this id and its postings in order, or None.

        Raises:
            SealedError: *for_update* is set; `describe()` and `amend()` lock what they need themselves.

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

    async def _reversal(self, entry_id: UUID, reversal_id: UUID, on: date | None, description: str | None) -> NewEntry:
        original = await self.get_one(entry_id)
        if description is None:
            # What was posted, not what it was changed into: a reversal with an id must be made the same again.
            description = f"Reversal of {await revisions.posted_description(self._scope, entry_id) or entry_id}"
        return NewEntry(
            on or original.date,
            description,
            [NewPosting(line.account_id, line.amount.copy_negate(), line.memo) for line in original.postings],
            kind=EntryKind.REVERSAL,
            id=reversal_id,
            reverses_id=entry_id,
        )

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
                _POST,
                self._scope.ledger_id,
                *_entry_columns(ordered),
                *_posting_columns(ordered, currencies),
                [entry.amends_id for entry in ordered],
                [entry.settles_id for entry in ordered],
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
