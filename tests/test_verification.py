"""Verification: in batches, with progress, beside posters, in bounded memory."""

from __future__ import annotations

import asyncio
import random
import tracemalloc
from datetime import date, timedelta
from typing import Any

import asyncpg
import pytest

from finance import DatabaseManager, Ledger, NewEntry, NewPosting, UnitOfWork
from finance.identifiers import uuid7
from finance.reports import Problem, Progress
from finance.reports.verification import entries, totals
from tests.conftest import Server
from tests.factories import TODAY, entry, open_books

HASH = "entry differs from its content hash"


async def _damage(db: DatabaseManager, server: Server, sql: str) -> None:
    """Run *sql* as a superuser for whom no trigger fires."""
    connection = await asyncpg.connect(server.direct_dsn(await db.fetchval("SELECT current_database()")))
    await connection.execute(f"SET session_replication_role = replica; {sql}")
    await connection.close()


async def _many(db: DatabaseManager, count: int, **details: Any) -> Ledger:
    ledger = await db.ledgers.create("Many", base_currency="EUR")
    rng = random.Random(7)
    async with db.unit_of_work(ledger) as uow:
        books = await open_books(uow)
        accounts = [books.checking, books.food, books.salary]
        await uow.journal.post_many(
            [
                NewEntry(
                    date(2025, 1, 1) + timedelta(days=rng.randrange(400)),
                    f"Entry {number}",
                    [
                        NewPosting(rng.choice(accounts), number + 1),
                        NewPosting(rng.choice(accounts), -number - 1, "m"),
                    ],
                    details=details,
                )
                for number in range(count)
            ]
        )
    return ledger


@pytest.mark.parametrize(("entries_batch", "postings_batch"), [(1, 1), (7, 3), (5000, 20000)])
async def test_batches_of_any_size_find_the_same(
    db: DatabaseManager, server: Server, monkeypatch: pytest.MonkeyPatch, entries_batch: int, postings_batch: int
) -> None:
    """A month, an account or an entry may lie across the edge of two."""
    monkeypatch.setattr(entries, "_BATCH", entries_batch)
    monkeypatch.setattr(totals, "_BATCH", postings_batch)
    ledger = await _many(db, 60)

    clean = await db.verify(ledger)
    hit = await db.fetch(
        "SELECT month::text FROM monthly_totals WHERE month IN ('2025-05-01', '2025-06-01') ORDER BY month"
    )
    await _damage(
        db,
        server,
        "UPDATE accounts SET balance = balance + 1 WHERE name = 'Expenses:Food';"
        "UPDATE monthly_totals SET debit = debit + 1 WHERE month = '2025-05-01';"
        "DELETE FROM monthly_totals WHERE month = '2025-06-01';"
        "INSERT INTO monthly_totals SELECT ledger_id, id, '2027-01-01', 1, 1, 1 FROM accounts;"
        "UPDATE journal_entries SET description = 'x' WHERE description = 'Entry 31';",
    )
    damaged = await db.verify(ledger)

    assert clean.problems == ()
    assert (clean.accounts, clean.entries, clean.postings) == (3, 60, 120)
    found = sorted((problem.rule, problem.found) for problem in damaged.problems if problem.rule != HASH)
    months = [label for rule, label in found if rule == "monthly total differs from postings"]
    assert months == [row["month"] for row in hit] + ["2027-01-01"] * 3
    assert [problem.rule for problem in damaged.problems].count(HASH) == 1
    assert [rule for rule, _ in found if rule.startswith("balance")] == ["balance differs from postings"]


async def test_progress_is_told(db: DatabaseManager, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stage by stage, from the first batch to the last, with the problems found so far."""
    monkeypatch.setattr(entries, "_BATCH", 10)
    monkeypatch.setattr(totals, "_BATCH", 30)
    ledger = await _many(db, 60)
    await _damage(db, server, "UPDATE accounts SET balance = 7 WHERE name = 'Expenses:Food'")
    told: list[Progress] = []

    await db.verify(ledger, progress=told.append)

    stages = list(dict.fromkeys(each.stage for each in told))
    assert stages == ["rules", "entries", "accounts", "holds"]
    assert [each.done for each in told if each.stage == "entries"] == [20, 40, 60, 80, 100, 120, 120]
    assert [each.done for each in told if each.stage == "accounts"][-1] == 120
    assert all(each.done <= each.total for each in told)
    assert (told[0].problems, told[-1].problems) == (0, 0 if told[-1].stage == "entries" else told[-1].problems)


async def test_the_first_thousand_problems_are_kept(db: DatabaseManager, server: Server) -> None:
    """However many there are; the rest is still counted through."""
    ledger = await _many(db, 700)
    await _damage(db, server, "UPDATE postings SET amount = amount * 2 WHERE line = 1")
    told: list[Progress] = []

    found = await db.verify(ledger, progress=told.append)

    assert (len(found.problems), found.entries, found.postings) == (1000, 700, 1400)
    assert told[-1].problems > 1000


async def test_a_callback_that_fails_ends_the_verification(db: DatabaseManager) -> None:
    """Its own error comes out, and nothing is left open."""
    ledger = await _many(db, 2)

    def refuse(_: Progress) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await db.verify(ledger, progress=refuse)
    assert (await db.verify(ledger)).is_clean


async def test_posters_go_on_during_a_verification(each_db: DatabaseManager, monkeypatch: pytest.MonkeyPatch) -> None:
    """It sees one instant, whatever is posted meanwhile, and holds nobody up."""
    monkeypatch.setattr(entries, "_BATCH", 5)
    monkeypatch.setattr(totals, "_BATCH", 5)
    ledger = await _many(each_db, 400)
    async with each_db.unit_of_work(ledger) as uow:
        accounts = [account async for account in uow.accounts.stream()]
    verifying = asyncio.create_task(each_db.verify(ledger))

    posted = 0
    while not verifying.done():
        async with each_db.unit_of_work(ledger, lock_timeout=1) as uow:
            await uow.journal.post(entry(accounts[0], accounts[1], 1))
        posted += 1

    found = await verifying
    assert found.problems == ()
    assert posted > 3
    assert found.entries < 400 + posted


@pytest.mark.parametrize(
    "details",
    [
        {
            "text": 'quote " and \\ and / and \x7f\t\n ü 🙂',
            "n": 1,
            "x": 0.1,
            "deep": {"b": [1, None, True], "a": "1e5"},
        },
        {"big": 1e16, "exact": 10**20, "minus": -0.0, "tiny": 1e-300, "huge": 1e300},
        {9: "as text, 9 sorts", 10: "behind 10"},
    ],
    ids=["text", "numbers that come back changed", "keys that sort in another way"],
)
async def test_the_content_of_any_entry_agrees_with_its_hash(uow: UnitOfWork, details: dict[Any, Any]) -> None:
    """What the database gives back in another form than it took accuses nobody."""
    books = await open_books(uow)
    lines = [NewPosting(books.food, "1.50", 'a "memo" \x1f / ü'), NewPosting(books.checking, "-1.50")]
    await uow.journal.post(NewEntry(TODAY, 'tab\t quote " back\\ \x01 ü 🙂 \u2028', lines, details=details))
    posted = await uow.journal.post(NewEntry(date(987, 1, 1), "", lines, id=uuid7()))
    await uow.journal.reverse(posted.id)
    await uow.journal.reverse((await uow.journal.post(NewEntry(TODAY, "", lines, details=details))).id)

    assert [problem for problem in (await uow.reports.verify()).problems if problem.rule == HASH] == []


async def test_changed_details_are_found(db: DatabaseManager, server: Server) -> None:
    """Those that can be compared."""
    ledger = await _many(db, 3, note="as it was", n=0.5)
    await _damage(
        db, server, """UPDATE journal_entries SET metadata = '{"note": "other"}' WHERE description = 'Entry 1'"""
    )

    changed = await db.fetchval("SELECT id FROM journal_entries WHERE description = 'Entry 1'")
    assert (await db.verify(ledger)).problems == (Problem(HASH, str(changed), None),)


async def test_memory_does_not_grow_with_the_books(db: DatabaseManager, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten times the entries, in batches of the same size, take the same memory."""
    monkeypatch.setattr(entries, "_BATCH", 100)
    monkeypatch.setattr(totals, "_BATCH", 400)
    ledger = await _many(db, 300)
    await db.verify(ledger)  # what is made once is made
    small = await _peak(db, ledger)
    async with db.unit_of_work(ledger) as uow:
        accounts = [account async for account in uow.accounts.stream()]
        await uow.journal.post_many([entry(accounts[0], accounts[1], 1) for _ in range(3000)])

    assert await _peak(db, ledger) < small + 200_000


async def _peak(db: DatabaseManager, ledger: Ledger) -> int:
    tracemalloc.start()
    try:
        await db.verify(ledger)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
