"""From bytes to text where a format does not say its encoding, as CSV and QIF do not."""

from __future__ import annotations

import codecs
from collections.abc import Iterator

from finance.statements.flaw import FlawError, line_at, shown

# UTF-32's mark begins with UTF-16's, and is looked for first.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def decoded(data: bytes, encoding: str | None, remedy: str) -> str:
    """Decode *data* by rule, never by guess; lines end in a line feed then.

    A byte order mark decides. Without one, bytes that are valid UTF-8 are UTF-8, also where *encoding* says another:
    text in another encoding is hardly ever valid UTF-8 by chance. Everything else is in *encoding*.

    Raises:
        FlawError: Some bytes are in none of them (with *remedy*, where no encoding is named), or a NUL is among them.
    """
    text = _text(data, encoding, remedy).replace("\r\n", "\n").replace("\r", "\n")
    if (nul := text.find("\x00")) >= 0:  # PostgreSQL cannot store one, and no bank means one
        raise FlawError("the file holds a NUL character", line_at(text, nul))
    return text


def lines_of(text: str) -> Iterator[str]:
    """Yield the lines of what `decoded` returned, with their line feeds; no list of them, and no copy of the text."""
    begin = 0
    while end := text.find("\n", begin) + 1:
        yield text[begin:end]
        begin = end
    if begin < len(text):
        yield text[begin:]


def is_encoding(name: str) -> bool:
    """Tell whether Python can decode text from the encoding *name*."""
    try:
        return codecs.lookup(name)._is_text_encoding  # noqa: SLF001 - what bytes.decode() asks itself
    except LookupError:
        return False


def _text(data: bytes, encoding: str | None, remedy: str) -> str:
    for mark, codec in _MARKS:
        if data.startswith(mark):
            return _strictly(data, codec, f"the {codec.upper()} that its byte order mark promises").removeprefix(
                "\ufeff"
            )
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        if encoding is None:
            raise _flaw(data, error, f"UTF-8, and nothing names another encoding: {remedy}") from error
    if not is_encoding(encoding):
        raise FlawError(f"{shown(encoding)} is no known encoding")
    return _strictly(data, encoding, f"the {encoding} that it is said to be in")


def _strictly(data: bytes, codec: str, promised: str) -> str:
    try:
        return data.decode(codec)
    except UnicodeDecodeError as error:
        raise _flaw(data, error, promised) from error


def _flaw(data: bytes, error: UnicodeDecodeError, promised: str) -> FlawError:
    line = data.count(b"\n", 0, error.start) + 1
    return FlawError(f"byte 0x{data[error.start]:02X} at offset {error.start} is not {promised}", line)
