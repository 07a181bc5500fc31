"""How long to wait before the next attempt."""

from __future__ import annotations

import random

#: More of them are beyond every pause, and in the end beyond what a float can hold.
_DOUBLINGS = 100


def full_jitter(doublings: int, *, first: float, longest: float) -> float:
    """Draw a pause in seconds, from zero to *first* doubled so often, and to *longest* at most.

    Those who collided do not meet again ("full jitter").
    """
    return random.uniform(0, min(longest, first * 2 ** min(doublings, _DOUBLINGS)))  # noqa: S311 - no secret
