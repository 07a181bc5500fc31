"""OFX as banks write it, rewritten so that every element is closed and every other character is text.

In SGML an element that holds text needs no closing tag, and banks write `<` and `&` into names and memos
without escaping them. ofxparse closes a tag only where no such tag is closed anywhere in the file, and HTML's
rules, by which it builds its tree, drop or move what they do not expect (`A <B` loses its end, `X&Y;` its semicolon,
`<SOURCE>` its text). After this pass nothing is left for them to decide.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.entities import html5
from typing import Literal, NamedTuple

from finance.statements.flaw import FlawError, line_at
from finance.statements.ofx.header import ROOT

_MARK = "x."

#: The most elements that are read: the tree takes about 1.6 KB of memory for each.
MOST_ELEMENTS = 500_000
_DEEPEST = 40
_MOST_NAMES = 500

#: Security movements (specification 2.2, section 13.9.2.4).
SECURITY = re.compile(
    "BUYDEBT|BUYMF|BUYOPT|BUYOTHER|BUYSTOCK|CLOSUREOPT|INCOME|INVEXPENSE|JRNLFUND|JRNLSEC|MARGININTEREST|REINVEST"
    "|RETOFCAP|SELLDEBT|SELLMF|SELLOPT|SELLOTHER|SELLSTOCK|SPLIT|TRANSFER"
)
#: Elements that hold elements and never text, so that one without an end means a damaged file.
_AGGREGATE = re.compile(
    "OFX|SIGNONMSGSRSV1|SONRS|STATUS|FI|BANKMSGSRSV1|CREDITCARDMSGSRSV1|INVSTMTMSGSRSV1|SIGNUPMSGSRSV1|STMTTRNRS|STMTRS"
    "|CCSTMTTRNRS|CCSTMTRS|INVSTMTTRNRS|INVSTMTRS|BANKACCTFROM|CCACCTFROM|INVACCTFROM|BANKTRANLIST|INVTRANLIST"
    "|BANKTRANLISTP|STMTTRN|STMTTRNP|INVBANKTRAN|INVTRAN|INVBUY|INVSELL|SECID|CURRENCY|ORIGCURRENCY|LEDGERBAL|AVAILBAL"
    f"|ACCTINFORS|ACCTINFO|BANKACCTINFO|CCACCTINFO|INVACCTINFO|{SECURITY.pattern}"
)

_TOKEN = re.compile(
    r"<(?:(?P<special>!--|!\[CDATA\[|\?[A-Za-z]|!DOCTYPE|!ENTITY)"
    r"|(?P<end>/?)(?P<name>[A-Za-z][A-Za-z0-9_.\-]*)\s*(?P<empty>/?)>)",
    re.IGNORECASE,
)
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_TERMINATORS = {"!--": "-->", "![CDATA[": "]]>"}
#: What may follow </OFX>: padding, and the end-of-file character of DOS.
_PADDING = " \t\n\x1a\ufeff"

_Kind = Literal["text", "cdata", "open", "close"]


class _Token(NamedTuple):
    kind: _Kind
    source: str
    name: str
    position: int


@dataclass(slots=True)
class _Open:
    """An element that is being written; `end` is the index of its closing tag, None where it has none."""

    name: str
    end: int | None
    has_text: bool = False

    @property
    def is_literal(self) -> bool:
        """Tags behind text in a closed element are part of the text: `<MEMO>PAY <DEFT> NOW</MEMO>`."""
        return self.has_text and self.end is not None and not _AGGREGATE.fullmatch(self.name)


def marked(name: str) -> str:
    """Return *name* as it is called in the tree.

    HTML gives meanings of its own to some names (`<SOURCE>`, `<TITLE>`), and ofxparse fails on a hyphen.
    """
    return _MARK + name.lower().replace("-", "..")


def unmarked(name: str) -> str:
    """Return the name of the element that is called *name* in the tree."""
    return name.removeprefix(_MARK).replace("..", "-").upper()


def normalise(text: str, start: int) -> str:
    """Rewrite the document that begins at *start* of *text*; its lines keep their numbers.

    Entities are resolved once: `&amp;lt;` is the text `&lt;`. Comments and processing instructions are dropped.

    Raises:
        FlawError: The document is cut off or otherwise not closed, declares a DOCTYPE or an ENTITY, has more
            than `MOST_ELEMENTS` elements, or is followed by more than padding.
    """
    if declared := re.search(r"<!(?:DOCTYPE|ENTITY)", text[:start], re.IGNORECASE):
        raise _declares(text, declared.start())
    _refuse_excess(text)
    tokens = list(_tokens(text, start))
    ends = _ends(tokens)
    if 0 not in ends:
        raise FlawError("the file ends before </OFX>; the download was cut off", line_at(text, len(text.rstrip())))
    _refuse_appendix(tokens[ends[0] + 1 :], text)
    return "\n" * text.count("\n", 0, start) + _Writer(tokens[: ends[0] + 1], ends, text).write()


def _declares(text: str, position: int) -> FlawError:
    return FlawError("the file declares a DOCTYPE or an ENTITY, which OFX does not need", line_at(text, position))


def _tokens(text: str, start: int) -> Iterator[_Token]:
    root = ROOT.match(text, start)
    at = root.end() if root else start
    yield _Token("open", text[start:at], "OFX", start)
    while match := _TOKEN.search(text, at):
        if match.start() > at:
            yield _Token("text", text[at : match.start()], "", at)
        at = match.end()
        if special := match["special"]:
            at = _end_of_special(text, match)
            yield _special(special, text[match.start() : at], match.start())
        else:
            source, name = match[0], match["name"].upper()
            yield _Token("close" if match["end"] else "open", source, name, match.start())
            if match["empty"] and not match["end"]:
                yield _Token("close", "", name, match.start())
    yield _Token("text", text[at:], "", at)


def _end_of_special(text: str, match: re.Match[str]) -> int:
    special = match["special"].upper()
    if special in ("!DOCTYPE", "!ENTITY"):
        raise _declares(text, match.start())
    terminator = _TERMINATORS.get(special, "?>")
    end = text.find(terminator, match.end())
    if end < 0:
        raise FlawError(f"<{special} is never ended by {terminator}", line_at(text, match.start()))
    return end + len(terminator)


def _special(special: str, source: str, position: int) -> _Token:
    if special.upper() == "![CDATA[":
        return _Token("cdata", source[len("<![CDATA[") : -len("]]>")], "", position)
    return _Token("text", "\n" * source.count("\n"), "", position)


def _ends(tokens: list[_Token]) -> dict[int, int]:
    """Map the index of each opening tag that has a closing tag to the index of that.

    An element without one inside an element with one holds text alone: that is OFX's SGML.
    """
    ends: dict[int, int] = {}
    opened: list[int] = []
    names: Counter[str] = Counter()
    for index, token in enumerate(tokens):
        if token.kind == "open":
            opened.append(index)
            names[token.name] += 1
        elif token.kind == "close" and names[token.name]:
            last = _pop_through(opened, token.name, tokens, names)
            ends[last] = index
    return ends


def _pop_through(opened: list[int], name: str, tokens: list[_Token], names: Counter[str]) -> int:
    while True:
        last = opened.pop()
        names[tokens[last].name] -= 1
        if tokens[last].name == name:
            return last


def _refuse_excess(text: str) -> None:
    closing = text.count("</")
    if max(closing, text.count("<") - closing) > MOST_ELEMENTS:
        raise FlawError(f"the file has more than {MOST_ELEMENTS:,} elements; export a shorter period")


def _refuse_appendix(tokens: list[_Token], text: str) -> None:
    for token in tokens:
        if token.source.strip(_PADDING):
            raise FlawError("something follows </OFX>; a file holds one document", line_at(text, token.position))


@dataclass(slots=True)
class _Writer:
    tokens: list[_Token]
    ends: dict[int, int]
    text: str
    out: list[str] = field(default_factory=list)
    stack: list[_Open] = field(default_factory=list)

    def write(self) -> str:
        for index, token in enumerate(self.tokens):
            if token.kind in ("text", "cdata"):
                self._put_text(token)
            elif self.stack and self.stack[-1].is_literal and index != self.stack[-1].end:
                self.out.append(_escaped(token.source))
            elif token.kind == "open":
                self._open(index, token)
            else:
                self._close(index, token)
        return self._index_of_ends() + "".join(self.out)

    def _index_of_ends(self) -> str:
        """Name each closing tag once, ahead of the document.

        ofxparse looks every tag up in the list of all closing tags, from its start: without these, 10,000
        lines take minutes. The tree ignores an end without a beginning.
        """
        names = {token.name for token in self.tokens if token.kind == "open"}
        if len(names) > _MOST_NAMES:
            raise FlawError(f"the file has {len(names):,} different elements; this is not OFX")
        return "".join(f"</{marked(name)}>" for name in sorted(names))

    def _put_text(self, token: _Token) -> None:
        text = token.source if token.kind == "cdata" else _resolved(token.source)
        self.out.append(_escaped(text))
        if self.stack and text.strip():
            self.stack[-1].has_text = True

    def _open(self, index: int, token: _Token) -> None:
        self._end_unclosed()
        end = self.ends.get(index)
        if len(self.stack) >= _DEEPEST:
            raise FlawError(f"elements are nested more than {_DEEPEST} deep", line_at(self.text, token.position))
        if end is None and _AGGREGATE.fullmatch(token.name) and not self._is_text(index + 1):
            raise FlawError(f"<{token.name}> is never closed", line_at(self.text, token.position))
        self.out.append(f"<{marked(token.name)}>" + "\n" * token.source.count("\n"))
        self.stack.append(_Open(token.name, end))

    def _is_text(self, index: int) -> bool:
        token = self.tokens[index]
        return token.kind in ("text", "cdata") and bool(token.source.strip())

    def _close(self, index: int, token: _Token) -> None:
        if index not in self._closing():
            if _AGGREGATE.fullmatch(token.name):
                raise FlawError(f"</{token.name}> closes nothing", line_at(self.text, token.position))
            self._put_text(_Token("cdata", token.source, "", token.position))
            return
        self._end_unclosed()
        self.out.append(f"</{marked(self.stack.pop().name)}>" + "\n" * token.source.count("\n"))

    def _closing(self) -> set[int | None]:
        return {opened.end for opened in self.stack[-2:]}

    def _end_unclosed(self) -> None:
        if self.stack and self.stack[-1].end is None:
            self.out.append(f"</{marked(self.stack.pop().name)}>")


def _resolved(text: str) -> str:
    return _ENTITY.sub(_character, text) if "&" in text else text


def _character(match: re.Match[str]) -> str:
    # html.unescape() alone would also read the beginning of an unknown name: `A&NOTARY;`, `&copies;`.
    entity = match[0]
    return html.unescape(entity) if entity[1] == "#" else html5.get(entity[1:], entity)


def _escaped(text: str) -> str:
    return html.escape(text, quote=False) if "&" in text or "<" in text or ">" in text else text
