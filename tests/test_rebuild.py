"""Rebuilding what is derived: it restores the truth, beside posters, and cannot be made to do anything else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

import asyncpg
import pytest
import pytest_asyncio

from finance import DatabaseManager, Ledger
from finance.errors import (
    AccountNotFoundError,
    FinanceError,
    LedgerNotFoundError,
    SealedError,
)
from finance.journal.rebuilding import Mended
from finance.reports import Progress
from tests.conftest import Server
from tests.factories import Books, entry, open_books

DAMAGE = """
UPDATE accounts SET balance = 999 WHERE name = 'Expenses:Food';
UPDATE monthly_totals SET debit = debit + 5, postings = postings + 1 WHERE account_id =
    (SELECT id FROM accounts WHERE name = 'Assets:Checking');
DELETE FROM monthly_totals WHERE account_id = (SELECT id FROM accounts WHERE name = 'Income:Salary');
INSERT INTO monthly_totals SELECT ledger_id, id, m, 0, 0, 0 FROM accounts, (VALUES (date '1999-01-01'), ('2026-11-15'),
    ('infinity')) AS months (m) WHERE name = 'Assets:Checking';
"""


@pytest_asyncio.fixture
async def ledger(each_db: DatabaseManager) -> Ledger:
    """Three accounts with an entry of 40 and one of 1,000."""
    ledger = await each_db.ledgers.create("Household", base_currency="EUR")
    async with each_db.unit_of_work(ledger) as uow:
        books = await open_books(uow)
        await uow.journal.post(entry(books.food, books.checking, 40))
        await uow.journal.post(entry(books.checking, books.salary, 1000))
    return ledger


@pytest_asyncio.fixture
async def superuser(each_db: DatabaseManager, each_server: Server) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A superuser for whom no trigger fires."""
    name = await each_db.fetchval("SELECT current_database()")
    connection = await asyncpg.connect(each_server.direct_dsn(name))
    await connection.execute("SET session_replication_role = replica")
    yield connection
    await connection.close()


async def _books(db: DatabaseManager, ledger: Ledger) -> Books:
    async with db.unit_of_work(ledger) as uow:
        checking, food, salary = [account async for account in uow.accounts.stream()]
    return Books(checking, food, salary)


async def test_damage_is_mended(
    each_db: DatabaseManager, ledger: Ledger, superuser: asyncpg.Connection[asyncpg.Record]
) -> None:
    """Verification finds it, the rebuild tells what it changed and keeps it on record, and then all is clean."""
    books = await _books(each_db, ledger)
    await superuser.execute(DAMAGE)
    assert len((await each_db.verify(ledger)).problems) == 6
    told: list[Progress] = []

    rebuilt = await each_db.journal.rebuild(ledger, progress=told.append)

    assert (rebuilt.accounts, rebuilt.problems) == (3, ())
    assert rebuilt.mended == (
        Mended(books.checking.id, Decimal(960), Decimal(960), Decimal(0), Decimal(0), 4),
        Mended(books.food.id, Decimal(999), Decimal(40), Decimal(0), Decimal(0), 0),
        Mended(books.salary.id, Decimal(-1000), Decimal(-1000), Decimal(0), Decimal(0), 1),
    )
    assert (await each_db.verify(ledger)).problems == ()
    kept = await each_db.fetch(
        "SELECT account_id, balance_before, balance_after, held_before, held_after, months FROM rebuilds ORDER BY 1"
    )
    assert [Mended(*row) for row in kept] == list(rebuilt.mended)
    assert [each.stage for each in told] == ["accounts", *["rebuilding"] * 3]


async def test_sound_books_are_left_alone(each_db: DatabaseManager, ledger: Ledger) -> None:
    """Nothing is locked and nothing recorded."""
    before = await each_db.fetch("SELECT xmin::text, * FROM accounts ORDER BY id")

    rebuilt = await each_db.journal.rebuild("Household")

    assert (rebuilt.accounts, rebuilt.mended, rebuilt.problems) == (3, (), ())
    assert await each_db.fetch("SELECT xmin::text, * FROM accounts ORDER BY id") == before
    assert await each_db.fetchval("SELECT count(*) FROM rebuilds") == 0
    with pytest.raises(LedgerNotFoundError):
        await each_db.journal.rebuild(ledger.id + 1)


async def test_an_account_whose_limits_forbid_the_truth_is_named(
    each_db: DatabaseManager, ledger: Ledger, superuser: asyncpg.Connection[asyncpg.Record]
) -> None:
    """The others are mended all the same."""
    await superuser.execute(
        "UPDATE accounts SET balance = 0, minimum_balance = 0, maximum_balance = 1 WHERE name = 'Assets:Checking';"
        "UPDATE accounts SET balance = 7 WHERE name = 'Expenses:Food'"
    )
    books = await _books(each_db, ledger)

    rebuilt = await each_db.journal.rebuild(ledger)

    assert [problem.subject for problem in rebuilt.problems] == [str(books.checking.id)]
    assert [account.account_id for account in rebuilt.mended] == [books.food.id]


async def test_posters_go_on_during_a_rebuild(
    each_db: DatabaseManager, ledger: Ledger, superuser: asyncpg.Connection[asyncpg.Record]
) -> None:
    """Eight post to the very accounts that are damaged and rebuilt again and again; not a cent is lost."""
    books = await _books(each_db, ledger)
    done = asyncio.Event()

    async def post() -> int:
        count = 0
        while not done.is_set():
            async with each_db.unit_of_work(ledger) as uow:
                await uow.journal.post(entry(books.food, books.checking, 1))
            count += 1
        return count

    async def damage_and_mend() -> int:
        mended = 0
        try:
            for _ in range(12):
                await superuser.execute("UPDATE accounts SET balance = balance + 1000 WHERE name = 'Expenses:Food'")
                mended += len((await each_db.journal.rebuild(ledger)).mended)
        finally:
            done.set()
        return mended

    mended, *posted = await asyncio.gather(damage_and_mend(), *(post() for _ in range(8)))

    assert mended == 12
    assert (await each_db.verify(ledger)).problems == ()
    async with each_db.unit_of_work(ledger) as uow:
        assert await uow.accounts.balance(books.food) == 40 + sum(posted)


async def test_a_poster_of_another_account_does_not_wait(
    each_db: DatabaseManager, ledger: Ledger, superuser: asyncpg.Connection[asyncpg.Record]
) -> None:
    """Only the account that is rebuilt is locked."""
    books = await _books(each_db, ledger)
    await superuser.execute("UPDATE accounts SET balance = 41 WHERE name = 'Expenses:Food'")

    async with each_db.transaction() as conn:
        await conn.execute("INSERT INTO rebuilds (ledger_id, account_id) VALUES ($1, $2)", ledger.id, books.food.id)
        async with each_db.unit_of_work(ledger, lock_timeout=1) as uow:
            await uow.journal.post(entry(books.checking, books.salary, 1))


# --- attacks ---------------------------------------------------------------------------------------------

_ENTRY = "INSERT INTO journal_entries (ledger_id, id, date) VALUES ({ledger}, '{id}', '2026-11-22')"
_LINES = """INSERT INTO postings (ledger_id, entry_id, line, account_id, date, currency, amount) VALUES
    ({ledger}, '{id}', 1, {food}, '2026-11-22', 'EUR', 10),
    ({ledger}, '{id}', 2, {checking}, '2026-11-22', 'EUR', -10)"""
_REBUILD = "INSERT INTO rebuilds (ledger_id, account_id) VALUES ({ledger}, {food})"
_FUNCTION = """CREATE FUNCTION pg_temp.attack() RETURNS int LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO rebuilds (ledger_id, account_id) VALUES ({ledger}, {food}); RETURN 1; END $$;"""

ATTACKS = {
    "a balance of one's own": (
        "INSERT INTO rebuilds (ledger_id, account_id, balance_before, balance_after, months, rebuilt_by, rebuilt_at)"
        " VALUES ({ledger}, {food}, 1, 5000, 3, 'nobody', '1999-01-01')",
        None,
    ),
    "an account that is not there": (_REBUILD.replace("{food}", "987654321"), AccountNotFoundError),
    "an account of another ledger": (_REBUILD.replace("{ledger}", "987654321"), AccountNotFoundError),
    "two accounts at once": (_REBUILD.replace(" VALUES (", " VALUES ({ledger}, {checking}), ("), SealedError),
    "a posting that is not applied yet, in one statement": (
        f"WITH e AS ({_ENTRY} RETURNING id), p AS ({_LINES} RETURNING account_id)"
        " INSERT INTO rebuilds (ledger_id, account_id) SELECT {ledger}, account_id FROM p",
        SealedError,
    ),
    "a posting that is not applied yet, by a function": (
        f"{_FUNCTION} {_ENTRY}; {_LINES} RETURNING pg_temp.attack()",
        SealedError,
    ),
    "a balance that is not recorded yet": (
        f"{_FUNCTION} UPDATE accounts SET balance = balance + 10 WHERE id = {{food}} RETURNING pg_temp.attack()",
        SealedError,
    ),
    "a balance that is recorded, in the same transaction": (
        f"UPDATE accounts SET balance = balance + 10 WHERE id = {{food}}; {_REBUILD}",
        SealedError,
    ),
    "behind a savepoint": (f"SAVEPOINT a; UPDATE accounts SET name = 'X' WHERE id = {{food}}; {_REBUILD}", SealedError),
    "a rebuild rewritten": ("UPDATE rebuilds SET balance_after = 0", SealedError),
    "rebuilds deleted": ("DELETE FROM rebuilds", SealedError),
    "rebuilds truncated": ("TRUNCATE rebuilds", SealedError),
    "totals deleted": ("DELETE FROM monthly_totals", SealedError),
    "totals deleted under a setting": (
        "SELECT set_config('finance.applying', 'books 1', true); DELETE FROM monthly_totals",
        SealedError,
    ),
    "the guard on another table": (
        "CREATE TABLE mine (ledger_id bigint, account_id bigint, balance_before numeric, balance_after numeric,"
        " months int, rebuilt_at timestamptz, rebuilt_by text);"
        "CREATE TRIGGER mine BEFORE INSERT ON mine FOR EACH ROW EXECUTE FUNCTION rebuild_account();"
        "INSERT INTO mine VALUES ({ledger}, {food})",
        SealedError,
    ),
}


@pytest.mark.parametrize("isolation", ["read_committed", "repeatable_read", "serializable"])
@pytest.mark.parametrize("name", ATTACKS)
async def test_a_rebuild_cannot_be_abused(each_db: DatabaseManager, ledger: Ledger, name: str, isolation: str) -> None:
    """Whatever is tried with it, the books are what the postings say, and nothing is on record that was not so."""
    sql, error = ATTACKS[name]
    books = await _books(each_db, ledger)
    filled = sql.replace("{ledger}", str(ledger.id)).replace("{food}", str(books.food.id))
    filled = filled.replace("{checking}", str(books.checking.id)).replace(
        "{id}", "01a20517-0000-7000-8000-000000000001"
    )

    async def attack() -> None:
        async with each_db.transaction(isolation=isolation) as conn:  # type: ignore[arg-type]
            await conn.execute(filled.replace("{{", "{").replace("}}", "}"))

    if error is None:
        await attack()
    else:
        with pytest.raises(error) as caught:
            await attack()
        assert isinstance(caught.value, FinanceError)

    assert (await each_db.verify(ledger)).problems == ()
    assert await each_db.fetchval("SELECT count(*) FROM rebuilds") == 0
    assert await each_db.fetch("SELECT balance FROM accounts ORDER BY id") == [(960,), (40,), (-1000,)]


async def test_a_rebuild_says_who_and_when_whatever_it_was_told(
    each_db: DatabaseManager, ledger: Ledger, superuser: asyncpg.Connection[asyncpg.Record]
) -> None:
    """The values that come with the row are not taken."""
    books = await _books(each_db, ledger)
    await superuser.execute("UPDATE accounts SET balance = 41 WHERE name = 'Expenses:Food'")

    row = await each_db.fetchrow(
        "INSERT INTO rebuilds VALUES ($1, $2, '1999-01-01', 'nobody', 1, 5000, 9)"
        " RETURNING balance_before, balance_after, months, rebuilt_by = current_user,"
        " rebuilt_at > now() - interval '1 h'",
        ledger.id,
        books.food.id,
    )

    assert row == (41, 40, 0, True, True)
    assert (await each_db.verify(ledger)).problems == ()
