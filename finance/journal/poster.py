"""How a group of entries is posted: in one statement, and in halves where one of them is refused."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, Protocol

from finance.connection import Connection, Observer, Record
from finance.connection.backoff import full_jitter
from finance.errors import (
    AccountNotFoundError,
    BalanceLimitError,
    ConflictError,
    DatabaseError,
    FinanceError,
    InvalidError,
    LedgerNotFoundError,
    LockTimeoutError,
    NotFoundError,
    Outcome,
    OutcomeUnknownError,
    QueryTimeoutError,
    SerializationError,
)
from finance.journal.limits import LimitFoundError, MustFollowError, Parked, Way, refused_in_order
from finance.journal.ticket import Ticket
from finance.repositories import KnownCurrencies
from finance.repositories.draft import Draft, Fetch, Key, draft, look_up
from finance.repositories.posting import Limit, Posted, insert, limited, lock_limits, post, replayed, stored

#: How long a group waits for a lock of somebody else, before its entries go apart.
GROUP_PATIENCE = 0.1
#: How long a single entry does, before it lets go of what it has locked itself and tries again.
SINGLE_PATIENCE = 1.0

_PAUSE_SECONDS = 0.02
_PAUSE_SECONDS_MAX = 1.0
# Groups that met a lock of somebody else may have so many statements under way beside the others.
_HELD_UP = 2
# Entries held up at limits that are posted in one go.
_MOST_UNPARKED = 1024

#: What says something of one entry. Whatever else is refused, is refused to all.
_OF_AN_ENTRY = (InvalidError, NotFoundError, ConflictError, DatabaseError, QueryTimeoutError)


class Database(Protocol):
    """What a poster needs of the database.

    The ledger is the one that a statement concerns, where entries of different ledgers do not share a group.
    """

    @property
    def sees_all_ledgers(self) -> bool:
        """Whether no row-level security tells ledgers apart, so that a guard may write on behalf of a caller."""

    async def fetch(self, ledger_id: int, query: str, *args: Any) -> Sequence[Record]:
        """Run a statement that commits by itself."""

    def transaction(self, ledger_id: int, lock_timeout: float | None) -> AbstractAsyncContextManager[Connection]:
        """Open a transaction, with a lock timeout in seconds, or the manager's."""


class Poster:
    """Posts groups of tickets until each has its answer.

    Args:
        database: Where they are posted.
        currencies: What is known of accounts.
        observer: Hears of retries.
    """

    def __init__(
        self,
        database: Database,
        currencies: KnownCurrencies,
        observer: Observer,
    ) -> None:
        self._database = database
        self._currencies = currencies
        self._observer = observer
        self._limited: set[int] = set()
        self._held_up = asyncio.Semaphore(_HELD_UP)
        self._stuck = asyncio.Semaphore(_HELD_UP)
        self._parked = Parked(self._limits_of)
        self._unparking = asyncio.Lock()

    def prepare(self, tickets: Iterable[Ticket]) -> None:
        """Make drafts of *tickets* while others are being posted, as far as that goes."""
        for ticket in tickets:
            if self._draft(ticket) is not None:
                return  # an account has to be looked up, or the entry is refused: `post()` does either

    async def post(self, tickets: Sequence[Ticket], predecessor: asyncio.Future[Any] | None = None) -> list[Ticket]:
        """Post *tickets*, which have different keys, in the order in which they came.

        Args:
            tickets: The entries.
            predecessor: What is to be done before, where they touch limits.

        Returns:
            Those that wait for a lock that somebody else has: they are for `post_held_up()`.
        """
        return await self._post(list(tickets), Way(contextlib.nullcontext(), GROUP_PATIENCE, predecessor))

    async def post_held_up(self, tickets: Sequence[Ticket]) -> None:
        """Post *tickets* that met somebody else's lock, again until it is free: apart, but in order at limits."""
        await asyncio.gather(self._post_apart(tickets), self._post_parked(tickets))
        await self._post_parked(tickets)  # of others, it was found out meanwhile that they touch limits

    async def _post_apart(self, tickets: Sequence[Ticket]) -> None:
        left = [list(tickets)]
        alone: list[Ticket] = []
        while left:
            group = [ticket for ticket in left.pop(0) if ticket not in self._parked]
            stuck = await self._post(group, Way(self._held_up, GROUP_PATIENCE))
            if len(stuck) > 1:
                left[:0] = _halves(stuck)
            else:
                alone += stuck  # they are waited for when no neighbour of theirs is left
        await asyncio.gather(*map(self._post_stuck, alone))

    async def _post_stuck(self, ticket: Ticket) -> None:
        doubled = 0
        while ticket not in self._parked and await self._post([ticket], Way(self._stuck, SINGLE_PATIENCE)):
            await asyncio.sleep(full_jitter(doubled, first=_PAUSE_SECONDS, longest=_PAUSE_SECONDS_MAX))
            doubled += 1

    async def _post_parked(self, tickets: Sequence[Ticket]) -> None:
        """Post what is parked, in its order, until none of *tickets* is."""
        doubled = 0
        while any(ticket in self._parked for ticket in tickets):
            async with self._unparking:
                left = await asyncio.gather(*map(self._unpark, {ticket.ledger_id for ticket in self._parked}))
                if any(left):
                    await asyncio.sleep(full_jitter(doubled, first=_PAUSE_SECONDS, longest=_PAUSE_SECONDS_MAX))
                    doubled += 1

    async def _unpark(self, ledger_id: int) -> list[Ticket]:
        """Post what is parked of one ledger, in its order, and return what has to stay."""
        taken = [ticket for ticket in self._parked if ticket.ledger_id == ledger_id][:_MOST_UNPARKED]
        left = await self._advance(taken)
        self._parked.leave(ticket for ticket in taken if ticket not in left)
        return left

    async def _advance(self, tickets: Sequence[Ticket]) -> list[Ticket]:
        """Post of *tickets*, in their order, what no lock holds up, and return the others in their order."""
        patience = GROUP_PATIENCE if len(tickets) > 1 else SINGLE_PATIENCE
        stuck = await self._post(list(tickets), Way(self._held_up, patience, is_parked=True))
        if len(stuck) < 2:
            return stuck
        first, second = _halves(stuck)
        left = await self._advance(first)
        free, behind = self._parked.part(second, left)
        left += behind + await self._advance(free)
        return [ticket for ticket in stuck if ticket in left]

    async def post_atomically(self, tickets: Sequence[Ticket]) -> list[Posted]:
        """Post all of *tickets*, which have different keys, in one transaction, until it is done or refused.

        Raises:
            FinanceError: One of them is refused, and none is stored.
        """
        attempt = 0
        while True:
            try:
                return await self._try_atomically(tickets)
            except FinanceError as error:
                _fail(tickets, error)
                if not _is_passing(error):
                    raise
                attempt += 1
                await self._pause(attempt, error)

    async def _try_atomically(self, tickets: Sequence[Ticket]) -> list[Posted]:
        await self._look_up(tickets)
        try:
            drafts = [draft(ticket.ledger_id, ticket.entry, self._currencies) for ticket in tickets]
        except AccountNotFoundError as error:
            raise (await self._not_found(tickets[0], error)) from None
        for ticket in tickets:
            ticket.is_sent = True
        connection: Connection | None = None
        try:
            async with self._database.transaction(tickets[0].ledger_id, None) as connection:
                return await post(connection.fetch, drafts)
        finally:
            if connection is None or connection.outcome is Outcome.NOT_APPLIED:
                for ticket in tickets:
                    ticket.is_sent = False

    async def _post(self, tickets: list[Ticket], way: Way, ahead: Sequence[Ticket] = ()) -> list[Ticket]:
        """Post *tickets* until each has its answer, and return those that somebody else's lock holds up.

        Args:
            tickets: The entries, in their order.
            way: How they are tried.
            ahead: Entries that are held up and must not be overtaken at limits.
        """
        attempt = 0
        stuck: list[Ticket] = []
        while tickets := [ticket for ticket in tickets if ticket.is_open]:
            if len(tickets) > 1 and any(ticket.entry.settles_id is not None for ticket in tickets):
                # What a hold leaves free is known to the database alone: an entry that settles one goes alone.
                first, tickets = _halves(tickets)
                stuck += await self._post(first, way, [*ahead, *stuck])
                continue
            try:
                async with way.places:
                    return stuck + await self._try(tickets, way, [*ahead, *stuck])
            except MustFollowError:
                for ticket in tickets:
                    ticket.is_sent = False
                raise
            except LimitFoundError:  # now they are known to have an order, also behind those that are held up meanwhile
                for ticket in tickets:
                    ticket.is_sent = False
            except Exception as error:  # none of them may be left without an answer
                tickets = [ticket for ticket in tickets if ticket.is_open]
                _fail(tickets, error)
                if _is_passing(error):
                    attempt += 1
                    await self._pause(attempt, error)
                elif len(tickets) > 1 and _is_of_an_entry(error):
                    first, tickets = _halves(tickets)
                    stuck += await self._post(first, way, [*ahead, *stuck])
                else:
                    for ticket in tickets:  # what speaks of no entry does not say what became of an earlier try
                        is_sure = _is_of_an_entry(error) or not ticket.is_uncertain
                        ticket.refuse(error if is_sure else OutcomeUnknownError())
        return stuck

    async def _try(self, tickets: Sequence[Ticket], way: Way, ahead: Sequence[Ticket]) -> list[Ticket]:
        """Post *tickets* once, first those whose order makes no difference, and answer each that is not held up."""
        ready = await self._with_drafts(tickets)
        ordered = [ticket for ticket in ready if self._limits_of(ticket)] if self._limited else []
        stuck: list[Ticket] = []
        if len(ready) > len(ordered) > 0:
            free = [ticket for ticket in ready if not self._limits_of(ticket)]
            stuck = await self._try_together(free, way, are_all=False)
            ready = [ticket for ticket in ordered if ticket.is_open]  # others were given up meanwhile
        if self._parked:
            ready, behind = self._parked.part(ready, ahead if way.is_parked else self._parked)
            self._park(behind, way)
            stuck += behind
        return stuck + (await self._try_together(ready, way) if ready else [])

    def _park(self, tickets: Sequence[Ticket], way: Way) -> None:
        """Have whoever comes later wait behind *tickets* at their limits."""
        if tickets:
            way.require_turn()
            self._parked.join(tickets)

    def _limits_of(self, ticket: Ticket) -> set[int]:
        """Return the accounts of *ticket* that have limits, as far as is known."""
        return self._limited & ticket.draft.account_ids if self._limited and ticket.draft is not None else set()

    async def _try_together(self, tickets: Sequence[Ticket], way: Way, *, are_all: bool = True) -> list[Ticket]:
        """Post *tickets* in one go, and answer all of them; return them where somebody else's lock holds them up.

        Unless they *are_all*, others come before them at limits.
        """
        drafts = [ticket.draft for ticket in tickets if ticket.draft is not None]
        for ticket in tickets:
            ticket.is_sent = True
        try:
            old, refused = await self._insert(drafts, way, are_all=are_all)
        except LockTimeoutError as error:
            _fail(tickets, error)
            self._limited |= await limited(self._fetch(drafts[0].ledger_id), drafts)
            self._park([ticket for ticket in tickets if self._limits_of(ticket)], way)
            return list(tickets)
        fetch = self._fetch(drafts[0].ledger_id)
        hashes = await stored(fetch, [each for each in drafts if each.key in old]) if old else {}
        if len(hashes) < len(old):
            raise SerializationError  # a statement that looks later sees what kept the insertion out
        if not old and not refused:
            for ticket in tickets:
                ticket.grant(Posted(ticket.entry.id, is_replay=False))
            return []
        for ticket, each in zip(tickets, drafts, strict=True):
            _answer(ticket, each, refused, hashes)
        return []

    def _fetch(self, ledger_id: int) -> Fetch:
        return partial(self._database.fetch, ledger_id)

    async def _insert(
        self, drafts: Sequence[Draft], way: Way, *, are_all: bool
    ) -> tuple[set[Key], dict[Key, FinanceError]]:
        """Store *drafts* in one statement or, where their order matters, in a transaction.

        Returns:
            The keys that were stored before, and what those that a limit refuses are told.
        """
        fetch, lock_timeout = self._fetch(drafts[0].ledger_id), f"{way.patience * 1000:.0f}ms"
        has_order = not are_all or len(drafts) > 1 or way.predecessor is not None
        if has_order and self._limited and any(map(self._touches_limits, drafts)):
            way.require_turn()
            return await self._insert_in_order(drafts, way.patience)
        try:
            by_guard = self._database.sees_all_ledgers
            return await insert(fetch, drafts, lock_timeout=lock_timeout, unordered=has_order, by_guard=by_guard), {}
        except BalanceLimitError as error:
            if not has_order or error.account_id is None:
                raise
            self._limited |= {error.account_id, *await limited(fetch, drafts)}
            raise LimitFoundError from error

    async def _with_drafts(self, tickets: Sequence[Ticket]) -> Sequence[Ticket]:
        """Make the drafts that are missing, and answer whoever handed in what cannot be one."""
        if odd := [ticket for ticket in tickets if ticket.draft is None and self._draft(ticket) is not None]:
            await self._look_up(odd)
            for ticket in odd:
                error = self._draft(ticket)
                if isinstance(error, AccountNotFoundError):
                    error = await self._not_found(ticket, error)
                if error is not None:
                    ticket.refuse(error)
        return [ticket for ticket in tickets if ticket.is_open]

    def _draft(self, ticket: Ticket) -> Exception | None:
        """Make the draft of *ticket*, or return what is in the way: an account that is not known, or its content."""
        try:
            ticket.draft = draft(ticket.ledger_id, ticket.entry, self._currencies)
        except Exception as error:  # whatever is wrong with one entry is told to its caller alone
            return error
        return None

    async def _look_up(self, tickets: Sequence[Ticket]) -> None:
        entries = ((ticket.ledger_id, ticket.entry) for ticket in tickets)
        await look_up(self._fetch(tickets[0].ledger_id), entries, self._currencies)

    async def _not_found(self, ticket: Ticket, error: AccountNotFoundError) -> NotFoundError:
        """Return *error*, or that there is no such ledger: nobody had asked before."""
        rows = await self._fetch(ticket.ledger_id)("SELECT id FROM ledgers WHERE id = $1", ticket.ledger_id)
        return error if rows else LedgerNotFoundError(ticket.ledger_id)

    def _touches_limits(self, draft: Draft) -> bool:
        return not self._limited.isdisjoint(draft.account_ids)

    async def _insert_in_order(
        self, drafts: Sequence[Draft], patience: float
    ) -> tuple[set[Key], dict[Key, FinanceError]]:
        """Store those of *drafts* that the limits allow one after another; the accounts are locked before.

        Returns:
            The keys that were stored before, and what those that are refused are told.
        """
        async with self._database.transaction(drafts[0].ledger_id, patience) as connection:
            limits = await lock_limits(connection.fetch, drafts)
            self._remember(drafts, limits)
            known = await stored(connection.fetch, drafts)
            unknown = [each for each in drafts if each.key not in known]
            refused = refused_in_order(unknown, limits)
            accepted = [each for each in unknown if each.key not in refused]
            if accepted and await insert(connection.fetch, accepted):
                raise SerializationError  # one of them was stored meanwhile, and moved other balances than was reckoned
        return set(known), refused

    def _remember(self, drafts: Sequence[Draft], limits: Mapping[int, Limit]) -> None:
        touched = {account for each in drafts for account in each.account_ids}
        self._limited -= touched - limits.keys()
        self._limited |= limits.keys()

    async def _pause(self, attempt: int, error: BaseException) -> None:
        seconds = full_jitter(attempt - 1, first=_PAUSE_SECONDS, longest=_PAUSE_SECONDS_MAX)
        self._observer.retried(attempt, seconds, error)
        await asyncio.sleep(seconds)


def _answer(
    ticket: Ticket, draft: Draft, refused: Mapping[Key, FinanceError], hashes: Mapping[Key, bytes | None]
) -> None:
    if draft.key in refused:
        ticket.refuse(refused[draft.key])
    elif draft.key in hashes:
        try:
            ticket.grant(replayed(draft, hashes[draft.key]))
        except FinanceError as error:
            ticket.refuse(error)
    else:
        ticket.grant(Posted(draft.entry.id, is_replay=False))


def _fail(tickets: Iterable[Ticket], error: BaseException) -> None:
    for ticket in tickets:
        ticket.fail(error)


def _halves(tickets: list[Ticket]) -> tuple[list[Ticket], list[Ticket]]:
    middle = len(tickets) // 2
    return tickets[:middle], tickets[middle:]


def _is_passing(error: BaseException) -> bool:
    return isinstance(error, FinanceError) and (error.retryable or error.outcome is Outcome.UNKNOWN)


def _is_of_an_entry(error: BaseException) -> bool:
    return isinstance(error, _OF_AN_ENTRY) or not isinstance(error, FinanceError)
