"""Budgets: from when to when they hold, and what was spent against them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from dateutil.relativedelta import relativedelta
from hypothesis import given, settings
from hypothesis import strategies as st

from finance import Account, Amount, BudgetPeriod, DatabaseManager, Ledger, NewPrice, Rollover, UnitOfWork
from finance.errors import (
    AccountNotFoundError,
    AlreadyExistsError,
    AmountError,
    CurrencyError,
    InvalidError,
    NotFoundError,
    PriceNotFoundError,
)
from tests.factories import Books, entry, open_books

JANUARY, YEAR_END = date(2026, 1, 1), date(2026, 12, 31)


async def spend(uow: UnitOfWork, books: Books, on: date, amount: Amount, account: Account | None = None) -> None:
    """Pay an amount for food, or out of checking to another account."""
    await uow.journal.post(entry(account or books.food, books.checking, amount, on=on))


def day(text: str) -> date:
    """Read a day of 2026."""
    return date.fromisoformat(f"2026-{text}")


# --- from when to when -------------------------------------------------------------------------------


async def test_a_budget_holds_until_the_next_one_starts(uow: UnitOfWork) -> None:
    """A later one was set first; one is put between, and one replaces that of its day."""
    food = (await open_books(uow)).food
    await uow.budgets.set(food, 400, starts_on=JANUARY)
    await uow.budgets.set(food, 600, starts_on=day("07-01"), rollover="all")
    await uow.budgets.set(food, 500, starts_on=day("04-01"), period="quarter")
    await uow.budgets.set(food, "450.50", starts_on=day("04-01"), period="quarter")

    terms = await uow.budgets.terms()

    assert [(term.amount, term.period, term.rollover, term.starts_on, term.ends_on) for term in terms] == [
        (400, BudgetPeriod.MONTH, Rollover.NONE, JANUARY, day("03-31")),
        (Decimal("450.50"), BudgetPeriod.QUARTER, Rollover.NONE, day("04-01"), day("06-30")),
        (600, BudgetPeriod.MONTH, Rollover.ALL, day("07-01"), None),
    ]
    assert [term.amount for term in await uow.budgets.terms(on=day("06-30"))] == [Decimal("450.50")]
    found = await uow.budgets.in_force(food, on=day("03-31"))
    assert found is not None
    assert found.amount == 400


async def test_the_database_refuses_a_second_budget_of_a_day(uow: UnitOfWork) -> None:
    """Two for one account can overlap in no other way: each ends where the next one begins."""
    food = (await open_books(uow)).food
    await uow.budgets.set(food, 400, starts_on=JANUARY)

    with pytest.raises(AlreadyExistsError):
        await uow.connection.execute(
            "INSERT INTO budgets (ledger_id, account_id, starts_on, amount) VALUES ($1, $2, $3, 5)",
            *(uow.ledger_id, food.id, JANUARY),
        )
    await uow.rollback()


async def test_a_change_keeps_what_is_not_given(uow: UnitOfWork) -> None:
    """The amount changes, the quarters and the rollover stay; before, there is nothing to change."""
    food = (await open_books(uow)).food
    await uow.budgets.set(food, 400, starts_on=JANUARY, period="quarter", rollover="unused")

    changed = await uow.budgets.change(food, 500, starts_on=day("04-01"))

    assert (changed.amount, changed.period, changed.rollover) == (500, "quarter", "unused")
    assert (await uow.budgets.change(food, starts_on=day("07-01"), rollover="none")).amount == 500
    with pytest.raises(NotFoundError):
        await uow.budgets.change(food, 1, starts_on=date(2025, 12, 31))


async def test_an_ended_budget_is_over_and_may_begin_again(uow: UnitOfWork) -> None:
    """What was to start later is gone, a new one can be set, and what is over cannot be ended again."""
    food = (await open_books(uow)).food
    await uow.budgets.set(food, 400, starts_on=JANUARY)
    await uow.budgets.set(food, 500, starts_on=day("09-01"))

    await uow.budgets.end(food, ends_on=day("06-30"))

    assert [(term.starts_on, term.ends_on) for term in await uow.budgets.terms()] == [(JANUARY, day("06-30"))]
    with pytest.raises(NotFoundError):
        await uow.budgets.end(food, ends_on=day("07-01"))
    await uow.budgets.set(food, 300, starts_on=day("08-01"))
    assert [term.amount for term in await uow.budgets.terms(on=day("08-01"))] == [300]
    report = await uow.reports.budgets(day("05-01"), day("08-31"))
    assert [each.starts_on for each in report.budgets[0].periods] == [day("05-01"), day("06-01"), day("08-01")]


async def test_budgets_are_paged_and_removed(uow: UnitOfWork) -> None:
    """As the rows of every repository are."""
    books = await open_books(uow)
    for month in range(1, 6):
        await uow.budgets.set(books.food, month, starts_on=date(2026, month, 1))

    page = await uow.budgets.page(limit=2)
    rest = await uow.budgets.page(limit=100, after=page.next_cursor)

    assert [each.amount for each in (*page.items, *rest.items)] == [1, 2, 3, 4, 5]
    await uow.budgets.remove(page.items[0])
    assert [each.amount async for each in uow.budgets.stream(batch=2)] == [2, 3, 4, 5]
    with pytest.raises(NotFoundError):
        await uow.budgets.get_one((books.food.id, JANUARY))


@pytest.mark.parametrize(
    ("amount", "words", "error"),
    [
        (-1, {}, AmountError),
        (1.5, {}, AmountError),
        ("1.005", {}, AmountError),
        ("NaN", {}, AmountError),
        (1, {"period": "day"}, InvalidError),
        (1, {"rollover": "some"}, InvalidError),
        (1, {"starts_on": None}, InvalidError),
        (1, {"starts_on": datetime(2026, 1, 1)}, InvalidError),  # noqa: DTZ001 - what is refused
    ],
)
async def test_what_is_no_budget_is_refused(
    uow: UnitOfWork, amount: Any, words: dict[str, Any], error: type[Exception]
) -> None:
    """Before it is sent."""
    food = (await open_books(uow)).food
    with pytest.raises(error):
        await uow.budgets.set(food, amount, **({"starts_on": JANUARY} | words))
    with pytest.raises(AccountNotFoundError):
        await uow.budgets.set(10**9, 1, starts_on=JANUARY)


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ("'2026-01-01', -1, 'month', 'none'", AmountError),
        ("'2026-01-01', 'NaN', 'month', 'none'", AmountError),
        ("'2026-01-01', 1.005, 'month', 'none'", AmountError),
        ("'2026-01-01', 1, 'day', 'none'", InvalidError),
        ("'2026-01-01', 1, 'month', 'some'", InvalidError),
        ("'infinity', 1, 'month', 'none'", InvalidError),
    ],
)
async def test_the_database_keeps_the_rules_too(each_db: DatabaseManager, values: str, error: type[Exception]) -> None:
    """Against raw SQL, with the constraint's name; and an account's budgets go with it."""
    async with each_db.unit_of_work("Household", base_currency="EUR") as uow:
        food = (await open_books(uow)).food
        await uow.budgets.set(food, 1, starts_on=JANUARY)
    sql = "INSERT INTO budgets (ledger_id, account_id, starts_on, amount, period, rollover) VALUES"
    with pytest.raises(error):
        await each_db.execute(f"{sql} ({food.ledger_id}, {food.id}, {values})")
    with pytest.raises(AccountNotFoundError):
        await each_db.execute(f"{sql} ({food.ledger_id}, 999, '2026-01-01', 1, 'month', 'none')")
    await each_db.execute("DELETE FROM accounts WHERE id = $1", food.id)
    assert await each_db.fetchval("SELECT count(*) FROM budgets") == 0


# --- what was spent ----------------------------------------------------------------------------------


async def test_a_category_counts_with_everything_under_it(uow: UnitOfWork) -> None:
    """But not with what is only spelled alike, is in another currency, or lies outside the period."""
    books = await open_books(uow)
    lunch = await uow.accounts.open("Expenses:Food:Lunch", currency="EUR")
    alike = await uow.accounts.open("Expenses:Foodstuff", currency="EUR")
    yen = await uow.accounts.open("Expenses:Food:Sushi", currency="JPY")
    cash = await uow.accounts.open("Assets:Yen", currency="JPY")
    await uow.budgets.set(books.food, 100, starts_on=JANUARY)
    await spend(uow, books, day("01-31"), 30)
    await spend(uow, books, day("01-01"), "12.50", lunch)
    await spend(uow, books, day("02-01"), 7, lunch)
    await spend(uow, books, day("01-15"), 1000, alike)
    await uow.journal.post(entry(yen, cash, 5000, on=day("01-15")))

    report = await uow.reports.budgets(day("01-10"), day("02-10"))

    (progress,) = report.budgets
    january, february = progress.periods
    assert (january.starts_on, january.ends_on) == (JANUARY, day("01-31"))
    assert (january.budgeted, january.spent, january.left) == (100, Decimal("42.50"), Decimal("57.50"))
    assert january.fraction == Decimal("0.4250")
    assert (february.carried_in, february.spent, february.left) == (0, 7, 93)
    assert report.total() == progress.total
    assert (progress.total.budgeted, progress.total.spent, progress.total.left) == (200, Decimal("49.50"), 93)
    assert progress.total.lapsed == Decimal("57.50")


async def test_a_budget_follows_its_branch(uow: UnitOfWork) -> None:
    """Moved with its accounts, it counts what it did; what moves in counts, what moves out does not."""
    books = await open_books(uow)
    lunch = await uow.accounts.open("Expenses:Food:Lunch", currency="EUR")
    gifts = await uow.accounts.open("Expenses:Gifts", currency="EUR")
    await uow.budgets.set(books.food, 100, starts_on=JANUARY)
    for account, amount in ((books.food, 1), (lunch, 10), (gifts, 100)):
        await spend(uow, books, day("01-15"), amount, account)

    async def spent() -> tuple[str, Decimal]:
        (progress,) = (await uow.reports.budgets(JANUARY, day("01-31"))).budgets
        return progress.account, progress.periods[0].spent

    assert await spent() == ("Expenses:Food", 11)
    await uow.accounts.move("Expenses:Food", "Expenses:Living:Meals")
    assert await spent() == ("Expenses:Living:Meals", 11)
    await uow.accounts.move("Expenses:Gifts", "Expenses:Living:Meals:Gifts")
    assert await spent() == ("Expenses:Living:Meals", 111)
    await uow.accounts.move("Expenses:Living:Meals:Lunch", "Expenses:Lunch")
    assert await spent() == ("Expenses:Living:Meals", 101)


async def test_periods_start_where_the_budget_does(uow: UnitOfWork) -> None:
    """Months from payday, weeks from a Wednesday, months from a 31st, years from April; and one that is cut."""
    books = await open_books(uow)
    accounts = [await uow.accounts.open(f"Expenses:{name}", currency="EUR") for name in "ABCDE"]
    await uow.budgets.set(accounts[0], 1, starts_on=date(2025, 12, 25))
    await uow.budgets.set(accounts[1], 1, starts_on=day("01-07"), period="week")
    await uow.budgets.set(accounts[2], 1, starts_on=day("01-31"))
    await uow.budgets.set(accounts[3], 1, starts_on=date(2025, 4, 1), period="year")
    await uow.budgets.set(accounts[4], 1, starts_on=JANUARY, period="quarter")
    await uow.budgets.set(accounts[4], 2, starts_on=day("02-10"))
    for account in accounts:
        for on in ("01-24", "01-25", "02-09", "02-10", "02-28"):
            await spend(uow, books, day(on), 1, account)

    report = await uow.reports.budgets(day("01-20"), day("02-28"))

    assert [
        [(f"{each.starts_on:%y%m%d}-{each.ends_on:%y%m%d}", int(each.spent)) for each in progress.periods]
        for progress in report.budgets
    ] == [
        [("251225-260124", 1), ("260125-260224", 3), ("260225-260324", 1)],
        [
            ("260114-260120", 0), ("260121-260127", 2), ("260128-260203", 0), ("260204-260210", 2),
            ("260211-260217", 0), ("260218-260224", 0), ("260225-260303", 1),
        ],
        [("260131-260227", 2), ("260228-260330", 1)],
        [("250401-260331", 5)],
        [("260101-260209", 3), ("260210-260309", 2)],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("starts", "ends_on", "weeks"),
    [
        (("01-01", "01-15"), None, [("01-01", "01-07"), ("01-08", "01-14"), ("01-15", "01-21"), ("01-22", "01-28")]),
        (("01-01", "01-11"), None, [("01-01", "01-07"), ("01-08", "01-10"), ("01-11", "01-17"), ("01-18", "01-24")]),
        (("01-01", "01-15"), "01-10", [("01-01", "01-07"), ("01-08", "01-10"), ("01-15", "01-21"), ("01-22", "01-28")]),
        (("01-01",), "01-18", [("01-01", "01-07"), ("01-08", "01-14"), ("01-15", "01-18")]),
    ],
)
async def test_weeks_count_their_own_days(
    uow: UnitOfWork, starts: Sequence[str], ends_on: str | None, weeks: Sequence[tuple[str, str]]
) -> None:
    """Where one budget follows the other, where it cuts a week of it short, and where there is none for some days."""
    books = await open_books(uow)
    await uow.budgets.set(books.food, 5, starts_on=day(starts[0]), period="week", rollover="all")
    if ends_on is not None:
        await uow.budgets.end(books.food, ends_on=day(ends_on))
    for on in starts[1:]:
        await uow.budgets.set(books.food, 7, starts_on=day(on), period="week", rollover="all")
    # Two to the power of its number on each day: a sum tells which days are in it.
    await uow.journal.post_many([entry(books.food, books.checking, 2**n, on=JANUARY + timedelta(n)) for n in range(31)])

    report = await uow.reports.budgets(JANUARY, day("01-24"))

    periods = report.budgets[0].periods
    assert [(each.starts_on, each.ends_on) for each in periods] == [(day(first), day(last)) for first, last in weeks]
    for each in periods:
        days = range((each.starts_on - JANUARY).days, (each.ends_on - JANUARY).days + 1)
        assert each.spent == sum(2**number for number in days)


async def test_income_is_what_comes_in(uow: UnitOfWork) -> None:
    """And has a total of its own, which is not added to that of expenses."""
    books = await open_books(uow)
    await uow.budgets.set(books.salary, 3000, starts_on=JANUARY)
    await uow.budgets.set(books.food, 100, starts_on=JANUARY)
    await uow.journal.post(entry(books.checking, books.salary, 2500, on=day("01-31")))

    report = await uow.reports.budgets(JANUARY, day("01-31"))

    assert [(each.type, each.budgeted, each.spent) for each in report.totals] == [
        ("expense", 100, 0),
        ("income", 3000, 2500),
    ]
    income = report.total("income")
    assert income is not None
    assert (income.left, income.fraction) == (500, Decimal("0.8333"))
    assert report.total("asset") is None


async def test_a_budget_within_another_is_counted_once(uow: UnitOfWork) -> None:
    """It is told by itself, and is a part of the total of the one above it."""
    books = await open_books(uow)
    lunch = await uow.accounts.open("Expenses:Food:Out:Lunch", currency="EUR")
    await uow.budgets.set(books.food, 400, starts_on=JANUARY)
    await uow.budgets.set(lunch, 50, starts_on=JANUARY)
    await spend(uow, books, day("01-05"), 20, lunch)

    report = await uow.reports.budgets(JANUARY, day("01-31"))

    assert [(each.within, each.total.spent) for each in report.budgets] == [(None, 20), ("Expenses:Food", 20)]
    total = report.total()
    assert total is not None
    assert (total.budgeted, total.spent) == (400, 20)
    (alone,) = (await uow.reports.budgets(JANUARY, day("01-31"), accounts=[lunch])).budgets
    assert alone.account_id == lunch.id


async def test_unlike_currencies_are_valued_or_not_added(uow: UnitOfWork) -> None:
    """Never at 1:1."""
    books = await open_books(uow)
    dollars = await uow.accounts.open("Expenses:Food", currency="USD")
    await uow.budgets.set(books.food, 100, starts_on=JANUARY)
    await uow.budgets.set(dollars, 50, starts_on=JANUARY)
    await spend(uow, books, day("01-05"), 25)
    month = JANUARY, day("01-31")

    with pytest.raises(CurrencyError, match="budgets_valued"):
        (await uow.reports.budgets(*month)).total()
    with pytest.raises(PriceNotFoundError):
        await uow.reports.budgets_valued(*month)
    await uow.prices.record([NewPrice("USD", "0.90", "EUR", day("01-31"))])
    valued = await uow.reports.budgets_valued(*month)

    assert (valued.budgeted.quote, valued.budgeted.total, valued.spent.total, valued.left.total) == (
        "EUR",
        145,
        25,
        120,
    )


async def test_a_budget_of_nothing_has_no_fraction(uow: UnitOfWork) -> None:
    """And a refund is less than nothing spent."""
    books = await open_books(uow)
    await uow.budgets.set(books.food, 0, starts_on=JANUARY)
    await spend(uow, books, day("01-05"), -25)

    (progress,) = (await uow.reports.budgets(JANUARY, day("01-31"))).budgets

    assert (progress.periods[0].spent, progress.periods[0].left, progress.periods[0].fraction) == (-25, 25, None)


async def test_more_periods_than_anybody_reads_are_refused(uow: UnitOfWork) -> None:
    """Weeks up to the end of the calendar; years are fine, and a ledger without budgets has none."""
    books = await open_books(uow)
    assert (await uow.reports.budgets(date.min, date.max)).budgets == ()
    await uow.budgets.set(books.food, 1, starts_on=JANUARY, period="year")
    (progress,) = (await uow.reports.budgets(date(9990, 1, 1), date.max)).budgets
    assert [each.starts_on.year for each in progress.periods] == list(range(9990, 10_000))
    await uow.budgets.set(books.food, 1, starts_on=JANUARY, period="week")
    with pytest.raises(InvalidError, match="10000"):
        await uow.reports.budgets(JANUARY, date.max)


# --- rolling over ------------------------------------------------------------------------------------


def rolled(months: Sequence[tuple[Rollover, int, int]]) -> list[tuple[int, int]]:
    """Roll over by plain Python: for each month of a rollover, an amount and what was spent, carried in and left."""
    found, carried = [], 0
    for rollover, amount, spent in months:
        left = carried + amount - spent
        found.append((carried, left))
        if rollover == "none" or (rollover == "unused" and left < 0) or (rollover == "overspent" and left > 0):
            carried = 0
        else:
            carried = left
    return found


#: For each month what was spent, and perhaps another budget from its first day on.
MONTHS = st.lists(
    st.tuples(st.none() | st.tuples(st.sampled_from(list(Rollover)), st.integers(0, 500)), st.integers(-100, 900)),
    min_size=1,
    max_size=12,
)


@settings(deadline=None, max_examples=40)
@given(months=MONTHS, first=st.integers(1, 31), asked=st.integers(0, 11))
async def test_what_is_left_rolls_over_as_the_model_says(
    shared_db: tuple[DatabaseManager, Ledger],
    months: list[tuple[tuple[Rollover, int] | None, int]],
    first: int,
    asked: int,
) -> None:
    """Of whole months and of months from any day, of budgets that change or go on, asked for from any month."""
    manager, ledger = shared_db
    budget, anchor, number = (Rollover.ALL, 100), date(2026, 1, first), 0
    lines: list[tuple[Rollover, int, int]] = []
    async with manager.unit_of_work(ledger) as uow:
        books = await open_books(uow)
        await uow.budgets.set(books.food, 100, starts_on=anchor, rollover="all")
        begins = [anchor]
        for changed, spent in months:
            if changed is not None:
                budget, anchor, number = changed, begins[-1], 0
                await uow.budgets.set(books.food, budget[1], starts_on=anchor, rollover=budget[0])
            number += 1
            begins.append(anchor + relativedelta(months=number))
            lines.append((*budget, spent))
            for amount, on in ((spent // 2, begins[-2]), (spent - spent // 2, begins[-1] - timedelta(1))):
                if amount:
                    await spend(uow, books, on, amount)
        asked = min(asked, len(months) - 1)
        report = await uow.reports.budgets(begins[asked], begins[-1] - timedelta(1))
        await uow.rollback()

    (progress,) = report.budgets
    assert [each.starts_on for each in progress.periods] == begins[asked:-1]
    assert [(each.carried_in, each.left) for each in progress.periods] == rolled(lines)[asked:]


async def test_carrying_begins_where_a_period_carried_nothing(uow: UnitOfWork) -> None:
    """What was before is not looked at, and what was carried out of a year that is over is."""
    books = await open_books(uow)
    for year in range(2000, 2026):
        await spend(uow, books, date(year, 6, 1), 1000)
    await uow.budgets.set(books.food, 100, starts_on=date(2000, 1, 1), rollover="all")
    await uow.budgets.set(books.food, 100, starts_on=date(2025, 1, 1), rollover="none")
    await uow.budgets.set(books.food, 100, starts_on=JANUARY, rollover="all")
    await spend(uow, books, day("02-03"), 30)

    (progress,) = (await uow.reports.budgets(day("02-01"), day("03-31"))).budgets

    assert [(each.carried_in, each.left) for each in progress.periods] == [(100, 170), (170, 270)]
