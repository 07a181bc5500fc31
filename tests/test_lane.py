"""The fast lane: entries of concurrent callers go together, and each caller has an answer of its own."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio

from finance import DatabaseManager, NewEntry, NewHold, NewPosting, Posted
from finance.errors import (
    AccountClosedError,
    AccountNotFoundError,
    AmountError,
    BalanceLimitError,
    ConnectionLostError,
    DeadlineError,
    EntryConflictError,
    FinanceError,
    InvalidError,
    LedgerNotFoundError,
    LockTimeoutError,
    NotConnectedError,
    Outcome,
    OutcomeUnknownError,
    PeriodClosedError,
    UnbalancedEntryError,
)
from finance.identifiers import uuid7
from finance.journal import many
from finance.journal.poster import Poster
from finance.journal.ticket import Ticket
from finance.models import Ledger
from finance.repositories import KnownCurrencies, posting
from tests.conftest import Server
from tests.network import Wire, database_of
from tests.waiting import PATIENCE, until, until_left

TODAY = date(2026, 11, 22)


class Books:
    """A ledger with accounts, and entries between them."""

    def __init__(self, ledger: int, accounts: Sequence[int]) -> None:
        self.ledger = ledger
        self.accounts = list(accounts)

    def entry(self, amount: object = 1, *, to: int = 0, of: int = 1, on: date = TODAY) -> NewEntry:
        """Move *amount* to one account out of another one."""
        value = Decimal(str(amount))
        lines = [NewPosting(self.accounts[to], value), NewPosting(self.accounts[of], -value)]
        return NewEntry(on, "move", lines)


@pytest_asyncio.fixture
async def books(db: DatabaseManager) -> Books:
    """Six accounts."""
    return await open_books(db)


async def open_books(db: DatabaseManager) -> Books:
    """Open a ledger with six accounts."""
    async with db.unit_of_work("Lane", base_currency="EUR") as uow:
        opened = [await uow.accounts.open(f"Assets:A{number}", currency="EUR") for number in range(6)]
        return Books(uow.ledger_id, [account.id for account in opened])


async def limit(db: DatabaseManager, books: Books, number: int, **limits: object) -> None:
    """Give an account limits."""
    async with db.unit_of_work(books.ledger) as uow:
        await uow.accounts.update(await uow.accounts.get_one(books.accounts[number]), **limits)  # type: ignore[arg-type]


async def balance(db: DatabaseManager, books: Books, number: int) -> Decimal:
    """Read a balance."""
    found: Decimal = await db.fetchval("SELECT balance FROM accounts WHERE id = $1", books.accounts[number])
    return found


async def require_clean(db: DatabaseManager, books: Books) -> None:
    """Check that the books agree with themselves."""
    assert (await db.verify(books.ledger)).problems == ()


# --- answers -----------------------------------------------------------------------------------------


async def test_an_entry_is_durable_when_its_call_returns(db: DatabaseManager, books: Books) -> None:
    """It is there with its postings, and its balances have moved."""
    entry = books.entry("42.10")

    posted = await db.journal.post(entry, ledger=books.ledger)

    assert posted == Posted(entry.id, is_replay=False)
    assert await balance(db, books, 0) == Decimal("42.10")
    async with db.unit_of_work(books.ledger) as uow:
        assert (await uow.journal.get_one(entry.id)).content_hash == entry.content_hash()
    await require_clean(db, books)


async def test_concurrent_callers_share_statements(db: DatabaseManager, books: Books) -> None:
    """A hundred callers that come together need a few groups, not a hundred."""
    answers = await asyncio.gather(*(db.journal.post(books.entry(), ledger=books.ledger) for _ in range(100)))

    assert not any(answer.is_replay for answer in answers)
    stats = db.journal.stats()
    assert stats.entries == 100
    assert stats.groups < 10
    assert await balance(db, books, 0) == 100
    await require_clean(db, books)


async def test_a_replay_in_company_leaves_the_others_new(db: DatabaseManager, books: Books) -> None:
    """Ids that are new and one that is not go in one group, and each is told what it is."""
    old = books.entry("7")
    await db.journal.post(old, ledger=books.ledger)
    entries = [books.entry("1"), old, books.entry("2"), books.entry("3")]

    answers = await asyncio.gather(*(db.journal.post(each, ledger=books.ledger) for each in entries))

    assert [answer.is_replay for answer in answers] == [False, True, False, False]
    assert await balance(db, books, 0) == 13
    await require_clean(db, books)


async def test_amounts_are_stored_as_they_were_written(db: DatabaseManager, books: Books) -> None:
    """Also where the two of an entry are written with different zeros at their ends; alone and in company."""
    first, second = books.accounts[:2]
    entries = [
        NewEntry(TODAY, "zeros", [NewPosting(first, "1.50"), NewPosting(second, "-1.5")]),
        NewEntry(TODAY, "zeros", [NewPosting(first, "2.50"), NewPosting(second, "-2.50")]),
        NewEntry(TODAY, "zeros", [NewPosting(first, "-3"), NewPosting(second, "3")]),
    ]

    await db.journal.post(entries[0], ledger=books.ledger)
    await db.journal.post(entries[1], ledger=books.ledger)
    await db.journal.post_many(entries, ledger=books.ledger)

    rows = await db.fetch("SELECT entry_id, line, account_id, amount::text FROM postings ORDER BY entry_id, line")
    assert [tuple(row)[1:] for row in rows] == [
        (1, first, "1.50"),
        (2, second, "-1.5"),
        (1, first, "2.50"),
        (2, second, "-2.50"),
        (1, first, "-3"),
        (2, second, "3"),
    ]


async def test_the_lane_leaves_nothing_behind_in_a_session(dsn: str) -> None:
    """What it sets for its statements does not outlast them: the next user of the connection finds the manager's."""
    async with DatabaseManager(dsn, max_size=1, lock_timeout=7.0) as db:
        books = await open_books(db)
        look = "SELECT current_setting('lock_timeout'), coalesce(current_setting('finance.posting', true), '')"
        before = await db.fetchrow(look)

        await asyncio.gather(*(db.journal.post(books.entry(), ledger=books.ledger) for _ in range(20)))

        assert await db.fetchrow(look) == before
        assert before is not None
        assert before[1] == ""


async def test_posting_reads_as_much_of_a_long_journal_as_of_a_short_one(each_server: Server) -> None:
    """Although its plans were made when the journal was empty, and nobody has counted it for the planner since."""
    look = """
        SELECT sum(heap_blks_hit + idx_blks_hit)::int FROM pg_statio_user_tables
         WHERE relname IN ('journal_entries', 'postings')
    """
    # The copies that other tests have were counted. One session: its plans, and its own reads.
    async with each_server.copy("template1") as dsn, DatabaseManager(dsn, max_size=1) as db:
        await db.migrations.upgrade()
        for table in ("journal_entries", "postings", "accounts", "monthly_totals"):  # what counts also reads
            await db.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)")
        books = await open_books(db)

        async def reads_of_posting(count: int) -> int:
            await db.execute("SELECT pg_stat_force_next_flush()")
            before: int = await db.fetchval(look)
            for number in range(count):
                await db.journal.post(books.entry(on=TODAY - timedelta(days=number % 28)), ledger=books.ledger)
            await db.execute("SELECT pg_stat_force_next_flush()")
            after: int = await db.fetchval(look)
            return after - before

        await reads_of_posting(50)
        short = await reads_of_posting(50)
        for _ in range(4):
            entries = [books.entry(on=TODAY - timedelta(days=number % 28)) for number in range(1000)]
            await db.journal.post_many(entries, ledger=books.ledger)

        assert await reads_of_posting(50) < 1.5 * short


async def test_a_ledger_is_its_row_its_id_or_its_name(db: DatabaseManager, books: Books) -> None:
    """All three mean the same; one that is not there is told by its name."""
    ledger = await db.ledgers.get(books.ledger)
    assert ledger is not None
    for named in (ledger, books.ledger, "Lane"):
        await db.journal.post(books.entry(), ledger=named)

    for unknown in ("Nowhere", 10**9):
        with pytest.raises(LedgerNotFoundError):
            await db.journal.post(books.entry(), ledger=unknown)
    assert await balance(db, books, 0) == 3


async def test_ledgers_share_a_group(db: DatabaseManager, books: Books) -> None:
    """Entries of several ledgers go in one statement, and an account of another ledger is none of theirs."""
    async with db.unit_of_work("Other", base_currency="EUR") as uow:
        opened = [await uow.accounts.open(f"Assets:B{number}", currency="EUR") for number in range(6)]
        other = Books(uow.ledger_id, [account.id for account in opened])

    answers = await asyncio.gather(
        *(db.journal.post(each.entry(), ledger=each.ledger) for each in (books, other) * 10),
        db.journal.post(other.entry(), ledger=books.ledger),
        return_exceptions=True,
    )

    assert isinstance(answers.pop(), AccountNotFoundError)
    assert all(isinstance(answer, Posted) for answer in answers)
    assert await balance(db, books, 0) == await balance(db, other, 0) == 10
    await require_clean(db, books)
    await require_clean(db, other)


# --- exactly once ------------------------------------------------------------------------------------


async def test_fifty_callers_of_one_entry_have_one_effect(db: DatabaseManager, books: Books) -> None:
    """One of them posts it; the others are told a replay."""
    entry = books.entry()

    answers = await asyncio.gather(*(db.journal.post(entry, ledger=books.ledger) for _ in range(50)))

    assert sorted(answer.is_replay for answer in answers) == [False] + [True] * 49
    assert await balance(db, books, 0) == 1


async def test_an_id_with_other_content_is_refused(db: DatabaseManager, books: Books) -> None:
    """Whether the first is stored already, or in the same group."""
    entry, other = books.entry(1), books.entry(2)
    object.__setattr__(other, "id", entry.id)

    first, second = await asyncio.gather(
        db.journal.post(entry, ledger=books.ledger),
        db.journal.post(other, ledger=books.ledger),
        return_exceptions=True,
    )

    assert isinstance(first, Posted)
    assert isinstance(second, EntryConflictError)
    with pytest.raises(EntryConflictError):
        await db.journal.post(other, ledger=books.ledger)
    assert await balance(db, books, 0) == 1


async def test_the_second_of_an_id_stands_in_for_a_first_that_is_refused(db: DatabaseManager, books: Books) -> None:
    """As if they had come one after another."""
    await limit(db, books, 1, minimum_balance=-1)
    refused, posted = books.entry(2), books.entry(1)
    object.__setattr__(posted, "id", refused.id)

    answers = await asyncio.gather(
        *(db.journal.post(each, ledger=books.ledger) for each in (refused, posted)), return_exceptions=True
    )

    assert isinstance(answers[0], BalanceLimitError)
    assert answers[1] == Posted(posted.id, is_replay=False)


async def test_a_lost_answer_is_met_by_posting_the_same_ids_again(wire: Wire, dsn: str) -> None:
    """The server committed and its answer was lost: nobody hears of it, and nothing is doubled."""
    async with DatabaseManager(wire.dsn(database_of(dsn))) as db:
        books = await open_books(db)
        await db.journal.post(books.entry(), ledger=books.ledger)
        wire.break_after = b"INSERT INTO journal_entries"
        posting = [asyncio.create_task(db.journal.post(books.entry(), ledger=books.ledger)) for _ in range(20)]
        await asyncio.sleep(0.3)
        wire.break_after = None

        answers = await asyncio.gather(*posting)

        assert len({answer.id for answer in answers}) == 20
        assert await balance(db, books, 0) == 21
        await require_clean(db, books)


@pytest.mark.parametrize("named", [int, str, Ledger])
async def test_faults_before_the_first_post_are_heard_of_by_nobody(wire: Wire, dsn: str, named: type) -> None:
    """Whoever comes first asks for the revision of the schema: that is asked again, too, when a connection breaks."""
    async with DatabaseManager(dsn) as db:
        books = await open_books(db)
        async with db.unit_of_work(books.ledger) as uow:
            row = await uow.ledgers.get_one(books.ledger)
        ledger: Ledger | int | str = row if named is Ledger else row.id if named is int else row.name
    async with DatabaseManager(wire.dsn(database_of(dsn))) as db:
        wire.break_before = b"finance_version"
        calls: list[Coroutine[Any, Any, object]] = [db.journal.post(books.entry(), ledger=ledger) for _ in range(5)]
        calls.append(db.journal.post_many([books.entry()], ledger=ledger, atomic=True))
        posting = [asyncio.create_task(call) for call in calls]
        while db.stats().lost < len(posting) and not any(call.done() for call in posting):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        wire.break_before = None

        await asyncio.gather(*posting)

        assert await balance(db, books, 0) == 6


async def test_an_entry_whose_ledger_cannot_be_asked_for_has_its_time(wire: Wire, dsn: str) -> None:
    """When it is over the caller is told so, and what kept it."""
    async with DatabaseManager(wire.dsn(database_of(dsn))) as db:
        wire.break_before = b"finance_version"

        with pytest.raises(DeadlineError) as raised:
            await db.journal.post(NewEntry(TODAY, "move", [NewPosting(1, 1), NewPosting(2, -1)]), ledger=1, timeout=0.3)

        assert isinstance(raised.value.__cause__, ConnectionLostError)


async def test_killed_backends_are_heard_of_by_nobody(db: DatabaseManager, books: Books, dsn: str) -> None:
    """Every entry is stored once, whatever becomes of the connections."""
    async with DatabaseManager(dsn) as other:
        posting = [asyncio.create_task(_post_many_times(db, books, 30)) for _ in range(10)]
        for _ in range(5):
            await asyncio.sleep(0.05)
            await other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        await asyncio.gather(*posting)

    assert await balance(db, books, 0) == 300
    await require_clean(db, books)


async def _post_many_times(db: DatabaseManager, books: Books, times: int) -> None:
    for _ in range(times):
        await db.journal.post(books.entry(), ledger=books.ledger)


# --- neighbours --------------------------------------------------------------------------------------


async def test_a_refused_entry_does_not_harm_its_neighbours(db: DatabaseManager, books: Books) -> None:
    """Each bad one gets its own error; all others are posted."""
    async with db.unit_of_work(books.ledger) as uow:
        await uow.accounts.close(await uow.accounts.get_one(books.accounts[5]), on=TODAY)
        await uow.ledgers.close_through(books.ledger, date(2020, 1, 1))
    bad = {
        AccountClosedError: books.entry(to=5),
        PeriodClosedError: books.entry(on=date(2019, 5, 5)),
        UnbalancedEntryError: NewEntry(
            TODAY, "bad", [NewPosting(books.accounts[0], 1), NewPosting(books.accounts[1], -2)]
        ),
        AccountNotFoundError: NewEntry(TODAY, "bad", [NewPosting(10**12, 1), NewPosting(books.accounts[1], -1)]),
        InvalidError: books.entry("0.001"),
    }
    good = [books.entry() for _ in range(40)]
    entries = [*good[:20], *bad.values(), *good[20:]]

    answers = await asyncio.gather(
        *(db.journal.post(entry, ledger=books.ledger) for entry in entries), return_exceptions=True
    )

    for kind, answer in zip(bad, answers[20:25], strict=True):
        assert isinstance(answer, kind), answer
    assert all(isinstance(answer, Posted) for answer in [*answers[:20], *answers[25:]])
    assert await balance(db, books, 0) == 40
    await require_clean(db, books)


@pytest.mark.parametrize("what", ["account", "id"])
async def test_a_strangers_open_transaction_holds_up_its_own_entries_only(
    db: DatabaseManager, books: Books, dsn: str, what: str
) -> None:
    """Whoever needs what it has locked waits until it ends; the others are answered meanwhile."""
    held = books.entry(to=4, of=5)
    others = [books.entry(to=0, of=1) for _ in range(30)]
    async with DatabaseManager(dsn) as stranger:
        async with stranger.unit_of_work(books.ledger) as uow:
            if what == "account":
                await uow.accounts.get_one(books.accounts[5], for_update=True)
            else:
                await uow.journal.post(held)
            waiting = asyncio.create_task(db.journal.post(held, ledger=books.ledger))
            answers = await asyncio.gather(*(db.journal.post(entry, ledger=books.ledger) for entry in others))
            assert not waiting.done()
        posted = await waiting

    assert not any(answer.is_replay for answer in answers)
    assert posted.is_replay == (what == "id")
    assert await balance(db, books, 0) == 30
    await require_clean(db, books)


# --- limits ------------------------------------------------------------------------------------------


async def test_limits_hold_in_order_of_arrival(db: DatabaseManager, books: Books) -> None:
    """What is paid in later does not cover what was paid out before, though their sum would."""
    await limit(db, books, 0, minimum_balance=0)
    out, into, again = books.entry(-5), books.entry(5), books.entry(-5)

    answers = await asyncio.gather(
        *(db.journal.post(entry, ledger=books.ledger) for entry in (out, into, again)), return_exceptions=True
    )

    assert isinstance(answers[0], BalanceLimitError)
    assert answers[0].account_id == books.accounts[0]
    assert [isinstance(answer, Posted) for answer in answers] == [False, True, True]
    assert await balance(db, books, 0) == 0
    await require_clean(db, books)


@pytest.mark.parametrize("is_known", [False, True])
async def test_limits_hold_in_order_although_the_sum_is_within_them(
    db: DatabaseManager, books: Books, *, is_known: bool
) -> None:
    """One statement for all three would be within the limit at its end; the second is beyond it in its turn."""
    if is_known:
        await db.journal.post(books.entry(), ledger=books.ledger)
    await limit(db, books, 0, maximum_balance=10)

    answers = await asyncio.gather(
        *(db.journal.post(books.entry(amount), ledger=books.ledger) for amount in (8, 5, -7)), return_exceptions=True
    )

    assert [type(answer) for answer in answers] == [Posted, BalanceLimitError, Posted]
    assert await balance(db, books, 0) == 1 + is_known


async def test_limits_hold_in_order_over_the_groups_of_one_call(
    db: DatabaseManager, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Groups that are under way at the same time do not overtake each other where limits are touched."""
    for name in ("FIRST_GROUP", "LARGEST_GROUP"):
        monkeypatch.setattr(f"finance.journal.many.{name}", 3)
    await limit(db, books, 0, minimum_balance=0, maximum_balance=3)
    entries = [books.entry(amount) for amount in (1, 1, 1, 1, -2, 2, -3, -1, 3, 1, -1, 1)]

    answers = await db.journal.post_many(entries, ledger=books.ledger)

    expected, now = [], 0
    for amount in (1, 1, 1, 1, -2, 2, -3, -1, 3, 1, -1, 1):
        expected.append(0 <= now + amount <= 3)
        now += amount if expected[-1] else 0
    assert [isinstance(answer, Posted) for answer in answers] == expected
    assert await balance(db, books, 0) == now


async def test_many_of_one_call_are_stored_as_each_alone(db: DatabaseManager, books: Books) -> None:
    """Whatever their amounts, texts, days and currencies: how they travel makes no difference."""
    async with db.unit_of_work(books.ledger) as uow:
        await uow.currencies.get_or_open("USD")
        dollars = [(await uow.accounts.open(f"Assets:D{number}", currency="USD")).id for number in range(2)]
    amounts = ("1", "-1", "1.5", "1.50", "0.01", "-12.30", "1E+2", "123456789012345678901.25", "100")
    texts = ("", 'a {b,c} "d" \\e', "ü € 日本", "NULL", "line\nline")
    entries = [
        NewEntry(
            TODAY - timedelta(days=number % 70),
            texts[number % len(texts)],
            [
                NewPosting(debit, amount := Decimal(amounts[number % len(amounts)])),
                NewPosting(credit, amount.copy_negate(), "" if number % 11 == 0 else None),
            ],
        )
        for number, (debit, credit) in enumerate([*[(books.accounts[0], books.accounts[1]), dollars] * 45])
    ]
    twins = [replace(entry, id=uuid7()) for entry in entries]

    # All of them, transfers alone, and transfers in one currency go three ways.
    calls = [entries, [replace(e, id=uuid7()) for e in entries if e.postings[1].memo is None]]
    calls.append([replace(e, id=uuid7()) for e in calls[1] if e.postings[0].account == books.accounts[0]])
    expected: dict[bytes, list[tuple[Any, ...]]] = {}
    for twin in twins:
        await db.journal.post(twin, ledger=books.ledger)
        content, rows = await content_of(db, twin)
        expected[content] = rows

    for call in calls:
        answers = await db.journal.post_many(call, ledger=books.ledger)
        assert answers == [Posted(entry.id, is_replay=False) for entry in call]
        stored = [await content_of(db, entry) for entry in call]
        assert [content for content, _ in stored] == [entry.content_hash() for entry in call]
        assert [rows for _, rows in stored] == [expected[content] for content, _ in stored]
    await require_clean(db, books)


async def content_of(db: DatabaseManager, entry: NewEntry) -> tuple[bytes, list[tuple[Any, ...]]]:
    """Return the content hash of *entry* and what is stored of it and its postings, amounts with all their digits."""
    rows = await db.fetch(
        "SELECT content_hash, e.date, description, kind, metadata, recorded_by, line, account_id, p.date AS day,"
        " currency, amount::text, memo FROM journal_entries AS e JOIN postings AS p ON p.entry_id = e.id"
        " WHERE e.id = $1 ORDER BY line",
        entry.id,
    )
    return rows[0]["content_hash"], [tuple(row) for row in rows]


async def test_a_replay_takes_no_part_in_the_limits(db: DatabaseManager, books: Books) -> None:
    """It is stored already, and moves nothing: what comes behind it is not refused for its sake."""
    await limit(db, books, 0, maximum_balance=10)
    first, second = books.entry(6), books.entry(4)
    await db.journal.post(first, ledger=books.ledger)

    answers = await asyncio.gather(*(db.journal.post(entry, ledger=books.ledger) for entry in (first, second)))

    assert [answer.is_replay for answer in answers] == [True, False]
    assert await balance(db, books, 0) == 10


async def test_fifty_entries_of_one_group_stop_at_the_limit(db: DatabaseManager, books: Books) -> None:
    """As many as there is room for are posted: the first ones."""
    await limit(db, books, 0, maximum_balance=20)

    answers = await asyncio.gather(
        *(db.journal.post(books.entry(), ledger=books.ledger) for _ in range(50)), return_exceptions=True
    )

    assert [isinstance(answer, Posted) for answer in answers] == [True] * 20 + [False] * 30
    assert await balance(db, books, 0) == 20


# --- giving up ---------------------------------------------------------------------------------------


async def test_a_cancelled_caller_takes_its_entry_out_and_no_other(db: DatabaseManager, books: Books) -> None:
    """One that had not been sent yet is not posted; its neighbours are."""
    tasks = [asyncio.create_task(db.journal.post(books.entry(), ledger=books.ledger)) for _ in range(20)]
    await asyncio.sleep(0)
    tasks[7].cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)

    assert isinstance(answers[7], asyncio.CancelledError)
    assert all(isinstance(answer, Posted) for number, answer in enumerate(answers) if number != 7)
    assert await balance(db, books, 0) == 19
    await require_clean(db, books)


async def test_a_caller_that_waits_too_long_learns_what_is_known(db: DatabaseManager, books: Books, dsn: str) -> None:
    """Nothing was stored, for it never got the lock; the same entry can be posted afterwards."""
    entry = books.entry()
    async with DatabaseManager(dsn) as stranger, stranger.unit_of_work(books.ledger) as uow:
        await uow.accounts.get_one(books.accounts[0], for_update=True)
        with pytest.raises(FinanceError) as caught:
            await db.journal.post(entry, ledger=books.ledger, timeout=0.5)

    assert isinstance(caught.value, DeadlineError | OutcomeUnknownError)
    answer = await db.journal.post(entry, ledger=books.ledger)
    if caught.value.outcome is Outcome.NOT_APPLIED:
        assert not answer.is_replay
    assert await balance(db, books, 0) == 1


async def test_disconnecting_posts_what_waits(dsn: str) -> None:
    """Every caller has its answer before the connections are closed."""
    async with DatabaseManager(dsn) as db:
        books = await open_books(db)
        posting = [asyncio.create_task(db.journal.post(books.entry(), ledger=books.ledger)) for _ in range(100)]
        await asyncio.sleep(0.005)

    assert not any(answer.is_replay for answer in await asyncio.gather(*posting))
    with pytest.raises(NotConnectedError):
        await db.journal.post(books.entry(), ledger=books.ledger)
    async with DatabaseManager(dsn) as db:
        assert await balance(db, books, 0) == 100


async def test_what_is_not_posted_in_time_is_told_at_disconnection(dsn: str) -> None:
    """Nobody waits for ever, and nobody is told an untruth."""
    async with DatabaseManager(dsn) as stranger:
        db = DatabaseManager(dsn)
        await db.connect()
        books = await open_books(db)
        entries = [books.entry() for _ in range(10)]
        async with stranger.unit_of_work(books.ledger) as uow:
            await uow.accounts.get_one(books.accounts[0], for_update=True)
            posting = [asyncio.create_task(db.journal.post(entry, ledger=books.ledger)) for entry in entries]
            await asyncio.sleep(0.2)
            await db.disconnect(0.2)
            answers = await asyncio.gather(*posting, return_exceptions=True)
        stored = {row["id"] for row in await stranger.fetch("SELECT id FROM journal_entries")}

        for entry, answer in zip(entries, answers, strict=True):
            assert isinstance(answer, OutcomeUnknownError | NotConnectedError)
            assert isinstance(answer, OutcomeUnknownError) or entry.id not in stored
            await stranger.journal.post(entry, ledger=books.ledger)
        assert await balance(stranger, books, 0) == 10


# --- many at once ------------------------------------------------------------------------------------


async def test_many_entries_are_answered_one_by_one(db: DatabaseManager, books: Books) -> None:
    """In their order, in groups of any size; the refused ones with the error that `post()` would raise."""
    entries = [books.entry() for _ in range(5000)]
    entries[1234] = books.entry("0.001")
    entries[4000] = entries[10]

    answers = await db.journal.post_many(iter(entries), ledger=books.ledger)

    assert isinstance(answers[1234], InvalidError)
    assert answers[4000] == Posted(entries[10].id, is_replay=True)
    posted = [answer for answer in answers if isinstance(answer, Posted)]
    assert len(posted) == 4999
    assert [answer.id for answer in posted] == [entry.id for number, entry in enumerate(entries) if number != 1234]
    assert await balance(db, books, 0) == 4998
    await require_clean(db, books)


async def test_the_second_of_an_id_in_one_call_has_its_place_in_the_order(db: DatabaseManager, books: Books) -> None:
    """A first one that a limit refused makes room for it, and what comes between them counts before it."""
    await limit(db, books, 0, minimum_balance=0)
    first = books.entry(-2)
    second = replace(first, date=TODAY - timedelta(days=1))
    entries = [first, books.entry("0.001"), books.entry(5), books.entry(1, to=2, of=3), second, books.entry(-4), first]

    answers = await db.journal.post_many(entries, ledger=books.ledger)

    assert [type(answer) for answer in answers] == [
        BalanceLimitError, AmountError, Posted, Posted, Posted, BalanceLimitError, EntryConflictError,
    ]  # fmt: skip
    assert await balance(db, books, 0) == 3


async def test_no_entries_are_no_work(db: DatabaseManager, books: Books) -> None:
    """An empty list is answered with one."""
    assert await db.journal.post_many([], ledger=books.ledger) == []
    assert await db.journal.post_many([], ledger=books.ledger, atomic=True) == []


async def test_all_or_none_are_posted_on_demand(db: DatabaseManager, books: Books) -> None:
    """One that is refused takes the others with it; without it they are posted, and replayed."""
    entries = [books.entry() for _ in range(100)]
    with pytest.raises(AmountError):
        await db.journal.post_many([*entries, books.entry("0.001")], ledger=books.ledger, atomic=True)
    assert await balance(db, books, 0) == 0

    answers = await db.journal.post_many(entries, ledger=books.ledger, atomic=True)
    again = await db.journal.post_many(entries, ledger=books.ledger, atomic=True)

    assert not any(answer.is_replay for answer in answers)
    assert all(answer.is_replay for answer in again)
    assert await balance(db, books, 0) == 100
    with pytest.raises(InvalidError, match="same id"):
        await db.journal.post_many([entries[0], entries[0]], ledger=books.ledger, atomic=True)


async def test_what_is_no_entry_is_refused_by_its_type(db: DatabaseManager, books: Books) -> None:
    """Before anything is sent."""
    with pytest.raises(InvalidError, match="NewEntry"):
        await db.journal.post("lunch", ledger=books.ledger)  # type: ignore[arg-type]
    with pytest.raises(InvalidError, match="NewEntry"):
        await db.journal.post_many([books.entry(), None], ledger=books.ledger)  # type: ignore[list-item]
    with pytest.raises(InvalidError, match="ledger"):
        await db.journal.post(books.entry(), ledger=1.5)  # type: ignore[arg-type]
    assert await balance(db, books, 0) == 0


# --- what a hostile reader found ---------------------------------------------------------------------


@pytest_asyncio.fixture
async def stranger(dsn: str) -> AsyncIterator[DatabaseManager]:
    """Somebody else, who locks what the lane needs."""
    async with DatabaseManager(dsn) as other:
        yield other


async def test_what_waited_too_long_for_its_turn_is_not_posted_later(
    db: DatabaseManager, books: Books, stranger: DatabaseManager
) -> None:
    """It was told that it would not be: while others that meet a lock had all the places."""
    last = books.entry(to=4, of=5)
    async with stranger.unit_of_work(books.ledger) as uow:
        for number in (0, 2, 4):
            await uow.accounts.get_one(books.accounts[number], for_update=True)
        others = [
            asyncio.create_task(db.journal.post(books.entry(to=to, of=to + 1), ledger=books.ledger)) for to in (0, 2)
        ]
        await asyncio.sleep(0.3)
        with pytest.raises((DeadlineError, OutcomeUnknownError)) as caught:
            await db.journal.post(last, ledger=books.ledger, timeout=0.4)
    await asyncio.gather(*others)
    await asyncio.sleep(1.5)

    stored = await db.fetchval("SELECT count(*) FROM journal_entries WHERE id = $1", last.id)
    assert stored == 0 or caught.type is OutcomeUnknownError


async def test_many_whose_caller_left_are_not_posted_later(
    db: DatabaseManager, books: Books, stranger: DatabaseManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the group that was waited for when it left no more than the others."""
    monkeypatch.setattr(many, "FIRST_GROUP", 1)
    monkeypatch.setattr(many, "LARGEST_GROUP", 1)
    async with stranger.unit_of_work(books.ledger) as uow:
        await uow.accounts.get_one(books.accounts[0], for_update=True)
        entries = [books.entry() for _ in range(6)]
        call = asyncio.create_task(db.journal.post_many(entries, ledger=books.ledger))
        await asyncio.sleep(0.3)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await until(lambda: db.journal.stats().posting == 0)  # although the account is locked
    assert await balance(db, books, 0) == 0
    await require_clean(db, books)


async def test_the_second_caller_of_an_id_is_told_no_untruth(
    db: DatabaseManager, books: Books, stranger: DatabaseManager
) -> None:
    """While the first one's statement is under way, nobody can say that the entry is not stored."""
    entry = books.entry()
    await db.journal.post(books.entry(to=2, of=3), ledger=books.ledger)
    async with stranger.unit_of_work(books.ledger) as uow:
        await uow.accounts.get_one(books.accounts[0], for_update=True)
        first = asyncio.create_task(db.journal.post(entry, ledger=books.ledger))
        second = asyncio.create_task(db.journal.post(entry, ledger=books.ledger, timeout=0.5))
        await asyncio.sleep(0.7)

    assert not (await first).is_replay
    answer = (await asyncio.gather(second, return_exceptions=True))[0]
    assert isinstance(answer, Posted | OutcomeUnknownError)


async def test_an_id_twice_at_a_limit_does_not_stop_the_lane(
    db: DatabaseManager, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Groups that wait for those before them leave their places to these."""
    for name in ("FIRST_GROUP", "LARGEST_GROUP"):
        monkeypatch.setattr(f"finance.journal.many.{name}", 4)
    await limit(db, books, 1, minimum_balance=0)
    refused = books.entry()
    entries = [refused, refused, *(books.entry(-1) for _ in range(10))]

    answers = await db.journal.post_many(entries, ledger=books.ledger, timeout=60)

    assert [isinstance(answer, BalanceLimitError) for answer in answers[:1]] == [True]
    assert all(isinstance(answer, Posted) for answer in answers[2:])


@pytest.mark.parametrize("atomic", [False, True])
async def test_many_that_are_cut_off_are_told_so(dsn: str, stranger: DatabaseManager, *, atomic: bool) -> None:
    """Their caller was not cancelled, and must not be told that it was."""
    db = DatabaseManager(dsn)
    await db.connect()
    books = await open_books(db)
    async with stranger.unit_of_work(books.ledger) as uow:
        await uow.accounts.get_one(books.accounts[0], for_update=True)
        call = db.journal.post_many([books.entry() for _ in range(5)], ledger=books.ledger, atomic=atomic)  # type: ignore[call-overload]
        posting = asyncio.create_task(call)
        await asyncio.sleep(0.3)
        await db.disconnect(0.2)
        answer: Any = (await asyncio.gather(posting, return_exceptions=True))[0]

    told = [answer] if atomic else answer
    assert all(isinstance(each, NotConnectedError | OutcomeUnknownError) for each in told)


@pytest.mark.parametrize("turns", range(12))
async def test_whoever_is_cut_off_at_any_step_is_told_so(dsn: str, turns: int) -> None:
    """A disconnection may come before the work on an entry has taken its first step."""
    db = DatabaseManager(dsn)
    await db.connect()
    books = await open_books(db)
    await db.journal.post(books.entry(), ledger=books.ledger)
    calls = [
        db.journal.post(books.entry(), ledger=books.ledger),
        db.journal.post_many([books.entry()] * 2, ledger=books.ledger),
        db.journal.post_many([books.entry()], ledger=books.ledger, atomic=True),
    ]
    posting = [asyncio.create_task(call) for call in calls]
    for _ in range(turns):
        await asyncio.sleep(0)
    await db.disconnect(0)
    async with asyncio.timeout(PATIENCE):
        alone, many, together = await asyncio.gather(*posting, return_exceptions=True)

    told = [
        alone,
        *(many if isinstance(many, list) else [many]),
        *(together if isinstance(together, list) else [together]),
    ]
    assert all(isinstance(each, Posted | NotConnectedError | OutcomeUnknownError) for each in told), told


async def test_a_cancelled_disconnection_leaves_no_connection(dsn: str, stranger: DatabaseManager) -> None:
    """Whoever loses patience with it still gets it done."""
    db = DatabaseManager(dsn, application_name="leaver")
    await db.connect()
    books = await open_books(db)
    async with stranger.unit_of_work(books.ledger) as uow:
        await uow.accounts.get_one(books.accounts[0], for_update=True)
        posting = asyncio.create_task(db.journal.post(books.entry(), ledger=books.ledger))
        await asyncio.sleep(0.3)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(db.disconnect(10), 0.3)
        await asyncio.gather(posting, return_exceptions=True)

    await until_left(stranger, "leaver")


async def test_details_that_change_later_are_not_posted(db: DatabaseManager, books: Books) -> None:
    """An entry is what it was made of."""
    details = {"n": 1}
    made = NewEntry(TODAY, "move", books.entry().postings, details=details)
    details["n"] = 2

    await db.journal.post(made, ledger=books.ledger)

    assert made.details == {"n": 1}
    await require_clean(db, books)


async def test_a_settled_hold_is_free_for_its_entry_in_company_too(db: DatabaseManager, books: Books) -> None:
    """Its account has no more than what is held."""
    await db.journal.post(books.entry(100), ledger=books.ledger)
    await limit(db, books, 0, minimum_balance=0)
    hold = NewHold(books.accounts[0], 100)
    async with db.unit_of_work(books.ledger) as uow:
        await uow.holds.place(hold)
    settling = NewEntry(TODAY, "settle", books.entry(-100).postings, settles_id=hold.id)

    answers = await asyncio.gather(
        *(db.journal.post(each, ledger=books.ledger) for each in (books.entry(1, to=2, of=3), settling)),
        return_exceptions=True,
    )

    assert all(isinstance(answer, Posted) for answer in answers), answers
    await require_clean(db, books)


async def test_callers_at_the_door_get_in_when_others_gave_up(
    db: DatabaseManager, books: Books, stranger: DatabaseManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Back-pressure: those whose time is over need no room."""
    monkeypatch.setattr("finance.journal.lane.MOST_WAITING", 4)
    monkeypatch.setattr("finance.journal.lane.MOST_IN_GROUP", 2)
    async with stranger.unit_of_work(books.ledger) as uow:
        await uow.accounts.get_one(books.accounts[0], for_update=True)
        gone = [
            asyncio.create_task(db.journal.post(books.entry(), ledger=books.ledger, timeout=0.5)) for _ in range(30)
        ]
        await asyncio.sleep(0.2)
        patient = [asyncio.create_task(db.journal.post(books.entry(), ledger=books.ledger)) for _ in range(3)]
        await asyncio.gather(*gone, return_exceptions=True)

    assert all(isinstance(answer, Posted) for answer in await asyncio.gather(*patient))


async def test_one_id_in_several_groups_is_stored_for_the_first_caller(db: DatabaseManager, books: Books) -> None:
    """Groups that are under way at the same time do not race for it."""
    for _ in range(20):
        entry = books.entry()
        calls = [entry, *(books.entry() for _ in range(30)), entry, *(books.entry() for _ in range(30)), entry]

        answers = await asyncio.gather(*(db.journal.post(each, ledger=books.ledger) for each in calls))

        assert [number for number, answer in enumerate(answers) if answer.is_replay] == [31, 62]


async def test_an_id_whose_caller_left_is_posted_for_the_next(
    db: DatabaseManager, books: Books, stranger: DatabaseManager
) -> None:
    """While the first caller's statement still waits for a lock, and without spinning."""
    entry = books.entry()
    async with stranger.transaction() as other:
        await other.execute("SELECT FROM accounts WHERE id = $1 FOR UPDATE", books.accounts[0])
        first = asyncio.create_task(db.journal.post(entry, ledger=books.ledger))
        await asyncio.sleep(0.05)
        first.cancel()
        second = asyncio.create_task(db.journal.post(entry, ledger=books.ledger))
        await asyncio.sleep(0.02)
        groups = db.journal.stats().groups

    assert (await second).id == entry.id
    assert groups <= 2
    assert await balance(db, books, 0) == 1
    await require_clean(db, books)


async def test_an_unknown_ledger_is_told_for_all_or_none_too(db: DatabaseManager, books: Books) -> None:
    """And not as an account that is missing."""
    with pytest.raises(LedgerNotFoundError):
        await db.journal.post_many([books.entry()], ledger=10**9, atomic=True)


# --- groups beside each other ------------------------------------------------------------------------


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
        answers = await asyncio.wait_for(asyncio.gather(first, second, return_exceptions=True), PATIENCE)
    assert isinstance(answers[0], OutcomeUnknownError)
    assert isinstance(answers[1], OutcomeUnknownError)


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
    await asyncio.gather(*calls)
    assert db.journal.stats().groups - before < 20


async def test_accounts_that_are_met_when_the_cache_is_full_are_found(db: DatabaseManager, dsn: str) -> None:
    """What is forgotten then is not what is being asked for."""
    async with db.unit_of_work("Lane", base_currency="EUR") as uow:
        opened = [await uow.accounts.open(f"Assets:A{number}", currency="EUR") for number in range(12)]
        books = Books(uow.ledger_id, [account.id for account in opened])
    async with DatabaseManager(dsn) as fresh:
        fresh._known._LIMIT = 20
        for number in range(15):
            fresh._known.add(10**9, number, "EUR")
        await fresh.journal.post(books.entry(to=0, of=1), ledger=books.ledger)


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
    await post_at_limits(db, books, random.Random(seed))
    await require_clean(db, books)


async def test_who_finds_a_limit_waits_behind_what_was_held_up_there_meanwhile(
    db: DatabaseManager, books: Books, stranger: DatabaseManager
) -> None:
    """When the later one was sent, neither was known to touch a limit; when it is refused, the first one is parked."""
    await limit(db, books, 1, maximum_balance=8)
    await db.journal.post(books.entry(1, to=4, of=5), ledger=books.ledger)  # it looks their neighbours up, too
    parked = db._lane_of_pool()._poster._parked

    async with stranger.unit_of_work(books.ledger) as one, stranger.unit_of_work(books.ledger) as another:
        await one.accounts.get_one(books.accounts[0], for_update=True)
        await another.accounts.get_one(books.accounts[2], for_update=True)
        first = asyncio.create_task(db.journal.post(books.entry(8, to=1, of=0), ledger=books.ledger))
        await asyncio.sleep(0.06)
        others = [books.entry(1, to=1, of=2), books.entry(1, to=3, of=4)]
        later = [asyncio.create_task(db.journal.post(each, ledger=books.ledger)) for each in others]
        async with asyncio.timeout(5):
            while not parked:  # noqa: ASYNC110 - it says so to nobody
                await asyncio.sleep(0)
        await another.rollback()
        await asyncio.sleep(0.1)
    answers = await asyncio.gather(*later, return_exceptions=True)

    assert isinstance(await first, Posted)
    assert [type(answer) for answer in answers] == [BalanceLimitError, Posted]
    await require_clean(db, books)


@pytest.mark.parametrize("seed", range(4))
async def test_limits_hold_in_order_of_arrival_whoever_is_held_up(
    db: DatabaseManager, books: Books, stranger: DatabaseManager, seed: int
) -> None:
    """Nobody overtakes at a limit, although locks of others hold some up for longer than a group waits."""
    rng = random.Random(seed)

    async def hold_up() -> None:
        while True:
            async with stranger.unit_of_work(books.ledger) as uow:
                await uow.accounts.get_one(books.accounts[rng.randrange(4)], for_update=True)
                await asyncio.sleep(rng.choice([0.15, 0.3]))
            await asyncio.sleep(0.05)

    disturbing = asyncio.create_task(hold_up())
    await post_at_limits(db, books, random.Random(seed))
    disturbing.cancel()
    await asyncio.gather(disturbing, return_exceptions=True)
    await require_clean(db, books)


async def post_at_limits(db: DatabaseManager, books: Books, rng: random.Random) -> None:
    """Post entries that touch a limit, and others between them, and compare what each is told."""
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


@pytest.mark.parametrize("behind", [1, 3])
@pytest.mark.parametrize(("limits", "later"), [({"minimum_balance": 0}, -3), ({"maximum_balance": 9}, 3)])
async def test_nobody_overtakes_at_a_limit_that_was_not_known(
    db: DatabaseManager, books: Books, limits: dict[str, int], later: int, behind: int
) -> None:
    """The first entry touches a limit that is known, and one that is found out only with those behind it."""
    await limit(db, books, 1, minimum_balance=-100)
    await asyncio.gather(*(db.journal.post(books.entry(1, to=2, of=1), ledger=books.ledger) for _ in range(2)))
    await limit(db, books, 0, **limits)

    entries = [books.entry(9, to=0, of=1), *(books.entry(later, to=0, of=4) for _ in range(behind))]
    calls = (db.journal.post(each, ledger=books.ledger) for each in entries)
    answers = await asyncio.gather(*calls, return_exceptions=True)

    assert [isinstance(each, Posted) for each in answers] == [True, *[later < 0] * behind]
    await require_clean(db, books)


async def test_whoever_found_a_limit_out_waits_behind_those_who_are_held_up_there(
    db: DatabaseManager, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was under way when the first one met somebody's lock, and touches the same limit."""
    await limit(db, books, 0, minimum_balance=0)
    first = [books.entry(9, to=0, of=1), books.entry(1, to=2, of=3)]
    second = [books.entry(-3, to=0, of=4), books.entry(1, to=2, of=3)]
    under_way, held_up = asyncio.Event(), asyncio.Event()
    clock = asyncio.get_running_loop().time
    free_at = math.inf

    async def slow(fetch: Any, drafts: Any, **options: Any) -> Any:
        """Have the first group meet somebody's lock for a while, and the second be answered only then."""
        nonlocal free_at
        ids = {each.entry.id for each in drafts}
        if first[0].id in ids and clock() < free_at:
            await asyncio.wait_for(under_way.wait(), 30)
            free_at = min(free_at, clock() + 0.5)
            held_up.set()
            raise LockTimeoutError
        if second[0].id in ids and not under_way.is_set():
            under_way.set()
            await asyncio.wait_for(held_up.wait(), 30)
            await asyncio.sleep(0.1)
        return await posting.insert(fetch, drafts, **options)

    monkeypatch.setattr("finance.journal.poster.insert", slow)
    one = [asyncio.create_task(db.journal.post(each, ledger=books.ledger)) for each in first]
    while not db.journal.stats().groups:  # noqa: ASYNC110 - nobody would tell
        await asyncio.sleep(0)
    two = [asyncio.create_task(db.journal.post(each, ledger=books.ledger)) for each in second]

    answers = await asyncio.gather(*one, *two, return_exceptions=True)

    assert [type(each) for each in answers] == [Posted] * 4, answers
    await require_clean(db, books)


async def test_a_lost_answer_is_not_forgotten_when_no_other_try_is_possible() -> None:
    """The first try may have been stored; that the manager is disconnected by now says nothing of it."""
    errors: list[Exception] = [OutcomeUnknownError(), NotConnectedError(disconnected=True)]

    class Lost:
        sees_all_ledgers = True

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
