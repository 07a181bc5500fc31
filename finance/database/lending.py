"""Who has a connection, since when, and where it was taken."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import runpy
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePath
from types import CodeType, FrameType

import sqlalchemy

_logger = logging.getLogger("finance.pool")

_DEPTH = 24
#: What calls a task's steps: the frames behind it say nothing about the task.
_EVENT_LOOP = asyncio.Handle._run.__code__  # noqa: SLF001

#: Where the frames stand that say nothing about who took the connection: ours, SQLAlchemy's, and Python's own.
_BETWEEN = (
    *(str(PurePath(path).parent) for path in (PurePath(__file__).parent, sqlalchemy.__file__, asyncio.__file__)),
    contextlib.__file__,
    runpy.__file__,
    "<",
)


@dataclass(slots=True, eq=False)
class Holding:
    """A connection in use. Taking a note of it costs a microsecond; it is made readable only when somebody asks."""

    task: asyncio.Task[object] | None
    frames: tuple[tuple[CodeType, int], ...]
    since: float = field(default_factory=time.monotonic)
    is_warned_of: bool = False

    @classmethod
    def now(cls) -> Holding:
        """Note who is taking a connection: the task that runs, and its calls."""
        return cls(asyncio.current_task(), _frames())

    @property
    def seconds(self) -> float:
        """How long it has been in use."""
        return time.monotonic() - self.since

    def __str__(self) -> str:
        who = "no task" if self.task is None else f"task {self.task.get_name()!r}"
        calls = self.calls()
        where = f", taken at {calls[0]}" if calls else ""
        return f"{who} for {self.seconds:.1f} s{where}"

    def calls(self) -> list[str]:
        """Return the calls that led to it, "file:line in function", the innermost first, without the library's."""
        return [
            f"{PurePath(code.co_filename).name}:{_line(code, instruction)} in {code.co_qualname}"
            for code, instruction in self.frames
            if not code.co_filename.startswith(_BETWEEN)
        ]


def warn_of_leaks(holdings: Iterable[Holding], threshold: float) -> None:
    """Log each connection that has been in use for *threshold* seconds, once, with the calls that took it."""
    for holding in holdings:
        if not holding.is_warned_of and holding.seconds >= threshold:
            holding.is_warned_of = True
            calls = "".join(f"\n  {call}" for call in holding.calls())
            _logger.warning("a connection may have leaked: in use by %s%s", holding, calls)


def _frames() -> tuple[tuple[CodeType, int], ...]:
    found: list[tuple[CodeType, int]] = []
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001 - `inspect.stack()` reads every source file
    while frame is not None and (code := frame.f_code) is not _EVENT_LOOP and len(found) < _DEPTH:
        found.append((code, frame.f_lasti))
        frame = frame.f_back
    return tuple(found)


def _line(code: CodeType, instruction: int) -> int | None:
    for start, end, line in code.co_lines():
        if start <= instruction < end:
            return line
    return code.co_firstlineno
