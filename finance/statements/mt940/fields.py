"""The text of an MT940 file, and the fields of each message in it (SWIFT Standards MT, category 9).

A field is `:61:` and what follows up to the next one; a message begins with `:20:` and ends with a line `-`. What
stands before and between messages (SWIFT's blocks 1 and 2, a bank's own header) says nothing about money.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from finance.statements.flaw import FlawError, line_at
from finance.statements.recognising import foreign

_FIELD = re.compile(r":(13D?|20|21|25P?|28C?|34F?|60[FM]?|61|62[FM]?|64|65|86|90[CD]|NS):")
#: Fields that stand before the first line of a message only.
_HEAD = re.compile(r"13D?|20|21|25P?|28C?|34F?|60[FM]?")
#: What follows a :20: that begins a message; in free text, another field does.
_AFTER_20 = ("21", "25", "25P", "28", "28C", "13", "13D", "NS")
#: The fields whose text is the bank's own, in which a line may look like a field: "14:\n:20:37".
_FREE_TEXT = ("86", "NS")
#: The end of a message: `-`, also as `-}{5:...}`, before a control character, and as ING's `-XXX`.
_END = re.compile(r"-(?:XXX|\}.*|[\x00-\x20]*)")
#: Some banks break the line between the colon and the number.
_BROKEN = re.compile(r"^:\n(?=[0-9]{2}[A-Z]?:)", re.MULTILINE)
_MESSAGE = re.compile(r"^:20:.*\n(?:.*\n){0,8}?:25P?:", re.MULTILINE)
_LINE_61 = re.compile(r"^[ \t]*:?[ \t]*61[ \t]*:", re.MULTILINE)
_FARTHEST = 64 * 1024
#: A statement of 10,000 transactions has about 80,000 lines of text.
_MOST_LINES = 1_000_000
_MOST_FIELDS_61 = 200_000

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
#: windows-1252 as the WHATWG Encoding Standard has it: the five bytes that Microsoft left open are control characters.
_WINDOWS_1252 = {
    byte: bytes([byte]).decode("cp1252") for byte in range(0x80, 0xA0) if byte not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)
}


@dataclass(frozen=True, slots=True)
class Field:
    """A field: its tag without colons, its lines as they came, and its line in the file."""

    tag: str
    lines: tuple[str, ...]
    line: int

    @property
    def text(self) -> str:
        """The first line, without white space at its end."""
        return self.lines[0].rstrip()

    @property
    def whole(self) -> str:
        """All lines, as the bank wrote them but for white space at the end."""
        return "\n".join(self.lines).rstrip()


@dataclass(slots=True)
class Message:
    """The fields of a message; whether a line `-` ends it, and whether the file ends in the middle of its last line."""

    fields: list[Field] = field(default_factory=list)
    is_ended: bool = False
    is_cut: bool = False

    def all(self, *tags: str) -> list[Field]:
        """Return the fields with one of *tags*, in the order of the file."""
        return [each for each in self.fields if each.tag in tags]

    def one(self, *tags: str) -> Field | None:
        """Return the only field with one of *tags*, None where there is none.

        Raises:
            FlawError: There are several, as when the lines between two messages are lost and the two have become one.
        """
        found = self.all(*tags)
        if len(found) > 1:
            raise FlawError(f"field :{found[1].tag}: is there twice in one message", found[1].line)
        return found[0] if found else None


def is_mt940(data: bytes) -> bool:
    """Tell whether *data* is MT940 or MT942, whatever its file is called: a line `:20:` begins it, `:25:` follows."""
    if foreign(data) is not None:
        return False
    head = data[:_FARTHEST]
    text = head.decode("utf-16", "replace") if head.startswith(_UTF_16) else head.decode("latin-1")
    return _MESSAGE.search(_lines_ended(text.removeprefix("\xef\xbb\xbf"))) is not None


def decode(data: bytes) -> str:
    """Decode *data* by rule, because the format names no encoding; lines end in a line feed.

    A byte order mark decides, else UTF-8 where the bytes are that, else windows-1252, which every sequence of bytes is.
    SWIFT's own characters are the same in all of them, so that figures never depend on it.

    Raises:
        FlawError: The bytes are not what the byte order mark promises, or hold a NUL, which PostgreSQL cannot store.
    """
    try:
        text = data.decode("utf-16" if data.startswith(_UTF_16) else "utf-8-sig")
    except UnicodeDecodeError as error:
        if data.startswith((*_UTF_16, codecs.BOM_UTF8)):
            line = data.count(b"\n", 0, error.start) + 1
            raise FlawError("the bytes are not the Unicode that the byte order mark promises", line) from error
        text = data.decode("latin-1").translate(_WINDOWS_1252)
    text = _lines_ended(text)
    if (nul := text.find("\x00")) >= 0:
        raise FlawError("the file holds a NUL character", line_at(text, nul))
    return text


def messages(text: str) -> list[Message]:
    """Split *text* into messages, in the order of the file.

    Raises:
        FlawError: A field stands outside of every message, or a line (`:61:`) is not a field of its own.
    """
    text = _BROKEN.sub("\n:", text)
    stated = sum(1 for _ in _LINE_61.finditer(text))
    if stated > _MOST_FIELDS_61 or text.count("\n") > _MOST_LINES:
        raise FlawError(
            f"the file has more than {_MOST_FIELDS_61:,} transactions or {_MOST_LINES:,} lines; export a shorter period"
        )
    lines = text.split("\n")
    found = [_message(lines, start, end) for start, end in _spans(lines)]
    if found:
        found[-1].is_cut = not text.endswith("\n") and not found[-1].is_ended
    read = sum(len(message.all("61")) for message in found)
    if stated != read:
        raise FlawError(f"the text has {stated} fields :61:, but {read} could be read as part of a message")
    return found


def _lines_ended(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _spans(lines: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield the first line of each message, and that of the next one."""
    fields = [(number, tag) for number, line in enumerate(lines) if (tag := _tag(line))]
    following = [tag for _, tag in fields[1:]] + [""]
    starts = [
        number for (number, tag), after in zip(fields, following, strict=True) if tag == "20" and after in _AFTER_20
    ]
    if fields and (not starts or fields[0][0] < starts[0]):
        number, tag = fields[0]
        raise FlawError(f"field :{tag}: stands before the first message, which begins with :20: and :25:", number + 1)
    yield from zip(starts, [*starts[1:], len(lines)], strict=True)


def _tag(line: str) -> str | None:
    written = _FIELD.match(line)
    return written[1] if written else None


def _message(lines: Sequence[str], start: int, end: int) -> Message:
    message = Message()
    begins = [number for number in range(start, end) if _tag(lines[number])]
    begins = list(_without_text(lines, begins))
    for begin, after in zip(begins, [*begins[1:], end], strict=True):
        message.fields.append(_field(lines, begin, after))
    last = message.fields[-1]
    ended = next((index for index, line in enumerate(last.lines[1:], 1) if _END.fullmatch(line)), None)
    if ended is not None:
        message.fields[-1] = Field(last.tag, last.lines[:ended], last.line)
        message.is_ended = True
    return message


def _without_text(lines: Sequence[str], begins: Sequence[int]) -> Iterator[int]:
    """Leave out lines of free text that look like a field of the message's head."""
    current, has_lines = "", False
    for number in begins:
        tag = _tag(lines[number]) or ""
        if has_lines and current in _FREE_TEXT and _HEAD.fullmatch(tag):
            continue
        current, has_lines = tag, has_lines or tag == "61"
        yield number


def _field(lines: Sequence[str], begin: int, after: int) -> Field:
    tag = _tag(lines[begin]) or ""
    first = lines[begin][len(tag) + 2 :]
    return Field(tag, (first, *lines[begin + 1 : after]), begin + 1)
