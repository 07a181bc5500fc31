"""The roles: what the application, a tenant and a reader may do, on every server, by raw SQL too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import pytest
import pytest_asyncio

from finance import DatabaseManager, NewEntry, NewPosting, NewRule, NewSchedule
from finance.errors import (
    DatabaseError,
    FinanceError,
    InvalidError,
    LedgerNotFoundError,
    LedgerRequiredError,
    NotFoundError,
)
from finance.repositories import ImportOverview
from finance.roles import RoleNames
from finance.statements import (
    Statement,
    StatementFile,
    StatementLine,
    apply_rules,
    import_statements,
    undo_import,
)
from tests.conftest import WORKER, Server
from tests.factories import TODAY

PREFIX = f"finance_test{WORKER}"
NAMES = RoleNames.of(PREFIX)
LOGINS = {role: f"{PREFIX}_{role}_login" for role in ("owner", "app", "tenant", "reader")}

DENIED = "42501"

#: What would take the guards away, or get past them.
BEHIND_THE_RULES = (
    "ALTER TABLE postings DISABLE TRIGGER ALL",
    "DROP TRIGGER postings_apply ON postings",
    "DROP FUNCTION apply_postings() CASCADE",
    "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    "ALTER FUNCTION apply_postings() SECURITY INVOKER",
    "CREATE TABLE here (n int)",
    "CREATE TRIGGER mine AFTER INSERT ON postings EXECUTE FUNCTION refuse_change('x')",
    "SET session_replication_role = replica",
    f"SET ROLE {NAMES.owner}",
    "TRUNCATE postings",
    "DELETE FROM journal_entries",
    "UPDATE postings SET amount = 5",
    "DELETE FROM statement_lines",
    "DELETE FROM imports",
    "UPDATE matches SET posting = 2",
    "UPDATE assertions SET amount = 1",
    "INSERT INTO monthly_totals VALUES (1, 1, '2026-01-01', 1, 1, 1)",
    "DELETE FROM unsettled",
    "SELECT balance_adjustment(1, gen_random_uuid())",
    "SELECT refuse_postings(1, '{}', '{}', '{}')",
    "SELECT move_balances(1, '{}', '{}', '{}', '{}', '{}', '{}', '{}', 0, NULL, NULL, true)",
    "SELECT post_transfer(1, gen_random_uuid(), current_date, '', NULL, 1, 2, 'EUR', 1, 'somebody')",
    "ALTER TABLE accounts DISABLE ROW LEVEL SECURITY",
    "DROP POLICY finance_own_ledger ON accounts",
    "ALTER TABLE accounts ALTER COLUMN id RESTART WITH 1",
    "SELECT setval(pg_get_serial_sequence('accounts', 'id'), 1)",
    "UPDATE finance_version SET version_num = '0001'",
)


@dataclass(frozen=True)
class World:
    """A database with two ledgers, and who may reach it."""

    dsn: str
    one: int
    two: int
    accounts: dict[int, tuple[int, int]]

    def as_(self, role: str, **options: object) -> DatabaseManager:
        """Reach it as a login of *role*."""
        login = LOGINS[role]
        return DatabaseManager(self.dsn, user=login, password=login, min_size=0, **options)

    def tenant(self, **options: object) -> DatabaseManager:
        """Reach it under row-level security."""
        return self.as_("tenant", row_security=True, **options)

    def entry(self, ledger: int, amount: int = 1) -> NewEntry:
        """Make an entry for a ledger."""
        debit, credit = self.accounts[ledger]
        return NewEntry(TODAY, "move", [NewPosting(debit, amount), NewPosting(credit, -amount)])


@pytest_asyncio.fixture(scope="session")
async def logins(each_server: Server) -> None:
    """A login for each role."""
    async with each_server.administered() as admin:
        for role, login in LOGINS.items():
            group = getattr(NAMES, role)
            for name in (group, login):
                await admin.execute(
                    f"DO $$ BEGIN CREATE ROLE {name} NOLOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$"
                )
            await admin.execute(f"ALTER ROLE {login} LOGIN PASSWORD '{login}'; GRANT {group} TO {login}")


@pytest_asyncio.fixture
async def world(each_dsn: str, logins: None) -> World:  # noqa: ARG001 - the roles must be there
    """Two ledgers with two accounts each, in a database whose roles have their rights."""
    async with DatabaseManager(each_dsn) as db:
        await db.roles.create(PREFIX)
        accounts = {}
        for name in ("One", "Two"):
            async with db.unit_of_work(name, base_currency="EUR") as uow:
                opened = [await uow.accounts.open(f"Assets:{name}{number}", currency="EUR") for number in range(2)]
                accounts[uow.ledger_id] = (opened[0].id, opened[1].id)
    one, two = accounts
    return World(each_dsn, one, two, accounts)


@pytest_asyncio.fixture
async def tenant(world: World) -> AsyncIterator[DatabaseManager]:
    """A manager under row-level security."""
    async with world.tenant() as db:
        yield db


# --- the application ---------------------------------------------------------------------------------


async def test_the_application_does_its_work(world: World) -> None:
    """It makes ledgers, opens accounts, posts in both ways, adjusts, closes and verifies."""
    async with world.as_("app") as db:
        made = await db.ledgers.create("Three", base_currency="EUR")
        async with db.unit_of_work(made) as uow:
            food = await uow.accounts.open("Expenses:Food", currency="EUR")
            cash = await uow.accounts.open("Assets:Cash", currency="EUR")
            posted = await uow.journal.post(NewEntry(TODAY, "food", [NewPosting(food, 5), NewPosting(cash, -5)]))
            await uow.journal.reverse(posted.id)
        await db.execute("UPDATE accounts SET balance = balance + $1 WHERE id = $2", 100.00, cash.id)
        await db.journal.post(world.entry(world.one), ledger=world.one)

        by = await db.fetch("SELECT DISTINCT recorded_by FROM journal_entries")
        assert [row["recorded_by"] for row in by] == [LOGINS["app"]]
        assert (await db.verify(made)).is_clean
        assert (await db.verify(world.one)).is_clean


_BY_HAND = """
WITH entry AS (
    INSERT INTO journal_entries (ledger_id, id, date) VALUES ({0}, gen_random_uuid(), '2026-11-22') RETURNING *
)
INSERT INTO postings (ledger_id, entry_id, line, account_id, date, currency, amount)
SELECT e.ledger_id, e.id, l.line, l.account_id, e.date, 'EUR', l.amount
  FROM entry AS e, (VALUES (1, {1}, 1), (2, {2}, -1)) AS l(line, account_id, amount)
"""
_TRANSFERS = """
INSERT INTO new_transfers (ledger_id, ids, dates, descriptions, content_hashes, first_accounts, second_accounts,
                           currencies, amounts)
SELECT {0}, array_agg(gen_random_uuid()), array_agg(date '2026-11-22'), array_agg(''::text), array_agg(NULL::bytea),
       array_agg({1}::bigint), array_agg({2}::bigint), array_agg('EUR'::text), array_agg(1.5)
  FROM generate_series(1, {3})
"""


async def test_an_entry_is_recorded_by_the_same_whichever_way_it_came(world: World) -> None:
    """In a function that works with somebody else's rights it is he, and else the login or the role that it has set."""
    ways = [
        sql.format(world.one, *world.accounts[world.one], count)
        for sql, count in ((_BY_HAND, 1), (_TRANSFERS, 1), (_TRANSFERS, 2))
    ]
    async with DatabaseManager(world.dsn) as admin:
        await admin.execute(
            "CREATE FUNCTION run(sql text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT"
            f" AS 'BEGIN EXECUTE sql; END'; ALTER FUNCTION run OWNER TO {NAMES.owner};"
        )
    async with world.as_("app") as db:
        for way in ways:
            async with db.transaction() as conn:
                await conn.execute(way)
                await conn.fetch("SELECT run($1)", way)
                await conn.execute(f"SET LOCAL ROLE {NAMES.app}")
                await conn.execute(way)
                await conn.fetch("SELECT run($1)", way)
        by = await db.fetch("SELECT recorded_by AS who, count(*) FROM journal_entries GROUP BY 1 ORDER BY 2, 1")
        assert [tuple(row) for row in by] == [(NAMES.app, 4), (LOGINS["app"], 4), (NAMES.owner, 8)]
        for way in ways[1:]:
            with pytest.raises(DatabaseError) as caught:
                await db.execute(way.replace("amounts)", "amounts, recorded_by)").replace("(1.5)", "(1.5), 'another'"))
            assert caught.value.sqlstate == DENIED


@pytest.mark.parametrize("role", ["app", "tenant", "reader"])
async def test_nobody_but_the_owner_gets_behind_the_rules(world: World, role: str) -> None:
    """PostgreSQL itself says that it is not theirs to do."""
    async with world.as_(role) as db:
        for sql in BEHIND_THE_RULES:
            with pytest.raises(DatabaseError) as caught:
                await db.execute(sql)
            assert caught.value.sqlstate == DENIED, sql


async def test_the_reader_reads_and_does_nothing_else(world: World) -> None:
    """It sees every ledger; PostgreSQL refuses what it would write."""
    async with world.as_("app") as db:
        await db.journal.post(world.entry(world.one), ledger=world.one)
    async with world.as_("reader") as db:
        assert await db.fetchval("SELECT count(*) FROM ledgers") == 2
        assert (await db.verify(world.one)).is_clean
        for sql in ("INSERT INTO ledgers (name, base_currency) VALUES ('x', 'EUR')", "UPDATE accounts SET name = 'x'"):
            with pytest.raises(DatabaseError) as caught:
                await db.execute(sql)
            assert caught.value.sqlstate == DENIED
        with pytest.raises(DatabaseError):
            await db.journal.post(world.entry(world.one), ledger=world.one)


async def test_the_owner_migrates(world: World) -> None:
    """A member of the owner's role goes down and up again, and what is made anew is the role's own."""
    async with world.as_("owner") as db:
        await db.migrations.downgrade("-1")
        await db.migrations.upgrade()
        owners = await db.fetch(
            "SELECT DISTINCT pg_get_userbyid(relowner) AS name FROM pg_class WHERE relkind = 'r'"
            " AND relnamespace = current_schema()::regnamespace"
        )
        assert [row["name"] for row in owners] == [NAMES.owner]


# --- a tenant ----------------------------------------------------------------------------------------


async def test_a_tenant_sees_its_ledger_and_no_other(world: World, tenant: DatabaseManager) -> None:
    """In a unit of work, in a raw transaction and in the fast lane."""
    await tenant.journal.post(world.entry(world.one), ledger=world.one)
    async with tenant.unit_of_work(world.two) as uow:
        await uow.journal.post(world.entry(world.two, 2))
        assert [account.ledger_id async for account in uow.accounts.stream()] == [world.two, world.two]
        assert len((await uow.ledgers.page()).items) == 1
    async with tenant.transaction(ledger=world.one) as conn:
        assert {row["ledger_id"] for row in await conn.fetch("SELECT * FROM accounts")} == {world.one}
        assert await conn.fetchval("SELECT count(*) FROM postings") == 2
        assert await conn.execute("UPDATE accounts SET name = 'mine' WHERE ledger_id = $1", world.two) == "UPDATE 0"
        assert await conn.execute("DELETE FROM accounts WHERE ledger_id = $1", world.two) == "DELETE 0"


async def test_a_tenant_cannot_write_to_another_ledger(world: World, tenant: DatabaseManager) -> None:
    """Neither an account nor an entry."""
    debit, credit = world.accounts[world.two]
    async with tenant.transaction(ledger=world.one) as conn:
        for sql in (
            f"INSERT INTO currencies VALUES ({world.two}, 'USD', 2, 'Dollar')",
            f"INSERT INTO journal_entries (ledger_id, id, date) VALUES ({world.two}, gen_random_uuid(), '2026-01-01')",
            f"UPDATE accounts SET ledger_id = {world.two}",
            "INSERT INTO ledgers (name, base_currency) VALUES ('mine', 'EUR')",
        ):
            with pytest.raises(FinanceError):
                async with conn.transaction():
                    await conn.execute(sql)
    entry = NewEntry(TODAY, "foreign", [NewPosting(debit, 1), NewPosting(credit, -1)])
    with pytest.raises(FinanceError):
        await tenant.journal.post(entry, ledger=world.one)


async def test_a_tenant_may_not_have_a_guard_post(world: World, tenant: DatabaseManager) -> None:
    """The guard that writes transfers sees every ledger; the tenant's own statement does the same under its rules."""
    for ledger in (world.one, world.two):
        with pytest.raises(DatabaseError) as caught:
            async with tenant.transaction(ledger=world.one) as conn:
                await conn.execute("INSERT INTO new_transfers (ledger_id) VALUES ($1)", ledger)
        assert caught.value.sqlstate == DENIED


async def test_a_tenant_imports_sorts_reconciles_and_undoes(world: World, tenant: DatabaseManager) -> None:
    """With the rights of the role alone; the marks are the database's, and another ledger sees nothing of it."""
    line = StatementLine(1, TODAY, Decimal(-5), payee="Grocer")
    statement = Statement("bank", None, "1", "CHECKING", "EUR", (line,), closing_balance=Decimal(-5), closing_on=TODAY)
    file = StatementFile("bank.ofx", "ofx", None, "00" * 32, None, (statement,))
    async with tenant.unit_of_work(world.one) as uow:
        first = await import_statements(uow, file)
        assert first.id
        food = await uow.accounts.get_or_open("Expenses:Food", currency="EUR")
        rule = await uow.rules.create(NewRule(matches="^grocer$", counter=food, payee="Grocer", tags=["daily"]))
        assert len(await apply_rules(uow)) == 1
        (state,) = await uow.reconciliation.statements()
        await uow.reconciliation.reconcile(state.id)
    async with tenant.unit_of_work(world.two) as uow:
        assert (await uow.reconciliation.statements(), await uow.reports.assertions()) == ((), ())
        for table in ("imports", "assertions", "rules", "matches", "reconciliations"):
            assert await uow.connection.fetchval(f"SELECT count(*) FROM {table}") == 0
    async with tenant.unit_of_work(world.one) as uow:
        await uow.reconciliation.reopen(state.id)
        await undo_import(uow, first.id)
        await import_statements(uow, file)
        await uow.rules.remove(rule)
        assert [each.holds for each in await uow.reports.assertions()] == [True]

    assert [each.undone_by for each in await _imports(world)] == [LOGINS["tenant"], None]


async def _imports(world: World) -> tuple[ImportOverview, ...]:
    async with world.as_("reader") as db, db.unit_of_work(world.one, read_only=True) as uow:
        return await uow.imports.overview()


async def test_a_tenant_plans_in_its_ledger_only(world: World, tenant: DatabaseManager) -> None:
    """Budgets and schedules, and what is due of them."""
    debit, credit = world.accounts[world.one]
    lines = [NewPosting(debit, 5), NewPosting(credit, -5)]
    async with tenant.unit_of_work(world.one) as uow:
        await uow.budgets.set(debit, 100, starts_on=TODAY)
        made = await uow.schedules.create(NewSchedule("Club", lines, "FREQ=DAILY;COUNT=2", TODAY))
        await uow.schedules.skip(made, TODAY)
        await uow.schedules.update(made, postings=lines)
    async with tenant.unit_of_work(world.two) as uow:
        assert (await uow.budgets.terms(), await uow.schedules.due(date.max)) == ((), ())
        with pytest.raises(NotFoundError):
            await uow.schedules.pause(made.id, on=TODAY)
        with pytest.raises(FinanceError):
            await uow.budgets.set(debit, 100, starts_on=TODAY)
    async with tenant.unit_of_work(world.one) as uow:
        assert len((await uow.schedules.post_due(through=date.max)).posted) == 1
        await uow.budgets.end(debit, ends_on=TODAY)
        await uow.schedules.remove(await uow.schedules.get_one(made.id))


async def test_without_a_ledger_it_sees_nothing_and_is_told_so(world: World, tenant: DatabaseManager) -> None:
    """Our verbs say so; what goes past them finds nothing."""
    for call in (
        lambda: tenant.fetch("SELECT * FROM accounts"),
        lambda: tenant.execute("UPDATE accounts SET name = 'x'"),
        lambda: tenant.journal.post(world.entry(world.one), ledger="One"),
    ):
        with pytest.raises(LedgerRequiredError):
            await call()
    for opened in (
        tenant.transaction,
        tenant.unit_of_work,
        lambda: tenant.unit_of_work("One"),
        lambda: tenant.stream("SELECT 1"),
    ):
        with pytest.raises(LedgerRequiredError):
            opened()
    with pytest.raises(LedgerNotFoundError):
        await tenant.journal.post(world.entry(world.one), ledger=10**9)
    async with world.as_("tenant") as unaware:
        assert await unaware.fetch("SELECT * FROM accounts") == []
        async with unaware.transaction() as conn:
            assert await conn.fetchval("SELECT count(*) FROM ledgers") == 0
    assert await tenant.migrations.current() == tenant.migrations.head
    assert (await tenant.health()).is_ready


async def test_the_setting_ends_with_its_transaction(world: World) -> None:
    """The next user of the connection sees its own ledger, or nothing, whatever became of the one before."""
    async with world.tenant(max_size=1) as db:
        for ending in ("commit", "error", "cancel"):
            task = asyncio.create_task(_use(db, world.one, ending))
            await asyncio.sleep(0.05)
            if ending == "cancel":
                task.cancel()
            await asyncio.wait((task,))
            async with db.transaction(ledger=world.two) as conn:
                assert await conn.fetchval("SELECT array_agg(DISTINCT ledger_id) FROM accounts") == [world.two]
            pooled = db._pool
            assert pooled is not None
            async with pooled.acquire() as driver:
                assert await driver.fetchval("SELECT count(*) FROM accounts") == 0


async def _use(db: DatabaseManager, ledger: int, ending: str) -> None:
    async with db.transaction(ledger=ledger) as conn:
        assert await conn.fetchval("SELECT count(*) FROM accounts") == 2
        if ending == "error":
            raise ValueError
        if ending == "cancel":
            await asyncio.sleep(5)


async def test_concurrent_tenants_do_not_meet(world: World, tenant: DatabaseManager) -> None:
    """Their entries do not share a group, and each sees its own."""
    await asyncio.gather(
        *(tenant.journal.post(world.entry(ledger), ledger=ledger) for ledger in (world.one, world.two) * 30)
    )
    for ledger in (world.one, world.two):
        async with tenant.transaction(ledger=ledger) as conn:
            assert await conn.fetchval("SELECT count(*) FROM journal_entries") == 30


# --- making them -------------------------------------------------------------------------------------


async def test_making_them_again_changes_nothing(world: World) -> None:
    """The command may be run after each migration."""
    async with DatabaseManager(world.dsn) as db:
        query = "SELECT relname, relowner, relacl::text, relrowsecurity FROM pg_class WHERE relkind = 'r' ORDER BY 1"
        before = await db.fetch(query)
        assert await db.roles.create(PREFIX) == NAMES
        assert await db.fetch(query) == before


async def test_making_them_takes_back_what_was_given(world: World) -> None:
    """A schema in which all may create, as before version 15, would let anybody put functions before the guards."""
    given = (
        "GRANT CREATE ON SCHEMA public TO PUBLIC",
        "GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC",
        "GRANT ALL ON ALL FUNCTIONS IN SCHEMA public TO PUBLIC",
        f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {NAMES.app}",
        f"GRANT UPDATE (amount) ON postings TO {NAMES.app}",
    )
    async with DatabaseManager(world.dsn) as db:
        for sql in given:
            await db.execute(sql)
        await db.roles.create(PREFIX)
    async with world.as_("app") as db:
        for sql in BEHIND_THE_RULES:
            with pytest.raises(DatabaseError) as caught:
                await db.execute(sql)
            assert caught.value.sqlstate == DENIED, sql


async def test_an_ordinary_login_cannot_make_them(world: World) -> None:
    """Nothing is changed halfway."""
    async with world.as_("app") as db:
        with pytest.raises(DatabaseError) as caught:
            await db.roles.create(f"{PREFIX}_other")
        assert caught.value.sqlstate == DENIED
        assert not await db.fetchval("SELECT count(*) FROM pg_roles WHERE rolname LIKE $1", f"{PREFIX}_other%")


@pytest.mark.parametrize("prefix", ["", "pg_books", "x" * 60, None, "a\x00b"])
async def test_a_prefix_is_the_start_of_a_name(prefix: object, db: DatabaseManager) -> None:
    """What cannot be one is refused before anything is sent."""
    with pytest.raises(InvalidError):
        await db.roles.create(prefix)  # type: ignore[arg-type]
