"""Accounts: opened, found, changed, closed, listed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from finance import Account, AccountType, DatabaseManager, UnitOfWork
from finance.errors import (
    AccountClosedError,
    AccountNotFoundError,
    AlreadyExistsError,
    AmountError,
    BalanceLimitError,
    CurrencyError,
    InvalidError,
    SealedError,
    StaleVersionError,
)
from tests.factories import TODAY, entry, open_books

TYPES = {
    "Assets:Cash": AccountType.ASSET,
    "Liabilities:Card": AccountType.LIABILITY,
    "Equity:Opening": AccountType.EQUITY,
    "Income:Salary": AccountType.INCOME,
    "Expenses": AccountType.EXPENSE,
}


# --- opening ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "kind"), TYPES.items())
async def test_the_first_segment_says_the_type(uow: UnitOfWork, name: str, kind: AccountType) -> None:
    """Whoever follows the custom need not say it."""
    account = await uow.accounts.open(name, currency="EUR")

    assert account.type == kind
    assert (str(account.balance), account.version, account.closed_on) == ("0", 1, None)


async def test_a_type_may_be_given(uow: UnitOfWork) -> None:
    """Then the name is free."""
    account = await uow.accounts.open("Mortgage", currency="EUR", type="liability")

    assert account.type == AccountType.LIABILITY


async def test_what_is_given_is_stored(uow: UnitOfWork) -> None:
    """Limits are exact, and the details are the user's own."""
    opened = await uow.accounts.open(
        "Assets:Cash",
        currency="EUR",
        minimum_balance="0.00",
        maximum_balance=500,
        opened_on=TODAY,
        details={"drawer": 3},
    )

    account = await uow.accounts.get_one(opened.id)

    assert (account.minimum_balance, account.maximum_balance) == (Decimal(0), Decimal(500))
    assert (account.opened_on, account.details) == (TODAY, {"drawer": 3})


async def test_one_name_may_hold_several_currencies(uow: UnitOfWork) -> None:
    """As several accounts; whoever asks by name alone is told to choose."""
    euros = await uow.accounts.open("Assets:Cash", currency="EUR")
    francs = await uow.accounts.open("Assets:Cash", currency="CHF")

    assert await uow.accounts.get_by_name("Assets:Cash", "CHF") is francs
    assert euros.id != francs.id
    with pytest.raises(CurrencyError, match="holds CHF, EUR; say which one"):
        await uow.accounts.get_by_name("Assets:Cash")


async def test_an_account_is_opened_once(uow: UnitOfWork) -> None:
    """The error names it, and the transaction goes on."""
    await uow.accounts.open("Assets:Cash", currency="EUR")

    with pytest.raises(AlreadyExistsError) as caught:
        await uow.accounts.open("Assets:Cash", currency="eur")

    assert "Assets:Cash" in str(caught.value)
    await uow.accounts.open("Assets:Purse", currency="EUR")


@pytest.mark.parametrize("currency", ["EUR", "eur"])
async def test_get_or_open_returns_what_is_open(uow: UnitOfWork, currency: str) -> None:
    """However the code is written."""
    opened = await uow.accounts.open("Assets:Cash", currency="EUR")

    assert await uow.accounts.get_or_open("Assets:Cash", currency=currency) is opened


@pytest.mark.parametrize("name", ["", ":", "Assets:", ":Cash", "Assets::Cash", "Assets: Cash", " Assets", "Assets\n"])
async def test_a_malformed_name_is_refused(uow: UnitOfWork, name: str) -> None:
    """Before anything is sent: the unit of work goes on."""
    for way in (uow.accounts.open, uow.accounts.get_or_open):
        with pytest.raises(InvalidError, match="account name"):
            await way(name, currency="XAU", type="asset")

    assert await uow.currencies.get("XAU") is None


async def test_a_name_that_says_no_type_is_refused(uow: UnitOfWork) -> None:
    """The error says what can be done about it."""
    with pytest.raises(InvalidError, match=r"starts with none of Assets, .* pass type="):
        await uow.accounts.open("Cash", currency="EUR")
    with pytest.raises(InvalidError, match="account type 'money': one of asset, liability"):
        await uow.accounts.open("Cash", currency="EUR", type="money")


async def test_an_unknown_currency_is_refused(uow: UnitOfWork) -> None:
    """The error says how to add one of one's own."""
    with pytest.raises(CurrencyError, match=r"uow\.currencies\.open") as caught:
        await uow.accounts.open("Assets:Cash", currency="DOGE")

    assert caught.value.currency == "DOGE"


@pytest.mark.parametrize("limit", [0.5, "much", "NaN", "0.001", True])
async def test_a_limit_is_an_exact_amount_of_the_currency(uow: UnitOfWork, limit: Any) -> None:
    """It is money, like any other."""
    with pytest.raises(AmountError):
        await uow.accounts.open("Assets:Cash", currency="EUR", minimum_balance=limit)


# --- finding -----------------------------------------------------------------------------------------------


async def test_get_returns_none_where_get_one_raises(uow: UnitOfWork) -> None:
    """The error names what was asked for."""
    assert await uow.accounts.get(999_999) is None
    assert await uow.accounts.get_by_name("Assets:Nowhere") is None
    with pytest.raises(AccountNotFoundError, match="999999"):
        await uow.accounts.get_one(999_999)


async def test_an_account_of_another_ledger_is_not_found(uow: UnitOfWork) -> None:
    """By no way: the ledger is the boundary."""
    other = await uow.ledgers.create("Other", base_currency="EUR")
    await uow.session.flush()
    await uow.connection.execute(
        "INSERT INTO accounts (ledger_id, name, type, currency) VALUES ($1, 'Assets:Foreign', 'asset', 'EUR')", other.id
    )
    foreign_id = await uow.connection.fetchval("SELECT id FROM accounts WHERE ledger_id = $1", other.id)

    assert await uow.accounts.get(foreign_id) is None
    assert await uow.accounts.get_by_name("Assets:Foreign") is None
    assert foreign_id not in await uow.accounts.balances()
    for call in (
        uow.accounts.update(foreign_id, name="Assets:Mine"),
        uow.accounts.close(foreign_id, on=TODAY),
        uow.accounts.balances(accounts=[foreign_id]),
    ):
        with pytest.raises(AccountNotFoundError):
            await call


async def test_a_row_of_another_ledger_is_neither_added_nor_removed(uow: UnitOfWork) -> None:
    """Also by hand: it would cross the boundary."""
    other = await uow.ledgers.create("Other", base_currency="EUR")
    row = Account(ledger_id=other.id, name="Assets:Cash", type="asset", currency="EUR")

    for call in (uow.accounts.add(row), uow.accounts.remove(row)):
        with pytest.raises(InvalidError, match="of another ledger"):
            await call


async def test_a_row_is_added_and_removed(uow: UnitOfWork) -> None:
    """It belongs to the ledger of the unit of work, and has what the database filled in."""
    row = await uow.accounts.add(Account(name="Assets:Cash", type="asset", currency="EUR"))
    assert (row.ledger_id, str(row.balance), row.version) == (uow.ledger_id, "0", 1)

    await uow.accounts.remove(row)

    assert await uow.accounts.get(row.id) is None


async def test_a_read_is_fresh(uow: UnitOfWork) -> None:
    """What raw SQL changed meanwhile is seen."""
    account = await uow.accounts.open("Assets:Cash", currency="EUR")
    await uow.connection.execute("UPDATE accounts SET name = 'Assets:Purse' WHERE id = $1", account.id)

    assert (await uow.accounts.get_one(account.id)).name == "Assets:Purse"


# --- changing --------------------------------------------------------------------------------------------


CHANGES: Mapping[str, Mapping[str, Any]] = {
    "name": {"name": "Assets:Purse"},
    "limits": {"minimum_balance": "-5.00", "maximum_balance": None},
    "dates": {"opened_on": date(2026, 1, 1), "closed_on": date(2026, 12, 31)},
    "details": {"details": {"iban": "NL91ABNA0417164300"}},
}


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES)
async def test_update_changes_what_is_given_and_nothing_else(uow: UnitOfWork, changes: Mapping[str, Any]) -> None:
    """Each change counts the version up; every field can be read afterwards."""
    account = await uow.accounts.open(
        "Assets:Cash", currency="EUR", minimum_balance=0, maximum_balance=9, details={"a": 1}
    )
    before = fields(account)

    updated = await uow.accounts.update(account, **changes)

    wanted = {key: Decimal(value) if key.endswith("balance") and value else value for key, value in changes.items()}
    assert fields(updated) == {**before, **wanted, "version": 2}


def fields(account: Account) -> dict[str, Any]:
    """Everything that a reader of the account may look at."""
    names = (
        "id", "name", "type", "currency", "balance", "minimum_balance", "maximum_balance", "opened_on", "closed_on",
        "details", "version",
    )  # fmt: skip
    return {name: getattr(account, name) for name in names}


async def test_an_update_of_nothing_changes_nothing(uow: UnitOfWork) -> None:
    """Not even the version."""
    account = await uow.accounts.open("Assets:Cash", currency="EUR")

    assert (await uow.accounts.update(account)).version == 1


async def test_an_update_expects_a_version(uow: UnitOfWork) -> None:
    """Who read an older one is told, and writes nothing."""
    account = await uow.accounts.open("Assets:Cash", currency="EUR")
    await uow.accounts.update(account, name="Assets:Purse", expected_version=1)

    with pytest.raises(StaleVersionError, match="version 1") as caught:
        await uow.accounts.update(account, name="Assets:Sock", expected_version=1)

    assert (caught.value.what, caught.value.expected_version) == ("account", 1)
    assert (await uow.accounts.get_one(account.id)).name == "Assets:Purse"


async def test_two_who_update_at_once_do_not_overwrite_each_other(db: DatabaseManager) -> None:
    """The second waits for the first, and then meets its version."""
    ledger = await db.ledgers.create("Household", base_currency="EUR")
    async with db.unit_of_work(ledger) as uow:
        account = await uow.accounts.open("Assets:Cash", currency="EUR")
    async with db.unit_of_work(ledger) as uow:
        await uow.accounts.update(account.id, name="Assets:Purse")

    with pytest.raises(StaleVersionError):
        async with db.unit_of_work(ledger) as uow:
            await uow.accounts.update(account.id, name="Assets:Sock", expected_version=account.version)


async def test_a_version_is_checked_without_being_asked(db: DatabaseManager) -> None:
    """A row that is changed by hand, after somebody else changed it, is refused."""
    ledger = await db.ledgers.create("Household", base_currency="EUR")
    async with db.unit_of_work(ledger) as uow:
        await uow.accounts.open("Assets:Cash", currency="EUR")

    with pytest.raises(StaleVersionError):
        async with db.unit_of_work(ledger) as uow:
            account = await uow.accounts.get_by_name("Assets:Cash")
            assert account is not None
            await db.execute("UPDATE accounts SET name = 'Assets:Purse', version = version + 1")
            account.name = "Assets:Sock"


async def test_a_taken_name_is_refused(uow: UnitOfWork) -> None:
    """In a savepoint, since the database says so."""
    account = await uow.accounts.open("Assets:Cash", currency="EUR")
    await uow.accounts.open("Assets:Purse", currency="EUR")

    with pytest.raises(AlreadyExistsError):
        async with uow.savepoint():
            await uow.accounts.update(account, name="Assets:Purse")


async def test_a_limit_that_the_balance_breaks_is_refused(uow: UnitOfWork) -> None:
    """The books come first."""
    books = await open_books(uow)
    await uow.journal.post(entry(books.food, books.checking, "42.10"))

    with pytest.raises(BalanceLimitError):
        async with uow.savepoint():
            await uow.accounts.update(books.food, maximum_balance="42.09")


async def test_a_closed_account_takes_no_posting_until_it_is_reopened(uow: UnitOfWork) -> None:
    """Of any date, the time before included."""
    books = await open_books(uow)
    closed = await uow.accounts.close(books.food, on=TODAY)
    assert closed.closed_on == TODAY

    with pytest.raises(AccountClosedError):
        async with uow.savepoint():
            await uow.journal.post(entry(books.food, books.checking, 1, on=date(2020, 1, 1)))

    assert (await uow.accounts.reopen(books.food.id)).closed_on is None
    await uow.journal.post(entry(books.food, books.checking, 1))


async def test_the_balance_is_read_only(uow: UnitOfWork) -> None:
    """Neither a new account nor an old one takes one."""
    account = await uow.accounts.open("Assets:Cash", currency="EUR")

    with pytest.raises(SealedError, match="kept by the database"):
        account.balance = Decimal(5)
    with pytest.raises(SealedError):
        Account(name="Assets:Purse", type="asset", currency="EUR", balance=Decimal(5))


async def test_an_account_with_postings_is_not_removed(uow: UnitOfWork) -> None:
    """The error says to close it."""
    books = await open_books(uow)
    await uow.journal.post(entry(books.food, books.checking, 1))

    with pytest.raises(SealedError, match="close it instead"):
        async with uow.savepoint():
            await uow.accounts.remove(books.food)


# --- balances and lists ------------------------------------------------------------------------------------


async def test_balances_on_a_day_count_what_is_dated_up_to_it(uow: UnitOfWork) -> None:
    """Through months and the edges of them; every account that was asked for is there."""
    books = await open_books(uow)
    for day in (date(2025, 12, 31), date(2026, 1, 1), date(2026, 1, 31), date(2026, 2, 1)):
        await uow.journal.post(entry(books.food, books.checking, "0.10", on=day))

    on = {day: await uow.accounts.balances(on=day, accounts=[books.food, books.salary.id]) for day in DAYS}

    assert {day: found[books.food.id] for day, found in on.items()} == DAYS
    assert on[date(2026, 1, 1)][books.salary.id] == 0


DAYS = {
    date(2025, 12, 30): Decimal(0),
    date(2025, 12, 31): Decimal("0.10"),
    date(2026, 1, 1): Decimal("0.20"),
    date(2026, 1, 30): Decimal("0.20"),
    date(2026, 1, 31): Decimal("0.30"),
    date(2026, 2, 1): Decimal("0.40"),
    date(2030, 1, 1): Decimal("0.40"),
}


async def test_balances_of_an_unknown_account_are_refused(uow: UnitOfWork) -> None:
    """A zero would look like an answer."""
    with pytest.raises(AccountNotFoundError, match="999999"):
        await uow.accounts.balances(accounts=[999_999])


async def test_pages_are_in_order_of_name_and_currency(uow: UnitOfWork) -> None:
    """Each account is on one of them."""
    for name, currency in (("Assets:C", "EUR"), ("Assets:A", "EUR"), ("Assets:B", "EUR"), ("Assets:A", "CHF")):
        await uow.accounts.open(name, currency=currency)

    first = await uow.accounts.page(limit=3)
    second = await uow.accounts.page(limit=3, after=first.next_cursor)

    assert [(row.name, row.currency) for row in (*first.items, *second.items)] == [
        ("Assets:A", "CHF"),
        ("Assets:A", "EUR"),
        ("Assets:B", "EUR"),
        ("Assets:C", "EUR"),
    ]
    assert second.next_cursor is None


async def test_a_stream_yields_every_account(uow: UnitOfWork) -> None:
    """In batches; an exact number of them, too."""
    for number in range(4):
        await uow.accounts.open(f"Assets:{number}", currency="EUR")

    assert [row.name async for row in uow.accounts.stream(batch=2)] == [f"Assets:{n}" for n in range(4)]


async def test_accounts_of_other_ledgers_are_on_no_page(uow: UnitOfWork) -> None:
    """Lists stop at the boundary, too."""
    other = await uow.ledgers.create("Other", base_currency="EUR")
    uow.session.add(Account(ledger_id=other.id, name="Assets:Foreign", type="asset", currency="EUR"))
    await uow.accounts.open("Assets:Cash", currency="EUR")

    assert [row.name for row in (await uow.accounts.page()).items] == ["Assets:Cash"]
