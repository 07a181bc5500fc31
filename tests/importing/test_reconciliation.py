"""Lines and postings that are the same event: matched once, followed when amended, and what is left over."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from uuid import UUID

import pytest

from finance import NewEntry, NewPosting, UnitOfWork
from finance.errors import AlreadyExistsError, FinanceError, InvalidError, NotFoundError, SealedError
from finance.statements import ImportResult, import_statements, undo_import

from .files import CHECKING, FIRST, balance, file, line, statement, stored_lines


async def typed(uow: UnitOfWork, amount: str, on: date = FIRST, description: str = "Typed") -> UUID:
    """Post by hand what a bank will tell later."""
    checking = await uow.accounts.get_or_open(CHECKING, currency="EUR")
    food = await uow.accounts.get_or_open("Expenses:Food", currency="EUR")
    lines = [NewPosting(food, Decimal(amount).copy_negate()), NewPosting(checking, amount)]
    entry = NewEntry(on, description, lines)
    await uow.journal.post(entry)
    return entry.id


async def brought(uow: UnitOfWork, *amounts: str, match: bool = False) -> ImportResult:
    """Import lines of these amounts, one a day."""
    lines = [line(amount, on=date(2026, 8, 5 + number)) for number, amount in enumerate(amounts)]
    return await import_statements(uow, file(statement(*lines)), match=match)


async def ids(uow: UnitOfWork) -> list[int]:
    """List the ids of the stored lines."""
    return [each.id for each in await stored_lines(uow)]


async def state(uow: UnitOfWork) -> tuple[int, int, str]:
    """Give lines, unmatched lines and the state of the only statement."""
    (found,) = await uow.reconciliation.statements()
    return found.lines, found.unmatched, found.state


async def test_imported_lines_are_matched_by_nature(unit: UnitOfWork) -> None:
    """Each with what it became; a line that moves nothing needs no posting, and nothing is left over."""
    await brought(unit, "-1", "2", "0")

    assert await state(unit) == (2, 0, "open")
    checking = await unit.accounts.get_by_name(CHECKING)
    assert checking
    assert await unit.reconciliation.free_postings(checking) == ()
    (cleared,) = await unit.reconciliation.balances()
    assert (cleared.account, cleared.balance, cleared.cleared, cleared.reconciled) == (CHECKING, 1, 1, 0)


async def test_typed_entry_is_taken_for_the_line(unit: UnitOfWork) -> None:
    """With match=True the line is stored and posts nothing; the import says how many."""
    entry = await typed(unit, "-42.10", date(2026, 8, 3))

    dry = await import_statements(unit, file(statement(line("-42.10"))), match=True, dry_run=True)
    assert [(each.decision, each.entry) for each in dry.statements[0].decisions] == [("matched", entry)]
    result = (await brought(unit, "-42.10", "-1", match=True)).statements[0]

    assert (result.added, result.matched, result.possible_matches) == (2, 1, 0)
    assert await balance(unit, CHECKING) == "-43.10"
    assert [each.entry_id is None for each in await stored_lines(unit)] == [True, False]
    assert await state(unit) == (2, 0, "open")
    assert (await brought(unit, "-42.10", "-1", match=True)).added == 0


async def test_without_match_lines_are_posted_and_told(unit: UnitOfWork) -> None:
    """A dry run shows which entry each may be."""
    entry = await typed(unit, "-5")

    (decision,) = (await import_statements(unit, file(statement(line("-5"))), dry_run=True)).statements[0].decisions
    assert (decision.decision, decision.entry, decision.counter) == ("new", entry, "Expenses:Uncategorised")
    result = (await brought(unit, "-5")).statements[0]

    assert (result.matched, result.possible_matches) == (0, 1)
    assert await balance(unit, CHECKING) == "-10"


async def test_only_what_is_accepted_is_matched(unit: UnitOfWork) -> None:
    """A function sees the line and the entry, and decides."""
    await typed(unit, "-5", description="Lunch")
    await typed(unit, "-6", description="Dinner")
    both = file(statement(line("-5"), line("-6")))

    result = await import_statements(unit, both, match=lambda _line, entry: entry.description == "Lunch")

    assert (result.statements[0].matched, result.statements[0].possible_matches) == (1, 1)


async def test_candidates_are_the_nearest_and_each_is_taken_once(unit: UnitOfWork) -> None:
    """Same account, same amount, at most five days apart; not reversed, and not matched before."""
    far = await typed(unit, "-5", date(2026, 8, 11))
    near = await typed(unit, "-5", date(2026, 8, 4))
    gone = await typed(unit, "-5", date(2026, 8, 5))
    await unit.journal.reverse(gone)
    await typed(unit, "-5.01", date(2026, 8, 5))

    one = file(statement(line("-5", "A"), line("-5", "B"), line("-5", "C", on=date(2026, 8, 6))))
    result = await import_statements(unit, one, match=True, dry_run=True)

    found = [(each.decision, each.entry) for each in result.statements[0].decisions]
    assert found == [("matched", near), ("new", None), ("matched", far)]


async def test_line_of_a_transfer_is_matched_on_both_sides(unit: UnitOfWork) -> None:
    """The entry that one bank's line became, sorted by its owner, is the other bank's line."""
    await brought(unit, "-100")
    savings = await unit.accounts.get_or_open("Assets:Savings:9", currency="EUR")
    checking = await unit.accounts.get_by_name(CHECKING)
    assert checking
    entry = (await stored_lines(unit))[0].entry_id
    assert entry
    transfer = NewEntry(FIRST, "Transfer", [NewPosting(checking, -100), NewPosting(savings, 100)])
    await unit.journal.amend(entry, transfer)

    other = file(statement(line("100", on=date(2026, 8, 6)), account="9", account_kind="SAVINGS"))
    result = await import_statements(unit, other, match=True)

    assert result.statements[0].matched == 1
    assert [each.unmatched for each in await unit.reconciliation.statements()] == [0, 0]
    assert [await balance(unit, name) for name in (CHECKING, "Assets:Savings:9")] == ["-100", "100"]


async def test_amended_entry_is_followed(unit: UnitOfWork) -> None:
    """While the replacement has the line's amount on its account; reversed or with another amount it is not."""
    await brought(unit, "-7")
    entry = (await stored_lines(unit))[0].entry_id
    checking = await unit.accounts.get_by_name(CHECKING)
    food = await unit.accounts.get_or_open("Expenses:Food", currency="EUR")
    assert entry
    assert checking
    first = NewEntry(FIRST, "Food", [NewPosting(food, 7), NewPosting(checking, -7)])
    await unit.journal.amend(entry, first)
    assert await state(unit) == (1, 0, "open")
    assert await unit.reconciliation.free_postings(checking) == ()

    second = NewEntry(FIRST, "Food", [NewPosting(food, 8), NewPosting(checking, -8)])
    await unit.journal.amend(first.id, second)
    assert await state(unit) == (1, 1, "open")
    assert [each.amount for each in await unit.reconciliation.free_postings(checking)] == [-8]
    third = NewEntry(FIRST, "Food", [NewPosting(food, 7), NewPosting(checking, -7)])
    await unit.journal.amend(second.id, third)
    assert await state(unit) == (1, 0, "open")
    await unit.journal.reverse(third.id)
    assert await state(unit) == (1, 1, "open")


async def test_what_is_unmatched_is_shown_and_matched(unit: UnitOfWork) -> None:
    """On both sides, with a proposal; matched by hand or all at once."""
    await brought(unit, "-5", "-6")
    for each in await stored_lines(unit):
        assert each.entry_id
        await unit.journal.reverse(each.entry_id)
    five, six = await typed(unit, "-5"), await typed(unit, "-6", date(2026, 8, 7))
    lone = await typed(unit, "-99")
    (found,) = await unit.reconciliation.statements()

    lines = await unit.reconciliation.unmatched_lines(found.id)
    assert [(each.number, each.amount, each.candidate and each.candidate.entry_id) for each in lines] == [
        (1, -5, five),
        (2, -6, six),
    ]
    free = await unit.reconciliation.free_postings(found.account_id)
    assert {each.entry_id for each in free} == {five, six, lone}
    await unit.reconciliation.match(lines[0].id, five)
    assert await unit.reconciliation.accept(found.id) == 1

    assert await state(unit) == (2, 0, "open")
    assert [each.entry_id for each in await unit.reconciliation.free_postings(found.account_id)] == [lone]
    (cleared,) = await unit.reconciliation.balances()
    assert (cleared.balance, cleared.cleared, cleared.uncleared) == (-110, -11, -99)
    first_day = await unit.reconciliation.free_postings(found.account_id, start_on=date(2026, 8, 6))
    assert first_day == ()


async def test_match_is_of_one_line_and_one_posting_of_equal_amount(unit: UnitOfWork) -> None:
    """Everything else is refused, and so it is by the database."""
    await brought(unit, "-5", "-5")
    first, second = await ids(unit)
    five, six = await typed(unit, "-5"), await typed(unit, "-6")
    with pytest.raises(AlreadyExistsError):
        await unit.reconciliation.match(first, five)
    await unit.reconciliation.unmatch(first)
    with pytest.raises(NotFoundError):
        await unit.reconciliation.unmatch(first)
    for entry in (six, UUID(int=1)):
        with pytest.raises(InvalidError, match="account and amount"):
            await unit.reconciliation.match(first, entry)
    with pytest.raises(NotFoundError, match="no statement line 0"):
        await unit.reconciliation.match(0, five)
    await unit.reconciliation.match(first, five)
    await unit.reconciliation.unmatch(second)
    with pytest.raises(InvalidError):
        await unit.reconciliation.match(second, five)

    attack = "INSERT INTO matches (ledger_id, line_id, entry_id, posting) VALUES ($1, $2, $3, $4)"
    booked = (await stored_lines(unit))[1].entry_id
    assert booked
    for line_id, entry, posting, error in (
        (second, five, 2, AlreadyExistsError),
        (second, five, 1, InvalidError),
        (second, six, 2, InvalidError),
        (second, five, 3, InvalidError),
        (first, booked, 1, AlreadyExistsError),
    ):
        with pytest.raises(error):
            async with unit.savepoint():
                await unit.connection.execute(attack, unit.ledger_id, line_id, entry, posting)
    with pytest.raises(SealedError):
        async with unit.savepoint():
            await unit.connection.execute("UPDATE matches SET posting = 2 WHERE ledger_id = $1", unit.ledger_id)


async def test_doubled_line_is_put_right(unit: UnitOfWork) -> None:
    """With replace=True the entry that the import posted is reversed, and the typed one takes its place."""
    entry = await typed(unit, "-5")
    await brought(unit, "-5")
    (line_id,) = await ids(unit)

    await unit.reconciliation.match(line_id, entry, replace=True)

    assert await balance(unit, CHECKING) == "-5"
    assert await state(unit) == (1, 0, "open")
    (listed,) = await unit.imports.overview()
    undone = await undo_import(unit, listed.id)
    assert (undone.reversed, undone.already_reversed) == (0, 1)
    assert await balance(unit, CHECKING) == "-5"


async def test_reconciled_statement_keeps_its_matches(unit: UnitOfWork) -> None:
    """It takes no unmatched line; then nothing of it is unmatched or undone until it is opened again."""
    result = await brought(unit, "-5", "-6")
    first, _ = await ids(unit)
    (found,) = await unit.reconciliation.statements()
    entry = (await stored_lines(unit))[0].entry_id
    await unit.reconciliation.unmatch(first)
    with pytest.raises(InvalidError, match="matched with nothing: 1"):
        await unit.reconciliation.reconcile(found.id)
    assert entry
    await unit.reconciliation.match(first, entry)
    await unit.reconciliation.reconcile(found.id)

    assert await state(unit) == (2, 0, "reconciled")
    assert [each.reconciled for each in await unit.reconciliation.balances()] == [-11]
    with pytest.raises(SealedError):
        await unit.reconciliation.reconcile(found.id)
    assert result.id
    for refused in (unit.reconciliation.unmatch(first), undo_import(unit, result.id)):
        with pytest.raises(SealedError, match="reconciled"):
            async with unit.savepoint():
                await refused
    await unit.reconciliation.reopen(found.id)
    with pytest.raises(NotFoundError):
        await unit.reconciliation.reopen(found.id)
    await undo_import(unit, result.id)
    assert await unit.reconciliation.statements() == ()
    with pytest.raises(NotFoundError):
        await unit.reconciliation.reconcile(found.id)


async def test_undoing_leaves_typed_entries_alone(unit: UnitOfWork) -> None:
    """What was there before is not the import's; its line can be matched again with the next import."""
    await typed(unit, "-5")
    result = await brought(unit, "-5", "-6", match=True)
    assert result.id

    undone = await undo_import(unit, result.id)

    assert (undone.lines, undone.reversed) == (2, 1)
    assert await balance(unit, CHECKING) == "-5"
    assert (await brought(unit, "-5", "-6", match=True)).statements[0].matched == 1


async def test_another_ledger_is_not_seen(unit: UnitOfWork, books_of_another: tuple[int, UUID]) -> None:
    """Neither its lines nor its entries."""
    line_id, entry_id = books_of_another
    await brought(unit, "-5")
    (mine,) = await ids(unit)
    await unit.reconciliation.unmatch(mine)

    with pytest.raises(InvalidError):
        await unit.reconciliation.match(mine, entry_id)
    with pytest.raises(FinanceError):
        await unit.reconciliation.match(line_id, entry_id)
