"""X1: a bank whose total must never change. X2: histories without a cycle. X3: write skew by way of ON CONFLICT."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from decimal import Decimal

from benchmarks.chaos.cycles import Seen, anomalies
from benchmarks.chaos.lab import DAY, Books, Lab
from benchmarks.chaos.load import all_of, load
from benchmarks.chaos.verdict import Verdict
from finance import DatabaseManager, NewEntry, NewPosting, Outcome, Retry, UnitOfWork
from finance.database.transactions import Isolation
from finance.errors import FinanceError

#: None posts through the fast lane.
ISOLATIONS: tuple[Isolation | None, ...] = ("read_committed", "repeatable_read", "serializable", None)
WORKLOADS = ("lists", "postings")

_PATIENT = Retry(attempts=200, deadline=60.0, pause=0.005, longest_pause=0.1)

# --- X1 ------------------------------------------------------------------------------------------------

_TOTAL = 100


async def bank(lab: Lab, isolation: Isolation | None) -> Verdict:
    """X1: eight accounts that hold 100 together, none below zero; whoever reads all of them finds just that."""
    name = f"X1 {isolation or 'lane'}"
    wrong: Counter[str] = Counter()
    reads = 0
    async with lab.books(name) as books, DatabaseManager(books.dsn, max_size=16) as db:
        accounts = await _open_bank(db, books)

        async def either() -> None:
            nonlocal reads
            if books.random.random() < 0.5:
                await _transfer(db, books, accounts, isolation)
            else:
                reads += 1
                wrong.update(_flaws(await _read(db, books, accounts, isolation)))

        async with load(either, callers=16, pause=0.0) as running:
            await asyncio.sleep(lab.size(60.0, 0.6))
        refused = books.record.errors.pop("BalanceLimitError", 0)
        failures = [f"{count} times {kind}" for kind, count in (wrong + books.record.errors).items()]
        note = f"{reads} reads, {wrong['total']} wrong, {wrong['negative']} negative, {refused} refused by the limit"
        verdict = lab.verdict(name, tries=running.calls, note=f"{note}, {db.stats().retries} retries")
        return await books.judge(verdict, db, failures=failures)


async def _open_bank(db: DatabaseManager, books: Books) -> list[int]:
    accounts = []
    async with db.unit_of_work(books.ledger) as uow:
        for number in range(8):
            opened = await uow.accounts.open(f"Assets:Bank:{number}", currency="EUR", minimum_balance=0)
            accounts.append(opened.id)
    shares = [13, 13, 13, 13, 12, 12, 12, 12]
    for account, share in zip(accounts, shares, strict=True):
        await _move(db, books, {account: share, books.accounts[0]: -share})
    return accounts


async def _transfer(db: DatabaseManager, books: Books, accounts: list[int], isolation: Isolation | None) -> None:
    source, target = books.random.sample(accounts, 2)
    amount = books.random.randint(1, 5)
    await _move(db, books, {target: amount, source: -amount}, isolation)


async def _move(db: DatabaseManager, books: Books, amounts: dict[int, int], isolation: Isolation | None = None) -> None:
    key = books.key()
    entry = NewEntry(DAY, str(key), [NewPosting(*line) for line in amounts.items()], id=key)
    with books.record.of(key):
        if isolation is None:
            await db.journal.post(entry, ledger=books.ledger)
        else:
            await db.run(lambda uow: uow.journal.post(entry), ledger=books.ledger, isolation=isolation, retry=_PATIENT)


async def _read(db: DatabaseManager, books: Books, accounts: list[int], isolation: Isolation | None) -> list[Decimal]:
    """Read each balance by itself where the snapshot is the transaction's, else all in one statement."""

    async def read(uow: UnitOfWork) -> list[Decimal]:
        if isolation in ("read_committed", None):
            return list((await uow.accounts.balances(accounts=accounts)).values())
        return [(await uow.accounts.get_one(account)).balance for account in accounts]

    return await db.run(read, ledger=books.ledger, isolation=isolation, retry=_PATIENT)


def _flaws(balances: list[Decimal]) -> list[str]:
    flaws = ["negative"] * sum(balance < 0 for balance in balances)
    return flaws if sum(balances) == _TOTAL and len(balances) == 8 else [*flaws, "total"]


# --- X2 ------------------------------------------------------------------------------------------------

_KEYS = 6
_BATCH = 400  # transactions on the same keys: their lists stay short


async def histories(lab: Lab, workload: str, isolation: Isolation) -> Verdict:
    """X2: transactions that read and append at random leave no cycle where they are to be serializable."""
    name = f"X2 {workload} {isolation}"
    found: Counter[str] = Counter()
    tries = committed = 0
    async with lab.books(name) as books, DatabaseManager(books.dsn, max_size=16) as db:
        for _ in range(lab.size(15, 1)):
            history = await _history(db, books, workload, isolation, lab.size(_BATCH, 150))
            tries += len(history)
            committed += sum(seen.outcome is Outcome.APPLIED for seen in history)
            found += anomalies(history, is_ordered=workload == "lists")
        # Snapshots let write skew through, and a history without any would mean that nothing was looked for.
        forbidden = set(found) if isolation == "serializable" else set(found) - {"G2"}
        failures = [f"{found[kind]} times {kind}" for kind in sorted(forbidden)]
        if isolation != "serializable" and not found["G2"] and not lab.is_short:
            failures.append("no write skew was found among snapshots, so that the checker sees nothing")
        cycles = ", ".join(f"{count} {kind}" for kind, count in sorted(found.items())) or "no anomaly"
        verdict = lab.verdict(name, tries=tries, note=f"{committed} committed, {cycles}")
        return await books.judge(verdict, db, failures=failures)


async def _history(db: DatabaseManager, books: Books, workload: str, isolation: Isolation, size: int) -> list[Seen]:
    async with db.unit_of_work(books.ledger) as uow:
        opened = [await uow.accounts.open(f"Assets:{books.key()}", currency="EUR") for _ in range(_KEYS)]
    keys = [account.id for account in opened]
    history: list[Seen] = []

    async def one() -> None:
        seen = Seen()
        history.append(seen)
        await _LOADS[workload](db, books, keys, isolation, seen)

    await all_of((one for _ in range(size)), callers=5)
    return history


async def _transact(
    db: DatabaseManager, books: Books, isolation: Isolation, seen: Seen, work: Callable[[UnitOfWork], Awaitable[None]]
) -> None:
    """Run *work* once; a history needs no second attempt."""
    try:
        async with db.unit_of_work(books.ledger, isolation=isolation) as uow:
            await work(uow)
    except FinanceError as error:
        seen.outcome = error.outcome
    else:
        seen.outcome = Outcome.APPLIED


async def _on_lists(db: DatabaseManager, books: Books, keys: list[int], isolation: Isolation, seen: Seen) -> None:
    """Append to a list in the details of an account, and read those of others."""

    async def work(uow: UnitOfWork) -> None:
        for key in books.random.sample(keys, 2):
            read = (await uow.accounts.get_one(key)).details.get("list", [])
            seen.read.append((key, tuple(read)))
        key = books.random.choice(keys)
        element = books.random.getrandbits(48)
        row = await uow.accounts.get_one(key, for_update=True)
        seen.appended.append((key, element))
        await uow.accounts.update(key, details={"list": [*row.details.get("list", []), element]})

    await _transact(db, books, isolation, seen, work)


async def _on_postings(db: DatabaseManager, books: Books, keys: list[int], isolation: Isolation, seen: Seen) -> None:
    """Post to an account of one's own and one of the keys; read which entries others of them have."""
    entry_id = books.key()

    async def work(uow: UnitOfWork) -> None:
        for key in books.random.sample(keys, 2):
            seen.read.append((key, tuple([line.entry_id.int async for line in uow.reports.register(key)])))
        key, partner = books.random.choice(keys), books.accounts_of(entry_id)[0]
        seen.appended.append((key, entry_id.int))
        lines = [NewPosting(key, 1), NewPosting(books.accounts[partner], -1)]
        await uow.journal.post(NewEntry(DAY, str(entry_id), lines, id=entry_id))

    await _transact(db, books, isolation, seen, work)
    books.record.told[entry_id] = seen.outcome


_LOADS = {"lists": _on_lists, "postings": _on_postings}
