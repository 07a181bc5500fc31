"""Text of strangers (names, descriptions) as it may be shown: on one line, and without control characters."""

from __future__ import annotations

import unicodedata


def printable(text: str) -> str:
    """Return *text* on one line, without the control characters by which a bank's text could command a terminal."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in " ".join(text.split()))


def cells(text: str) -> int:
    """Count the columns that *text* takes in a terminal: two for a wide character, none for a mark upon another."""
    return sum(_cells(c) for c in text)


def shortened(text: str, most: int) -> str:
    """Return *text* within *most* columns, at least 3: its middle gives way to an ellipsis, because ends tell more."""
    if cells(text) <= most:
        return text
    tail = (most - 1) // 2
    return f"{_within(text, most - 1 - tail)}…{_within(text[::-1], tail)[::-1]}"


def _within(text: str, most: int) -> str:
    """Return the longest beginning of *text* that takes at most *most* columns."""
    taken = 0
    for index, character in enumerate(text):
        taken += _cells(character)
        if taken > most:
            return text[:index]
    return text


def _cells(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1
