"""File locks through which programs share one server, and by which the last one knows to stop it.

The kernel frees the locks of a killed process, so there are no counters or lists of pids to repair.
Each lock has an open file of its own, so several objects in one process exclude each other too.
"""

from __future__ import annotations

import os
import sys

from finance.embedded.patience import Patience

if sys.platform != "win32":
    import fcntl

_open: set[FileLock] = set()


class FileLock:
    """An flock on an open file, which it takes over and closes."""

    def __init__(self, file: int) -> None:
        self._file: int | None = file
        _open.add(self)

    @property
    def is_open(self) -> bool:
        """False once closed, and in a forked child."""
        return self._file is not None

    def share(self, patience: Patience, what: str) -> None:
        """Wait until nobody holds the lock alone."""
        while not self._locked(fcntl.LOCK_SH):
            patience.pause(what)

    def own(self, patience: Patience, what: str) -> None:
        """Wait until nobody else holds the lock."""
        while not self._locked(fcntl.LOCK_EX):
            patience.pause(what)

    def try_own(self) -> bool:
        """Hold the lock alone if nobody else has it; otherwise a shared lock may be lost."""
        return self._locked(fcntl.LOCK_EX)

    def close(self) -> None:
        """Give the lock back; once is enough."""
        _open.discard(self)
        file, self._file = self._file, None
        if file is not None:
            # Closing alone would leave the lock to a forked child that still has the same open file.
            fcntl.flock(file, fcntl.LOCK_UN)
            os.close(file)

    def _locked(self, operation: int) -> bool:
        if self._file is None:
            return False
        try:
            fcntl.flock(self._file, operation | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _forget(self) -> None:
        # In a child, unlocking would take the lock from the parent: both have the same open file.
        file, self._file = self._file, None
        if file is not None:
            os.close(file)


def _forget_all() -> None:
    """Leave the parent's locks to the parent, so that a child neither keeps nor stops its server."""
    for lock in _open:
        lock._forget()  # noqa: SLF001 - one class and its bookkeeping
    _open.clear()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_forget_all)
