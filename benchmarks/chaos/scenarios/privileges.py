"""K1: every role tries every verb, and may do exactly what its row of the table says."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from benchmarks.chaos.lab import DAY, Books, Lab
from benchmarks.chaos.verdict import Verdict
from finance import DatabaseManager, NewEntry, NewHold, NewPosting, UnitOfWork
from finance.errors import DatabaseError, FinanceError, SealedError
from finance.models import guards
from finance.roles import RoleNames

PREFIX = "chaos"
ROLES = ("owner", "app", "tenant", "reader")
_DENIED = "42501"

#: What the application and a tenant may do to each table: SELECT, INSERT, UPDATE, DELETE. The owner may do
#: everything, and a reader SELECT; whether the guards then let it happen is their affair.
_RIGHTS: Mapping[str, tuple[str, str]] = {
    "ledgers": ("SIUD", "SU"),
    "currencies": ("SIUD", "SIUD"),
    "accounts": ("SIUD", "SIUD"),
    "journal_entries": ("SIU", "SIU"),
    "postings": ("SI", "SI"),
    "holds": ("SIU", "SIU"),
    "statements": ("SI", "SI"),
    "statement_lines": ("SIU", "SIU"),
    "imports": ("SIU", "SIU"),
    "assertions": ("SID", "SID"),
    "rules": ("SIUD", "SIUD"),
    "matches": ("SID", "SID"),
    "reconciliations": ("SID", "SID"),
    "payees": ("SIUD", "SIUD"),
    "tags": ("SIUD", "SIUD"),
    "entry_tags": ("SID", "SID"),
    "prices": ("SIUD", "SIUD"),
    "budgets": ("SIUD", "SIUD"),
    "schedules": ("SIUD", "SIUD"),
    "schedule_postings": ("SIUD", "SIUD"),
    "schedule_changes": ("SIUD", "SIUD"),
    "redactions": ("S", "S"),
    "redacted_entries": ("S", "S"),
    "redacted_rows": ("S", "S"),
    "entry_revisions": ("S", "S"),
    "monthly_totals": ("S", "S"),
    "unsettled": ("S", "S"),
    "rebuilds": ("S", "S"),
    "finance_version": ("S", "S"),
}
#: How each verb is tried on a table with a column, and the rights of which one is needed; none but the owner has O.
_VERBS: Mapping[str, tuple[str, str]] = {
    "SELECT": ("SELECT * FROM {table} LIMIT 1", "S"),
    "INSERT": ("INSERT INTO {table} ({column}) SELECT {column} FROM {table} WHERE false", "I"),
    "UPDATE": ("UPDATE {table} SET {column} = {column} WHERE false", "U"),
    "DELETE": ("DELETE FROM {table} WHERE false", "D"),
    "lock rows": ("SELECT FROM {table} WHERE false FOR UPDATE", "U"),
    "lock it": ("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE", "UD"),
    "TRUNCATE": ("TRUNCATE {table} CASCADE", "O"),
    "ALTER": ("ALTER TABLE {table} ADD COLUMN k1 int", "O"),
    "trigger": (
        "CREATE TRIGGER k1 AFTER UPDATE ON {table} EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "O",
    ),
    "policy": ("CREATE POLICY k1 ON {table}", "O"),
    "guards off": ("ALTER TABLE {table} DISABLE TRIGGER USER", "O"),
    "DROP": ("DROP TABLE {table} CASCADE", "O"),
}


@dataclass(frozen=True)
class World:
    """A ledger with something of everything, for each role to try its verbs on."""

    ledger: int
    food: int
    cash: int
    unused: int
    entry: UUID
    hold: UUID

    def new_entry(self) -> NewEntry:
        """Make an entry that can be posted."""
        return NewEntry(DAY, "tried", [NewPosting(self.food, 1), NewPosting(self.cash, -1)])


_Call = Callable[[UnitOfWork, World], Awaitable[Any]]


async def _adjust(uow: UnitOfWork, world: World) -> None:
    await uow.connection.execute("UPDATE accounts SET balance = balance + 1 WHERE id = $1", world.food)


async def _remove_account(uow: UnitOfWork, world: World) -> None:
    await uow.accounts.remove(await uow.accounts.get_one(world.unused))


_READING: Mapping[str, _Call] = {
    "accounts.get": lambda uow, world: uow.accounts.get_one(world.food),
    "accounts.page": lambda uow, _: uow.accounts.page(),
    "accounts.balances": lambda uow, _: uow.accounts.balances(on=DAY),
    "currencies.page": lambda uow, _: uow.currencies.page(),
    "holds.page": lambda uow, _: uow.holds.page(),
    "journal.get": lambda uow, world: uow.journal.get_one(world.entry),
    "journal.page": lambda uow, _: uow.journal.page(),
    "journal.history": lambda uow, world: uow.journal.history(world.entry),
    "ledgers.get": lambda uow, world: uow.ledgers.get_one(world.ledger),
    "reports.trial_balance": lambda uow, _: uow.reports.trial_balance(on=DAY),
    "reports.balance_sheets": lambda uow, _: uow.reports.balance_sheets(on=DAY),
    "reports.register": lambda uow, world: uow.reports.register_page(world.food),
    "reports.verify": lambda uow, _: uow.reports.verify(),
    "statements.page": lambda uow, _: uow.statements.page(),
}
_WRITING: Mapping[str, _Call] = {
    "a raw balance": _adjust,
    "accounts.get for update": lambda uow, world: uow.accounts.get_one(world.food, for_update=True),
    "accounts.open": lambda uow, _: uow.accounts.open("Assets:New", currency="EUR"),
    "accounts.update": lambda uow, world: uow.accounts.update(world.food, name="Expenses:Meals"),
    "accounts.close": lambda uow, world: uow.accounts.close(world.unused, on=DAY),
    "accounts.remove": _remove_account,
    "currencies.open": lambda uow, _: uow.currencies.open("GOLD", exponent=3),
    "holds.place": lambda uow, world: uow.holds.place(NewHold(world.food, 1)),
    "holds.release": lambda uow, world: uow.holds.release(world.hold),
    "holds.settle": lambda uow, world: uow.holds.settle(
        world.hold, NewEntry(DAY, "taken", [NewPosting(world.food, -1), NewPosting(world.cash, 1)])
    ),
    "journal.post": lambda uow, world: uow.journal.post(world.new_entry()),
    "journal.post_many": lambda uow, world: uow.journal.post_many([world.new_entry(), world.new_entry()]),
    "journal.reverse": lambda uow, world: uow.journal.reverse(world.entry),
    "journal.amend": lambda uow, world: uow.journal.amend(world.entry, world.new_entry()),
    "journal.describe": lambda uow, world: uow.journal.describe(world.entry, description="other"),
    "ledgers.close_through": lambda uow, world: uow.ledgers.close_through(world.ledger, DAY),
}
_MAKING: Mapping[str, _Call] = {
    "ledgers.create": lambda uow, _: uow.ledgers.create("Another", base_currency="EUR"),
}

#: Who may call which verbs of a unit of work.
_CALLS: tuple[tuple[Mapping[str, _Call], set[str]], ...] = (
    (_READING, set(ROLES)),
    (_WRITING, {"owner", "app", "tenant"}),
    (_MAKING, {"owner", "app"}),
)
#: The verbs that commit by themselves.
_ALONE: Mapping[str, tuple[Callable[[DatabaseManager, World], Awaitable[Any]], set[str]]] = {
    "db.journal.post": (
        lambda db, world: db.journal.post(world.new_entry(), ledger=world.ledger),
        {"owner", "app", "tenant"},
    ),
    "db.journal.post_many": (
        lambda db, world: db.journal.post_many([world.new_entry()], ledger=world.ledger, atomic=True),
        {"owner", "app", "tenant"},
    ),
    "db.verify": (lambda db, world: db.verify(world.ledger), set(ROLES)),
    "db.roles.create": (lambda db, _: db.roles.create(PREFIX), set()),
    "db.migrations.downgrade": (lambda db, _: db.migrations.downgrade("-1"), {"owner"}),
    "db.migrations.upgrade": (lambda db, _: db.migrations.upgrade(), set(ROLES)),
}


async def matrix(lab: Lab) -> Verdict:
    """K1: tables by SQL, functions, and the public API; each answer is "allowed" or SQLSTATE 42501, as it should be."""
    wrong: list[str] = []
    tries = 0
    async with lab.books("K1") as books:
        world = await _furnish(books)
        for role in ROLES:
            await make_roles(books)  # the owner takes a revision back and applies it again: its tables are new
            async with as_role(books.dsn, role) as db:
                async for what, is_right in _tried(db, role, world):
                    tries += 1
                    if not is_right:
                        wrong.append(f"{role}: {what}")
    note = f"{len(wrong)} deviations" + "".join(f"; {each}" for each in wrong[:4])
    return lab.verdict("K1", tries=tries, wrong_reports=len(wrong), passed=not wrong, note=note)


async def make_roles(books: Books) -> None:
    """Make the roles, and a login for each."""
    names = RoleNames.of(PREFIX)
    async with DatabaseManager(books.dsn) as db:
        await db.roles.create(PREFIX)
        for role in ROLES:
            with contextlib.suppress(FinanceError):  # the cluster has it already
                await db.execute(f"CREATE ROLE {login_of(role)} LOGIN PASSWORD '{login_of(role)}'")
            await db.execute(f"GRANT {getattr(names, role)} TO {login_of(role)}")


async def _furnish(books: Books) -> World:
    """Make something of everything."""
    async with DatabaseManager(books.dsn) as db, db.unit_of_work(books.ledger) as uow:
        unused = await uow.accounts.open("Assets:Unused", currency="EUR")
        food, cash = books.accounts[:2]
        posted = await uow.journal.post(NewEntry(DAY, "there", [NewPosting(food, 9), NewPosting(cash, -9)]))
        placed = await uow.holds.place(NewHold(food, 2))
    return World(books.ledger, food, cash, unused.id, posted.id, placed.id)


def login_of(role: str) -> str:
    """Name the login that has the role."""
    return f"{PREFIX}_{role}_login"


def as_role(dsn: str, role: str, **options: Any) -> DatabaseManager:
    """Reach *dsn* as the login of *role*."""
    login = login_of(role)
    return DatabaseManager(dsn, user=login, password=login, row_security=role == "tenant", **options)


async def _tried(db: DatabaseManager, role: str, world: World) -> AsyncIterator[tuple[str, bool]]:
    """Try everything; tell what it was, and whether the answer is right."""
    for what, sql, is_allowed in _statements(role):
        answer = await _answer(db, world, lambda uow, _, sql=sql: uow.connection.execute(sql))
        yield f"{what} was {answer}", answer == _word(is_allowed)
    for name in guards.FUNCTIONS:
        sql = f"SELECT has_function_privilege(oid, 'EXECUTE') FROM pg_proc WHERE proname = '{name}'"
        async with db.unit_of_work(world.ledger) as uow:
            may_call = await uow.connection.fetchval(sql)
        yield f"EXECUTE {name} is {may_call}", may_call is (role == "owner")
    for calls, allowed in _CALLS:
        for name, call in calls.items():
            answer = await _answer(db, world, call)
            yield f"{name} was {answer}", answer == _word(role in allowed)
    for name, (alone, allowed) in _ALONE.items():
        answer = await _told(alone(db, world))
        yield f"{name} was {answer}", answer == _word(role in allowed)


def _statements(role: str) -> Iterator[tuple[str, str, bool]]:
    for table, (of_app, of_tenant) in _RIGHTS.items():
        rights = {"owner": "SIUDO", "app": of_app, "tenant": of_tenant, "reader": "S"}[role]
        column = {"ledgers": "name", "finance_version": "version_num"}.get(table, "ledger_id")
        for verb, (sql, needed) in _VERBS.items():
            yield f"{verb} {table}", sql.format(table=table, column=column), bool(set(needed) & set(rights))


async def _answer(db: DatabaseManager, world: World, call: Callable[..., Awaitable[Any]]) -> str:
    """Call a verb in a unit of work that comes to nothing, after what waits for COMMIT was looked at."""

    async def work() -> None:
        async with db.unit_of_work(world.ledger) as uow:
            await call(uow, world)
            await uow.connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
            await uow.rollback()

    return await _told(work())


async def _told(work: Awaitable[Any]) -> str:
    """Await *work*, and return whether it was allowed; what the guards refuse, the role has a right to."""
    try:
        await work
    except SealedError:
        return "allowed"
    except DatabaseError as error:
        return "denied" if error.sqlstate == _DENIED else str(error)
    except FinanceError as error:
        return repr(error)
    return "allowed"


def _word(is_allowed: bool) -> str:  # noqa: FBT001 - there is nothing else to say
    return "allowed" if is_allowed else "denied"
