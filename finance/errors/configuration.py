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
