"""The fast lane of a pool."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from finance.connection import Connection, Observer, PooledConnection, Record
from finance.database.pool import Pool
from finance.database.single import run_single
from finance.database.transactions import TransactionOptions, raw_transaction
from finance.errors import InvalidError, LedgerNotFoundError
from finance.journal import Lane
from finance.journal.poster import Poster
from finance.models import Ledger
from finance.repositories import KnownCurrencies
from finance.repositories.draft import Fetch

#: Groups that are under way at the same time (docs/decisions/0023-the-fast-lane.md).
PLACES = 2


def make_lane(pool: Pool, currencies: KnownCurrencies, observer: Observer, *, one_ledger: bool) -> Lane:
    """Make the lane whose groups take their connections from *pool*; with *one_ledger*, each is of one ledger."""
    database = _OneLedger(pool) if one_ledger else _AllLedgers(pool)
    return Lane(Poster(database, currencies, observer), PLACES, pool.require_usable, one_ledger=one_ledger)


class _AllLedgers:
    """The database as the lane uses it: statements that commit by themselves, and transactions."""

    sees_all_ledgers = True

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def fetch(self, _ledger_id: int, query: str, *args: Any) -> Sequence[Record]:
        """Run a statement of the library's own that commits by itself."""

        async def call(driver: PooledConnection) -> Sequence[Record]:
            rows = await driver.fetch_fitting(query, args)
            driver.is_untouched = True  # what it sets, it sets for its transaction
            return rows

        return await run_single(self._pool, call)

    def transaction(self, ledger_id: int, lock_timeout: float | None) -> AbstractAsyncContextManager[Connection]:
        """Open a transaction."""
        wanted = TransactionOptions(isolation="read_committed", lock_timeout=lock_timeout, ledger=self._seen(ledger_id))
        return raw_transaction(self._pool, wanted)

    def _seen(self, _ledger_id: int) -> int | None:
        """Return the ledger that a transaction is confined to."""
        return None


class _OneLedger(_AllLedgers):
    """The same under row-level security: each statement in a transaction that names its ledger."""

    sees_all_ledgers = False

    async def fetch(self, ledger_id: int, query: str, *args: Any) -> Sequence[Record]:
        """Run a statement in a transaction of its own."""
        async with self.transaction(ledger_id, None) as connection:
            return await connection.fetch(query, *args)

    def _seen(self, ledger_id: int) -> int | None:
        return ledger_id


async def find_ledger(fetch: Fetch, ledger: Ledger | int | str) -> int:
    """Return the id of *ledger*; whether there is one of this id is found out with its accounts.

    Raises:
        LedgerNotFoundError: There is none of this name.
        InvalidError: It is neither a ledger, nor an id, nor a name.

    Database:
        One SELECT for a name.
    """
    if isinstance(ledger, Ledger):
        return ledger.id
    if isinstance(ledger, int) and not isinstance(ledger, bool):
        return ledger
    if not isinstance(ledger, str):
        raise InvalidError(f"ledger {ledger!r}: give a Ledger, its id or its name")
    rows = await fetch("SELECT id FROM ledgers WHERE name = $1", ledger)
    if not rows:
        raise LedgerNotFoundError(ledger)
    found: int = rows[0]["id"]
    return found
