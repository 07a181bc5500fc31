"""Journal entries: posted once, reversed or amended once; of a posted one only words, payee and tags change."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import select
from sqlalchemy.orm import joinedload, selectinload
from sqlalchemy.orm.interfaces import ORMOption

from finance.errors import (
    AccountNotFoundError,
    AlreadyReversedError,
    EntryNotFoundError,
    InvalidError,
    SealedError,
)
from finance.identifiers import uuid7
from finance.integrity import translated
from finance.models import Account, EntryKind, JournalEntry, NewEntry, NewPosting, Payee, Tag
from finance.money import Amount
from finance.pagination import PAGE_SIZE, Page
from finance.repositories import labels, revisions
from finance.repositories.accounts import UNSET, AccountRepository, Unset
from finance.repositories.base import Repository
from finance.repositories.draft import draft, look_up
from finance.repositories.exchanges import converted
from finance.repositories.labels import Labels
from finance.repositories.posting import Posted, post
from finance.repositories.postings import PostingRow, read_postings
from finance.repositories.revisions import Revision

#: The name of the accounts that opening balances are posted against.
OPENING_BALANCES = "Equity:Opening Balances"

#: What an entry is read with: its postings in one more SELECT, its tags in another.
_WHOLE = (selectinload(JournalEntry.postings), joinedload(JournalEntry.payee), selectinload(JournalEntry.tags))

_ACCOUNT = "SELECT id FROM accounts WHERE ledger_id = $1 AND id = $2"


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
        scope, fetch = self._scope, self._scope.connection.fetch
        ledger_id = self._ledger_id
        await look_up(fetch, ((ledger_id, entry) for entry in entries), scope.currencies)
        drafts = [draft(ledger_id, entry, scope.currencies) for entry in entries]
        return await post(fetch, drafts)

    async def open_balance(
        self,
        account: Account | int,
        amount: Amount,
        *,
        on: date,
        id: UUID | None = None,  # noqa: A002 - the field's own word
    ) -> Posted:
        """Post what was on an account before its books begin, against "Equity:Opening Balances" in its currency.

        Args:
            account: The account, or its id.
            amount: Its balance so far; what is owed is negative.
            on: The day, before the first entry that follows.
            id: The entry's id, for a replay; a new one unless given.

        Raises:
            AmountError: The amount is zero, a float, or finer than its currency.
            FinanceError: As `post()`.

        Database:
            One SELECT or two, on first use one INSERT, and what `post()` takes.
        """
        accounts = AccountRepository(self._scope)
        row = account if isinstance(account, Account) else await accounts.get_one(account)
        line = NewPosting(row, amount)
        equity = await accounts.get_or_open(OPENING_BALANCES, currency=row.currency)
        lines = [line, NewPosting(equity, line.value.copy_negate())]
        return await self.post(NewEntry(on, "Opening balance", lines, id=id or uuid7()))

    async def exchange(self, entry: NewEntry) -> Posted:
        """Post *entry*, whose lines sum to zero over several currencies taken together, at the rate that they state.

        What it leaves open in each currency is booked against that currency's account "Equity:Conversions", opened on
        first use: 90 euros out of one account and 100 dollars into another become four lines, which sum to zero in
        each. `uow.reports.exchange_gains()` says what that has gained.

        Args:
            entry: At least two lines; fees may be among them. Its id makes it exactly once, as with `post()`.

        Raises:
            UnbalancedEntryError: It exchanges nothing: what it leaves open is in one currency, or has one sign.
            FinanceError: As `post()`.

        Database:
            One SELECT for each currency that it leaves open, and what `post()` takes.
        """
        return await self.post(await converted(self._scope, self._ledger_id, entry))

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

        Both or neither are stored, once: amending again with the same replacement is a replay. A replacement takes over
        payee and tags, and may be amended in its turn.

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
            One SELECT FOR NO KEY UPDATE of the entry, three SELECTs, what `post()` takes, once for both entries, and
            one INSERT that hands payee and tags on.
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
        is_replay = all(answer.is_replay for answer in posted)
        if not is_replay:
            await labels.inherit(self._scope, entry_id, replacement.id)
        return Amended(replacement.id, reversal.id, is_replay)

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
            One SELECT FOR NO KEY UPDATE, one UPDATE and three SELECTs; one SELECT more for *expected_revision*.
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

    async def label(
        self,
        entry: JournalEntry | UUID,
        *,
        payee: Payee | str | Unset | None = UNSET,
        tags: Iterable[Tag | str] | Unset = UNSET,
    ) -> JournalEntry:
        """Give a stored entry a payee and tags; what is not given stays as it is.

        `history()` tells the payees that it had. Neither is part of the content hash: posting the entry again is
        still a replay.

        Args:
            entry: The entry, or its id.
            payee: A payee or a name, which is made where it is missing; None for no payee.
            tags: Tags or names, all that the entry shall have; names that are missing are made.

        Raises:
            EntryNotFoundError: This ledger has no such entry.
            NotFoundError: A payee or tag was merged or removed since it was read.
            InvalidError: A name has no or more than 500 characters, or the tags are one string.

        Database:
            As `label_many()`, and three SELECTs.
        """
        entry_id = entry.id if isinstance(entry, JournalEntry) else entry
        await self.label_many({entry_id: Labels(payee, tags)})
        return await self.get_one(entry_id)

    async def label_many(self, labels_of: Mapping[UUID, Labels]) -> None:
        """Give stored entries, by their ids, payees and tags, as `label()` does for one.

        Raises:
            EntryNotFoundError, NotFoundError, InvalidError: As `label()`; nothing of it was done.

        Database:
            One SELECT FOR NO KEY UPDATE of the entries. For payees one SELECT and one UPDATE, for tags one SELECT,
            one DELETE and one INSERT, however many; for names that are new one INSERT and one SELECT of each kind.
        """
        if labels_of:
            await labels.label(self._scope, labels_of)

    async def get(self, key: UUID, *, for_update: bool = False) -> JournalEntry | None:
        """Return the entry with this id, its postings in order, its payee and its tags, or None.

        Raises:
            SealedError: *for_update* is set; `describe()` and `amend()` lock what they need themselves.

        Database:
            Three SELECTs.
        """
        if for_update:
            raise SealedError("an entry is not locked for an update")
        return await self._read(key, _WHOLE)

    async def page(self, *, after: str | None = None, limit: int = PAGE_SIZE) -> Page[JournalEntry]:
        """Return up to *limit* entries as `get()` does, the oldest first, behind the cursor *after*.

        Raises:
            InvalidError: The cursor is not of this list, or the limit not between 1 and 1000.

        Database:
            Three SELECTs along indexes; no locks.
        """
        return await self._page(select(JournalEntry).options(*_WHOLE), after, limit)

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
        connection, ledger_id = self._scope.connection, self._scope.ledger_id
        if account_id is not None and not await connection.fetch(_ACCOUNT, ledger_id, account_id):
            raise AccountNotFoundError(account_id)
        async for rows in read_postings(connection, ledger_id, account_id, start_on, end_on):
            for row in rows:
                yield row

    async def _read(self, key: UUID, options: Sequence[ORMOption]) -> JournalEntry | None:
        session = self._scope.require_open()
        with translated():
            return await session.get(
                JournalEntry, (self._scope.ledger_id, key), populate_existing=True, options=options
            )

    async def _reversal(self, entry_id: UUID, reversal_id: UUID, on: date | None, description: str | None) -> NewEntry:
        original = await self._read(entry_id, _WHOLE[:1])
        if original is None:
            raise EntryNotFoundError(entry_id)
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

    @property
    def _ledger_id(self) -> int:
        assert self._scope.ledger_id is not None  # noqa: S101 - a unit of work has no journal without one
        return self._scope.ledger_id

    def _not_found(self, key: UUID) -> EntryNotFoundError:
        return EntryNotFoundError(key)
