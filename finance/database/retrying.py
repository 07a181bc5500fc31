"""Running a whole function again when a passing fault undid it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from finance.connection import Observer
from finance.connection.backoff import full_jitter
from finance.errors import FinanceError, InvalidError, Outcome

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often, and for how long, `db.run()` runs its function.

    Attributes:
        attempts: How often it is run at most.
        deadline: Seconds that all attempts and pauses may take together; None for no limit.
        pause: The longest pause after the first attempt, in seconds; it doubles with each. Each pause is drawn
            from zero to the longest ("full jitter"), so that those who collided do not meet again.
        longest_pause: What it doubles up to.
        idempotent: Running the function twice has one effect, because the ids of what it stores are made
            outside of it. Then it is run again also where the outcome is unknown.
    """

    attempts: int = 5
    deadline: float | None = 30.0
    pause: float = 0.02
    longest_pause: float = 1.0
    idempotent: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.attempts, int) or self.attempts < 1:
            raise InvalidError(f"attempts {self.attempts!r}: give at least 1")
        for word in ("deadline", "pause", "longest_pause"):
            seconds = getattr(self, word)
            is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool) and seconds > 0
            if not is_number and not (word == "deadline" and seconds is None):
                raise InvalidError(f"{word} {seconds!r}: give a number of seconds above 0")

    def allows(self, error: FinanceError) -> bool:
        """Tell whether the function may be run again after *error*."""
        return error.retryable or (self.idempotent and error.outcome is Outcome.UNKNOWN)

    def pause_after(self, attempt: int) -> float:
        """Draw the pause after the attempt of this number, from 1."""
        return full_jitter(attempt - 1, first=self.pause, longest=self.longest_pause)


DEFAULT_RETRY = Retry()


async def retrying(attempt_once: Callable[[float | None], Awaitable[_T]], retry: Retry, observer: Observer) -> _T:
    """Call *attempt_once* with the seconds that are left, until it succeeds, may not be repeated, or time is up.

    Raises:
        FinanceError: What ended the last attempt.
    """
    end = None if retry.deadline is None else time.monotonic() + retry.deadline
    attempt = 1
    while True:
        try:
            return await attempt_once(None if end is None else max(end - time.monotonic(), 0.001))
        except FinanceError as error:
            pause = retry.pause_after(attempt)
            is_last = attempt >= retry.attempts or (end is not None and time.monotonic() + pause >= end)
            if is_last or not retry.allows(error):
                raise
            observer.retried(attempt, pause, error)
        await asyncio.sleep(pause)
        attempt += 1
