"""Accounts: their identity, their first balance, and what an ORM session thinks of them."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import insert, select, update

from finance import Account, DatabaseManager, FinanceError, JournalEntry
from finance.errors import (
    AccountNotFoundError,
    AlreadyExistsError,
    AmountError,
    CurrencyError,
    InvalidError,
    LedgerNotFoundError,
    SealedError,
    StaleVersionError,
)
from tests.attacks.victim import Victim, assert_refused

_NEW = (
    "INSERT INTO accounts (ledger_id, name, type, currency{columns}) {overriding}"
    " VALUES ({ledger}, 'N', 'asset', 'EUR'{values});"
)


def _insert(columns: str, values: str, *, overriding: str = "") -> str:
    return (
        _NEW.replace("{columns}", f", {columns}").replace("{values}", f", {values}").replace("{overriding}", overriding)
    )


_SYSTEM = "OVERRIDING SYSTEM VALUE"
_UPSERT = (
    "INSERT INTO accounts (ledger_id, name, type, currency) VALUES ({ledger}, 'Assets:Checking', 'asset', 'EUR')"
    " ON CONFLICT (ledger_id, name, currency) DO UPDATE SET "
)
_MERGE = "MERGE INTO accounts AS a USING (SELECT 1) AS v ON a.id = {checking} WHEN MATCHED THEN "

REFUSED: dict[str, tuple[str, type[FinanceError]]] = {
    # a balance of its own
    "INSERT with a balance": (_insert("balance", "100"), SealedError),
    "INSERT with a balance of NaN": (_insert("balance", "'NaN'"), SealedError),
    "INSERT with a balance among others": (
        "INSERT INTO accounts (ledger_id, name, type, currency, balance)"
        " VALUES ({ledger}, 'A', 'asset', 'EUR', 0), ({ledger}, 'B', 'asset', 'EUR', 0.01);",
        SealedError,
    ),
    "INSERT with a balance, or else an update": (
        "INSERT INTO accounts (ledger_id, name, type, currency, balance)"
        " VALUES ({ledger}, 'Assets:Checking', 'asset', 'EUR', 5)"
        " ON CONFLICT (ledger_id, name, currency) DO UPDATE SET balance = excluded.balance;",
        SealedError,
    ),
    "MERGE that inserts a balance": (
        "MERGE INTO accounts AS a USING (SELECT 1) AS v ON a.id = 0 WHEN NOT MATCHED THEN"
        " INSERT (ledger_id, name, type, currency, balance) VALUES ({ledger}, 'M', 'asset', 'EUR', 1);",
        SealedError,
    ),
    # an id of its own
    "INSERT with an id": (_insert("id", "987654321"), SealedError),
    "OVERRIDING SYSTEM VALUE": (_insert("id", "987654321", overriding=_SYSTEM), SealedError),
    "OVERRIDING with the id of another account": (_insert("id", "{checking}", overriding=_SYSTEM), SealedError),
    "OVERRIDING with an id taken before others": (
        "INSERT INTO accounts (ledger_id, id, name, type, currency) OVERRIDING SYSTEM VALUE"
        " SELECT {ledger}, x.id, x.id::text, 'asset', 'EUR' FROM (SELECT nextval(pg_get_serial_sequence("
        "'accounts', 'id')) AS id FROM generate_series(1, 2) OFFSET 0) AS x ORDER BY x.id DESC;",
        SealedError,
    ),
    "UPDATE of the id to a new one": ("UPDATE accounts SET id = DEFAULT WHERE id = {capped};", SealedError),
    "UPDATE of the id to one": ("UPDATE accounts SET id = 987654321 WHERE id = {capped};", SealedError),
    "UPDATE of the ledger": ("UPDATE accounts SET ledger_id = {other} WHERE id = {capped};", SealedError),
    "UPDATE of the currency": ("UPDATE accounts SET currency = 'JPY' WHERE id = {capped};", SealedError),
    "UPDATE of the currency on conflict": (_UPSERT + "currency = 'JPY';", SealedError),
    "MERGE that changes the currency": (_MERGE + "UPDATE SET currency = 'JPY';", SealedError),
    "MERGE that changes the ledger": (_MERGE + "UPDATE SET ledger_id = {other};", SealedError),
    "MERGE that deletes": (_MERGE + "DELETE;", SealedError),
    "DELETE of a parent": (
        "UPDATE accounts SET parent_id = {capped} WHERE id = {yen}; DELETE FROM accounts WHERE id = {capped};",
        SealedError,
    ),
    # what belongs to it
    "a name that is taken": (
        "UPDATE accounts SET name = 'Assets:Checking' WHERE id = {capped};",
        AlreadyExistsError,
    ),
    "an unknown type": ("UPDATE accounts SET type = 'cash' WHERE id = {capped};", InvalidError),
    "a blank before the name": ("UPDATE accounts SET name = ' x' WHERE id = {capped};", InvalidError),
    "an unknown purpose": ("UPDATE accounts SET purpose = 'x' WHERE id = {capped};", InvalidError),
    "two adjustments accounts of one currency": (
        "UPDATE accounts SET purpose = 'adjustments' WHERE id IN ({checking}, {capped});",
        AlreadyExistsError,
    ),
    "closed before it was opened": (
        "UPDATE accounts SET opened_on = {day}, closed_on = {day} - 1 WHERE id = {capped};",
        InvalidError,
    ),
    "a currency that the ledger does not have": (
        "INSERT INTO accounts (ledger_id, name, type, currency) VALUES ({ledger}, 'N', 'asset', 'XXX');",
        CurrencyError,
    ),
    "a ledger that is not there": (
        "INSERT INTO currencies (ledger_id, code, exponent, name) VALUES (987654321, 'EUR', 2, 'Euro');",
        LedgerNotFoundError,
    ),
    "a parent of another ledger": (
        "UPDATE accounts SET parent_id = {foreign} WHERE id = {capped};",
        AccountNotFoundError,
    ),
    "no name": ("UPDATE accounts SET name = NULL WHERE id = {capped};", InvalidError),
    "no balance": ("UPDATE accounts SET balance = NULL WHERE id = {capped};", InvalidError),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_an_account_keeps_its_identity(steady: Victim, name: str) -> None:
    """Its id comes from the database, its balance from postings, and ledger and currency never change."""
    await assert_refused(steady, *REFUSED[name])


@pytest.mark.owners("COPY FROM is not for tables with row-level security")
async def test_copy_with_ids_and_balances_is_refused(steady: Victim) -> None:
    """COPY gets past GENERATED ALWAYS, and not past the guards."""
    base = (steady.ledger.id, "asset", "EUR")
    before = await steady.state()
    for columns, values in ((["id"], [987_654_321]), (["balance"], [5]), (["id", "balance"], [987_654_321, 5])):
        with pytest.raises(SealedError):
            async with steady.driver() as driver:
                await driver.copy_records_to_table(
                    "accounts",
                    records=[(*base, "Copied", *values)],
                    columns=["ledger_id", "type", "currency", "name", *columns],
                )

    assert await steady.state() == before


@pytest.mark.owners("COPY FROM is not for tables with row-level security")
async def test_copy_without_them_passes(victim: Victim) -> None:
    """Each row draws its own id."""
    records = [(victim.ledger.id, f"Copied:{number}", "asset", "EUR") for number in range(3)]
    async with victim.driver() as driver:
        await driver.copy_records_to_table(
            "accounts", records=records, columns=["ledger_id", "name", "type", "currency"]
        )

    assert (
        await victim.fetchval("SELECT count(DISTINCT id) FROM accounts WHERE name ~ 'Copied' AND ledger_id = {ledger}")
        == 3
    )


@pytest.mark.owners("nobody else draws from the sequence")
async def test_an_id_drawn_from_the_sequence_is_as_good(victim: Victim) -> None:
    """Whoever calls nextval() and inserts that id has what the database gives out."""
    await victim.run(
        _insert("id", "nextval(pg_get_serial_sequence('accounts', 'id'))", overriding=_SYSTEM)
        + "INSERT INTO accounts (ledger_id, name, type, currency) VALUES ({ledger}, 'After', 'asset', 'EUR');"
    )

    assert (
        await victim.fetchval("SELECT count(*) FROM accounts WHERE name IN ('N', 'After') AND ledger_id = {ledger}")
        == 2
    )


async def test_an_upsert_that_changes_nothing_of_it_passes(victim: Victim) -> None:
    """INSERT ... ON CONFLICT DO UPDATE is refused for what it changes, not for what it is."""
    await victim.run(_UPSERT + "opened_on = '2020-01-01';")

    assert await victim.fetchval("SELECT opened_on::text FROM accounts WHERE id = {checking}") == "2020-01-01"


# --- the ORM ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["id", "ledger_id", "currency"])
async def test_the_orm_cannot_change_its_identity(steady: Victim, field: str) -> None:
    """A flush of a changed key is refused as raw SQL is."""
    before = await steady.state()
    values: dict[str, Any] = {"id": 987_654_321, "ledger_id": steady.other_ledger.id, "currency": "JPY"}

    with pytest.raises(SealedError):
        async with steady.db.unit_of_work(steady.ledger) as uow:
            setattr(await uow.accounts.get_one(steady.capped), field, values[field])

    assert await steady.state() == before


async def test_the_orm_cannot_set_a_balance(steady: Victim) -> None:
    """The attribute refuses it at once, on a new account and on a stored one."""
    async with steady.db.unit_of_work(steady.ledger) as uow:
        stored = await uow.accounts.get_one(steady.checking)
        with pytest.raises(SealedError):
            stored.balance += 1
        with pytest.raises(SealedError):
            Account(ledger_id=steady.ledger.id, name="N", type="asset", currency="EUR", balance=1)


async def test_core_cannot_insert_a_balance(steady: Victim) -> None:
    """Neither as one row nor as many."""
    row = {"ledger_id": steady.ledger.id, "type": "asset", "currency": "EUR"}
    rows = [{**row, "name": "A", "balance": 0}, {**row, "name": "B", "balance": 1}]
    before = await steady.state()
    for parameters in (rows, rows[1]):
        with pytest.raises(SealedError):
            async with steady.db.unit_of_work(steady.ledger) as uow:
                await uow.session.execute(insert(Account.__table__), parameters)  # type: ignore[arg-type]

    assert await steady.state() == before


async def test_core_cannot_set_a_balance_that_is_not_exact(steady: Victim) -> None:
    """An UPDATE by SQLAlchemy is an adjustment, and holds to the currency's decimals."""
    with pytest.raises(AmountError):
        async with steady.db.unit_of_work(steady.ledger) as uow:
            await uow.session.execute(update(Account).where(Account.id == steady.food).values(balance=0.001))


async def test_a_posting_in_between_does_not_make_an_account_stale(victim: Victim) -> None:
    """`version` counts what people change; the balance changes all the time."""
    async with victim.db.unit_of_work(victim.ledger) as uow:
        account = await uow.accounts.get_one(victim.checking)
        async with victim.db.unit_of_work(victim.ledger) as other:
            await other.journal.post(victim.new_entry(5))
        account.name = "Assets:Renamed"

    assert await victim.fetchval("SELECT name FROM accounts WHERE id = {checking}") == "Assets:Renamed"
    assert await victim.balance(victim.checking) == -45


async def _rename(db: DatabaseManager, victim: Victim, how: str) -> None:
    if how == "repository":
        async with db.unit_of_work(victim.ledger) as uow:
            await uow.accounts.update(victim.checking, name="Assets:Elsewhere")
    elif how == "session":
        async with db.unit_of_work(victim.ledger) as uow:
            (await uow.accounts.get_one(victim.checking)).name = "Assets:Elsewhere"
    elif how == "core":
        async with db.unit_of_work(victim.ledger) as uow:
            statement = update(Account).where(Account.id == victim.checking).values(name="Assets:Elsewhere")
            await uow.session.execute(statement)
    else:
        await db.execute("UPDATE accounts SET name = 'Assets:Elsewhere' WHERE id = $1", victim.checking)


@pytest.mark.parametrize("how", ["repository", "session", "core", "raw"])
async def test_a_rename_in_between_makes_an_account_stale(victim: Victim, how: str) -> None:
    """Whoever renamed it: the flush of the older copy is refused, and nothing of it is stored."""
    with pytest.raises(StaleVersionError):
        async with victim.db.unit_of_work(victim.ledger) as uow:
            account = await uow.accounts.get_one(victim.checking)
            await _rename(victim.db, victim, how)
            account.name = "Assets:Mine"

    row = await victim.db.fetchrow("SELECT name, version FROM accounts WHERE id = $1", victim.checking)
    assert row is not None
    assert tuple(row) == ("Assets:Elsewhere", 2)


async def test_the_version_counts_each_change_once(victim: Victim) -> None:
    """An UPDATE that counts itself is not counted again, and one that changes nothing is not counted."""
    await victim.run("UPDATE accounts SET name = name, opened_on = NULL WHERE id = {checking};")
    await victim.run("UPDATE accounts SET name = 'A', version = version + 1 WHERE id = {checking};")
    await victim.run("UPDATE accounts SET name = 'B', minimum_balance = -100 WHERE id = {checking};")
    await victim.run("UPDATE accounts SET balance = balance - 1 WHERE id = {checking};")

    assert await victim.fetchval("SELECT version FROM accounts WHERE id = {checking}") == 3


async def test_the_orm_reads_what_the_database_filled_in(victim: Victim, attacker: tuple[str, str]) -> None:
    """An entry added through the session has its id, origin and time from the database."""
    async with victim.db.unit_of_work(victim.ledger) as uow:
        stored = await uow.session.scalar(select(JournalEntry).where(JournalEntry.id == victim.entry))

    assert stored is not None
    assert (stored.recorded_by, stored.kind) == (attacker[1], "normal")
