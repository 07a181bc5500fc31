"""The journal as CSV (RFC 4180, UTF-8): one row a posting, everything that `load_csv()` needs to post it again."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Sequence

from finance.connection import Record
from finance.exports.rows import ExportedAccount, read_accounts, read_rows
from finance.exports.texts import canonical, tags_text
from finance.unit_of_work import UnitOfWork

#: The first row. `decimals` are those of the currency, `tags` a JSON array of names; an empty cell stands for what is
#: not there.
COLUMNS = (
    "entry_id", "date", "description", "reverses_id", "amends_id", "details", "payee", "tags",
    "account", "type", "currency", "decimals", "amount", "memo",
)  # fmt: skip


async def csv_lines(uow: UnitOfWork) -> AsyncIterator[str]:
    """Yield the journal as CSV, in pieces of whole rows: the header first, then up to 1,000 postings at a time.

    Rows are in order of date, entry id and line; those of an entry stand together, in the order of their lines. Amounts
    are exact, with the decimals that are stored. Lines end with CR and LF: write them to a file in binary, or that was
    opened with `newline=""`.

    Raises:
        UsageError: The unit of work is under "read_committed"; open it with `isolation="repeatable_read"`.

    Database:
        Two SELECTs, and one along an index through a cursor; no locks; memory for the accounts and 1,000 postings.
    """
    accounts = await read_accounts(uow)
    yield _written([COLUMNS])
    async for rows in read_rows(uow):
        yield _written([_row(row, accounts[row["account_id"]]) for row in rows])


def _row(row: Record, account: ExportedAccount) -> Sequence[object]:
    return (
        row["id"],
        row["date"].isoformat(),
        row["description"],
        row["reverses_id"],
        row["amends_id"],
        "" if row["details"] == "{}" else canonical(row["details"], f"entry {row['id']}"),
        row["payee"],
        tags_text(row["tags"] or ()),
        account.name,
        account.type,
        account.currency,
        account.exponent,
        f"{row['amount']:f}",
        row["memo"],
    )


def _written(rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue()
