"""G1: callers share a group of the fast lane, and nothing of one becomes another's."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import date
from functools import partial
from uuid import UUID

from benchmarks.chaos.lab import DAY, Books, Lab
from benchmarks.chaos.load import all_of, load
from benchmarks.chaos.verdict import Verdict
from finance import DatabaseManager, FinanceError, NewEntry, NewPosting, Outcome
from finance.connection import Driver
from finance.errors import (
    AccountClosedError,
    AccountNotFoundError,
    AmountError,
    BalanceLimitError,
    EntryConflictError,
    PeriodClosedError,
    UnbalancedEntryError,
)

#: Seconds for which a stranger's transaction may hold up those that want nothing of what it has.
_NEIGHBOURLY = 1.0


def _entry(key: UUID, debit: int, credit: int, *, amount: int | str = 1, on: date = DAY) -> NewEntry:
    opposite = str(amount)[1:] if str(amount).startswith("-") else f"-{amount}"
    return NewEntry(on, str(key), [NewPosting(debit, amount), NewPosting(credit, opposite)], id=key)


async def _post(db: DatabaseManager, books: Books, entry: NewEntry) -> type[FinanceError] | None:
    """Post *entry*, note what was told, and return the class of the refusal."""
    refusal: type[FinanceError] | None = None
    with books.record.of(entry.id, without_handle=Outcome.UNKNOWN):
        try:
            await db.journal.post(entry, ledger=books.ledger)
        except FinanceError as error:
            refusal = type(error)
            raise
    return refusal


# --- strangers -----------------------------------------------------------------------------------------


@asynccontextmanager
async def _stranger(lab: Lab, books: Books) -> AsyncIterator[Driver]:
    async with lab.node.administered(books.database) as stranger:
        await stranger.execute("BEGIN")
        yield stranger


async def held_account(lab: Lab) -> Verdict:
    """G1: a stranger's open transaction has an account; only entries on it wait for that."""
    async with lab.books("G1 held account") as books, DatabaseManager(books.dsn, max_size=8) as db:
        held, others = books.accounts[0], books.accounts[1:]

        async def neighbour() -> None:
            debit, credit = books.random.sample(others, 2)
            await _post(db, books, _entry(books.key(), debit, credit))

        async with load(neighbour, callers=8), lab.patience(_NEIGHBOURLY) as bound:
            await asyncio.sleep(0.2)
            async with _stranger(lab, books) as stranger, load(neighbour, callers=8) as running:
                await stranger.execute("SELECT FROM accounts WHERE id = $1 FOR UPDATE", held)
                waiting = [
                    asyncio.create_task(_post(db, books, _entry(books.key(), held, others[0]))) for _ in range(5)
                ]
                await asyncio.sleep(lab.size(5.0, 1.0))
                early = sum(task.done() for task in waiting)
                await stranger.execute("COMMIT")
                await asyncio.gather(*waiting)
        wrong = [f"{early} did not wait for the lock"] if early else []
        return await _judge(
            db, books, lab.verdict("G1 held account", faults=1, overrun=running.slowest), bound(), wrong
        )


async def held_id(lab: Lab) -> Verdict:
    """G1: a stranger's open transaction has posted an id; only its callers wait for that, and then conflict, or not."""
    wrong: list[str] = []
    slowest = 0.0
    async with lab.books("G1 held id") as books, DatabaseManager(books.dsn, max_size=8) as db:
        async with lab.patience(_NEIGHBOURLY) as bound:
            for is_stored in (True, False) * lab.size(5, 1):
                key = books.key()
                entry = _entry(key, *books.accounts[:2])
                async with _stranger(lab, books) as stranger:
                    await stranger.execute(_HEAD, books.ledger, key, DAY, f"the stranger's {key}")
                    await stranger.execute(_LINES, books.ledger, key, DAY, *books.accounts[2:4])
                    neighbours = [_entry(books.key(), *books.accounts[4:6]) for _ in range(20)]
                    caller = asyncio.create_task(_post(db, books, entry))
                    started = asyncio.get_running_loop().time()
                    await asyncio.gather(*(_post(db, books, neighbour) for neighbour in neighbours))
                    slowest = max(slowest, asyncio.get_running_loop().time() - started)
                    await stranger.execute("COMMIT" if is_stored else "ROLLBACK")
                    refusal = await caller
                expected = EntryConflictError if is_stored else None
                wrong += [] if refusal is expected else [f"{refusal} instead of {expected}"]
                books.record.told[key] = Outcome.APPLIED  # the one or the other
                books.record.errors.pop(EntryConflictError.__name__, None)
        faults = lab.size(10, 2)
        return await _judge(db, books, lab.verdict("G1 held id", faults=faults, overrun=slowest), bound(), wrong)


_HEAD = "INSERT INTO journal_entries (ledger_id, id, date, description) VALUES ($1, $2, $3, $4)"
_LINES = """
INSERT INTO postings (ledger_id, entry_id, line, account_id, date, currency, amount)
VALUES ($1, $2, 1, $4, $3, 'EUR', 1), ($1, $2, 2, $5, $3, 'EUR', -1)
"""


async def _judge(db: DatabaseManager, books: Books, verdict: Verdict, bound: float, wrong: list[str]) -> Verdict:
    failures = [*wrong, *(f"{count} times {kind}" for kind, count in books.record.errors.items())]
    failures += [f"a neighbour was held up for {verdict.overrun:.2f} s"] if verdict.overrun > bound else []
    verdict = dataclasses.replace(verdict, note=f"slowest neighbour {verdict.overrun:.2f} s")
    return await books.judge(verdict, db, failures=failures)


# --- refusals ------------------------------------------------------------------------------------------


async def bad_neighbours(lab: Lab) -> Verdict:
    """G1: whatever is wrong with some entries of a group, the others are stored, and each is told its own."""
    wrong: list[str] = []
    bad = 0
    async with lab.books("G1 bad") as books, DatabaseManager(books.dsn, max_size=8) as db:
        refused = await _bad_entries(db, books)
        for _ in range(lab.size(100, 4)):
            chosen = [books.random.choice(refused) for _ in range(books.random.randint(1, 5))]
            entries: list[tuple[type[FinanceError] | None, NewEntry]]
            entries = [(error, make(books.key())) for error, make in chosen]
            entries += [(None, _entry(books.key(), *books.random.sample(books.accounts[3:], 2))) for _ in range(40)]
            books.random.shuffle(entries)
            answers = await asyncio.gather(*(_post(db, books, entry) for _, entry in entries))
            expected = [error for error, _ in entries]
            wrong += [
                f"{got} instead of {want}" for got, want in zip(answers, expected, strict=True) if got is not want
            ]
            bad += len(chosen)
        verdict = lab.verdict("G1 bad", faults=bad, note=f"{bad} refused of {len(books.record.told)}")
        return await books.judge(verdict, db, failures=wrong)


Refused = tuple[type[FinanceError], Callable[[UUID], NewEntry]]


async def _bad_entries(db: DatabaseManager, books: Books) -> list[Refused]:
    """Close an account and a period, set a limit, and return ways to meet each of them."""
    closed, poor, fine = books.accounts[:3]
    async with db.unit_of_work(books.ledger) as uow:
        await uow.accounts.close(closed, on=DAY)
        await uow.accounts.update(poor, minimum_balance=0)
        await uow.ledgers.close_through(books.ledger, date(2026, 1, 31))
    other = books.accounts[3]

    def unbalanced(key: UUID) -> NewEntry:
        return NewEntry(DAY, str(key), [NewPosting(fine, 1), NewPosting(other, -2)], id=key)

    return [
        (AccountClosedError, lambda key: _entry(key, closed, other)),
        (AccountNotFoundError, lambda key: _entry(key, 10**9, other)),
        (AmountError, lambda key: _entry(key, fine, other, amount="0.001")),
        (BalanceLimitError, lambda key: _entry(key, other, poor)),
        (PeriodClosedError, lambda key: _entry(key, fine, other, on=date(2026, 1, 1))),
        (UnbalancedEntryError, unbalanced),
    ]


async def limits_in_order(lab: Lab) -> Verdict:
    """G1: limits hold as if the entries had come one after another, in the order in which they were handed in."""
    wrong = refused = 0
    async with lab.books("G1 limits") as books, DatabaseManager(books.dsn, max_size=8) as db:
        limited, other = books.accounts[:2]
        async with db.unit_of_work(books.ledger) as uow:
            await uow.accounts.update(limited, minimum_balance=0, maximum_balance=10)
        balance = 0
        for _ in range(lab.size(200, 6)):
            amounts = [books.random.choice([-7, -4, -3, -1, 1, 2, 3, 5, 8]) for _ in range(books.random.randint(2, 60))]
            entries = [_entry(books.key(), limited, other, amount=amount) for amount in amounts]
            answers = await asyncio.gather(*(_post(db, books, entry) for entry in entries))
            for amount, answer in zip(amounts, answers, strict=True):
                is_allowed = 0 <= balance + amount <= 10
                balance += amount if is_allowed else 0
                refused += not is_allowed
                wrong += answer is not (None if is_allowed else BalanceLimitError)
        failures = [f"{wrong} answers are not those of the model"] if wrong else []
        note = f"{refused} of {len(books.record.told)} refused, {wrong} otherwise than the model"
        return await books.judge(lab.verdict("G1 limits", faults=refused, note=note), db, failures=failures)


# --- callers that leave --------------------------------------------------------------------------------


async def cancelled_callers(lab: Lab) -> Verdict:
    """G1: who is cancelled takes nobody along, and posts the same id again."""
    cancelled: list[UUID] = []
    async with lab.books("G1 cancelled") as books, DatabaseManager(books.dsn, max_size=8) as db:
        for _ in range(lab.size(300, 10)):
            keys = [books.key() for _ in range(20)]
            tasks = [asyncio.create_task(books.lane(db, key)) for key in keys]
            await asyncio.sleep(books.random.choice([0.0, 0.0, 0.001, 0.002, 0.004, 0.008]))
            for task in books.random.sample(tasks, 5):
                task.cancel()
            await asyncio.wait(tasks)
            cancelled += [key for key, task in zip(keys, tasks, strict=True) if task.cancelled()]
        others = {key for key, told in books.record.told.items() if told is not Outcome.APPLIED} - {*cancelled}
        books.record.errors.clear()
        await all_of((partial(books.lane, db, key) for key in cancelled), callers=16)
        failures = [f"{len(others)} others were not stored"] if others else []
        failures += [f"{count} times {kind}" for kind, count in books.record.errors.items()]
        verdict = lab.verdict("G1 cancelled", faults=len(cancelled), note=f"{len(cancelled)} cancelled")
        return await books.judge(verdict, db, failures=failures)


async def drained(lab: Lab, grace: float) -> Verdict:
    """G1: disconnecting posts what is under way, or tells each caller in time what is known of it."""
    name = f"G1 disconnect {grace:g} s"
    errors: Counter[str] = Counter()
    slowest = 0.0
    async with lab.books(name) as books, lab.patience(grace + 2) as bound:
        for _ in range(lab.size(20, 2)):
            db = DatabaseManager(books.dsn, max_size=4)
            await db.connect()
            await books.lane(db, books.key())
            tasks = [asyncio.create_task(books.lane(db, books.key())) for _ in range(300)]
            await asyncio.sleep(books.random.choice([0.0, 0.005, 0.01, 0.02]))
            started = asyncio.get_running_loop().time()
            await db.disconnect(grace)
            slowest = max(slowest, asyncio.get_running_loop().time() - started)
            done, pending = await asyncio.wait(tasks, timeout=1.0)
            errors["pending"] += len(pending)
            await asyncio.gather(*done)
        errors += books.record.errors
        failures = [f"{errors['pending']} callers still wait"] if errors["pending"] else []
        failures += [f"{errors} in spite of the grace"] if grace >= 1 and +errors else []
        failures += [f"disconnecting took {slowest:.2f} s"] if slowest > bound() else []
        told = ", ".join(f"{count} {kind}" for kind, count in errors.items() if count) or "all were stored"
        return await books.judge(lab.verdict(name, faults=len(books.record.told), note=told), failures=failures)


FORMS: dict[str, Callable[[Lab], Awaitable[Verdict]]] = {
    "held account": held_account,
    "held id": held_id,
    "bad neighbours": bad_neighbours,
    "limits in order": limits_in_order,
    "cancelled callers": cancelled_callers,
    "drained": partial(drained, grace=5.0),
    "cut off": partial(drained, grace=0.0),
}
