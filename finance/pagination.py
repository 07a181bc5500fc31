"""Keyset pages: each starts behind the last row of the one before, however much was written meanwhile."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from finance.errors import InvalidError

T = TypeVar("T")

#: A page has at most so many items.
PAGE_SIZE_MAX = 1000
PAGE_SIZE = 100


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items in order, and the cursor of the next page; None on the last one."""

    items: Sequence[T]
    next_cursor: str | None


def encode_cursor(order: str, key: Sequence[str | int]) -> str:
    """Return an opaque cursor for the row with *key*, bound to the *order* that it was made in."""
    return base64.urlsafe_b64encode(json.dumps([order, *key]).encode()).decode()


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


def require_limit(limit: int) -> int:
    """Return *limit*, the number of items that a page may have.

    Raises:
        InvalidError: It is not between 1 and `PAGE_SIZE_MAX`.
    """
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= PAGE_SIZE_MAX:
        raise InvalidError(f"limit {limit!r}: a page has 1 to {PAGE_SIZE_MAX} items")
    return limit
