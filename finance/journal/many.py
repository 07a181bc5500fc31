"""Many entries of one caller: in groups that follow each other closely, and never overtake where limits are touched."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from itertools import islice

from finance.errors import FinanceError
from finance.journal.lane import Lane
from finance.journal.ticket import Ticket
from finance.repositories import Posted

#: Groups of one call that are under way at the same time, or wait for a place.
_AHEAD = 4
#: Entries of the first group: the server begins while the others are made ready.
FIRST_GROUP = 1536
#: Entries of the others: an account is locked and written once in each, however many of them touch it.
LARGEST_GROUP = 4096
# Entries that are taken before the event loop has its turn: of a large group that was sent, much is still in its hands.
_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class _Group:
    tickets: Mapping[int, Ticket]
    #: Done when these and all before them have their answers.
    task: asyncio.Task[None]

    async def answers(self) -> list[Posted | FinanceError]:
        await self.task
        return [_answer(ticket) for ticket in self.tickets.values()]

    def give_up(self) -> None:
        self.task.cancel()
        for ticket in self.tickets.values():
            ticket.withdraw()


async def post_in_groups(lane: Lane, tickets: Iterator[Ticket], timeout: float) -> list[Posted | FinanceError]:
    """Post *tickets*, and return the answer of each in their order. A group has *timeout* seconds."""
    answers: list[Posted | FinanceError] = []
    under_way: list[_Group] = []
    predecessor: asyncio.Task[None] | None = None
    try:
        async with aclosing(_groups(lane, tickets)) as groups:
            async for taken in groups:
                if predecessor is not None and not all(group.tickets.keys().isdisjoint(taken) for group in under_way):
                    # What becomes of the first one of an id decides about the second.
                    await asyncio.wait((predecessor,))
                predecessor = asyncio.create_task(_post(lane, list(taken.values()), predecessor, timeout))
                under_way.append(_Group(taken, predecessor))
                if len(under_way) == _AHEAD:
                    answers += await under_way[0].answers()  # whoever is cancelled meanwhile gives this one up, too
                    del under_way[0]
        for group in under_way:
            answers += await group.answers()
    except BaseException:
        for group in under_way:
            group.give_up()
        raise
    return answers


async def _post(lane: Lane, tickets: list[Ticket], predecessor: asyncio.Task[None] | None, timeout: float) -> None:
    try:
        async with asyncio.timeout(timeout):
            await lane.post_group(tickets, predecessor)
    except TimeoutError:
        for ticket in tickets:
            ticket.give_up(timeout)
    if predecessor is not None:
        await asyncio.wait((predecessor,))


async def _groups(lane: Lane, tickets: Iterator[Ticket]) -> AsyncGenerator[dict[int, Ticket], None]:
    """Cut *tickets* into groups none of which has an id twice: the second one has its place in the order as well.

    While one is made ready, those before it are posted.
    """
    group: dict[int, Ticket] = {}
    most = FIRST_GROUP
    while taken := list(islice(tickets, _AT_ONCE)):
        lane.prepare(taken)
        for ticket in taken:
            if ticket.number in group:
                yield group
                group, most = {}, LARGEST_GROUP
            group[ticket.number] = ticket
            if len(group) == most:
                yield group
                group, most = {}, LARGEST_GROUP
        await asyncio.sleep(0)
    if group:
        yield group


def _answer(ticket: Ticket) -> Posted | FinanceError:
    outcome = ticket.outcome
    if isinstance(outcome, (Posted, FinanceError)):
        return outcome
    assert outcome is not None  # noqa: S101 - nobody has withdrawn it
    raise outcome
