"""CSV carries every posting, and loading it makes books of which the export is the same to the byte."""

from __future__ import annotations

import csv
import io
from datetime import date
from pathlib import Path

import pytest

from finance import DatabaseManager, Ledger, NewEntry, NewPosting
from finance.errors import BooksFileError, InvalidError, UsageError
from finance.exports import csv_lines, load_csv, loading

from .books import TEXTS, exported, loaded, make_books, sums

HEADER = (
    "entry_id,date,description,reverses_id,amends_id,details,payee,tags,account,type,currency,decimals,amount,memo\r\n"
)
_ID = "00000000-0000-7000-8000-00000000000{}"


def _rows(number: int = 1, amount: str = "1", **cells: str) -> str:
    """Write the two rows of an entry, with other *cells* than usual."""
    usual = {"date": "2026-01-01", **dict.fromkeys(HEADER.split(",")[2:8], "")}
    rows = []
    for name, type_, value in (("Assets:A", "asset", amount), ("Income:B", "income", f"-{amount}")):
        last = {"account": name, "type": type_, "currency": "EUR", "decimals": "2", "amount": value, "memo": ""}
        rows.append(",".join(({"entry_id": _ID.format(number)} | usual | last | cells).values()))
    return "\r\n".join(rows) + "\r\n"


@pytest.mark.parametrize(("seed", "batch"), [(0, 1000), (1, 7), (2, 1)])
async def test_export_load_export_gives_the_same_bytes(
    db: DatabaseManager, seed: int, batch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the journal holds, in however many batches; the copy's books agree with themselves and the original."""
    monkeypatch.setattr(loading, "_BATCH", batch)
    ledger = await make_books(db, seed)
    text = await exported(db, ledger)

    copy = await loaded(db, text, tmp_path)

    assert await exported(db, copy) == text
    assert (await db.verify(copy)).is_clean
    balances, copied = await _balances(db, ledger), await _balances(db, copy)
    assert copied == {key: balances.pop(key) for key in copied}
    assert ("Assets:Never used", "CHF") in balances
    assert set(balances.values()) == {0}


async def test_sums_of_exported_amounts_are_the_balances(db: DatabaseManager) -> None:
    """For every account, also one whose balance was set by hand, and no posting is there twice."""
    ledger = await make_books(db)
    text = await exported(db, ledger)

    balances = await _balances(db, ledger)
    assert {key: balances.pop(key) for key in sums(text)} == sums(text)
    assert set(balances.values()) == {0}
    assert text.startswith(HEADER)
    stored = await db.fetch("SELECT amount::text FROM postings WHERE ledger_id = $1", ledger.id)
    written = [row["amount"] for row in csv.DictReader(io.StringIO(text, newline=""))]
    assert sorted(written) == sorted(row["amount"] for row in stored)


async def test_links_are_restored(db: DatabaseManager, tmp_path: Path) -> None:
    """A reversal names what it reverses, and an amendment what it amends, wherever they stand in the file."""
    ledger = await make_books(db)
    copy = await loaded(db, await exported(db, ledger), tmp_path)

    query = "SELECT id, reverses_id, amends_id FROM journal_entries WHERE ledger_id = $1 ORDER BY id"
    links = [[tuple(row) for row in await db.fetch(query, each.id)] for each in (ledger, copy)]
    assert links[0] == links[1]
    assert sum(row[1] is not None for row in links[0]) > 5
    assert sum(row[2] is not None for row in links[0]) == 2


async def test_texts_are_carried_as_they_are(db: DatabaseManager, tmp_path: Path) -> None:
    """Separators, quotes and ends of lines within a text are part of it; details are the same JSON."""
    copy = await loaded(db, await exported(db, await make_books(db)), tmp_path)

    async with db.unit_of_work(copy) as uow:
        entries = [entry async for entry in uow.journal.stream()]
    assert set(TEXTS) <= {entry.description for entry in entries}
    assert {memo for entry in entries for line in entry.postings if (memo := line.memo)} == set(TEXTS) - {""}
    found = [entry.details for entry in entries if "number" in entry.details]
    assert found[0] == {"text": TEXTS[1], "number": [1, 0.1, 1e-7, 10**30, None], "z": {"a": 2, "b": 1}}


async def test_export_is_read_in_pieces(db: DatabaseManager) -> None:
    """No more than a thousand rows are in memory at a time."""
    ledger = await make_books(db)
    async with db.unit_of_work(ledger) as uow:
        one, other = [each async for each in uow.accounts.stream() if each.currency == "EUR"][:2]
        many = [NewPosting(one, 1), NewPosting(other, -1)] * 600
        await uow.journal.post_many([NewEntry(date(2026, 1, 1), "Many", many) for _ in range(3)])
    async with db.unit_of_work(ledger, isolation="repeatable_read") as uow:
        pieces = [piece async for piece in csv_lines(uow)]

    assert len(pieces) > 4
    assert all(sum(1 for _ in csv.reader(io.StringIO(piece, newline=""))) <= 1000 for piece in pieces)


async def test_export_needs_one_instant(db: DatabaseManager) -> None:
    """Under READ COMMITTED the accounts could be of another instant than the postings."""
    ledger = await make_books(db)
    async with db.unit_of_work(ledger) as uow:
        with pytest.raises(UsageError, match="repeatable_read"):
            _ = [piece async for piece in csv_lines(uow)]


async def test_ledger_with_entries_takes_no_file(db: DatabaseManager, tmp_path: Path) -> None:
    """What is there would be mixed with what comes."""
    ledger = await make_books(db)
    text = await exported(db, ledger)

    with pytest.raises(InvalidError, match="empty"):
        await loaded(db, text, tmp_path, ledger.name)
    assert await exported(db, ledger) == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "books.csv, line 1: its first row is not entry_id,"),
        ("date,amount\r\n", "line 1: its first row"),
        (HEADER + "a,b\r\n", "line 2: 2 cells instead of 14"),
        (HEADER + _rows() + '"unclosed', "line 4: this is no CSV"),
        (HEADER + _rows(entry_id="no"), "line 3: entry_id 'no' is not a UUID"),
        (HEADER + _rows(date="2026-02-30"), "line 3: date '2026-02-30' is not a day"),
        (HEADER + _rows(date="20260101"), "is not a day"),
        (HEADER + _rows(amount="1e2"), "amount '1e2' is not a number"),
        (HEADER + _rows(amount="1.005"), "1.005"),
        (HEADER + _rows(amount="0.00"), "a posting of zero"),
        (HEADER + _rows(decimals="19"), "decimals '19' is not a number from 0 to 18"),
        (HEADER + _rows(type="cash"), "type 'cash' is not one of asset"),
        (HEADER + _rows(tags="food"), "line 3: tags 'food' is not a JSON array of names"),
        (HEADER + _rows(tags="[1]"), "tags '[1]' is not a JSON array of names"),
        (HEADER + _rows(payee="x" * 501), "line 3: the name of a payee has 1 to 500 characters"),
        (HEADER + _rows(details="[1]"), "details '[1]' is not a JSON object"),
        (
            HEADER + _rows() + _rows(2, amount="2").replace("-2", "-3"),
            "line 5: entry 00000000-0000-7000-8000-000000000002",
        ),
        (HEADER + _rows().replace("\r\n", "\r\n#", 1).split("#")[0], "at least two postings"),
        (HEADER + _rows().replace("2026-01-01", "2026-01-02", 1), "differs from the one before"),
        (HEADER + _rows() + _rows(2) + _rows(), "two entries of one call have the same id"),
        (
            HEADER + _rows(reverses_id=_ID.format(9)),
            f"line 3: it names entry {_ID.format(9)}, of which the file has no entry",
        ),
        (HEADER + _rows() + _rows(2, amends_id=_ID.format(1)), "of which the file has no reversal"),
        (HEADER + _rows(1, reverses_id=_ID.format(2)) + _rows(2, reverses_id=_ID.format(1)), "it names entry"),
        (HEADER + _rows() + _rows(2, type="equity"), "is of type asset in this ledger, and equity here"),
        (HEADER + _rows(account=" A "), "line 3"),
    ],
)
async def test_file_that_is_no_export_is_refused(db: DatabaseManager, text: str, reason: str, tmp_path: Path) -> None:
    """With its name, the line and what is wrong there; nothing of it is stored, the ledger neither."""
    with pytest.raises(BooksFileError) as caught:
        await loaded(db, text, tmp_path)

    assert reason in str(caught.value)
    assert str(caught.value).startswith("books.csv")
    assert "\n" not in str(caught.value)
    assert await db.ledgers.get_by_name("Copy") is None


async def test_entry_that_comes_again_much_later_is_refused(
    db: DatabaseManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database takes it for a replay; a file that has it twice is no export."""
    monkeypatch.setattr(loading, "_BATCH", 1)
    with pytest.raises(BooksFileError, match=r"line 7: entry .*1 stands in it twice"):
        await loaded(db, HEADER + _rows() + _rows(2) + _rows(), tmp_path)


async def test_file_of_other_bytes_is_refused(db: DatabaseManager, tmp_path: Path) -> None:
    """Another encoding, no file at all, and a quotation mark that would take in the rest of a large file."""
    path = tmp_path / "books.csv"
    async with db.unit_of_work("Copy", base_currency="EUR") as uow:
        with pytest.raises(BooksFileError, match="cannot be read: No such file"):
            await load_csv(uow, path)
        path.write_bytes(HEADER.encode() + _rows(description="Caf\xe9").encode("latin-1"))
        with pytest.raises(BooksFileError, match="not UTF-8"):
            await load_csv(uow, path)
        path.write_bytes(HEADER.encode() + b'"' + b"x" * (17 * 1024 * 1024))
        with pytest.raises(BooksFileError, match="line 2: this is no CSV"):
            await load_csv(uow, path)


async def test_currency_gets_the_decimals_that_it_had(db: DatabaseManager, tmp_path: Path) -> None:
    """More than ISO 4217 says, or of a currency that it does not know."""
    text = HEADER + _rows(decimals="4", amount="1.0005") + _rows(2, currency="ACME", decimals="0")
    copy = await loaded(db, text, tmp_path)

    async with db.unit_of_work(copy) as uow:
        found = [(each.code, each.exponent, each.name) async for each in uow.currencies.stream()]
    assert found == [("ACME", 0, "ACME"), ("EUR", 4, "Euro")]
    assert await exported(db, copy) == text


async def _balances(db: DatabaseManager, ledger: Ledger) -> dict[tuple[str, str], object]:
    async with db.unit_of_work(ledger) as uow:
        return {(each.name, each.currency): each.balance async for each in uow.accounts.stream()}
