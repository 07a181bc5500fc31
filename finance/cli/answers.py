"""An answer in the form that was asked for: a table for people, CSV or JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from finance.cli.terminal import Listing, write_csv, write_json, write_listing
from finance.errors import InvalidError


def write_answer(document: Any, table: Callable[[Any], Listing], *, csv: bool, json: bool) -> None:
    """Write *document* as JSON, or the listing that *table* makes of it as CSV or as a table.

    Raises:
        InvalidError: Two forms are asked for.
    """
    if csv and json:
        raise InvalidError("--csv and --json are two forms of one answer: give one of them")
    if json:
        write_json(document)
    elif csv:
        write_csv(table(document))
    else:
        write_listing(table(document))
