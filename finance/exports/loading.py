"""Post a journal that was exported as CSV: the same entries, under the same ids, in an empty ledger."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from itertools import groupby, islice
from operator import attrgetter
from pathlib import Path

from finance.errors import BooksFileError, InvalidError
from finance.exports.cells import BadCellError, Row, decimals_of, read_entry
from finance.exports.csv_file import COLUMNS
from finance.exports.posting import BATCH, Loaded, Loader
from finance.models import Account, AccountType
from finance.money import iso_currencies
from finance.unit_of_work import UnitOfWork

_BATCH = BATCH
#: Characters of a cell: the reader's own limit is less than a description may have, and without one a quotation mark
#: that is missing would read the whole file.
_LARGEST_CELL = 16 * 1024 * 1024

_IS_EMPTY = "SELECT NOT EXISTS (SELECT FROM journal_entries WHERE ledger_id = $1)"


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
    accounts, loader = _Accounts(uow, path.name), Loader(uow, path.name)
    groups = (list(rows) for _, rows in groupby(_rows(path), attrgetter("entry_id")))
    while batch := list(islice(groups, _BATCH)):
        await loader.post([read_entry(rows, await accounts.ids_of(rows), path.name) for rows in batch])
    return loader.finished(accounts.opened)


class _Accounts:
    """The accounts that rows are on, opened as they are met."""

    def __init__(self, uow: UnitOfWork, file: str) -> None:
        self._uow = uow
        self._file = file
        self._ids: dict[tuple[str, str, str, str], int] = {}
        self.opened = 0

    async def ids_of(self, rows: Sequence[Row]) -> list[int]:
        """Return the ids of the accounts of an entry's *rows*, and open those that are missing.

        Raises:
            BooksFileError: There can be no such account, or none of this type.
        """
        try:
            return [await self._id_of(row) for row in rows]
        except InvalidError as error:
            raise BooksFileError(self._file, f"{error}", line=rows[-1].line) from error

    async def _id_of(self, row: Row) -> int:
        key = (row.account, row.type, row.currency, row.decimals)
        account_id = self._ids.get(key)
        if account_id is None:
            account_id = self._ids[key] = await self._account(row)
        return account_id

    async def _account(self, row: Row) -> int:
        if row.type not in set(AccountType):
            raise BadCellError("type", row.type, f"one of {', '.join(AccountType)}")
        await self._currency(row)
        found = await self._uow.accounts.get_by_name(row.account, row.currency)
        if found is None:
            found = await self._uow.accounts.add(Account(name=row.account, type=row.type, currency=row.currency))
            self.opened += 1
        elif found.type != row.type:
            raise InvalidError(f"account {row.account!r} is of type {found.type} in this ledger, and {row.type} here")
        return found.id

    async def _currency(self, row: Row) -> None:
        """Have the currency of *row*, with as many decimals as it had."""
        exponent = decimals_of(row.decimals)
        currency = await self._uow.currencies.get(row.currency)
        if currency is None:
            iso = iso_currencies().get(row.currency)
            await self._uow.currencies.open(row.currency, exponent=exponent, name=iso.name if iso else None)
        elif currency.exponent < exponent:
            currency.exponent = exponent
            await self._uow.session.flush()


def _rows(path: Path) -> Iterator[Row]:
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
                yield Row._make((number, *cells[:-1], cells[-1] or None))
    except OSError as error:
        raise BooksFileError(path.name, f"the file cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise BooksFileError(path.name, "the file is not UTF-8 from here on", line=number + 1) from error
    except csv.Error as error:
        raise BooksFileError(path.name, f"this is no CSV: {error}", line=number + 1) from error
