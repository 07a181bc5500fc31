"""Holds: value reserved, settled in full or in part, released, expired."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio

from finance import Account, DatabaseManager, HoldStatus, Ledger, NewEntry, NewHold, NewPosting, UnitOfWork
from finance.errors import (
    AccountClosedError,
    AccountHeldError,
    AccountNotFoundError,
    AmountError,
    BalanceLimitError,
    EntryConflictError,
    HoldClosedError,
    HoldConflictError,
    HoldExceededError,
    HoldExpiredError,
    HoldNotFoundError,
    InvalidError,
    SealedError,
)
from finance.identifiers import uuid7
from tests.conftest import Queries
from tests.factories import TODAY, Books, entry, open_books
from tests.test_corrections import outcomes

SOON = timedelta(milliseconds=150)


def _in(time: timedelta) -> datetime:
    return datetime.now(UTC) + time


async def fund(uow: UnitOfWork, amount: int = 100) -> Books:
    """Open the three accounts, with *amount* on checking, which may not fall below zero."""
    books = await open_books(uow)
    await uow.journal.post(entry(books.checking, books.salary, amount))
    await uow.accounts.update(books.checking, minimum_balance=0)
    return books


async def held(uow: UnitOfWork, account: Account) -> tuple[Decimal | int, Decimal | int, Decimal | int]:
    """Return the balance, what is held and what is available."""
    stored = await uow.accounts.get_one(account.id)
    return stored.balance, stored.held, stored.available


@pytest_asyncio.fixture
async def funded(db: DatabaseManager) -> tuple[Ledger, Books]:
    """A ledger with 100 euros on checking, committed."""
    ledger = await db.ledgers.create("Holds", base_currency="EUR")
    async with db.unit_of_work(ledger) as uow:
        books = await fund(uow)
    return ledger, books


# --- placing -------------------------------------------------------------------------------------------


async def test_a_hold_is_available_no_more(uow: UnitOfWork) -> None:
    """The balance stays, what is available shrinks, and the version of the account counts neither."""
    books = await fund(uow)
    version = (await uow.accounts.get_one(books.checking.id)).version

    placed = await uow.holds.place(NewHold(books.checking, "30.50", "Hotel"))

    assert not placed.is_replay
    assert await held(uow, books.checking) == (100, Decimal("30.5"), Decimal("69.5"))
    assert (await uow.accounts.get_one(books.checking.id)).version == version
    hold = await uow.holds.get_one(placed.id)
    assert (hold.status, hold.amount, hold.currency, hold.description) == ("open", Decimal("30.50"), "EUR", "Hotel")
    assert (hold.entry_id, hold.settled_amount, hold.closed_at, hold.expires_at) == (None, None, None, None)


async def test_limits_count_what_is_held(db: DatabaseManager, funded: tuple[Ledger, Books]) -> None:
    """Neither a posting nor another hold may take it; what is left may be taken to the last cent."""
    ledger, books = funded
    async with db.unit_of_work(ledger) as uow:
        await uow.holds.place(NewHold(books.checking, 60))

    refusals: list[Callable[[UnitOfWork], Awaitable[object]]] = [
        lambda uow: uow.journal.post(entry(books.food, books.checking, "40.01")),
        lambda uow: uow.holds.place(NewHold(books.checking, "40.01")),
        lambda uow: uow.accounts.update(books.checking, minimum_balance="40.01"),
    ]
    for refused in refusals:
        with pytest.raises(BalanceLimitError, match="minimum"):
            async with db.unit_of_work(ledger) as uow:
                await refused(uow)
    async with db.unit_of_work(ledger) as uow:
        await uow.journal.post(entry(books.food, books.checking, 40))
        assert await held(uow, books.checking) == (60, 60, 0)


async def test_fifty_who_place_at_once_get_what_there_is(db: DatabaseManager, funded: tuple[Ledger, Books]) -> None:
    """Of fifty holds of 10 on 100, ten."""
    ledger, books = funded

    async def place() -> object:
        async with db.unit_of_work(ledger) as uow:
            return await uow.holds.place(NewHold(books.checking, 10))

    placed, errors = await outcomes(*(place() for _ in range(50)))

    assert (len(placed), errors) == (10, {"BalanceLimitError": 40})
    assert await db.fetchval("SELECT held FROM accounts WHERE id = $1", books.checking.id) == 100
    assert (await db.verify(ledger)).is_clean


async def test_placing_again_is_a_replay(db: DatabaseManager, funded: tuple[Ledger, Books]) -> None:
    """Many at once, and later, when it has been closed."""
    ledger, books = funded
    new = NewHold(books.checking, 70, "Once", _in(SOON))

    async def place() -> bool:
        async with db.unit_of_work(ledger) as uow:
            return (await uow.holds.place(new)).is_replay

    placed, errors = await outcomes(*(place() for _ in range(10)))
    await asyncio.sleep(0.2)

    assert (errors, Counter(placed)) == ({}, {False: 1, True: 9})
    assert await place()
    assert await db.fetchval("SELECT count(*) FROM holds") == 1


@pytest.mark.parametrize(
    "change", [{"amount": 6}, {"description": "x"}, {"expires_at": datetime(2999, 1, 1, tzinfo=UTC)}, {"account": ...}]
)
async def test_the_same_id_with_other_content_is_refused(uow: UnitOfWork, change: dict[str, Any]) -> None:
    """The id of a hold belongs to its content."""
    books = await fund(uow)
    new = NewHold(books.checking, 5)
    await uow.holds.place(new)
    if change.get("account") is ...:
        change = {"account": books.food}

    with pytest.raises(HoldConflictError) as caught:
        await uow.holds.place(dataclasses.replace(new, **change))

    assert caught.value.hold_id == new.id


async def test_what_cannot_be_held_is_refused(db: DatabaseManager, funded: tuple[Ledger, Books]) -> None:
    """The rules of a posting: its account, its currency, its decimals; and its time is to come."""
    ledger, books = funded
    async with db.unit_of_work(ledger) as uow:
        await uow.accounts.close(books.salary, on=TODAY)
    async with db.unit_of_work("Other", base_currency="EUR") as uow:
        foreign = await uow.accounts.open("Assets:Foreign", currency="EUR")
    refused: list[tuple[NewHold, type[Exception], str]] = [
        (NewHold(books.checking, "0.001"), AmountError, r"amount 0\.001: has more than the 2 decimals of EUR"),
        (NewHold(books.salary, 1), AccountClosedError, str(books.salary.id)),
        (NewHold(foreign, 1), AccountNotFoundError, "Foreign"),
        (NewHold(foreign.id, 1), AccountNotFoundError, str(foreign.id)),
        (NewHold(999_999, 1), AccountNotFoundError, "999999"),
        (NewHold(books.checking, 1, expires_at=_in(-SOON)), InvalidError, "expires after"),
    ]

    for new, error, said in refused:
        with pytest.raises(error, match=said):
            async with db.unit_of_work(ledger) as uow:
                await uow.holds.place(new)

    assert await db.fetchval("SELECT count(*) FROM holds") == 0


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((1, 0), AmountError),
        ((1, -5), AmountError),
        ((1, 1.5), AmountError),
        ((1, "NaN"), AmountError),
        ((1, "1E+24"), AmountError),
        (("Assets", 1), InvalidError),
        ((1, 1, "a\x00"), InvalidError),
        ((1, 1, "", datetime(2999, 1, 1)), InvalidError),  # noqa: DTZ001 - refused
        ((1, 1, "", "tomorrow"), InvalidError),
        ((1, 1, "", None, "id"), InvalidError),
    ],
)
def test_a_value_that_is_no_hold_is_refused(arguments: tuple[Any, ...], error: type[Exception]) -> None:
    """Before anything is sent."""
    with pytest.raises(error):
        NewHold(*arguments)


# --- settling ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("taken", ["30", "12.34"])
async def test_settle_takes_what_was_held_or_a_part(
    db: DatabaseManager, funded: tuple[Ledger, Books], taken: str
) -> None:
    """The entry is posted, and the rest is free; all that is available may be held before."""
    ledger, books = funded
    async with db.unit_of_work(ledger) as uow:
        hold = await uow.holds.place(NewHold(books.checking, 30))
        await uow.holds.place(NewHold(books.checking, 70))

    async with db.unit_of_work(ledger) as uow:
        settled = await uow.holds.settle(hold.id, entry(books.food, books.checking, taken))
        assert await held(uow, books.checking) == (100 - Decimal(taken), 70, 30 - Decimal(taken))

    async with db.unit_of_work(ledger) as uow:
        stored = await uow.holds.get_one(hold.id)
        assert (await uow.journal.get_one(settled.id)).settles_id == hold.id
    assert (settled.hold_id, settled.amount, settled.is_replay) == (hold.id, Decimal(taken), False)
    assert (stored.status, stored.entry_id, stored.settled_amount) == ("settled", settled.id, Decimal(taken))
    assert stored.closed_at is not None
    assert (await db.verify(ledger)).is_clean


async def test_settle_counts_every_line_on_the_account(uow: UnitOfWork) -> None:
    """Two credits and a refund on it are what it takes together; other accounts may be in the entry."""
    books = await fund(uow)
    hold = await uow.holds.place(NewHold(books.checking, 30))
    amounts = [(books.checking, -20), (books.checking, -15), (books.checking, 5), (books.food, 30)]

    settled = await uow.holds.settle(hold.id, NewEntry(TODAY, "", [NewPosting(*line) for line in amounts]))

    assert settled.amount == 30


async def test_settling_again_with_the_same_entry_is_a_replay(
    db: DatabaseManager, funded: tuple[Ledger, Books]
) -> None:
    """The entry's id makes it once; other content under it is refused."""
    ledger, books = funded
    spent = entry(books.food, books.checking, 30)
    async with db.unit_of_work(ledger) as uow:
        hold = await uow.holds.place(NewHold(books.checking, 30))

    async def settle() -> bool:
        async with db.unit_of_work(ledger) as uow:
            return (await uow.holds.settle(hold.id, spent)).is_replay

    done, errors = await outcomes(*(settle() for _ in range(8)))

    # Whoever read the hold before it was settled is told so by the entry's id, whoever read it after by the hold.
    assert (errors, Counter(done)) == ({}, {False: 1, True: 7})
    with pytest.raises(EntryConflictError):
        async with db.unit_of_work(ledger) as uow:
            await uow.holds.settle(hold.id, dataclasses.replace(spent, description="Other"))


async def test_of_many_who_settle_at_once_one_does(db: DatabaseManager, funded: tuple[Ledger, Books]) -> None:
    """The others are told that it is settled, and nothing of theirs is stored."""
    ledger, books = funded
    async with db.unit_of_work(ledger) as uow:
        hold = await uow.holds.place(NewHold(books.checking, 30))

    async def settle(amount: int) -> object:
        async with db.unit_of_work(ledger) as uow:
            return await uow.holds.settle(hold.id, entry(books.food, books.checking, amount))

    done, errors = await outcomes(*(settle(amount) for amount in range(1, 17)))

    assert (len(done), errors) == (1, {"HoldClosedError": 15})
    with pytest.raises(HoldClosedError, match="settled already") as caught:
        await settle(1)
    assert (caught.value.hold_id, caught.value.status) == (hold.id, "settled")
    assert await db.fetchval("SELECT count(*) FROM journal_entries") == 2
    assert (await db.verify(ledger)).is_clean


async def test_settlers_and_releasers_at_once(db: DatabaseManager, funded: tuple[Ledger, Books]) -> None:
    """Each of twenty holds is closed once, by one or the other, without a deadlock."""
    ledger, books = funded
    async with db.unit_of_work(ledger) as uow:
        placed = [await uow.holds.place(NewHold(books.checking, 5)) for _ in range(20)]

    async def settle(hold: Any) -> str:
        async with db.unit_of_work(ledger) as uow:
            await uow.holds.settle(hold.id, entry(books.food, books.checking, 5))
            return "settled"

    async def release(hold: Any) -> str:
        async with db.unit_of_work(ledger) as uow:
            return (await uow.holds.release(hold.id)).status

    done, errors = await outcomes(*(call(hold) for hold in placed for call in (settle, release)))

    assert set(errors) == {"HoldClosedError"}
    assert (len(done), errors["HoldClosedError"]) == (20, 20)
    spent = Counter(done)["settled"] * 5
    assert await db.fetchrow("SELECT balance, held FROM accounts WHERE id = $1", books.checking.id) == (100 - spent, 0)
    assert (await db.verify(ledger)).is_clean


@pytest.mark.parametrize("amounts", [(31, -31), (-5, 5)])
async def test_an_entry_that_takes_more_or_nothing_is_refused(uow: UnitOfWork, amounts: tuple[int, int]) -> None:
    """Before anything is sent; what was held and what would be taken are told."""
    books = await fund(uow)
    hold = await uow.holds.place(NewHold(books.checking, 30))
    wrong = NewEntry(TODAY, "", [NewPosting(books.food, amounts[0]), NewPosting(books.checking, amounts[1])])

    with pytest.raises(HoldExceededError) as caught:
        await uow.holds.settle(hold.id, wrong)
    with pytest.raises(HoldExceededError):
        await uow.holds.settle(hold.id, entry(books.food, books.salary, 1))

    assert (caught.value.amount, caught.value.taken) == (30, -amounts[1])
    assert await held(uow, books.checking) == (100, 30, 70)


async def test_what_is_not_there_or_of_another_hold_is_told(uow: UnitOfWork) -> None:
    """An unknown hold has nothing to settle, release or read."""
    books = await fund(uow)
    spent = entry(books.food, books.checking, 5)
    nobody = uuid7()

    for call in (uow.holds.settle(nobody, spent), uow.holds.release(nobody), uow.holds.get_one(nobody)):
        with pytest.raises(HoldNotFoundError, match=str(nobody)):
            await call
    assert await uow.holds.get(nobody) is None
    with pytest.raises(InvalidError, match="settles hold"):
        await uow.holds.settle(nobody, dataclasses.replace(spent, settles_id=uuid7()))


async def test_posting_an_entry_that_names_the_hold_settles_it(
    db: DatabaseManager, funded: tuple[Ledger, Books]
) -> None:
    """`settle()` is posting such an entry; what it takes is then looked at when the unit of work commits."""
    ledger, books = funded
    async with db.unit_of_work(ledger) as uow:
        hold = await uow.holds.place(NewHold(books.checking, 30))
    with pytest.raises(HoldExceededError) as caught:
        async with db.unit_of_work(ledger) as uow:
            await uow.journal.post(dataclasses.replace(entry(books.food, books.checking, 31), settles_id=hold.id))
    assert (caught.value.hold_id, caught.value.amount, caught.value.taken) == (hold.id, 30, 31)

    async with db.unit_of_work(ledger) as uow:
        await uow.journal.post(dataclasses.replace(entry(books.food, books.checking, 30), settles_id=hold.id))

    async with db.unit_of_work(ledger) as uow:
        assert (await uow.holds.get_one(hold.id)).settled_amount == 30


async def test_a_settlement_is_taken_back_as_any_entry(uow: UnitOfWork) -> None:
    """Reversed or amended, the money moves; the hold stays settled by it."""
    books = await fund(uow)
    hold = await uow.holds.place(NewHold(books.checking, 30))
    settled = await uow.holds.settle(hold.id, entry(books.food, books.checking, 30))

    await uow.journal.amend(settled.id, entry(books.food, books.checking, 40))

    assert await held(uow, books.checking) == (60, 0, 60)
    assert (await uow.holds.get_one(hold.id)).status == HoldStatus.SETTLED


# --- releasing -----------------------------------------------------------------------------------------


async def test_release_frees_what_was_held(uow: UnitOfWork) -> None:
    """Once; again it stays as it is. It cannot be settled any more, nor can what is settled be released."""
    books = await fund(uow)
    hold = await uow.holds.place(NewHold(books.checking, 30))
    other = await uow.holds.place(NewHold(books.checking, 30))
    await uow.holds.settle(other.id, entry(books.food, books.checking, 30))

    released = await uow.holds.release(hold.id)
    closed_at = released.closed_at

    assert (await uow.holds.release(hold.id)).closed_at == closed_at is not None
    assert await held(uow, books.checking) == (70, 0, 70)
    with pytest.raises(HoldClosedError, match="released already"):
        await uow.holds.settle(hold.id, entry(books.food, books.checking, 30))
    with pytest.raises(HoldClosedError, match="settled already, by entry"):
        await uow.holds.release(other.id)


async def test_an_account_with_holds_is_not_closed_and_not_removed(
    db: DatabaseManager, funded: tuple[Ledger, Books]
) -> None:
    """It is closed when they are; it is never removed."""
    ledger, books = funded
    async with db.unit_of_work(ledger) as uow:
        hold = await uow.holds.place(NewHold(books.salary, 5))
        other = await uow.holds.place(NewHold(books.food, 5, expires_at=_in(SOON)))
    with pytest.raises(AccountHeldError) as caught:
        async with db.unit_of_work(ledger) as uow:
            await uow.accounts.close(books.salary, on=TODAY)
    assert caught.value.account_id == books.salary.id

    await asyncio.sleep(0.2)
    async with db.unit_of_work(ledger) as uow:
        await uow.holds.release(hold.id)
        await uow.accounts.close(books.salary, on=TODAY)
        await uow.accounts.close(books.food, on=TODAY)
        assert (await uow.holds.get_one(other.id)).status == HoldStatus.EXPIRED
    with pytest.raises(SealedError):
        async with db.unit_of_work(ledger) as uow:
            await uow.accounts.remove(await uow.accounts.get_one(books.food.id))


# --- expiring ------------------------------------------------------------------------------------------


async def test_a_hold_whose_time_is_over_blocks_nothing(db: DatabaseManager, funded: tuple[Ledger, Books]) -> None:
    """Whoever posts, places a hold or changes the limit finds the value free, and the hold marked."""
    ledger, books = funded
    takers: list[Callable[[UnitOfWork], Awaitable[object]]] = [
        lambda uow: uow.journal.post(entry(books.food, books.checking, 100)),
        lambda uow: uow.holds.place(NewHold(books.checking, 100)),
        lambda uow: uow.accounts.update(books.checking, minimum_balance=100),
    ]
    async with db.unit_of_work(ledger) as uow:
        hold = await uow.holds.place(NewHold(books.checking, 100, expires_at=_in(SOON)))
    for take in takers:
        with pytest.raises(BalanceLimitError):
            async with db.unit_of_work(ledger) as uow:
                await take(uow)
    await asyncio.sleep(0.2)

    for take in takers:
        async with db.unit_of_work(ledger) as uow:
            await take(uow)
            assert (await uow.holds.get_one(hold.id)).status == HoldStatus.EXPIRED
            await uow.rollback()


async def test_a_hold_that_waits_for_longer_than_it_lasts_is_refused(
    db: DatabaseManager, funded: tuple[Ledger, Books]
) -> None:
    """Its time is looked at when the account is its own: it is not counted, and nothing else expires in its stead."""
    ledger, books = funded
    async with db.unit_of_work(ledger) as uow:
        await uow.holds.place(NewHold(books.checking, 5))

    async def place() -> None:
        async with db.unit_of_work(ledger) as uow:
            await uow.holds.place(NewHold(books.checking, 7, expires_at=_in(SOON)))

    async with db.transaction() as conn:
        await conn.execute("SELECT FROM accounts WHERE id = $1 FOR UPDATE", books.checking.id)
        waiting = asyncio.create_task(place())
        await asyncio.sleep(0.3)
    with pytest.raises(InvalidError, match="expires after"):
        await waiting

    assert await db.fetchval("SELECT held FROM accounts WHERE id = $1", books.checking.id) == 5


async def test_settling_an_expired_hold_is_refused(db: DatabaseManager, funded: tuple[Ledger, Books]) -> None:
    """Whether or not it has been marked."""
    ledger, books = funded
    async with db.unit_of_work(ledger) as uow:
        hold = await uow.holds.place(NewHold(books.checking, 10, expires_at=_in(SOON)))
    await asyncio.sleep(0.2)

    for _ in range(2):
        with pytest.raises(HoldExpiredError):
            async with db.unit_of_work(ledger) as uow:
                await uow.holds.settle(hold.id, entry(books.food, books.checking, 10))
        with pytest.raises(HoldExpiredError):
            async with db.unit_of_work(ledger) as uow:
                await uow.journal.post(dataclasses.replace(entry(books.food, books.checking, 10), settles_id=hold.id))
        async with db.unit_of_work(ledger) as uow:
            await uow.holds.expire()
    assert await db.fetchval("SELECT count(*) FROM journal_entries") == 1


async def test_expire_closes_what_is_over_and_counts_it(db: DatabaseManager, funded: tuple[Ledger, Books]) -> None:
    """Of this ledger only; those with time left stay, and nothing is counted twice by two who sweep at once."""
    ledger, books = funded
    async with db.unit_of_work("Other", base_currency="EUR") as other:
        await other.holds.place(NewHold((await open_books(other)).food, 5, expires_at=_in(SOON)))
    async with db.unit_of_work(ledger) as uow:
        for account in (books.checking, books.food, books.salary) * 3:
            await uow.holds.place(NewHold(account, 5, expires_at=_in(SOON)))
        await uow.holds.place(NewHold(books.food, 5))
        await uow.holds.place(NewHold(books.food, 5, expires_at=_in(timedelta(hours=1))))
        assert await uow.holds.expire() == 0
    await asyncio.sleep(0.2)

    async def expire() -> int:
        async with db.unit_of_work(ledger) as uow:
            return await uow.holds.expire()

    counts, errors = await outcomes(*(expire() for _ in range(6)))

    assert not errors
    assert sorted(counts) == [0, 0, 0, 0, 0, 9]
    assert await db.fetchval("SELECT sum(held) FROM accounts WHERE ledger_id = $1", ledger.id) == 10
    assert (await db.verify(ledger)).is_clean


async def test_expiry_under_load_never_blocks_and_never_deadlocks(
    db: DatabaseManager, funded: tuple[Ledger, Books]
) -> None:
    """Holds expire while others post all that there is, place, settle, release and sweep."""
    ledger, books = funded
    until = asyncio.get_running_loop().time() + 2

    async def place_short() -> int:
        count = 0
        while asyncio.get_running_loop().time() < until:
            with contextlib.suppress(InvalidError):  # its time ran out while it waited
                async with db.unit_of_work(ledger) as uow:
                    await uow.holds.place(NewHold(books.food, 1, expires_at=_in(timedelta(milliseconds=20))))
                count += 1
        return count

    async def post() -> int:
        count = 0
        while asyncio.get_running_loop().time() < until:
            async with db.unit_of_work(ledger) as uow:
                await uow.journal.post(entry(books.food, books.salary, 1))
            count += 1
        return count

    async def sweep() -> int:
        count = 0
        while asyncio.get_running_loop().time() < until:
            async with db.unit_of_work(ledger) as uow:
                count += await uow.holds.expire()
        return count

    async def close() -> int:
        count = 0
        while asyncio.get_running_loop().time() < until:
            async with db.unit_of_work(ledger) as uow:
                hold = await uow.holds.place(NewHold(books.food, 1))
                await uow.holds.settle(hold.id, entry(books.salary, books.food, 1))
            count += 1
        return count

    counts, errors = await outcomes(*(call() for call in (place_short, post, sweep, close) * 2))

    assert not errors
    assert all(counts[:2] + counts[3:6] + counts[7:])  # a sweeper may find that others were faster
    await asyncio.sleep(0.05)
    async with db.unit_of_work(ledger) as uow:
        await uow.holds.expire()
        assert (await held(uow, books.food))[1] == 0
    by_status = dict(map(tuple, await db.fetch("SELECT status, count(*) FROM holds GROUP BY status")))
    assert by_status == {"expired": counts[0] + counts[4], "settled": counts[3] + counts[7]}
    assert (await db.verify(ledger)).is_clean


# --- reading -------------------------------------------------------------------------------------------


async def test_page_reads_holds_by_account_and_status(uow: UnitOfWork) -> None:
    """In order of their ids, behind a cursor."""
    books = await fund(uow)
    placed = [(await uow.holds.place(NewHold(books.checking, n))).id for n in range(1, 6)]
    other = (await uow.holds.place(NewHold(books.food, 1))).id
    await uow.holds.release(placed[0])

    def ids(page: Any) -> list[Any]:
        return [hold.id for hold in page.items]

    open_ones = await uow.holds.page(account=books.checking, status="open", limit=3)
    rest = await uow.holds.page(account=books.checking, status="open", limit=3, after=open_ones.next_cursor)
    assert ids(open_ones) + ids(rest) == sorted(placed[1:])
    assert ids(await uow.holds.page(status=HoldStatus.RELEASED)) == [placed[0]]
    assert set(ids(await uow.holds.page())) == {*placed, other}
    with pytest.raises(InvalidError, match="status"):
        await uow.holds.page(status="pending")


async def test_what_is_held_is_not_written_by_the_orm(db: DatabaseManager, funded: tuple[Ledger, Books]) -> None:
    """As the balance; and no hold is removed."""
    ledger, books = funded

    with pytest.raises(SealedError):
        books.checking.held = Decimal(1)
    with pytest.raises(SealedError):
        async with db.unit_of_work(ledger) as uow:
            hold = await uow.holds.place(NewHold(books.checking, 1))
            await uow.holds.remove(await uow.holds.get_one(hold.id))


async def test_holds_take_the_statements_that_they_state(
    db: DatabaseManager, funded: tuple[Ledger, Books], queries: Queries
) -> None:
    """Their docstrings say how many."""
    ledger, books = funded
    new = NewHold(books.checking, 5)
    spent = entry(books.food, books.checking, 5)
    async with db.unit_of_work(ledger) as uow:
        assert await queries.of(uow.holds.place(new)) == ["INSERT"]
        assert await queries.of(uow.holds.place(new)) == ["INSERT", "SELECT"]
        assert await queries.of(uow.holds.settle(new.id, spent)) == ["SELECT", "INSERT"]
        assert len(await queries.of(uow.holds.release((await uow.holds.place(NewHold(books.food, 1))).id))) == 2
        assert len(await queries.of(uow.holds.expire())) == 1
