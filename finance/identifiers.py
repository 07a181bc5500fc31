"""Identifiers that the client makes: a UUID in time order is the key under which an entry is posted once."""

from __future__ import annotations

import os
import time
from uuid import UUID

_FRACTIONS = 4096  # of a millisecond: the 12 bits beside it
_last = 0


def uuid7() -> UUID:
    """Make a UUID of version 7: 48 bits of Unix milliseconds, 12 of their fraction, 62 random.

    Those that a process makes one after another sort in that order (RFC 9562, section 6.2, method 3), which
    keeps the indexes of a growing journal warm. Between processes the order is that of their clocks.
    """
    global _last  # noqa: PLW0603 - what makes them rise
    instant = max(time.time_ns() * _FRACTIONS // 1_000_000, _last + 1)
    _last = instant
    milliseconds, fraction = divmod(instant, _FRACTIONS)
    random = int.from_bytes(os.urandom(8)) & 0x3FFF_FFFF_FFFF_FFFF
    return UUID(int=(milliseconds & 0xFFFF_FFFF_FFFF) << 80 | 0x7000 << 64 | fraction << 64 | 1 << 63 | random)
