"""Texts and JSON as exports write them: what was loaded is written again as the same bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from finance.errors import InvalidError

_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_ESCAPE = str.maketrans(_ESCAPES)
_UNESCAPE = {escaped[1]: plain for plain, escaped in _ESCAPES.items()}
_ESCAPED = re.compile(r"\\(.)")

#: A text of beancount, on one line.
STRING = r'"[^"\\]*(?:\\.[^"\\]*)*"'


def quoted(text: str) -> str:
    """Return *text* as beancount writes it, on one line."""
    return f'"{text.translate(_ESCAPE)}"'


def unquoted(string: str) -> str:
    """Return the text that `quoted()` has written as *string*.

    Raises:
        InvalidError: It has not.
    """
    try:
        return _ESCAPED.sub(lambda found: _UNESCAPE[found[1]], string[1:-1])
    except KeyError as error:
        raise InvalidError(f"an export writes no backslash before {error.args[0]!r} in a text") from None


def json_text(value: Any) -> str:
    """Write JSON in the one form that exports have."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False)


def canonical(details: str, what: str) -> str:
    """Write the JSON that is stored as it will be written once it was loaded.

    PostgreSQL keeps the zeros of 1.50, Python does not.

    Raises:
        InvalidError: A number in it is beyond what Python's JSON can say; *what* has it.
    """
    try:
        return json_text(json.loads(details))
    except (ValueError, RecursionError) as error:
        raise InvalidError(f"the details of {what} cannot be exported: {error}") from error


def tags_text(tags: Sequence[str]) -> str:
    """Write the names of tags; nothing for none."""
    return json_text(list(tags)) if tags else ""
