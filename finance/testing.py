"""Faults on purpose, for the tests of an application: does it do the right thing when the database does not?

    faults = Faults(seed=7)
    with faults.injected_into(db):
        await the_work_under_test(db)
    print(faults)  # the seed, and how often each fault came

Nothing of it is in the way of a manager into which no faults are injected. It is for tests only.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, ClassVar, Self, TypeVar

import asyncpg

from finance.connection import PooledConnection
from finance.database import DatabaseManager
from finance.errors import InvalidError

_T = TypeVar("_T")


class Fault(enum.StrEnum):
    """What can go wrong, each as it does in earnest: by the connection's end, or an error that the server raises."""

    #: The connection breaks before a statement is sent.
    LOST_BEFORE = "lost before a statement"
    #: The server has run the statement, and the connection breaks before its answer.
    LOST_AFTER = "lost after a statement"
    #: The connection breaks before COMMIT is sent: nothing is stored, and nobody can know.
    COMMIT_LOST = "commit lost"
    #: The server has committed, and the connection breaks before its answer: all is stored, and nobody can know.
    COMMIT_UNANSWERED = "commit unanswered"
    #: In a transaction, the server says that a concurrent one made it impossible (SQLSTATE 40001).
    SERIALIZATION = "serialization failure"
    #: In a transaction, the server ends a deadlock at its cost (SQLSTATE 40P01).
    DEADLOCK = "deadlock"
    #: In a transaction, a lock is not granted in time (SQLSTATE 55P03).
    LOCK_TIMEOUT = "lock timeout"
    #: The answer takes longer, by `delay` seconds.
    SLOW = "slow answer"


_CODES = {Fault.SERIALIZATION: "40001", Fault.DEADLOCK: "40P01", Fault.LOCK_TIMEOUT: "55P03"}
_FRAMES = ("BEGIN", "START", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE")


class Faults:
    """Chooses by its seed which faults there are at all, and at each statement whether one of them strikes.

    Args:
        seed: Makes the same choices again, as long as the statements come in the same order; drawn unless given.
        active: How likely it is that a fault exists in this run at all.
        chance: How likely a fault that exists strikes where it can. A mapping names the faults that exist, each with
            its own chance; then *active* says nothing.
        delay: Seconds by which a slow answer is late.

    Attributes:
        seed: Replays a run.
        fired: How often each fault has struck.

    Raises:
        InvalidError: A chance is not between 0 and 1, or the delay is negative.
    """

    def __init__(
        self,
        seed: int | None = None,
        *,
        active: float = 0.25,
        chance: float | Mapping[Fault, float] = 0.25,
        delay: float = 0.05,
    ) -> None:
        self.seed = random.randrange(2**32) if seed is None else seed  # noqa: S311 - no secret depends on it
        self._random = random.Random(self.seed)  # noqa: S311
        if isinstance(chance, Mapping):
            chances = {Fault(fault): each for fault, each in chance.items()}
        else:
            chances = {fault: chance for fault in Fault if self._random.random() < active}
        if any(not 0 <= each <= 1 for each in (active, *chances.values())) or delay < 0:
            raise InvalidError("a chance is a number from 0 to 1, and a delay is not negative")
        self.chances: Mapping[Fault, float] = chances
        self.delay = delay
        self.fired: Counter[Fault] = Counter()

    def __repr__(self) -> str:
        fired = ", ".join(f"{count} {fault}" for fault, count in sorted(self.fired.items()))
        return f"<Faults seed={self.seed}: {fired or 'none so far'}>"

    @contextlib.contextmanager
    def injected_into(self, db: DatabaseManager) -> Iterator[Self]:
        """Have the statements of *db*, which is connected, meet these faults while the block runs.

        Connecting, the pool's own work between two users, COPY and `stream()` are spared.

        Raises:
            NotConnectedError: *db* is not connected.
        """
        pool = db._connected  # noqa: SLF001 - the one that tests need, and nobody else
        ordinary = pool.connection_class
        faulty: Any = type("FaultyConnection", (_FaultyConnection, ordinary), {"faults": self})
        pool.change_class(faulty)
        try:
            yield self
        finally:
            pool.change_class(ordinary)
            faulty.faults = Faults(chance={})  # for a connection that is being made just now

    def strikes(self, fault: Fault) -> bool:
        """Decide whether *fault* strikes now, and count it."""
        chance = self.chances.get(fault)
        if chance is None or self._random.random() >= chance:
            return False
        self.fired[fault] += 1
        return True


class _FaultyConnection(PooledConnection):
    """A connection whose statements meet faults."""

    faults: ClassVar[Faults]

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        run = super().execute
        if args:  # it comes by `_execute()`
            return await run(query, *args, timeout=timeout)
        if self._is_under_way(query):
            return await self._commit(lambda: run(query, timeout=timeout))
        if query.lstrip().upper().startswith(_FRAMES):
            return await run(query, timeout=timeout)
        return await self._meet(lambda: run(query, timeout=timeout))

    async def _execute(self, query: str, args: Any, limit: int, timeout: float | None, **options: Any) -> Any:
        run = super()._execute
        return await self._meet(lambda: run(query, args, limit, timeout, **options))

    async def _executemany(self, query: str, args: Any, timeout: float | None, **options: Any) -> Any:
        run = super()._executemany
        return await self._meet(lambda: run(query, args, timeout, **options))

    async def prepare(self, query: str, **options: Any) -> Any:
        """Prepare a statement, as SQLAlchemy does with each of its own."""
        run = super().prepare
        return await self._meet(lambda: run(query, **options))

    def _is_under_way(self, query: str) -> bool:
        return query.lstrip().upper().startswith(("COMMIT", "END")) and self.is_in_transaction()

    async def _meet(self, run: Callable[[], Awaitable[_T]]) -> _T:
        strikes = self.faults.strikes
        if self.is_closed():
            return await run()
        if strikes(Fault.LOST_BEFORE):
            self._break()
        if strikes(Fault.SLOW):
            await asyncio.sleep(self.faults.delay)
        for fault, code in _CODES.items():
            if self.is_in_transaction() and strikes(fault):
                await self._raise(code)
        result = await run()
        if strikes(Fault.LOST_AFTER):
            self._break()
        return result

    async def _commit(self, run: Callable[[], Awaitable[_T]]) -> _T:
        strikes = self.faults.strikes
        if strikes(Fault.COMMIT_LOST):
            self.may_have_committed = True
            self._break()
        if strikes(Fault.SLOW):
            await asyncio.sleep(self.faults.delay)
        result = await run()
        if strikes(Fault.COMMIT_UNANSWERED):
            self.may_have_committed = True
            self._break()
        return result

    def _break(self) -> None:
        self.terminate()
        raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")

    async def _raise(self, code: str) -> None:
        """Have the server raise the error, so that it is in the state in which it then is."""
        await super().execute(f"DO $$ BEGIN RAISE EXCEPTION 'injected' USING ERRCODE = '{code}'; END $$")
