"""Every error that `finance` raises, as one tree.

    FinanceError
    |-- ConfigurationError              where a connection comes from, and how it is set up
    |   |-- NotConfiguredError          no source was named anywhere
    |   |-- AuthenticationError         the server refused the user or the password
    |   |-- EmbeddedServerError         the PostgreSQL out of the wheel cannot run here
    |   `-- ProgramMissingError         the program that has to read a file is not installed
    |-- UsageError                      the calls came in an order that cannot work
    |   |-- NotConnectedError           before `connect()` or after `disconnect()`
    |   |-- ClosedError                 a transaction or unit of work that is over
    |   |-- ConcurrentUseError          two tasks share one transaction
    |   |-- LedgerRequiredError         under row-level security, a call named no ledger
    |   |-- ReadOnlyTransactionError    a write where only reading was asked for
    |   |-- WrongLoopError              the manager was connected in another event loop
    |   `-- ForkedError                 the manager was connected in the parent process
    |-- InvalidError                    a value that cannot be right
    |   |-- AmountError                 not an exact amount, or too fine or too large
    |   |-- CurrencyError               an unknown currency, or one that does not fit
    |   |-- UnbalancedEntryError        postings that do not sum to zero
    |   |-- AccountClosedError          a posting to a closed account
    |   |-- PeriodClosedError           a date on or before the ledger's closed period
    |   |-- BalanceLimitError           a balance beyond its account's limits
    |   |-- HoldExceededError           an entry that takes more than was held
    |   |-- ParameterError              a value that the driver would change in silence
    |   |-- RecurrenceError             a recurrence rule that is none, or names no days or too many
    |   |-- StatementFileError          a bank file that is not what it claims to be
    |   `-- BooksFileError              whole books, an export or another program's, that are not what they claim to be
    |-- NotFoundError                   LedgerNotFoundError, AccountNotFoundError, EntryNotFoundError, HoldNotFoundError
    |   `-- PriceNotFoundError          no rate between two currencies
    |-- ConflictError                   what is there already says otherwise
    |   |-- AlreadyExistsError          a name or key that is taken
    |   |-- EntryConflictError          the entry's id is taken by other content
    |   |-- AlreadyReversedError        an entry is reversed once
    |   |-- HoldConflictError           the hold's id is taken by other content
    |   |-- HoldClosedError             a hold is settled, released or expired once
    |   |   `-- HoldExpiredError        its time is over
    |   |-- AccountHeldError            an account with open holds is not closed
    |   |-- SealedError                 committed books are corrected, never changed
    |   `-- StaleVersionError           somebody else changed the row first
    |-- UnavailableError                the server, or the path to it, failed
    |   |-- ServerUnreachableError      no connection could be made
    |   |   |-- ServerStartingError     SQLSTATE 57P03
    |   |   `-- TooManyConnectionsError SQLSTATE 53300
    |   |-- PoolTimeoutError            every connection stayed in use
    |   |-- PoolOverloadedError         too many wait for one
    |   |-- SerializationError          SQLSTATE 40001
    |   |-- DeadlockError               SQLSTATE 40P01
    |   |-- LockTimeoutError            SQLSTATE 55P03
    |   |-- SchemaChangedError          a prepared statement is outdated
    |   |-- QueryTimeoutError           SQLSTATE 57014, or the caller's own time limit
    |   |-- DeadlineError               the time for the whole work passed
    |   |-- ConnectionLostError         the connection broke before COMMIT was sent
    |   `-- ReadOnlyServerError         SQLSTATE 25006 from a server that was demoted
    |-- LockLostError                   a lock of the session ended before its block
    |-- OutcomeUnknownError             COMMIT was sent, and its answer never came
    |-- TransactionAbortedError         COMMIT was answered with ROLLBACK
    |-- AfterCommitError                committed, but a callback after it failed
    |-- SchemaError                     the database's revision is not the code's
    |   |-- SchemaMissingError, SchemaBehindError, SchemaAheadError
    |   `-- MigrationLockError          another process migrates
    `-- DatabaseError                   anything else that the server refused

`retryable` says whether the same call may succeed when it is made again from its start; `outcome`
whether what failed is stored: not applied, applied, or unknown. Every message is written here from
the data that the error keeps as attributes; none carries a password, a bound value or personal data.
"""

from finance.errors.base import (
    FinanceError,
    Outcome,
)
from finance.errors.books import (
    AccountHeldError,
    AccountNotFoundError,
    AlreadyExistsError,
    AlreadyReversedError,
    ConflictError,
    EntryConflictError,
    EntryNotFoundError,
    HoldClosedError,
    HoldConflictError,
    HoldExpiredError,
    HoldNotFoundError,
    LedgerNotFoundError,
    NotFoundError,
    PriceNotFoundError,
    SealedError,
    StaleVersionError,
)
from finance.errors.configuration import (
    AuthenticationError,
    ConfigurationError,
    EmbeddedServerError,
    NotConfiguredError,
    ProgramMissingError,
)
from finance.errors.schema import (
    MigrationLockError,
    SchemaAheadError,
    SchemaBehindError,
    SchemaError,
    SchemaMissingError,
)
from finance.errors.server import (
    AfterCommitError,
    ConnectionLostError,
    DatabaseError,
    DeadlineError,
    DeadlockError,
    LockLostError,
    LockTimeoutError,
    OutcomeUnknownError,
    PoolOverloadedError,
    PoolTimeoutError,
    QueryTimeoutError,
    ReadOnlyServerError,
    SchemaChangedError,
    SerializationError,
    ServerStartingError,
    ServerUnreachableError,
    TooManyConnectionsError,
    TransactionAbortedError,
    UnavailableError,
)
from finance.errors.usage import (
    ClosedError,
    ConcurrentUseError,
    ForkedError,
    LedgerRequiredError,
    NotConnectedError,
    ReadOnlyTransactionError,
    UsageError,
    WrongLoopError,
)
from finance.errors.values import (
    AccountClosedError,
    AmountError,
    BalanceLimitError,
    BooksFileError,
    CurrencyError,
    HoldExceededError,
    InvalidError,
    ParameterError,
    PeriodClosedError,
    RecurrenceError,
    StatementFileError,
    UnbalancedEntryError,
)

__all__ = [
    "AccountClosedError",
    "AccountHeldError",
    "AccountNotFoundError",
    "AfterCommitError",
    "AlreadyExistsError",
    "AlreadyReversedError",
    "AmountError",
    "AuthenticationError",
    "BalanceLimitError",
    "BooksFileError",
    "ClosedError",
    "ConcurrentUseError",
    "ConfigurationError",
    "ConflictError",
    "ConnectionLostError",
    "CurrencyError",
    "DatabaseError",
    "DeadlineError",
    "DeadlockError",
    "EmbeddedServerError",
    "EntryConflictError",
    "EntryNotFoundError",
    "FinanceError",
    "ForkedError",
    "HoldClosedError",
    "HoldConflictError",
    "HoldExceededError",
    "HoldExpiredError",
    "HoldNotFoundError",
    "InvalidError",
    "LedgerNotFoundError",
    "LedgerRequiredError",
    "LockLostError",
    "LockTimeoutError",
    "MigrationLockError",
    "NotConfiguredError",
    "NotConnectedError",
    "NotFoundError",
    "Outcome",
    "OutcomeUnknownError",
    "ParameterError",
    "PeriodClosedError",
    "PoolOverloadedError",
    "PoolTimeoutError",
    "PriceNotFoundError",
    "ProgramMissingError",
    "QueryTimeoutError",
    "ReadOnlyServerError",
    "ReadOnlyTransactionError",
    "RecurrenceError",
    "SchemaAheadError",
    "SchemaBehindError",
    "SchemaChangedError",
    "SchemaError",
    "SchemaMissingError",
    "SealedError",
    "SerializationError",
    "ServerStartingError",
    "ServerUnreachableError",
    "StaleVersionError",
    "StatementFileError",
    "TooManyConnectionsError",
    "TransactionAbortedError",
    "UnavailableError",
    "UnbalancedEntryError",
    "UsageError",
    "WrongLoopError",
]
