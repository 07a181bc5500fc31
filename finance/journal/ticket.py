"""An entry on its way through the lane, and the caller that waits for its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from finance.errors import (
    DeadlineError,
    EntryConflictError,
    FinanceError,
    NotConnectedError,
    Outcome,
    OutcomeUnknownError,
)
from finance.models import NewEntry
from finance.repositories.draft import Draft
from finance.repositories.posting import Posted

_UUID_BITS = 128


class Ticket:
    """One entry to post, until it has its answer or nobody wants it any more.

    Attributes:
        ledger_id: The ledger that it is for.
        entry: The entry.
        number: What it is stored under, as one number: to look up by a ledger and a UUID takes longer.
        draft: What is sent, once the accounts were looked up.
        outcome: Its answer: that it is posted, or the error that says why not.
        is_open: It has no answer yet, and somebody wants one.
        is_sent: A statement with it is under way.
        is_uncertain: The answer to a statement with it was lost: it may be stored.
        last_error: What undid the last try.
    """

    __slots__ = (
        "_followers",
        "_leader",
        "_waiter",
        "draft",
        "entry",
        "is_open",
        "is_sent",
        "is_uncertain",
        "last_error",
        "ledger_id",
        "number",
        "outcome",
    )

    def __init__(self, ledger_id: int, entry: NewEntry) -> None:
        self.ledger_id = ledger_id
        self.entry = entry
        self.number = ledger_id << _UUID_BITS | entry.id.int
        self.draft: Draft | None = None
        self.outcome: Posted | BaseException | None = None
        self.is_open = True
        self.is_sent = False
        self.is_uncertain = False
        self.last_error: BaseException | None = None
        self._waiter: asyncio.Future[None] | None = None  # most tickets of many have none
        self._leader: Ticket | None = None
        self._followers: list[tuple[Ticket, Callable[[Ticket], None]]] | None = None

    @property
    def is_following(self) -> bool:
        """Whether it waits for another one that has the same key."""
        return self._leader is not None

    # --- its answer --------------------------------------------------------------------------------

    async def answer(self) -> Posted:
        """Wait for the answer and return it. Whoever is cancelled meanwhile does not want it any more.

        Raises:
            BaseException: What it was refused with.
        """
        try:
            await self.closed()
        except BaseException:
            self.withdraw()
            raise
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        assert self.outcome is not None  # noqa: S101 - whoever withdraws does not wait
        return self.outcome

    async def closed(self) -> None:
        """Wait until it is not open any more."""
        while self.is_open:
            if self._waiter is None or self._waiter.done():
                self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter

    def when_closed(self, door: asyncio.Future[None]) -> None:
        """Open *door* as soon as it is not open any more, for a caller that waits for its turn."""
        self._waiter = door

    def grant(self, posted: Posted) -> None:
        """Tell the caller that it is stored."""
        self._close(posted)

    def refuse(self, error: BaseException) -> None:
        """Tell the caller that it is not stored, or that nobody knows."""
        self._close(error)

    def withdraw(self) -> None:
        """Note that nobody wants the answer any more: what is not under way is not posted."""
        self._close(None)

    def _close(self, outcome: Posted | BaseException | None) -> None:
        if not self.is_open:
            return
        self.is_open = False
        self.outcome = outcome
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        if self._followers:
            self._release()

    # --- its way -----------------------------------------------------------------------------------

    def fail(self, error: BaseException) -> None:
        """Note that the statement came to nothing, as far as is known."""
        self.is_sent = False
        self.last_error = error
        self.is_uncertain |= isinstance(error, FinanceError) and error.outcome is Outcome.UNKNOWN

    def give_up(self, seconds: float) -> None:
        """Tell the caller that its *seconds* are over."""
        self.refuse(self.told(DeadlineError(seconds)))

    def cut_off(self) -> None:
        """Tell the caller, if it has no answer yet, that the manager is disconnected."""
        if self.is_open:  # of each group that ends nearly all have theirs: no error is made for them
            self.refuse(self.told(NotConnectedError(disconnected=True)))

    def told(self, when_not_stored: FinanceError) -> FinanceError:
        """Return the error for a caller who is left without an answer: *when_not_stored*, or that nobody knows."""
        may_be_stored = self._may_be_stored or (self._leader is not None and self._leader._may_be_stored)  # noqa: SLF001
        error = OutcomeUnknownError() if may_be_stored else when_not_stored
        error.__cause__ = self.last_error
        return error

    @property
    def _may_be_stored(self) -> bool:
        return self.is_sent or self.is_uncertain or isinstance(self.outcome, Posted)

    # --- others with the same key ------------------------------------------------------------------

    def be_followed_by(self, other: Ticket, put: Callable[[Ticket], None]) -> None:
        """Have *other*, which has the same key, answered when this one is; *put* takes it if this is not stored."""
        other._leader = self
        self._followers = [*(self._followers or ()), (other, put)]
        if not self.is_open:
            self._release()

    def come_after(self, other: Ticket) -> None:
        """Note that *other*, which has the same key, was given up: whoever did so did not call its statement back."""
        self.is_uncertain |= other.is_sent or other.is_uncertain

    def _release(self) -> None:
        followers, self._followers = self._followers, None
        for follower, put in followers or ():
            follower._leader = None  # noqa: SLF001 - one of ours
            follower.come_after(self)
            if not isinstance(self.outcome, Posted):
                put(follower)
            elif follower.entry.content_hash() == self.entry.content_hash():
                follower.grant(Posted(follower.entry.id, is_replay=True))
            else:
                follower.refuse(EntryConflictError(follower.entry.id))
