"""The libraries of the extra `statements`, which are imported by the readers that need them and not before."""

from __future__ import annotations

import importlib
from typing import Any

from finance.errors import ConfigurationError


def library(name: str, doing: str) -> Any:
    """Import the module *name* for *doing* something, which the message begins with.

    Raises:
        ConfigurationError: The extra `statements` is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ConfigurationError(
            f"{doing} needs the extra `statements`: pip install 'finance-ledger[statements]'"
        ) from error
