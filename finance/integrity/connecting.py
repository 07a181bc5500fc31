"""What a failed attempt to connect means."""

from __future__ import annotations

import os
import re
import socket
import ssl

import asyncpg

from finance.errors import (
    AuthenticationError,
    ConfigurationError,
    FinanceError,
    ServerStartingError,
    ServerUnreachableError,
    TooManyConnectionsError,
)


def connect_error(error: BaseException, source: str) -> FinanceError:
    """Return the typed error for a failed attempt to connect to *source* ("host:port/database")."""
    if isinstance(error, FinanceError):
        return error
    if isinstance(error, TimeoutError):
        return ServerUnreachableError(source, "no answer in time")
    if isinstance(error, asyncpg.PostgresError):
        return _refused_by_server(error, source)
    if isinstance(error, asyncpg.TargetServerAttributeNotMatched):
        return ServerUnreachableError(source, "no host is of the kind that target_session_attrs asks for")
    if isinstance(error, (asyncpg.InterfaceError, asyncpg.ClientConfigurationError, ValueError)):
        return ConfigurationError(_misconfigured(error, source))
    return ServerUnreachableError(source, _reason_of_os_error(error))


def _misconfigured(error: BaseException, source: str) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the server at {source} cannot be trusted: {error.verify_message}"
    reason = "a file that it needs is not UTF-8" if isinstance(error, UnicodeError) else str(error)
    return f"the connection to {source} cannot be set up: {reason}"


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
