"""GnuCash's files, of SQLite and of XML, give the same books; what is damaged is refused."""

from __future__ import annotations

import gzip
import re
import sqlite3
from contextlib import closing
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from finance import UnitOfWork
from finance.errors import BooksFileError
from finance.foreign_books import Books, load_books, read_books
from finance.foreign_books.gnucash import content
from finance.models import AccountType

from .books import balances

SAMPLES = Path(__file__).parents[1] / "samples"
XML = SAMPLES / "household.gnucash.xml"

#: The same books as in the sample, and what only SQLite has: a date of the old form.
SCHEMA = """
CREATE TABLE books (guid text, root_account_guid text, root_template_guid text);
CREATE TABLE commodities (guid text, namespace text, mnemonic text, fullname text, fraction int);
CREATE TABLE accounts (guid text, name text, account_type text, commodity_guid text, parent_guid text, code text,
                       description text, hidden int, placeholder int);
CREATE TABLE transactions (guid text, currency_guid text, num text, post_date text, description text);
CREATE TABLE splits (guid text, tx_guid text, account_guid text, memo text, action text, value_num bigint,
                     value_denom bigint, quantity_num bigint, quantity_denom bigint);
CREATE TABLE prices (guid text, commodity_guid text, currency_guid text, date text, source text, value_num bigint,
                     value_denom bigint);
CREATE TABLE slots (obj_guid text, name text, string_val text, gdate_val text);
INSERT INTO books VALUES ('b', 'root', 'templates');
INSERT INTO commodities VALUES ('eur', 'CURRENCY', 'EUR', 'Euro', 100), ('acme', 'NYSE', 'ACME', 'Acme Inc.', 10000),
                               ('template', 'template', 'template', 'template', 1);
INSERT INTO accounts VALUES
  ('root', 'Root Account', 'ROOT', NULL, NULL, '', '', 0, 0),
  ('templates', 'Template', 'ROOT', NULL, NULL, '', '', 0, 0),
  ('a1', 'Besitz', 'ASSET', 'eur', 'root', '', '', 0, 1), ('a2', 'Giro: neu', 'BANK', 'eur', 'a1', '1200', '', 0, 0),
  ('a3', 'Aktien', 'STOCK', 'acme', 'a1', '', '', 0, 0), ('a4', 'Lohn', 'INCOME', 'eur', 'root', '', '', 0, 0),
  ('t1', 'planned', 'BANK', 'template', 'templates', '', '', 0, 0);
INSERT INTO transactions VALUES ('T1', 'eur', '17', '20191231230000', 'Lohn Januar'),
  ('T2', 'eur', '', '2020-02-03 10:59:00', 'Kauf'), ('T3', 'eur', '', '2020-02-04 10:59:00', 'geplant');
INSERT INTO splits VALUES
  ('s1', 'T1', 'a2', 'netto', '', 200000, 100, 200000, 100), ('s2', 'T1', 'a4', '', '', -200000, 100, -200000, 100),
  ('s3', 'T2', 'a3', '', 'Buy', 30015, 1000, 12500, 10000), ('s4', 'T2', 'a2', '', '', -30015, 1000, -30015, 1000),
  ('s5', 'T3', 't1', '', '', 0, 1, 0, 1);
INSERT INTO prices VALUES ('p1', 'acme', 'eur', '20200202230000', 'user:price', 10, 3);
INSERT INTO slots VALUES ('T1', 'notes', 'mit Bonus', NULL), ('T1', 'date-posted', NULL, '20200101');
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Books in a file of SQLite, whose name begins with a hyphen and has no known ending."""
    path = tmp_path / "-books #1?.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(SCHEMA)
    return path


def changed(file: Path, statement: str) -> Path:
    """Change the file."""
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(statement)
    return file


def check(books: Books) -> None:
    """Compare with what both samples say."""
    types = {account.name: account.type for account in books.accounts}
    assert types == {
        "Besitz": AccountType.ASSET,
        "Besitz:Giro- neu": AccountType.ASSET,
        "Besitz:Aktien": AccountType.ASSET,
        "Lohn": AccountType.INCOME,
    }
    pay, bought = sorted(books.entries, key=lambda entry: entry.date)
    assert (pay.date, pay.description, pay.key) == (date(2020, 1, 1), "Lohn Januar", "T1")
    assert pay.details == {"number": "17", "notes": "mit Bonus"}
    assert [(each.amount, each.memo) for each in pay.postings] == [(2000, "netto"), (-2000, None)]
    (shares, _) = bought.postings
    assert (shares.amount, shares.currency, shares.weight, shares.weight_currency, shares.memo) == (
        Decimal("1.25"), "ACME", Decimal("30.015"), "EUR", "Buy",
    )  # fmt: skip
    (price,) = books.prices
    assert (price.currency, price.quote, price.date) == ("ACME", "EUR", date(2020, 2, 3))
    assert price.value == Decimal("3.333333333333333333333333333333333")
    assert books.base_currency == "EUR"


def test_a_file_of_sqlite_is_read_and_left_as_it_is(file: Path) -> None:
    """Names, types, dates of both forms, values and quantities; templates are no books, and nothing is written."""
    before = file.read_bytes()
    books = read_books(file)
    check(books)
    assert books.remarks == ("scheduled transactions, which are templates and not books: 1",)
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("is_compressed", [False, True])
def test_xml_gives_the_same_books(tmp_path: Path, *, is_compressed: bool) -> None:
    """Plain and compressed, whatever the file is called."""
    path = tmp_path / "books"
    path.write_bytes(gzip.compress(XML.read_bytes()) if is_compressed else XML.read_bytes())
    check(read_books(path))


def test_xml_of_the_first_versions_is_read(tmp_path: Path) -> None:
    """Their prefixes stand for nothing that the file says."""
    path = tmp_path / "books"
    path.write_text(re.sub(r"\s+xmlns:[a-z]+=\"[^\"]*\"", "", XML.read_text("utf-8")), "utf-8")
    assert "xmlns" not in path.read_text("utf-8")
    check(read_books(path))


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("2020-02-03 10:59:00 +0000", 3), ("2020-02-03 11:59:00 +0100", 3), ("2020-02-03 00:00:00 +0100", 7),
        ("2020-02-02 18:00:00 -0500", 7),
    ],
)  # fmt: skip
def test_the_day_that_was_kept_counts_where_the_instant_is_of_a_place(tmp_path: Path, written: str, day: int) -> None:
    """At 10:59 in UTC it is the same day everywhere, and needs none beside it."""
    kept = "<slot><slot:key>date-posted</slot:key><slot:value><gdate>2020-02-07</gdate></slot:value></slot>"
    text = XML.read_text("utf-8").replace("2020-02-03 10:59:00 +0000", written)
    text = text.replace("<trn:description>Kauf", f"<trn:slots>{kept}</trn:slots><trn:description>Kauf")
    path = tmp_path / "books"
    path.write_text(text, "utf-8")
    assert read_books(path).entries[1].date == date(2020, 2, day)


def test_a_database_without_days_beside_the_instants_is_read(file: Path) -> None:
    """The oldest ones have none: the nearest midnight counts."""
    books = read_books(changed(file, "ALTER TABLE slots DROP COLUMN gdate_val"))
    assert books.entries[0].date == date(2020, 1, 1)


@pytest.mark.parametrize("ending", ["-journal", "-wal"])
def test_a_change_that_was_not_finished_refuses_the_file(file: Path, ending: str) -> None:
    """What is in the file alone may be half of it; an empty one beside it has nothing to say."""
    beside = file.with_name(file.name + ending)
    beside.touch()
    assert len(read_books(file).entries) == 2
    beside.write_bytes(b"pages")
    with pytest.raises(BooksFileError, match=f"{ending}' beside it has what was not finished"):
        read_books(file)


async def test_both_forms_make_the_same_entries(uow: UnitOfWork, file: Path) -> None:
    """The ids are of what an entry moves: books that were saved in the other form add nothing."""
    assert (await load_books(uow, read_books(file), decimals={"EUR": 3})).entries == 2
    again = await load_books(uow, read_books(XML), decimals={"EUR": 3})
    assert (again.entries, again.known) == (0, 2)
    assert await balances(uow) == {
        ("Besitz:Giro- neu", "EUR"): Decimal("1969.985"),
        ("Besitz:Aktien", "ACME"): Decimal("1.25"),
        ("Lohn", "EUR"): -2000,
        ("Equity:Conversions", "EUR"): Decimal("30.015"),
        ("Equity:Conversions", "ACME"): Decimal("-1.25"),
    }


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("UPDATE splits SET value_denom = 0 WHERE guid = 's1'", "200000/0 in transaction 'T1' is no decimal number"),
        ("UPDATE splits SET value_denom = -100 WHERE guid = 's1'", "200000/-100 in transaction 'T1' is no decimal"),
        ("UPDATE splits SET value_num = 1, value_denom = 3", "1/3 in transaction 'T1' is no decimal number"),
        ("UPDATE splits SET account_guid = 'gone' WHERE guid = 's1'", "names an account that is not there"),
        ("UPDATE splits SET account_guid = 'root' WHERE guid = 's1'", "is on a root account"),
        ("UPDATE splits SET tx_guid = 'gone' WHERE guid = 's1'", "splits belong to 1 transactions that are not there"),
        ("UPDATE accounts SET parent_guid = 'a2' WHERE guid = 'a1'", "or below itself"),
        ("UPDATE accounts SET parent_guid = 'gone' WHERE guid = 'a1'", "is below one that is not there"),
        ("UPDATE accounts SET name = 'Aktien' WHERE guid = 'a2'", "two accounts are called 'Besitz:Aktien'"),
        ("UPDATE accounts SET name = ' ' WHERE guid = 'a2'", "has no name"),
        ("UPDATE accounts SET account_type = 'ODD' WHERE guid = 'a2'", "'ODD' is no type of accounts"),
        ("UPDATE accounts SET commodity_guid = 'gone' WHERE guid = 'a2'", "names a commodity that is not there"),
        ("UPDATE transactions SET post_date = '20201332105900'", "'20201332105900' is no date of GnuCash"),
        ("UPDATE splits SET value_num = 'many'", "many/100 in transaction 'T1' is no decimal number"),
        ("UPDATE splits SET value_num = 2000.5", r"2000\.5/100 in transaction 'T1' is no decimal number"),
        ("UPDATE accounts SET name = x'00ff'", "a cell holds what GnuCash does not write there"),
        ("UPDATE splits SET memo = CAST(x'ff' AS text)", "SQLite cannot read it"),
        ("DROP TABLE splits", "not GnuCash's: it has no table 'splits'"),
        ("ALTER TABLE splits DROP COLUMN memo", "SQLite cannot read it: no such column: memo"),
    ],
)
def test_a_file_that_cannot_be_is_refused(file: Path, statement: str, reason: str) -> None:
    """With what is wrong."""
    with pytest.raises(BooksFileError, match=reason):
        read_books(changed(file, statement))


def test_a_view_that_never_ends_is_not_asked(file: Path) -> None:
    """A table of GnuCash's that is a view may be any program."""
    changed(file, "DROP TABLE prices")
    endless = "WITH RECURSIVE n(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM n) SELECT a, a, a, a, a, a FROM n"
    with pytest.raises(BooksFileError, match=r"it has no table 'prices'"):
        read_books(changed(file, f"CREATE VIEW prices AS {endless}"))


def test_a_database_that_is_cut_off_is_refused(file: Path) -> None:
    """As every damage that SQLite finds."""
    file.write_bytes(file.read_bytes()[:9000])
    with pytest.raises(BooksFileError, match="SQLite cannot read it"):
        read_books(file)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("<gnc-v2", '<!DOCTYPE x [<!ENTITY a "b">]><gnc-v2', "declares a DOCTYPE"),
        ("200000/100", "many", "<value> is no fraction such as 1250/100"),
        ("2020-02-03", "2020-02-30", "'2020-02-30 00:00:00 .0100' is no date of GnuCash"),
        ('<trn:id type="guid">T1</trn:id>', "", "has no <id>"),
        ("</gnc:book>", "", "not well-formed XML"),
    ],
)
def test_xml_that_cannot_be_is_refused_with_its_line(tmp_path: Path, old: str, new: str, reason: str) -> None:
    """As no file of GnuCash has it."""
    text = XML.read_text("utf-8")
    assert old in text
    path = tmp_path / "books.gnucash"
    path.write_text(text.replace(old, new).replace('<?xml version="1.0" encoding="utf-8" ?>\n', ""), "utf-8")
    if "DOCTYPE" in new:
        path.write_text('<?xml version="1.0"?><gnc-v2 ' + new, "utf-8")
    with pytest.raises(BooksFileError, match=reason):
        read_books(path)


def test_what_is_compressed_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file that becomes a large one is not expanded further."""
    monkeypatch.setattr(content, "LARGEST", 1_000_000)
    path = tmp_path / "bomb.gnucash"
    path.write_bytes(gzip.compress(b"<gnc-v2 " + b" " * 50_000_000))
    with pytest.raises(BooksFileError, match="more than 1,000,000 bytes"):
        read_books(path)


@pytest.mark.parametrize(
    "data",
    [gzip.compress(b"x" * 9999)[:-20], b"\x1f\x8bnothing", gzip.compress(b"PK\x03\x04")],
    ids=["cut off", "damaged", "something else"],
)
def test_what_is_compressed_otherwise_is_refused(tmp_path: Path, data: bytes) -> None:
    """Cut off, damaged, or with something else inside."""
    path = tmp_path / "books.gnucash"
    path.write_bytes(data)
    with pytest.raises(BooksFileError, match=r"damaged or cut off|no file of GnuCash"):
        read_books(path)
