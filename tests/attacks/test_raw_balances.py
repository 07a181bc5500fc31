"""A balance that is set directly is recorded as an adjustment, and the books still balance."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest
from sqlalchemy import update

from finance import Account, FinanceError
from finance.errors import (
    AccountClosedError,
    AmountError,
    BalanceLimitError,
    DeadlockError,
    PeriodClosedError,
    SealedError,
)
from tests.attacks.victim import PAIR, Victim

_LINES = """
SELECT count(*) FILTER (WHERE e.kind = 'adjustment') FROM journal_entries AS e WHERE e.ledger_id = {ledger}
"""

REFUSED: dict[str, tuple[str, type[FinanceError]]] = {
    "closed account": ("UPDATE accounts SET balance = balance + 1 WHERE id = {closed};", AccountClosedError),
    "below the minimum": ("UPDATE accounts SET balance = -1 WHERE id = {capped};", BalanceLimitError),
    "above the maximum": ("UPDATE accounts SET balance = 1000.01 WHERE id = {capped};", BalanceLimitError),
    "NaN": ("UPDATE accounts SET balance = 'NaN' WHERE id = {food};", AmountError),
    "Infinity": ("UPDATE accounts SET balance = 'Infinity' WHERE id = {food};", AmountError),
    "too fine": ("UPDATE accounts SET balance = balance + 0.30000000000000004 WHERE id = {food};", AmountError),
    "in a closed period": (
        "UPDATE ledgers SET closed_through = current_date WHERE id = {ledger};"
        "UPDATE accounts SET balance = balance + 1 WHERE id = {food};",
        PeriodClosedError,
    ),
    "the adjustments account itself": (
        "UPDATE accounts SET balance = balance + 1 WHERE id = {food}; SET CONSTRAINTS ALL IMMEDIATE;"
        "UPDATE accounts SET balance = balance + 1 WHERE ledger_id = {ledger} AND purpose = 'adjustments';",
        SealedError,
    ),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_what_a_posting_may_not_do_an_update_may_not_either(victim: Victim, name: str) -> None:
    """Limits, closed accounts and periods, decimals: an UPDATE of a balance is held to all of them."""
    attack, error = REFUSED[name]
    before = await victim.state()

    with pytest.raises(error):
        await victim.run(attack)

    assert await victim.state() == before


async def test_original_usage_is_recorded(victim: Victim) -> None:
    """The UPDATE that everybody types works, with a float that is exact, and is an entry of two postings."""
    async with victim.db.transaction() as conn:
        await conn.execute("UPDATE accounts SET balance = balance + $1 WHERE id = $2", 100.00, victim.checking)

    assert await victim.balance(victim.checking) == 60
    assert await victim.adjusted() == -100
    assert await victim.fetchval(_LINES) == 1


async def test_inexact_float_is_refused(victim: Victim) -> None:
    """0.1 + 0.2 has more decimals than the euro, and is not rounded in silence."""
    with pytest.raises(AmountError):
        async with victim.db.transaction() as conn:
            await conn.execute("UPDATE accounts SET balance = balance + $1 WHERE id = $2", 0.1 + 0.2, victim.checking)


TRANSFERS = {
    "two statements": "UPDATE accounts SET balance = balance - 5 WHERE id = {checking};"
    "UPDATE accounts SET balance = balance + 5 WHERE id = {food};",
    "one statement": "UPDATE accounts SET balance = balance + CASE id WHEN {food} THEN 5 ELSE -5 END"
    " WHERE id IN ({food}, {checking});",
    "a statement with two parts": "WITH one AS (UPDATE accounts SET balance = balance - 5 WHERE id = {checking})"
    " UPDATE accounts SET balance = balance + 5 WHERE id = {food};",
    "an UPDATE from values": "UPDATE accounts AS a SET balance = a.balance + v.amount"
    " FROM (VALUES ({food}, 5), ({checking}, -5)) AS v(id, amount) WHERE a.id = v.id;",
}


@pytest.mark.parametrize("name", TRANSFERS)
async def test_transfer_is_one_clean_entry(victim: Victim, name: str) -> None:
    """What balances by itself needs no adjustments account."""
    await victim.run(TRANSFERS[name])

    assert await victim.balances() == (-45, 45)
    assert await victim.adjusted() == 0
    assert await victim.fetchval(_LINES) == 1


async def test_update_beside_a_posting_counts_both(victim: Victim) -> None:
    """A transaction that posts and sets a balance has both effects, each once."""
    await victim.run(PAIR + "UPDATE accounts SET balance = balance + 5 WHERE id = {food};")

    assert await victim.balances() == (-50, 55)
    assert await victim.adjusted() == -5


async def test_forged_setting_does_not_hide_an_update(victim: Victim) -> None:
    """The guards' own setting counts below a trigger only."""
    await victim.run(
        "SELECT set_config('finance.applying', 'books', true); UPDATE accounts SET balance = balance + 5 WHERE id = {food};"
    )

    assert await victim.adjusted() == -5


async def test_update_by_somebodys_own_trigger_is_recorded(own_victim: Victim) -> None:
    """A trigger of an application that keeps balances itself is an UPDATE like any other."""
    await own_victim.run(
        """
        CREATE TABLE gifts (account_id bigint, amount numeric);
        CREATE FUNCTION receive() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN UPDATE accounts SET balance = balance + NEW.amount WHERE id = NEW.account_id; RETURN NULL; END $$;
        CREATE TRIGGER receive AFTER INSERT ON gifts FOR EACH ROW EXECUTE FUNCTION receive();""".replace(
            "{", "{{"
        ).replace("}", "}}")
    )

    await own_victim.run("INSERT INTO gifts VALUES ({food}, 7);")

    assert await own_victim.balance(own_victim.food) == 47
    assert await own_victim.adjusted() == -7
    assert (await own_victim.verify()).is_clean


async def test_core_update_is_recorded(victim: Victim) -> None:
    """SQLAlchemy's bulk UPDATE gets past the read-only mapping, not past the database."""
    async with victim.db.unit_of_work(victim.ledger) as uow:
        await uow.session.execute(
            update(Account).where(Account.id == victim.food).values(balance=Account.balance + Decimal(3))
        )

    assert await victim.adjusted() == -3


async def test_update_that_changes_nothing_writes_nothing(victim: Victim) -> None:
    """Setting a balance to what it is leaves no trace."""
    before = await victim.state()

    await victim.run("UPDATE accounts SET balance = balance WHERE ledger_id = {ledger};")

    assert await victim.state() == before


async def test_each_currency_is_balanced_by_itself(victim: Victim) -> None:
    """Euros and yen are booked against an adjustments account each."""
    await victim.run("UPDATE accounts SET balance = balance + 5 WHERE id IN ({food}, {yen});")

    found = await victim.fetchval(
        "SELECT string_agg(currency || ' ' || balance, ', ' ORDER BY currency) FROM accounts"
        " WHERE ledger_id = {ledger} AND purpose = 'adjustments'"
    )
    assert found == "EUR -5, JPY -5"


async def test_many_adjusters_at_once_do_not_deadlock(victim: Victim) -> None:
    """They share one adjustments account, which is locked last and at COMMIT only."""

    async def adjust(account: int) -> bool:
        try:
            async with victim.db.transaction() as conn:
                await conn.execute("UPDATE accounts SET balance = balance + 1 WHERE id = $1", account)
        except DeadlockError:
            return False
        return True

    succeeded = await asyncio.gather(*(adjust((victim.food, victim.checking)[n % 2]) for n in range(200)))

    assert sum(succeeded) == 200
    assert await victim.balances() == (60, 140)
    assert await victim.adjusted() == -200
