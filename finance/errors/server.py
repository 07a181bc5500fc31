"""The server and the path to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self

from finance.errors.base import FinanceError, Outcome


class UnavailableError(FinanceError):
    """The server, or the path to it, failed; nothing was stored, but see `QueryTimeoutError`."""

    retryable: ClassVar[bool] = True


# --- no connection -----------------------------------------------------------------------------------


class ServerUnreachableError(UnavailableError):
    """No connection could be made."""

    def __init__(self, address: str, reason: str) -> None:
        self.address = address
        self.reason = reason
        super().__init__(f"no PostgreSQL answers at {address}: {reason}")


class ServerStartingError(ServerUnreachableError):
    """The server is starting, stopping or recovering, and takes no connection yet (SQLSTATE 57P03)."""


class TooManyConnectionsError(ServerUnreachableError):
    """The server has no place for another connection (SQLSTATE 53300)."""


class PoolTimeoutError(UnavailableError):
    """No connection became free in time.

    `holders` has a line for each connection in use: the task that has it, since when, and where it took it;
    `failure` says why another one could not be made, where that was tried.
    """

    def __init__(self, size: int, seconds: float, holders: Sequence[str] = (), failure: str | None = None) -> None:
        self.size = size
        self.seconds = seconds
        self.holders = tuple(holders)
        self.failure = failure
        if self.holders:
            message = (
                f"no connection became free within {seconds:g} s; keep transactions short, or raise max_size"
                f" ({size}); in use by {'; '.join(self.holders)}"
            )
        else:
            message = f"no connection could be made within {seconds:g} s, and none was in use"
        if failure is not None:
            message += f"; the last attempt to make another one failed: {failure}"
        super().__init__(message)


class PoolOverloadedError(UnavailableError):
    """So many callers wait for a connection that another one is refused at once."""

    def __init__(self, waiting: int) -> None:
        self.waiting = waiting
        super().__init__(f"{waiting} callers wait for a connection, as many as max_waiting allows; try again later")


# --- a statement or a transaction --------------------------------------------------------------------


class SerializationError(UnavailableError):
    """A concurrent transaction made this one impossible (SQLSTATE 40001)."""

    def __init__(self) -> None:
        super().__init__("a concurrent transaction made this one impossible; run it again from its start")


class DeadlockError(UnavailableError):
    """The server ended a deadlock at this transaction's cost (SQLSTATE 40P01)."""

    def __init__(self) -> None:
        super().__init__("the server ended a deadlock by rolling this transaction back; run it again")


class LockTimeoutError(UnavailableError):
    """A lock was not granted in time (SQLSTATE 55P03)."""

    def __init__(self) -> None:
        super().__init__("somebody else has the lock, and kept it for lock_timeout where it was waited for; try again")


class SchemaChangedError(UnavailableError):
    """A change of the schema outdated a prepared statement in the middle of a transaction."""

    def __init__(self) -> None:
        super().__init__("the schema changed under a statement of this transaction; run it again from its start")


class QueryTimeoutError(UnavailableError):
    """A statement ran longer than it may; it is not retried by itself.

    In a transaction nothing of it is stored. Where a statement that commits by itself met the caller's own
    time limit, `outcome` is unknown: it may have finished just before it was cancelled.
    """

    retryable: ClassVar[bool] = False

    def __init__(self, outcome: Outcome = Outcome.NOT_APPLIED) -> None:
        self.outcome = outcome
        super().__init__("the statement ran longer than its time limit and was cancelled")


class DeadlineError(UnavailableError):
    """The work was not done within its time limit, and was rolled back; it is not retried by itself."""

    retryable: ClassVar[bool] = False

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(f"the work was not done within its {seconds:g} s, and nothing of it is stored")


class ConnectionLostError(UnavailableError):
    """The connection broke before COMMIT was sent, so that nothing was stored."""

    def __init__(self) -> None:
        super().__init__(
            "the connection to the server was lost; nothing was committed (a transaction that rests for longer than"
            " idle_in_transaction_timeout ends like this, too)"
        )


class LockLostError(FinanceError):
    """The connection that held a lock of the session was lost during the block: somebody else may have had the lock.

    What the block did on other connections is as it is.
    """

    outcome: Outcome = Outcome.UNKNOWN

    def __init__(self) -> None:
        super().__init__("the connection that held the lock was lost; somebody else may have had it meanwhile")


class ReadOnlyServerError(UnavailableError):
    """The server takes no writes, as a standby or an old primary does (SQLSTATE 25006).

    The connection is dropped, so that the next one finds the server that does.
    """

    def __init__(self) -> None:
        super().__init__("the server takes no writes: it is a standby, or was demoted; run the work again")


class OutcomeUnknownError(FinanceError):
    """The connection broke, or time ran out, while the server was committing: stored or not, nobody can say.

    A statement outside of a transaction commits by itself, so that it may end like this, too. Run the same
    work again with the same entry ids: what was stored is then told as a replay.
    """

    outcome: Outcome = Outcome.UNKNOWN

    def __init__(self) -> None:
        super().__init__(
            "the server's answer to COMMIT did not arrive, and it may have succeeded;"
            " post the same entry ids again: an entry that is stored is replayed, never doubled"
        )


class TransactionAbortedError(FinanceError):
    """An earlier error, swallowed by the caller, had aborted the transaction: nothing was stored."""

    def __init__(self) -> None:
        super().__init__(
            "the transaction was rolled back: one of its statements had failed, and the error was"
            " swallowed; put what may fail into a savepoint"
        )


class AfterCommitError(FinanceError, ExceptionGroup[Exception]):
    """The transaction is committed, but callbacks after it failed. `exceptions` has what they raised."""

    outcome: Outcome = Outcome.APPLIED

    def __new__(cls, exceptions: Sequence[Exception]) -> Self:
        """Group *exceptions*."""
        return super().__new__(cls, "the transaction is committed, but callbacks after it failed", exceptions)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (list(self.exceptions),)

    def derive(self, excs: Sequence[Exception]) -> AfterCommitError:  # type: ignore[override]  # as `except*` asks
        """Return a group of some of them."""
        return AfterCommitError(excs)


class DatabaseError(FinanceError):
    """The server refused a statement for a reason that has no class of its own.

    `sqlstate` is PostgreSQL's five-character code (appendix A of its manual), `constraint` the name
    of the violated constraint, where there is one. Bound values are never part of the message.
    """

    def __init__(self, sqlstate: str | None, reason: str, constraint: str | None = None) -> None:
        self.sqlstate = sqlstate
        self.reason = reason
        self.constraint = constraint
        code = "" if sqlstate is None else f" (SQLSTATE {sqlstate})"
        super().__init__(f"{reason}{code}")
