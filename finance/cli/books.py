"""Which database and which books a command is about."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, TypeVar

from cyclopts import Parameter

from finance import DatabaseManager, Ledger, UnitOfWork
from finance.cli.terminal import tell
from finance.database import manager_for_command
from finance.errors import InvalidError, LedgerNotFoundError, NotConfiguredError
from finance.settings import resolve

_T = TypeVar("_T")

_DEFAULT_LEDGER = "main"
#: Ledgers that are named where one is not found.
_MOST_NAMED = 20
#: Of a ledger of which nothing says in which currency it counts.
_DEFAULT_CURRENCY = "EUR"


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """The options that every command has."""

    json: Annotated[bool, Parameter(negative="", help="Print one JSON document; amounts are strings.")] = False
    ledger: Annotated[
        str, Parameter(help="The set of books; import, load and rules add make one that is not there.")
    ] = _DEFAULT_LEDGER
    database: Annotated[
        str | None,
        Parameter(help='A PostgreSQL URL, or "embedded"; otherwise what the environment names.', show_default=False),
    ] = None
    schema: Annotated[
        str | None,
        Parameter(help="The schema of the tables; otherwise the first of the search path.", show_default=False),
    ] = None
    base_currency: Annotated[
        str | None,
        Parameter(help="Of a ledger that is made now; otherwise the file's, or EUR.", show_default=False),
    ] = None


HERE = Where()


@contextlib.asynccontextmanager
async def connected(where: Where, *, migrate: bool = True) -> AsyncIterator[DatabaseManager]:
    """Connect to the database. A private one that is new gets its tables; any other is left as it is.

    Raises:
        FinanceError: As `DatabaseManager.connect()`.
    """
    _end_on_sigterm()
    async with manager_for_command(where.database, tell=tell, schema=where.schema) as db:
        if migrate and _is_embedded(where.database) and await db.migrations.current() is None:
            tell("setting up the embedded database")
            await db.migrations.upgrade()
        yield db


@contextlib.asynccontextmanager
async def reading(where: Where) -> AsyncIterator[UnitOfWork]:
    """Read the books as they are at one instant.

    Raises:
        FinanceError: As `connected()` and `ledger_of()`.
    """
    async with connected(where) as db:
        ledger = await ledger_of(db, where)
        async with db.unit_of_work(ledger, isolation="repeatable_read", read_only=True) as uow:
            yield uow


@contextlib.asynccontextmanager
async def writing(where: Where) -> AsyncIterator[UnitOfWork]:
    """Change the books: all of what the block does, or nothing.

    Raises:
        FinanceError: As `connected()` and `ledger_of()`.
    """
    async with connected(where) as db, db.unit_of_work(await ledger_of(db, where)) as uow:
        yield uow


async def run(where: Where, work: Callable[[UnitOfWork], Awaitable[_T]]) -> _T:
    """Do *work* in a unit of work of the ledger, and again after faults that pass; return what it returns.

    Raises:
        FinanceError: As `connected()`, `ledger_of()` and `DatabaseManager.run()`.
    """
    async with connected(where) as db:
        return await db.run(work, ledger=await ledger_of(db, where))


async def run_making(
    where: Where, work: Callable[[UnitOfWork], Awaitable[_T]], *, base_currency: str | None = None
) -> _T:
    """Do *work* as `run()` does, in a ledger that may be made: in the same transaction, so that a refusal leaves none.

    Raises:
        FinanceError: As `connected()`, `find_ledger()` and `DatabaseManager.run()`.
    """
    async with connected(where) as db:
        is_there = await find_ledger(db, where) is not None
        chosen = where.base_currency or base_currency or _DEFAULT_CURRENCY
        done = await db.run(work, ledger=where.ledger, base_currency=chosen)
        # A dry run has rolled it back.
        if not is_there and (made := await find_ledger(db, where)) is not None:
            _tell_of_new_ledger(where, made)
    return done


def today() -> date:
    """Return the day that it is where the command runs."""
    return datetime.now(UTC).astimezone().date()


async def ledger_of(db: DatabaseManager, where: Where) -> Ledger:
    """Return the ledger. None is made but the default one, which is always there: a typo would be a ledger of its own.

    Raises:
        CurrencyError: ISO 4217 does not know the currency.
        FinanceError: As `existing_ledger()`.
    """
    if where.ledger == _DEFAULT_LEDGER and await find_ledger(db, where) is None:
        return await db.ledgers.get_or_create(where.ledger, base_currency=where.base_currency or _DEFAULT_CURRENCY)
    return await existing_ledger(db, where)


async def existing_ledger(db: DatabaseManager, where: Where) -> Ledger:
    """Return the ledger.

    Raises:
        LedgerNotFoundError: There is none of this name; with the names that there are.
        InvalidError: The ledger has another base currency than the command was told.
    """
    found = await find_ledger(db, where)
    if found is None:
        known = [each.name for each in (await db.ledgers.page(limit=_MOST_NAMED)).items]
        raise LedgerNotFoundError(where.ledger, known=known, remedy="`finance import` and `finance load` make one")
    return found


async def find_ledger(db: DatabaseManager, where: Where) -> Ledger | None:
    """Return the ledger, or None when it is to be made.

    Raises:
        InvalidError: The ledger has another base currency than the command was told.
    """
    found = await db.ledgers.get_by_name(where.ledger)
    told = where.base_currency
    if found is not None and told is not None and told.upper() != found.base_currency:
        raise InvalidError(
            f"ledger {where.ledger!r} has base currency {found.base_currency}, not {told!r}:"
            " leave --base-currency out, or name another ledger"
        )
    return found


def _tell_of_new_ledger(where: Where, made: Ledger) -> None:
    """Say that a ledger was made, unless it is the one that is always there."""
    if where.ledger != _DEFAULT_LEDGER:
        tell(f"made the ledger {made.name!r}, base currency {made.base_currency}")


async def exponents_of(uow: UnitOfWork) -> dict[str, int]:
    """Return how many decimals each currency of the ledger has."""
    return {currency.code: currency.exponent async for currency in uow.currencies.stream()}


def _is_embedded(dsn: str | None) -> bool:
    try:
        return resolve(dsn).is_embedded
    except NotConfiguredError:
        return True


def _end_on_sigterm() -> None:
    """Let SIGTERM unwind the command as Ctrl-C does, so that it leaves no server and no transaction behind."""
    task = asyncio.current_task()
    if task is not None:
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):  # Windows, or not the main thread
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
