"""Account names as a hierarchy: what lies under the same first segments is one line."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from finance.errors import InvalidError
from finance.money import total


def require_depth(depth: int | None) -> int | None:
    """Return *depth*, which counts segments, or is None.

    Raises:
        InvalidError: It is no whole number of at least 1.
    """
    if depth is not None and (isinstance(depth, bool) or not isinstance(depth, int) or depth < 1):
        raise InvalidError(f"depth {depth!r}: give how many segments of an account's name count, 1 or more")
    return depth


def cut(name: str, depth: int | None) -> str:
    """Return the first *depth* segments of *name*; all of them for None."""
    return name if depth is None else ":".join(name.split(":", depth)[:depth])


def rolled_up(lines: Iterable[tuple[str, Decimal]], depth: int | None) -> tuple[tuple[str, Decimal], ...]:
    """Add up what is the same in the first *depth* segments of its name, by name; zeros are left out."""
    amounts: dict[str, list[Decimal]] = {}
    for name, amount in lines:
        amounts.setdefault(cut(name, depth), []).append(amount)
    sums = ((name, total(found)) for name, found in sorted(amounts.items()))
    return tuple((name, amount) for name, amount in sums if amount)
