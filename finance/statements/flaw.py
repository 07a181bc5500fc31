"""What is wrong with a file, before it is known which file it is."""

from __future__ import annotations


class FlawError(Exception):
    """A reason and a line; `reading` turns it into `StatementFileError`, so that it never leaves this package."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        self.reason = reason
        self.line = line
        super().__init__(reason)


def line_at(text: str, position: int) -> int:
    """Count the line of *text*, from 1, that *position* lies on."""
    return text.count("\n", 0, position) + 1


def shown(text: str, longest: int = 40) -> str:
    """Quote *text* for a message of one line."""
    return repr(text if len(text) <= longest else f"{text[:longest]}...")


def plain(text: str, longest: int = 40) -> str:
    """Give *text* to a message of one line, without quotes."""
    return shown(" ".join(text.split()), longest)[1:-1]
