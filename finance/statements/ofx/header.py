"""What stands before `<OFX>`: the version and the encoding; and the text that follows from them.

OFX 1 has lines `KEY:value`, OFX 2 an XML declaration and a processing instruction `<?OFX ...?>` (specification
1.6 and 2.2, section 2.2). Real files run the lines together, begin with blank ones, or have none.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from finance.statements.flaw import FlawError, line_at, shown
from finance.statements.recognising import foreign

ROOT = re.compile(r"<OFX(?:\s[^<>]*)?>", re.IGNORECASE)

_KEYS = "OFXHEADER|DATA|VERSION|SECURITY|ENCODING|CHARSET|COMPRESSION|OLDFILEUID|NEWFILEUID"
_ENTRY = re.compile(rf"({_KEYS})[ \t]*:(.*?)(?=(?:{_KEYS})[ \t]*:|[\r\n]|$)", re.IGNORECASE)
_XML_ENCODING = re.compile(r"<\?xml\s[^<>]*?encoding\s*=\s*[\"']([^\"'<>]*)[\"']", re.IGNORECASE)
_OFX_VERSION = re.compile(r"<\?OFX\s[^<>]*?\bVERSION\s*=\s*[\"']([^\"'<>]*)[\"']", re.IGNORECASE)
_FARTHEST_ROOT = 64 * 1024

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, slots=True)
class Source:
    """The decoded file: lines end in a line feed, and `start` is where `<OFX>` begins."""

    text: str
    start: int
    version: str | None


def is_ofx(data: bytes) -> bool:
    """Tell whether *data* is OFX, whatever its file is called: `<OFX>` stands near its beginning."""
    return foreign(data) is None and ROOT.search(_beginning(data)) is not None


def decode(data: bytes) -> Source:
    """Decode *data* by rule, never by guess.

    A byte order mark decides. Without one, bytes that are valid UTF-8 are UTF-8, whatever the header says: banks
    declare USASCII and 1252 over UTF-8 content, cp1252 would accept nearly all such bytes as other
    letters, and text in another encoding is hardly ever valid UTF-8 by chance. Everything else is in the
    encoding that the header declares.

    Raises:
        FlawError: Some bytes are not in the declared encoding, or it is unknown.
    """
    before = _before_root(_beginning(data))
    text = _decoded(data, before).replace("\r\n", "\n").replace("\r", "\n")
    if (nul := text.find("\x00")) >= 0:  # PostgreSQL cannot store one, and no bank means one
        raise FlawError("the file holds a NUL character", line_at(text, nul))
    root = ROOT.search(text)
    if root is None:
        raise FlawError("no <OFX> is left after decoding; the declared encoding is wrong")
    return Source(text, root.start(), _version(before))


def _beginning(data: bytes) -> str:
    head = data[:_FARTHEST_ROOT]
    return head.decode("utf-16", "replace") if head.startswith(_UTF_16) else head.decode("latin-1")


def _before_root(beginning: str) -> str:
    root = ROOT.search(beginning)
    return beginning[: root.start()] if root else beginning


def _version(before: str) -> str | None:
    declared = _OFX_VERSION.search(before)
    return (declared.group(1).strip() if declared else _entries(before).get("VERSION")) or None


def _entries(before: str) -> dict[str, str]:
    return {key.upper(): value.strip() for key, value in _ENTRY.findall(before)}


def _decoded(data: bytes, before: str) -> str:
    if data.startswith(_UTF_16):
        return _strictly(data, "utf-16", "the UTF-16 that its byte order mark promises")
    if data.startswith(codecs.BOM_UTF8):
        return _strictly(data, "utf-8-sig", "the UTF-8 that its byte order mark promises")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        declared = _declared(before)
        return _strictly(data, _codec(declared), f"the {declared} that its header declares")


def _strictly(data: bytes, codec: str, promised: str) -> str:
    try:
        return data.decode(codec)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise FlawError(
            f"byte 0x{data[error.start]:02X} at offset {error.start} is not {promised}; correct the declaration", line
        ) from error


def _declared(before: str) -> str:
    """Name the declared encoding in the header's own words; UTF-8 where nothing is declared, as in XML."""
    if declared := _XML_ENCODING.search(before):
        return declared.group(1).strip()
    entries = _entries(before)
    encoding = entries.get("ENCODING", "").upper()
    charset = entries.get("CHARSET", "").upper()
    if encoding == "USASCII" and charset not in ("", "NONE"):
        return charset
    return encoding or "UTF-8"


def _codec(declared: str) -> str:
    """Find Python's codec for a *declared* encoding.

    8859-1 is read as windows-1252, which has letters where 8859-1 has control characters and is equal
    elsewhere: the rule of the WHATWG Encoding Standard, and what the banks that declare it write.
    """
    name = declared.upper().replace("_", "-")
    if re.fullmatch(r"UTF-?8|UNICODE", name):
        return "utf-8"
    if re.fullmatch(r"(US-?)?ASCII", name):
        return "ascii"
    if re.fullmatch(r"(ISO-?)?8859-1|LATIN-?1", name):
        return "cp1252"
    if page := re.fullmatch(r"(?:ISO-?)?8859-([0-9]{1,2})", name):
        return _known(f"iso8859-{page.group(1)}", declared)
    if page := re.fullmatch(r"(?:WINDOWS-?|CP-?|IBM-?)?([0-9]{3,5})", name):
        return _known(f"cp{page.group(1)}", declared)
    raise FlawError(f"the header declares an unknown encoding: {shown(declared)}")


def _known(codec: str, declared: str) -> str:
    try:
        return codecs.lookup(codec).name
    except LookupError:
        raise FlawError(f"the header declares an unknown encoding: {shown(declared)}") from None
