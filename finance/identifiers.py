"""Identifiers that the client makes: a UUID in time order is the key under which an entry is posted once."""

from __future__ import annotations

import os
import time
from uuid import UUID


def uuid7() -> UUID:
    """Make a UUID of version 7 (RFC 9562, section 5.7): 48 bits of Unix milliseconds, then 74 random bits.

    Ids made later sort later, to the millisecond, which keeps the indexes of a growing journal warm.
    """
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10))
    version_and_random_a = 0x7000 | (random >> 68)
    variant_and_random_b = 0x8000_0000_0000_0000 | (random & 0x3FFF_FFFF_FFFF_FFFF)
    return UUID(int=(milliseconds & 0xFFFF_FFFF_FFFF) << 80 | version_and_random_a << 64 | variant_and_random_b)
