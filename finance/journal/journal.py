"""`db.journal`: posting without a unit of work."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Literal, overload

from finance.connection import Connection
from finance.errors import DeadlineError, FinanceError, InvalidError, Outcome
from finance.journal.lane import Lane, LaneStats
from finance.journal.many import post_in_groups
from finance.journal.rebuilding import Rebuilt, find_contradictions, rebuild
from finance.journal.ticket import Ticket
from finance.models import Ledger, NewEntry
from finance.reports import Verification
from finance.reports.verification import Watcher
from finance.repositories import Posted
from finance.unit_of_work import UnitOfWork

_PAUSE_SECONDS = 0.05


class Journal:
    """The journal of the database, posted to by the fast lane.

    Concurrent callers of one manager share statements: whatever waits when a connection is free goes as one group,
    in one statement that commits by itself, and each caller gets an answer of its own. A fault that passes (a lost
    connection, a server that restarts, a deadlock) is met by posting the same ids again, so that an entry is stored
    once or not at all. A refused entry never harms those beside it.

    Args:
        lane: Returns the lane of the pool that is connected.
        find_ledger: Returns the id of a ledger, once the database is at the code's revision.
        is_ready: Tells whether it is known to be there, so that the id of a ledger is found without asking.
        unit_of_work: Opens a unit of work.
        transaction: Opens a transaction for raw SQL.
    """

    def __init__(
        self,
        lane: Callable[[], Lane],
        find_ledger: Callable[[Ledger | int | str], Awaitable[int]],
        is_ready: Callable[[], bool],
        unit_of_work: Callable[..., AbstractAsyncContextManager[UnitOfWork]],
        transaction: Callable[..., AbstractAsyncContextManager[Connection]],
    ) -> None:
        self._lane = lane
        self._find_ledger = find_ledger
        self._is_ready = is_ready
        self._unit_of_work = unit_of_work
        self._transaction = transaction

    async def post(self, entry: NewEntry, *, ledger: Ledger | int | str, timeout: float = 30.0) -> Posted:
        """Post *entry*; it is durable when this returns.

        The entry's id makes it exactly once. After an `OutcomeUnknownError`, or when the caller was cancelled,
        post it again with the same id: what is stored is told as a replay. So is, rarely, an entry of which an
        earlier try of this very call was stored and its answer lost.

        Args:
            entry: The entry.
            ledger: The ledger, its id, or its name, which costs a SELECT.
            timeout: Seconds to wait, and to try again after faults that pass.

        Raises:
            LedgerNotFoundError: There is no such ledger.
            UnbalancedEntryError, AccountNotFoundError, AccountClosedError, AmountError, BalanceLimitError,
                PeriodClosedError, EntryConflictError, AlreadyReversedError: As `uow.journal.post()`. Limits hold as
                if the entries had come one after another, in the order in which they were handed in.
            DeadlineError: It was not posted within *timeout*, and will not be.
            OutcomeUnknownError: *timeout* passed, or the manager was disconnected, while it was being posted.

        Database:
            A share of one INSERT statement, which locks the accounts' rows in the order of their ids; one SELECT
            more for replays, and one where an account was never posted to. Where an account has limits, a
            transaction with four statements.
        """
        lane = self._lane()
        lane.require_open()
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout
        ticket = Ticket(await self._found(ledger, timeout), _require_entry(entry))
        limit = loop.call_at(end, ticket.give_up, timeout)
        try:
            if lane.is_full:
                await lane.enter(ticket)
            lane.put(ticket)
            return await ticket.answer()
        finally:
            limit.cancel()

    @overload
    async def post_many(
        self,
        entries: Iterable[NewEntry],
        *,
        ledger: Ledger | int | str,
        atomic: Literal[False] = False,
        timeout: float = 30.0,
    ) -> list[Posted | FinanceError]: ...
    @overload
    async def post_many(
        self, entries: Iterable[NewEntry], *, ledger: Ledger | int | str, atomic: Literal[True], timeout: float = 30.0
    ) -> list[Posted]: ...
    async def post_many(
        self, entries: Iterable[NewEntry], *, ledger: Ledger | int | str, atomic: bool = False, timeout: float = 30.0
    ) -> list[Posted] | list[Posted | FinanceError]:
        """Post *entries*, and answer for each in their order.

        Args:
            entries: Any number; they are taken some thousands at a time. What is none, or an iterator that fails,
                ends the call with its error: what was taken before may be posted, and its answers are lost.
            ledger: The ledger, its id or its name.
            atomic: Post all of them in one transaction, or none. Limits then hold for their sum.
            timeout: Seconds that a group of some thousands may take, faults that pass included; with *atomic*, all.

        Returns:
            For each entry what `post()` would have returned or, without *atomic*, the error that it would have raised.

        Raises:
            LedgerNotFoundError: There is no such ledger.
            InvalidError: With *atomic*, two entries have the same id.
            FinanceError: With *atomic*, one of them was refused, and none is stored.
        """
        lane = self._lane()
        lane.require_open()
        end = asyncio.get_running_loop().time() + timeout
        ledger_id = await self._found(ledger, timeout)
        if atomic:
            return await self._post_atomically(lane, ledger_id, list(entries), timeout, end)
        tickets = (Ticket(ledger_id, _require_entry(entry)) for entry in entries)
        return await post_in_groups(lane, tickets, timeout)

    def stats(self) -> LaneStats:
        """Return what the fast lane has done and is doing, in numbers."""
        return self._lane().stats()

    async def verify(self, ledger: Ledger | int | str, *, progress: Watcher | None = None) -> Verification:
        """Compute everything derived in *ledger* again, and compare it with what is stored.

        Posting goes on meanwhile; memory does not grow with the books.

        Args:
            ledger: The row, its id or its name.
            progress: Called with a `Progress` after each batch, several times a second.

        Raises:
            LedgerNotFoundError: There is no such ledger.

        Database:
            A read-only transaction that reads the whole ledger, however long that takes; no locks.
        """
        async with self._snapshot(ledger) as uow:
            return await uow.reports.verify(progress=progress)

    async def rebuild(self, ledger: Ledger | int | str, *, progress: Watcher | None = None) -> Rebuilt:
        """Compute balances, monthly totals and what is held in *ledger* again, and store what differs.

        Only accounts that contradict their postings or holds are touched, one after another, each in a transaction
        of its own: posters of the others go on. The table `rebuilds` keeps what was changed. What is wrong with the
        postings themselves stays; `verify()` tells of it.

        Args:
            ledger: The row, its id or its name.
            progress: Called with a `Progress` after each batch, and after each account that is rebuilt.

        Raises:
            LedgerNotFoundError: There is no such ledger.

        Database:
            A read-only transaction that reads every posting of the ledger; then one INSERT for each account that
            is wrong, which locks that account's row and reads its postings.
        """
        async with self._snapshot(ledger) as uow:
            accounts, wrong = await find_contradictions(uow, progress)
            ledger_id = uow.ledger_id
        mended, problems = await rebuild(self._transaction, ledger_id, wrong, progress)
        return Rebuilt(accounts, tuple(mended), tuple(problems))

    async def _found(self, ledger: Ledger | int | str, timeout: float) -> int:
        """Return the id of *ledger*. Whatever the database is asked before, it is asked again after faults that pass.

        That is the id of a name and, by whoever comes first, the revision of the schema.
        """
        number = ledger.id if isinstance(ledger, Ledger) else ledger
        if type(number) is int and self._is_ready():
            return number
        failure: FinanceError | None = None
        try:
            async with asyncio.timeout(timeout) as limit:
                while True:
                    try:
                        return await self._find_ledger(ledger)
                    except FinanceError as error:
                        if not error.retryable and error.outcome is not Outcome.UNKNOWN:
                            raise
                        failure = error
                    await asyncio.sleep(_PAUSE_SECONDS)
        except TimeoutError:
            if not limit.expired():
                raise
            raise DeadlineError(timeout) from failure

    def _snapshot(self, ledger: Ledger | int | str) -> AbstractAsyncContextManager[UnitOfWork]:
        return self._unit_of_work(ledger, isolation="repeatable_read", read_only=True, statement_timeout=math.inf)

    async def _post_atomically(
        self, lane: Lane, ledger_id: int, entries: Sequence[NewEntry], timeout: float, end: float
    ) -> list[Posted]:
        if not entries:
            return []
        tickets = [Ticket(ledger_id, _require_entry(entry)) for entry in entries]
        if len({ticket.number for ticket in tickets}) < len(tickets):
            raise InvalidError("two entries of one call have the same id; an id is used once")
        try:
            async with asyncio.timeout_at(end) as limit:
                return await lane.post_atomically(tickets)
        except TimeoutError:
            if not limit.expired():
                raise
            error = tickets[0].told(DeadlineError(timeout))
            raise error from error.__cause__


def _require_entry(entry: Any) -> NewEntry:
    if not isinstance(entry, NewEntry):
        raise InvalidError(f"a {type(entry).__name__} cannot be posted: give a NewEntry")
    return entry
