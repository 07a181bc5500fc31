"""An import taken back as a whole: reversed once, kept and marked, and open for the same file again."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from finance import DatabaseManager, Ledger, NewEntry, NewPosting, UnitOfWork
from finance.errors import FinanceError, NotFoundError, PeriodClosedError, SealedError
from finance.models import JournalEntry
from finance.statements import ImportResult, importer, undo_import
from finance.statements.importer import import_statements

from .files import CHECKING, FIRST, balance, bring, count, file, line, statement, stored_lines


async def imported(uow: UnitOfWork, *amounts: str, name: str = "bank.ofx") -> ImportResult:
    """Import lines of these amounts without ids of the bank."""
    return await import_statements(uow, file(statement(*map(line, amounts), closing_balance=Decimal(9)), name=name))


def made(result: ImportResult) -> int:
    """Give the id of an import that stored something."""
    assert result.id is not None
    return result.id


async def test_undone_import_leaves_no_money_and_keeps_its_lines(unit: UnitOfWork) -> None:
    """Every entry is reversed on its day, the lines are kept as they came and marked, their claims count no more."""
    number = made(await imported(unit, "10", "-3", "0"))
    assert len(await unit.reports.assertions()) == 1

    undone = await undo_import(unit, number)

    assert (undone.id, undone.file, undone.lines) == (number, "bank.ofx", 3)
    assert (undone.reversed, undone.replacements, undone.already_reversed) == (2, 0, 0)
    assert await balance(unit, CHECKING) == "0"
    assert await balance(unit, "Expenses:Uncategorised") == "0"
    assert [(f"{each.amount:f}", each.undone_at is not None) for each in await stored_lines(unit)] == [
        ("10", True),
        ("-3", True),
        ("0", True),
    ]
    assert await unit.reports.assertions() == ()
    (listed,) = await unit.imports.overview()
    assert (listed.lines, listed.posted, listed.accounts, listed.undone_at is not None) == (3, 2, (CHECKING,), True)
    dates = [entry.date for entry in [each async for each in unit.journal.stream()]]
    assert dates == [FIRST] * 4


async def test_file_can_be_imported_again_and_is_exactly_once_again(unit: UnitOfWork) -> None:
    """After the undoing all lines are new, afterwards none is; and it can be undone again."""
    first = await imported(unit, "10", "10", "-3")
    await undo_import(unit, made(first))

    second = await imported(unit, "10", "10", "-3")
    assert (second.added, (await imported(unit, "10", "10", "-3")).added) == (3, 0)
    assert await balance(unit, CHECKING) == "17"
    assert len(await unit.reports.assertions()) == 1
    await undo_import(unit, made(second))
    third = await imported(unit, "10", "10", "-3")

    assert (third.added, await balance(unit, CHECKING)) == (3, "17")
    assert [each.undone_at is None for each in await stored_lines(unit)] == [False] * 6 + [True] * 3


async def test_lines_of_another_import_stand(unit: UnitOfWork) -> None:
    """Of equal lines that came with two files, those of the file that is undone are missing, and come again."""
    first = await imported(unit, "2", name="first.ofx")
    await imported(unit, "2", "2", name="second.ofx")
    await undo_import(unit, made(first))
    assert await balance(unit, CHECKING) == "2"

    assert (await imported(unit, "2", "2", name="second.ofx")).added == 1
    assert (await imported(unit, "2", "2", name="third.ofx")).added == 0
    assert await balance(unit, CHECKING) == "4"


async def test_entries_that_somebody_touched_are_treated_truthfully(unit: UnitOfWork) -> None:
    """One that was reversed stays so; of one that was amended, the replacement of the replacement is reversed."""
    number = made(await imported(unit, "1", "-20", "-300", "-4000"))
    reversed_, amended, again = [each.entry_id for each in await stored_lines(unit)][:3]
    assert reversed_
    assert amended
    assert again
    await unit.journal.reverse(reversed_)
    food = await unit.accounts.get_or_open("Expenses:Food", currency="EUR")
    checking = await unit.accounts.get_by_name(CHECKING)
    assert checking
    right = NewEntry(FIRST, "Food", [NewPosting(food, 20), NewPosting(checking, -20)])
    await unit.journal.amend(amended, right)
    await unit.journal.amend(right.id, NewEntry(FIRST, "Fod", [NewPosting(food, 21), NewPosting(checking, -21)]))
    back = await unit.journal.reverse(again)
    await unit.journal.reverse(back.id)

    undone = await undo_import(unit, number)

    assert (undone.reversed, undone.replacements, undone.already_reversed) == (3, 2, 1)
    assert [await balance(unit, name) for name in (CHECKING, "Expenses:Food", "Expenses:Uncategorised")] == ["0"] * 3


async def test_an_import_is_undone_once(unit: UnitOfWork) -> None:
    """Again, or one that is not there, is a typed error, and changes nothing."""
    number = made(await imported(unit, "1"))
    await undo_import(unit, number)
    entries = await count(unit, JournalEntry)

    with pytest.raises(SealedError, match="undone before"):
        await undo_import(unit, number)
    with pytest.raises(NotFoundError, match="no import 0"):
        await undo_import(unit, 0)

    assert await count(unit, JournalEntry) == entries


async def test_undoing_in_a_closed_period_is_refused_whole_or_dated(
    unit: UnitOfWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is half undone; with a day of its own the reversal counts then."""
    monkeypatch.setattr(importer, "_CHUNK", 1)
    later = date(2026, 9, 1)
    both = file(statement(line("5", on=later), line("10")))
    number = made(await import_statements(unit, both))
    await unit.ledgers.close_through(unit.ledger_id, FIRST)

    with pytest.raises(PeriodClosedError):
        await undo_import(unit, number)
    assert (await balance(unit, CHECKING), (await unit.imports.get_one(number)).undone_at) == ("15", None)
    await undo_import(unit, number, on=later)

    checking = await unit.accounts.get_by_name(CHECKING)
    assert checking
    assert [await unit.accounts.balance(checking, on=on) for on in (FIRST, later)] == [10, 0]


async def test_undone_import_no_longer_says_which_account_it_is(unit: UnitOfWork) -> None:
    """Whoever imported into the wrong account undoes that, and names the right one."""
    wrong = await import_statements(unit, file(statement(line("1"))), account="Assets:Wrong")
    await undo_import(unit, made(wrong))

    right = await import_statements(unit, file(statement(line("1"))), account="Assets:Right")

    assert (right.statements[0].account, right.added) == ("Assets:Right", 1)


async def test_many_lines_are_undone(unit: UnitOfWork) -> None:
    """More than one statement takes."""
    lines = [line("1", f"L{number}") for number in range(2_001)]
    result = await bring(unit, *lines)
    assert result.added == 2_001
    (listed,) = await unit.imports.overview()

    assert (await undo_import(unit, listed.id)).reversed == 2_001
    assert await balance(unit, CHECKING) == "0"


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE statement_lines SET undone_at = now() WHERE ledger_id = $1",
        "UPDATE imports SET undone_at = now(), undone_by = 'x' WHERE ledger_id = $1",
        "UPDATE imports SET file_name = 'x' WHERE ledger_id = $1",
        "UPDATE statement_lines SET memo = 'x' WHERE ledger_id = $1",
        "DELETE FROM imports WHERE ledger_id = $1",
    ],
)
async def test_nobody_marks_what_still_counts(unit: UnitOfWork, attack: str) -> None:
    """The database refuses a mark on a line whose entry stands, and on an import with lines that count."""
    await imported(unit, "1")

    with pytest.raises(SealedError):
        async with unit.savepoint():
            await unit.connection.execute(attack, unit.ledger_id)


async def test_a_mark_stays(unit: UnitOfWork) -> None:
    """Nobody takes it back, or marks it anew; the instant is the database's."""
    number = made(await imported(unit, "1"))
    await undo_import(unit, number)

    for attack in (
        "UPDATE statement_lines SET undone_at = NULL",
        "UPDATE statement_lines SET undone_at = '2000-01-01'",
        "UPDATE imports SET undone_at = NULL, undone_by = NULL",
    ):
        with pytest.raises(SealedError):
            async with unit.savepoint():
                await unit.connection.execute(f"{attack} WHERE ledger_id = $1", unit.ledger_id)
    again = await imported(unit, "1")
    assert again.added == 1
    assert (await unit.imports.get_one(number)).undone_by


async def test_undone_books_verify(books: Ledger, db: DatabaseManager) -> None:
    """Committed, everything that is derived agrees."""
    async with db.unit_of_work(books) as uow:
        number = made(await imported(uow, "10", "-3"))
    async with db.unit_of_work(books) as uow:
        await undo_import(uow, number)
    async with db.unit_of_work(books) as uow:
        await imported(uow, "10", "-3")

    assert (await db.verify(books)).is_clean
    with pytest.raises(FinanceError):
        await db.execute("DELETE FROM imports")
