"""GnuCash's file of SQLite (https://wiki.gnucash.org/wiki/SQL), opened for reading only."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from finance.errors import BooksFileError
from finance.foreign_books.books import Books
from finance.foreign_books.gnucash.records import (
    AccountRecord,
    BooksOfGnuCash,
    CommodityRecord,
    PriceRecord,
    SplitRecord,
    TransactionRecord,
)

SIGNATURE = b"SQLite format 3\x00"

_TABLES = ("accounts", "books", "commodities", "prices", "slots", "splits", "transactions")
_KINDS = f"SELECT name, type FROM sqlite_master WHERE name IN ({','.join('?' * len(_TABLES))})"  # noqa: S608
_COMMODITIES = (
    "SELECT guid, namespace, mnemonic, fullname, fraction FROM commodities ORDER BY namespace, mnemonic, guid"
)
_ACCOUNTS = """
SELECT guid, name, account_type, commodity_guid, parent_guid, code, description, hidden, placeholder
  FROM accounts ORDER BY name, guid
"""
_TEMPLATES = "SELECT root_template_guid FROM books"
_TRANSACTIONS = "SELECT guid, currency_guid, num, post_date, description FROM transactions ORDER BY post_date, guid"
_SPLITS = """
SELECT tx_guid, account_guid, value_num, value_denom, quantity_num, quantity_denom, memo, action
  FROM splits ORDER BY tx_guid, guid
"""
_PRICES = "SELECT commodity_guid, currency_guid, date, value_num, value_denom, source FROM prices ORDER BY date, guid"
_DATES = "SELECT obj_guid, gdate_val FROM slots WHERE name = 'date-posted' AND gdate_val IS NOT NULL"
_NOTES = "SELECT obj_guid, string_val FROM slots WHERE name = 'notes' AND string_val IS NOT NULL"

#: The time of a day that new files have.
_NEUTRAL = "105900"
#: Steps of SQLite's machine between two looks at the clock.
_STEPS = 100_000


def read_sqlite(path: Path, *, timeout: float) -> Books:
    """Read the books in the file at *path*, which is not changed, nor anything beside it.

    Raises:
        BooksFileError: It is damaged, no file of GnuCash, or takes too long; or a change to it was not finished, of
            which a file beside it tells.
    """
    for ending in ("-journal", "-wal"):
        beside = path.with_name(path.name + ending)
        if beside.exists() and beside.stat().st_size:
            raise BooksFileError(
                path.name, f"{beside.name!r} beside it has what was not finished: open it in GnuCash and close it again"
            )
    try:
        with contextlib.closing(_opened(path, timeout)) as connection:
            return _read(connection, path.name)
    except sqlite3.Error as error:
        raise BooksFileError(path.name, f"SQLite cannot read it: {error}") from error
    except (TypeError, ValueError, OverflowError) as error:
        raise BooksFileError(path.name, "a cell holds what GnuCash does not write there") from error


def _opened(path: Path, timeout: float) -> sqlite3.Connection:
    # Immutable: SQLite would otherwise look for a journal beside it, and play that back.
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
    deadline = time.monotonic() + timeout
    connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def _read(connection: sqlite3.Connection, file: str) -> Books:
    # A view of that name could compute for ever.
    tables = {name for name, kind in connection.execute(_KINDS, _TABLES) if kind == "table"}
    if missing := sorted(set(_TABLES) - tables):
        raise BooksFileError(file, f"this is an SQLite database, but not GnuCash's: it has no table {missing[0]!r}")
    commodities = (CommodityRecord(*row) for row in connection.execute(_COMMODITIES))
    templates = {guid for (guid,) in connection.execute(_TEMPLATES)}
    notes: dict[str, str] = dict(connection.execute(_NOTES))
    accounts = (_account(row, notes) for row in connection.execute(_ACCOUNTS))
    books = BooksOfGnuCash(file, commodities, accounts, templates)
    prices = (
        PriceRecord(commodity, currency, _day(on, file), (numerator, denominator), source or "")
        for commodity, currency, on, numerator, denominator, source in connection.execute(_PRICES)
    )
    return books.finished(_transactions(connection, notes, file), prices)


def _account(row: Any, notes: dict[str, str]) -> AccountRecord:
    guid, name, type_, commodity, parent, code, description, hidden, placeholder = row
    words = {
        "guid": guid,
        "code": code,
        "description": description,
        "hidden": bool(hidden),
        "placeholder": bool(placeholder),
        "notes": notes.get(guid),
        "gnucash_type": type_,
    }
    return AccountRecord(guid, name, type_, commodity, parent, {key: value for key, value in words.items() if value})


def _transactions(connection: sqlite3.Connection, notes: dict[str, str], file: str) -> Iterator[TransactionRecord]:
    columns = {name for _, name, *_ in connection.execute("PRAGMA table_info(slots)")}
    dates: dict[str, str] = (
        dict(connection.execute(_DATES)) if "gdate_val" in columns else {}
    )  # not in the oldest files
    splits: dict[str, list[SplitRecord]] = defaultdict(list)
    for transaction, account, value, value_of, quantity, quantity_of, memo, action in connection.execute(_SPLITS):
        splits[transaction].append(
            SplitRecord(account, (value, value_of), (quantity, quantity_of), memo or "", action or "")
        )
    for guid, currency, number, posted, description in connection.execute(_TRANSACTIONS):
        # 10:59 in UTC is the same day everywhere; of another instant the day was kept beside it.
        stated = None if _digits(posted).endswith(_NEUTRAL) else dates.get(guid)
        on = _day(posted, file) if stated is None else _day(f"{stated}000000", file)
        words = {"number": number, "notes": notes.get(guid)}
        details = {key: value for key, value in words.items() if value}
        yield TransactionRecord(guid, currency, on, description or "", splits.pop(guid, []), details)
    if splits:
        raise BooksFileError(file, f"splits belong to {len(splits)} transactions that are not there")


def _day(instant: str | None, file: str) -> date:
    """Return the day of an instant, in UTC and as 20141129230000 or 2014-11-29 23:00:00.

    New files have 10:59 of the day. Old ones have its beginning where they were written, in Central Europe an hour or
    two before midnight: the nearest one counts.
    """
    try:
        found = datetime.strptime(_digits(instant), "%Y%m%d%H%M%S")  # noqa: DTZ007 - it is in UTC, and a day is wanted
        return (found + timedelta(hours=12)).date()
    except (ValueError, OverflowError) as error:
        raise BooksFileError(file, f"{str(instant)[:40]!r} is no date of GnuCash") from error


def _digits(instant: str | None) -> str:
    return "".join(character for character in instant or "" if character.isdecimal())
