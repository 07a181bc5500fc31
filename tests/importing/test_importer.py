"""A file as a whole: all of it or nothing, and what the bank claims compared with the books."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from finance import NewEntry, NewPosting, UnitOfWork
from finance.errors import PeriodClosedError, StatementFileError
from finance.models import JournalEntry
from finance.models import Statement as StoredStatement
from finance.models import StatementLine as StoredLine
from finance.statements import StatementFile, importer
from finance.statements.importer import import_statements

from .files import CHECKING, FIRST, balance, bring, count, file, line, statement, stored_lines


async def assert_refused(uow: UnitOfWork, bad: StatementFile, reason: str) -> None:
    """Check the error, that nothing of the file is there, and that the unit of work goes on."""
    with pytest.raises(StatementFileError, match=reason) as caught:
        await import_statements(uow, bad)
    assert caught.value.file == "bank.ofx"
    for model in (StoredStatement, StoredLine, JournalEntry):
        assert await count(uow, model) == 0
    assert [account.name async for account in uow.accounts.stream()] == []
    assert (await bring(uow, line("1"))).added == 1


async def test_amount_finer_than_its_currency_is_refused(unit: UnitOfWork) -> None:
    """It names the file, the line and the amount; what stands before the line is not imported either."""
    bad = file(statement(line("1.00", "A"), line("-8.855", "B7")))
    await assert_refused(
        unit, bad, r"bank.ofx: transaction 2 \(bank's id B7\) of 2026-08-05: amount -8.855 .* 2 decimals"
    )


async def test_line_in_another_currency_than_its_account_is_kept_and_told(unit: UnitOfWork) -> None:
    """Nothing says to the last digit what it moved on the account: it posts nothing, and the rest of the file does."""
    mixed = file(
        statement(
            line("1.00"), line("-30", "Y2", currency="CHF", raw={"TRNAMT": "-30"}), line("0", currency="CHF"),
            line("-2", currency="EUR"), opening_balance=Decimal(0), closing_balance=Decimal(-40),
        )
    )  # fmt: skip
    dry = (await import_statements(unit, mixed, dry_run=True)).statements[0]
    result = (await import_statements(unit, mixed)).statements[0]
    again = (await import_statements(unit, mixed)).statements[0]

    assert [each.reason for each in dry.decisions][1:3] == [
        "its amount is in CHF, its account in EUR, and what it moved on the account is not stated exactly:"
        " it is kept, and posts nothing",
        "its amount is zero: it is kept, and posts nothing",
    ]
    assert (result.lines, result.added, result.kept, result.adds_up, again.added) == (4, 4, 1, None, 0)
    assert (await balance(unit, CHECKING), result.closing_balance_matches) == ("-1.00", False)
    assert [(each.kind, each.amount, each.entry_id is None) for each in await stored_lines(unit)][1] == (
        "security", 0, True,
    )  # fmt: skip
    assert (await stored_lines(unit))[1].raw == {"TRNAMT": "-30"}
    (state,) = await unit.reconciliation.statements()
    assert (state.lines, state.unmatched) == (2, 0)


async def test_correction_is_kept_and_told(unit: UnitOfWork) -> None:
    """What a bank corrects is in the books: posting the correction beside it would count it twice."""
    await bring(unit, line("-10.00", "A"))
    correction = file(statement(line("-12.00", "B", corrects="A"), line("5.00", "C")))
    dry = (await import_statements(unit, correction, dry_run=True)).statements[0]
    result = (await import_statements(unit, correction)).statements[0]

    assert (result.added, result.kept, await balance(unit, CHECKING)) == (2, 1, "-5.00")
    assert (dry.decisions[0].reason or "").startswith("it corrects the line with the bank's id A")


async def test_unknown_currency_is_refused(unit: UnitOfWork) -> None:
    """A code that neither ISO 4217 nor the ledger knows names the file and the code; the ledger's own is taken."""
    await assert_refused(unit, file(statement(line("1")), statement(currency="ZZZ")), "bank.ofx: currency 'ZZZ'")
    await unit.currencies.open("ZZZ", exponent=0)
    assert (await bring(unit, line("1"), currency="ZZZ")).currency == "ZZZ"


async def test_lines_without_any_currency_are_refused(unit: UnitOfWork) -> None:
    """A currency is never guessed."""
    await assert_refused(unit, file(statement(line("1"), currency=None)), "in which currency")


async def test_late_error_undoes_the_whole_file(unit: UnitOfWork, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the database refuses in the last line undoes the first, and the unit of work goes on."""
    monkeypatch.setattr(importer, "_CHUNK", 1)
    await unit.ledgers.close_through(unit.ledger_id, date(2026, 7, 31))

    with pytest.raises(PeriodClosedError):
        await bring(unit, line("1"), line("2", on=date(2026, 7, 31)))

    assert (await count(unit, JournalEntry), await count(unit, StoredLine)) == (0, 0)
    assert (await bring(unit, line("1"))).added == 1


@pytest.mark.parametrize(
    ("closing", "on", "matches"),
    [("3.00", FIRST, True), ("3.01", FIRST, False), ("7.00", None, True), ("3", date(2026, 8, 4), False)],
)
async def test_closing_balance_is_compared_on_its_day(
    unit: UnitOfWork,
    closing: str,
    on: date | None,
    matches: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """The books' balance at the end of the stated day, or after all, equals the bank's or not; nothing is refused."""
    lines = [line("1.00"), line("2.00"), line("4.00", on=date(2026, 8, 6))]
    result = await bring(unit, *lines, closing_balance=Decimal(closing), closing_on=on)

    assert (result.closing_balance_matches, result.added) == (matches, 3)


async def test_file_without_closing_balance_says_nothing_of_it(unit: UnitOfWork) -> None:
    """None is not a mismatch."""
    result = await bring(unit, line("1.00"))

    assert (result.closing_balance, result.closing_balance_matches, result.books_balance) == (None, None, None)


async def test_closing_balance_counts_what_was_there_before(unit: UnitOfWork) -> None:
    """The second month's closing balance includes the first month, and a posting by hand."""
    await bring(unit, line("10.00", "A"))
    checking = await unit.accounts.get_or_open(CHECKING, currency="EUR")
    opening = await unit.accounts.get_or_open("Equity:Opening", currency="EUR")
    await unit.journal.post(NewEntry(FIRST, "Opening", [NewPosting(checking, 100), NewPosting(opening, -100)]))
    result = await bring(unit, line("5.00", "B"), closing_balance=Decimal(115))

    assert result.closing_balance_matches


async def test_progress_ends_with_all_lines(unit: UnitOfWork, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told in steps, never falls, and ends with all lines of the file, duplicates included."""
    monkeypatch.setattr(importer, "_CHUNK", 2)
    await bring(unit, line("1", "A"))
    told: list[tuple[int, int]] = []
    both = file(statement(*(line("1", mark) for mark in "ABCD")), statement(line("1"), account="4712"))
    await import_statements(unit, both, progress=lambda done, total: told.append((done, total)))

    assert told == sorted(told)
    assert (told[0], told[-1]) == ((1, 5), (5, 5))


async def test_name_of_a_file_may_be_any_bytes(unit: UnitOfWork) -> None:
    """A file name that is not UTF-8 does not fail the import."""
    odd = file(statement(line("1")), name="ausz\udcfcge.ofx")

    assert (await import_statements(unit, odd)).added == 1
