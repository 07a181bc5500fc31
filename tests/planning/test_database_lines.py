"""What the docstrings of plans say of statements, counted on the wire."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any
from uuid import UUID

import pytest

from finance import DatabaseManager, NewPosting, NewSchedule, UnitOfWork
from finance.reports import Reports
from finance.repositories import BudgetRepository, ScheduleRepository
from tests.conftest import Queries
from tests.factories import TODAY, Books, entry, open_books
from tests.test_database_lines import stated

ID, DAY, LATER = UUID(int=1), date(2026, 1, 1), date(2026, 2, 1)

CALLS: dict[str, tuple[object, Callable[[UnitOfWork, Books], Awaitable[Any]], dict[str, int]]] = {
    "budgets.set": (BudgetRepository.set, lambda uow, books: uow.budgets.set(books.food, 5, starts_on=DAY), {}),
    "budgets.end": (BudgetRepository.end, lambda uow, books: uow.budgets.end(books.food, ends_on=LATER), {}),
    "budgets.in_force": (BudgetRepository.in_force, lambda uow, books: uow.budgets.in_force(books.food, on=LATER), {}),
    "budgets.terms": (BudgetRepository.terms, lambda uow, _: uow.budgets.terms(), {}),
    "schedules.create": (ScheduleRepository.create, lambda uow, books: uow.schedules.create(daily(books)), {}),
    # And what reading it takes.
    "schedules.update": (
        ScheduleRepository.update,
        lambda uow, _: uow.schedules.update(ID, description=""),
        {"SELECT": 2},
    ),
    "schedules.pause": (ScheduleRepository.pause, lambda uow, _: uow.schedules.pause(ID, on=DAY), {"SELECT": 2}),
    "schedules.get": (ScheduleRepository.get, lambda uow, _: uow.schedules.get(ID), {}),
    "schedules.page": (ScheduleRepository.page, lambda uow, _: uow.schedules.page(), {}),
    "schedules.skip": (ScheduleRepository.skip, lambda uow, _: uow.schedules.skip(ID, LATER), {}),
    "schedules.restore": (ScheduleRepository.restore, lambda uow, _: uow.schedules.restore(ID, LATER), {}),
    "schedules.due": (ScheduleRepository.due, lambda uow, _: uow.schedules.due(TODAY), {}),
    "reports.budgets": (Reports.budgets, lambda uow, _: uow.reports.budgets(DAY, LATER), {}),
    "reports.budgets_valued": (Reports.budgets_valued, lambda uow, _: uow.reports.budgets_valued(DAY, LATER), {}),
    "reports.forecast": (Reports.forecast, lambda uow, _: uow.reports.forecast(DAY, LATER), {}),
}


def daily(books: Books, **words: Any) -> NewSchedule:
    """Make a schedule of every day."""
    return NewSchedule("x", [NewPosting(books.food, 1), NewPosting(books.checking, -1)], "FREQ=DAILY", DAY, **words)


@pytest.mark.parametrize(("method", "call", "besides"), CALLS.values(), ids=CALLS)
async def test_the_database_line_of_a_docstring_is_true(
    db: DatabaseManager,
    queries: Queries,
    method: object,
    call: Callable[[UnitOfWork, Books], Awaitable[Any]],
    besides: dict[str, int],
) -> None:
    """A reader budgets round trips with it."""
    async with db.unit_of_work("Household", base_currency="EUR") as uow:
        books = await open_books(uow)
        await uow.journal.post(entry(books.food, books.checking, 1))
        await uow.budgets.set(books.food, 5, starts_on=DAY)
        await uow.schedules.create(daily(books, id=ID))

        assert Counter(await queries.of(call(uow, books))) == stated(method) + Counter(besides)
