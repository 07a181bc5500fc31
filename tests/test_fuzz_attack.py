"""Random traffic: every answer is true, limits hold, nobody is left without an answer."""

from __future__ import annotations

import asyncio
import os
import random
from collections import defaultdict
from decimal import Decimal
from typing import Any

import pytest

from finance import DatabaseManager, NewEntry, NewPosting, Posted
from finance.errors import BalanceLimitError, DeadlineError, EntryConflictError, FinanceError, NotConnectedError, OutcomeUnknownError
from tests.test_lane import TODAY, Books, limit, open_books, require_clean

SEEDS = [int(s) for s in os.environ.get("SEEDS", "1,2,3,4").split(",")]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("rls", [False, True])
async def test_fuzz(dsn: str, seed: int, rls: bool) -> None:
    rng = random.Random(seed)
    async with DatabaseManager(dsn) as stranger:
        db = DatabaseManager(dsn, row_security=rls, max_size=rng.choice([1, 2, 10]))
        await db.connect()
        books = await open_books(stranger)
        async with stranger.unit_of_work("Other", base_currency="EUR") as uow:
            opened = [await uow.accounts.open(f"Assets:A{number}", currency="EUR") for number in range(6)]
            other = Books(uow.ledger_id, [account.id for account in opened])
        await limit(stranger, books, 0, minimum_balance=0, maximum_balance=20)
        await limit(stranger, other, 0, minimum_balance=0, maximum_balance=20)
        pool: list[NewEntry] = []
        log: list[tuple[int, NewEntry, Any]] = []
        stop = False

        def make(b: Books) -> NewEntry:
            to, of = rng.sample(range(6), 2)
            e = b.entry(rng.randint(1, 9), to=to, of=of)
            if rng.random() < 0.1:
                e = NewEntry(TODAY, "memo", [NewPosting(p.account, p.amount, memo="m") for p in e.postings])
            return e

        def pick() -> tuple[Books, NewEntry]:
            b = rng.choice([books, other])
            e = make(b)
            r = rng.random()
            if pool and r < 0.25:
                old = rng.choice(pool)
                if r < 0.05:
                    object.__setattr__(e, "id", old.id)
                else:
                    return (books if old.postings[0].account in books.accounts else other), old
            pool.append(e)
            return b, e

        async def call(b: Books, e: NewEntry, timeout: float) -> None:
            try:
                log.append((b.ledger, e, await db.journal.post(e, ledger=b.ledger, timeout=timeout)))
            except FinanceError as error:
                log.append((b.ledger, e, error))
            except asyncio.CancelledError:
                log.append((b.ledger, e, None))
                raise

        async def many(b: Books, es: list[NewEntry], atomic: bool) -> None:
            try:
                answers = await db.journal.post_many(es, ledger=b.ledger, atomic=atomic, timeout=10)
                log.extend((b.ledger, e, a) for e, a in zip(es, answers, strict=True))
            except FinanceError as error:
                assert atomic, error
                log.extend((b.ledger, e, error if isinstance(error, OutcomeUnknownError) else DeadlineError(1)) for e in es)
            except asyncio.CancelledError:
                log.extend((b.ledger, e, None) for e in es)
                raise

        async def strange() -> None:
            while not stop:
                b = rng.choice([books, other])
                async with stranger.transaction() as tx:
                    await tx.execute("SELECT FROM accounts WHERE id = $1 FOR UPDATE", rng.choice(b.accounts))
                    await asyncio.sleep(rng.choice([0.01, 0.05, 0.15, 0.4]))
                if rng.random() < 0.15:
                    await stranger.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                        " AND pid <> pg_backend_pid() AND application_name NOT LIKE '%%x' AND state <> 'idle in transaction' ORDER BY random() LIMIT 1"
                    ) if rng.random() < 0.5 else None
                await asyncio.sleep(rng.choice([0, 0.01, 0.1]))

        background = asyncio.create_task(strange())
        tasks: list[asyncio.Task[None]] = []
        for _ in range(400):
            r = rng.random()
            if r < 0.9:
                b, e = pick()
                tasks.append(asyncio.create_task(call(b, e, rng.choice([30, 30, 30, 0.05, 0.3]))))
            else:
                b = rng.choice([books, other])
                es = [e for bb, e in (pick() for _ in range(rng.randint(2, 40))) if bb is b]
                atomic = rng.random() < 0.3
                if atomic:
                    es = list({e.id: e for e in es}.values())
                tasks.append(asyncio.create_task(many(b, es, atomic)))
            if rng.random() < 0.1:
                rng.choice(tasks).cancel()
            if rng.random() < 0.3:
                await asyncio.sleep(rng.choice([0, 0, 0.001, 0.02]))
        if rng.random() < 0.5:
            await asyncio.wait(tasks, timeout=rng.random())
            await db.disconnect(rng.choice([0.0, 0.2]))
            done, pending = await asyncio.wait(tasks, timeout=3)
            assert not pending, pending
            assert not [t for t in asyncio.all_tasks() if "journal/lane" in str(t)]
        else:
            await asyncio.wait(tasks, timeout=60)
            assert all(t.done() for t in tasks)
            lane = db._lane
            for _ in range(300):
                if not lane._tasks: break
                await asyncio.sleep(0.02)
            assert not lane._under_way and not lane._waiting and not lane._tasks, (lane._under_way, lane._waiting, lane._tasks)
        stop = True
        errors = await asyncio.gather(background, return_exceptions=True)
        for t in tasks:
            if not t.cancelled() and t.exception() is not None:
                raise t.exception()
        await asyncio.sleep(0.2)
        stored = {(r["ledger_id"], r["id"]): r["content_hash"] for r in await stranger.fetch("SELECT ledger_id, id, content_hash FROM journal_entries")}
        by = defaultdict(list)
        for ledger, e, a in log:
            by[ledger, e.id].append((e, a))
        for key, calls in by.items():
            news = [1 for _, a in calls if isinstance(a, Posted) and not a.is_replay]
            assert len(news) <= 1, (key, calls)
            for e, a in calls:
                if isinstance(a, Posted):
                    assert stored.get(key) == e.content_hash(), (key, calls)
                elif isinstance(a, EntryConflictError):
                    assert key in stored and stored[key] != e.content_hash(), (key, calls)
            if key in stored and not any(isinstance(a, Posted | OutcomeUnknownError) or a is None for e, a in calls if e.content_hash() == stored[key]):
                raise AssertionError((key, calls, "stored, and nobody knows"))
        for b in (books, other):
            assert (await stranger.verify(b.ledger)).problems == ()
            v = await stranger.fetchval("SELECT balance FROM accounts WHERE id = $1", b.accounts[0])
            assert 0 <= v <= 20
        kinds = defaultdict(int)
        for _, _, a in log:
            kinds[type(a).__name__] += 1
        print(dict(kinds), len(stored), db.is_connected if hasattr(db, "is_connected") else "")
        await db.disconnect()
