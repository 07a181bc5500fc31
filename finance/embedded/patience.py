"""How long a thread waits, and how it learns that nobody waits for it any more."""

from __future__ import annotations

import threading
import time

from finance.errors import EmbeddedServerError

_PAUSE = 0.01


class AbandonedError(Exception):
    """The caller of a wait was cancelled."""


class Patience:
    """A time limit in seconds over several waits, which the caller may also cut short."""

    def __init__(self, seconds: float, abandoned: threading.Event | None = None) -> None:
        self.seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._abandoned = abandoned or threading.Event()

    @property
    def is_over(self) -> bool:
        """Whether the time limit has passed."""
        return time.monotonic() > self._deadline

    def pause(self, what: str) -> None:
        """Sleep for 10 ms.

        Raises:
            AbandonedError: The caller was cancelled.
            EmbeddedServerError: *what* has taken longer than the limit.
        """
        if self._abandoned.wait(_PAUSE):
            raise AbandonedError
        if self.is_over:
            raise EmbeddedServerError(f"{what} took more than {self.seconds:g} s")
