"""`db.ledgers`: ledgers, each call in a transaction of its own."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from datetime import date
from typing import TYPE_CHECKING

from finance.errors import DeadlockError, LedgerNotFoundError
from finance.pagination import PAGE_SIZE, Page

if TYPE_CHECKING:
    from uuid import UUID

    from finance.journal import Erased, Redacted
    from finance.models import JournalEntry, Ledger, Payee
    from finance.unit_of_work import UnitOfWork

#: How often an erasure that met a deadlock is tried.
_ATTEMPTS = 5


class Ledgers:
    """The ledgers of the database. What `uow.ledgers` does inside a transaction, each call does in its own.

    What is forgotten for good, `erase()` and `redact()`, is here only.
    """

    def __init__(self, unit_of_work: Callable[..., AbstractAsyncContextManager[UnitOfWork]]) -> None:
        self._unit_of_work = unit_of_work

    async def get(self, ledger_id: int) -> Ledger | None:
        """Return the ledger with this id, or None."""
        async with self._unit_of_work() as uow:
            return await uow.ledgers.get(ledger_id)

    async def get_by_name(self, name: str) -> Ledger | None:
        """Return the ledger *name*, or None."""
        async with self._unit_of_work() as uow:
            return await uow.ledgers.get_by_name(name)

    async def create(self, name: str, *, base_currency: str) -> Ledger:
        """Make a new ledger.

        Raises:
            AlreadyExistsError: The name is taken.
            CurrencyError: ISO 4217 does not know the currency.
        """
        async with self._unit_of_work() as uow:
            return await uow.ledgers.create(name, base_currency=base_currency)

    async def get_or_create(self, name: str, *, base_currency: str) -> Ledger:
        """Return the ledger *name*, making it when there is none. An existing one keeps its base currency.

        Raises:
            CurrencyError: ISO 4217 does not know the currency.
        """
        async with self._unit_of_work() as uow:
            return await uow.ledgers.get_or_create(name, base_currency=base_currency)

    async def close_through(self, ledger: Ledger | int, through: date) -> Ledger:
        """Close the ledger through the day *through*: nothing is posted on or before it any more.

        Raises:
            LedgerNotFoundError: There is no such ledger.
            PeriodClosedError: It is closed through a later day already; `reopen()` opens that again.
            InvalidError: *through* is not a plain day.
        """
        async with self._unit_of_work() as uow:
            return await uow.ledgers.close_through(ledger, through)

    async def reopen(self, ledger: Ledger | int, *, through: date | None = None) -> Ledger:
        """Open the closed period of the ledger again: all of it, or what lies behind the day *through*.

        Raises:
            LedgerNotFoundError: There is no such ledger.
            InvalidError: *through* is later than what is closed, or not a plain day.
        """
        async with self._unit_of_work() as uow:
            return await uow.ledgers.reopen(ledger, through=through)

    async def page(self, *, after: str | None = None, limit: int = PAGE_SIZE) -> Page[Ledger]:
        """Return up to *limit* ledgers in order of their ids, behind the cursor *after*."""
        async with self._unit_of_work() as uow:
            return await uow.ledgers.page(after=after, limit=limit)

    async def erase(self, ledger: Ledger | int | str) -> Erased:
        """Erase the ledger whole, for good: every row of every table of the books that is of it, and its own.

        So do tables of yours in the same schema whose primary key leads with `ledger_id`. A record stays, in the table
        `erasures`, that has nothing of persons in it but the role that did it. Whoever posts to the ledger meanwhile
        has committed by then and is erased, or finds no ledger.

        Args:
            ledger: The ledger, its id, or its name.

        Raises:
            LedgerNotFoundError: There is no such ledger.
            DatabaseError: The login's role does not own the tables: nobody else may.
            DeadlockError: Five times in a row it and somebody who posts waited for each other.

        Database:
            One INSERT in a transaction of its own, without a limit of time; it locks the ledger against everybody.
        """
        from finance.journal import forgetting  # noqa: PLC0415 - the models take as long to import as all the rest

        ledger_id = await self._id_of(ledger)
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                async with self._unit_of_work(isolation="read_committed", statement_timeout=math.inf) as uow:
                    return await forgetting.erase(uow.connection, ledger_id)
            except DeadlockError:  # with a unit of work that posted, and then opened an account
                if attempt == _ATTEMPTS:
                    raise
        raise AssertionError  # the last attempt has raised

    async def redact(
        self,
        ledger: Ledger | int | str,
        *,
        entries: Iterable[JournalEntry | UUID] | None = None,
        payee: Payee | str | None = None,
        through: date | None = None,
        dry_run: bool = False,
    ) -> Redacted:
        """Take the words out of entries, for good, and leave their money, dates and accounts as they are.

        Descriptions become "[redacted]", those that were replaced too; details, payees, tags, memos and what the
        bank said of them go, as do the words of holds that they settled. With an entry goes all that tells of the same
        event: its reversal, an amendment, and the lines of statements, also those that were undone. A
        payee or tag that no entry has then is removed. Content hashes stay, so that posting an entry again is still a
        replay, or refused; the record of the redaction has the hash of what is left, which verification compares.

        Args:
            ledger: The ledger, its id, or its name.
            entries: These entries, or their ids.
            payee: Whatever has this payee, or had it, or has one of its names in its words, in any table; a name of
                fewer than eight characters where it stands alone. Rules, tags and payees of such a name are removed.
                What is known by the name itself, such as an account, keeps it, and is counted.
            through: Everything up to and including this day: also lines of statements without an entry, the names of
                statements' files, closed holds, notes of assertions, the details of accounts that are closed, and the
                words of schedules and changes of them that are over.
            dry_run: Take nothing out, and leave no record: return what would lose its words. A payee whose name is
                a word of everyday use stands in more than one thinks.

        Raises:
            LedgerNotFoundError, EntryNotFoundError, NotFoundError: There is no such ledger, entry or payee.
            InvalidError: Not just one of *entries*, *payee* and *through* is given.
            DatabaseError: The login's role does not own the tables: nobody else may.

        Database:
            A transaction of its own, without a limit of time for a statement; it locks the entries against whoever
            describes or labels them. For a payee it reads all that has words, and locks the accounts whose details name
            it; nobody else who posts is held up.
        """
        from finance.journal import forgetting  # noqa: PLC0415

        ledger_id = await self._id_of(ledger)
        async with self._unit_of_work(ledger_id, isolation="read_committed", statement_timeout=math.inf) as uow:
            redacted = await forgetting.redact(uow, entries=entries, payee=payee, through=through)
            if dry_run:
                await uow.rollback()
            return redacted

    async def _id_of(self, ledger: Ledger | int | str) -> int:
        if isinstance(ledger, str):
            found = await self.get_by_name(ledger)
            if found is None:
                raise LedgerNotFoundError(ledger)
            return found.id
        return ledger if isinstance(ledger, int) else ledger.id
