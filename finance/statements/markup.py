"""XML of strangers, read as a stream: the elements that are asked for as they end, never a tree of the whole.

Namespaces differ between versions, and some programs write others or none: elements go by their local names. Nothing
outside of the file is read, and a document type, which no format of ours has, is refused before parsing.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from finance.statements.extra import library
from finance.statements.flaw import FlawError, plain

#: Also with the zero bytes of UTF-16 and UTF-32 between its letters.
_DECLARATION = re.compile(
    rb"<\x00*!\x00*(?:D\x00*O\x00*C\x00*T\x00*Y\x00*P\x00*E|E\x00*N\x00*T\x00*I\x00*T\x00*Y)", re.IGNORECASE
)
#: The longest name that `flattened` makes; those of ISO 20022 have at most 200 characters.
_LONGEST_PATH = 400


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

    @property
    def parent(self) -> Element | None:
        """The element that it is in."""
        node = self.node.getparent()
        return None if node is None else Element(node)

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


def stream(data: bytes, tags: Sequence[str], *, what: str, most_marks: int) -> Iterator[Element]:
    """Yield every element of these tags as it ends.

    It is emptied when the next one is asked for, so that memory grows with what is read, not with the elements of the
    file.

    Args:
        data: The file.
        tags: With the namespace in braces, an asterisk for any: `"{*}Ntry"`.
        what: What the file is, for messages: "a bank statement".
        most_marks: Tags and attributes that it may have, as far as they can be counted before parsing.

    Raises:
        FlawError: It is not well-formed, too deep, has more marks, or a document type.
        ConfigurationError: The extra `statements` is not installed.
    """
    if _DECLARATION.search(data):
        raise FlawError(f"the file declares a DOCTYPE or an ENTITY, which {what} does not need")
    if data.count(b"<") + data.count(b"=") > most_marks:
        raise FlawError(f"the file has more than {most_marks:,} tags and attributes; export a shorter period")
    etree = library("lxml.etree", "reading XML files")
    try:
        yield from _parsed(etree, data, tags, what)
    except etree.XMLSyntaxError as error:
        reason = re.sub(r", line [0-9]+, column [0-9]+.*", "", str(error.msg))
        raise FlawError(f"this is not well-formed XML: {plain(reason, 100)}", error.lineno) from error


def _parsed(etree: Any, data: bytes, tags: Sequence[str], what: str) -> Iterator[Element]:
    parser = etree.iterparse(
        io.BytesIO(data),
        events=("end",),
        tag=list(tags),
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    for _, node in parser:
        if node.getroottree().docinfo.doctype:
            raise FlawError(f"the file declares a DOCTYPE, which {what} does not need")
        yield Element(node)
        node.clear(keep_tail=True)


def _local(node: Any) -> str:
    return _local_name(str(node.tag))


def _local_name(name: str) -> str:
    return name.rpartition("}")[2]
