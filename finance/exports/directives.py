"""What a file for beancount says that was exported: its directives, one by one, and nothing that no export writes.

Blank lines, comments and blanks within a line may be others, as bean-format leaves them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from finance.errors import BooksFileError, InvalidError
from finance.exports.beancount import FORM, MARK
from finance.exports.texts import STRING, unquoted
from finance.models.new_entry import require_text

#: Characters of a line: a text may be as long as in a CSV, and each of its characters be escaped.
_LONGEST_LINE: Final = 32 * 1024 * 1024

_FIRST_LINE = re.compile(rf"{re.escape(MARK)}([0-9]{{1,4}}): .*")
_OPTION = re.compile(rf'option\s+"operating_currency"\s+({STRING})')
_NUMBER = r"-?[0-9]+(?:\.[0-9]+)?"
_DAY = r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})\s+"
_HEADS = {
    "commodity": re.compile(rf"{_DAY}commodity\s+(?P<name>\S+)"),
    "open": re.compile(rf"{_DAY}open\s+(?P<name>\S+)\s+(?P<held>\S+)"),
    "close": re.compile(rf"{_DAY}close\s+(?P<name>\S+)"),
    "price": re.compile(rf"{_DAY}price\s+(?P<name>\S+)\s+(?P<rate>{_NUMBER})\s+(?P<quote>\S+)"),
    "entry": re.compile(rf"{_DAY}\*\s+((?P<payee>{STRING})\s+)?(?P<description>{STRING})(?P<tags>(\s+#\S+)*)"),
}
_KEYS = {
    "commodity": {"code", "name", "precision"},
    "open": {"name", "accounts"},
    "close": set[str](),
    "price": {"source"},
    "entry": {"id", "reverses", "amends", "details", "tags"},
}
_META = re.compile(rf"\s+(?P<key>[a-z]+):\s+(?:(?P<text>{STRING})|(?P<number>[0-9]+))")
_POSTING = re.compile(rf"\s+(?P<account>[A-Z]\S*)\s+(?P<amount>{_NUMBER})\s+(?P<of>[A-Z]\S*)")
_REMEDY = "no export writes such a line; `--from beancount` loads the file as any journal of beancount"


@dataclass(slots=True)
class Line:
    """A posting of a transaction, as it is written; its memo is None where it has none."""

    line: int
    account: str
    amount: str
    commodity: str
    memo: str | None = None


@dataclass(slots=True)
class Directive:
    """A directive: its kind, the line that it begins on, what its first line says, its metadata and its postings."""

    kind: str
    line: int
    said: Mapping[str, str]
    meta: dict[str, str] = field(default_factory=dict)
    postings: list[Line] = field(default_factory=list)

    def text(self, key: str) -> str:
        """Return the text *key* of its first line; nothing where there is none.

        Raises:
            InvalidError: It has a character that no database text can have.
        """
        return _text(self.said[key]) if self.said[key] else ""


def is_export(head: bytes) -> bool:
    """Tell whether a file that begins so is one that `beancount_lines()` has written."""
    return head.startswith(MARK.encode())


def base_currency_of(path: Path) -> str:
    """Return the base currency of the books that were exported to the file at *path*.

    Raises:
        BooksFileError: It cannot be read, or is no such export.
    """
    return next(_kept(path))[1]


def read_directives(path: Path) -> Iterator[Directive]:
    """Yield the directives of the export at *path*, each when it is whole.

    Raises:
        BooksFileError: It cannot be read, or is no such export; with the line.
    """
    found: Directive | None = None
    lines = _kept(path)
    next(lines)
    for number, line in lines:
        try:
            if line[0].isspace():
                _add(found, number, line)
                continue
            if found is not None:
                yield found
            found = _begun(number, line)
        except InvalidError as error:
            raise BooksFileError(path.name, f"{error}", line=number) from error
    if found is not None:
        yield found


def _begun(number: int, line: str) -> Directive:
    for kind, pattern in _HEADS.items():
        if head := pattern.fullmatch(line):
            return Directive(kind, number, head.groupdict())
    raise InvalidError(_REMEDY)


def _add(directive: Directive | None, number: int, line: str) -> None:
    """Add an indented line to the directive that it stands below."""
    if directive is None:
        raise InvalidError(_REMEDY)
    if directive.kind == "entry" and (posting := _POSTING.fullmatch(line)):
        directive.postings.append(Line(number, *posting.group("account", "amount", "of")))
        return
    meta = _META.fullmatch(line)
    if meta is None:
        raise InvalidError(_REMEDY)
    key = meta["key"]
    text = meta["number"] if meta["text"] is None else _text(meta["text"])
    if directive.postings:
        if key != "memo" or directive.postings[-1].memo is not None:
            raise InvalidError(_REMEDY)
        directive.postings[-1].memo = text
    elif key not in _KEYS[directive.kind] or key in directive.meta:
        raise InvalidError(_REMEDY)
    else:
        directive.meta[key] = text


def _text(string: str) -> str:
    text = unquoted(string)
    require_text("a text", text)
    return text


def _kept(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the base currency first, with the number of its line; then what is neither blank nor a comment."""
    lines = _lines(path)
    number, first = next(lines, (1, ""))
    mark = _FIRST_LINE.fullmatch(first)
    if mark is None or int(mark[1]) != FORM:
        reason = f"its form is {mark[1]}: a later version writes it" if mark else f"its first line is not {MARK}{FORM}"
        raise BooksFileError(path.name, reason, line=number)
    kept = ((at, line) for at, line in lines if line.strip() and not line.lstrip().startswith(";"))
    number, line = next(kept, (number + 1, ""))
    option = _OPTION.fullmatch(line)
    if option is None:
        raise BooksFileError(path.name, 'here it says option "operating_currency" and a currency', line=number)
    yield number, option[1][1:-1]
    yield from kept


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a file with their numbers, without what is blank at their ends."""
    number = 0
    try:
        with path.open(encoding="utf-8") as text:
            while line := text.readline(_LONGEST_LINE):
                number += 1
                if len(line) >= _LONGEST_LINE:
                    raise BooksFileError(path.name, "no export has a line of so many characters", line=number)
                yield number, line.rstrip()
    except OSError as error:
        raise BooksFileError(path.name, f"the file cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise BooksFileError(path.name, "the file is not UTF-8 from here on", line=number + 1) from error
