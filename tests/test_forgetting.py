"""Ledgers erased whole, and entries that lose their words and keep their money."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from finance import DatabaseManager, Ledger, NewEntry, NewHold, NewPosting, NewRule, NewSchedule
from finance.errors import (
    AccountNotFoundError,
    CurrencyError,
    DatabaseError,
    DeadlockError,
    EntryConflictError,
    EntryNotFoundError,
    FinanceError,
    InvalidError,
    LedgerNotFoundError,
    NotFoundError,
    SealedError,
    SerializationError,
)
from finance.models.forgetting import REDACTED
from finance.statements import import_statements, read_statements
from tests.conftest import Server
from tests.factories import TODAY, Books, entry, open_books

#: In every text that is a person's here, so that one search finds what was forgotten to be forgotten.
SECRET = "Geheim"

_ROWS = """
SELECT c.relname::text AS name FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attname = 'ledger_id' AND a.attnum > 0
"""


async def _tables(db: DatabaseManager) -> list[str]:
    return [row["name"] for row in await db.fetch(_ROWS)]


async def _dump(db: DatabaseManager, ledger_id: int) -> dict[str, list[str]]:
    """Return every row of the ledger, by table."""
    found = {}
    for table in await _tables(db):
        rows = await db.fetch(f"SELECT t::text AS row FROM {table} AS t WHERE ledger_id = $1 ORDER BY 1", ledger_id)
        found[table] = [row["row"] for row in rows]
    return found


async def _money(db: DatabaseManager, ledger_id: int) -> Any:
    """Return what must never change: balances, and every posting but for its memo."""
    return (
        await db.fetch("SELECT id, balance, held FROM accounts WHERE ledger_id = $1 ORDER BY id", ledger_id),
        await db.fetch(
            "SELECT entry_id, line, account_id, date, currency, amount FROM postings WHERE ledger_id = $1"
            " ORDER BY 1, 2",
            ledger_id,
        ),
        await db.fetch("SELECT * FROM monthly_totals WHERE ledger_id = $1 ORDER BY 2, 3", ledger_id),
        await db.fetch(
            "SELECT id, date, kind, reverses_id, amends_id, settles_id, content_hash, recorded_at FROM journal_entries"
            " WHERE ledger_id = $1 ORDER BY 1",
            ledger_id,
        ),
    )


async def _filled(db: DatabaseManager, name: str = "Household") -> tuple[Ledger, Books, list[NewEntry]]:
    """Make a ledger that has something of everything, with texts in which a person could be known."""
    ledger = await db.ledgers.create(name, base_currency="EUR")
    async with db.unit_of_work(ledger) as uow:
        books = await open_books(uow)
        entries = [_personal(books, number) for number in range(1, 5)]
        await uow.journal.post_many(entries)
        for each in entries:
            await uow.journal.label(each.id, payee=f"Dr. {SECRET}", tags=[f"{SECRET} tag"])
        await uow.accounts.update(books.checking, details={"institution": "37040044", "number": f"00{SECRET}"})
    async with db.unit_of_work(ledger) as uow:
        await uow.journal.describe(entries[0].id, description=f"Other {SECRET}")
        await uow.journal.reverse(entries[1].id)
        await uow.journal.amend(entries[2].id, replace(_personal(books, 9), id=uuid4()))
        hold = await uow.holds.place(NewHold(books.checking, 5, f"Hold {SECRET}"))
        await uow.holds.settle(hold.id, replace(_personal(books, 3), id=uuid4()))
        await uow.holds.release((await uow.holds.place(NewHold(books.checking, 5, f"Hold {SECRET}"))).id)
    return ledger, books, entries


def _personal(books: Books, number: int) -> NewEntry:
    lines = [NewPosting(books.food, number, f"Memo {SECRET}"), NewPosting(books.checking, -number)]
    return NewEntry(TODAY, f"Visit {SECRET}", lines, details={"who": SECRET})


# --- redacting -------------------------------------------------------------------------------------------


async def test_redacting_entries_takes_their_words_and_leaves_their_money(each_db: DatabaseManager) -> None:
    """Older words and those of a reversal, too; what is not named stays as it is."""
    db = each_db
    ledger, _, entries = await _filled(db)
    money = await _money(db, ledger.id)

    redacted = await db.ledgers.redact(ledger, entries=[entries[0].id, entries[1].id])

    assert redacted.entries == 3  # the reversal as well
    assert (redacted.payees, redacted.tags) == (0, 0)
    assert await _money(db, ledger.id) == money
    found = await db.verify(ledger)
    assert found.problems == ()
    assert found.redacted == 3
    async with db.unit_of_work(ledger) as uow:
        stored = await uow.journal.get_one(entries[0].id)
        assert (stored.description, stored.details, stored.payee, stored.tags) == (REDACTED, {}, None, [])
        assert {line.memo for line in stored.postings} == {None}
        assert {(r.description, r.payee) for r in await uow.journal.history(entries[0].id)} == {(REDACTED, None)}
        assert (await uow.journal.get_one(entries[3].id)).description == f"Visit {SECRET}"


async def test_redacting_a_payee_forgets_the_name(db: DatabaseManager) -> None:
    """Its aliases, the entries that have it, and those that had it once."""
    ledger, _, entries = await _filled(db)
    async with db.unit_of_work(ledger) as uow:
        await uow.journal.label(entries[0].id, payee="Rewe")
        alias = await uow.payees.create(f"Alias {SECRET}")
        await uow.payees.merge(alias, await uow.payees.get_or_create(f"Dr. {SECRET}"))
    money = await _money(db, ledger.id)

    redacted = await db.ledgers.redact(ledger, payee=f"alias {SECRET}")

    assert redacted.payees == 3  # its alias, and Rewe, which no other entry has
    assert await _money(db, ledger.id) == money
    assert (await db.verify(ledger)).problems == ()
    assert await db.fetchval("SELECT count(*) FROM payees WHERE ledger_id = $1", ledger.id) == 0
    with pytest.raises(NotFoundError) as missing:
        await db.ledgers.redact(ledger, payee=f"Dr. {SECRET}")
    assert SECRET not in str(missing.value)


async def test_redacting_a_payee_that_no_entry_has_forgets_the_name(db: DatabaseManager) -> None:
    """It is asked for by name: that nothing has it yet is no reason to keep it."""
    ledger, _, _ = await _filled(db)
    async with db.unit_of_work(ledger) as uow:
        alias, unused = await uow.payees.create("Alias Unused"), await uow.payees.create("Dr. Unused")
        await uow.payees.merge(alias, unused)

    redacted = await db.ledgers.redact(ledger, payee="alias unused")

    assert (redacted.entries, redacted.payees) == (0, 2)
    assert "Unused" not in json.dumps(await _dump(db, ledger.id))


async def test_redacting_a_payee_removes_the_rules_that_would_bring_it_back(db: DatabaseManager) -> None:
    """Those that propose it by any of its names; the rules of others stay."""
    ledger, books, _ = await _filled(db)
    async with db.unit_of_work(ledger) as uow:
        alias = await uow.payees.create(f"Alias {SECRET}")
        await uow.payees.merge(alias, await uow.payees.get_or_create(f"Dr. {SECRET}"))
        for name in (f"dr. {SECRET} ", f"ALIAS {SECRET}"):
            await uow.rules.create(NewRule(contains=SECRET, counter=books.food, payee=name))
        kept = await uow.rules.create(NewRule(contains="Rewe", counter=books.food, payee="Rewe"))

    redacted = await db.ledgers.redact(ledger, payee=f"Dr. {SECRET}")

    assert redacted.rules == 2
    async with db.unit_of_work(ledger) as uow:
        assert [rule.id async for rule in uow.rules.stream()] == [kept.id]


async def test_redacting_through_a_day_takes_the_words_of_plans_that_are_over(db: DatabaseManager) -> None:
    """A plan that goes on keeps its words: they are those of entries to come."""
    ledger, books, _ = await _filled(db)
    lines = [NewPosting(books.food, 1, f"Memo {SECRET}"), NewPosting(books.checking, -1)]
    start, end = date(2026, 1, 10), date(2026, 3, 31)
    async with db.unit_of_work(ledger) as uow:
        over = NewSchedule(f"Over {SECRET}", lines, "FREQ=MONTHLY", start, ends_on=end, details={"who": SECRET})
        for schedule in (over, NewSchedule("On", [NewPosting(books.food, 1), lines[1]], "FREQ=MONTHLY", start)):
            made = await uow.schedules.create(schedule)
            await uow.schedules.change(made.id, date(2026, 2, 10), description=f"Changed {SECRET}")

    await db.ledgers.redact(ledger, through=end)

    dump = await _dump(db, ledger.id)
    tables = ("schedules", "schedule_postings", "schedule_changes")
    assert all(SECRET not in row for table in tables for row in dump[table])
    assert sorted("On" in row for row in dump["schedules"]) == [False, True]


async def test_redacting_through_a_day_leaves_no_word(db: DatabaseManager) -> None:
    """Nowhere in the ledger, once the accounts are closed; and what is later stays."""
    ledger, books, _ = await _filled(db)
    async with db.unit_of_work(ledger) as uow:
        file = await asyncio.to_thread(read_statements, "examples/sample-statement.ofx")
        await import_statements(uow, file, account="Assets:Checking")
        await uow.accounts.close(books.checking, on=date(2026, 12, 1))
        await uow.journal.post(entry(books.food, books.salary, 1, on=date(2027, 1, 1), description="Later"))
    money = await _money(db, ledger.id)

    await db.ledgers.redact(ledger, through=date(2026, 12, 31))

    assert await _money(db, ledger.id) == money
    assert (await db.verify(ledger)).problems == ()
    dump = json.dumps(await _dump(db, ledger.id))
    assert SECRET not in dump
    lines = await db.fetch("SELECT payee, memo, check_number, raw::text FROM statement_lines")
    assert {tuple(row) for row in lines} == {(None, None, None, "{}")}
    statements = await db.fetch("SELECT file_name, bank_account FROM statements")
    assert {tuple(row) for row in statements} == {(REDACTED, None)}
    assert await db.fetchval("SELECT count(*) FROM journal_entries WHERE description = 'Later'") == 1


async def test_a_file_that_was_redacted_is_still_recognised(db: DatabaseManager) -> None:
    """Importing it again adds nothing: what makes a line the same line is kept as a hash."""
    async with db.unit_of_work("Household", base_currency="EUR") as uow:
        file = await asyncio.to_thread(read_statements, "examples/sample-statement.ofx")
        await import_statements(uow, file, account="Assets:Checking")
        ledger_id = uow.ledger_id
    await db.ledgers.redact(ledger_id, through=date(2030, 1, 1))

    async with db.unit_of_work(ledger_id) as uow:
        again = await import_statements(uow, file, account="Assets:Checking")

    assert [statement.added for statement in again.statements] == [0] * len(again.statements)


async def test_a_redacted_entry_posted_again_is_answered_truthfully(db: DatabaseManager) -> None:
    """The same content is a replay, another is refused; the words do not come back."""
    ledger, _, entries = await _filled(db)
    await db.ledgers.redact(ledger, entries=[each.id for each in entries])

    assert (await db.journal.post(entries[0], ledger=ledger)).is_replay
    with pytest.raises(EntryConflictError):
        await db.journal.post(replace(entries[0], description=REDACTED), ledger=ledger)
    async with db.unit_of_work(ledger) as uow:
        assert (await uow.journal.post(entries[1])).is_replay
        assert (await uow.journal.get_one(entries[0].id)).description == REDACTED
    assert (await db.verify(ledger)).problems == ()


async def test_a_redacted_entry_takes_new_words_and_loses_them_again(db: DatabaseManager) -> None:
    """They have a history as any, until that is redacted too."""
    ledger, _, entries = await _filled(db)
    await db.ledgers.redact(ledger, entries=[entries[0].id])
    async with db.unit_of_work(ledger) as uow:
        await uow.journal.describe(entries[0].id, description=f"New {SECRET}")
        await uow.journal.label(entries[0].id, payee=f"New {SECRET}")
    assert (await db.verify(ledger)).problems == ()

    await db.ledgers.redact(ledger, entries=[entries[0].id])

    async with db.unit_of_work(ledger) as uow:
        found = await uow.journal.history(entries[0].id)
    assert {(r.description, r.payee) for r in found} == {(REDACTED, None)}
    assert len(found) == 4
    assert (await db.verify(ledger)).problems == ()


async def _as_superuser(db: DatabaseManager, dsn: str, sql: str, *args: object) -> set[str]:
    connection = await asyncpg.connect(dsn)
    await connection.execute("SET session_replication_role = replica")
    await connection.execute(sql, *args)
    await connection.close()
    return {problem.rule for problem in (await db.verify(1)).problems}


@pytest.mark.direct("it sets what a session replicates")
@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE journal_entries SET description = 'x' WHERE id = $1",
        "UPDATE postings SET memo = 'x' WHERE entry_id = $1 AND line = 1",
        "UPDATE journal_entries SET kind = 'adjustment' WHERE id = $1",
        "DELETE FROM redacted_entries WHERE entry_id = $1",
    ],
)
async def test_tampering_with_a_redacted_entry_is_told_from_redacting_it(
    db: DatabaseManager, dsn: str, sql: str
) -> None:
    """The record has the hash of what was left: whatever else is found there was not the redaction's doing."""
    ledger, _, entries = await _filled(db)
    await db.ledgers.redact(ledger, entries=[entries[3].id])
    assert ledger.id == 1

    assert await _as_superuser(db, dsn, sql, entries[3].id) == {"entry differs from its content hash"}


async def test_what_cannot_be_redacted_is_told(db: DatabaseManager) -> None:
    """An entry of nobody, a ledger of nobody, nothing, and two things at once."""
    ledger, _, entries = await _filled(db)
    before = await _dump(db, ledger.id)
    for kind, given in (
        (EntryNotFoundError, {"entries": [entries[0].id, UUID(int=0)]}),
        (InvalidError, {}),
        (InvalidError, {"payee": "x", "through": TODAY}),
        (NotFoundError, {"payee": "nobody"}),
    ):
        with pytest.raises(kind):
            await db.ledgers.redact(ledger, **given)
    with pytest.raises(LedgerNotFoundError):
        await db.ledgers.redact("nobody's", through=TODAY)
    assert await _dump(db, ledger.id) == before


# --- erasing ---------------------------------------------------------------------------------------------


async def test_erasing_leaves_nothing_but_the_record(each_db: DatabaseManager) -> None:
    """In every table that has a ledger, and no other ledger loses a row."""
    db = each_db
    ledger, _, entries = await _filled(db)
    other, _, _ = await _filled(db, "Other")
    async with db.unit_of_work(ledger) as uow:
        file = await asyncio.to_thread(read_statements, "examples/sample-statement.ofx")
        await import_statements(uow, file, account="Assets:Checking")
    await db.ledgers.redact(ledger, entries=[entries[0].id])
    before, others = await _dump(db, ledger.id), await _dump(db, other.id)

    erased = await db.ledgers.erase(ledger)

    assert erased.counts == {table: len(rows) for table, rows in before.items() if rows}
    left = await _dump(db, ledger.id)
    assert {table for table, rows in left.items() if rows} == {"erasures"}
    assert SECRET not in json.dumps(left)
    assert await db.ledgers.get(ledger.id) is None
    assert await _dump(db, other.id) == others
    assert (await db.verify(other)).problems == ()
    with pytest.raises(LedgerNotFoundError):
        await db.ledgers.erase(ledger)
    assert (await db.ledgers.create("Household", base_currency="EUR")).id != ledger.id


async def test_every_table_of_the_books_is_erased(db: DatabaseManager) -> None:
    """A table that is added later is found by its key, which leads with the ledger."""
    found = await db.fetchval("SELECT ledger_tables()")

    assert set(found) == set(await _tables(db)) - {"erasures"}


async def test_posters_and_an_erasure_exclude_each_other(db: DatabaseManager) -> None:
    """Who posts on and on is told in the end that there is nothing to post to; nothing is left behind."""
    ledger, books, _ = await _filled(db)

    async def on_the_lane() -> None:
        await db.journal.post(entry(books.food.id, books.checking.id, 1), ledger=ledger)

    async def in_a_unit_of_work() -> None:
        async with db.unit_of_work(ledger) as uow:
            await uow.accounts.get_or_open(f"Assets:{uuid4()}", currency="EUR")
            await uow.journal.post(entry(books.food.id, books.checking.id, 1))

    async def until_refused(post: Callable[[], Awaitable[None]]) -> FinanceError:
        while True:
            try:
                await post()
            except (DeadlockError, SerializationError):
                continue
            except FinanceError as error:
                return error

    posting = [asyncio.create_task(until_refused(post)) for post in (on_the_lane, in_a_unit_of_work) * 3]
    await asyncio.sleep(0.05)
    async with asyncio.timeout(60):
        erased = await db.ledgers.erase(ledger)
    async with asyncio.timeout(60):
        answers = await asyncio.gather(*posting)

    assert {type(answer) for answer in answers} <= {AccountNotFoundError, LedgerNotFoundError, CurrencyError}
    assert erased.counts["postings"] == 2 * erased.counts["journal_entries"]
    assert {table for table, rows in (await _dump(db, ledger.id)).items() if rows} == {"erasures"}


async def test_an_erasure_waits_for_a_poster_in_flight(db: DatabaseManager) -> None:
    """What is not committed yet would not be seen, and stay."""
    ledger, books, _ = await _filled(db)
    async with db.unit_of_work(ledger) as uow:
        await uow.journal.post(entry(books.food, books.checking, 1))
        erasing = asyncio.create_task(db.ledgers.erase(ledger))
        await asyncio.sleep(0.2)
        assert not erasing.done()
    erased = await erasing

    assert erased.counts["journal_entries"] == 9
    assert {table for table, rows in (await _dump(db, ledger.id)).items() if rows} == {"erasures"}


# --- who may ---------------------------------------------------------------------------------------------

_DOORS = {
    "erase": "INSERT INTO erasures (ledger_id) VALUES ({ledger})",
    "redact": "INSERT INTO redactions (ledger_id, through) VALUES ({ledger}, '2030-01-01')",
    "redact an entry": "INSERT INTO redacted_entries (ledger_id, entry_id, redaction_id)"
    " SELECT ledger_id, id, 1 FROM journal_entries",
}


@pytest.mark.parametrize("role", ["app", "tenant", "reader"])
async def test_nobody_but_the_owner_forgets(db: DatabaseManager, server: Server, role: str) -> None:
    """By the library, or by hand; and what is not the door is refused to the owner as well."""
    ledger, _, _ = await _filled(db)
    names = await db.roles.create(f"forgetting_{server.name}")
    name = getattr(names, role)
    for door in _DOORS.values():
        with pytest.raises(DatabaseError) as refused:
            async with db.transaction() as connection:
                await connection.execute(f'SET LOCAL ROLE "{name}"')
                await connection.execute(f"SELECT set_config('finance.ledger', '{ledger.id}', true)")
                await connection.execute(door.format(ledger=ledger.id))
        assert getattr(refused.value, "sqlstate", None) == "42501"


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM postings",
        "DELETE FROM journal_entries",
        "DELETE FROM statement_lines",
        "DELETE FROM entry_revisions",
        "DELETE FROM holds",
        "UPDATE postings SET memo = NULL",
        "UPDATE entry_revisions SET description = '[redacted]', metadata = '{{}}', payee_id = NULL",
        "UPDATE statement_lines SET payee = NULL, memo = NULL, check_number = NULL, raw = '{{}}'",
        "UPDATE statements SET file_name = '[redacted]'",
        "UPDATE holds SET description = '[redacted]'",
        "INSERT INTO redacted_entries SELECT ledger_id, id, 1, '' FROM journal_entries",
        "INSERT INTO redactions (ledger_id) VALUES ({ledger}); UPDATE postings SET memo = NULL",
        "INSERT INTO redactions (ledger_id, through) VALUES ({ledger}, '2000-01-01');"
        "UPDATE statement_lines SET payee = NULL, memo = NULL, check_number = NULL, raw = '{{}}'",
        "INSERT INTO redactions (ledger_id, through) VALUES ({ledger}, '2030-01-01');"
        "UPDATE statement_lines SET payee = NULL, memo = NULL, check_number = NULL, raw = '{{}}', amount = amount + 1",
        "INSERT INTO redactions (ledger_id, through) VALUES ({ledger}, '2030-01-01');"
        "UPDATE statement_lines SET payee = 'x'",
        "INSERT INTO redactions (ledger_id, through) VALUES ({ledger}, '2030-01-01');"
        "UPDATE holds SET description = '[redacted]', amount = amount + 1",
        "UPDATE journal_entries SET description = 'x'; INSERT INTO erasures (ledger_id) VALUES ({ledger})",
        "INSERT INTO erasures (ledger_id) VALUES ({ledger}), ({other})",
        "INSERT INTO erasures (ledger_id) VALUES ({ledger}); DELETE FROM postings",
        "TRUNCATE redactions CASCADE",
        "TRUNCATE erasures",
    ],
)
async def test_no_statement_but_the_door_forgets(db: DatabaseManager, sql: str) -> None:
    """Not even the owner's, who has every right."""
    ledger, _, _ = await _filled(db)
    other, _, _ = await _filled(db, "Other")
    async with db.unit_of_work(ledger) as uow:
        file = await asyncio.to_thread(read_statements, "examples/sample-statement.ofx")
        await import_statements(uow, file, account="Assets:Checking")
    before = await _dump(db, ledger.id), await _dump(db, other.id)

    with pytest.raises(SealedError):
        async with db.transaction() as connection:
            await connection.execute(sql.format(ledger=ledger.id, other=other.id))

    assert (await _dump(db, ledger.id), await _dump(db, other.id)) == before


async def test_the_records_stay(db: DatabaseManager) -> None:
    """Neither changed nor deleted, by whoever."""
    ledger, _, entries = await _filled(db)
    await db.ledgers.redact(ledger, entries=[entries[0].id])
    erased = await db.ledgers.create("Gone", base_currency="EUR")
    await db.ledgers.erase(erased)

    for table in ("erasures", "redactions", "redacted_entries"):
        for sql in (f"UPDATE {table} SET ledger_id = ledger_id", f"DELETE FROM {table}"):
            with pytest.raises(SealedError):
                await db.execute(sql)


async def test_words_that_were_redacted_need_the_record_of_this_transaction(db: DatabaseManager) -> None:
    """An old redaction lets nobody take new words out of the history."""
    ledger, _, entries = await _filled(db)
    await db.ledgers.redact(ledger, entries=[entries[0].id])
    async with db.unit_of_work(ledger) as uow:
        await uow.journal.describe(entries[0].id, description="New")
        await uow.journal.describe(entries[0].id, description=REDACTED)

        assert [r.description for r in await uow.journal.history(entries[0].id)][-2:] == ["New", REDACTED]
