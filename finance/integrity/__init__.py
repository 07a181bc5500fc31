"""The one reader of driver errors: SQLSTATE and constraint name in, typed error out."""

from finance.integrity.connecting import connect_error
from finance.integrity.constraints import BY_CONSTRAINT
from finance.integrity.translating import (
    DRIVER_ERRORS,
    ConnectionBusyError,
    ConnectionClosedError,
    is_outdated,
    translate,
    translated,
)

__all__ = [
    "BY_CONSTRAINT",
    "DRIVER_ERRORS",
    "ConnectionBusyError",
    "ConnectionClosedError",
    "connect_error",
    "is_outdated",
    "translate",
    "translated",
]
