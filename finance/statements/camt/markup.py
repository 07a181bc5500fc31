"""The XML of a CAMT message, read as a stream: entries and statements as they end."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping

from finance.statements.markup import Element, stream
from finance.statements.recognising import foreign

#: What holds the entries in each message, and the message's number.
CONTAINERS: Mapping[str, str] = {"Rpt": "camt.052", "Stmt": "camt.053", "Ntfctn": "camt.054"}
ENTRY = "Ntry"

_MESSAGE = re.compile(r"<(?:[\w.-]+:)?BkToCstmr(?:Stmt|AcctRpt|DbtCdtNtfctn)\b|camt\.05[234]\.001\.")
_VERSION = re.compile(r"camt\.05[234]\.001\.([0-9]{2})")
_FARTHEST = 64 * 1024
#: Tags and attributes of a file, as far as their marks can be counted before parsing; 10,000 entries have a million.
_MOST_MARKS = 4_000_000
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def is_camt(data: bytes) -> bool:
    """Tell whether *data* is CAMT.052, 053 or 054, whatever its file is called: it says so near its beginning."""
    if foreign(data) is not None:
        return False
    head = data[:_FARTHEST]
    text = head.decode("utf-16", "replace") if head.startswith(_UTF_16) else head.decode("latin-1")
    return text.lstrip("\xef\xbb\xbf \t\r\n").startswith("<") and _MESSAGE.search(text) is not None


def elements(data: bytes) -> Iterator[Element]:
    """Yield every entry, and every statement, report or notification after the entries in it.

    Raises:
        FlawError: As `stream()`.
        ConfigurationError: The extra `statements` is not installed.
    """
    tags = [f"{{*}}{name}" for name in (ENTRY, *CONTAINERS)]
    return stream(data, tags, what="a bank statement", most_marks=_MOST_MARKS)


def version_of(element: Element) -> str | None:
    """Return the version that the namespace of *element* names: `"02"`, `"08"`."""
    written = _VERSION.search(str(element.node.tag))
    return written[1] if written else None
