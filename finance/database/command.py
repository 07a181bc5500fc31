"""The manager of a command: what the environment names, or else the embedded server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from finance.database.manager import DatabaseManager
from finance.errors import NotConfiguredError
from finance.settings import resolve, split_options


def manager_for_command(dsn: str | None = None, *, tell: Callable[[str], Any], **options: Any) -> DatabaseManager:
    """Return a manager for *dsn*, for what the environment names, or for the embedded server.

    A library must not fall back in silence, since a missing variable in production would put the books into a
    hidden local server. A command may, and says so through *tell*.
    """
    from finance.embedded import EmbeddedServer  # noqa: PLC0415 - few need it

    _, arguments = split_options(options)
    try:
        resolve(dsn, **arguments)
    except NotConfiguredError:
        folder = EmbeddedServer(options.get("data_dir")).data_dir
        tell(f"no database is configured: using the embedded PostgreSQL in {folder}")
        dsn = "embedded"
    return DatabaseManager(dsn, **options)
