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
from finance.repositories.posting import Draft, Key, Posted


class Ticket:
    """One entry to post, until it has its answer or nobody wants it any more.

    Attributes:
        ledger_id: The ledger that it is for.
        entry: The entry.
        draft: What is sent, once the accounts were looked up.
        answer: What its caller awaits.
        is_sent: A statement with it is under way.
        is_uncertain: The answer to a statement with it was lost: it may be stored.
        is_following: It waits for another one that has the same key.
        last_error: What undid the last try.
    """

    __slots__ = (
        "_followers",
        "answer",
        "draft",
        "entry",
        "is_following",
        "is_sent",
        "is_uncertain",
        "last_error",
        "ledger_id",
    )

    def __init__(self, ledger_id: int, entry: NewEntry) -> None:
        self.ledger_id = ledger_id
        self.entry = entry
        self.draft: Draft | None = None
        self.answer: asyncio.Future[Posted] = asyncio.get_running_loop().create_future()
        self.is_sent = False
        self.is_uncertain = False
        self.is_following = False
        self.last_error: BaseException | None = None
        self._followers: list[Ticket] = []

    @property
    def key(self) -> Key:
        """What its entry is stored under."""
        return self.ledger_id, self.entry.id

    @property
    def is_open(self) -> bool:
        """Whether somebody still waits for its answer."""
        return not self.answer.done()

    def grant(self, posted: Posted) -> None:
        """Tell the caller that it is stored."""
        if self.is_open:
            self.answer.set_result(posted)

    def refuse(self, error: BaseException) -> None:
        """Tell the caller that it is not stored, or that nobody knows."""
        if self.is_open:
            self.answer.set_exception(error)
            self.answer.exception()  # whoever gave up meanwhile does not ask for it

    def begin(self) -> None:
        """Note that a statement with it is sent."""
        self.is_sent = True

    def fail(self, error: BaseException) -> None:
        """Note that the statement came to nothing, as far as is known."""
        self.is_sent = False
        self.last_error = error
        self.is_uncertain |= isinstance(error, FinanceError) and error.outcome is Outcome.UNKNOWN

    def given_up(self, seconds: float) -> FinanceError:
        """Return what to tell a caller who does not wait any longer."""
        return self._told(DeadlineError(seconds))

    def cut_off(self) -> FinanceError:
        """Return what to tell a caller whose manager is disconnected."""
        return self._told(NotConnectedError(disconnected=True))

    def _told(self, when_not_stored: FinanceError) -> FinanceError:
        error = OutcomeUnknownError() if self.is_sent or self.is_uncertain else when_not_stored
        error.__cause__ = self.last_error
        return error

    def be_followed_by(self, other: Ticket, put: Callable[[Ticket], None]) -> None:
        """Have *other*, which has the same key, answered when this one is; *put* takes it if this is not stored."""
        other.is_following = True
        if not self._followers:
            self.answer.add_done_callback(lambda _: self._release(put))
        self._followers.append(other)

    def _release(self, put: Callable[[Ticket], None]) -> None:
        is_stored = not self.answer.cancelled() and self.answer.exception() is None
        for follower in self._followers:
            follower.is_following = False
            if not is_stored:
                put(follower)
            elif follower.entry.content_hash() == self.entry.content_hash():
                follower.grant(Posted(follower.entry.id, is_replay=True))
            else:
                follower.refuse(EntryConflictError(follower.entry.id))
