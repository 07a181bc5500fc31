"""The libraries of the extras, which are imported by what needs them and not before."""

from __future__ import annotations

import importlib
from typing import Any

from finance.errors import ConfigurationError


def library(name: str, extra: str, doing: str) -> Any:
    """Import the module *name* of the extra *extra* for *doing* something, which the message begins with.

    Raises:
        ConfigurationError: The extra is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ConfigurationError(f"{doing} needs the extra `{extra}`: pip install 'finance-ledger[{extra}]'") from error
