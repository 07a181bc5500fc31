"""One connection: the driver's, made honest, and the handle of a transaction on it."""

from finance.connection.driver import PATIENCE, Driver, PooledConnection, Record
from finance.connection.events import Acquired, Event, Observer, Retried, StatementRun
from finance.connection.settling import require_in_transaction, settle, undo
from finance.connection.transaction import (
    ERRORS_OF_THE_DATABASE,
    LEDGER_SETTING,
    Connection,
    is_cancellation,
    leaving_block,
    lock_number,
    typed,
)
from finance.connection.verbs import BATCH, Verbs, rows_of

__all__ = [
    "BATCH",
    "ERRORS_OF_THE_DATABASE",
    "LEDGER_SETTING",
    "PATIENCE",
    "Acquired",
    "Connection",
    "Driver",
    "Event",
    "Observer",
    "PooledConnection",
    "Record",
    "Retried",
    "StatementRun",
    "Verbs",
    "is_cancellation",
    "leaving_block",
    "lock_number",
    "require_in_transaction",
    "rows_of",
    "settle",
    "typed",
    "undo",
]
