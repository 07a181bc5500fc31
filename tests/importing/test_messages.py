"""MT940, MT942 and CAMT files in the books: each line once, whatever comes again."""

from __future__ import annotations

from pathlib import Path

import pytest

from finance import DatabaseManager, Ledger
from finance.statements import ImportResult, StatementFile, import_statements, parse_statements, read_statements
from tests.test_statements_realdata import ABSENT, FOLDER

from .files import balance

SAMPLES = Path(__file__).parents[1] / "samples"
PAGES, INTERIM, CAMT = SAMPLES / "pages.sta", SAMPLES / "interim.sta", SAMPLES / "statement.camt053.xml"
REAL = [*FOLDER.glob("mt940/**/*.sta"), *FOLDER.glob("camt/**/*.xml")] if FOLDER else []


async def bring(db: DatabaseManager, books: Ledger, file: StatementFile, account: str | None = None) -> ImportResult:
    """Import in a unit of work of its own."""
    async with db.unit_of_work(books) as uow:
        return await import_statements(uow, file, account=account)


@pytest.mark.parametrize(("path", "lines"), [(PAGES, 6), (INTERIM, 1), (CAMT, 4)], ids=lambda value: str(value)[-12:])
async def test_file_that_comes_again_adds_nothing(db: DatabaseManager, books: Ledger, path: Path, lines: int) -> None:
    """Each line is posted once, equal ones too, and the books agree with themselves."""
    file = read_statements(path)

    first, again = await bring(db, books, file), await bring(db, books, file)

    assert (first.added, again.added, first.format) == (lines, 0, file.format)
    assert [each.sum for each in first.statements] == [each.sum for each in file.statements]
    assert (await db.verify(books)).is_clean


async def test_last_page_of_a_day_is_compared_with_the_books(db: DatabaseManager, books: Ledger) -> None:
    """The books never had the balance of the page before; what they lack is the balance that all begins with."""
    first, last = (await bring(db, books, read_statements(PAGES))).statements

    assert (first.books_balance, first.closing_balance_matches, str(first.closing_balance)) == (None, None, "950.90")
    assert (str(last.books_balance), last.closing_balance_matches, last.adds_up) == ("2483.00", False, True)


async def test_announced_in_a_report_and_booked_in_a_statement_is_one_line(db: DatabaseManager, books: Ledger) -> None:
    """An MT942 at noon and the MT940 of the evening are about one account; what was expected is booked only now."""
    evening = b""":20:H260901-2
:25:20030400/4711081500
:28C:9/2
:60F:C260901EUR100,00
:61:2609010901DR12,00NTRFNONREF//H0901001
:86:Ferry, and what the bank adds later
:61:2609010901DR30,00NTRFNONREF//H0901002
:86:Expected
:62F:C260901EUR58,00
-
"""
    await bring(db, books, read_statements(INTERIM), "Assets:Giro")
    result = await bring(db, books, parse_statements(evening, name="evening.sta"))

    assert [(each.account, each.lines, each.added) for each in result.statements] == [("Assets:Giro", 2, 1)]
    async with db.unit_of_work(books, read_only=True) as uow:
        assert await balance(uow, "Assets:Giro") == "-42.00"


async def test_accounts_are_named_by_what_the_format_says(db: DatabaseManager, books: Ledger) -> None:
    """A current account by its kind; one whose kind nobody says, by the bank."""
    result = await bring(db, books, read_statements(CAMT))

    assert [(each.account, each.currency, each.pending) for each in result.statements] == [
        ("Assets:Checking:DE02120300000000202051", "EUR", 2),
        ("Assets:Bank:77-1", "CHF", 0),
    ]


async def test_entry_in_another_currency_posts_nothing(db: DatabaseManager, books: Ledger) -> None:
    """An account has one currency: the entry is kept as it came, and counted."""
    data = CAMT.read_bytes().replace(b'"EUR">42.10', b'"USD">42.10')

    result = await bring(db, books, parse_statements(data, name="x.xml"))

    assert [each.kept for each in result.statements] == [1, 0]
    kept = "SELECT raw ->> 'Amt' FROM statement_lines WHERE bank_id = 'H0803001' AND entry_id IS NULL AND amount = 0"
    assert await db.fetchval(kept) == "42.10"


@pytest.mark.parametrize("paths", [sorted(REAL)] if REAL else [pytest.param([], marks=ABSENT)], ids=["all"])
async def test_all_real_files_again_add_nothing(db: DatabaseManager, books: Ledger, paths: list[Path]) -> None:
    """All into one ledger, twice: every line is there once, and the books agree with themselves."""
    files = [read_statements(path) for path in paths if path.name != "camt053.v2.wrong.xml"]

    first = [await bring(db, books, file) for file in files]
    again = [await bring(db, books, file) for file in files]

    # The interim report and the statement of one day have the same lines.
    known = {result.file for result in first if any(each.duplicates for each in result.statements)}
    assert known == {"mBank__mt942.sta"}
    assert (
        sum(result.added for result in first) == sum(len(each.lines) for file in files for each in file.statements) - 3
    )
    assert sum(result.added for result in again) == 0
    assert (await db.verify(books)).is_clean
