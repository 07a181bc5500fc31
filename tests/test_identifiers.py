"""Ids that the client makes."""

from __future__ import annotations

import time
from uuid import RFC_4122

import pytest

from finance.identifiers import uuid7


def test_ids_rise_in_the_order_in_which_they_are_made() -> None:
    """Also those of one microsecond."""
    ids = [uuid7() for _ in range(20_000)]

    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)


def test_an_id_tells_when_it_was_made() -> None:
    """Version 7 of RFC 9562: its first 48 bits are milliseconds of the Unix clock."""
    before = time.time_ns() // 1_000_000
    made = uuid7()
    after = time.time_ns() // 1_000_000

    assert (made.version, made.variant) == (7, RFC_4122)
    assert before <= made.int >> 80 <= after


def test_ids_rise_when_the_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process goes on from its last id."""
    first = uuid7()
    monkeypatch.setattr(time, "time_ns", lambda: 0)

    assert first < uuid7() < uuid7()


def test_what_is_not_the_instant_is_random() -> None:
    """62 bits, none of which stays as it is."""
    ids = [uuid7().int for _ in range(200)]
    mask = (1 << 62) - 1
    always = never = mask
    for each in ids:
        always &= each
        never &= ~each

    assert always & mask == 0
    assert never & mask == 0
