"""Schedules: what they make due, and what becomes of single occurrences."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

import pytest

from finance import DatabaseManager, NewPosting, NewSchedule, Schedule, UnitOfWork
from finance.errors import (
    AccountNotFoundError,
    AlreadyExistsError,
    AmountError,
    FinanceError,
    InvalidError,
    NotFoundError,
    RecurrenceError,
    SealedError,
    UnbalancedEntryError,
)
from tests.factories import Books, open_books

NOVEMBER = date(2026, 11, 1)


def rent(books: Books, rule: str = "FREQ=MONTHLY", starts_on: date = NOVEMBER, **words: Any) -> NewSchedule:
    """Make a schedule that pays 850 euros."""
    return NewSchedule(
        "Rent", [NewPosting(books.food, 850), NewPosting(books.checking, -850)], rule, starts_on, **words
    )


async def due(uow: UnitOfWork, through: date) -> list[str]:
    """Tell what is due: the days that the rules name, and those to post on where these are others."""
    return [
        f"{each.occurs_on:%m-%d}" + (f" on {each.posts_on:%m-%d}" if each.posts_on != each.occurs_on else "")
        for each in await uow.schedules.due(through)
    ]


async def balance(uow: UnitOfWork, books: Books) -> Decimal:
    """Tell what is on the account that is paid from."""
    return await uow.accounts.balance(books.checking)


# --- what is stored ----------------------------------------------------------------------------------


async def test_a_schedule_is_what_was_created(uow: UnitOfWork) -> None:
    """With its postings in order; rows come in pages."""
    books = await open_books(uow)
    new = rent(books, "rrule:freq=monthly", weekends="before", ends_on=date(2027, 1, 1), details={"payee": "Landlord"})

    made = await uow.schedules.create(new)
    other = await uow.schedules.create(rent(books))

    assert (made.id, made.rule, made.weekends, made.details) == (
        new.id,
        "FREQ=MONTHLY",
        "before",
        {"payee": "Landlord"},
    )
    assert [(line.account_id, line.amount) for line in made.postings] == [
        (books.food.id, 850),
        (books.checking.id, -850),
    ]
    assert [each.id async for each in uow.schedules.stream(batch=1)] == [made.id, other.id]
    with pytest.raises(AlreadyExistsError):
        await uow.schedules.create(new)
    await uow.schedules.remove(made)
    assert await uow.schedules.get(made.id) is None
    with pytest.raises(NotFoundError):
        await uow.schedules.get_one(made.id)


@pytest.mark.parametrize(
    ("rule", "words", "error"),
    [
        ("FREQ=HOURLY", {}, RecurrenceError),
        ("FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30", {}, RecurrenceError),
        ("FREQ=MONTHLY", {"weekends": "friday"}, InvalidError),
        ("FREQ=MONTHLY", {"ends_on": date(2026, 10, 31)}, InvalidError),
        ("FREQ=MONTHLY;BYMONTHDAY=15", {"ends_on": date(2026, 11, 14)}, InvalidError),
        ("FREQ=MONTHLY", {"starts_on": "2026-11-01"}, InvalidError),
        ("FREQ=MONTHLY", {"id": "x"}, InvalidError),
        ("FREQ=MONTHLY", {"details": {"x": object()}}, InvalidError),
        ("FREQ=MONTHLY", {"details": {"occurs_on": "sometimes"}}, InvalidError),
    ],
)
async def test_what_is_no_schedule_is_refused(
    uow: UnitOfWork, rule: str, words: dict[str, Any], error: type[FinanceError]
) -> None:
    """Before anything is stored."""
    books = await open_books(uow)
    with pytest.raises(error):
        await uow.schedules.create(rent(books, rule, **words))
    assert [each async for each in uow.schedules.stream()] == []


@pytest.mark.parametrize(
    ("amounts", "error"),
    [((5, -4), UnbalancedEntryError), (("0.005", "-0.005"), AmountError), ((5,), UnbalancedEntryError)],
)
async def test_its_postings_are_those_of_an_entry(
    uow: UnitOfWork, amounts: Sequence[Any], error: type[FinanceError]
) -> None:
    """They balance, and are no finer than their currency; an account is one of this ledger."""
    books = await open_books(uow)
    lines = zip((books.food, books.checking), amounts, strict=False)
    with pytest.raises(error):
        async with uow.savepoint():
            postings = [NewPosting(account, amount) for account, amount in lines]
            await uow.schedules.create(NewSchedule("x", postings, "FREQ=DAILY", NOVEMBER))
    with pytest.raises(AccountNotFoundError):
        unknown = [NewPosting(10**9, 5), NewPosting(books.food, -5)]
        await uow.schedules.create(NewSchedule("x", unknown, "FREQ=DAILY", NOVEMBER))


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("UPDATE schedules SET rule = 'FREQ=DAILY'", SealedError),
        ("UPDATE schedules SET starts_on = '2026-01-01'", SealedError),
        ("UPDATE schedules SET ends_on = '2026-10-31'", InvalidError),
        ("UPDATE schedules SET weekends = 'sunday'", InvalidError),
        ("UPDATE schedules SET paused_on = 'infinity'", InvalidError),
        ("UPDATE schedules SET posted_through = 'infinity'", InvalidError),
        ("UPDATE schedule_postings SET amount = 0", AmountError),
        ("UPDATE schedule_postings SET amount = 0.001", AmountError),
        ("UPDATE schedule_postings SET amount = 'NaN'", AmountError),
        ("UPDATE schedule_postings SET line = line - 1", InvalidError),
        ("DELETE FROM accounts WHERE id = (SELECT min(account_id) FROM schedule_postings)", SealedError),
        (
            "INSERT INTO schedule_changes (ledger_id, schedule_id, occurs_on, amount)"
            " SELECT ledger_id, id, starts_on, 0 FROM schedules",
            AmountError,
        ),
        (
            "INSERT INTO schedule_changes (ledger_id, schedule_id, occurs_on)"
            " SELECT ledger_id, gen_random_uuid(), starts_on FROM schedules",
            NotFoundError,
        ),
    ],
)
async def test_the_database_keeps_the_rules_too(each_db: DatabaseManager, sql: str, error: type[FinanceError]) -> None:
    """Against raw SQL, with the constraint's name."""
    async with each_db.unit_of_work("Household", base_currency="EUR") as uow:
        await uow.schedules.create(rent(await open_books(uow)))
    with pytest.raises(error):
        await each_db.execute(sql)


# --- what is due -------------------------------------------------------------------------------------


async def test_what_is_not_posted_is_due(uow: UnitOfWork) -> None:
    """The oldest first, over all schedules, with the entry that it becomes."""
    books = await open_books(uow)
    made = await uow.schedules.create(rent(books, details={"payee": "Landlord", "tags": ["home"]}))
    await uow.schedules.create(rent(books, "FREQ=WEEKLY;COUNT=2", date(2026, 11, 20)))

    first, *others = await uow.schedules.due(date(2026, 12, 1))

    assert [each.occurs_on.isoformat()[5:] for each in others] == ["11-20", "11-27", "12-01"]
    assert (first.schedule_id, first.occurs_on, first.posts_on) == (made.id, NOVEMBER, NOVEMBER)
    assert first.entry.id == uuid5(made.id, "2026-11-01")
    assert first.entry.details == {
        "payee": "Landlord", "tags": ["home"], "schedule": str(made.id), "occurs_on": "2026-11-01"
    }  # fmt: skip
    assert [(line.account_id, line.value) for line in first.entry.postings] == [
        (books.food.id, 850),
        (books.checking.id, -850),
    ]


async def test_what_is_due_is_posted_once(uow: UnitOfWork) -> None:
    """A second call finds nothing; what falls due later is posted later."""
    books = await open_books(uow)
    await uow.schedules.create(rent(books))

    first = await uow.schedules.post_due(through=date(2026, 12, 15))
    second = await uow.schedules.post_due(through=date(2026, 12, 31))
    third = await uow.schedules.post_due(through=date(2027, 1, 1))

    assert [len(each.posted) for each in (first, second, third)] == [2, 0, 1]
    assert await balance(uow, books) == -2550
    stored = await uow.journal.get_one(first.posted[0].entry.id)
    assert (stored.date, stored.description) == (NOVEMBER, "Rent")


@pytest.mark.parametrize(
    ("weekends", "expected"),
    [
        ("stay", ["11-27", "11-28", "11-29", "11-30"]),
        ("before", ["11-27", "11-28 on 11-27", "11-29 on 11-27", "11-30"]),
        ("after", ["11-27", "11-28 on 11-30", "11-29 on 11-30", "11-30"]),
    ],
)
async def test_weekends_move_the_day_of_posting(uow: UnitOfWork, weekends: str, expected: list[str]) -> None:
    """From Friday 27 to Monday 30 November; what makes it the same occurrence again is the day that the rule names."""
    books = await open_books(uow)
    await uow.schedules.create(rent(books, "FREQ=DAILY;COUNT=4", date(2026, 11, 27), weekends=weekends))

    assert sorted(await due(uow, date(2026, 12, 31))) == expected
    on_friday = [each.occurs_on.day for each in await uow.schedules.due(date(2026, 11, 27))]
    assert on_friday == ([27, 28, 29] if weekends == "before" else [27])


async def test_the_last_day_of_the_calendar_is_not_passed(uow: UnitOfWork) -> None:
    """Neither by what follows a weekend, nor by the search."""
    books = await open_books(uow)
    await uow.schedules.create(rent(books, starts_on=date(9999, 10, 31), weekends="after"))

    assert len(await uow.schedules.due(date.max)) == 3


async def test_a_schedule_ends(uow: UnitOfWork) -> None:
    """On a day that is set later, and that can be taken back."""
    books = await open_books(uow)
    made = await uow.schedules.create(rent(books))

    await uow.schedules.update(made, ends_on=date(2026, 12, 1))
    assert await due(uow, date(2027, 6, 1)) == ["11-01", "12-01"]
    await uow.schedules.update(made.id, ends_on=None)
    assert len(await due(uow, date(2027, 6, 1))) == 8
    with pytest.raises(InvalidError):
        await uow.schedules.update(made, ends_on=date(2026, 10, 1))


async def test_an_edited_schedule_posts_no_occurrence_twice(uow: UnitOfWork) -> None:
    """Other amounts, accounts, text and weekends are for what is not posted yet."""
    books = await open_books(uow)
    made = await uow.schedules.create(rent(books, weekends="before"))
    await uow.schedules.post_due(through=NOVEMBER)
    assert await balance(uow, books) == -850

    changed = await uow.schedules.update(
        made,
        description="Rent, raised",
        postings=[NewPosting(books.food, 900), NewPosting(books.salary, -20), NewPosting(books.checking, -880)],
        weekends="after",
        details={"payee": "New landlord"},
    )
    done = await uow.schedules.post_due(through=date(2026, 12, 1))

    assert [line.amount for line in changed.postings] == [900, -20, -880]
    assert [each.occurs_on for each in done.posted] == [date(2026, 12, 1)]
    assert await balance(uow, books) == -1730
    assert done.posted[0].entry.description == "Rent, raised"
    with pytest.raises(UnbalancedEntryError):
        await uow.schedules.update(made, postings=[NewPosting(books.food, 1), NewPosting(books.checking, -2)])


async def test_a_reversed_occurrence_is_not_posted_again(uow: UnitOfWork) -> None:
    """It happened, and was corrected."""
    books = await open_books(uow)
    await uow.schedules.create(rent(books))
    (posted,) = (await uow.schedules.post_due(through=NOVEMBER)).posted

    await uow.journal.reverse(posted.entry.id)

    assert (await uow.schedules.post_due(through=NOVEMBER)).posted == ()
    assert await balance(uow, books) == 0


# --- single occurrences ------------------------------------------------------------------------------


async def test_one_occurrence_is_skipped_and_restored(uow: UnitOfWork) -> None:
    """Only one that there is, and that is not posted."""
    books = await open_books(uow)
    made = await uow.schedules.create(rent(books))

    await uow.schedules.skip(made, date(2026, 12, 1))
    assert await due(uow, date(2027, 1, 1)) == ["11-01", "01-01"]
    await uow.schedules.restore(made, date(2026, 12, 1))
    assert await due(uow, date(2027, 1, 1)) == ["11-01", "12-01", "01-01"]

    await uow.schedules.post_due(through=NOVEMBER)
    for call in (uow.schedules.skip, uow.schedules.restore):
        with pytest.raises(SealedError):
            await call(made, NOVEMBER)
        with pytest.raises(NotFoundError, match="its rule names"):
            await call(made, date(2026, 12, 2))
    with pytest.raises(NotFoundError):
        await uow.schedules.skip(UUID(int=1), NOVEMBER)


async def test_one_occurrence_is_changed(uow: UnitOfWork) -> None:
    """Another day, text and amount; a later change replaces the whole of an earlier one."""
    books = await open_books(uow)
    made = await uow.schedules.create(rent(books))
    december, january = date(2026, 12, 1), date(2027, 1, 1)

    await uow.schedules.change(made, december, posts_on=date(2026, 11, 20), description="Rent, early", amount="851.50")
    await uow.schedules.change(made, january, amount=1)
    await uow.schedules.change(made, january, description="Rent of the new year")

    assert await due(uow, date(2026, 11, 30)) == ["11-01", "12-01 on 11-20"]
    _, early, last = (await uow.schedules.post_due(through=january)).posted
    assert (early.occurs_on, early.posts_on) == (december, date(2026, 11, 20))
    assert (early.entry.description, early.entry.postings[1].value) == ("Rent, early", Decimal("-851.50"))
    assert (last.entry.description, last.entry.postings[0].value) == ("Rent of the new year", 850)
    with pytest.raises(SealedError):
        await uow.schedules.change(made, december, amount=5)


async def test_a_change_that_says_nothing_is_refused(uow: UnitOfWork) -> None:
    """And an amount for more than two postings, now or once there are more."""
    books = await open_books(uow)
    made = await uow.schedules.create(rent(books))
    three = [NewPosting(books.food, 2), NewPosting(books.salary, -1), NewPosting(books.checking, -1)]
    with pytest.raises(InvalidError):
        await uow.schedules.change(made, NOVEMBER)
    with pytest.raises(AmountError):
        await uow.schedules.change(made, NOVEMBER, amount=0)

    await uow.schedules.change(made, NOVEMBER, amount=5)
    with pytest.raises(InvalidError, match="restore"):
        async with uow.savepoint():
            await uow.schedules.update(made, postings=three)
    await uow.schedules.post_due(through=NOVEMBER)
    await uow.schedules.update(made, postings=three)
    with pytest.raises(InvalidError, match="skip"):
        await uow.schedules.change(made, date(2026, 12, 1), amount=5)


async def test_a_pause_lets_nothing_fall_due(uow: UnitOfWork) -> None:
    """What was due before stays due; what lies in it is skipped when it ends, or not, as one says."""
    books = await open_books(uow)
    made = await uow.schedules.create(rent(books, "FREQ=WEEKLY;COUNT=6"))

    paused = await uow.schedules.pause(made, on=date(2026, 11, 8))
    assert paused.paused_on == date(2026, 11, 8)
    assert await due(uow, date(2027, 1, 1)) == ["11-01"]
    await uow.schedules.resume(made, on=date(2026, 11, 22))
    assert await due(uow, date(2027, 1, 1)) == ["11-01", "11-22", "11-29", "12-06"]

    await uow.schedules.pause(made, on=date(2026, 11, 29))
    await uow.schedules.resume(made, on=date(2026, 11, 29))
    assert await due(uow, date(2027, 1, 1)) == ["11-01", "11-22", "11-29", "12-06"]
    with pytest.raises(InvalidError, match="not paused"):
        await uow.schedules.resume(made, on=NOVEMBER)


async def test_a_proposal_posts_nothing(uow: UnitOfWork) -> None:
    """It tells what would be posted and what refused, and what is due stays due."""
    books = await open_books(uow)
    await uow.schedules.create(rent(books))
    await uow.accounts.update(books.checking, minimum_balance=-1000)

    proposed = await uow.schedules.propose(through=date(2026, 12, 1))

    assert [each.occurs_on.month for each in proposed.posted] == [11]
    assert [each.occurrence.occurs_on.month for each in proposed.refused] == [12]
    assert await balance(uow, books) == 0
    assert await due(uow, date(2026, 12, 1)) == ["11-01", "12-01"]


async def test_what_is_behind_is_looked_at_again_when_it_changes(uow: UnitOfWork) -> None:
    """Once all is posted or skipped, the search goes on from there; what is restored or changed is found again."""
    books = await open_books(uow)
    made = await uow.schedules.create(rent(books, "FREQ=DAILY", weekends="after"))
    days = [NOVEMBER + timedelta(number) for number in range(9)]
    for skipped in days[2:4]:
        await uow.schedules.skip(made, skipped)

    async def posted_through() -> date | None:
        return (await uow.schedules.get_one(made.id)).posted_through

    await uow.schedules.post_due(through=days[4], limit=1)
    assert await posted_through() == days[0]
    await uow.schedules.post_due(through=days[6])
    assert await posted_through() == days[5]  # Saturday 7 is posted on Monday 9
    assert await due(uow, days[6]) == []
    await uow.schedules.restore(made, days[2])
    assert await due(uow, days[6]) == ["11-03"]
    await uow.schedules.post_due(through=days[6])
    await uow.schedules.skip(made, days[8])
    await uow.schedules.post_due(through=days[8])
    assert await posted_through() == days[8]
    await uow.schedules.change(made, days[8], description="After all")
    assert await due(uow, days[8]) == ["11-09"]


async def test_a_refused_occurrence_is_looked_for_again(uow: UnitOfWork) -> None:
    """What came after it was posted."""
    books = await open_books(uow)
    made = await uow.schedules.create(rent(books, "FREQ=DAILY"))
    await uow.schedules.change(made, date(2026, 11, 2), amount=5000)
    await uow.accounts.update(books.checking, minimum_balance=-4000)

    first = await uow.schedules.post_due(through=date(2026, 11, 4))
    await uow.accounts.update(books.checking, minimum_balance=None)
    second = await uow.schedules.post_due(through=date(2026, 11, 5))

    assert [each.occurs_on.day for each in first.posted] == [1, 3, 4]
    assert [each.occurs_on.day for each in second.posted] == [2, 5]


async def test_a_daily_schedule_goes_on_for_ever_if_it_is_posted(uow: UnitOfWork) -> None:
    """The bound is on what is looked for, not on what was."""
    books = await open_books(uow)
    made = await uow.schedules.create(rent(books, "FREQ=DAILY", date(1980, 1, 1)))
    with pytest.raises(RecurrenceError):
        await uow.schedules.due(NOVEMBER)
    await uow.connection.execute(
        "UPDATE schedules SET posted_through = $2 WHERE id = $1", made.id, NOVEMBER - timedelta(1)
    )

    assert await due(uow, NOVEMBER) == ["11-01"]


async def test_a_limit_posts_the_oldest(uow: UnitOfWork) -> None:
    """And says how many are left."""
    books = await open_books(uow)
    await uow.schedules.create(rent(books, "FREQ=DAILY"))
    through = NOVEMBER + timedelta(9)

    first = await uow.schedules.post_due(through=through, limit=4)
    second = await uow.schedules.post_due(through=through)

    assert (len(first.posted), first.left, len(second.posted), second.left) == (4, 6, 6, 0)
    assert max(each.occurs_on for each in first.posted) < min(each.occurs_on for each in second.posted)
    with pytest.raises(InvalidError):
        await uow.schedules.post_due(through=through, limit=0)


async def test_every_day_for_ever_is_cut_with_an_error(uow: UnitOfWork) -> None:
    """Asked for what is due in a hundred years, it is told which part is too much."""
    books = await open_books(uow)
    made = await uow.schedules.create(rent(books, "FREQ=DAILY"))

    with pytest.raises(RecurrenceError) as caught:
        await uow.schedules.due(date(2126, 1, 1))
    assert caught.value.part == "FREQ"
    await uow.schedules.update(made, ends_on=date(2026, 11, 3))
    assert len(await uow.schedules.due(date(2126, 1, 1))) == 3


def test_a_schedule_says_what_it_is_without_its_texts() -> None:
    """They may be personal."""
    row = Schedule(id=UUID(int=1), description="Secret", rule="FREQ=DAILY", starts_on=NOVEMBER)

    assert "Secret" not in repr(row)
