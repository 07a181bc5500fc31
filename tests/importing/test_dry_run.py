"""What would happen, said of each line, and nothing written."""

from __future__ import annotations

from decimal import Decimal

import pytest

from finance import UnitOfWork
from finance.errors import PeriodClosedError, StatementFileError
from finance.models import Account, Assertion, Currency, Import, JournalEntry, Match
from finance.models import Statement as StoredStatement
from finance.models import StatementLine as StoredLine
from finance.statements import import_statements

from .files import CHECKING, FIRST, bring, count, file, line, statement

WRITTEN = (Account, Assertion, Currency, Import, JournalEntry, Match, StoredStatement, StoredLine)


async def rows(uow: UnitOfWork) -> list[int]:
    """Count what an import writes."""
    return [await count(uow, model) for model in WRITTEN]


async def test_dry_run_says_what_an_import_then_does_and_writes_nothing(unit: UnitOfWork) -> None:
    """Neither an account, nor a currency, nor a statement; the numbers are those of the import that follows."""
    await bring(unit, line("-1.00", "A", payee="Baker"))
    before = await rows(unit)
    both = file(
        statement(
            line("-1.00", "A"), line("-2.00", "B", payee="Grocer"), line("5", memo="Pay"), line("0", "Z"),
            closing_balance=Decimal(3),
        ),
        statement(line("7", "J"), account="4712", currency="JPY"),
        name="second.ofx",
    )  # fmt: skip

    dry = await import_statements(unit, both, dry_run=True)

    assert await rows(unit) == before
    assert (dry.is_dry_run, dry.id, dry.added, dry.refused) == (True, None, 4, 0)
    first, second = dry.statements
    assert [(each.number, each.decision, each.counter, each.text) for each in first.decisions] == [
        (1, "known", None, ""),
        (2, "new", "Expenses:Uncategorised", "Grocer"),
        (3, "new", "Income:Uncategorised", "Pay"),
        (4, "new", None, ""),
    ]
    assert [(each.amount, each.date, each.decision) for each in second.decisions] == [(Decimal(7), FIRST, "new")]
    assert first.books_balance == Decimal("2.00")
    real = await import_statements(unit, both)
    assert [(each.added, each.duplicates, each.books_balance) for each in real.statements] == [
        (each.added, each.duplicates, each.books_balance) for each in dry.statements
    ]
    assert (real.is_dry_run, real.statements[0].decisions) == (False, ())


async def test_duplicates_are_explained(unit: UnitOfWork) -> None:
    """By the bank's id or by content, with the line that is there, and which of several equal ones it is."""
    await bring(unit, line("1", "A"), line("2", payee="Tea"), line("2", payee="Tea"))

    again = file(statement(line("2", payee="Tea"), line("2", payee="Tea"), line("2", payee="Tea"), line("1", "A")))
    (found,) = (await import_statements(unit, again, dry_run=True)).statements

    assert [each.decision for each in found.decisions] == ["known", "known", "new", "known"]
    reasons = [each.reason or "" for each in found.decisions]
    assert reasons[0].startswith("date, amount, payee and memo are those of line 2 of bank.ofx, imported 20")
    assert "line 3 of bank.ofx" in reasons[1]
    assert reasons[1].endswith("number 2 of its equals")
    assert reasons[3].startswith("the bank's id, date and amount are those of line 1 of bank.ofx")


async def test_lines_that_keep_a_file_out_are_all_told(unit: UnitOfWork) -> None:
    """The import itself stops at the first; a dry run says each, and goes on."""
    bad = file(statement(line("1.005", "A"), line("1"), line("2.005", "B")))

    result = await import_statements(unit, bad, dry_run=True)

    assert [each.decision for each in result.statements[0].decisions] == ["refused", "new", "refused"]
    assert (result.refused, result.added, result.statements[0].duplicates) == (2, 1, 0)
    assert "2 decimals of EUR" in (result.statements[0].decisions[0].reason or "")
    assert "amount 2.005" in (result.statements[0].decisions[2].reason or "")
    with pytest.raises(StatementFileError, match=r"1\.005"):
        await import_statements(unit, bad)


async def test_what_the_books_refuse_is_refused_in_a_dry_run(unit: UnitOfWork) -> None:
    """It takes the same way: a closed period is told, and the unit of work goes on."""
    await unit.ledgers.close_through(unit.ledger_id, FIRST)

    with pytest.raises(PeriodClosedError):
        await import_statements(unit, file(statement(line("1"))), dry_run=True)

    assert await unit.accounts.get_by_name(CHECKING) is None
