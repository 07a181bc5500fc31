"""Limits as if entries came one after another: which of a group would have been refused, and who waits for whom."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from finance.errors import BalanceLimitError, FinanceError
from finance.journal.ticket import Ticket
from finance.money import total
from finance.repositories.draft import Draft, Key
from finance.repositories.posting import Limit


class MustFollowError(Exception):
    """Nothing was sent: what comes before has to have its answers first, since limits are touched."""


class LimitFoundError(Exception):
    """Nothing was stored: a limit is touched that was not known, and those that touch it have an order."""


@dataclass(frozen=True, slots=True)
class Way:
    """How a group is tried.

    Attributes:
        places: Entered for each try.
        patience: Seconds to wait for a lock of somebody else.
        predecessor: What is to be done before, where the group touches limits.
        is_parked: It is parked itself: it waits for nobody that is.
    """

    places: AbstractAsyncContextManager[object]
    patience: float
    predecessor: asyncio.Future[Any] | None = None
    is_parked: bool = False

    def require_turn(self) -> None:
        """Check that a group that touches limits has its turn.

        Raises:
            MustFollowError: It has not.
        """
        if self.predecessor is not None and not self.predecessor.done():
            raise MustFollowError


def refused_in_order(drafts: Sequence[Draft], limits: Mapping[int, Limit]) -> dict[Key, FinanceError]:
    """Walk through *drafts* in their order, and return what those are told that a limit does not allow by then.

    Args:
        drafts: Entries that are not stored yet, in the order in which they came.
        limits: The limits of the locked accounts that have one, by their ids.
    """
    refused: dict[Key, FinanceError] = {}
    balances = {account: limit.balance for account, limit in limits.items()}
    for draft in drafts:
        if draft.entry.settles_id is not None:
            continue  # it goes alone, and the database knows what its hold leaves free
        after = {account: total((balances[account], *amounts)) for account, amounts in _lines(draft, limits).items()}
        error = _first_refusal(after, limits)
        if error is None:
            balances |= after
        else:
            refused[draft.key] = error
    return refused


def _first_refusal(after: Mapping[int, Decimal], limits: Mapping[int, Limit]) -> FinanceError | None:
    for account, balance in after.items():
        limit = limits[account]
        if limit.maximum is not None and balance > limit.maximum:
            return BalanceLimitError("maximum", account)
        if limit.minimum is not None and total((balance, limit.held.copy_negate())) < limit.minimum:
            return BalanceLimitError("minimum", account)
    return None


def _lines(draft: Draft, limits: Mapping[int, Limit]) -> dict[int, list[Decimal]]:
    """Return the amounts of *draft* on each account that has limits, in the order of their ids."""
    amounts: dict[int, list[Decimal]] = {account: [] for account in sorted(limits.keys() & draft.account_ids)}
    for line in draft.lines:
        if line.account_id in amounts:
            amounts[line.account_id].append(line.amount)
    return amounts


class Parked:
    """Entries that are held up where they touch limits, in the order in which they came; nobody overtakes them there.

    Args:
        limits_of: Returns the accounts of an entry that have limits, as far as is known.
    """

    def __init__(self, limits_of: Callable[[Ticket], set[int]]) -> None:
        self._limits_of = limits_of
        self._limits: dict[Ticket, set[int]] = {}

    def __len__(self) -> int:
        return len(self._limits)

    def __iter__(self) -> Iterator[Ticket]:
        return iter(self._limits)

    def __contains__(self, ticket: Ticket) -> bool:
        return ticket in self._limits

    def join(self, tickets: Iterable[Ticket]) -> None:
        """Add those of *tickets* that touch limits, at the end."""
        for ticket in tickets:
            if ticket not in self._limits and (limits := self._limits_of(ticket)):
                self._limits[ticket] = limits

    def leave(self, tickets: Iterable[Ticket]) -> None:
        """Take *tickets* out, which are held up no more."""
        for ticket in tickets:
            del self._limits[ticket]

    def part(self, tickets: Iterable[Ticket], held_up: Iterable[Ticket]) -> tuple[list[Ticket], list[Ticket]]:
        """Part *tickets*, in their order, into those that may go and those that wait behind others at a limit.

        Args:
            tickets: The entries.
            held_up: Those of the parked ones that come before them.
        """
        closed = {limit for ticket in held_up for limit in self._limits.get(ticket, ())}
        free: list[Ticket] = []
        behind: list[Ticket] = []
        for ticket in tickets:
            limits = self._limits_of(ticket)
            if limits.isdisjoint(closed):
                free.append(ticket)
            else:
                behind.append(ticket)
                closed |= limits
        return free, behind
