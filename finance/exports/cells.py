"""A posting of an export as it is written there, and the entry that some of them make."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from finance.errors import BooksFileError, InvalidError
from finance.exports.posting import Read
from finance.models import EntryKind, NewEntry, NewPosting
from finance.money import EXPONENT_MAX, decimals
from finance.repositories import UNSET, Labels

_AMOUNT = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?")


class BadCellError(InvalidError):
    """A cell that no export has; a short quote of it, and what it should be."""

    def __init__(self, column: str, cell: object, wanted: str) -> None:
        super().__init__(f"{column} {str(cell)[:40]!r} is not {wanted}")


class Row(NamedTuple):
    """A posting with its entry and its account as they are written, and the line of the file that it ends on.

    An empty text stands for what is not there, but for the memo.
    """

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
    memo: str | None

    @property
    def of_entry(self) -> tuple[object, ...]:
        """What all rows of an entry have in common."""
        return self[1:9]


def read_entry(rows: Sequence[Row], account_ids: Sequence[int], file: str) -> Read:
    """Return the entry that *rows* make, on these accounts.

    Raises:
        BooksFileError: A cell is not what an export writes.
    """
    try:
        postings = [_posting(row, account_id) for row, account_id in zip(rows, account_ids, strict=True)]
        labels = Labels(rows[0].payee or UNSET, names_of("tags", rows[0].tags) if rows[0].tags else UNSET)
        return Read(_entry(rows, postings), labels, rows[-1].line)
    except InvalidError as error:
        raise BooksFileError(file, f"{error}", line=rows[-1].line) from error


def amount_of(column: str, cell: object) -> str:
    """Return the number that *cell* says, as it is written."""
    if not isinstance(cell, str) or not _AMOUNT.fullmatch(cell):
        raise BadCellError(column, cell, "a number such as -1234.56")
    return cell


def decimals_of(cell: str) -> int:
    """Return how many decimals a currency has."""
    if not cell.isascii() or not cell.isdecimal() or len(cell) > len(str(EXPONENT_MAX)) or int(cell) > EXPONENT_MAX:
        raise BadCellError("decimals", cell, f"a number from 0 to {EXPONENT_MAX}")
    return int(cell)


def day_of(column: str, cell: object) -> date:
    """Return the day that *cell* says."""
    with contextlib.suppress(TypeError, ValueError):
        if (found := date.fromisoformat(cell)).isoformat() == cell:  # type: ignore[arg-type] # or it raises
            return found
    raise BadCellError(column, cell, "a day such as 2026-12-31")


def object_of(column: str, cell: str) -> dict[str, Any]:
    """Return the JSON object that *cell* says."""
    found = _json(cell)
    if not isinstance(found, dict):
        raise BadCellError(column, cell, "a JSON object")
    return found


def names_of(column: str, cell: str) -> list[str]:
    """Return the names that *cell* says, a JSON array of at least one."""
    found = _json(cell)
    if not isinstance(found, list) or not found or not all(isinstance(each, str) for each in found):
        raise BadCellError(column, cell, "a JSON array of names")
    return found


def _posting(row: Row, account_id: int) -> NewPosting:
    posting = NewPosting(account_id, amount_of("amount", row.amount), row.memo)
    if decimals(posting.value) > int(row.decimals):  # the books would refuse it, but without saying which entry
        raise BadCellError("amount", row.amount, f"of {row.decimals} decimals, as {row.currency} has them")
    return posting


def _entry(rows: Sequence[Row], postings: Sequence[NewPosting]) -> NewEntry:
    first = rows[0]
    for row in rows:
        if row.of_entry != first.of_entry:
            raise InvalidError(
                f"a row of entry {first.entry_id[:40]!r} differs from the one before in what is the entry's"
            )
    reverses_id = _uuid("reverses_id", first.reverses_id) if first.reverses_id else None
    return NewEntry(
        day_of("date", first.date),
        first.description,
        postings,
        id=_uuid("entry_id", first.entry_id),
        details=object_of("details", first.details) if first.details else {},
        kind=EntryKind.NORMAL if reverses_id is None else EntryKind.REVERSAL,
        reverses_id=reverses_id,
        amends_id=_uuid("amends_id", first.amends_id) if first.amends_id else None,
    )


def _uuid(column: str, cell: str) -> UUID:
    with contextlib.suppress(ValueError):
        if str(found := UUID(cell)) == cell:
            return found
    raise BadCellError(column, cell, "a UUID in small letters")


def _json(cell: str) -> Any:
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        return None
