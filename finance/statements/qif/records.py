"""The records of a QIF file: lines of one letter and a text, up to a line `^`, in sections that begin with `!`.

There is no specification that all follow. This goes by Intuit's description of 2005 ("QIF technical format"), and by
what Quicken, Microsoft Money, GnuCash and banks write.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from finance.statements.decoding import lines_of
from finance.statements.flaw import FlawError, shown

#: Sections of accounts with lines of money, and the kind that the importer knows them by.
CASH = {
    "bank": "CHECKING",
    "cash": "CASH",
    "ccard": "CREDITCARD",
    "oth a": "OTHERASSET",
    "oth l": "OTHERLIABILITY",
}
SECURITIES = {"invst": "INVESTMENT", "port": "INVESTMENT", "401(k)/403(b)": "INVESTMENT"}
#: Sections that hold no lines of an account.
_LISTS = frozenset(
    ("cat", "class", "memorized", "security", "prices", "budget", "tag", "template", "payee", "envelope")
)
#: More fields are refused; ten of them are a long record, and each takes half a kilobyte with what is made of it.
MOST_FIELDS = 1_500_000


@dataclass(slots=True)
class Record:
    """One record: the line of the file that it begins on, and its fields in their order."""

    line: int
    fields: list[tuple[str, str, int]] = field(default_factory=list)

    def value(self, code: str) -> tuple[str, int] | None:
        """Return the text of the first field *code* that has one, and its line.

        Raises:
            FlawError: It is there twice, as when the `^` between two records is lost.
        """
        found = [(text, line) for name, text, line in self.fields if name == code]
        if len(found) > 1 and code in "DTU":
            raise FlawError(f"the record has {code} twice; is the ^ before it missing?", found[1][1])
        return next(((text, line) for text, line in found if text), None)

    def text(self, code: str) -> str | None:
        """Return the text of the first field *code* that has one."""
        found = self.value(code)
        return found[0] if found else None


@dataclass(slots=True)
class Section:
    """The records below `!Type:`, its kind in lower case, and the name of the account before it, if there is one."""

    line: int
    kind: str
    account: str | None
    records: list[Record] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Contents:
    """The sections with lines of an account, and the order of dates where `!Option:MDY` or `DMY` states it."""

    sections: tuple[Section, ...]
    date_order: str | None


def contents_of(text: str) -> Contents:
    """Take *text* apart. Lists of categories, prices and so on are left out.

    Raises:
        FlawError: A record is cut off, stands in no section, or the section is of an unknown kind; or there are more
            than `MOST_FIELDS`, which are counted before anything is kept.
    """
    if text.count("\n") >= MOST_FIELDS:
        _check_size(text)
    parser = _Parser()
    for number, line in enumerate(lines_of(text), start=1):
        parser.feed(line.strip(), number)
    return parser.end()


def _check_size(text: str) -> None:
    count, is_list = 0, False
    for number, line in enumerate(lines_of(text), start=1):
        bare = line.strip()
        if bare.startswith("!"):
            is_list = _split(bare[1:])[1] in _LISTS
        else:
            count += not is_list and bare not in ("", "^")
        if count > MOST_FIELDS:
            raise FlawError(f"the file has more than {MOST_FIELDS:,} fields; export a shorter period", number)


def _split(head: str) -> tuple[str, str]:
    """Return the word of a header and the kind behind its colon, both in lower case."""
    word, _, kind = head.lower().partition(":")
    return word.strip(), " ".join(kind.split())


class _Parser:
    def __init__(self) -> None:
        self._sections: list[Section] = []
        self._records: list[Record] | None = None  # None: before the first section, or in a list
        self._is_list = False
        self._record: Record | None = None
        self._accounts: list[Record] = []
        self._order: str | None = None

    def feed(self, line: str, number: int) -> None:
        """Take the next line."""
        if line.startswith("!"):
            self._head(line[1:].strip(), number)
        elif line == "^":
            self._close()
        elif line and not self._is_list:
            self._field(line, number)

    def end(self) -> Contents:
        """Return what was read.

        Raises:
            FlawError: The last record has no end.
        """
        self._check_closed()
        self._check_accounts()
        return Contents(tuple(section for section in self._sections if section.records), self._order)

    def _head(self, head: str, number: int) -> None:
        self._check_closed()
        self._check_accounts()
        word, kind = _split(head)
        if word == "account":
            self._accounts = []
            self._records, self._is_list = self._accounts, False
        elif word == "type":
            self._begin(kind, number)
        elif word == "option" and kind in ("mdy", "dmy"):
            self._order = kind
        elif word not in ("option", "clear"):
            raise FlawError(f"{shown('!' + head)} is no section of a QIF file that is known", number)

    def _begin(self, kind: str, number: int) -> None:
        self._is_list = kind in _LISTS
        if self._is_list:
            self._records = None
            return
        if kind not in CASH and kind not in SECURITIES:
            raise FlawError(f"a section {shown('!Type:' + kind)} is not known", number)
        # One record names the account of what follows; several are a list of accounts.
        name = self._accounts[0].text("N") if len(self._accounts) == 1 else None
        self._accounts = []
        if self._sections and not self._sections[-1].records:
            self._sections.pop()
        section = Section(number, kind, name)
        self._sections.append(section)
        self._records = section.records

    def _field(self, line: str, number: int) -> None:
        if self._records is None:
            raise FlawError("a record stands before the first section, such as !Type:Bank", number)
        if self._record is None:
            self._record = Record(number)
        # X marks what Quicken for Windows added; the letter behind it says what.
        width = 2 if line[0] == "X" and len(line) > 1 else 1
        self._record.fields.append((line[:width], line[width:].strip(), number))

    def _close(self) -> None:
        if self._records is not None and self._record is not None:
            self._records.append(self._record)
        self._record = None

    def _check_closed(self) -> None:
        if self._record is not None:
            raise FlawError("the record that begins here has no end (^); the file was cut off", self._record.line)

    def _check_accounts(self) -> None:
        for account in self._accounts:
            if account.text("N") is None:
                raise FlawError("a record below !Account has no name (N); is a !Type: before it missing?", account.line)


def raw_of(record: Record) -> dict[str, str]:
    """Return the fields of *record* by their letters: `"A[2]"` if repeated, `"SPLIT[2].S"` in the second split."""
    found: dict[str, str] = {}
    seen: Counter[str] = Counter()
    for key, text in _keyed(record):
        seen[key] += 1
        found[key if seen[key] == 1 else f"{key}[{seen[key]}]"] = text
    return found


def _keyed(record: Record) -> Iterator[tuple[str, str]]:
    split = 0
    for code, text, _ in record.fields:
        split += code == "S"
        inside = f"SPLIT[{split}]." if split > 1 else "SPLIT."
        yield (inside + code if split and code in ("S", "E", "$", "%") else code), text
