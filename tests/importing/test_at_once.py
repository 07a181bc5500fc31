"""Several imports, and postings by hand, at the same time."""

from __future__ import annotations

import asyncio

import pytest

from finance import DatabaseManager, Ledger, NewEntry, NewPosting
from finance.errors import FinanceError
from finance.statements import StatementFile, importer
from finance.statements.importer import import_statements

from .files import CHECKING, FIRST, balance, file, line, statement


async def import_alone(db: DatabaseManager, books: Ledger, given: StatementFile, account: str | None = None) -> int:
    """Import in a unit of work of its own, and give the number of new lines."""
    # On a busy machine the others may take longer than what a lock is waited for otherwise.
    async with db.unit_of_work(books, lock_timeout=60) as uow:
        return (await import_statements(uow, given, account=account)).added


async def test_one_file_imported_twice_at_once_adds_once(db: DatabaseManager, books: Ledger) -> None:
    """Each of four imports at the same time waits for the one before, and sees what it has added."""
    given = file(statement(*(line("-1", f"F{number}") for number in range(200))))

    added = await asyncio.gather(*(import_alone(db, books, given) for _ in range(4)))

    assert sorted(added) == [0, 0, 0, 200]
    async with db.unit_of_work(books, read_only=True) as uow:
        assert await balance(uow, CHECKING) == "-200"
        assert (await uow.reports.verify()).is_clean


async def test_one_bank_account_goes_into_one_account_also_at_once(db: DatabaseManager, books: Ledger) -> None:
    """Two first imports that name two accounts: one is refused, so that no line is in the books twice."""
    given = file(statement(line("-1", "A")))

    outcomes = await asyncio.gather(
        *(import_alone(db, books, given, f"Assets:{name}") for name in ("Giro", "Konto")), return_exceptions=True
    )

    assert sorted(type(each).__name__ for each in outcomes) == ["InvalidError", "int"]


async def test_files_of_two_banks_do_not_deadlock(db: DatabaseManager, books: Ledger) -> None:
    """Imports that open the same new accounts in other orders wait for each other, and all succeed."""
    files = [
        file(statement(line(first, "A"), line(second, "B"), account=f"{number}"), statement(account=f"{9 - number}"))
        for number, (first, second) in enumerate([("1", "-1"), ("-1", "1")] * 4, start=1)
    ]

    assert await asyncio.gather(*(import_alone(db, books, each) for each in files)) == [2] * 8


async def test_import_locks_in_the_order_of_all_posters(
    db: DatabaseManager, books: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it waits for one account, it holds none that a poster with that account may want next."""
    monkeypatch.setattr(importer, "_CHUNK", 1)
    async with db.unit_of_work(books) as uow:
        expenses = await uow.accounts.open("Expenses:Uncategorised", currency="EUR")
        checking = await uow.accounts.open(CHECKING, currency="EUR")
    async with db.unit_of_work(books) as poster:
        await poster.accounts.get_one(expenses.id, for_update=True)
        waiting = asyncio.create_task(import_alone(db, books, file(statement(line("2"), line("-1")))))
        await until_blocked(db)
        postings = [NewPosting(expenses, 1), NewPosting(checking, -1)]
        await poster.journal.post(NewEntry(FIRST, "By hand", postings))

    assert await waiting == 2


async def until_blocked(db: DatabaseManager) -> None:
    """Wait until somebody waits for a lock."""
    query = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pid <> pg_backend_pid())"
    async with asyncio.timeout(60):
        while not await db.fetchval(query):  # noqa: ASYNC110 - the database has no event for it
            await asyncio.sleep(0.01)


async def test_error_leaves_no_lock_behind_for_the_next(db: DatabaseManager, books: Ledger) -> None:
    """An import that failed does not make the next one wait."""
    with pytest.raises(FinanceError):
        await import_alone(db, books, file(statement(line("1"), currency="ZZZ")))

    async with asyncio.timeout(60):
        assert await import_alone(db, books, file(statement(line("1")))) == 1
