"""Journals of ledger (https://ledger-cli.org/doc/ledger3.html), parsed by ledger itself.

`ledger register` with a format of ours says everything that a posting has, with exact quantities, whatever ledger
infers or an automated transaction adds. ledger checks balance assertions as it reads: a journal in which one does not
hold is refused, with what it says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from finance.errors import BooksFileError
from finance.foreign_books.books import BookEntry, BookPosting, Books
from finance.foreign_books.programs import run
from finance.foreign_books.values import day, number
from finance.models import NewPrice

_REMEDY = "install ledger 3.1 or later (apt install ledger, brew install ledger)"
#: Between the fields, and behind each posting: characters that no journal has.
_FIELD, _RECORD = "\x1f", "\x1e"
_DAY = '"%Y-%m-%d"'
_FIELDS = (
    "xact.filename",
    "xact.beg_line",
    f"format_date(xact.date, {_DAY})",
    f"format_date(date, {_DAY})",
    f'aux_date ? format_date(aux_date, {_DAY}) : ""',
    "code",
    "payee",
    "xact.note",
    "note",
    'cleared ? "*" : (pending ? "!" : "")',
    "account",
    'virtual ? "virtual" : ""',
    "quantity(amount)",
    "commodity(amount)",
    "quantity(cost)",
    "commodity(cost)",
)
_PRICES = (f"format_date(date, {_DAY})", "account", "quantity(amount)", "commodity(amount)")
_PLACE = re.compile(r'While parsing file "(?P<file>[^"]+)", line (?P<line>[0-9]+)')


class _Line(NamedTuple):
    """A posting as ledger writes it, in the order of `_FIELDS`."""

    file: str
    line: str
    date: str
    own_date: str
    aux_date: str
    code: str
    payee: str
    entry_note: str
    note: str
    status: str
    account: str
    virtual: str
    amount: str
    currency: str
    cost: str
    cost_currency: str


def read_ledger(path: Path, *, timeout: float) -> Books:
    """Have ledger read the journal at *path*, with what it includes.

    Raises:
        ProgramMissingError: ledger is not installed.
        BooksFileError: ledger complains about the journal, or takes too long.
    """
    lines = [_Line(*fields) for fields in _ask(path, timeout, "register", "--format", _FIELDS)]
    entries = (list(some) for _, some in groupby(lines, lambda line: (line.file, line.line)))
    own = sum(line.own_date != line.date for line in lines)
    return Books(
        path.name,
        "ledger",
        entries=tuple(_entry(some) for some in entries),
        prices=tuple(_prices(_ask(path, timeout, "prices", "--prices-format", _PRICES), path.name)),
        remarks=(f"postings that have another date than their entry, booked on the entry's: {own}",) if own else (),
    )


def _ask(path: Path, timeout: float, command: str, option: str, fields: Sequence[str]) -> Iterator[list[str]]:
    """Run a command on the journal, and yield the fields of what it writes.

    Raises:
        BooksFileError: ledger complains, or writes something else.
    """
    format_ = _FIELD.join(f"%({field})" for field in fields) + _RECORD
    # Without the user's own options and environment; the path is absolute, so that it is no option.
    arguments = ["ledger", "--args-only", "-f", str(path.absolute()), command, option, format_]
    ran = run(arguments, file=path.name, timeout=timeout, remedy=_REMEDY)
    if ran.status != 0:
        raise _complaint(ran.complaints, path.name)
    *records, rest = ran.output.split(_RECORD)
    for record in records:
        found = record.removeprefix("\n").split(_FIELD)
        if len(found) != len(fields):
            raise BooksFileError(path.name, "ledger writes it in a way that is not understood")
        yield found
    if rest.strip():
        raise BooksFileError(path.name, "ledger writes it in a way that is not understood")


def _complaint(text: str, file: str) -> BooksFileError:
    """Return what ledger says: the innermost place, and the line that begins with "Error:"."""
    places = list(_PLACE.finditer(text))
    place = places[-1] if places else None
    errors = [line.removeprefix("Error: ") for line in text.splitlines() if line.startswith("Error: ")]
    reason = errors[0][:200] if errors else "it says nothing"
    name = Path(place["file"]).name if place else file
    return BooksFileError(name, f"ledger: {reason}", line=int(place["line"]) if place else None)


def _entry(lines: Sequence[_Line]) -> BookEntry:
    first = lines[0]
    file, line = Path(first.file).name, int(first.line)
    words = {
        "status": first.status,
        "code": first.code,
        "date2": first.aux_date,
        "comment": first.entry_note.strip(),
    }
    return BookEntry(
        day(first.date, file, line),
        first.payee,
        tuple(_posting(each, file, line) for each in lines),
        file,
        line,
        details={key: value for key, value in words.items() if value},
        payee=first.payee.strip() or None,
    )


def _posting(each: _Line, file: str, line: int) -> BookPosting:
    amount, cost = number(each.amount, file, line), number(each.cost, file, line)
    currency, cost_currency = each.currency.strip('"'), each.cost_currency.strip('"')
    # ledger says the note of the entry behind that of the posting.
    memo = each.note.removesuffix(each.entry_note).strip() or None
    is_virtual = each.virtual == "virtual"
    if currency == cost_currency:
        return BookPosting(each.account, amount, currency, memo=memo, is_virtual=is_virtual)
    lot = {"total": f"{cost.copy_abs():f} {cost_currency}"}
    return BookPosting(each.account, amount, currency, cost, cost_currency, memo, is_virtual, lot)


def _prices(rows: Iterator[list[str]], file: str) -> Iterator[NewPrice]:
    for on, quoted, rate, quoted_quote in rows:
        value, currency, quote = number(rate, file), quoted.strip('"'), quoted_quote.strip('"')
        if value > 0 and currency and quote and currency != quote:
            yield NewPrice(currency, value, quote, day(on, file), "ledger")
