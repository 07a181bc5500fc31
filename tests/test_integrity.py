"""Errors: every one typed, picklable, and made from what the server's own codes say."""

from __future__ import annotations

import copy
import pickle
import re
import socket
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import exc as sa_exc
from sqlalchemy.orm import exc as orm_exc

from finance import DatabaseManager, errors
from finance.errors import FinanceError, Outcome
from finance.integrity import BY_CONSTRAINT, ConnectionBusyError, ConnectionClosedError, connect_error, translate

ID = UUID("01990000-0000-7000-8000-000000000001")

#: Arguments for those that need some.
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "ProgramMissingError": ("hledger", "install hledger"),
    "AccountClosedError": (7, "Assets:Cash"),
    "AccountHeldError": (7,),
    "AccountNotFoundError": ("Assets:Cash", "EUR"),
    "AfterCommitError": ([ValueError("mine")],),
    "AlreadyExistsError": ("account", ["Assets:Cash", "EUR"]),
    "AlreadyReversedError": (ID,),
    "AmountError": (Decimal("1.001"), "has more than the 2 decimals of EUR"),
    "AuthenticationError": ("localhost:5432", "there is no such database"),
    "BalanceLimitError": ("minimum",),
    "ClosedError": ("transaction",),
    "ConcurrentUseError": ("connection",),
    "CurrencyError": ("DOGE", "is not in ISO 4217"),
    "DatabaseError": ("42P01", 'relation "x" does not exist', None),
    "DeadlineError": (30.0,),
    "EntryConflictError": (ID,),
    "EntryNotFoundError": (ID,),
    "HoldClosedError": (ID, "settled", ID),
    "HoldConflictError": (ID,),
    "HoldExceededError": (ID, Decimal(5), Decimal("5.01")),
    "HoldExpiredError": (ID,),
    "HoldNotFoundError": (ID,),
    "LedgerNotFoundError": ("Household",),
    "LedgerRequiredError": ("stream()",),
    "MigrationLockError": (60.0, "0001"),
    "ParameterError": (1, "an integer would lose the fraction"),
    "PeriodClosedError": (date(2026, 1, 1), date(2026, 12, 31)),
    "PoolOverloadedError": (5,),
    "PoolTimeoutError": (10, 0.5, ["task 'a' for 0.5 s", "task 'b' for 0.1 s"], "connection refused"),
    "PriceNotFoundError": ("USD", "EUR", date(2026, 11, 22), timedelta(days=31)),
    "RecurrenceError": ("FREQ", "is missing"),
    "SchemaAheadError": ("9999", "0001"),
    "SchemaBehindError": ("0000", "0001"),
    "SchemaMissingError": ("0001",),
    "SealedError": ("accounts are not truncated",),
    "ServerStartingError": ("localhost:5432", "it is starting"),
    "ServerUnreachableError": ("localhost:5432", "connection refused"),
    "StaleVersionError": ("account", 3),
    "StatementFileError": ("bank.ofx", "is empty"),
    "BooksFileError": ("books.csv", "is empty"),
    "TooManyConnectionsError": ("localhost:5432", "it has no place"),
    "UnbalancedEntryError": (ID, "EUR", Decimal("0.01")),
}
KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, FinanceError)]


def make(kind: type[FinanceError]) -> FinanceError:
    """Make an error of this kind."""
    if kind is errors.SchemaError:
        return errors.SchemaError("wrong", database="0000", code="0001")
    has_message_of_its_own = kind.__init__ is not Exception.__init__
    return kind(*ARGUMENTS.get(kind.__name__, ())) if has_message_of_its_own else kind("something is wrong")


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_survives_a_pickle_and_a_copy(kind: type[FinanceError]) -> None:
    """Task queues and process pools send them home."""
    error = make(kind)

    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):  # noqa: S301 - our own
        assert type(twin) is kind
        assert (str(twin), repr(twin), vars(twin)) == (str(error), repr(error), vars(error))


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_is_one_line_with_a_docstring(kind: type[FinanceError]) -> None:
    """The command prints it as it is."""
    text = str(make(kind))

    assert text
    assert "\n" not in text
    assert kind.__doc__
    assert kind.__name__ in str(errors.__doc__)


def test_what_may_be_tried_again_is_said_by_the_class() -> None:
    """`run()` and its users decide by it."""
    retryable = {kind.__name__ for kind in KINDS if kind.retryable}

    assert retryable == {
        "ConnectionLostError",
        "DeadlockError",
        "LockTimeoutError",
        "MigrationLockError",
        "PoolOverloadedError",
        "PoolTimeoutError",
        "ReadOnlyServerError",
        "SchemaChangedError",
        "SerializationError",
        "ServerStartingError",
        "ServerUnreachableError",
        "TooManyConnectionsError",
        "UnavailableError",
    }


def refused(sqlstate: str, **fields: Any) -> asyncpg.PostgresError:
    """Make the error of a server that refused something."""
    letters = {"C": sqlstate, "S": "ERROR", "M": "the server's own words", **fields}
    error: asyncpg.PostgresError = asyncpg.PostgresError.new(letters)
    return error


SQLSTATES = {
    "25006": errors.ReadOnlyTransactionError,
    "25P02": errors.TransactionAbortedError,
    "40001": errors.SerializationError,
    "40P01": errors.DeadlockError,
    "55P03": errors.LockTimeoutError,
    "57014": errors.QueryTimeoutError,
    "08006": errors.ConnectionLostError,
    "57P01": errors.ConnectionLostError,
    "57P02": errors.ConnectionLostError,
    "57P03": errors.ConnectionLostError,
    "23505": errors.AlreadyExistsError,
    "42P01": errors.DatabaseError,
    "XX000": errors.DatabaseError,
}


@pytest.mark.parametrize(("sqlstate", "kind"), SQLSTATES.items())
def test_the_sqlstate_says_the_kind(sqlstate: str, kind: type[FinanceError]) -> None:
    """Never the message, which changes with the server's language."""
    error = translate(refused(sqlstate))

    assert type(error) is kind
    assert error.retryable == kind.retryable


@pytest.mark.parametrize("sqlstate", ["08006", "57P01"])
def test_a_connection_that_breaks_in_commit_leaves_the_outcome_unknown(sqlstate: str) -> None:
    """Whoever broke it."""
    for lost in (
        refused(sqlstate),
        ConnectionResetError(104, "reset"),
        asyncpg.InternalClientError("unexpected"),
        TimeoutError(),
    ):
        assert translate(lost).outcome is Outcome.NOT_APPLIED
        assert translate(lost, committing=True).outcome is Outcome.UNKNOWN


def test_a_statement_that_was_never_sent_is_not_applied() -> None:
    """Whether it was COMMIT or not."""
    assert type(translate(ConnectionClosedError(), committing=True)) is errors.ConnectionLostError


CLIENT = {
    "busy": (ConnectionBusyError(), errors.ConcurrentUseError),
    "closed": (ConnectionClosedError(), errors.ConnectionLostError),
    "misuse": (asyncpg.InterfaceError("cursor cannot be created outside of a transaction"), errors.DatabaseError),
    "value": (asyncpg.DataError("invalid input for query argument $1: 'hunter2'"), errors.InvalidError),
    "reset": (ConnectionResetError(104, "reset"), errors.ConnectionLostError),
    "own limit": (TimeoutError(), errors.QueryTimeoutError),
    "network's limit": (TimeoutError(110, "timed out"), errors.ConnectionLostError),
    "protocol": (asyncpg.InternalClientError("unexpected"), errors.ConnectionLostError),
    "stale": (orm_exc.StaleDataError("0 rows"), errors.StaleVersionError),
    "pending": (sa_exc.PendingRollbackError("rolled back"), errors.TransactionAbortedError),
    "states": (sa_exc.IllegalStateChangeError("in progress", code="isce"), errors.ConcurrentUseError),
    "other": (sa_exc.InvalidRequestError("what is this"), errors.DatabaseError),
    "ours": (errors.InvalidError("no"), errors.InvalidError),
}


@pytest.mark.parametrize(("error", "kind"), CLIENT.values(), ids=CLIENT)
def test_what_goes_wrong_on_this_side_is_typed(error: Exception, kind: type[FinanceError]) -> None:
    """Without what was bound."""
    translated = translate(error)

    assert type(translated) is kind
    assert "hunter2" not in str(translated)


def test_the_error_under_sqlalchemys_layers_is_the_one_that_counts() -> None:
    """Two of them lie over the driver's."""
    adapted = RuntimeError()
    adapted.__cause__ = refused("40P01")

    assert type(translate(sa_exc.DBAPIError("SELECT", {}, adapted))) is errors.DeadlockError


CONNECTING = {
    "timeout": (TimeoutError(), errors.ServerUnreachableError, "no answer in time"),
    "refused": (ConnectionRefusedError(111, "refused"), errors.ServerUnreachableError, "connection refused"),
    "several": (
        OSError("Multiple exceptions: [Errno 111] a, [Errno 111] b"),
        errors.ServerUnreachableError,
        "connection refused",
    ),
    "name": (socket.gaierror(-2, "unknown"), errors.ServerUnreachableError, "the host's name is not known"),
    "password": (refused("28P01"), errors.AuthenticationError, "wrong user or password"),
    "database": (refused("3D000"), errors.AuthenticationError, "there is no such database"),
    "starting": (refused("57P03"), errors.ServerStartingError, "57P03"),
    "full": (refused("53300"), errors.TooManyConnectionsError, "53300"),
    "setting": (refused("42704"), errors.ConfigurationError, "42704"),
}


@pytest.mark.parametrize(("error", "kind", "text"), CONNECTING.values(), ids=CONNECTING)
def test_a_failed_attempt_to_connect_is_typed(error: Exception, kind: type[FinanceError], text: str) -> None:
    """It names the address and the reason."""
    found = connect_error(error, "localhost:5432/books")

    assert type(found) is kind
    assert text in str(found)
    assert "localhost:5432/books" in str(found)


async def test_every_constraint_of_the_schema_has_its_error(db: DatabaseManager) -> None:
    """A renamed one would go untyped."""
    rows = await db.fetch("""
        SELECT conname AS name FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype IN ('c', 'f')
        UNION SELECT relname FROM pg_index JOIN pg_class ON oid = indexrelid
         WHERE indisunique AND NOT indisprimary AND relnamespace = 'public'::regnamespace
    """)

    assert {row["name"] for row in rows} - BY_CONSTRAINT.keys() == {"uq_accounts_id"}


async def test_every_error_of_a_constraint_has_its_constraint(db: DatabaseManager) -> None:
    """Or a guard that raises it, under a name that it may put together from the table's."""
    declared = await db.fetchval("""
        SELECT string_agg(text, ' ') FROM (
            SELECT conname::text FROM pg_constraint WHERE connamespace = 'public'::regnamespace
            UNION ALL SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
            UNION ALL SELECT prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace
            UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal) AS found (text)
    """)
    tables = "|".join(row["tablename"] for row in await db.fetch("SELECT tablename FROM pg_tables"))
    rule = re.compile(rf"[a-z]+_(?:{tables})(_\w+)")

    assert [name for name in BY_CONSTRAINT if name not in declared and rule.sub(r"\1", name) not in declared] == []


@pytest.mark.parametrize("name", sorted(BY_CONSTRAINT))
def test_the_error_of_a_constraint_needs_no_detail(name: str) -> None:
    """A guard that says less than it could is told all the same."""
    error = translate(refused("23514", n=name))

    assert isinstance(error, FinanceError)
    assert not isinstance(error, errors.DatabaseError)
    assert "\n" not in str(error)
