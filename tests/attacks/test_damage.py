"""What gets past the guards, because a superuser or the owner switched them off: verification finds it.

A superuser can set `session_replication_role = replica`, under which no trigger and no foreign key is
looked at. Nothing in a database stops its superuser; the books can be checked afterwards.
"""

from __future__ import annotations

import asyncpg
import pytest

from finance.errors import DatabaseError, SealedError
from finance.reports import verification
from tests.attacks.conftest import as_owner
from tests.attacks.victim import HEAD, PAIR, Victim, assert_refused, lines
from tests.conftest import Server

_LINE = (
    "INSERT INTO statement_lines (ledger_id, statement_id, number, account_id, date, amount, currency, kind, raw,"
    " fingerprint, occurrence, entry_id) VALUES ({{ledger}}, 1, 1, {{checking}}, {{day}}, 1, 'EUR', 'cash', '{raw}',"
    " sha256('a'), 1, {entry});"
)
_HOLD = (
    "INSERT INTO holds (ledger_id, id, account_id, amount, currency)"
    " VALUES ({{ledger}}, {{new}}, {account}, {amount}, '{currency}');"
)

DAMAGE: dict[str, tuple[str, set[str]]] = {
    "an unbalanced entry": (
        HEAD + lines(("{food}", 10), ("{checking}", -9)),
        {"entry unbalanced", "balance differs from postings", "monthly total differs from postings"},
    ),
    "an entry that balances in sum, not per currency": (
        HEAD + lines(("{food}", 10)) + lines(("{yen}", -10), first=2, currency="'JPY'"),
        {"entry unbalanced", "balance differs from postings", "monthly total differs from postings"},
    ),
    "an entry without postings": (HEAD, {"entry without postings"}),
    "postings without entry": (
        lines(("{food}", 10), ("{checking}", -10)),
        {
            "posting without entry",
            "balance differs from postings",
            "monthly total differs from postings",
        },
    ),
    "an entry deleted": ("DELETE FROM journal_entries WHERE id = {entry};", {"posting without entry"}),
    "postings deleted": (
        "DELETE FROM postings WHERE entry_id = {entry};",
        {
            "entry without postings",
            "balance differs from postings",
            "monthly total differs from postings",
            "entry differs from its content hash",
        },
    ),
    "a posting on another date": (
        "UPDATE postings SET date = date + 1 WHERE entry_id = {entry} AND line = 1;",
        {"posting on another date than its entry"},
    ),
    "an entry on another date": (
        "UPDATE journal_entries SET date = date + 1 WHERE id = {entry};",
        {"posting on another date than its entry", "entry differs from its content hash"},
    ),
    "an account deleted": (
        "DELETE FROM accounts WHERE id = {food};",
        {"posting without account"},
    ),
    "postings on an account of another ledger": (
        "UPDATE postings SET account_id = {foreign} WHERE entry_id = {entry} AND line = 1;",
        {
            "posting without account",
            "balance differs from postings",
            "monthly total differs from postings",
            "entry differs from its content hash",
        },
    ),
    "an account in another currency": (
        "UPDATE accounts SET currency = 'JPY' WHERE id = {food};",
        {"posting in another currency than its account"},
    ),
    "an account in a currency that is not there": (
        "UPDATE accounts SET currency = 'XXX' WHERE id = {capped};",
        {"account in an unknown currency"},
    ),
    "postings that are too fine": (
        "UPDATE postings SET amount = amount + sign(amount) * 0.001 WHERE entry_id = {entry};"
        "UPDATE accounts SET balance = balance + sign(balance) * 0.001 WHERE id IN ({food}, {checking});"
        "UPDATE monthly_totals SET debit = debit + sign(debit) * 0.001, credit = credit + sign(credit) * 0.001"
        " WHERE ledger_id = {ledger};",
        {"posting finer than its currency", "entry differs from its content hash"},
    ),
    "a currency with fewer decimals": (
        "UPDATE postings SET amount = amount + sign(amount) * 0.5 WHERE entry_id = {entry};"
        "UPDATE accounts SET balance = balance + sign(balance) * 0.5 WHERE id IN ({food}, {checking});"
        "UPDATE monthly_totals SET debit = debit + sign(debit) * 0.5, credit = credit + sign(credit) * 0.5"
        " WHERE ledger_id = {ledger};"
        "UPDATE currencies SET exponent = 0 WHERE ledger_id = {ledger} AND code = 'EUR';",
        {"posting finer than its currency", "entry differs from its content hash"},
    ),
    "a balance set": ("UPDATE accounts SET balance = 41 WHERE id = {food};", {"balance differs from postings"}),
    "a balance without postings": (
        "UPDATE accounts SET balance = 1 WHERE id = {capped};",
        {"balance differs from postings"},
    ),
    "monthly totals changed": (
        "UPDATE monthly_totals SET debit = debit + 1, credit = credit + 1 WHERE ledger_id = {ledger};",
        {"monthly total differs from postings"},
    ),
    "monthly totals miscounted": (
        "UPDATE monthly_totals SET postings = postings + 1 WHERE ledger_id = {ledger};",
        {"monthly total differs from postings"},
    ),
    "monthly totals deleted": (
        "DELETE FROM monthly_totals WHERE ledger_id = {ledger};",
        {"monthly total differs from postings"},
    ),
    "monthly totals of a month without postings": (
        "INSERT INTO monthly_totals VALUES ({ledger}, {food}, '1999-01-01', 0, 0, 0);",
        {"monthly total differs from postings"},
    ),
    "a reversal of nothing": (
        "SET LOCAL session_replication_role = origin;"
        + PAIR
        + "SET CONSTRAINTS ALL IMMEDIATE; SET LOCAL session_replication_role = replica;"
        + "UPDATE journal_entries SET kind = 'reversal', reverses_id = {new2} WHERE id = {new};",
        {"reversal of an entry that is not there", "reversal that is not the opposite of its entry"},
    ),
    "a reversal that is not the opposite": (
        "SET LOCAL session_replication_role = origin;"
        + PAIR
        + "SET CONSTRAINTS ALL IMMEDIATE; SET LOCAL session_replication_role = replica;"
        + "UPDATE journal_entries SET kind = 'reversal', reverses_id = {entry} WHERE id = {new};",
        {"reversal that is not the opposite of its entry"},
    ),
    "an amendment of an entry that stands": (
        "SET LOCAL session_replication_role = origin;"
        + PAIR
        + "SET CONSTRAINTS ALL IMMEDIATE; SET LOCAL session_replication_role = replica;"
        + "UPDATE journal_entries SET amends_id = {entry} WHERE id = {new};",
        {"amendment of an entry that is not reversed"},
    ),
    "a payee of nobody": (
        "UPDATE journal_entries SET payee_id = 10 ^ 15 WHERE id = {entry};",
        {"entry with a payee that is not there"},
    ),
    "a revision without its entry": (
        "INSERT INTO entry_revisions VALUES ({ledger}, {new}, 1, 'x', '{{}}');",
        {"revision of an entry that is not there"},
    ),
    "a revision taken out": (
        "INSERT INTO entry_revisions VALUES ({ledger}, {entry}, 1, 'x', '{{}}'), ({ledger}, {entry}, 3, 'y', '{{}}');",
        {"revisions with a gap", "entry differs from its content hash"},
    ),
    "the first revision taken out": (
        "INSERT INTO entry_revisions VALUES ({ledger}, {entry}, 2, 'y', '{{}}');",
        {"revisions with a gap"},
    ),
    "something held without a hold": (
        "UPDATE accounts SET held = 1 WHERE id = {food};",
        {"held differs from open holds"},
    ),
    "a hold that nothing reserves": (
        _HOLD.format(account="{food}", amount=5, currency="EUR"),
        {"held differs from open holds"},
    ),
    "a hold deleted": (
        "SET LOCAL session_replication_role = origin;"
        + _HOLD.format(account="{food}", amount=5, currency="EUR")
        + "SET LOCAL session_replication_role = replica; DELETE FROM holds WHERE id = {new};",
        {"held differs from open holds"},
    ),
    "a hold of a foreign account": (
        _HOLD.format(account="{foreign}", amount=5, currency="EUR"),
        {"hold without account"},
    ),
    "a hold in another currency": (
        _HOLD.format(account="{food}", amount=5, currency="JPY") + "UPDATE accounts SET held = 5 WHERE id = {food};",
        {"hold in another currency than its account"},
    ),
    "a hold that is too fine": (
        _HOLD.format(account="{food}", amount=0.001, currency="EUR")
        + "UPDATE accounts SET held = 0.001 WHERE id = {food};",
        {"hold finer than its currency"},
    ),
    "a hold settled by an entry that does not say so": (
        _HOLD.format(account="{food}", amount=5, currency="EUR")
        + "UPDATE holds SET status = 'settled', entry_id = {entry}, closed_at = now(), settled_amount = 5"
        " WHERE id = {new};",
        {"settled hold and its entry do not name each other", "settled amount differs from postings"},
    ),
    "an entry that settles a hold that is not there": (
        "UPDATE journal_entries SET settles_id = {new} WHERE id = {entry};",
        {"settled hold and its entry do not name each other", "entry differs from its content hash"},
    ),
    "a settled amount that the entry does not take": (
        _HOLD.format(account="{checking}", amount=50, currency="EUR")
        + "UPDATE holds SET status = 'settled', entry_id = {entry}, closed_at = now(), settled_amount = 39"
        " WHERE id = {new}; UPDATE journal_entries SET settles_id = {new} WHERE id = {entry};",
        {"settled amount differs from postings", "entry differs from its content hash"},
    ),
    "a statement line of an entry that is not there": (
        _LINE.format(raw="""{{"a": 1}}""", entry="{new}"),
        {"statement line of an entry that is not there"},
    ),
    "a statement line whose words are gone": (
        _LINE.format(raw="{{}}", entry="NULL"),
        {"statement line without its words"},
    ),
    "a redacted statement line whose words came back": (
        _LINE.format(raw="""{{"a": 1}}""", entry="NULL")
        + "INSERT INTO redacted_rows SELECT ledger_id, 'statement_lines', id::text, 1 FROM statement_lines;",
        {"redacted statement line with words"},
    ),
    "a description changed": (
        "UPDATE journal_entries SET description = 'Rent' WHERE id = {entry};",
        {"entry differs from its content hash"},
    ),
    "details changed": (
        """UPDATE journal_entries SET metadata = '{{"n": 1}}' WHERE id = {entry};""",
        {"entry differs from its content hash"},
    ),
    "a memo changed": (
        "UPDATE postings SET memo = 'for you' WHERE entry_id = {entry} AND line = 2;",
        {"entry differs from its content hash"},
    ),
    "two lines exchanged": (
        "UPDATE postings SET line = 3 - line + 10 WHERE entry_id = {entry};"
        "UPDATE postings SET line = line - 10 WHERE entry_id = {entry};",
        {"entry differs from its content hash"},
    ),
    "a posting on a day of no calendar": (
        "UPDATE postings SET date = '200000-01-01' WHERE entry_id = {entry} AND line = 1;"
        "UPDATE postings SET date = '-infinity' WHERE entry_id = {entry} AND line = 2;",
        {"posting on another date than its entry", "monthly total differs from postings"},
    ),
    "monthly totals of no calendar": (
        "INSERT INTO monthly_totals VALUES ({ledger}, {food}, 'infinity', 0, 0, 0),"
        " ({ledger}, {food}, '4000-01-01 BC', 0, 0, 0);",
        {"monthly total differs from postings"},
    ),
    "an entry left in the queue": (
        "INSERT INTO unsettled VALUES ({ledger}, {entry});",
        {"entry left unsettled"},
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
async def test_verification_names_the_damage(
    casualty: Victim, superuser: asyncpg.Connection[asyncpg.Record], name: str
) -> None:
    """Each contradiction is told by its own rule, and no other ledger is accused."""
    sql, rules = DAMAGE[name]
    assert (await casualty.verify()).is_clean

    async with superuser.transaction():
        await superuser.execute(casualty.sql(sql))

    problems = (await casualty.verify()).problems
    assert {problem.rule for problem in problems} == rules
    assert all(problem.subject in str(problem) for problem in problems)
    assert (await casualty.db.verify(casualty.other_ledger)).is_clean


def test_every_rule_of_the_books_has_its_damage() -> None:
    """A rule that no damage breaks is a rule that was never seen to work."""
    assert set().union(*(rules for _, rules in DAMAGE.values())) == verification.BOOKS


SABOTAGE = {
    "a trigger disabled": (
        "ALTER TABLE postings DISABLE TRIGGER postings_apply",
        "guard switched off",
        "postings_apply",
    ),
    "a trigger for replicas only": (
        "ALTER TABLE accounts ENABLE REPLICA TRIGGER accounts_record_adjustment",
        "guard switched off",
        "accounts_record_adjustment",
    ),
    "all triggers of a table disabled": (
        "ALTER TABLE unsettled DISABLE TRIGGER USER",
        "guard switched off",
        "unsettled_settle",
    ),
    "a trigger dropped": ("DROP TRIGGER postings_no_update ON postings", "guard missing", "postings_no_update"),
    "a guard replaced": (
        "CREATE OR REPLACE FUNCTION settle_entry() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "guard changed",
        "settle_entry",
    ),
    "a check dropped": (
        "ALTER TABLE accounts DROP CONSTRAINT ck_accounts_minimum_balance",
        "rule missing",
        "ck_accounts_minimum_balance",
    ),
    "a check that is not validated": (
        "ALTER TABLE postings DROP CONSTRAINT ck_postings_amount_nonzero,"
        " ADD CONSTRAINT ck_postings_amount_nonzero CHECK (amount <> 0) NOT VALID",
        "rule missing",
        "ck_postings_amount_nonzero",
    ),
    "a foreign key dropped": (
        "ALTER TABLE accounts DROP CONSTRAINT fk_accounts_ledger_id_currency_currencies",
        "rule missing",
        "fk_accounts_ledger_id_currency_currencies",
    ),
    "a table that inherits": (
        "CREATE TABLE unseen () INHERITS (postings)",
        "table with rows that no guard sees",
        "unseen",
    ),
    "a unique index dropped": (
        "DROP INDEX uq_journal_entries_ledger_id_reverses_id",
        "rule missing",
        "uq_journal_entries_ledger_id_reverses_id",
    ),
}


@pytest.mark.parametrize("name", SABOTAGE)
async def test_verification_names_a_rule_that_its_owner_took_away(own_victim: Victim, name: str) -> None:
    """The owner of a schema can change it; he cannot do so unseen."""
    sql, rule, subject = SABOTAGE[name]

    await own_victim.db.execute(sql)

    problems = (await own_victim.verify()).problems
    assert (rule, subject) in {(problem.rule, problem.subject) for problem in problems}
    assert {problem.rule for problem in problems} == {rule}


async def test_a_foreign_key_that_a_superuser_switched_off_is_named(own_victim: Victim, owned_server: Server) -> None:
    """DISABLE TRIGGER ALL reaches the triggers behind foreign keys, which the owner's USER does not."""
    connection = await asyncpg.connect(owned_server.direct_dsn(await own_victim.fetchval("SELECT current_database()")))
    await connection.execute("ALTER TABLE accounts DISABLE TRIGGER ALL")
    await connection.close()

    subjects = {problem.subject for problem in (await own_victim.verify()).problems}
    assert {"fk_accounts_ledger_id_currency_currencies", "accounts_record_adjustment"} <= subjects


async def test_an_ordinary_owner_cannot_play_replica(steady: Victim) -> None:
    """`session_replication_role` is a superuser's."""
    await assert_refused(steady, "SET LOCAL session_replication_role = replica;" + HEAD, DatabaseError)


async def test_a_guard_that_is_back_guards_again(own_victim: Victim) -> None:
    """What was done while it was off stays found; what is tried now is refused."""
    await own_victim.db.execute("ALTER TABLE monthly_totals DISABLE TRIGGER USER")
    await own_victim.run("UPDATE monthly_totals SET debit = debit + 1 WHERE ledger_id = {ledger};")
    await own_victim.db.execute("ALTER TABLE monthly_totals ENABLE TRIGGER USER")

    await assert_refused(own_victim, "UPDATE monthly_totals SET debit = debit - 1;", SealedError)

    rules = {problem.rule for problem in (await own_victim.verify()).problems}
    assert rules == {"monthly total differs from postings"}


async def test_verification_reads_a_schema_of_any_name(own_victim: Victim, owned_server: Server) -> None:
    """A name that needs quoting is no reason to fail."""
    await own_victim.db.execute('ALTER SCHEMA public RENAME TO "My Books"')
    dsn = owned_server.direct_dsn(await own_victim.fetchval("SELECT current_database()"))

    async with as_owner(dsn, schema="My Books") as db:
        assert (await db.verify(own_victim.ledger)).problems == ()
