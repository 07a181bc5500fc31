"""Where a connection comes from, and how it is set up."""

from __future__ import annotations

from finance.errors.base import FinanceError


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


class ProgramMissingError(ConfigurationError):
    """A program of others that has to read a file is not installed here."""

    def __init__(self, program: str, remedy: str) -> None:
        self.program = program
        self.remedy = remedy
        super().__init__(f"reading this file takes {program}, which is not installed here: {remedy}")
