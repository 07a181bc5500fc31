"""Committed entries, bank statements, and what the database derives: none of it changes by hand."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, update

from finance import FinanceError, JournalEntry, Posting
from finance.errors import (
    AccountNotFoundError,
    AlreadyExistsError,
    AlreadyReversedError,
    DatabaseError,
    EntryNotFoundError,
    SealedError,
    UnbalancedEntryError,
)
from tests.attacks.test_postings import REVERSAL
from tests.attacks.victim import HEAD, PAIR, Victim, assert_refused, lines, refused

_LATE = lines(("{food}", 1), ("{checking}", -1), first=3, entry="{entry}")

REFUSED: dict[str, tuple[str, type[FinanceError]]] = {
    # a line joins
    "a balanced pair joins a committed entry": (_LATE, SealedError),
    "a line joins a committed entry": (lines(("{food}", 1), first=3, entry="{entry}"), SealedError),
    "a pair joins by CTE beside a new entry": (
        "WITH e AS ("
        + HEAD.rstrip(";")
        + "), own AS ("
        + lines(("{food}", 1), ("{checking}", -1)).rstrip(";")
        + ") "
        + _LATE,
        SealedError,
    ),
    "a pair joins in a statement that re-inserts the entry": (
        "WITH e AS (INSERT INTO journal_entries (ledger_id, id, date) VALUES ({ledger}, {entry}, {day})"
        " ON CONFLICT DO NOTHING) " + _LATE,
        SealedError,
    ),
    "a line is replaced on conflict": (
        lines(("{food}", 1), entry="{entry}").rstrip(";")
        + " ON CONFLICT (ledger_id, entry_id, line) DO UPDATE SET amount = excluded.amount;",
        SealedError,
    ),
    "a line is there already": (lines(("{food}", 1), entry="{entry}"), AlreadyExistsError),
    "an entry is there already": (HEAD.replace("{new}", "{entry}"), AlreadyExistsError),
    # a line changes
    "UPDATE of an amount": ("UPDATE postings SET amount = 41 WHERE entry_id = {entry} AND line = 1;", SealedError),
    "UPDATE of an account": ("UPDATE postings SET account_id = {capped} WHERE entry_id = {entry};", SealedError),
    "UPDATE of a posting's date": ("UPDATE postings SET date = date + 1;", SealedError),
    "UPDATE of a currency": ("UPDATE postings SET currency = 'JPY' WHERE entry_id = {entry};", SealedError),
    "UPDATE of a memo": ("UPDATE postings SET memo = 'x' WHERE entry_id = {entry};", SealedError),
    "UPDATE that moves a line to another entry": (
        PAIR + "UPDATE postings SET entry_id = {new}, line = 3 WHERE entry_id = {entry} AND line = 1;",
        SealedError,
    ),
    "UPDATE of a line of one's own": (
        PAIR + "UPDATE postings SET amount = amount * 2 WHERE entry_id = {new};",
        SealedError,
    ),
    "UPDATE that touches nothing": ("UPDATE postings SET amount = 1 WHERE false;", SealedError),
    "UPDATE of an entry's date": ("UPDATE journal_entries SET date = date - 1 WHERE id = {entry};", SealedError),
    **{
        f"UPDATE of an entry's {column}": (
            f"UPDATE journal_entries SET {column} = {value} WHERE id = {{entry}};",
            error,
        )
        for column, (value, error) in {
            "ledger_id": ("{other}", SealedError),
            "id": ("{new}", SealedError),
            "kind": ("'reversal', reverses_id = {entry}", SealedError),
            "reverses_id": ("{entry}, kind = 'reversal'", SealedError),
            "content_hash": ("sha256('x')", SealedError),
            "recorded_at": ("now()", SealedError),
            "recorded_by": ("'x'", SealedError),
            "recorded_xid": ("1", SealedError),
            "amends_id": ("{new}", SealedError),
            "settles_id": ("{new}", SealedError),
        }.items()
    },
    "UPDATE of a description and a date": (
        "UPDATE journal_entries SET description = 'x', date = date - 1 WHERE id = {entry};",
        SealedError,
    ),
    "UPDATE of a description of one and a date of another": (
        PAIR + "UPDATE journal_entries SET description = 'x', date = date - (id = {entry})::int"
        " WHERE ledger_id = {ledger};",
        SealedError,
    ),
    "INSERT into entry_revisions": (
        "INSERT INTO entry_revisions (ledger_id, entry_id, revision, description, metadata)"
        " VALUES ({ledger}, {entry}, 1, 'forged', '{{}}');",
        SealedError,
    ),
    "UPDATE of entry_revisions": ("UPDATE entry_revisions SET description = 'forged';", SealedError),
    "DELETE FROM entry_revisions": ("DELETE FROM entry_revisions;", SealedError),
    "UPDATE that reopens an entry": (
        "UPDATE journal_entries SET recorded_xid = pg_current_xact_id()::text::bigint, recorded_at = now();" + _LATE,
        SealedError,
    ),
    "UPDATE through a cursor": (
        "DECLARE c CURSOR FOR SELECT * FROM postings WHERE entry_id = {entry} FOR UPDATE; FETCH c;"
        "UPDATE postings SET amount = 1 WHERE CURRENT OF c;",
        SealedError,
    ),
    "an entry is replaced on conflict": (
        HEAD.replace("{new}", "{entry}").rstrip(";")
        + " ON CONFLICT (ledger_id, id) DO UPDATE SET date = excluded.date - 1;",
        SealedError,
    ),
    "MERGE that updates postings": (
        "MERGE INTO postings AS p USING (SELECT 1) AS v ON p.entry_id = {entry}"
        " WHEN MATCHED THEN UPDATE SET amount = 1;",
        SealedError,
    ),
    "MERGE that deletes postings": (
        "MERGE INTO postings AS p USING (SELECT 1) AS v ON p.entry_id = {entry} WHEN MATCHED THEN DELETE;",
        SealedError,
    ),
    "MERGE that updates entries": (
        "MERGE INTO journal_entries AS e USING (SELECT 1) AS v ON e.id = {entry}"
        " WHEN MATCHED THEN UPDATE SET recorded_by = 'x';",
        SealedError,
    ),
    # a line leaves
    "DELETE of a posting": ("DELETE FROM postings WHERE entry_id = {entry};", SealedError),
    "DELETE of an entry": ("DELETE FROM journal_entries WHERE id = {entry};", SealedError),
    "DELETE of an entry of one's own": (PAIR + "DELETE FROM journal_entries WHERE id = {new};", SealedError),
    "DELETE of a line of one's own": (PAIR + "DELETE FROM postings WHERE entry_id = {new};", SealedError),
    "DELETE of an account with postings": ("DELETE FROM accounts WHERE id = {food};", SealedError),
    "DELETE of a currency in use": ("DELETE FROM currencies WHERE ledger_id = {ledger} AND code = 'EUR';", SealedError),
    "DELETE of a ledger in use": ("DELETE FROM ledgers WHERE id = {ledger};", SealedError),
    **{
        f"TRUNCATE {table}{cascade}": (f"TRUNCATE {table}{cascade};", error)
        for table, error in {
            "journal_entries": SealedError,
            "postings": SealedError,
            "monthly_totals": SealedError,
            "unsettled": SealedError,
            "entry_revisions": SealedError,
            "holds": SealedError,
            "imports": SealedError,
            "statements": SealedError,
            "statement_lines": SealedError,
            "assertions": SealedError,
            "matches": SealedError,
            "reconciliations": SealedError,
            "ledgers": SealedError,
            "currencies": SealedError,
            "accounts": SealedError,
        }.items()
        for cascade in (" CASCADE", ", ledgers, accounts, currencies, journal_entries, postings CASCADE")
        if table not in cascade
    },
    "TRUNCATE of one table that others name": ("TRUNCATE journal_entries;", DatabaseError),
    "TRUNCATE RESTART IDENTITY": ("TRUNCATE postings RESTART IDENTITY;", SealedError),
    # what is derived
    "INSERT into monthly_totals": (
        "INSERT INTO monthly_totals VALUES ({ledger}, {food}, '2020-01-01', 1, 0, 1);",
        SealedError,
    ),
    "UPDATE of monthly_totals": ("UPDATE monthly_totals SET debit = debit + 1;", SealedError),
    "DELETE FROM monthly_totals": ("DELETE FROM monthly_totals WHERE ledger_id = {ledger};", SealedError),
    "half an entry, then DELETE FROM unsettled": (
        HEAD + lines(("{food}", 10)) + "DELETE FROM unsettled;",
        SealedError,
    ),
    "half an entry, then UPDATE unsettled": (
        HEAD + lines(("{food}", 10)) + "UPDATE unsettled SET entry_id = {entry};",
        SealedError,
    ),
    "INSERT into unsettled": (
        "INSERT INTO unsettled (ledger_id, entry_id, adjustment) VALUES ({ledger}, {entry}, true);",
        SealedError,
    ),
    # ledgers and currencies
    "fewer decimals of a currency": ("UPDATE currencies SET exponent = 0 WHERE ledger_id = {ledger};", SealedError),
    "another code of a currency": (
        "UPDATE currencies SET code = 'XXX' WHERE ledger_id = {ledger} AND code = 'JPY';",
        SealedError,
    ),
    "another id of a ledger": ("UPDATE ledgers SET id = DEFAULT WHERE id = {ledger};", SealedError),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_what_is_sealed_does_not_change(steady: Victim, name: str) -> None:
    """No statement can make a line join, leave or change, nor write what the database derives."""
    await assert_refused(steady, *REFUSED[name])


async def test_delete_from_unsettled_gains_nothing_even_unguarded(own_victim: Victim) -> None:
    """The pending check fires without its row: it reads the postings, not the queue."""
    await own_victim.db.execute("ALTER TABLE unsettled DISABLE TRIGGER unsettled_guard_delete")

    await assert_refused(own_victim, HEAD + lines(("{food}", 10)) + "DELETE FROM unsettled;", UnbalancedEntryError)


async def test_an_entry_is_reversed_once(victim: Victim) -> None:
    """By hand as by the repository."""
    await victim.run(REVERSAL + lines(("{food}", -40), ("{checking}", 40)))

    again = REVERSAL.replace("{new}", "{new2}") + lines(("{food}", -40), ("{checking}", 40), entry="{new2}")
    await assert_refused(victim, again, AlreadyReversedError)


async def test_a_reversal_names_an_entry_that_is_there(steady: Victim) -> None:
    """Of this ledger, too."""
    await assert_refused(steady, REVERSAL.replace("{entry}", "{new2}"), EntryNotFoundError)


async def test_a_line_may_join_in_a_savepoint_of_the_same_transaction(victim: Victim) -> None:
    """The entry remembers the transaction, not the savepoint."""
    await victim.run(
        "SAVEPOINT a;"
        + HEAD
        + "SAVEPOINT b;"
        + lines(("{food}", 1))
        + "RELEASE a; SAVEPOINT c;"
        + lines(("{checking}", -1), first=2)
        + "RELEASE c;"
    )

    assert await victim.balances() == (-41, 41)


async def test_the_orm_cannot_change_or_delete_an_entry(victim: Victim) -> None:
    """Changing a loaded row is refused when the session is flushed."""
    async with victim.db.unit_of_work(victim.ledger) as uow:
        stored = await uow.journal.get_one(victim.entry)
        stored.postings[0].amount += 1
        with refused(victim, SealedError):
            await uow.connection.fetchval("SELECT 1")
        await uow.rollback()
    with refused(victim, SealedError):
        async with victim.db.unit_of_work(victim.ledger) as uow:
            await uow.journal.remove(await uow.journal.get_one(victim.entry))


@pytest.mark.parametrize(
    "statement", [update(Posting).values(amount=1), delete(JournalEntry), update(JournalEntry).values(recorded_by="x")]
)
async def test_core_cannot_change_or_delete_an_entry(victim: Victim, statement: object) -> None:
    """As raw SQL; the error that leaves the unit of work is typed."""
    with refused(victim, SealedError):
        async with victim.db.unit_of_work(victim.ledger) as uow:
            await uow.session.execute(statement)  # type: ignore[call-overload]


async def test_a_bank_statement_is_sealed(victim: Victim) -> None:
    """What a bank sent stays as it came."""
    await victim.db.execute(
        "WITH file AS (INSERT INTO imports (ledger_id, file_name, file_sha256, format)"
        " VALUES ($1, 'a.ofx', sha256('a'), 'ofx')),"
        " statement AS (INSERT INTO statements (ledger_id, account_id, file_name, file_sha256, format, currency)"
        " VALUES ($1, $2, 'a.ofx', sha256('a'), 'ofx', 'EUR') RETURNING id)"
        " INSERT INTO statement_lines (ledger_id, statement_id, number, account_id, date, amount, currency, kind,"
        " payee, raw, fingerprint, occurrence, entry_id)"
        " SELECT $1, id, 1, $2, '2026-01-01', 1, 'EUR', 'cash', 'Shop', '{}', sha256('a'), 1, $3 FROM statement",
        victim.ledger.id,
        victim.checking,
        victim.entry,
    )
    for attack in (
        "UPDATE statements SET file_name = 'b'",
        "DELETE FROM statements",
        "UPDATE statement_lines SET amount = 2",
        "UPDATE statement_lines SET amount = 2, undone_at = now()",
        "UPDATE statement_lines SET undone_at = now()",
        "UPDATE imports SET file_name = 'b'",
        "DELETE FROM imports",
        "DELETE FROM statement_lines",
    ):
        await assert_refused(victim, attack + ";", SealedError)
    await assert_refused(
        victim, "DELETE FROM accounts WHERE id = {capped};".replace("{capped}", "{checking}"), SealedError
    )


async def test_a_bank_statement_names_an_account_of_its_ledger(steady: Victim) -> None:
    """An account of another ledger is unknown in this one."""
    await assert_refused(
        steady,
        "INSERT INTO statements (ledger_id, account_id, file_name, file_sha256, format, currency)"
        " VALUES ({ledger}, {foreign}, 'a.ofx', sha256('a'), 'ofx', 'EUR');",
        AccountNotFoundError,
    )


async def test_an_unused_account_currency_and_ledger_may_go(victim: Victim) -> None:
    """What nothing depends on can be deleted."""
    await victim.run(
        "DELETE FROM accounts WHERE id = {yen};"
        "DELETE FROM currencies WHERE ledger_id = {ledger} AND code = 'JPY';"
        "DELETE FROM accounts WHERE ledger_id = {other}; DELETE FROM currencies WHERE ledger_id = {other};"
        "DELETE FROM ledgers WHERE id = {other};"
    )

    assert await victim.fetchval("SELECT count(*) FROM ledgers WHERE id = {other}") == 0
