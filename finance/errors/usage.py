"""Calls in an order that cannot work."""

from __future__ import annotations

from finance.errors.base import FinanceError


class UsageError(FinanceError):
    """The calls came in an order that cannot work; the program needs a change."""


class NotConnectedError(UsageError):
    """The manager has no pool: `connect()` was not awaited, or `disconnect()` was."""

    def __init__(self, *, disconnected: bool = False) -> None:
        self.disconnected = disconnected
        if disconnected:
            message = "the DatabaseManager was disconnected; await connect() to use it again"
        else:
            message = (
                "the DatabaseManager is not connected: await db.connect() first,"
                " or use `async with DatabaseManager() as db:`"
            )
        super().__init__(message)


class ClosedError(UsageError):
    """A transaction or a unit of work was used after its end, or before its start."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"the {what} is not open: use it inside its `async with` block")


class ConcurrentUseError(UsageError):
    """Two tasks used one transaction or unit of work at the same time."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(
            f"the {what} is in use by another task: open one for each task, or await its calls one after another"
        )


class ReadOnlyTransactionError(UsageError):
    """A write in a transaction that was opened for reading (SQLSTATE 25006)."""

    def __init__(self) -> None:
        super().__init__("the transaction was opened read-only: open one that may write")


class LedgerRequiredError(UsageError):
    """Under row-level security, a call named no ledger: it would see nothing, and say that there is nothing."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(
            f"{what} names no ledger, and under row-level security it would see nothing: give the ledger's id to"
            " db.transaction(ledger=...), db.unit_of_work(ledger=...) or db.journal.post(..., ledger=...)"
        )


class WrongLoopError(UsageError):
    """A manager was used in another event loop than the one in which it was connected."""

    def __init__(self) -> None:
        super().__init__(
            "the DatabaseManager belongs to the event loop in which it was connected;"
            " disconnect() there and connect() here, or use one manager for each loop"
        )


class ForkedError(UsageError):
    """A manager was used in a child process of the one in which it was connected."""

    def __init__(self) -> None:
        super().__init__(
            "the DatabaseManager was connected before this process was forked, and its connections are the"
            " parent's: await connect() here, or connect only after forking"
        )
