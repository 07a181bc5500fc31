"""Journals of beancount (https://beancount.github.io/docs/beancount_language_syntax.html), loaded by beancount itself.

beancount is under the GPL: it runs as a process of a Python that has it, and is never imported here. The language lets
a journal name plugins, which are code that beancount runs: load journals of people that you trust.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from decimal import Context, Decimal
from pathlib import Path
from typing import Any, NamedTuple

from finance.errors import BooksFileError, InvalidError, ProgramMissingError
from finance.foreign_books.books import (
    BookAccount,
    BookAssertion,
    BookCommodity,
    BookEntry,
    BookPosting,
    Books,
)
from finance.foreign_books.programs import run
from finance.foreign_books.values import day, number
from finance.models import AccountType, NewPrice
from finance.money import EXPONENT_MAX

_REMEDY = "pip install beancount, in the environment of finance or in one whose bean-check is on the PATH"
_DUMP = Path(__file__).with_name("beancount_dump.py")
_WIDE, _SMALLEST = Context(prec=140), Decimal(1).scaleb(-EXPONENT_MAX)
#: In the order of beancount's own options.
_TYPES = (
    AccountType.ASSET,
    AccountType.LIABILITY,
    AccountType.EQUITY,
    AccountType.INCOME,
    AccountType.EXPENSE,
)


def read_beancount(path: Path, *, timeout: float) -> Books:
    """Have beancount load the journal at *path*, with what it includes.

    A balance directive that does not hold is kept as an assertion; everything else that beancount complains about
    refuses the file.

    Raises:
        ProgramMissingError: No Python with beancount was found.
        BooksFileError: beancount complains about the journal, or takes too long.
    """
    # Its own cache would be a file beside the journal.
    ran = run(
        [*_python(), str(_DUMP), str(path.absolute())],
        file=path.name,
        timeout=timeout,
        remedy=_REMEDY,
        environment={"BEANCOUNT_DISABLE_LOAD_CACHE": "1"},
    )
    if ran.status != 0:
        last = ran.complaints.strip().rsplit("\n", 1)[-1]
        raise BooksFileError(path.name, f"beancount has failed: {last[:200]}")
    reading = _Reading(path.name)
    for row in map(json.loads, ran.output.splitlines()):
        reading.take(row)
    return reading.finished()


def _python() -> list[str]:
    """Return how to start a Python that has beancount: this one, or that of the bean-check on the PATH.

    Raises:
        ProgramMissingError: There is none.
    """
    if importlib.util.find_spec("beancount") is not None:
        return [sys.executable, "-E"]
    if (script := shutil.which("bean-check")) is not None:
        with Path(script).open("rb") as file:
            first = file.readline(500)
        if first.startswith(b"#!/") and b"python" in first:
            return [*first[2:].decode().split()[:1], "-E"]
    raise ProgramMissingError("beancount", _REMEDY)


class _Reading:
    """What was read so far of what beancount_dump writes: one row after another."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._types: Mapping[str, AccountType] = {}
        self._base_currency: str | None = None
        self._commodities: list[BookCommodity] = []
        self._accounts: dict[str, BookAccount] = {}
        self._entries: list[BookEntry] = []
        self._prices: list[NewPrice] = []
        self._assertions: list[BookAssertion] = []
        self._errors: list[BooksFileError] = []
        self._others: Counter[str] = Counter()
        self._takers: Mapping[str, Callable[[_Row], None]] = {
            "options": self._options,
            "unbalanced": lambda _: None,  # an assertion, which is compared with the books once they are loaded
            "error": self._error,
            "entry": lambda row: self._entries.append(_entry(row)),
            "price": self._price,
            "balance": lambda row: self._assertions.append(_assertion(row)),
            "open": self._open,
            "close": self._close,
            "commodity": lambda row: self._commodities.append(_commodity(row)),
            "other": self._other,
        }

    def take(self, said: Mapping[str, Any]) -> None:
        """Take a line of what beancount_dump has written."""
        file = said.get("file")
        # What its plugins make up is of the journal.
        name = Path(file).name if file and not file.startswith("<") else self._file
        self._takers[said["kind"]](_Row(name, said.get("line") or None, said))

    def finished(self) -> Books:
        """Return the books.

        Raises:
            BooksFileError: beancount has complained; the first complaint, and how many more there are.
        """
        if self._errors:
            first, more = self._errors[0], len(self._errors) - 1
            reason = f"{first.reason} (and {more} more; bean-check lists them)" if more else first.reason
            raise BooksFileError(first.file, reason, line=first.line)
        kinds = ", ".join(f"{count} {kind.lower()}" for kind, count in sorted(self._others.items()))
        return Books(
            self._file,
            "beancount",
            tuple(self._commodities),
            tuple(self._accounts.values()),
            tuple(self._entries),
            tuple(self._prices),
            tuple(self._assertions),
            self._base_currency,
            (f"directives that have no place in the books, left out: {kinds}",) if kinds else (),
        )

    def _options(self, row: _Row) -> None:
        self._types = dict(zip(row.said["roots"], _TYPES, strict=True))
        self._base_currency = next(iter(row.said["operating"]), None)

    def _error(self, row: _Row) -> None:
        reason = " ".join(row.said["message"].split())[:200]
        self._errors.append(BooksFileError(row.file, f"beancount: {reason}", line=row.line))

    def _price(self, row: _Row) -> None:
        value = row.number(row.said)
        if value <= 0:
            self._others["price of nothing"] += 1
            return
        try:
            self._prices.append(NewPrice(row.said["currency"], value, row.said["in"], row.on, "beancount"))
        except InvalidError as error:
            raise BooksFileError(row.file, f"{error}", line=row.line) from error

    def _open(self, row: _Row) -> None:
        name = row.said["account"]
        type_ = self._types.get(name.split(":", 1)[0])
        currencies = tuple(row.said["currencies"])
        self._accounts[name] = BookAccount(name, type_, currencies, row.on, details=row.said["meta"])

    def _close(self, row: _Row) -> None:
        if (known := self._accounts.get(row.said["account"])) is not None:
            self._accounts[known.name] = replace(known, closed_on=row.on)

    def _other(self, row: _Row) -> None:
        self._others[row.said["what"]] += 1


class _Row(NamedTuple):
    """What a directive says, and where."""

    file: str
    line: int | None
    said: Mapping[str, Any]

    @property
    def on(self) -> date:
        """Its day."""
        return day(self.said["on"], self.file, self.line)

    def number(self, said: Mapping[str, Any]) -> Decimal:
        """Return the number of an amount in it."""
        return number(said["number"], self.file, self.line)


def _entry(row: _Row) -> BookEntry:
    said = row.said
    payee, narration = said["payee"], said["narration"]
    words = {key: said[key] for key in ("tags", "links", "meta") if said[key]}
    if said["flag"] != "*":
        words["flag"] = said["flag"]
    if payee:
        words |= {"payee": payee, "narration": narration}
    description = " | ".join(filter(None, (payee, narration)))
    postings = tuple(_posting(row, each) for each in said["postings"])
    return BookEntry(
        row.on, description, postings, row.file, row.line, details=words, payee=payee or None, tags=tuple(said["tags"])
    )


def _posting(row: _Row, said: Mapping[str, Any]) -> BookPosting:
    memo = ", ".join(f"{key}: {value}" for key, value in said["meta"].items()) or None
    amount, weight = row.number(said), said.get("weight")
    if said.get("computed"):
        amount = _rounded(amount)
    if weight is None:
        return BookPosting(said["account"], amount, said["in"], memo=memo)
    return BookPosting(said["account"], amount, said["in"], row.number(weight), weight["in"], memo, lot=said["lot"])


def _rounded(amount: Decimal) -> Decimal:
    """Return an amount that beancount has computed, with as many decimals as amounts can have.

    It divides with 28 digits: what is paid for 3 {{100.00 USD}} is 99.99999999999999999999999999 USD there. What is
    rounded away is a residual of the entry.
    """
    return _WIDE.quantize(amount, _SMALLEST) if -int(amount.as_tuple().exponent) > EXPONENT_MAX else amount


def _assertion(row: _Row) -> BookAssertion:
    said = row.said
    return BookAssertion(
        said["account"],
        said["in"],
        row.number(said),
        row.on - timedelta(days=1),  # beancount looks before the day begins
        row.file,
        row.line,
        tolerance=number(said["tolerance"], row.file, row.line),
        with_children=True,
    )


def _commodity(row: _Row) -> BookCommodity:
    name = row.said["meta"].get("name")
    return BookCommodity(row.said["currency"], name if isinstance(name, str) else None)
