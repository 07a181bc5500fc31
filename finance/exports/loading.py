"""Post an exported journal again: the same entries, under the same ids, in an empty ledger."""

from __future__ import annotations

import contextlib
import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby, islice
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

from finance.errors import BooksFileError, ConflictError, InvalidError
from finance.exports.csv_file import COLUMNS
from finance.models import Account, AccountType, EntryKind, NewEntry, NewPosting
from finance.money import EXPONENT_MAX, iso_currencies
from finance.repositories import UNSET, Labels
from finance.unit_of_work import UnitOfWork

#: Entries that are posted by one statement, and that are in memory at a time.
_BATCH = 1000
#: Characters of a cell: the reader's own limit is less than a description may have, and without one a quotation mark
#: that is missing would read the whole file.
_LARGEST_CELL = 16 * 1024 * 1024

_AMOUNT = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?")
_IS_EMPTY = "SELECT NOT EXISTS (SELECT FROM journal_entries WHERE ledger_id = $1)"
_STORED = "SELECT id FROM journal_entries WHERE ledger_id = $1 AND id = ANY ($2::uuid[])"
_REVERSED = "SELECT reverses_id AS id FROM journal_entries WHERE ledger_id = $1 AND reverses_id = ANY ($2::uuid[])"

#: What an entry waits for: "entry" and the id of one that is stored, or "reversal" and the id of one that is reversed.
Need: TypeAlias = tuple[str, UUID]


@dataclass(frozen=True, slots=True)
class Loaded:
    """What loading a file did: the entries and postings that were posted, and the accounts that were opened."""

    entries: int
    postings: int
    accounts: int


class _Row(NamedTuple):
    """A row of the file as it is written, and the line that it ends on."""

    line: int
    entry_id: str
    date: str
    description: str
    reverses_id: str
    amends_id: str
    details: str
    payee: str
    tags: str
    account: str
    type: str
    currency: str
    decimals: str
    amount: str
    memo: str

    @property
    def of_entry(self) -> tuple[str, ...]:
        """What all rows of an entry have in common."""
        return self[1:9]


@dataclass(frozen=True, slots=True)
class _Read:
    """An entry with its labels, the line of the file that it ends on, and what it still waits for."""

    entry: NewEntry
    labels: Labels
    line: int
    needs: set[Need]


async def load_csv(uow: UnitOfWork, path: str | Path) -> Loaded:
    """Post what `csv_lines()` has written, in a ledger without entries; exporting that gives the same bytes again.

    Accounts and currencies are opened as they are met. Entries keep their ids, dates, descriptions, details, payees,
    tags, lines and memos, and the links to the entries that they reverse or amend. What the file does not carry is not
    restored: who recorded an entry and when, what a description was before, aliases of payees and tags, holds, limits,
    closed accounts and periods, statements, and accounts without postings. An adjustment that the database booked comes
    back as a normal entry.

    Raises:
        InvalidError: The ledger has entries.
        BooksFileError: The file cannot be read, or is no such export; says the line. Roll the unit of work back, as
            leaving its block by the error does.
        FinanceError: As `uow.journal.post_many()`.

    Database:
        For each 1,000 entries one INSERT and up to two SELECTs, and what `uow.journal.label_many()` takes; for each
        account two SELECTs and one INSERT, and as much for its currency. Memory for 1,000 entries, and for those that
        stand before an entry that they name.
    """
    path = Path(path)
    if not await uow.connection.fetchval(_IS_EMPTY, uow.ledger_id):
        raise InvalidError("this ledger has entries: an export is loaded into an empty one")
    reader, loader = _Reader(uow, path.name), _Loader(uow, path.name)
    groups = (list(rows) for _, rows in groupby(_rows(path), attrgetter("entry_id")))
    while batch := list(islice(groups, _BATCH)):
        await loader.post([await reader.read(rows) for rows in batch])
    return loader.finished(reader.opened)


class _Loader:
    """Posts entries, each when what it names is there."""

    def __init__(self, uow: UnitOfWork, file: str) -> None:
        self.file = file
        self._uow = uow
        self._waiting: dict[Need, list[_Read]] = {}
        self._entries = self._postings = 0

    async def post(self, batch: Sequence[_Read]) -> None:
        """Post those of *batch* that need not wait, then those that have waited for them, and so on.

        Raises:
            BooksFileError: An entry stands in the file twice, or is refused.
        """
        stored = await self._stored({need for each in batch for need in each.needs})
        ready = []
        for each in batch:
            each.needs.difference_update(stored)
            if each.needs:
                self._wait(each)
            else:
                ready.append(each)
        # Never together with what it names: the database takes no postings for an entry that is reversed already.
        while ready:
            await self._post(ready)
            ready = [each for some in ready for each in self._released(some.entry)]

    async def _post(self, ready: Sequence[_Read]) -> None:
        lines = {each.entry.id: each.line for each in ready}
        try:
            posted = await self._uow.journal.post_many([each.entry for each in ready])
        except (InvalidError, ConflictError) as error:
            line = lines.get(getattr(error, "entry_id", None) or UUID(int=0))
            raise BooksFileError(self.file, f"{error}", line=line) from error
        for answer in posted:
            if answer.is_replay:
                raise BooksFileError(self.file, f"entry {answer.id} stands in it twice", line=lines[answer.id])
        await self._uow.journal.label_many({each.entry.id: each.labels for each in ready if each.labels != Labels()})
        self._entries += len(ready)
        self._postings += sum(len(each.entry.postings) for each in ready)

    def finished(self, accounts: int) -> Loaded:
        """Return what was done.

        Raises:
            BooksFileError: An entry still waits for one that the file does not have.
        """
        for (what, entry_id), waiting in self._waiting.items():
            reason = f"it names entry {entry_id}, of which the file has no {what}"
            raise BooksFileError(self.file, reason, line=waiting[0].line)
        return Loaded(self._entries, self._postings, accounts)

    def _wait(self, read: _Read) -> None:
        for need in read.needs:
            self._waiting.setdefault(need, []).append(read)

    def _released(self, entry: NewEntry) -> Iterator[_Read]:
        """Yield what has waited for *entry*, and waits for nothing else."""
        for need in _provided(entry):
            for waiting in self._waiting.pop(need, ()):
                waiting.needs.discard(need)
                if not waiting.needs:
                    yield waiting

    async def _stored(self, needs: set[Need]) -> set[Need]:
        found: set[Need] = set()
        for what, query in (("entry", _STORED), ("reversal", _REVERSED)):
            if ids := [entry_id for kind, entry_id in needs if kind == what]:
                rows = await self._uow.connection.fetch(query, self._uow.ledger_id, ids)
                found |= {(what, row["id"]) for row in rows}
        return found


class _Reader:
    """Makes entries of rows, and opens the accounts that they are on."""

    def __init__(self, uow: UnitOfWork, file: str) -> None:
        self._uow = uow
        self._file = file
        self._accounts: dict[tuple[str, str, str, str], int] = {}
        self.opened = 0

    async def read(self, rows: Sequence[_Row]) -> _Read:
        """Return the entry that *rows* make, and what it waits for.

        Raises:
            BooksFileError: A cell is not what an export writes.
        """
        line = rows[-1].line
        try:
            entry, labels = _entry(rows, [await self._posting(row) for row in rows]), _labels(rows[0])
        except (_BadCellError, InvalidError) as error:
            raise BooksFileError(self._file, f"{error}", line=line) from error
        return _Read(entry, labels, line, _needs(entry))

    async def _posting(self, row: _Row) -> NewPosting:
        key = (row.account, row.type, row.currency, row.decimals)
        account_id = self._accounts.get(key)
        if account_id is None:
            account_id = self._accounts[key] = await self._account(row)
        if not _AMOUNT.fullmatch(row.amount):
            raise _BadCellError("amount", row.amount, "a number such as -1234.56")
        return NewPosting(account_id, row.amount, row.memo or None)

    async def _account(self, row: _Row) -> int:
        """Return the id of the account of *row*, and open it when there is none."""
        if row.type not in set(AccountType):
            raise _BadCellError("type", row.type, f"one of {', '.join(AccountType)}")
        await self._currency(row)
        found = await self._uow.accounts.get_by_name(row.account, row.currency)
        if found is None:
            found = await self._uow.accounts.add(Account(name=row.account, type=row.type, currency=row.currency))
            self.opened += 1
        elif found.type != row.type:
            raise InvalidError(f"account {row.account!r} is of type {found.type} in this ledger, and {row.type} here")
        return found.id

    async def _currency(self, row: _Row) -> None:
        """Have the currency of *row*, with as many decimals as it had."""
        if not row.decimals.isascii() or not row.decimals.isdecimal() or int(row.decimals) > EXPONENT_MAX:
            raise _BadCellError("decimals", row.decimals, f"a number from 0 to {EXPONENT_MAX}")
        exponent = int(row.decimals)
        currency = await self._uow.currencies.get(row.currency)
        if currency is None:
            iso = iso_currencies().get(row.currency)
            await self._uow.currencies.open(row.currency, exponent=exponent, name=iso.name if iso else None)
        elif currency.exponent < exponent:
            currency.exponent = exponent
            await self._uow.session.flush()


class _BadCellError(Exception):
    """A cell that no export has; a short quote of it, and what it should be."""

    def __init__(self, column: str, cell: str, wanted: str) -> None:
        super().__init__(f"{column} {cell[:40]!r} is not {wanted}")


def _entry(rows: Sequence[_Row], postings: Sequence[NewPosting]) -> NewEntry:
    first = rows[0]
    for row in rows:
        if row.of_entry != first.of_entry:
            raise InvalidError(
                f"a row of entry {first.entry_id[:40]!r} differs from the one before in what is the entry's"
            )
    reverses_id = _uuid("reverses_id", first.reverses_id) if first.reverses_id else None
    return NewEntry(
        _day(first.date),
        first.description,
        postings,
        id=_uuid("entry_id", first.entry_id),
        details=_details(first.details),
        kind=EntryKind.NORMAL if reverses_id is None else EntryKind.REVERSAL,
        reverses_id=reverses_id,
        amends_id=_uuid("amends_id", first.amends_id) if first.amends_id else None,
    )


def _labels(row: _Row) -> Labels:
    return Labels(row.payee or UNSET, _tags(row.tags) if row.tags else UNSET)


def _uuid(column: str, cell: str) -> UUID:
    with contextlib.suppress(ValueError):
        if str(found := UUID(cell)) == cell:
            return found
    raise _BadCellError(column, cell, "a UUID in small letters")


def _day(cell: str) -> date:
    with contextlib.suppress(ValueError):
        if (found := date.fromisoformat(cell)).isoformat() == cell:
            return found
    raise _BadCellError("date", cell, "a day such as 2026-12-31")


def _details(cell: str) -> Mapping[str, Any]:
    if not cell:
        return {}
    try:
        found = json.loads(cell)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise _BadCellError("details", cell, "a JSON object")
    return found


def _tags(cell: str) -> list[str]:
    try:
        found = json.loads(cell)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list) or not found or not all(isinstance(each, str) for each in found):
        raise _BadCellError("tags", cell, "a JSON array of names")
    return found


def _needs(entry: NewEntry) -> set[Need]:
    """Return what has to be stored before *entry*: what it reverses; what it amends, reversed."""
    needs: set[Need] = set()
    if entry.reverses_id is not None:
        needs.add(("entry", entry.reverses_id))
    if entry.amends_id is not None:
        needs |= {("entry", entry.amends_id), ("reversal", entry.amends_id)}
    return needs


def _provided(entry: NewEntry) -> Iterator[Need]:
    yield "entry", entry.id
    if entry.reverses_id is not None:
        yield "reversal", entry.reverses_id


def _rows(path: Path) -> Iterator[_Row]:
    """Yield the rows of the file behind its header.

    Raises:
        BooksFileError: It cannot be opened, is not UTF-8, or not such a table.
    """
    number = 0
    try:
        with path.open(encoding="utf-8", newline="") as text:
            rows = csv.reader(text, strict=True)
            csv.field_size_limit(max(csv.field_size_limit(), _LARGEST_CELL))
            if tuple(next(rows, ())) != COLUMNS:
                raise BooksFileError(path.name, f"its first row is not {','.join(COLUMNS)}", line=1)
            number = 1
            for cells in rows:
                number = rows.line_num
                if len(cells) != len(COLUMNS):
                    raise BooksFileError(path.name, f"{len(cells)} cells instead of {len(COLUMNS)}", line=number)
                yield _Row(number, *cells)
    except OSError as error:
        raise BooksFileError(path.name, f"the file cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise BooksFileError(path.name, "the file is not UTF-8 from here on", line=number + 1) from error
    except csv.Error as error:
        raise BooksFileError(path.name, f"this is no CSV: {error}", line=number + 1) from error
