"""Where scenarios run: one server, a fresh database with books for each, and how large they are."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import random
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import asyncpg

from benchmarks.chaos.audit import audit, judge
from benchmarks.chaos.cluster import Node, node_in
from benchmarks.chaos.proxy import Proxy, proxy_to
from benchmarks.chaos.record import Record
from benchmarks.chaos.verdict import Verdict
from finance import DatabaseManager, NewEntry, NewPosting, Outcome, Retry
from tests import templates
from tests.places import make_reachable

_T = TypeVar("_T")

TEMPLATE = "chaos_template"
#: The day of every entry.
DAY = date(2026, 11, 22)
_ACCOUNTS = 24
_numbers = itertools.count(1)
_ROUND_TRIPS = 8
_WINK = 0.02

#: Two lines of one key, without any constraint that would hide a double.
_MARKS = "CREATE TABLE marks (key uuid NOT NULL, line int NOT NULL, amount numeric NOT NULL)"
MARK = "INSERT INTO marks VALUES ($1, $2, $3)"


@dataclass
class Books:
    """A database of its own with a ledger and accounts, and what callers were told of it."""

    database: str
    dsn: str
    ledger: int
    accounts: list[int]
    random: random.Random
    record: Record = field(default_factory=Record)

    def key(self) -> UUID:
        """Make a key that the seed repeats."""
        return UUID(int=self.random.getrandbits(128), version=4)

    def entry(self, key: UUID) -> NewEntry:
        """Make the entry of *key*: a unit between two accounts that depend on it alone."""
        debit, credit = self.accounts_of(key)
        lines = [NewPosting(self.accounts[debit], 1), NewPosting(self.accounts[credit], -1)]
        return NewEntry(DAY, str(key), lines, id=key)

    def accounts_of(self, key: UUID) -> tuple[int, int]:
        """Choose the two accounts of the entry of *key*, by their number here."""
        debit = key.int % len(self.accounts)
        return debit, (debit + 1 + key.int // 7 % (len(self.accounts) - 1)) % len(self.accounts)

    async def post(self, db: DatabaseManager, key: UUID) -> None:
        """Post the entry of *key* in a unit of work, and note what was told."""
        with self.record.of(key) as call:
            async with db.unit_of_work(self.ledger) as uow:
                call.handle = uow
                await uow.journal.post(self.entry(key))

    async def mark(self, db: DatabaseManager, key: UUID) -> None:
        """Write the two lines of *key* in a raw transaction, and note what was told."""
        with self.record.of(key) as call:
            async with db.transaction() as connection:
                call.handle = connection
                await connection.execute(MARK, key, 1, 10)
                await connection.execute(MARK, key, 2, -10)

    async def run(self, db: DatabaseManager, key: UUID, retry: Retry) -> None:
        """Post the entry of *key* with `db.run`, and note what was told."""
        with self.record.of(key, without_handle=Outcome.UNKNOWN):
            await db.run(lambda uow: uow.journal.post(self.entry(key)), ledger=self.ledger, retry=retry)

    async def lane(self, db: DatabaseManager, key: UUID, timeout: float = 30.0) -> None:
        """Post the entry of *key* through the fast lane, and note what was told."""
        with self.record.of(key, without_handle=Outcome.UNKNOWN):
            await db.journal.post(self.entry(key), ledger=self.ledger, timeout=timeout)

    async def judge(self, verdict: Verdict, db: DatabaseManager | None = None, **others: Any) -> Verdict:
        """Audit the database, and complete *verdict*."""
        findings = await audit(self.dsn, db, self.ledger)
        return judge(verdict, self.record, findings, **{"failures": [], **others})


class Lab:
    """The server of the scenarios, their seed and their size."""

    def __init__(self, folder: Path, node: Node, *, seed: int, is_short: bool) -> None:
        self.folder = folder
        self.node = node
        self.seed = seed
        self.is_short = is_short

    def size(self, full: _T, short: _T) -> _T:
        """Choose a size."""
        return short if self.is_short else full

    def random(self, scenario: str) -> random.Random:
        """Make the numbers of one scenario: they do not depend on which others run."""
        return random.Random(f"{self.seed} {scenario}")

    def verdict(self, scenario: str, **figures: Any) -> Verdict:
        """Begin a row."""
        return Verdict(scenario, seed=self.seed, **figures)

    @contextlib.asynccontextmanager
    async def books(self, scenario: str, node: Node | None = None) -> AsyncIterator[Books]:
        """Make a database with books, and drop it afterwards."""
        node = node or self.node
        name = f"chaos_{os.getpid()}_{next(_numbers)}"
        async with node.administered("postgres") as admin:
            await templates.copy(admin, name, TEMPLATE)
        async with node.administered(name) as admin:
            ledger = await admin.fetchval("SELECT id FROM ledgers")
            accounts = [row["id"] for row in await admin.fetch("SELECT id FROM accounts ORDER BY id")]
        try:
            yield Books(name, node.dsn(name), ledger, accounts, self.random(scenario))
        finally:
            if node is self.node:  # others are gone at the end of their scenario
                await _drop(node, name)

    @contextlib.asynccontextmanager
    async def patience(self, seconds: float, *, asks_server: bool = True) -> AsyncIterator[Callable[[], float]]:
        """Bound a time by *seconds*, and in the short form by what the machine itself was slower meanwhile.

        Other tests may run beside the short form. What they take from it is measured, while the block runs, by
        bare connections past the network, each with about the round trips of a post: the slowest is added. Without
        *asks_server*, where that is to be silent, it is how much too late this process was woken.
        """
        clock = asyncio.get_running_loop().time
        slowest = 0.0

        async def connect() -> None:
            nonlocal slowest
            while True:
                started = clock()
                if not asks_server:
                    await asyncio.sleep(_WINK)
                    slowest = max(slowest, clock() - started - _WINK)
                    continue
                with contextlib.suppress(OSError, asyncpg.PostgresError):  # the scenario has killed it
                    async with self.node.administered("postgres") as admin:
                        for _ in range(_ROUND_TRIPS):
                            await admin.fetchval("SELECT 1")
                    slowest = max(slowest, clock() - started)
                await asyncio.sleep(0.1)

        control = asyncio.create_task(connect()) if self.is_short else None
        try:
            yield lambda: seconds + slowest
        finally:
            if control is not None:
                control.cancel()
                await asyncio.wait((control,))

    @contextlib.asynccontextmanager
    async def network(self) -> AsyncIterator[Proxy]:
        """Open a network to the server."""
        async with proxy_to(self.node.socket) as proxy:
            yield proxy


async def _drop(node: Node, name: str) -> None:
    async with asyncio.timeout(10), node.administered("postgres") as admin:
        await admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


async def build_template(node: Node) -> None:
    """Build the database that the others are copies of."""
    async with node.administered("postgres") as admin:
        await admin.execute(f"CREATE DATABASE {TEMPLATE} TEMPLATE template0 ENCODING 'UTF8'")
    async with DatabaseManager(node.dsn(TEMPLATE)) as db:
        await db.migrations.upgrade()
        async with db.unit_of_work("Books", base_currency="EUR") as uow:
            for number in range(_ACCOUNTS):
                await uow.accounts.open(f"Assets:Account{number}", currency="EUR")
        await db.execute(_MARKS)
    async with node.administered("postgres") as admin:
        await templates.seal(admin, TEMPLATE)


@contextlib.asynccontextmanager
async def laboratory(*, seed: int, is_short: bool, settings: Mapping[str, str] | None = None) -> AsyncIterator[Lab]:
    """Start the server; nothing of it is left when the block ends."""
    folder = make_reachable("finance-chaos-")
    try:
        async with node_in(folder / "main", settings) as node:
            await build_template(node)
            yield Lab(folder, node, seed=seed, is_short=is_short)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
