"""The lane: entries that wait go together, as one group, whenever one of its places is free."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from finance.errors import NotConnectedError
from finance.journal.limits import MustFollowError
from finance.journal.poster import Poster
from finance.journal.ticket import Ticket
from finance.repositories.posting import Posted

#: Entries that one group has at most.
MOST_IN_GROUP = 1024
#: Entries that are not worth two groups.
FEW_IN_GROUP = 8
#: Entries that wait at most; further callers wait for their turn to hand theirs in.
MOST_WAITING = 16 * MOST_IN_GROUP

_FAREWELL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class LaneStats:
    """The fast lane at one instant; the counts are sums since `connect()`.

    Attributes:
        waiting: Entries that wait for a place.
        posting: Groups that are under way, those that wait for somebody else's lock included.
        groups: Groups that were begun.
        entries: Entries that these had.
        largest: Entries of the largest of them.
    """

    waiting: int
    posting: int
    groups: int
    entries: int
    largest: int


class Lane:
    """Takes entries in the order in which they come, and posts what waits as one group.

    Args:
        poster: How a group is posted.
        places: Groups that may be on their way at the same time, each on a connection of its own; as many of
            `post_many()` besides, so that nobody else waits for these.
        require_usable: Raises where the pool behind it cannot be used.
        one_ledger: Entries of different ledgers do not share a group.
    """

    def __init__(
        self, poster: Poster, places: int, require_usable: Callable[[], None], *, one_ledger: bool = False
    ) -> None:
        self._poster = poster
        self._require_usable = require_usable
        self._one_ledger = one_ledger
        self._place_count = places
        self._places = asyncio.Semaphore(places)
        self._places_of_many = asyncio.Semaphore(places)
        self._waiting: deque[Ticket] = deque()
        self._doors: deque[asyncio.Future[None]] = deque()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._is_due = False
        #: Entries that are being posted, by their numbers.
        self._under_way: dict[int, Ticket] = {}
        #: Done when all groups that were taken have their answers, but for entries that wait for somebody else's lock.
        self._latest: asyncio.Future[None] | None = None
        #: Done when all groups that were taken have their answers or stand in line.
        self._latest_placed: asyncio.Future[None] | None = None
        #: Groups that touch limits while others are under way: they go together, in their order.
        self._line: deque[tuple[Sequence[Ticket], asyncio.Future[None]]] = deque()
        self._is_line_moving = False
        self._is_closing = self._is_over = False
        self._groups = self._entries = self._largest = 0

    def stats(self) -> LaneStats:
        """Return what the lane has done and is doing."""
        return LaneStats(len(self._waiting), len(self._tasks), self._groups, self._entries, self._largest)

    # --- coming in ---------------------------------------------------------------------------------

    def require_open(self) -> None:
        """Check that it takes entries.

        Raises:
            NotConnectedError, WrongLoopError, ForkedError: It does not.
        """
        if self._is_closing:
            raise NotConnectedError(disconnected=True)
        self._require_usable()

    @property
    def is_full(self) -> bool:
        """Whether so many entries wait that a caller has to wait for its turn to hand in another one."""
        return len(self._waiting) >= MOST_WAITING or bool(self._doors)

    async def enter(self, ticket: Ticket) -> None:
        """Wait for the turn of *ticket*: when the server is slow, callers queue up rather than entries.

        Raises:
            NotConnectedError: The lane was closed.
        """
        door: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._doors.append(door)
        ticket.when_closed(door)
        self._open_doors()
        await door
        if ticket.is_open:  # its time may be over
            self.require_open()

    def put(self, ticket: Ticket) -> None:
        """Take an entry. It goes with whatever else waits when a place is free."""
        if self._is_over:  # it followed one that was cut off
            ticket.cut_off()
            return
        self._waiting.append(ticket)
        self._look()

    def prepare(self, tickets: Iterable[Ticket]) -> None:
        """Make drafts of *tickets* ahead, as far as that goes."""
        self._poster.prepare(tickets)

    async def post_group(self, tickets: Sequence[Ticket], predecessor: asyncio.Future[Any] | None) -> None:
        """Post *tickets* as a group of their own, and return when each has its answer.

        Args:
            tickets: The entries, in the order in which limits are to hold for them.
            predecessor: What is to be done before, where the entries touch limits.
        """
        task = self.spawn(self._post_group(tickets, predecessor), tickets)
        await asyncio.wait((task,))
        if not task.cancelled():  # else each of them has its answer
            task.result()

    async def post_atomically(self, tickets: Sequence[Ticket]) -> list[Posted]:
        """Post all of *tickets* in one transaction, or none.

        Raises:
            FinanceError: One of them was refused, or a fault did not pass.
        """
        try:
            answers: list[Posted] = await self.spawn(self._post_atomically(tickets))
        except asyncio.CancelledError:
            if not self._is_over:
                raise
            error = tickets[0].told(NotConnectedError(disconnected=True))
            raise error from error.__cause__
        return answers

    def spawn(self, work: Coroutine[Any, Any, Any], tickets: Sequence[Ticket] = ()) -> asyncio.Task[Any]:
        """Have *work* done whatever becomes of its caller; `close()` waits for it.

        Nobody waits for *tickets* after it, not even when it is cancelled before its first step.
        """
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if tickets:
            task.add_done_callback(lambda _: _cut_off(tickets))
        return task

    # --- going on ----------------------------------------------------------------------------------

    def _look(self) -> None:
        if not self._is_due:
            self._is_due = True
            self.spawn(self._post_waiting())

    async def _post_waiting(self) -> None:
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[None] = loop.create_future()
        placed: asyncio.Future[None] = loop.create_future()
        predecessor: asyncio.Future[None] | None = None
        before: asyncio.Future[None] | None = None
        try:
            async with self._places:
                self._is_due = False
                group = self._take()
                predecessor = None if self._latest is None or self._latest.done() else self._latest
                before, self._latest_placed = self._latest_placed, placed
                self._latest = answered
                if self._waiting:
                    self._look()
                left = await self._post(group, predecessor)
            if left:
                await self._stand_in_line(left, before, placed)
        except asyncio.CancelledError:
            self._is_due = False
            raise
        finally:
            _finish(placed, before)
            _finish(answered, predecessor)

    async def _stand_in_line(
        self, leaders: Sequence[Ticket], before: asyncio.Future[None] | None, placed: asyncio.Future[None]
    ) -> None:
        """Post *leaders* when all groups before have their answers."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            with _cutting_off(leaders):
                if before is not None:
                    await asyncio.wait((before,))
                self._line.append((leaders, done))
                placed.set_result(None)
                if not self._is_line_moving:
                    self._is_line_moving = True
                    self.spawn(self._post_line())
                await done
        finally:
            self._end(leaders)

    async def _post_line(self) -> None:
        try:
            while self._line:
                async with self._places:
                    group, done = self._line.popleft()
                    together, ends = list(group), [done]
                    while self._line and len(together) + len(self._line[0][0]) <= MOST_IN_GROUP:
                        if self._one_ledger and self._line[0][0][0].ledger_id != together[0].ledger_id:
                            break
                        group, done = self._line.popleft()
                        together += group
                        ends.append(done)
                    try:
                        await self._post_leaders(together, None)
                    finally:
                        for each in ends:
                            _finish(each, None)
        finally:
            self._is_line_moving = False

    async def _post_group(self, tickets: Sequence[Ticket], predecessor: asyncio.Future[Any] | None) -> None:
        await self._post_behind(tickets, predecessor)
        for ticket in tickets:
            if ticket.is_open:
                await ticket.closed()

    async def _post_behind(self, tickets: Sequence[Ticket], predecessor: asyncio.Future[Any] | None) -> None:
        async with self._places_of_many:
            left = await self._post(tickets, predecessor)
        if left:
            await self._post_after(left, predecessor)

    async def _post_after(self, leaders: Sequence[Ticket], predecessor: asyncio.Future[Any] | None) -> None:
        """Post *leaders* when *predecessor* is done. Nobody waits in a place: what comes before may need one."""
        assert predecessor is not None  # noqa: S101 - there is something to follow
        try:
            with _cutting_off(leaders):
                await asyncio.wait((predecessor,))
                async with self._places_of_many:
                    await self._post_leaders(leaders, predecessor)
        finally:
            self._end(leaders)

    async def _post_atomically(self, tickets: Sequence[Ticket]) -> list[Posted]:
        async with self._places:
            return await self._poster.post_atomically(tickets)

    def _take(self) -> list[Ticket]:
        """Take those whose turn it is, as a group."""
        group: list[Ticket] = []
        others: list[Ticket] = []
        most = self._share()
        while self._waiting and len(group) < most:
            ticket = self._waiting.popleft()
            if not ticket.is_open:
                continue
            if self._one_ledger and group and ticket.ledger_id != group[0].ledger_id:
                others.append(ticket)
            else:
                group.append(ticket)
        self._waiting.extendleft(reversed(others))
        self._open_doors()
        return group

    def _share(self) -> int:
        """Return how many entries the next group may have: what is there is spread over the places.

        While the server works at one group, answers of another reach their callers, who come back with more.
        """
        there = len(self._waiting) + len(self._under_way)
        return min(MOST_IN_GROUP, max(FEW_IN_GROUP, -(-there // self._place_count)))

    def _open_doors(self) -> None:
        room = MOST_WAITING - len(self._waiting)
        while self._doors and (room > 0 or self._doors[0].done()):
            door = self._doors.popleft()
            if not door.done():  # whoever gave up needs no room
                door.set_result(None)
                room -= 1

    async def _post(self, tickets: Sequence[Ticket], predecessor: asyncio.Future[Any] | None) -> Sequence[Ticket]:
        """Post *tickets*, and return those for which *predecessor* has to be done first; they stay under way."""
        leaders = self._leaders(tickets)
        if not leaders:
            return ()
        self._entries += len(tickets)
        self._under_way.update((ticket.number, ticket) for ticket in leaders)
        try:
            with _cutting_off(tickets):
                await self._post_leaders(leaders, predecessor)
        except MustFollowError:
            self._groups -= 1
            return leaders
        except BaseException:
            self._end(leaders)
            raise
        return ()

    async def _post_leaders(self, leaders: Sequence[Ticket], predecessor: asyncio.Future[Any] | None) -> None:
        self._groups += 1
        self._largest = max(self._largest, len(leaders))
        held_up = await self._poster.post(leaders, predecessor)
        self._end(leaders)
        if held_up:
            self._under_way.update((ticket.number, ticket) for ticket in held_up)
            self.spawn(self._post_held_up(held_up), held_up)

    async def _post_held_up(self, tickets: Sequence[Ticket]) -> None:
        try:
            await self._poster.post_held_up(tickets)
        finally:
            self._end(tickets)

    def _end(self, tickets: Iterable[Ticket]) -> None:
        for ticket in tickets:
            if self._under_way.get(ticket.number) is ticket:  # and not the next one of its id
                del self._under_way[ticket.number]

    def _leaders(self, tickets: Sequence[Ticket]) -> list[Ticket]:
        """Return the first ticket of each key; the others follow it, as they do one that is under way already."""
        numbers = {ticket.number for ticket in tickets}
        if len(numbers) == len(tickets) and self._under_way.keys().isdisjoint(numbers):
            return [ticket for ticket in tickets if not ticket.is_following]
        leaders = dict(self._under_way)
        found: list[Ticket] = []
        for ticket in tickets:
            if ticket.is_following or self._under_way.get(ticket.number) is ticket:
                continue
            leader = leaders.setdefault(ticket.number, ticket)
            if leader is ticket:
                found.append(ticket)
            elif leader.is_open:
                leader.be_followed_by(ticket, self.put)
            else:  # its caller has left, and its statement is still under way
                ticket.come_after(leader)
                found.append(ticket)
        return found

    # --- closing -----------------------------------------------------------------------------------

    async def close(self, timeout: float) -> None:
        """Post what waits, for *timeout* seconds at most; the others are told what is known of their entries."""
        self._is_closing = True
        for door in self._doors:
            if not door.done():
                door.set_result(None)
        end = asyncio.get_running_loop().time() + timeout
        try:
            while self._tasks and (left := end - asyncio.get_running_loop().time()) > 0:
                await asyncio.wait(tuple(self._tasks), timeout=left)
        finally:
            self._is_over = True
            tasks = tuple(self._tasks)
            for task in tasks:
                task.cancel()
            _cut_off(tuple(self._waiting))
            self._waiting.clear()
        if tasks:
            await asyncio.wait(tasks, timeout=_FAREWELL_SECONDS)


def _finish(future: asyncio.Future[None], predecessor: asyncio.Future[None] | None) -> None:
    """Have *future* done as soon as *predecessor* is."""
    if future.done():
        return
    if predecessor is None or predecessor.done():
        future.set_result(None)
    else:
        predecessor.add_done_callback(lambda _: _finish(future, None))


@contextlib.contextmanager
def _cutting_off(tickets: Sequence[Ticket]) -> Iterator[None]:
    """Have nobody wait for *tickets* whose work was cancelled."""
    try:
        yield
    except asyncio.CancelledError:
        _cut_off(tickets)
        raise


def _cut_off(tickets: Sequence[Ticket]) -> None:
    for ticket in tickets:
        ticket.cut_off()
