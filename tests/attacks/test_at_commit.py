"""What waits for COMMIT: constraints made immediate, savepoints, prepared transactions, in every order."""

from __future__ import annotations

import pytest

from finance import FinanceError
from finance.errors import SealedError, TransactionAbortedError, UnbalancedEntryError
from tests.attacks.victim import HEAD, PAIR, Victim, assert_refused, lines, refused

_FIRST = lines(("{food}", 10))
_SECOND = lines(("{checking}", -10), first=2)
_NOW = "SET CONSTRAINTS ALL IMMEDIATE;"
_LATER = "SET CONSTRAINTS ALL DEFERRED;"

REFUSED: dict[str, tuple[str, type[FinanceError]]] = {
    "immediate from the start": (_NOW + HEAD, UnbalancedEntryError),
    "immediate after the head": (HEAD + _NOW, UnbalancedEntryError),
    "immediate after half": (HEAD + _FIRST + _NOW, UnbalancedEntryError),
    "immediate by name after half": (
        HEAD + _FIRST + "SET CONSTRAINTS unsettled_settle IMMEDIATE;",
        UnbalancedEntryError,
    ),
    "immediate after the whole, then half a pair more": (
        HEAD + _FIRST + _SECOND + _NOW + lines(("{food}", 1), first=3),
        UnbalancedEntryError,
    ),
    "settled, deferred again, then half a pair more": (
        HEAD + _FIRST + _SECOND + _NOW + _LATER + lines(("{food}", 1), first=3),
        UnbalancedEntryError,
    ),
    "settled in a savepoint that is undone": (
        HEAD + _FIRST + "SAVEPOINT a;" + _SECOND + _NOW + "ROLLBACK TO a;",
        UnbalancedEntryError,
    ),
    "the second half undone": (HEAD + _FIRST + "SAVEPOINT a;" + _SECOND + "ROLLBACK TO a;", UnbalancedEntryError),
    "the head released, its lines undone": (
        "SAVEPOINT a;" + HEAD + "SAVEPOINT b;" + _FIRST + _SECOND + "ROLLBACK TO b; RELEASE a;",
        UnbalancedEntryError,
    ),
    "a balanced pair undone, half of it written again": (
        HEAD + "SAVEPOINT a;" + _FIRST + _SECOND + "ROLLBACK TO a; RELEASE a;" + _FIRST,
        UnbalancedEntryError,
    ),
    "half a pair more after RELEASE": (
        "SAVEPOINT a;" + PAIR + "RELEASE a;" + lines(("{food}", 1), first=3),
        UnbalancedEntryError,
    ),
    "deferred when it is deferred already": (_LATER + HEAD + _FIRST, UnbalancedEntryError),
    "an error swallowed in a savepoint, half of the entry kept": (
        HEAD + _FIRST + "DO $$ BEGIN UPDATE postings SET amount = 1; EXCEPTION WHEN OTHERS THEN NULL; END $$;",
        UnbalancedEntryError,
    ),
    "half an entry in a DO block": (
        "DO $$ BEGIN " + HEAD + _FIRST + " END $$;",
        UnbalancedEntryError,
    ),
    "a line for a committed entry in a DO block": (
        "DO $$ BEGIN " + lines(("{food}", 1), ("{checking}", -1), first=3, entry="{entry}") + " END $$;",
        SealedError,
    ),
}

ACCEPTED = {
    "immediate after the whole": HEAD + _FIRST + _SECOND + _NOW,
    "immediate and deferred in between": HEAD + _FIRST + _SECOND + _NOW + _LATER,
    "immediate from the start, in one statement": (
        _NOW + "WITH e AS (" + HEAD.rstrip(";") + ") " + lines(("{food}", 10), ("{checking}", -10))
    ),
    "the second half undone and written again": (HEAD + _FIRST + "SAVEPOINT a;" + _SECOND + "ROLLBACK TO a;" + _SECOND),
    "settled in a savepoint that is undone, then completed": (
        HEAD + _FIRST + "SAVEPOINT a;" + _SECOND + _NOW + "ROLLBACK TO a;" + _SECOND
    ),
    "each statement in a savepoint of its own": (
        "SAVEPOINT a;" + HEAD + "RELEASE a; SAVEPOINT b;" + _FIRST + "RELEASE b; SAVEPOINT c;" + _SECOND
    ),
    "the same entry written, undone and written again": (
        "SAVEPOINT a;" + PAIR + "ROLLBACK TO a;" + HEAD + _FIRST + _SECOND
    ),
    "the whole in a DO block": "DO $$ BEGIN " + HEAD + _FIRST + _SECOND + " END $$;",
    "an attack that is swallowed": PAIR
    + "DO $$ BEGIN UPDATE postings SET amount = 1; EXCEPTION WHEN OTHERS THEN NULL; END $$;",
}


@pytest.mark.parametrize("name", REFUSED)
async def test_no_order_of_settling_lets_half_an_entry_pass(steady: Victim, name: str) -> None:
    """Whenever the check is made, it is made again for whatever comes after."""
    await assert_refused(steady, *REFUSED[name])


@pytest.mark.parametrize("name", ACCEPTED)
async def test_every_order_of_settling_lets_a_whole_entry_pass(victim: Victim, name: str) -> None:
    """Savepoints and constraints made immediate do not stand in the way of an entry that balances."""
    await victim.run(ACCEPTED[name])

    assert await victim.balances() == (-50, 50)
    assert await victim.fetchval("SELECT count(*) FROM unsettled WHERE ledger_id = {ledger}") == 0


@pytest.mark.parametrize("isolation", ["repeatable_read", "serializable"])
@pytest.mark.parametrize("name", ["the second half undone and written again", "immediate and deferred in between"])
async def test_it_holds_at_every_isolation_level(victim: Victim, name: str, isolation: str) -> None:
    """Under a snapshot of the whole transaction, too."""
    await victim.run(ACCEPTED[name], isolation=isolation)

    assert await victim.balances() == (-50, 50)


async def test_a_swallowed_refusal_does_not_commit(victim: Victim) -> None:
    """An error that is caught without a savepoint has aborted the transaction, and COMMIT says so."""
    with pytest.raises(TransactionAbortedError):
        async with victim.db.transaction() as conn:
            await conn.execute(victim.sql(PAIR))
            with refused(victim, SealedError):
                await conn.execute("DELETE FROM postings")

    assert await victim.balances() == (-40, 40)


async def test_autocommit_settles_each_statement(victim: Victim) -> None:
    """A statement on its own is a transaction, and so is a script sent in one call."""
    with pytest.raises(UnbalancedEntryError):
        await victim.db.execute(victim.sql(HEAD))
    await victim.db.execute(victim.sql(PAIR))

    assert await victim.balances() == (-50, 50)


async def test_a_prepared_transaction_is_settled_when_it_is_prepared(victim: Victim) -> None:
    """PREPARE TRANSACTION fires what COMMIT would."""
    if await victim.db.fetchval("SELECT current_setting('max_prepared_transactions')::int") == 0:
        pytest.skip("this server has max_prepared_transactions = 0")
    name = f"victim_{victim.new}"

    with pytest.raises(UnbalancedEntryError):
        await victim.db.execute("BEGIN;" + victim.sql(HEAD + _FIRST) + f"PREPARE TRANSACTION '{name}'")
    await victim.db.execute("BEGIN;" + victim.sql(PAIR) + f"PREPARE TRANSACTION '{name}'")
    with pytest.raises(SealedError):
        await victim.run(lines(("{food}", 1), ("{checking}", -1), first=3, entry="{entry}"))
    await victim.db.execute(f"COMMIT PREPARED '{name}'")

    assert await victim.balances() == (-50, 50)
