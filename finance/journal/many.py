"""Many entries of one caller: in groups that follow each other closely, and never overtake where limits are touched."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from finance.errors import FinanceError
from finance.journal.lane import Lane
from finance.journal.ticket import Ticket
from finance.repositories import Posted

#: Groups of one call that are under way at the same time, or wait for a place.
_AHEAD = 4
#: Entries of the first group: the server begins while the others are made ready.
FIRST_GROUP = 1024
#: Entries of the others: an account is locked and written once in each, however many of them touch it.
LARGEST_GROUP = 4096


@dataclass(frozen=True, slots=True)
class _Group:
    tickets: Sequence[Ticket]
    #: Done when these and all before them have their answers.
    task: asyncio.Task[None]

    async def answers(self) -> list[Posted | FinanceError]:
        await self.task
        return [_answer(ticket) for ticket in self.tickets]

    def give_up(self) -> None:
        self.task.cancel()
        for ticket in self.tickets:
            ticket.withdraw()


async def post_in_groups(lane: Lane, tickets: Iterator[Ticket], timeout: float) -> list[Posted | FinanceError]:
    """Post *tickets*, and return the answer of each in their order. A group has *timeout* seconds."""
    answers: list[Posted | FinanceError] = []
    under_way: list[_Group] = []
    predecessor: asyncio.Task[None] | None = None
    try:
        for taken in _groups(tickets):
            ids = {ticket.entry.id.int for group in under_way for ticket in group.tickets}
            if predecessor is not None and not ids.isdisjoint(ticket.entry.id.int for ticket in taken):
                await asyncio.wait((predecessor,))  # what becomes of the first one of an id decides about the second
            predecessor = asyncio.create_task(_post(lane, taken, predecessor, timeout))
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


async def _post(lane: Lane, tickets: Sequence[Ticket], predecessor: asyncio.Task[None] | None, timeout: float) -> None:
    try:
        async with asyncio.timeout(timeout):
            await lane.post_group(tickets, predecessor)
    except TimeoutError:
        for ticket in tickets:
            ticket.give_up(timeout)
    if predecessor is not None:
        await asyncio.wait((predecessor,))


def _groups(tickets: Iterator[Ticket]) -> Iterator[list[Ticket]]:
    """Cut *tickets* into groups none of which has an id twice: the second one has its place in the order as well."""
    group: dict[int, Ticket] = {}
    most = FIRST_GROUP
    for ticket in tickets:
        number = ticket.entry.id.int
        if number in group or len(group) == most:
            yield list(group.values())
            group, most = {}, LARGEST_GROUP
        group[number] = ticket
    if group:
        yield list(group.values())


def _answer(ticket: Ticket) -> Posted | FinanceError:
    if isinstance(ticket.outcome, Posted | FinanceError):
        return ticket.outcome
    assert ticket.outcome is not None  # noqa: S101 - nobody has withdrawn it
    raise ticket.outcome
