"""The one reader of driver errors: SQLSTATE and constraint name in, typed error out.

The constraint names come from the naming convention of `finance.models`; those that a guard raises carry
what went wrong as JSON in their DETAIL. The server's message texts are never read: they change with
`lc_messages`, and may hold values.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import exc as sa_exc
from sqlalchemy.orm import exc as orm_exc

from finance.errors import (
    AccountClosedError,
    AccountNotFoundError,
    AlreadyExistsError,
    AlreadyReversedError,
    AmountError,
    AuthenticationError,
    BalanceLimitError,
    ConcurrentUseError,
    ConfigurationError,
    ConnectionLostError,
    CurrencyError,
    DatabaseError,
    DeadlockError,
    EntryNotFoundError,
    FinanceError,
    InvalidError,
    LedgerNotFoundError,
    LockTimeoutError,
    Outcome,
    OutcomeUnknownError,
    PeriodClosedError,
    QueryTimeoutError,
    ReadOnlyTransactionError,
    SchemaChangedError,
    SealedError,
    SerializationError,
    ServerStartingError,
    ServerUnreachableError,
    StaleVersionError,
    TooManyConnectionsError,
    TransactionAbortedError,
    UnbalancedEntryError,
)

Detail = Mapping[str, Any]


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
        return DatabaseError(None, f"the driver refused the call: {type(error).__name__}")
    # The driver's own time limit has no number; the network's (ETIMEDOUT) has.
    if isinstance(error, TimeoutError) and error.errno is None:
        return QueryTimeoutError(Outcome.UNKNOWN if committing else Outcome.NOT_APPLIED)
    return OutcomeUnknownError() if committing else ConnectionLostError()


def _from_server(error: asyncpg.PostgresError, *, committing: bool) -> FinanceError:
    sqlstate = error.sqlstate or ""
    if isinstance(error, asyncpg.InvalidCachedStatementError):
        # The driver prepares it anew the next time.
        return SchemaChangedError()
    # SQLSTATE classes 08 and 57P end the connection: whether COMMIT took effect is not known then.
    if sqlstate.startswith(("08", "57P")):
        return OutcomeUnknownError() if committing else ConnectionLostError()
    if sqlstate in _BY_SQLSTATE:
        return _BY_SQLSTATE[sqlstate]()
    constraint = str(getattr(error, "constraint_name", None) or "")
    if constraint in _BY_CONSTRAINT:
        return _BY_CONSTRAINT[constraint](_detail(error))
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

# What the server says of these classes names parts of the statement and the schema, never a value.
_CLASSES_WITHOUT_VALUES = ("0A", "25", "2B", "3B", "3D", "3F", "42", "53", "54", "55")


def _reason(error: asyncpg.PostgresError) -> str:
    if (error.sqlstate or "").startswith(_CLASSES_WITHOUT_VALUES):
        return str(error.message)
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(error).__name__.removesuffix("Error")).lower()
    constraint = getattr(error, "constraint_name", None)
    return f"the server refused the statement: {name}" + (f" of {constraint}" if constraint else "")


def _noun(table: str | None) -> str:
    nouns = {"accounts": "account", "currencies": "currency", "journal_entries": "journal entry", "ledgers": "ledger"}
    return nouns.get(table or "", "row")


def _detail(error: asyncpg.PostgresError) -> Detail:
    """Return what a guard put into DETAIL; of PostgreSQL's own details, which hold values, an account's id."""
    text = error.detail or ""
    with contextlib.suppress(ValueError):
        detail = json.loads(text)
        if isinstance(detail, dict):
            return detail
    # A CHECK constraint shows the whole row that fails it; the first two columns are the ledger and the id.
    if error.table_name == "accounts" and (row := re.search(r"\(\d+, (\d+), ", text)):
        return {"account": int(row[1])}
    return {}


def _unbalanced(detail: Detail) -> FinanceError:
    difference = detail.get("difference")
    return UnbalancedEntryError(
        UUID(detail["entry"]) if "entry" in detail else None,
        detail.get("currency"),
        None if difference is None else Decimal(difference),
    )


def _period_closed(detail: Detail) -> FinanceError:
    dates = [date.fromisoformat(detail[key]) if key in detail else None for key in ("on", "closed_through")]
    return PeriodClosedError(*dates)


def _currency_of_account(detail: Detail) -> FinanceError:
    return CurrencyError(
        detail.get("currency"), f"account {detail.get('account')} is in {detail.get('expected')}; post in that"
    )


def _too_fine(detail: Detail) -> FinanceError:
    exponent, currency = detail.get("exponent"), detail.get("currency")
    return AmountError(..., f"has more than the {exponent} decimals of {currency}; round it first", exponent=exponent)


def _sealed(what: str, remedy: str | None = None) -> Callable[[Detail], FinanceError]:
    return lambda _detail: SealedError(what) if remedy is None else SealedError(what, remedy)


def _invalid(message: str) -> Callable[[Detail], FinanceError]:
    return lambda _detail: InvalidError(message)


def _derived(table: str) -> Callable[[Detail], FinanceError]:
    return _sealed(f"{table} is kept by the database and is not written to", "post an entry instead")


def _plain(what: str, longest: int) -> Callable[[Detail], FinanceError]:
    return _invalid(f"{what} has 1 to {longest} characters, and no blanks at its ends")


_OWN_GUARD = _sealed("the triggers of the books serve the tables of the books only", "drop the trigger")

_BY_CONSTRAINT: Mapping[str, Callable[[Detail], FinanceError]] = {
    # ledgers and currencies
    "uq_ledgers_name": lambda _: AlreadyExistsError("ledger"),
    "ck_ledgers_name_plain": _plain("a ledger's name", 200),
    "ck_ledgers_closed_through_of_calendar": _invalid("a ledger is closed through a day of the years 1 to 9999"),
    "ck_ledgers_identity_fixed": _sealed("the id of a ledger never changes", "make another ledger"),
    "ck_ledgers_not_removed": _sealed("a ledger with accounts or currencies is not deleted", "delete those first"),
    "ck_ledgers_sealed": _sealed("ledgers are not truncated", "delete what is unused"),
    "pk_currencies": lambda _: AlreadyExistsError("currency"),
    "fk_currencies_ledger_id_ledgers": lambda _: LedgerNotFoundError("of this id"),
    "ck_currencies_code_plain": _plain("a currency's code", 64),
    "ck_currencies_exponent_range": _invalid("a currency has 0 to 18 decimals"),
    "ck_currencies_fixed": _sealed("a currency keeps its code, and its decimals may only grow", "add another currency"),
    "ck_currencies_not_removed": _sealed("a currency with accounts is not deleted", "leave it"),
    "ck_currencies_sealed": _sealed("currencies are not truncated", "delete what is unused"),
    # accounts
    "uq_accounts_ledger_id_name_currency": lambda _: AlreadyExistsError("account"),
    "fk_accounts_ledger_id_ledgers": lambda _: LedgerNotFoundError("of this id"),
    "fk_accounts_ledger_id_currency_currencies": lambda _: CurrencyError(None, "is not one of this ledger's"),
    "fk_accounts_ledger_id_parent_id_accounts": lambda _: AccountNotFoundError(None),
    "ck_accounts_name_plain": _plain("an account's name", 500),
    "ck_accounts_type_known": _invalid("an account's type is asset, liability, equity, income or expense"),
    "ck_accounts_purpose_known": _invalid("an account's purpose is 'adjustments' or none"),
    "ck_accounts_balance_finite": lambda _: AmountError(..., "would make the balance infinite or not a number"),
    "ck_accounts_minimum_balance": lambda detail: BalanceLimitError("minimum", detail.get("account")),
    "ck_accounts_maximum_balance": lambda detail: BalanceLimitError("maximum", detail.get("account")),
    "ck_accounts_closed_after_opened": _invalid("an account is closed on or after the day it was opened"),
    "ck_accounts_starts_at_zero": _sealed("a new account starts at zero", "post an opening balance"),
    "ck_accounts_id_by_database": _sealed("the id of an account is given out by the database", "leave it out"),
    "ck_accounts_identity_fixed": _sealed(
        "the ledger, id and currency of an account never change", "open another account"
    ),
    "uq_accounts_adjustments": lambda _: AlreadyExistsError("adjustments account"),
    "ck_accounts_adjustments_not_adjusted": _sealed("an adjustments account is not adjusted itself", "post an entry"),
    "ck_accounts_balance_written": _sealed(
        "a rule, trigger or policy on accounts or monthly_totals keeps balances from being written", "remove it"
    ),
    "ck_accounts_not_removed": _sealed(
        "an account with postings, statements or accounts below it is not deleted", "close it instead"
    ),
    "ck_accounts_own_guard": _OWN_GUARD,
    "ck_accounts_sealed": _sealed("accounts are not truncated", "delete what is unused"),
    # journal entries
    "uq_journal_entries_ledger_id_reverses_id": lambda _: AlreadyReversedError(None),
    "fk_journal_entries_ledger_id_reverses_id_journal_entries": lambda _: EntryNotFoundError(None),
    "ck_journal_entries_kind_known": _invalid("an entry's kind is normal, reversal or adjustment"),
    "ck_journal_entries_date_of_calendar": _invalid("an entry's date is a day of the years 1 to 9999"),
    "ck_journal_entries_reversal_names_entry": _invalid("a reversal names the entry that it reverses"),
    "ck_journal_entries_content_hash_length": _invalid("a content hash has 32 bytes"),
    "ck_journal_entries_reversal_opposite": _invalid(
        "a reversal takes back exactly what its entry did on each account, and nothing else"
    ),
    "ck_journal_entries_balanced": _unbalanced,
    "ck_journal_entries_recorded_now": _sealed(
        "recorded_at and recorded_xid are set by the database", "leave them out"
    ),
    "ck_journal_entries_adjustment_by_database": _sealed(
        "entries of kind adjustment are written by the database", "post an entry of kind normal"
    ),
    "ck_journal_entries_sealed": _sealed("a committed journal entry never changes"),
    # postings
    "ck_postings_amount_nonzero": lambda _: AmountError(0, "a posting of zero says nothing; leave it out"),
    "ck_postings_amount_finite": lambda _: AmountError(..., "is not a finite number below 1E+24"),
    "ck_postings_amount_scale": _too_fine,
    "ck_postings_line_positive": _invalid("lines are numbered from 1"),
    "ck_postings_date_of_entry": _invalid("a posting has the date of its entry"),
    "ck_postings_currency_of_account": _currency_of_account,
    "ck_postings_account_open": lambda detail: AccountClosedError(detail.get("account")),
    "ck_postings_period_open": _period_closed,
    "ck_postings_entry_not_sealed": _sealed("no posting joins an entry that is committed, or reversed"),
    "ck_postings_own_guard": _OWN_GUARD,
    "ck_postings_sealed": _sealed("a committed posting never changes"),
    "fk_postings_entry_id_journal_entries": lambda _: EntryNotFoundError(None),
    "fk_postings_account_id_accounts": lambda detail: AccountNotFoundError(detail.get("account")),
    # derived
    "ck_monthly_totals_derived": _derived("monthly_totals"),
    "ck_unsettled_derived": _derived("unsettled"),
    # statements
    "fk_statements_ledger_id_account_id_accounts": lambda _: AccountNotFoundError(None),
    "fk_statement_lines_ledger_id_account_id_accounts": lambda _: AccountNotFoundError(None),
    "fk_statement_lines_ledger_id_entry_id_journal_entries": lambda _: EntryNotFoundError(None),
    "fk_statement_lines_ledger_id_statement_id_statements": _invalid(
        "a statement line names a statement of its ledger"
    ),
    "ck_statements_file_sha256_length": _invalid("the SHA-256 of a file has 32 bytes"),
    "ck_statement_lines_kind_known": _invalid("a statement line's kind is cash or security"),
    "ck_statement_lines_occurrence_positive": _invalid("occurrences are numbered from 1"),
    "ck_statement_lines_fingerprint_length": _invalid("a fingerprint has 32 bytes"),
    "uq_statement_lines_ledger_id_account_id_fingerprint_occurrence": lambda _: AlreadyExistsError("statement line"),
    "ck_statements_sealed": _sealed("an imported statement never changes", "import the right file"),
    "ck_statement_lines_sealed": _sealed("an imported statement line never changes", "import the right file"),
    "ck_statement_lines_amount_finite": lambda _: AmountError(..., "is not a finite number below 1E+24"),
}


def connect_error(error: BaseException, source: str) -> FinanceError:
    """Return the typed error for a failed attempt to connect to *source* ("host:port/database")."""
    if isinstance(error, FinanceError):
        return error
    if isinstance(error, TimeoutError):
        return ServerUnreachableError(source, "no answer in time")
    if isinstance(error, asyncpg.PostgresError):
        return _refused_by_server(error, source)
    if isinstance(error, (asyncpg.InterfaceError, asyncpg.ClientConfigurationError, ValueError)):
        return ConfigurationError(f"the connection to {source} cannot be set up: {error}")
    return ServerUnreachableError(source, _reason_of_os_error(error))


def _refused_by_server(error: asyncpg.PostgresError, source: str) -> FinanceError:
    sqlstate = error.sqlstate or ""
    if sqlstate.startswith("28"):
        return AuthenticationError(source, "wrong user or password, or not allowed from here")
    if sqlstate == asyncpg.InvalidCatalogNameError.sqlstate:
        return AuthenticationError(source, "there is no such database")
    if sqlstate == "53300":
        return TooManyConnectionsError(source, "it has no place for another connection (SQLSTATE 53300)")
    if sqlstate == "57P03":
        return ServerStartingError(source, "it is starting, stopping or recovering (SQLSTATE 57P03)")
    if sqlstate.startswith(("08", "53", "57P")):
        return ServerUnreachableError(source, f"{error.message} (SQLSTATE {sqlstate})")
    return ConfigurationError(f"the server at {source} refused the connection: {error.message} (SQLSTATE {sqlstate})")


def _reason_of_os_error(error: BaseException) -> str:
    number = getattr(error, "errno", None)
    if isinstance(error, socket.gaierror):
        return "the host's name is not known"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or type(error).__name__}"
    if number is None and (found := re.search(r"\[Errno (\d+)\]", str(error))):
        number = int(found[1])  # asyncio tried several addresses, and tells them in one text
    if number is None and "SSL" in str(error):
        return "the server has no TLS; set sslmode=prefer or disable if that is meant to be"
    return os.strerror(number).lower() if number else type(error).__name__
