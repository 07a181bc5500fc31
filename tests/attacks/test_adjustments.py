"""Balances that somebody sets with a plain UPDATE: recorded, or refused as a posting would be."""

from __future__ import annotations

from decimal import Decimal

import pytest
from sqlalchemy import update

from finance import Account, FinanceError
from finance.errors import (
    AccountClosedError,
    AmountError,
    BalanceLimitError,
    PeriodClosedError,
    SealedError,
    UnbalancedEntryError,
)
from tests.attacks.victim import HEAD, PAIR, Victim, assert_refused, lines

_CREATE_ADJUSTMENTS = "UPDATE accounts SET balance = balance + 1 WHERE id = {food}; SET CONSTRAINTS ALL IMMEDIATE;"

REFUSED: dict[str, tuple[str, type[FinanceError]]] = {
    "of a closed account": ("UPDATE accounts SET balance = 1 WHERE id = {closed};", AccountClosedError),
    "of an account that it closes": (
        "UPDATE accounts SET balance = 1, closed_on = {day} WHERE id = {food};",
        AccountClosedError,
    ),
    "below the minimum": ("UPDATE accounts SET balance = -0.01 WHERE id = {capped};", BalanceLimitError),
    "above the maximum": ("UPDATE accounts SET balance = 1000.01 WHERE id = {capped};", BalanceLimitError),
    "of an adjustments account": (
        _CREATE_ADJUSTMENTS + "UPDATE accounts SET balance = 0 WHERE ledger_id = {ledger} AND purpose = 'adjustments';",
        SealedError,
    ),
    "of an account that it makes one": (
        "UPDATE accounts SET balance = 1, purpose = 'adjustments' WHERE id = {food};",
        SealedError,
    ),
    "of all accounts, the adjustments account too": (
        _CREATE_ADJUSTMENTS
        + "UPDATE accounts SET balance = balance + 1 WHERE ledger_id = {ledger} AND id <> {closed};",
        SealedError,
    ),
    "to NaN": ("UPDATE accounts SET balance = 'NaN' WHERE id = {food};", AmountError),
    "to infinity": ("UPDATE accounts SET balance = 'Infinity' WHERE id = {food};", AmountError),
    "to 1E+30": ("UPDATE accounts SET balance = 1e30 WHERE id = {food};", AmountError),
    "by more than an amount may be": ("UPDATE accounts SET balance = balance + 1e24 WHERE id = {food};", AmountError),
    "by too many decimals": ("UPDATE accounts SET balance = balance + 0.001 WHERE id = {food};", AmountError),
    "by a percentage": ("UPDATE accounts SET balance = balance * 1.0333 WHERE id = {food};", AmountError),
    "by a decimal of a yen": ("UPDATE accounts SET balance = balance + 0.5 WHERE id = {yen};", AmountError),
    "in a period that is closed for years": (
        "UPDATE ledgers SET closed_through = '9999-12-31' WHERE id = {ledger};"
        "UPDATE accounts SET balance = balance + 1 WHERE id = {food};",
        PeriodClosedError,
    ),
    "and then a closing, before it is balanced": (
        "UPDATE accounts SET balance = balance + 1 WHERE id = {food};"
        "UPDATE ledgers SET closed_through = '9999-12-31' WHERE id = {ledger};",
        PeriodClosedError,
    ),
    "and half an entry beside it": (
        "UPDATE accounts SET balance = balance + 1 WHERE id = {food};" + HEAD + lines(("{food}", 1)),
        UnbalancedEntryError,
    ),
    "with the account's currency": (
        "UPDATE accounts SET balance = 1, currency = 'JPY' WHERE id = {food};",
        SealedError,
    ),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_raw_update_holds_to_the_rules_of_a_posting(steady: Victim, name: str) -> None:
    """Limits, decimals, closed accounts and closed periods."""
    await assert_refused(steady, *REFUSED[name])


RECORDED: dict[str, tuple[str, tuple[str, str, str]]] = {
    # what it does to checking (-40), food (40) and the adjustments account (0)
    "a sum": ("UPDATE accounts SET balance = balance + 100.00 WHERE id = {checking};", ("60", "40", "-100")),
    "a value": ("UPDATE accounts SET balance = 7.5 WHERE id = {checking};", ("7.5", "40", "-47.5")),
    "the same value": ("UPDATE accounts SET balance = balance WHERE id = {checking};", ("-40", "40", "0")),
    "a sum that is not written the same": (
        "UPDATE accounts SET balance = -40.00 WHERE id = {checking};",
        ("-40", "40", "0"),
    ),
    "a transfer in two statements": (
        "UPDATE accounts SET balance = balance - 5 WHERE id = {checking};"
        "UPDATE accounts SET balance = balance + 5 WHERE id = {food};",
        ("-45", "45", "0"),
    ),
    "a transfer in one statement": (
        "UPDATE accounts SET balance = balance + CASE id WHEN {food} THEN 5 ELSE -5 END"
        " WHERE id IN ({food}, {checking});",
        ("-45", "45", "0"),
    ),
    "a transfer in two parts of one statement": (
        "WITH one AS (UPDATE accounts SET balance = balance - 5 WHERE id = {checking})"
        " UPDATE accounts SET balance = balance + 5 WHERE id = {food};",
        ("-45", "45", "0"),
    ),
    "there and back": (
        "UPDATE accounts SET balance = balance - 5 WHERE id = {checking};"
        "UPDATE accounts SET balance = balance + 5 WHERE id = {checking};",
        ("-40", "40", "0"),
    ),
    "UPDATE ... FROM": (
        "UPDATE accounts AS a SET balance = a.balance + v.amount"
        " FROM (VALUES ({food}, 1), ({checking}, 2)) AS v(id, amount) WHERE a.id = v.id;",
        ("-38", "41", "-3"),
    ),
    "MERGE": (
        "MERGE INTO accounts AS a USING (VALUES ({food}, 1), ({checking}, 2)) AS v(id, amount) ON a.id = v.id"
        " WHEN MATCHED THEN UPDATE SET balance = a.balance + v.amount;",
        ("-38", "41", "-3"),
    ),
    "ON CONFLICT DO UPDATE": (
        "INSERT INTO accounts (ledger_id, name, type, currency) VALUES ({ledger}, 'Assets:Checking', 'asset', 'EUR')"
        " ON CONFLICT (ledger_id, name, currency) DO UPDATE SET balance = accounts.balance + 9;",
        ("-31", "40", "-9"),
    ),
    "through a cursor": (
        "DECLARE c CURSOR FOR SELECT * FROM accounts WHERE id = {checking} FOR UPDATE; FETCH c;"
        "UPDATE accounts SET balance = balance + 3 WHERE CURRENT OF c;",
        ("-37", "40", "-3"),
    ),
    "beside a posting of the same account in one statement": (
        "WITH e AS ("
        + HEAD.rstrip(";")
        + "), p AS ("
        + lines(("{food}", 10), ("{checking}", -10)).rstrip(";")
        + ") UPDATE accounts SET balance = balance + 1 WHERE id = {checking};",
        ("-49", "50", "-1"),
    ),
    "before and after a posting": (
        "UPDATE accounts SET balance = balance + 1 WHERE id = {checking};"
        + PAIR
        + "UPDATE accounts SET balance = balance + 1 WHERE id = {checking};",
        ("-48", "50", "-2"),
    ),
    "in a savepoint that is kept": (
        "SAVEPOINT a; UPDATE accounts SET balance = balance + 1 WHERE id = {food}; RELEASE a;"
        "UPDATE accounts SET balance = balance + 1 WHERE id = {food};",
        ("-40", "42", "-2"),
    ),
    "in a savepoint that is undone": (
        "UPDATE accounts SET balance = balance + 1 WHERE id = {food}; SAVEPOINT a;"
        "UPDATE accounts SET balance = balance + 10 WHERE id = {food}; ROLLBACK TO a;",
        ("-40", "41", "-1"),
    ),
    "first in a savepoint that is undone": (
        "SAVEPOINT a; UPDATE accounts SET balance = balance + 10 WHERE id = {food}; ROLLBACK TO a;"
        "UPDATE accounts SET balance = balance + 1 WHERE id = {food};",
        ("-40", "41", "-1"),
    ),
    "settled at once": (
        "SET CONSTRAINTS ALL IMMEDIATE; UPDATE accounts SET balance = balance + 1 WHERE id = {food};"
        "UPDATE accounts SET balance = balance - 1 WHERE id = {checking};",
        ("-41", "41", "0"),
    ),
    "settled in between": (
        "UPDATE accounts SET balance = balance + 1 WHERE id = {food}; SET CONSTRAINTS ALL IMMEDIATE;"
        "SET CONSTRAINTS ALL DEFERRED; UPDATE accounts SET balance = balance + 1 WHERE id = {food};",
        ("-40", "42", "-2"),
    ),
    "settled in a savepoint that is undone": (
        "UPDATE accounts SET balance = balance + 1 WHERE id = {food}; SAVEPOINT a; SET CONSTRAINTS ALL IMMEDIATE;"
        "ROLLBACK TO a; UPDATE accounts SET balance = balance + 1 WHERE id = {food};",
        ("-40", "42", "-2"),
    ),
    "with a line of one's own in its entry": (
        "UPDATE accounts SET balance = balance + 5 WHERE id = {food};"
        "INSERT INTO postings (ledger_id, entry_id, line, account_id, date, currency, amount)"
        " SELECT ledger_id, id, 2, {checking}, date, 'EUR', -5 FROM journal_entries"
        " WHERE ledger_id = {ledger} AND kind = 'adjustment';",
        ("-45", "45", "0"),
    ),
    "with new limits that fit": (
        "UPDATE accounts SET balance = 500, minimum_balance = 500, maximum_balance = 500 WHERE id = {food};",
        ("-40", "500", "-460"),
    ),
    "by the sum of two floats": (
        "UPDATE accounts SET balance = balance + (float8 '0.1' + float8 '0.2') WHERE id = {food};",
        ("-40", "40.3", "-0.3"),
    ),
}


@pytest.mark.parametrize("name", RECORDED)
async def test_a_raw_update_is_recorded(victim: Victim, name: str) -> None:
    """Its postings are written, and what they lack is on the adjustments account."""
    sql, balances = RECORDED[name]

    await victim.run(sql)

    found = (*await victim.balances(), await victim.adjusted())
    assert found == tuple(Decimal(balance) for balance in balances)


async def test_a_transfer_is_one_clean_entry(victim: Victim) -> None:
    """Two UPDATEs of one transaction are an entry of two postings, without an adjustments account."""
    await victim.run(RECORDED["a transfer in two statements"][0])

    rows = await victim.db.fetch(
        "SELECT e.id, p.account_id, p.amount FROM journal_entries AS e JOIN postings AS p ON p.entry_id = e.id"
        " WHERE e.ledger_id = $1 AND e.kind = 'adjustment' ORDER BY p.line",
        victim.ledger.id,
    )
    assert [(row["account_id"], row["amount"]) for row in rows] == [(victim.checking, -5), (victim.food, 5)]
    assert len({row["id"] for row in rows}) == 1
    assert (
        await victim.fetchval("SELECT count(*) FROM accounts WHERE ledger_id = {ledger} AND purpose IS NOT NULL") == 0
    )


async def test_currencies_and_ledgers_are_adjusted_apart(victim: Victim) -> None:
    """One statement over two currencies and two ledgers makes an entry for each ledger, balanced in each currency."""
    await victim.run("UPDATE accounts SET balance = balance + 7 WHERE id IN ({food}, {yen}, {foreign});")

    rows = await victim.db.fetch(
        "SELECT ledger_id, currency, sum(amount), count(*) FROM postings WHERE entry_id IN"
        " (SELECT id FROM journal_entries WHERE kind = 'adjustment' AND ledger_id = ANY ($1))"
        " GROUP BY ledger_id, currency ORDER BY ledger_id, currency",
        [victim.ledger.id, victim.other_ledger.id],
    )
    assert [tuple(row)[1:] for row in rows] == [("EUR", 0, 2), ("JPY", 0, 2), ("EUR", 0, 2)]
    assert (await victim.db.verify(victim.other_ledger)).is_clean


async def test_an_account_of_the_users_is_taken_as_adjustments_account(victim: Victim) -> None:
    """Whoever has opened Equity:Adjustments already finds the adjustments there."""
    async with victim.db.unit_of_work(victim.ledger) as uow:
        mine = await uow.accounts.open("Equity:Adjustments", currency="EUR")

    await victim.run(RECORDED["a sum"][0])

    assert await victim.balance(mine.id) == -100


async def test_an_adjustments_account_that_lost_its_purpose_gets_it_back(victim: Victim) -> None:
    """Taking the purpose away makes it an account like any other, until the next adjustment."""
    await victim.run(RECORDED["a sum"][0])

    await victim.run(
        "UPDATE accounts SET purpose = NULL WHERE ledger_id = {ledger} AND purpose IS NOT NULL;"
        "UPDATE accounts SET balance = balance + 30 WHERE ledger_id = {ledger} AND name = 'Equity:Adjustments';"
    )

    assert await victim.adjusted() == -100


async def test_a_closed_adjustments_account_refuses_adjustments(victim: Victim) -> None:
    """At COMMIT, with the error of a closed account."""
    await victim.run(RECORDED["a sum"][0])
    await victim.run("UPDATE accounts SET closed_on = {day} WHERE ledger_id = {ledger} AND purpose = 'adjustments';")

    await assert_refused(victim, RECORDED["a sum"][0], AccountClosedError)


@pytest.mark.parametrize("isolation", ["read_committed", "repeatable_read", "serializable"])
async def test_adjusting_works_at_every_isolation_level(victim: Victim, isolation: str) -> None:
    """The guards see what their own transaction wrote, whatever its snapshot."""
    await victim.run(RECORDED["settled in between"][0], isolation=isolation)

    assert await victim.adjusted() == -2


async def test_an_inexact_float_is_refused(steady: Victim) -> None:
    """A Python float of 0.1 + 0.2 has seventeen decimals."""
    with pytest.raises(AmountError):
        await steady.db.execute("UPDATE accounts SET balance = balance + $1 WHERE id = $2", 0.1 + 0.2, steady.food)


async def test_an_exact_float_passes(victim: Victim) -> None:
    """What people type on the raw lane."""
    await victim.db.execute("UPDATE accounts SET balance = balance + $1 WHERE id = $2", 100.00, victim.food)

    assert await victim.balance(victim.food) == 140


async def test_core_records_an_adjustment(victim: Victim) -> None:
    """SQLAlchemy's UPDATE is no other than a raw one."""
    async with victim.db.unit_of_work(victim.ledger) as uow:
        statement = update(Account).where(Account.id == victim.food).values(balance=Account.balance + 2)
        await uow.session.execute(statement)

    assert (await victim.balance(victim.food), await victim.adjusted()) == (42, -2)


async def test_executemany_makes_one_entry(victim: Victim) -> None:
    """Each row is a statement; all are one transaction."""
    async with victim.driver() as driver:
        await driver.executemany(
            "UPDATE accounts SET balance = balance + $2 WHERE id = $1",
            [(victim.food, Decimal(1)), (victim.checking, Decimal(2)), (victim.food, Decimal(3))],
        )

    assert (await victim.balances(), await victim.adjusted()) == ((-38, 44), -6)
    assert (
        await victim.fetchval("SELECT count(*) FROM journal_entries WHERE ledger_id = {ledger} AND kind = 'adjustment'")
        == 1
    )
