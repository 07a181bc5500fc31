"""What callers were told, one call after the other, to be compared with what is stored."""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol
from uuid import UUID

from finance import FinanceError, Outcome


class Handle(Protocol):
    """A transaction or unit of work."""

    @property
    def outcome(self) -> Outcome | None:
        """What became of it; None while it is open."""


class Call:
    """One call under way: the key that it writes, and its transaction, once it has one."""

    def __init__(self, key: UUID) -> None:
        self.key = key
        self.handle: Handle | None = None

    def told(self, error: BaseException | None) -> Outcome | None:
        """Return what the caller was told: by the handle, or else by the error."""
        by_error = error.outcome if isinstance(error, FinanceError) else Outcome.APPLIED if error is None else None
        if self.handle is None:
            return by_error
        if by_error is not None and by_error is not self.handle.outcome:
            return None  # a contradiction
        return self.handle.outcome


def place(error: BaseException) -> str:
    """Return where in the library an error was raised: file and line of its innermost frames there."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/finance/" in frame.filename]
    return " > ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames[-3:])


class Record:
    """Everything that callers were told.

    Attributes:
        told: What was told of each key.
        acknowledged_at: When, on the event loop's clock, for those told to be stored.
        contradictions: Calls whose handle never said anything, or another thing than their error.
        untyped: Errors that are not of finance.
        errors: How often each class of error came.
    """

    def __init__(self) -> None:
        self.told: dict[UUID, Outcome] = {}
        self.acknowledged_at: dict[UUID, float] = {}
        self.contradictions: list[str] = []
        self.untyped: list[str] = []
        self.errors: Counter[str] = Counter()

    def keys(self, outcome: Outcome) -> set[UUID]:
        """Return the keys of which *outcome* was told."""
        return {key for key, told in self.told.items() if told is outcome}

    @contextlib.contextmanager
    def of(self, key: UUID, *, without_handle: Outcome = Outcome.NOT_APPLIED) -> Iterator[Call]:
        """Note what becomes of the call that posts *key*; its errors end here, a cancellation goes on.

        Args:
            key: The key that the call writes.
            without_handle: What a cancellation means as long as the call has no handle.
        """
        call = Call(key)
        try:
            yield call
        except (asyncio.CancelledError, TimeoutError) as error:
            self._cancelled(key, call, without_handle, error)
            raise
        except FinanceError as error:
            self._note(key, call, error)
        except Exception as error:  # whatever else it is, it should have been typed
            self.untyped.append(f"{type(error).__name__}: {error} at {place(error)}")
            self.told[key] = Outcome.UNKNOWN
        else:
            self._note(key, call, None)

    def _cancelled(self, key: UUID, call: Call, without_handle: Outcome, error: BaseException) -> None:
        self.errors[type(error).__name__] += 1
        if call.handle is None:
            self.told[key] = without_handle
        else:
            self._note(key, call, error)

    def _note(self, key: UUID, call: Call, error: BaseException | None) -> None:
        if isinstance(error, FinanceError):
            self.errors[type(error).__name__] += 1
        told = call.told(error)
        if told is None:
            handle = call.handle and call.handle.outcome
            self.contradictions.append(f"handle {handle}, error {error!r} ({getattr(error, 'outcome', None)})")
        self.told[key] = told or Outcome.UNKNOWN
        if told is Outcome.APPLIED:
            self.acknowledged_at[key] = asyncio.get_running_loop().time()
