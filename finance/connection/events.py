"""What the library tells of its work: one hook that every statement, every wait and every retry passes."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

_slow_logger = logging.getLogger("finance.slow")
_logger = logging.getLogger("finance.events")


@dataclass(frozen=True, slots=True)
class StatementRun:
    """A statement has ended.

    Attributes:
        sql: Its text, without the values that were bound to it.
        seconds: How long its answer took.
        error: The kind of error that it ended with, or None.
    """

    sql: str
    seconds: float
    error: type[BaseException] | None


@dataclass(frozen=True, slots=True)
class Acquired:
    """A caller has got a connection, or has given up.

    Attributes:
        seconds: How long it waited.
        error: The kind of error that it got instead, or None.
    """

    seconds: float
    error: type[BaseException] | None


@dataclass(frozen=True, slots=True)
class Retried:
    """`db.run()` will run its function again, or the fast lane post a group again.

    Attributes:
        attempt: The number of the attempt that failed, from 1.
        seconds: How long it waits before the next.
        error: What undid the attempt.
    """

    attempt: int
    seconds: float
    error: type[BaseException]


Event: TypeAlias = StatementRun | Acquired | Retried


class Observer:
    """Counts statements and errors, logs what is slow, and passes events on to the user's own hook."""

    def __init__(self, hook: Callable[[Event], object] | None = None, slow_threshold: float | None = None) -> None:
        self._hook = hook
        self._slow_threshold = float("inf") if slow_threshold is None else slow_threshold
        self.statements = 0
        self.errors = 0
        self.retries = 0

    def statement(self, sql: str, seconds: float, error: BaseException | None) -> None:
        """Note that a statement has ended."""
        self.statements += 1
        if error is not None:
            self.errors += 1
        if seconds >= self._slow_threshold:
            _slow_logger.warning("%.3f s: %s", seconds, without_literals(sql))
        if self._hook is not None:
            self._tell(StatementRun(sql, seconds, None if error is None else type(error)))

    def acquired(self, seconds: float, error: BaseException | None = None) -> None:
        """Note that a caller has got a connection, or given up."""
        if self._hook is not None:
            self._tell(Acquired(seconds, None if error is None else type(error)))

    def retried(self, attempt: int, seconds: float, error: BaseException) -> None:
        """Note that a function will be run again."""
        self.retries += 1
        if self._hook is not None:
            self._tell(Retried(attempt, seconds, type(error)))

    def _tell(self, event: Event) -> None:
        try:
            self._hook(event)  # type: ignore[misc]  # asked before
        except Exception:  # a hook that fails must not decide what becomes of the statement
            _logger.exception("on_event failed")


# E'...' with backslashes, '...' with doubled quotes, $tag$...$tag$, and numbers that are not part of a name. It is
# compiled when the first slow statement comes.
_LITERAL = (
    r"(?s)[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|\$(\w*)\$.*?\$\1\$"
    r"|(?<![\w$.])\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"
)


def without_literals(sql: str) -> str:
    """Return *sql* on one line, each string and number that is written in it replaced by `?`."""
    return " ".join(re.sub(_LITERAL, "?", sql).split())
