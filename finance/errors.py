"""Every error that `finance` raises, as one tree.

    FinanceError
    |-- ConfigurationError              where a connection comes from, and how it is set up
    |   |-- NotConfiguredError          no source was named anywhere
    |   |-- AuthenticationError         the server refused the user or the password
    |   `-- EmbeddedServerError         the PostgreSQL out of the wheel cannot run here
    |-- UsageError                      the calls came in an order that cannot work
    |   |-- NotConnectedError           before `connect()` or after `disconnect()`
    |   |-- ClosedError                 a transaction or unit of work that is over
    |   `-- ConcurrentUseError          two tasks share one transaction
    |-- InvalidError                    a value that cannot be right
    |   |-- AmountError                 not an exact amount, or too fine or too large
    |   |-- CurrencyError               an unknown currency, or one that does not fit
    |   |-- UnbalancedEntryError        postings that do not sum to zero
    |   |-- AccountClosedError          a posting to a closed account
    |   |-- PeriodClosedError           a date on or before the ledger's closed period
    |   |-- BalanceLimitError           a balance beyond its account's limits
    |   `-- StatementFileError          a bank file that is not what it claims to be
    |-- NotFoundError                   LedgerNotFoundError, AccountNotFoundError, EntryNotFoundError
    |-- ConflictError                   what is there already says otherwise
    |   |-- AlreadyExistsError          a name or key that is taken
    |   |-- EntryConflictError          the entry's id is taken by other content
    |   |-- AlreadyReversedError        an entry is reversed once
    |   |-- SealedError                 committed books are corrected, never changed
    |   `-- StaleVersionError           somebody else changed the row first
    |-- UnavailableError                the server, or the path to it, failed
    |   |-- ServerUnreachableError      no connection could be made
    |   |-- PoolTimeoutError            every connection stayed in use
    |   |-- SerializationError          SQLSTATE 40001
    |   |-- DeadlockError               SQLSTATE 40P01
    |   |-- LockTimeoutError            SQLSTATE 55P03
    |   |-- QueryTimeoutError           SQLSTATE 57014, or the caller's own time limit
    |   `-- ConnectionLostError         the connection broke before COMMIT was sent
    |-- OutcomeUnknownError             the connection broke while COMMIT was under way
    |-- TransactionAbortedError         COMMIT was answered with ROLLBACK
    |-- SchemaError                     the database's revision is not the code's
    |   |-- SchemaMissingError, SchemaBehindError, SchemaAheadError
    |   `-- MigrationLockError          another process migrates
    `-- DatabaseError                   anything else that the server refused

`retryable` says whether the same call may succeed when it is made again from its start, and that
nothing of the failed one was stored. Every message is written here from the data that the error
keeps as attributes; none carries a password, a bound value or personal data.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID


class FinanceError(Exception):
    """Any failure that this library reports."""

    retryable: ClassVar[bool] = False

    def __reduce__(self) -> tuple[Any, ...]:
        # Python would call the class with the finished message, which is not what its __init__ takes.
        return _restored, (type(self), self.args, self.__dict__)


def _restored(kind: type[FinanceError], args: tuple[Any, ...], attributes: dict[str, Any]) -> FinanceError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(attributes)
    return error


# --- where a connection comes from ---------------------------------------------------------------


class ConfigurationError(FinanceError):
    """A setting is wrong, unknown or cannot be honoured."""


class NotConfiguredError(ConfigurationError):
    """Nothing says which database to use."""

    def __init__(self) -> None:
        super().__init__(
            "no database is configured: pass a DSN to DatabaseManager(), or set FINANCE_DATABASE_URL,"
            " DATABASE_URL or the PG* variables (PGHOST, PGSERVICE, ...);"
            ' DatabaseManager("embedded") runs a private PostgreSQL on this machine'
        )


class AuthenticationError(ConfigurationError):
    """The server refused the user, the password or the database."""

    def __init__(self, address: str, reason: str) -> None:
        self.address = address
        self.reason = reason
        super().__init__(f"the server at {address} refused the connection: {reason}")


class EmbeddedServerError(ConfigurationError):
    """The embedded PostgreSQL cannot be found, started or reached."""


# --- the order of calls --------------------------------------------------------------------------


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


# --- values --------------------------------------------------------------------------------------


class InvalidError(FinanceError):
    """A value that cannot be right, whatever is stored."""


class AmountError(InvalidError):
    """An amount that is not exact, not finite, zero, too fine or too large.

    `value` is the amount as it was given, or None where the database refused it without saying which.
    """

    def __init__(self, value: object, reason: str, *, exponent: int | None = None) -> None:
        self.value = None if value is ... else value
        self.reason = reason
        self.exponent = exponent
        shown = f"{value}" if isinstance(value, Decimal) else f"{value!r}"
        super().__init__(f"the amount {reason}" if value is ... else f"amount {shown}: {reason}")


class CurrencyError(InvalidError):
    """A currency that is unknown, or not the one that belongs here."""

    def __init__(self, currency: str | None, reason: str) -> None:
        self.currency = currency
        super().__init__(reason if currency is None else f"currency {currency!r}: {reason}")


class UnbalancedEntryError(InvalidError):
    """The postings of an entry do not sum to zero in a currency, or there are fewer than two."""

    def __init__(
        self,
        entry_id: UUID | None,
        currency: str | None = None,
        difference: Decimal | None = None,
    ) -> None:
        self.entry_id = entry_id
        self.currency = currency
        self.difference = difference
        name = "the entry" if entry_id is None else f"entry {entry_id}"
        if difference is None:
            message = f"{name} needs at least two postings that sum to zero in each currency"
        else:
            message = (
                f"{name} does not balance: its {currency} postings sum to {difference:f};"
                " they must sum to zero in each currency"
            )
        super().__init__(message)


class AccountClosedError(InvalidError):
    """A posting names an account that is closed."""

    def __init__(self, account_id: int | None, name: str | None = None) -> None:
        self.account_id = account_id
        self.name = name
        shown = f"{account_id}" if name is None else f"{name!r}"
        super().__init__(f"account {shown} is closed; reopen it, or post to another")


class PeriodClosedError(InvalidError):
    """A date lies on or before the day through which the ledger is closed."""

    def __init__(self, on: date | None, closed_through: date | None) -> None:
        self.on = on
        self.closed_through = closed_through
        super().__init__(
            f"{on} is in a closed period: the ledger is closed through {closed_through};"
            " use a later date, or reopen the period"
        )


class BalanceLimitError(InvalidError):
    """A balance would leave the limits of its account."""

    def __init__(self, limit: str, account_id: int | None = None) -> None:
        self.limit = limit
        self.account_id = account_id
        whose = "its account's" if account_id is None else f"account {account_id}'s"
        super().__init__(f"the balance would go beyond {whose} {limit} balance")


class StatementFileError(InvalidError):
    """A bank file cannot be read as what it claims to be; nothing of it was written."""

    def __init__(self, file: str, reason: str, *, line: int | None = None) -> None:
        self.file = file
        self.reason = reason
        self.line = line
        where = file if line is None else f"{file}, line {line}"
        super().__init__(f"{where}: {reason}")


# --- what is not there, and what is there already --------------------------------------------------


class NotFoundError(FinanceError):
    """Something that was named does not exist."""


class LedgerNotFoundError(NotFoundError):
    """No ledger has this name or id."""

    def __init__(self, ledger: str | int) -> None:
        self.ledger = ledger
        super().__init__(f"no ledger {ledger!r}; db.ledgers.get_or_create() makes one")


class AccountNotFoundError(NotFoundError):
    """No account of this ledger has this name or id."""

    def __init__(self, account: str | int | None, currency: str | None = None) -> None:
        self.account = account
        self.currency = currency
        suffix = "" if currency is None else f" in {currency}"
        super().__init__(f"this ledger has no account {account!r}{suffix}")


class EntryNotFoundError(NotFoundError):
    """No journal entry of this ledger has this id."""

    def __init__(self, entry_id: UUID | None) -> None:
        self.entry_id = entry_id
        super().__init__(f"this ledger has no journal entry {entry_id}")


class ConflictError(FinanceError):
    """What is stored already contradicts the call."""


class AlreadyExistsError(ConflictError):
    """A name or key that must be unique is taken."""

    def __init__(self, what: str, key: Iterable[str] = ()) -> None:
        self.what = what
        self.key = tuple(key)
        suffix = f" ({', '.join(self.key)})" if self.key else ""
        super().__init__(f"this {what} exists already{suffix}")


class EntryConflictError(ConflictError):
    """The entry's id belongs to a stored entry with other content."""

    def __init__(self, entry_id: UUID | None) -> None:
        self.entry_id = entry_id
        super().__init__(
            f"entry {entry_id} is stored with other content; an id is used once: give a new entry a new id"
        )


class AlreadyReversedError(ConflictError):
    """An entry can be reversed once, and this one was."""

    def __init__(self, entry_id: UUID | None) -> None:
        self.entry_id = entry_id
        super().__init__(f"entry {entry_id} is reversed already" if entry_id else "the entry is reversed already")


class SealedError(ConflictError):
    """Committed books, and what the database derives from them, never change by hand."""

    def __init__(self, what: str, remedy: str = "post a reversal or a correcting entry instead") -> None:
        self.what = what
        super().__init__(f"{what}; {remedy}")


class StaleVersionError(ConflictError):
    """The row was changed by somebody else after it was read."""

    def __init__(self, what: str, expected_version: int | None = None) -> None:
        self.what = what
        self.expected_version = expected_version
        suffix = "" if expected_version is None else f" (it is no longer at version {expected_version})"
        super().__init__(f"the {what} was changed since it was read{suffix}; read it again and decide anew")


# --- the server and the path to it -----------------------------------------------------------------


class UnavailableError(FinanceError):
    """The server, or the path to it, failed; nothing was stored."""

    retryable: ClassVar[bool] = True


class ServerUnreachableError(UnavailableError):
    """No connection could be made."""

    def __init__(self, address: str, reason: str) -> None:
        self.address = address
        self.reason = reason
        super().__init__(f"no PostgreSQL answers at {address}: {reason}")


class PoolTimeoutError(UnavailableError):
    """No connection became free in time."""

    def __init__(self, size: int, seconds: float) -> None:
        self.size = size
        self.seconds = seconds
        super().__init__(
            f"all {size} connections stayed in use for {seconds:g} s; keep transactions short, or raise max_size"
        )


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
        super().__init__("a lock was not granted in time; run the transaction again")


class QueryTimeoutError(UnavailableError):
    """A statement ran longer than it may; it is not retried by itself.

    In a transaction nothing of it is stored. One that commits by itself may have finished just before it
    was cancelled.
    """

    retryable: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__("the statement ran longer than its time limit and was cancelled")


class ConnectionLostError(UnavailableError):
    """The connection broke before COMMIT was sent, so that nothing was stored."""

    def __init__(self) -> None:
        super().__init__("the connection to the server was lost; nothing was committed")


class OutcomeUnknownError(FinanceError):
    """The connection broke while the server was committing: stored, or not, nobody can say yet.

    A statement outside of a transaction commits by itself, so that it may end like this, too. Run the same
    work again with the same entry ids: what was stored is then told as a replay.
    """

    def __init__(self) -> None:
        super().__init__(
            "the connection was lost during COMMIT, which may have succeeded;"
            " post the same entry ids again: an entry that is stored is replayed, never doubled"
        )


class TransactionAbortedError(FinanceError):
    """An earlier error, swallowed by the caller, had aborted the transaction: nothing was stored."""

    def __init__(self) -> None:
        super().__init__(
            "the transaction was rolled back: one of its statements had failed, and the error was"
            " swallowed; put what may fail into a savepoint"
        )


# --- the schema ------------------------------------------------------------------------------------


class SchemaError(FinanceError):
    """The database's schema is not the one that this version of the code works with."""

    def __init__(self, message: str, *, database: str | None, code: str) -> None:
        self.database_revision = database
        self.code_revision = code
        super().__init__(message)


class SchemaMissingError(SchemaError):
    """The database has none of the tables yet."""

    def __init__(self, code: str) -> None:
        super().__init__(
            "the database has no finance schema yet: run `alembic upgrade head`, `finance upgrade`"
            " or `await db.migrations.upgrade()`",
            database=None,
            code=code,
        )


class SchemaBehindError(SchemaError):
    """The database's revision is older than the code's."""

    def __init__(self, database: str, code: str) -> None:
        super().__init__(
            f"the database is at revision {database}, behind this code's {code}:"
            " run `alembic upgrade head`, `finance upgrade` or `await db.migrations.upgrade()`",
            database=database,
            code=code,
        )


class SchemaAheadError(SchemaError):
    """The database's revision is unknown to this code, so a newer version made it."""

    def __init__(self, database: str, code: str) -> None:
        super().__init__(
            f"the database is at revision {database}, which this code (at {code}) does not know:"
            " install the newer version of finance-ledger that migrated it",
            database=database,
            code=code,
        )


class MigrationLockError(SchemaError):
    """Another process held the migration lock for too long."""

    retryable: ClassVar[bool] = True

    def __init__(self, seconds: float, code: str) -> None:
        super().__init__(
            f"another process has been migrating this database for more than {seconds:g} s; try again",
            database=None,
            code=code,
        )


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
