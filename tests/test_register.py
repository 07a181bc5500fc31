"""Registers in pages: both directions, both orders, right after backdating, and bounded in what they read."""

from __future__ import annotations

import base64
import json
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from finance import DatabaseManager, Page, UnitOfWork
from finance.errors import AccountNotFoundError, InvalidError
from finance.identifiers import uuid7
from finance.models import NewEntry, NewPosting
from finance.reports import RegisterLine
from tests.factories import Books, entry, open_books
from tests.test_balances import _analyze, _rows_read

Key = tuple[date, UUID, int]
FIRST = date(2026, 1, 1)


async def _walk(uow: UnitOfWork, account: Any, *, limit: int, **wish: Any) -> list[Page[RegisterLine]]:
    """Read every page from the first to the last."""
    pages = [await uow.reports.register_page(account, limit=limit, **wish)]
    while pages[-1].next_cursor is not None:
        pages.append(await uow.reports.register_page(account, limit=limit, after=pages[-1].next_cursor, **wish))
    return pages


def _amounts(page: Page[RegisterLine]) -> list[Decimal]:
    return [line.amount for line in page.items]


async def _post(uow: UnitOfWork, books: Books, days: list[int]) -> None:
    for number, day in enumerate(days, 1):
        await uow.journal.post(entry(books.food, books.checking, number, on=FIRST + timedelta(days=day)))


async def test_pages_lead_forward_and_back(uow: UnitOfWork) -> None:
    """Each knows the next and the one before; the first and the last say that they are."""
    books = await open_books(uow)
    await _post(uow, books, [0, 1, 2, 3, 4])

    first, second, third = await _walk(uow, books.food, limit=2)
    back = await uow.reports.register_page(books.food, limit=2, before=third.previous_cursor)

    assert [_amounts(page) for page in (first, second, third)] == [[1, 2], [3, 4], [5]]
    assert [line.balance for page in (first, second, third) for line in page.items] == [1, 3, 6, 10, 15]
    assert (first.previous_cursor, third.next_cursor) == (None, None)
    assert back == second


async def test_the_newest_first_begin_at_the_end(uow: UnitOfWork) -> None:
    """People read a register from its end; nothing has to be walked through to get there."""
    books = await open_books(uow)
    await _post(uow, books, [0, 40, 80, 120, 160])

    pages = await _walk(uow, books.food, limit=2, newest_first=True)
    back = await uow.reports.register_page(books.food, limit=2, before=pages[1].previous_cursor, newest_first=True)

    assert [_amounts(page) for page in pages] == [[5, 4], [3, 2], [1]]
    assert [line.balance for page in pages for line in page.items] == [15, 10, 6, 3, 1]
    assert back.items == pages[0].items
    assert (back.previous_cursor, back.next_cursor) == (None, pages[0].next_cursor)


async def test_what_is_posted_meanwhile_neither_repeats_nor_hides_a_line(uow: UnitOfWork) -> None:
    """A backdated line in front of the cursor moves the balances behind it, and no line."""
    books = await open_books(uow)
    await _post(uow, books, [0, 10, 40])
    page = await uow.reports.register_page(books.food, limit=2)

    await uow.journal.post(entry(books.food, books.checking, 500, on=FIRST + timedelta(days=5)))
    await uow.journal.post(entry(books.food, books.checking, 7, on=FIRST + timedelta(days=50)))

    rest = await uow.reports.register_page(books.food, limit=2, after=page.next_cursor)
    assert [(line.amount, line.balance) for line in rest.items] == [(3, 506), (7, 513)]


async def test_several_lines_of_one_entry_are_apart(uow: UnitOfWork) -> None:
    """A page may end between them, and the balance counts those before it."""
    books = await open_books(uow)
    lines = [NewPosting(books.food, amount) for amount in (1, 2, 3)]
    await uow.journal.post(NewEntry(FIRST, "Split", [*lines, NewPosting(books.checking, -6, "all")], id=uuid7()))

    pages = await _walk(uow, books.food, limit=1)

    assert [(line.line, line.balance) for page in pages for line in page.items] == [(1, 1), (2, 3), (3, 6)]
    (line,) = (await uow.reports.register_page(books.checking)).items
    assert (line.description, line.memo, line.line, line.date) == ("Split", "all", 4, FIRST)


async def test_each_line_has_its_own_memo_or_none(uow: UnitOfWork) -> None:
    """Whatever the page, however long, and whatever other lines of the entry and the account have."""
    books = await open_books(uow)
    long = "x" * 100_000
    memos = ["first", None, long, None, "", "last"]
    lines = [NewPosting(books.food, number, memo) for number, memo in enumerate(memos, 1)]
    await uow.journal.post(NewEntry(FIRST, "Split", [*lines, NewPosting(books.checking, -21, "other")], id=uuid7()))
    await _post(uow, books, [0, 1])

    for limit in (1, 2, 3, 50):
        for newest_first in (False, True):
            pages = await _walk(uow, books.food, limit=limit, newest_first=newest_first)
            found = [line.memo for page in pages for line in page.items]
            assert (found[::-1] if newest_first else found) == [*memos, None, None]


async def test_the_days_bound_the_list_not_the_balance(uow: UnitOfWork) -> None:
    """What was before the first day counts."""
    books = await open_books(uow)
    await _post(uow, books, [0, 10, 20, 30])

    bounds = {"start_on": FIRST + timedelta(days=10), "end_on": FIRST + timedelta(days=20)}
    for newest_first in (False, True):
        pages = await _walk(uow, books.food, limit=1, newest_first=newest_first, **bounds)
        found = [(line.amount, line.balance) for page in pages for line in page.items]
        assert sorted(found) == [(2, 3), (3, 6)]


async def test_an_account_without_postings_has_an_empty_page(uow: UnitOfWork) -> None:
    """And leads nowhere; an unknown one is an error."""
    books = await open_books(uow)

    assert await uow.reports.register_page(books.food) == Page([], None, None)
    with pytest.raises(AccountNotFoundError):
        await uow.reports.register_page(987_654_321)


def _forged(*values: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode()


async def test_a_damaged_cursor_is_refused(uow: UnitOfWork) -> None:
    """As is another account's, that of the other order, and two at once."""
    books = await open_books(uow)
    await _post(uow, books, [0, 1])
    cursor = (await uow.reports.register_page(books.food, limit=1)).next_cursor
    name = f"register {books.food.id} oldest first"
    id_ = str(uuid7())
    keys: list[list[Any]] = [
        [], ["2026-13-01", id_, 1], ["2026-01-01", "no id", 1], ["2026-01-01", id_, "one"], ["2026-01-01", id_, 2**70],
        [1] * 99, ["2026-01-01", id_, None], ["2026-01-01", id_, float("nan")],
    ]  # fmt: skip
    damaged = ["", "x", *(_forged(name, *key) for key in keys)]

    for wrong in damaged:
        with pytest.raises(InvalidError):
            await uow.reports.register_page(books.food, after=wrong)
        with pytest.raises(InvalidError):
            await uow.reports.register_page(books.food, before=wrong)
    for call in (
        uow.reports.register_page(books.checking, after=cursor),
        uow.reports.register_page(books.food, after=cursor, newest_first=True),
        uow.reports.register_page(books.food, after=cursor, before=cursor),
        uow.reports.register_page(books.food, limit=0),
        uow.reports.register_page(books.food, limit=1001),
    ):
        with pytest.raises(InvalidError):
            await call


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    days=st.lists(st.integers(0, 100), min_size=1, max_size=25),
    late=st.lists(st.integers(0, 100), max_size=5),
    limit=st.integers(1, 9),
    newest_first=st.booleans(),
    turns=st.integers(0, 6),
)
async def test_a_register_is_what_a_plain_list_would_be(
    uow: UnitOfWork,
    *,
    days: list[int],
    late: list[int],
    limit: int,
    newest_first: bool,
    turns: int,
) -> None:
    """Walked down with backdated lines coming in halfway, and back up: each page against a list in Python."""
    async with uow.savepoint():
        books = await open_books(uow, prefix=f"{uuid7()}:")
        model: dict[Key, Decimal] = {}

        async def post(day: int) -> None:
            new = entry(books.food, books.checking, day + 1, on=FIRST + timedelta(days=day))
            await uow.journal.post(new)
            model[new.date, new.id, 1] = Decimal(day + 1)

        def expected() -> list[tuple[Key, Decimal]]:
            total, lines = Decimal(0), []
            for key in sorted(model):
                total += model[key]
                lines.append((key, total))
            return lines[::-1] if newest_first else lines

        for day in days:
            await post(day)
        cursor: str | None = None
        place: Key | None = None
        for turn in range(turns + 1):
            page = await uow.reports.register_page(books.food, after=cursor, limit=limit, newest_first=newest_first)
            found = [((line.date, line.entry_id, line.line), line.balance) for line in page.items]
            lines = expected()
            start = 0 if place is None else [key for key, _ in lines].index(place) + 1
            assert found == lines[start : start + limit]
            assert (page.next_cursor is None) == (start + limit >= len(lines))
            if turn == turns or page.next_cursor is None:
                break
            cursor, place = page.next_cursor, found[-1][0]
            if turn < len(late):
                await post(late[turn])
        while page.previous_cursor is not None:
            first = (page.items[0].date, page.items[0].entry_id, page.items[0].line)
            page = await uow.reports.register_page(
                books.food, before=page.previous_cursor, limit=limit, newest_first=newest_first
            )
            lines = expected()
            end = [key for key, _ in lines].index(first)
            found = [((line.date, line.entry_id, line.line), line.balance) for line in page.items]
            assert found == lines[max(0, end - limit) : end]


async def test_a_page_reads_the_months_a_part_of_one_and_itself(each_db: DatabaseManager, each_dsn: str) -> None:
    """Of 100,000 postings on one account, whichever page: counted in rows by the server."""
    ledger = await each_db.ledgers.create("Long", base_currency="EUR")
    async with each_db.unit_of_work(ledger) as uow:
        books = await open_books(uow)
        await uow.connection.execute(
            """
            WITH entry AS (
                INSERT INTO journal_entries (ledger_id, id, date)
                SELECT $1, new_entry_id(), date '2016-01-01' + (n / 28)::int FROM generate_series(0, 99999) AS n
                RETURNING id, date)
            INSERT INTO postings (ledger_id, entry_id, line, account_id, date, currency, amount)
            SELECT $1, id, line, account, date, 'EUR', amount
              FROM entry, (VALUES (1, $2::bigint, 1), (2, $3::bigint, -1)) AS l (line, account, amount)
            """,
            uow.ledger_id,
            books.food.id,
            books.checking.id,
        )
    await _analyze(each_dsn)

    async with each_db.unit_of_work(ledger) as uow:
        last = await uow.reports.register_page(books.food, newest_first=True)
        assert last.items[0].balance == 100_000
        wishes: list[dict[str, Any]] = [
            {},
            {"newest_first": True},
            {"newest_first": True, "after": last.next_cursor},
            {"start_on": date(2021, 5, 31)},
            {"end_on": date(2021, 5, 31), "newest_first": True},
        ]
        for wish in wishes * 7:  # so that the server has made its plan for good
            before = await _rows_read(uow)
            page = await uow.reports.register_page(books.food, **wish)
            months, postings = (await _rows_read(uow) - before).values()
            assert len(page.items) == 50
            assert (months <= 240, postings <= 31 * 28 + 2 * 110) == (True, True), (wish, months, postings)
        # None of them has a memo, and all else stands in the index.
        assert await _postings_fetched(uow) == 0


async def _postings_fetched(uow: UnitOfWork) -> int:
    """Count the rows of the table itself that were looked at, by whichever index."""
    count = await uow.connection.fetchval(
        "SELECT pg_stat_get_xact_tuples_fetched('public.postings'::regclass)"
        " + sum(pg_stat_get_xact_tuples_fetched(indexrelid))"
        " FROM pg_index WHERE indrelid = 'public.postings'::regclass"
    )
    return int(count)
