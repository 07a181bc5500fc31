"""PostgreSQL's wire protocol (version 3), cut into messages however TCP has split them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_SSL_REQUEST = 80877103
_GSS_REQUEST = 80877104
_CANCEL_REQUEST = 80877102
_COMMITS = re.compile(rb"\s*(?:COMMIT|END)\b(?!\s+PREPARED)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Message:
    """One message: its type byte (none for those that open a connection), and everything as it was sent."""

    kind: bytes
    raw: bytes

    @property
    def body(self) -> bytes:
        """What stands behind the type and the length."""
        return self.raw[len(self.kind) + 4 :]

    @property
    def _code(self) -> int | None:
        return int.from_bytes(self.raw[4:8]) if not self.kind and len(self.raw) >= 8 else None

    @property
    def is_cancel(self) -> bool:
        """Whether it asks the server to cancel the statement of another connection."""
        return self._code == _CANCEL_REQUEST

    @property
    def asks_for_byte(self) -> bool:
        """Whether the server will answer with a single byte: yes or no to encryption."""
        return self._code in {_SSL_REQUEST, _GSS_REQUEST}

    @property
    def is_startup(self) -> bool:
        """Whether it opens a session."""
        return self._code is not None and self._code >> 16 == 3

    @property
    def sql(self) -> bytes:
        """The text of a Query or Parse message; empty for every other."""
        if self.kind == b"Q":
            return self.body.rstrip(b"\0")
        return self.body.split(b"\0", 2)[1] if self.kind == b"P" else b""

    @property
    def is_commit(self) -> bool:
        """Whether it asks for COMMIT."""
        return _COMMITS.match(self.sql) is not None

    @property
    def is_committed(self) -> bool:
        """Whether the server says with it that COMMIT was done."""
        return self.kind == b"C" and self.body == b"COMMIT\0"

    @property
    def is_ready(self) -> bool:
        """Whether the server says with it that it waits for the next statement."""
        return self.kind == b"Z"

    @property
    def is_in_transaction(self) -> bool:
        """Whether a server that `is_ready` is in a transaction."""
        return self.is_ready and self.body != b"I"

    @property
    def statement(self) -> bytes:
        """The name of the prepared statement that a Parse or Bind message is about; empty is a name, too."""
        if self.kind == b"P":
            return self.body.split(b"\0", 1)[0]
        return self.body.split(b"\0", 2)[1] if self.kind == b"B" else b""


class Splitter:
    """Cuts one direction of one connection into messages, and keeps what is not complete yet."""

    def __init__(self, *, of_client: bool) -> None:
        self._is_opening = of_client
        self._expects_byte = False
        self._rest = b""

    def expect_byte(self) -> None:
        """Take the next byte as a message of its own: the server's answer to a request for encryption."""
        self._expects_byte = True

    def feed(self, data: bytes) -> Iterator[Message]:
        """Add what was read; give each message that is complete now."""
        self._rest += data
        while (size := self._size()) and len(self._rest) >= size:
            raw, self._rest = self._rest[:size], self._rest[size:]
            yield self._message(raw)

    def _size(self) -> int:
        if self._expects_byte:
            return 1
        head = 0 if self._is_opening else 1
        return head + int.from_bytes(self._rest[head : head + 4]) if len(self._rest) >= head + 4 else 0

    def _message(self, raw: bytes) -> Message:
        if self._expects_byte:
            self._expects_byte = False
            return Message(raw, raw)
        if self._is_opening:
            message = Message(b"", raw)
            self._is_opening = not message.is_startup
            return message
        return Message(raw[:1], raw)
