"""Attacks on the lane."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from finance import DatabaseManager, NewEntry, NewPosting, Posted
from finance.errors import DeadlineError, NotConnectedError, OutcomeUnknownError
from finance.journal.poster import Poster
from finance.journal.ticket import Ticket
from finance.repositories import KnownCurrencies
from tests.test_lane import TODAY, Books, balance, books, limit, open_books, require_clean, stranger  # noqa: F401


async def test_a_group_follows_all_that_touch_limits_before_it(
    db: DatabaseManager, books: Books, stranger: DatabaseManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that is not the last of them: a quick group between them does not end the order."""
    monkeypatch.setattr("finance.journal.poster.GROUP_PATIENCE", 5.0)
    await limit(db, books, 1, minimum_balance=0)
    await db.journal.post(books.entry(1, to=1, of=3), ledger=books.ledger)  # 1 is known to be limited or not
    await asyncio.gather(*(db.journal.post(books.entry(1, to=1, of=3), ledger=books.ledger) for _ in range(2)))
    async with stranger.transaction() as other:
        await other.execute("SELECT FROM accounts WHERE id = $1 FOR UPDATE", books.accounts[0])
        into = asyncio.create_task(db.journal.post(books.entry(10, to=1, of=0), ledger=books.ledger))
        await asyncio.sleep(0.1)
        await db.journal.post(books.entry(1, to=4, of=5), ledger=books.ledger)
        out = asyncio.create_task(db.journal.post(books.entry(10, to=2, of=1), ledger=books.ledger))
        await asyncio.sleep(0.3)

    answers = await asyncio.gather(into, out, return_exceptions=True)
    assert [type(each) for each in answers] == [Posted, Posted], answers


async def test_whoever_follows_is_told_no_untruth_at_disconnection(dsn: str, stranger: DatabaseManager) -> None:
    """The statement of the one that it follows was under way."""
    db = DatabaseManager(dsn)
    await db.connect()
    books = await open_books(db)
    await db.journal.post(books.entry(), ledger=books.ledger)
    entry = books.entry()
    async with stranger.unit_of_work(books.ledger) as uow:
        await uow.accounts.get_one(books.accounts[0], for_update=True)
        first = asyncio.create_task(db.journal.post(entry, ledger=books.ledger))
        await asyncio.sleep(0.05)
        second = asyncio.create_task(db.journal.post(entry, ledger=books.ledger))
        await asyncio.sleep(0.3)
        await db.disconnect(0.1)
        done = second.done(), len(db_tasks())
        answers = await asyncio.wait_for(asyncio.gather(first, second, return_exceptions=True), 2)
    print(done, answers)
    assert isinstance(answers[0], OutcomeUnknownError)
    assert isinstance(answers[1], OutcomeUnknownError)


def db_tasks() -> list[str]:
    return [str(task) for task in asyncio.all_tasks() if "finance" in str(task)]


async def test_what_setup_does_is_undone_after_posting_too(dsn: str) -> None:
    """As after every other loan."""
    wanted: list[str] = []

    async def setup(connection: Any) -> None:
        if wanted:
            await connection.execute(f"SET app.tenant = '{wanted.pop()}'")

    async with DatabaseManager(dsn, max_size=1, setup=setup) as db:
        books = await open_books(db)
        wanted.append("secret")
        await db.journal.post(books.entry(), ledger=books.ledger)
        if wanted:
            pytest.fail("unused")
        assert not await db.fetchval("SELECT current_setting('app.tenant', true)")


async def test_an_id_is_stored_for_the_first_caller_although_that_one_follows(
    db: DatabaseManager, books: Books, stranger: DatabaseManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second one's content touches no limits."""
    monkeypatch.setattr("finance.journal.poster.GROUP_PATIENCE", 5.0)
    await limit(db, books, 1, minimum_balance=0)
    await asyncio.gather(*(db.journal.post(books.entry(1, to=1, of=3), ledger=books.ledger) for _ in range(2)))
    first, second = books.entry(1, to=1, of=3), books.entry(1, to=4, of=5)
    object.__setattr__(second, "id", first.id)
    async with stranger.transaction() as other:
        await other.execute("SELECT FROM accounts WHERE id = $1 FOR UPDATE", books.accounts[0])
        into = asyncio.create_task(db.journal.post(books.entry(10, to=1, of=0), ledger=books.ledger))
        await asyncio.sleep(0.1)
        calls = [asyncio.create_task(db.journal.post(first, ledger=books.ledger))]
        await asyncio.sleep(0.1)
        calls.append(asyncio.create_task(db.journal.post(second, ledger=books.ledger)))
        await asyncio.sleep(0.2)

    answers = await asyncio.gather(into, *calls, return_exceptions=True)
    assert [type(each).__name__ for each in answers] == ["Posted", "Posted", "EntryConflictError"], answers


async def test_entries_that_trickle_in_at_a_limit_share_groups(
    db: DatabaseManager, books: Books, stranger: DatabaseManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one group is under way, those that must follow it gather."""
    monkeypatch.setattr("finance.journal.poster.GROUP_PATIENCE", 5.0)
    await limit(db, books, 1, minimum_balance=0)
    await asyncio.gather(*(db.journal.post(books.entry(1, to=1, of=3), ledger=books.ledger) for _ in range(2)))
    before = db.journal.stats().groups
    async with stranger.transaction() as other:
        await other.execute("SELECT FROM accounts WHERE id = $1 FOR UPDATE", books.accounts[1])
        calls = []
        for _ in range(100):
            calls.append(asyncio.create_task(db.journal.post(books.entry(1, to=1, of=3), ledger=books.ledger)))
            await asyncio.sleep(0.001)
        stats = db.journal.stats()
    print(stats)
    t = asyncio.get_running_loop().time()
    await asyncio.gather(*calls)
    print(db.journal.stats().groups - before, asyncio.get_running_loop().time() - t)
    assert db.journal.stats().groups - before < 20


async def test_accounts_that_are_met_when_the_cache_is_full_are_found(db: DatabaseManager) -> None:
    """What is forgotten then is not what is being asked for."""
    async with db.unit_of_work("Lane", base_currency="EUR") as uow:
        opened = [await uow.accounts.open(f"Assets:A{number}", currency="EUR") for number in range(12)]
        books = Books(uow.ledger_id, [account.id for account in opened])
    async with DatabaseManager(db_dsn(db)) as fresh:
        fresh._known._LIMIT = 20  # type: ignore[misc]
        for number in range(15):
            fresh._known.add(10**9, number, "EUR")
        await fresh.journal.post(books.entry(to=0, of=1), ledger=books.ledger)


def db_dsn(db: DatabaseManager) -> str:
    """Name its database."""
    return DSN[0]


DSN: list[str] = []


@pytest.fixture(autouse=True)
def _dsn(dsn: str) -> None:
    DSN[:] = [dsn]


async def test_what_was_given_up_while_its_neighbours_were_posted_is_not_posted(
    db: DatabaseManager, books: Books, stranger: DatabaseManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its caller was told that nothing is stored."""
    monkeypatch.setattr("finance.journal.poster.GROUP_PATIENCE", 5.0)
    await limit(db, books, 1, minimum_balance=0)
    await asyncio.gather(*(db.journal.post(books.entry(1, to=1, of=3), ledger=books.ledger) for _ in range(2)))
    entry = books.entry(1, to=1, of=3)
    async with stranger.transaction() as other:
        await other.execute("SELECT FROM accounts WHERE id = $1 FOR UPDATE", books.accounts[0])
        answers = asyncio.gather(
            db.journal.post(books.entry(1, to=0, of=4), ledger=books.ledger),
            db.journal.post(entry, ledger=books.ledger, timeout=0.2),
            return_exceptions=True,
        )
        await asyncio.sleep(0.4)
    told = (await answers)[1]
    await asyncio.sleep(0.2)

    assert isinstance(told, DeadlineError)
    assert await db.fetchval("SELECT count(*) FROM journal_entries WHERE id = $1", entry.id) == 0


@pytest.mark.parametrize("seed", range(6))
async def test_limits_hold_in_order_of_arrival_over_groups(db: DatabaseManager, books: Books, seed: int) -> None:
    """Whatever comes between them: each answer is what one after another would have been told."""
    rng = random.Random(seed)
    await limit(db, books, 0, minimum_balance=0, maximum_balance=8)
    calls, expected, now = [], [], 0
    for _ in range(400):
        if rng.random() < 0.4:
            entry, is_fine = books.entry(1, to=2, of=3), True
        else:
            amount = rng.choice([-3, -2, -1, 1, 2, 3])
            entry, is_fine = books.entry(amount), 0 <= now + amount <= 8
            now += amount if is_fine else 0
        expected.append(is_fine)
        calls.append(asyncio.create_task(db.journal.post(entry, ledger=books.ledger)))
        if rng.random() < 0.3:
            await asyncio.sleep(rng.choice([0, 0.0005, 0.003]))

    answers = await asyncio.gather(*calls, return_exceptions=True)

    assert [isinstance(each, Posted) for each in answers] == expected
    await require_clean(db, books)


async def test_a_lost_answer_is_not_forgotten_when_no_other_try_is_possible() -> None:
    """The first try may have been stored; that the manager is disconnected by now says nothing of it."""
    errors: list[Exception] = [OutcomeUnknownError(), NotConnectedError(disconnected=True)]

    class Lost:
        async def fetch(self, _ledger_id: int, _query: str, *_args: Any) -> Any:
            raise errors.pop(0)

    class Deaf:
        def retried(self, *_: Any) -> None:
            pass

    known = KnownCurrencies()
    for account in (1, 2):
        known.add(1, account, "EUR")
    ticket = Ticket(1, NewEntry(TODAY, "lost", [NewPosting(1, 1), NewPosting(2, -1)]))
    await Poster(Lost(), known, Deaf()).post([ticket])  # type: ignore[arg-type]

    assert isinstance(ticket.outcome, OutcomeUnknownError)
