"""Journal entries: posted once, reversed once, never changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from finance.errors import (
    AlreadyReversedError,
    EntryNotFoundError,
    InvalidError,
    SealedError,
    SerializationError,
)
from finance.identifiers import uuid7
from finance.integrity import translated
from finance.models import EntryKind, JournalEntry, NewEntry, NewPosting
from finance.pagination import PAGE_SIZE, Page
from finance.repositories.base import Repository
from finance.repositories.posting import Draft, Key, Posted, draft, insert, look_up, replayed, stored


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
        scope, fetch = self._scope, self._scope.connection.fetch
        ledger_id = self._ledger_id
        await look_up(fetch, ((ledger_id, entry) for entry in entries), scope.currencies)
        drafts = [draft(ledger_id, entry, scope.currencies) for entry in entries]
        new = await insert(fetch, drafts)
        old = [each for each in drafts if each.key not in new]
        hashes = await stored(fetch, old)
        return [
            Posted(each.entry.id, is_replay=False) if each.key in new else _replayed(each, hashes) for each in drafts
        ]

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

    @property
    def _ledger_id(self) -> int:
        assert self._scope.ledger_id is not None  # noqa: S101 - a unit of work has no journal without one
        return self._scope.ledger_id

    def _not_found(self, key: UUID) -> EntryNotFoundError:
        return EntryNotFoundError(key)


def _replayed(draft: Draft, hashes: Mapping[Key, bytes | None]) -> Posted:
    if draft.key not in hashes:
        # It was committed after this transaction's snapshot, so that it cannot be read here.
        raise SerializationError
    return replayed(draft, hashes[draft.key])
