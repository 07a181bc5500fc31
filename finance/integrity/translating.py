"""The one reader of driver errors: SQLSTATE and constraint name in, typed error out.

The constraint names come from the naming convention of `finance.models`; those that a guard raises carry
what went wrong as JSON in their DETAIL. The server's message texts are never read: they change with
`lc_messages`, and may hold values.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping

import asyncpg
from sqlalchemy import exc as sa_exc
from sqlalchemy.orm import exc as orm_exc

from finance.errors import (
    AlreadyExistsError,
    ConcurrentUseError,
    ConnectionLostError,
    DatabaseError,
    DeadlockError,
    FinanceError,
    InvalidError,
    LockTimeoutError,
    Outcome,
    OutcomeUnknownError,
    QueryTimeoutError,
    ReadOnlyTransactionError,
    SchemaChangedError,
    SealedError,
    SerializationError,
    StaleVersionError,
    TransactionAbortedError,
)
from finance.integrity.constraints import BY_CONSTRAINT, detail_of


class ConnectionClosedError(asyncpg.InterfaceError):
    """What the driver says with a text only: the connection is closed."""

    def __init__(self) -> None:
        super().__init__("connection is closed")


class ConnectionBusyError(asyncpg.InterfaceError):
    """What the driver says with a text only: another task is in the middle of a statement."""

    def __init__(self) -> None:
        super().__init__("another operation is in progress")


#: What asyncpg and the network raise.
DRIVER_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)


@contextlib.contextmanager
def translated(*, committing: bool = False) -> Iterator[None]:
    """Raise the typed error for whatever driver or SQLAlchemy error leaves the block, chained to it.

    With *committing*, a lost connection leaves the outcome unknown: COMMIT was under way.
    """
    try:
        yield
    except (sa_exc.SQLAlchemyError, *DRIVER_ERRORS) as error:
        raise translate(error, committing=committing) from error


def translate(error: BaseException, *, committing: bool = False) -> FinanceError:
    """Return the typed error for *error*, which stays the caller's to chain."""
    if isinstance(error, FinanceError):
        return error
    driver_error = _driver_error(error)
    if isinstance(driver_error, asyncpg.DataError) and driver_error.severity is None:
        # The driver refused it before it sent anything; its text quotes the value.
        return InvalidError("a parameter does not fit its type; see the cause for its position")
    if isinstance(driver_error, asyncpg.PostgresError):
        return _from_server(driver_error, committing=committing)
    if isinstance(error, sa_exc.DBAPIError) and error.connection_invalidated:
        return OutcomeUnknownError() if committing else ConnectionLostError()
    if isinstance(driver_error, (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.InternalClientError)):
        return _from_client(driver_error, committing=committing)
    return _from_sqlalchemy(error)


def _driver_error(error: BaseException) -> BaseException:
    """Return the error that asyncpg raised, under the two layers that SQLAlchemy puts around it."""
    if isinstance(error, sa_exc.DBAPIError) and error.orig is not None:
        return error.orig.__cause__ or error.orig
    return error


def _from_sqlalchemy(error: BaseException) -> FinanceError:
    if isinstance(error, orm_exc.StaleDataError):
        return StaleVersionError("row")
    if isinstance(error, sa_exc.IllegalStateChangeError) or getattr(error, "code", None) == "isce":
        return ConcurrentUseError("unit of work")
    if isinstance(error, sa_exc.PendingRollbackError):
        return TransactionAbortedError()
    return DatabaseError(None, f"SQLAlchemy refused the statement: {type(error).__name__}")


def _from_client(error: BaseException, *, committing: bool) -> FinanceError:
    if isinstance(error, ConnectionBusyError):
        return ConcurrentUseError("connection")
    if isinstance(error, ConnectionClosedError):
        return ConnectionLostError()  # the statement was not sent
    if isinstance(error, asyncpg.OutdatedSchemaCacheError):
        # It is found when the rows arrive: a statement that commits by itself has done so.
        return OutcomeUnknownError() if committing else SchemaChangedError()
    if isinstance(error, asyncpg.InterfaceError):
        return DatabaseError(None, f"the driver refused the call: {error}")  # a value would be a DataError
    # The driver's own time limit has no number; the network's (ETIMEDOUT) has.
    if isinstance(error, TimeoutError) and error.errno is None:
        return QueryTimeoutError(Outcome.UNKNOWN if committing else Outcome.NOT_APPLIED)
    return OutcomeUnknownError() if committing else ConnectionLostError()


def is_outdated(error: BaseException) -> bool:
    """Tell whether a change of the schema outdated a prepared statement, which was not executed then.

    A type that was dropped, and made anew under its name, has no SQLSTATE of its own: it is an internal error of the
    server's caches of its catalogue.
    """
    if isinstance(error, asyncpg.InternalServerError):
        return getattr(error, "server_source_filename", None) in _CATALOGUE_CACHES
    return isinstance(error, asyncpg.InvalidCachedStatementError)


_CATALOGUE_CACHES = frozenset({"lsyscache.c", "relcache.c", "syscache.c", "typcache.c"})


def _from_server(error: asyncpg.PostgresError, *, committing: bool) -> FinanceError:
    sqlstate = error.sqlstate or ""
    if is_outdated(error):
        return SchemaChangedError()
    # SQLSTATE classes 08 and 57P end the connection: whether COMMIT took effect is not known then.
    if sqlstate.startswith(("08", "57P")):
        return OutcomeUnknownError() if committing else ConnectionLostError()
    if sqlstate in _BY_SQLSTATE:
        return _BY_SQLSTATE[sqlstate]()
    constraint = str(getattr(error, "constraint_name", None) or "")
    if constraint in BY_CONSTRAINT:
        return BY_CONSTRAINT[constraint](detail_of(error))
    if sqlstate == asyncpg.UniqueViolationError.sqlstate:
        return AlreadyExistsError(_noun(error.table_name))
    return DatabaseError(sqlstate, _reason(error), constraint or None)


_BY_SQLSTATE: Mapping[str, Callable[[], FinanceError]] = {
    "22003": lambda: InvalidError("a number is beyond the range of its type; see the cause"),
    "22007": lambda: InvalidError("a date or time is not written as one; see the cause"),
    "22008": lambda: InvalidError("a date or time is beyond the range of its type; see the cause"),
    "22P02": lambda: InvalidError("a value is not written as one of its type; see the cause"),
    "23502": lambda: InvalidError("a value is missing where one must be"),
    "25006": ReadOnlyTransactionError,
    "25P02": TransactionAbortedError,
    "40001": SerializationError,
    "40P01": DeadlockError,
    "428C9": lambda: SealedError("the id of a row is given out by the database", "leave it out"),
    "55P03": LockTimeoutError,
    "57014": QueryTimeoutError,
}

# What the server says of these classes names parts of the statement and the schema, and a value only where that is
# cast to a name ('...'::regclass): a name that does not stand in the statement is left out.
_NAME = re.compile(r'"([^"]*)"')
_CLASSES_WITHOUT_VALUES = ("0A", "25", "2B", "3B", "3D", "3F", "42", "53", "54", "55")


def _reason(error: asyncpg.PostgresError) -> str:
    if (error.sqlstate or "").startswith(_CLASSES_WITHOUT_VALUES):
        query = getattr(error, "query", None)
        return _NAME.sub(lambda name: name[0] if query is None or name[1] in query else '"?"', str(error.message))
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(error).__name__.removesuffix("Error")).lower()
    constraint = getattr(error, "constraint_name", None)
    return f"the server refused the statement: {name}" + (f" of {constraint}" if constraint else "")


def _noun(table: str | None) -> str:
    nouns = {
        "accounts": "account",
        "currencies": "currency",
        "holds": "hold",
        "journal_entries": "journal entry",
        "ledgers": "ledger",
    }
    return nouns.get(table or "", "row")
