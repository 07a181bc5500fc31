"""The XML of a CAMT message, read as a stream: entries and statements as they end, never a tree of the whole.

Namespaces differ between versions, and some banks write others or none: elements go by their local names. Nothing
outside of the file is read, and a document type, which ISO 20022 does not have, is refused before parsing.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from finance.statements.extra import library
from finance.statements.flaw import FlawError, plain
from finance.statements.recognising import foreign

#: What holds the entries in each message, and the message's number.
CONTAINERS: Mapping[str, str] = {"Rpt": "camt.052", "Stmt": "camt.053", "Ntfctn": "camt.054"}
ENTRY = "Ntry"

_MESSAGE = re.compile(r"<(?:[\w.-]+:)?BkToCstmr(?:Stmt|AcctRpt|DbtCdtNtfctn)\b|camt\.05[234]\.001\.")
_VERSION = re.compile(r"camt\.05[234]\.001\.([0-9]{2})")
#: Also with the zero bytes of UTF-16 and UTF-32 between its letters.
_DECLARATION = re.compile(
    rb"<\x00*!\x00*(?:D\x00*O\x00*C\x00*T\x00*Y\x00*P\x00*E|E\x00*N\x00*T\x00*I\x00*T\x00*Y)", re.IGNORECASE
)
_FARTHEST = 64 * 1024
#: Tags and attributes of a file, as far as their marks can be counted before parsing; 10,000 entries have a million.
_MOST_MARKS = 4_000_000
#: The longest name that `flattened` makes; those of ISO 20022 have at most 200 characters.
_LONGEST_PATH = 400
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, slots=True)
class Element:
    """An element of lxml's, by local names: `node.text_of("Acct", "Id", "IBAN")`."""

    node: Any

    @property
    def name(self) -> str:
        """The local name."""
        return _local(self.node)

    @property
    def line(self) -> int | None:
        """Its line in the file."""
        line: int | None = self.node.sourceline
        return line

    @property
    def text(self) -> str:
        """Its own text, without white space around it."""
        return (self.node.text or "").strip()

    def attribute(self, name: str) -> str | None:
        """Return the value of the attribute *name*."""
        value: str | None = self.node.get(name)
        return value

    def children(self, *path: str) -> list[Element]:
        """Return the elements at *path* from here, in the order of the file; without one, all children."""
        found = [self]
        for name in path:
            found = [Element(child) for each in found for child in each.node if _local(child) == name]
        return found if path else [Element(child) for child in self.node]

    def child(self, *path: str) -> Element | None:
        """Return the first element at *path*."""
        return next(iter(self.children(*path)), None)

    def text_of(self, *path: str) -> str | None:
        """Return the text of the first element at *path* that has one."""
        return next((each.text for each in self.children(*path) if each.text), None)

    def flattened(self, prefix: str = "") -> Iterator[tuple[str, str]]:
        """Yield the text of every element inside, and every attribute: `"Amt"`, `"Amt@Ccy"`, `"RmtInf.Ustrd[2]"`."""
        seen: dict[str, int] = {}
        for child in self.children():
            times = seen[child.name] = seen.get(child.name, 0) + 1
            key = f"{prefix}{child.name}" if times == 1 else f"{prefix}{child.name}[{times}]"
            if len(key) > _LONGEST_PATH:
                raise FlawError("elements are nested too deep, or have names that are too long", child.line)
            if child.text or not len(child.node):
                yield key, child.text
            yield from ((f"{key}@{_local_name(str(name))}", str(value)) for name, value in child.node.attrib.items())
            yield from child.flattened(f"{key}.")


def is_camt(data: bytes) -> bool:
    """Tell whether *data* is CAMT.052, 053 or 054, whatever its file is called: it says so near its beginning."""
    if foreign(data) is not None:
        return False
    head = data[:_FARTHEST]
    text = head.decode("utf-16", "replace") if head.startswith(_UTF_16) else head.decode("latin-1")
    return text.lstrip("\xef\xbb\xbf \t\r\n").startswith("<") and _MESSAGE.search(text) is not None


def elements(data: bytes) -> Iterator[Element]:
    """Yield every entry, and every statement, report or notification after the entries in it.

    An entry is emptied when the next element is asked for, so that memory grows with the lines that are read, not with
    the elements of the file.

    Raises:
        FlawError: It is not well-formed, too deep, or has a document type.
        ConfigurationError: The extra `statements` is not installed.
    """
    if _DECLARATION.search(data):
        raise FlawError("the file declares a DOCTYPE or an ENTITY, which no bank statement needs")
    if data.count(b"<") + data.count(b"=") > _MOST_MARKS:
        raise FlawError(f"the file has more than {_MOST_MARKS:,} tags and attributes; export a shorter period")
    etree = library("lxml.etree", "reading CAMT files")
    try:
        yield from _parsed(etree, data)
    except etree.XMLSyntaxError as error:
        reason = re.sub(r", line [0-9]+, column [0-9]+.*", "", str(error.msg))
        raise FlawError(f"this is not well-formed XML: {plain(reason, 100)}", error.lineno) from error


def version_of(element: Element) -> str | None:
    """Return the version that the namespace of *element* names: `"02"`, `"08"`."""
    written = _VERSION.search(str(element.node.tag))
    return written[1] if written else None


def _parsed(etree: Any, data: bytes) -> Iterator[Element]:
    parser = etree.iterparse(
        io.BytesIO(data),
        events=("end",),
        tag=[f"{{*}}{name}" for name in (ENTRY, *CONTAINERS)],
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    for _, node in parser:
        if node.getroottree().docinfo.doctype:
            raise FlawError("the file declares a DOCTYPE, which no bank statement needs")
        yield Element(node)
        node.clear(keep_tail=True)


def _local(node: Any) -> str:
    return _local_name(str(node.tag))


def _local_name(name: str) -> str:
    return name.rpartition("}")[2]
