"""The elements of an OFX document, as ofxparse reads them.

ofxparse's preprocessor and soup build the tree. Its objects are not used: they shift dates by their time zone,
put currencies into lower case, take `1,234.56` and `1.234,56` for numbers, sort a broker's lines by their kind,
drop a line's currency and every aggregate that they do not know, and fail with IndexError on an empty element.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from finance.statements.extra import library
from finance.statements.flaw import FlawError
from finance.statements.ofx.markup import marked, unmarked

_WHITE_SPACE = " \t\n"


@dataclass(frozen=True, slots=True)
class Element:
    """An element: its name in upper case, its own text without white space around it, its line in the file."""

    name: str
    text: str
    line: int | None
    children: tuple[Element, ...] = ()

    def child(self, name: str) -> Element | None:
        """Return the first child called *name*."""
        return next((child for child in self.children if child.name == name), None)

    def value(self, name: str) -> str | None:
        """Return the text of the first child called *name* that has one."""
        return next((child.text for child in self.children if child.name == name and child.text), None)

    def walk(self) -> Iterator[Element]:
        """Yield this element and all inside it, in the order of the file."""
        waiting = [self]
        while waiting:
            element = waiting.pop()
            yield element
            waiting.extend(reversed(element.children))

    def flattened(self) -> dict[str, str]:
        """Return the text of every element inside this one: `"CURRENCY.CURSYM"`, `"MEMO"`, `"MEMO[2]"`, `"#text"`."""
        found = {"#text": self.text} if self.text and self.children else {}
        seen: dict[str, int] = {}
        for child in self.children:
            seen[child.name] = seen.get(child.name, 0) + 1
            key = child.name if seen[child.name] == 1 else f"{child.name}[{seen[child.name]}]"
            if child.children:
                found |= {f"{key}.{inner}": text for inner, text in child.flattened().items()}
            else:
                found[key] = child.text
        return found


def build(markup: str) -> Element:
    """Build the tree of *markup*, a document that `normalise` wrote, and return its root `<OFX>`.

    Raises:
        ConfigurationError: The extra `statements` is not installed.
        FlawError: ofxparse cannot read it.
    """
    parser = library("ofxparse.ofxparse", "reading OFX and QFX files")
    try:
        # The header is ours: the file's was read by `header`, and the text is decoded already.
        prepared = parser.OfxPreprocessedFile(io.BytesIO(b"ENCODING:UTF-8" + markup.encode()))
        soup = parser.soup_maker(prepared.fh)
    except Exception as error:
        raise FlawError(f"ofxparse cannot read it: {type(error).__name__}") from error
    return _element(soup.find(marked("OFX")))


def _element(tag: Any) -> Element:
    children: list[Element] = []
    text: list[str] = []
    for node in tag.contents:
        if node.name is None:
            text.append(str(node))
        else:
            children.append(_element(node))
    return Element(unmarked(tag.name), "".join(text).strip(_WHITE_SPACE), tag.sourceline, tuple(children))
