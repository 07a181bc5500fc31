"""The libraries of the extra `statements`, which are imported by the readers that need them and not before."""

from __future__ import annotations

from typing import Any

from finance import extras


def library(name: str, doing: str) -> Any:
    """Import the module *name* for *doing* something, which the message begins with.

    Raises:
        ConfigurationError: The extra `statements` is not installed.
    """
    return extras.library(name, "statements", doing)
