"""Keyset pages: each starts behind the last row of the one before, however much was written meanwhile."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Generic, TypeVar
from uuid import UUID

from finance.errors import InvalidError

T = TypeVar("T")

_FROM_CURSOR: Mapping[type, Callable[[Any], Any]] = {
    date: date.fromisoformat,
    int: int,
    str: str,
    UUID: UUID,
}

#: A page has at most so many items.
PAGE_SIZE_MAX = 1000
PAGE_SIZE = 100


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items in order, and the cursor of the next page; None on the last one.

    A list that is read in both directions has the cursor of the page before as well; None on the first one.
    """

    items: Sequence[T]
    next_cursor: str | None
    previous_cursor: str | None = None


def encode_cursor(order: str, key: Sequence[Any]) -> str:
    """Return an opaque cursor for the row with *key*, bound to the *order* that it was made in."""
    values = [value if isinstance(value, int) else str(value) for value in key]
    return base64.urlsafe_b64encode(json.dumps([order, *values]).encode()).decode()


def decode_cursor(cursor: str, order: str) -> list[str | int]:
    """Return the key that *cursor* holds.

    Raises:
        InvalidError: It is not a cursor of this *order*.
    """
    try:
        found = json.loads(base64.urlsafe_b64decode(cursor.encode()))
    except (ValueError, RecursionError):  # of somebody else's making: it comes back from the web
        found = None
    if not isinstance(found, list) or found[:1] != [order]:
        raise InvalidError("the cursor is not one of this list; pass on the next_cursor of its last page")
    return found[1:]


def decode_key(cursor: str, order: str, kinds: Sequence[type]) -> list[Any]:
    """Return the key that *cursor* holds, each value as one of the *kinds* of this *order*.

    Raises:
        InvalidError: It is not a cursor of this *order*, or was tampered with.
    """
    values = decode_cursor(cursor, order)
    try:
        return [_FROM_CURSOR[kind](value) for kind, value in zip(kinds, values, strict=True)]
    except (AttributeError, OverflowError, TypeError, ValueError) as error:
        raise InvalidError("the cursor is damaged; start from the first page") from error


def require_limit(limit: int) -> int:
    """Return *limit*, the number of items that a page may have.

    Raises:
        InvalidError: It is not between 1 and `PAGE_SIZE_MAX`.
    """
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= PAGE_SIZE_MAX:
        raise InvalidError(f"limit {limit!r}: a page has 1 to {PAGE_SIZE_MAX} items")
    return limit
