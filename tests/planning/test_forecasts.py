"""Forecasts: what accounts will hold, from what is posted, held, scheduled and budgeted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finance import Account, Amount, DatabaseManager, Ledger, NewHold, NewPosting, NewSchedule, UnitOfWork
from finance.errors import AccountNotFoundError, InvalidError
from finance.reports import Forecast
from tests.factories import Books, entry, open_books

ON = date(2026, 11, 22)


def day(text: str) -> date:
    """Read a day of 2026."""
    return date.fromisoformat(f"2026-{text}")


async def plan(uow: UnitOfWork, debit: Account, credit: Account, amount: Amount, *when: Any) -> None:
    """Make a schedule of two postings, of a rule and from a day."""
    line = NewPosting(debit, amount)
    await uow.schedules.create(NewSchedule("x", [line, NewPosting(credit, line.value.copy_negate())], *when))


async def of(uow: UnitOfWork, account: Account, ends_on: date, on: date = ON, **words: Any) -> Forecast:
    """Forecast one account."""
    (found,) = await uow.reports.forecast(on, ends_on, accounts=[account], **words)
    return found


def points(found: Forecast) -> list[tuple[str, Decimal, Decimal]]:
    """Tell the points as day, change and balance."""
    return [(f"{each.on:%m-%d}", each.change, each.balance) for each in found.points]


async def household(uow: UnitOfWork) -> Books:
    """Books with 1,000 euros, a salary of 2,000 on the last day of each month, and a rent of 850 on the first."""
    books = await open_books(uow)
    await uow.journal.post(entry(books.checking, books.salary, 1000, on=day("11-01")))
    await plan(uow, books.checking, books.salary, 2000, "FREQ=MONTHLY", day("11-30"))
    await plan(uow, books.food, books.checking, 850, "FREQ=MONTHLY;BYMONTHDAY=1", day("11-15"))
    return books


async def test_schedules_move_the_balance_of_today(uow: UnitOfWork) -> None:
    """Month by month, through the last day that is asked for."""
    books = await household(uow)

    found = await of(uow, books.checking, date(2027, 1, 15))

    assert found.opening == 1000
    assert points(found) == [("11-30", 2000, 3000), ("12-31", 1150, 4150), ("01-15", -850, 3300)]
    assert (found.closing, found.below_on, found.lowest, found.limit) == (3300, None, 1000, 0)


async def test_each_day_is_told_if_asked_for(uow: UnitOfWork) -> None:
    """Those on which nothing happens too."""
    books = await household(uow)

    found = await of(uow, books.checking, day("12-02"), by_day=True)

    assert [each.on for each in found.points] == [ON + timedelta(number) for number in range(11)]
    assert points(found)[7:] == [("11-29", 0, 1000), ("11-30", 2000, 3000), ("12-01", -850, 2150), ("12-02", 0, 2150)]
    with pytest.raises(InvalidError, match="3660"):
        await of(uow, books.checking, date(2040, 1, 1), by_day=True)
    with pytest.raises(InvalidError):
        await of(uow, books.checking, date(2926, 12, 1))
    with pytest.raises(InvalidError):
        await of(uow, books.checking, day("11-21"))


async def test_what_is_overdue_counts_on_the_first_day(uow: UnitOfWork) -> None:
    """And it is told how much that is; once posted it is in the balance, and counts no more."""
    books = await open_books(uow)
    await plan(uow, books.food, books.checking, 100, "FREQ=WEEKLY;COUNT=4", day("11-08"))

    before = await of(uow, books.checking, day("11-30"), by_day=True)
    await uow.schedules.post_due(through=ON)
    after = await of(uow, books.checking, day("11-30"), by_day=True)

    assert (before.opening, before.overdue, before.points[0].balance) == (0, -200, -300)
    assert (after.opening, after.overdue, after.points[0].balance) == (-300, 0, -300)
    assert before.closing == after.closing == -400


async def test_it_says_when_an_account_falls_below_its_limit(uow: UnitOfWork) -> None:
    """On the day itself, though the month ends well: zero, its minimum, or none for what is owed."""
    books = await open_books(uow)
    card = await uow.accounts.open("Liabilities:Card", currency="EUR")
    await uow.journal.post(entry(books.checking, books.salary, 500, on=day("11-01")))
    await plan(uow, books.food, books.checking, 600, "FREQ=MONTHLY", day("12-10"))
    await plan(uow, books.checking, books.salary, 2000, "FREQ=MONTHLY", day("12-20"))
    await plan(uow, books.food, card, 50, "FREQ=MONTHLY", day("12-10"))

    found = await of(uow, books.checking, date(2027, 1, 31))
    assert (found.below_on, found.lowest, found.closing) == (day("12-10"), -100, 3300)
    await uow.accounts.update(books.checking, minimum_balance=-100)
    found = await of(uow, books.checking, date(2027, 1, 31))
    assert (found.below_on, found.limit) == (None, -100)
    await uow.accounts.update(books.checking, minimum_balance=500)
    found = await of(uow, books.checking, date(2027, 1, 31), on=day("12-11"))
    assert found.below_on == day("12-11")  # what was overdue on that day is why
    owed = await of(uow, card, date(2027, 1, 31))
    assert (owed.limit, owed.below_on, owed.closing) == (None, None, -100)


async def test_what_is_posted_with_a_later_date_counts_on_its_day(uow: UnitOfWork) -> None:
    """It is no part of the balance of today."""
    books = await open_books(uow)
    await uow.journal.post(entry(books.food, books.checking, 5, on=ON))
    await uow.journal.post(entry(books.food, books.checking, 7, on=day("11-25")))
    await uow.journal.post(entry(books.food, books.checking, 11, on=day("12-25")))

    found = await of(uow, books.checking, day("12-01"))

    assert found.opening == -5
    assert points(found) == [("11-30", -7, -12), ("12-01", 0, -12)]
    assert found.below_on == ON


async def test_holds_are_taken_for_gone_if_asked(uow: UnitOfWork) -> None:
    """Those whose time is over, or that are closed, are not."""
    books = await household(uow)
    await uow.holds.place(NewHold(books.checking, 300))
    released = NewHold(books.checking, 50)
    await uow.holds.place(released)
    await uow.holds.release(released.id)
    await uow.holds.place(NewHold(books.checking, 9, expires_at=datetime.now(UTC) + timedelta(days=1)))

    without = await of(uow, books.checking, day("11-30"))
    found = await of(uow, books.checking, day("11-30"), holds=True)

    assert (without.held, without.closing) == (0, 3000)
    assert (found.held, found.closing, found.lowest) == (309, 2691, 691)


async def test_budgets_are_spent_to_their_end_if_asked(uow: UnitOfWork) -> None:
    """What is left of this month, and the next ones whole; what is scheduled in the category is not counted twice."""
    books = await open_books(uow)
    lunch = await uow.accounts.open("Expenses:Food:Lunch", currency="EUR")
    yen = await uow.accounts.open("Expenses:Food", currency="JPY")
    await uow.journal.post(entry(books.checking, books.salary, 1000, on=day("11-01")))
    await uow.journal.post(entry(lunch, books.checking, 60, on=day("11-05")))
    await uow.budgets.set(books.food, 100, starts_on=day("10-01"), rollover="all")
    await uow.budgets.set(lunch, 70, starts_on=day("10-01"))
    await uow.budgets.set(yen, 5000, starts_on=day("10-01"))
    await uow.budgets.set(books.salary, 2000, starts_on=day("10-01"))
    await plan(uow, lunch, books.checking, 30, "FREQ=MONTHLY;BYMONTHDAY=10", day("12-01"))

    found = await of(uow, books.checking, date(2027, 1, 15), budgets_from=books.checking)
    category = await of(uow, books.food, date(2027, 1, 15), budgets_from=books.checking.id)

    # November has 100 of October and 40 of its own left; December 100, of which 30 are scheduled; January is not over.
    assert points(found) == [("11-30", -140, 800), ("12-31", -100, 700), ("01-15", -30, 670)]
    assert category.closing == 210


async def test_what_is_scheduled_on_an_edge_of_a_period_counts_in_it(uow: UnitOfWork) -> None:
    """On its first day and on its last one, and in no other."""
    books = await open_books(uow)
    await uow.budgets.set(books.food, 100, starts_on=day("11-01"))
    await plan(uow, books.food, books.checking, 3, "FREQ=MONTHLY;BYMONTHDAY=1", day("12-01"))
    await plan(uow, books.food, books.checking, 20, "FREQ=MONTHLY;BYMONTHDAY=-1", day("12-01"))

    found = await of(uow, books.checking, date(2027, 1, 31), budgets_from=books.checking, by_day=True)

    moved = [(f"{point.on:%m-%d}", point.change) for point in found.points if point.change]
    assert moved == [("11-30", -100), ("12-01", -3), ("12-31", -97), ("01-01", -3), ("01-31", -97)]


async def test_overspending_that_is_carried_leaves_less(uow: UnitOfWork) -> None:
    """November took 30 too much: December has 70, and January is whole again."""
    books = await open_books(uow)
    await uow.journal.post(entry(books.food, books.checking, 130, on=day("11-05")))
    await uow.budgets.set(books.food, 100, starts_on=day("11-01"), rollover="all")

    found = await of(uow, books.checking, date(2027, 1, 31), budgets_from=books.checking)

    assert [change for _, change, _ in points(found)] == [0, -70, -100]


async def test_assets_and_liabilities_are_told_unless_others_are_asked_for(uow: UnitOfWork) -> None:
    """Those that are closed are not; each in its currency, by name."""
    books = await open_books(uow)
    await uow.accounts.open("Assets:Checking", currency="JPY")
    await uow.accounts.open("Liabilities:Card", currency="EUR")
    await uow.accounts.close(await uow.accounts.open("Assets:Old", currency="EUR"), on=ON)

    found = await uow.reports.forecast(ON, ON)

    assert [(each.account, each.currency) for each in found] == [
        ("Assets:Checking", "EUR"),
        ("Assets:Checking", "JPY"),
        ("Liabilities:Card", "EUR"),
    ]
    assert (await of(uow, books.food, ON)).limit is None
    for words in ({"accounts": [10**9]}, {"budgets_from": 10**9}):
        with pytest.raises(AccountNotFoundError):
            await uow.reports.forecast(ON, ON, **words)


MOVES = st.lists(
    st.tuples(st.sampled_from(["posted", "weekly", "monthly", "once"]), st.integers(-20, 60), st.integers(-500, 500)),
    max_size=8,
)


@settings(deadline=None, max_examples=25)
@given(moves=MOVES, days=st.integers(0, 70), posted_through=st.integers(-25, 20))
async def test_a_forecast_is_what_posting_it_makes(
    shared_db: tuple[DatabaseManager, Ledger], moves: Sequence[tuple[str, int, int]], days: int, posted_through: int
) -> None:
    """Posted in full, the schedules lead to the same balances; it does not matter what of them was posted before."""
    manager, ledger = shared_db
    ends_on = ON + timedelta(days)
    async with manager.unit_of_work(ledger) as uow:
        books = await open_books(uow)
        for kind, offset, amount in moves:
            on = ON + timedelta(offset)
            if amount and kind == "posted":
                await uow.journal.post(entry(books.checking, books.salary, amount, on=on))
            elif amount:
                rule = {"weekly": "FREQ=WEEKLY", "monthly": "FREQ=MONTHLY", "once": "FREQ=DAILY;COUNT=1"}[kind]
                await plan(uow, books.checking, books.salary, amount, rule, on)
        await uow.schedules.post_due(through=ON + timedelta(posted_through))
        found = await of(uow, books.checking, ends_on, by_day=True)
        await uow.schedules.post_due(through=ends_on)
        balances = [await uow.accounts.balance(books.checking, on=each.on) for each in found.points]
        await uow.rollback()

    assert [each.balance for each in found.points] == balances
    assert found.below_on == next((each.on for each in found.points if each.balance < 0), None)
    assert found.lowest == min(balances)
