"""What the docstrings say of statements, under `Database:`, counted on the wire."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any

import pytest
import pytest_asyncio

from finance import DatabaseManager, UnitOfWork
from finance.migrations import Migrations
from finance.reports import Reports
from finance.repositories import AccountRepository, CurrencyRepository, JournalRepository, LedgerRepository
from tests.conftest import Queries
from tests.factories import Books, entry, open_books

Call = Callable[[UnitOfWork, Books], Awaitable[Any]]
_NUMBERS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "seven": 7, "fourteen": 14}
_STATEMENT = re.compile(rf"\b({'|'.join(_NUMBERS)}) (SELECT|INSERT|UPDATE|DELETE|SET)", re.IGNORECASE)


@pytest_asyncio.fixture
async def dsn(emptied_dsn: str) -> str:
    """A database without books."""
    return emptied_dsn


def stated(method: object) -> Counter[str]:
    """Read the first clause of the `Database:` part of a docstring."""
    text = str(method.__doc__).partition("Database:")[2]
    clause = re.split(r"[;.](?!\.)", text.replace("...", ""))[0]
    return Counter({verb: _NUMBERS[number.lower()] for number, verb in _STATEMENT.findall(clause)})


CALLS: dict[str, tuple[object, Call]] = {
    "accounts.get": (AccountRepository.get, lambda uow, books: uow.accounts.get(books.food.id)),
    "accounts.get for update": (
        AccountRepository.get,
        lambda uow, books: uow.accounts.get(books.food.id, for_update=True),
    ),
    "accounts.page": (AccountRepository.page, lambda uow, _: uow.accounts.page()),
    "accounts.get_by_name": (AccountRepository.get_by_name, lambda uow, _: uow.accounts.get_by_name("Expenses:Food")),
    "accounts.open": (
        AccountRepository.open,
        lambda uow, _: uow.accounts.open("Assets:Cash", currency="EUR", minimum_balance=0, maximum_balance=100),
    ),
    "accounts.get_or_open": (
        AccountRepository.get_or_open,
        lambda uow, _: uow.accounts.get_or_open("Expenses:Food", currency="EUR"),
    ),
    "accounts.update": (
        AccountRepository.update,
        lambda uow, books: uow.accounts.update(books.food, name="Expenses:Meals"),
    ),
    "accounts.balances": (AccountRepository.balances, lambda uow, _: uow.accounts.balances(on=date(2026, 11, 22))),
    "currencies.open": (CurrencyRepository.open, lambda uow, _: uow.currencies.open("BTC", exponent=8)),
    "currencies.get_or_open": (CurrencyRepository.get_or_open, lambda uow, _: uow.currencies.get_or_open("EUR")),
    "ledgers.get_by_name": (LedgerRepository.get_by_name, lambda uow, _: uow.ledgers.get_by_name("Household")),
    "ledgers.create": (LedgerRepository.create, lambda uow, _: uow.ledgers.create("Club", base_currency="EUR")),
    "ledgers.get_or_create": (
        LedgerRepository.get_or_create,
        lambda uow, _: uow.ledgers.get_or_create("Household", base_currency="EUR"),
    ),
    "ledgers.close_through": (
        LedgerRepository.close_through,
        lambda uow, _: uow.ledgers.close_through(uow.ledger_id, date(2025, 12, 31)),
    ),
    "journal.post": (JournalRepository.post, lambda uow, books: uow.journal.post(entry(books.food, books.checking, 1))),
    "journal.page": (JournalRepository.page, lambda uow, _: uow.journal.page()),
    "reports.trial_balance": (Reports.trial_balance, lambda uow, _: uow.reports.trial_balance()),
    "reports.balance_sheets": (Reports.balance_sheets, lambda uow, _: uow.reports.balance_sheets()),
    "reports.verify": (Reports.verify, lambda uow, _: uow.reports.verify()),
}


@pytest.mark.parametrize(("method", "call"), CALLS.values(), ids=CALLS)
async def test_the_database_line_of_a_docstring_is_true(
    db: DatabaseManager, queries: Queries, method: object, call: Call
) -> None:
    """A reader budgets round trips with it."""
    ledger = await db.ledgers.create("Household", base_currency="EUR")
    async with db.unit_of_work(ledger) as uow:
        books = await open_books(uow)
        await uow.journal.post(entry(books.food, books.checking, 1))

        assert Counter(await queries.of(call(uow, books))) == stated(method) != Counter()


async def test_what_a_first_use_costs_more_is_stated(db: DatabaseManager, queries: Queries) -> None:
    """A currency is looked up and added once; a limit asks for its decimals; an account's id for its currency."""
    ledger = await db.ledgers.create("Household", base_currency="EUR")
    async with db.unit_of_work(ledger) as uow:
        books = await open_books(uow)
        await uow.journal.post(entry(books.food, books.checking, 1))  # the driver looks types up on first use
    by_id = entry(books.food.id, books.checking.id, 1)

    async with db.unit_of_work(ledger) as uow:
        opened = await queries.of(uow.accounts.open("Assets:Cash", currency="CHF"))
        limited = await queries.of(uow.accounts.update(books.food, minimum_balance=0, maximum_balance=100))
        posted = await queries.of(uow.journal.post(by_id))
        again = await queries.of(uow.journal.post(entry(books.food.id, books.checking.id, 1)))
        replayed = await queries.of(uow.journal.post(by_id))

    assert Counter(opened) == Counter(SELECT=2, INSERT=2)
    assert Counter(limited) == Counter(SELECT=3, UPDATE=1)
    assert Counter(posted) == Counter(SELECT=1, INSERT=1)
    assert Counter(again) == Counter(INSERT=1)
    assert Counter(replayed) == Counter(SELECT=1, INSERT=1)


async def test_the_revision_is_looked_at_once(db: DatabaseManager, queries: Queries) -> None:
    """After the first unit of work, opening another costs no statement."""
    assert stated(Migrations.current) == Counter(SELECT=1)
    await db.ledgers.get(1)

    async def open_and_leave() -> None:
        async with db.unit_of_work():
            pass

    assert await queries.of(open_and_leave()) == []
