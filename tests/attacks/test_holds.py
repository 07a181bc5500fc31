"""Holds by raw SQL: reserved by the rules of a posting, closed once, settled by no other way than an entry."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import delete, insert, update

from finance import Account, FinanceError, Hold, NewEntry, NewHold, NewPosting, Retry
from finance.database.transactions import Isolation
from finance.errors import (
    AccountClosedError,
    AccountHeldError,
    AccountNotFoundError,
    AlreadyExistsError,
    AmountError,
    BalanceLimitError,
    CurrencyError,
    HoldClosedError,
    HoldExceededError,
    HoldExpiredError,
    HoldNotFoundError,
    InvalidError,
    SealedError,
    UnbalancedEntryError,
)
from tests.attacks.test_postings import REVERSAL
from tests.attacks.victim import HEAD, PAIR, Victim, assert_refused, lines, refused
from tests.factories import TODAY, entry
from tests.test_corrections import outcomes


def _hold(account: str = "{food}", amount: object = 5, more: str = "", values: str = "", *, id: str = "{new}") -> str:  # noqa: A002 - the field's word
    return (
        f"INSERT INTO holds (ledger_id, id, account_id, amount, currency{more})"
        f" VALUES ({{ledger}}, {id}, {account}, {amount}, 'EUR'{values});"
    )


#: The first statement of an entry that settles the hold `{new}`, and the second.
_SETTLING = "INSERT INTO journal_entries (ledger_id, id, date, settles_id) VALUES ({ledger}, {new2}, {day}, {new});"
_TAKING = lines(("{food}", -5), ("{checking}", 5), entry="{new2}")
_MINE = (
    "CREATE FUNCTION pg_temp.mine() RETURNS trigger LANGUAGE plpgsql AS $t$ BEGIN {body} RETURN NEW; END $t$;"
    "CREATE TEMP TABLE mine (id bigint) ON COMMIT DROP;"
    "CREATE TRIGGER mine AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION pg_temp.mine();"
    "INSERT INTO mine VALUES (1);"
)
_FORGED = "PERFORM set_config('finance.applying', 'books 1', true);"

REFUSED: dict[str, tuple[str, type[FinanceError]]] = {
    # what is held
    "UPDATE of held": ("UPDATE accounts SET held = 1 WHERE id = {food};", SealedError),
    "UPDATE of held and of the balance": (
        "UPDATE accounts SET held = held + 1, balance = balance + 1 WHERE id = {food};",
        SealedError,
    ),
    "UPDATE of held with the setting": (
        "SET LOCAL finance.applying = 'books 0'; UPDATE accounts SET held = 1 WHERE id = {food};",
        SealedError,
    ),
    "UPDATE of held to NaN": ("UPDATE accounts SET held = 'NaN' WHERE id = {food};", AmountError),
    "UPDATE of held below zero": ("UPDATE accounts SET held = -1 WHERE id = {food};", AmountError),
    "INSERT of an account with something held": (
        "INSERT INTO accounts (ledger_id, name, type, currency, held) VALUES ({ledger}, 'H', 'asset', 'EUR', 1);",
        SealedError,
    ),
    "a call of move_held": ("SELECT move_held({ledger}, ARRAY[{food}]::bigint[], ARRAY[5]);", SealedError),
    # placing
    "of zero": (_hold(amount=0), AmountError),
    "below zero": (_hold(amount=-5), AmountError),
    "of NaN": (_hold(amount="'NaN'"), AmountError),
    "of infinity": (_hold(amount="'Infinity'"), AmountError),
    "of too much": (_hold(amount="1e24"), AmountError),
    "that is too fine": (_hold(amount="0.001"), AmountError),
    "in another currency": (_hold().replace("'EUR'", "'JPY'"), CurrencyError),
    "in a currency that is not there": (_hold().replace("'EUR'", "'XXX'"), CurrencyError),
    "on no account": (_hold(account="0"), AccountNotFoundError),
    "on an account of another ledger": (_hold(account="{foreign}"), AccountNotFoundError),
    "on a closed account": (_hold(account="{closed}"), AccountClosedError),
    "on more than there is": (_hold(account="{capped}"), BalanceLimitError),
    "in sum on more than there is": (
        lines(("{capped}", 8), ("{checking}", -8)).join([HEAD, ""])
        + "INSERT INTO holds (ledger_id, id, account_id, amount, currency)"
        " SELECT {ledger}, gen_random_uuid(), {capped}, 3, 'EUR' FROM generate_series(1, 3);",
        BalanceLimitError,
    ),
    "that is over": (_hold(more=", expires_at", values=", now() - interval '1 s'"), InvalidError),
    "that expires now": (_hold(more=", expires_at", values=", now()"), InvalidError),
    "until infinity": (_hold(more=", expires_at", values=", 'infinity'"), InvalidError),
    "that is released": (_hold(more=", status, closed_at", values=", 'released', now()"), SealedError),
    "that is settled": (
        _hold(
            more=", status, closed_at, entry_id, settled_amount",
            values=", 'settled', now(), {entry}, 5",
        ),
        SealedError,
    ),
    "of another status": (_hold(more=", status", values=", 'paid'"), InvalidError),
    "that names an entry": (_hold(more=", entry_id", values=", {entry}"), InvalidError),
    "placed before": (_hold(more=", placed_at", values=", now() - interval '1 day'"), SealedError),
    "placed later": (_hold(more=", placed_at", values=", now() + interval '1 day'"), SealedError),
    "twice": (_hold() + _hold(), AlreadyExistsError),
    "or else changed": (
        _hold() + _hold().rstrip(";") + " ON CONFLICT (ledger_id, id) DO UPDATE SET amount = 6;",
        SealedError,
    ),
    # changing
    **{
        f"changed in {column}": (_hold() + f"UPDATE holds SET {column} = {value} WHERE id = {{new}};", error)
        for column, (value, error) in {
            "ledger_id": ("{other}", SealedError),
            "id": ("{new2}", SealedError),
            "account_id": ("{checking}", SealedError),
            "amount": ("amount - 1", SealedError),
            "currency": ("'JPY'", SealedError),
            "description": ("'x'", SealedError),
            "expires_at": ("now() + interval '1 s'", SealedError),
            "placed_at": ("now() - interval '1 s'", SealedError),
            "placed_by": ("'x'", SealedError),
        }.items()
    },
    "changed in its scale": (_hold() + "UPDATE holds SET amount = 5.00 WHERE id = {new};", SealedError),
    "changed while it is released": (
        _hold() + "UPDATE holds SET amount = 1, status = 'released' WHERE id = {new};",
        SealedError,
    ),
    "expired before its time": (
        _hold(more=", expires_at", values=", now() + interval '1 hour'")
        + "UPDATE holds SET status = 'expired' WHERE id = {new};",
        InvalidError,
    ),
    "expired without a time": (_hold() + "UPDATE holds SET status = 'expired' WHERE id = {new};", InvalidError),
    "opened again": (
        _hold() + "UPDATE holds SET status = 'released' WHERE id = {new};"
        "UPDATE holds SET status = 'open', closed_at = NULL WHERE id = {new};",
        SealedError,
    ),
    "released, then expired": (
        _hold() + "UPDATE holds SET status = 'released' WHERE id = {new};"
        "UPDATE holds SET status = 'expired' WHERE id = {new};",
        HoldClosedError,
    ),
    "closed at another instant": (
        _hold() + "UPDATE holds SET status = 'released' WHERE id = {new};"
        "UPDATE holds SET closed_at = closed_at - interval '1 day' WHERE id = {new};",
        HoldClosedError,
    ),
    "changed by MERGE": (
        _hold() + "MERGE INTO holds AS h USING (SELECT 1) AS v ON h.id = {new}"
        " WHEN MATCHED THEN UPDATE SET amount = 1;",
        SealedError,
    ),
    "deleted": (_hold() + "DELETE FROM holds WHERE id = {new};", SealedError),
    "deleted by MERGE": (
        _hold() + "MERGE INTO holds AS h USING (SELECT 1) AS v ON h.id = {new} WHEN MATCHED THEN DELETE;",
        SealedError,
    ),
    # settling
    "settled by UPDATE with an entry of another transaction": (
        _hold() + "UPDATE holds SET status = 'settled', entry_id = {entry}, settled_amount = 5 WHERE id = {new};",
        SealedError,
    ),
    "settled by UPDATE with an entry of this transaction": (
        _hold()
        + PAIR.replace("{new}", "{new2}")
        + "UPDATE holds SET status = 'settled', entry_id = {new2}, settled_amount = 5 WHERE id = {new};",
        SealedError,
    ),
    "settled by a call": (
        _hold()
        + "SELECT settle_holds({ledger}, ARRAY[{new}]::uuid[], ARRAY[{entry}]::uuid[], ARRAY[{food}]::bigint[]);",
        SealedError,
    ),
    "settled below a trigger of one's own": (
        _hold()
        + _MINE.replace(
            "{body}",
            _FORGED + "UPDATE holds SET status = 'settled', entry_id = {entry}, settled_amount = 5 WHERE id = {new};",
        ),
        SealedError,
    ),
    "settled by an entry that was there": (
        _hold() + "UPDATE journal_entries SET settles_id = {new} WHERE id = {entry};",
        SealedError,
    ),
    "settled by more": (_hold() + _SETTLING + _TAKING.replace("5", "6"), HoldExceededError),
    "settled by nothing": (
        _hold() + _SETTLING + lines(("{yen}", -5), ("{yen}", 5), entry="{new2}", currency="'JPY'"),
        HoldExceededError,
    ),
    "settled by a debit": (
        _hold() + _SETTLING + lines(("{food}", 5), ("{checking}", -5), entry="{new2}"),
        HoldExceededError,
    ),
    "settled by an entry without postings": (_hold() + _SETTLING, UnbalancedEntryError),
    "settled by more once it was looked at": (
        _hold()
        + _SETTLING
        + _TAKING
        + "SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED;"
        + lines(("{food}", -1), ("{checking}", 1), first=3, entry="{new2}"),
        HoldExceededError,
    ),
    "settled by less than nothing once it was looked at": (
        _hold()
        + _SETTLING
        + _TAKING
        + "SET CONSTRAINTS ALL IMMEDIATE;"
        + lines(("{food}", 9), ("{checking}", -9), first=3, entry="{new2}"),
        HoldExceededError,
    ),
    "settled twice": (
        _hold() + _SETTLING + _TAKING + _SETTLING.replace("{new2}", "gen_random_uuid()"),
        HoldClosedError,
    ),
    "settled twice in one statement": (
        _hold() + "INSERT INTO journal_entries (ledger_id, id, date, settles_id)"
        " SELECT {ledger}, gen_random_uuid(), {day}, {new} FROM generate_series(1, 2);",
        HoldClosedError,
    ),
    "settled after it was released": (
        _hold() + "UPDATE holds SET status = 'released' WHERE id = {new};" + _SETTLING + _TAKING,
        HoldClosedError,
    ),
    "settled after its time": (
        _hold(more=", expires_at", values=", clock_timestamp() + interval '50 ms'")
        + "SELECT pg_sleep(0.06);"
        + _SETTLING
        + _TAKING,
        HoldExpiredError,
    ),
    "settled but not there": (_SETTLING + _TAKING, HoldNotFoundError),
    "settled by a reversal": (
        _hold()
        + REVERSAL.replace("reverses_id)", "reverses_id, settles_id)")
        .replace("{entry})", "{entry}, {new})")
        .replace("{new}, {day}", "{new2}, {day}"),
        InvalidError,
    ),
    "settled for more than was counted": (
        _hold() + _SETTLING + _TAKING + "SET CONSTRAINTS ALL IMMEDIATE;"
        "UPDATE holds SET settled_amount = 1 WHERE id = {new};",
        HoldClosedError,
    ),
    # the account
    "an account that is closed with a hold": (
        _hold() + "UPDATE accounts SET closed_on = {day} WHERE id = {food};",
        AccountHeldError,
    ),
    "an account that is deleted with a hold": (
        _hold(account="{yen}").replace("'EUR'", "'JPY'")
        + "UPDATE holds SET status = 'released' WHERE id = {new}; DELETE FROM accounts WHERE id = {yen};",
        SealedError,
    ),
    "a balance set below what is held": (
        lines(("{capped}", 8), ("{checking}", -8)).join([HEAD, ""])
        + _hold(account="{capped}", id="{new2}")
        + "UPDATE accounts SET balance = balance - 4 WHERE id = {capped};",
        BalanceLimitError,
    ),
}


@pytest.mark.direct("one of them makes a function of the session")
@pytest.mark.parametrize("name", REFUSED)
async def test_no_hold_breaks_the_rules(steady: Victim, name: str) -> None:
    """Whoever writes it, and however."""
    await assert_refused(steady, *REFUSED[name])


async def _held(victim: Victim, account: int) -> Decimal | int:
    value: Decimal = await victim.db.fetchval("SELECT held FROM accounts WHERE id = $1", account)
    return value


ACCEPTED: dict[str, tuple[str, int, int]] = {
    "placed": (_hold(), 5, 40),
    "placed and released": (_hold() + "UPDATE holds SET status = 'released' WHERE id = {new};", 0, 40),
    "settled": (_hold() + _SETTLING + _TAKING, 0, 35),
    "settled in one statement": (
        _hold() + "WITH e AS (INSERT INTO journal_entries (ledger_id, id, date, settles_id)"
        " VALUES ({ledger}, {new2}, {day}, {new}) RETURNING *)"
        " INSERT INTO postings (ledger_id, entry_id, line, account_id, date, currency, amount)"
        " SELECT e.ledger_id, e.id, l.line, l.account, e.date, 'EUR', l.amount"
        " FROM e, (VALUES (1, {food}, -5), (2, {checking}, 5)) AS l(line, account, amount);",
        0,
        35,
    ),
    "settled in parts, line by line": (
        _hold()
        + _SETTLING
        + lines(("{food}", -9), entry="{new2}")
        + lines(("{checking}", 3), first=2, entry="{new2}")
        + lines(("{food}", 6), first=3, entry="{new2}"),
        0,
        37,
    ),
    "settled in a savepoint that is undone, and again": (
        _hold() + "SAVEPOINT a;" + _SETTLING + _TAKING + "ROLLBACK TO a;" + _SETTLING + _TAKING,
        0,
        35,
    ),
    "many released in one statement": (
        "INSERT INTO holds (ledger_id, id, account_id, amount, currency)"
        " SELECT {ledger}, gen_random_uuid(), a.id, 1, 'EUR' FROM generate_series(1, 50),"
        " (VALUES ({food}), ({checking})) AS a(id);"
        "UPDATE holds SET status = 'released' WHERE ledger_id = {ledger};",
        0,
        40,
    ),
    "left as it is": (_hold() + "UPDATE holds SET amount = amount, status = status WHERE id = {new};", 5, 40),
}


@pytest.mark.parametrize("name", ACCEPTED)
async def test_holds_by_hand_are_counted(victim: Victim, name: str) -> None:
    """Plain SQL does what the repository does."""
    sql, held, balance = ACCEPTED[name]

    await victim.run(sql)

    assert (await _held(victim, victim.food), await victim.balance(victim.food)) == (held, balance)


@pytest.mark.owners("COPY FROM is not for tables with row-level security")
async def test_executemany_copy_and_core_are_counted(victim: Victim) -> None:
    """Each row of an executemany, each batch of a COPY, a statement of Core, a flush of the ORM."""
    columns = ("ledger_id", "id", "account_id", "amount", "currency")

    def rows(count: int) -> list[tuple[Any, ...]]:
        return [(victim.ledger.id, uuid4(), victim.food, Decimal(1), "EUR") for _ in range(count)]

    async with victim.driver() as driver:
        await driver.executemany(
            "INSERT INTO holds (ledger_id, id, account_id, amount, currency) VALUES ($1, $2, $3, $4, $5)", rows(20)
        )
        await driver.copy_records_to_table("holds", records=rows(2000), columns=columns)
    async with victim.db.unit_of_work(victim.ledger) as uow:
        await uow.session.execute(insert(Hold), [dict(zip(columns, row, strict=True)) for row in rows(30)])
        await uow.holds.add(Hold(id=uuid4(), account_id=victim.food, amount=Decimal(1), currency="EUR"))

    assert await _held(victim, victim.food) == 2051
    assert await victim.balance(victim.food) == 40


async def test_core_cannot_change_a_hold(victim: Victim) -> None:
    """Nor what is held."""
    await victim.run(_hold())
    for statement in (
        update(Hold).where(Hold.id == victim.new).values(amount=1),
        delete(Hold).where(Hold.id == victim.new),
        update(Account).where(Account.id == victim.food).values(held=1),
    ):
        with refused(victim, SealedError):
            async with victim.db.unit_of_work(victim.ledger) as uow:
                await uow.session.execute(statement)


async def test_a_hold_that_is_over_is_released_for_a_posting(victim: Victim) -> None:
    """The guard marks it before the limit is looked at, in whatever statement posts."""
    await victim.run(HEAD + lines(("{capped}", 10), ("{checking}", -10)))
    await victim.run(
        _hold(account="{capped}", amount=10, id="{new2}", more=", expires_at", values=", now() + interval '300 ms'")
    )
    spend = (
        "WITH e AS (INSERT INTO journal_entries (ledger_id, id, date) VALUES ({ledger}, gen_random_uuid(), {day})"
        " RETURNING *) INSERT INTO postings (ledger_id, entry_id, line, account_id, date, currency, amount)"
        " SELECT e.ledger_id, e.id, l.line, l.account, e.date, 'EUR', l.amount"
        " FROM e, (VALUES (1, {food}, 10), (2, {capped}, -10)) AS l(line, account, amount);"
    )
    with pytest.raises(BalanceLimitError):
        await victim.run(spend)
    await asyncio.sleep(0.35)

    await victim.run(spend)

    assert (await victim.balance(victim.capped), await _held(victim, victim.capped)) == (0, 0)
    assert await victim.fetchval("SELECT status FROM holds WHERE id = {new2}") == "expired"


# --- at once -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("isolation", ["read_committed", "repeatable_read", "serializable"])
async def test_fifty_at_once_hold_and_take_what_there_is(victim: Victim, isolation: Isolation) -> None:
    """Half of them place holds and half of them post, 10 each of 100: ten get it."""
    await victim.run(HEAD + lines(("{capped}", 100), ("{checking}", -100)))
    count = 50 if isolation == "read_committed" else 14

    async def take(number: int) -> None:
        async def work(uow: Any) -> None:
            if number % 2:
                await uow.holds.place(NewHold(victim.capped, 10))
            else:
                await uow.journal.post(entry(victim.food, victim.capped, 10))

        await victim.db.run(work, ledger=victim.ledger, isolation=isolation, retry=Retry(attempts=60))

    done, errors = await outcomes(*(take(number) for number in range(count)))

    assert (len(done), errors) == (10, {"BalanceLimitError": count - 10})
    assert await victim.balance(victim.capped) == await _held(victim, victim.capped)


_MANY = """
INSERT INTO holds (ledger_id, id, account_id, amount, currency, expires_at)
SELECT $1, gen_random_uuid(), a, 1, 'EUR', clock_timestamp() + interval '20 s' FROM unnest($2::bigint[]) AS a
"""


async def test_holders_and_posters_in_random_orders_do_not_deadlock(victim: Victim) -> None:
    """Place, settle, release, sweep and post on four accounts, several in one statement, in any order."""
    seed = random.randrange(2**32)
    accounts = [victim.checking, victim.food, victim.capped]
    await victim.db.execute("UPDATE accounts SET minimum_balance = NULL WHERE id = $1", victim.capped)
    counts: Counter[str] = Counter()

    async def run(verb: str, a: int, b: int, hold: NewHold) -> None:
        async with victim.db.unit_of_work(victim.ledger) as uow:
            match verb:
                case "place":
                    await uow.holds.place(hold)
                case "place many":
                    await uow.connection.execute(_MANY, victim.ledger.id, [a, b, a])
                case "settle":
                    await uow.holds.settle(hold.id, entry(b, a, 1))
                case "release":
                    await uow.holds.release(hold.id)
                case "expire":
                    await uow.holds.expire()
                case "post":
                    await uow.journal.post(entry(a, b, 1))

    async def worker(number: int) -> None:
        rng = random.Random(seed + number)
        for _ in range(25):
            a, b = rng.sample(accounts, 2)
            hold = NewHold(a, 2)
            verb = rng.choice(["place many", "settle", "release", "expire", "post"])
            counts[verb] += 1
            if verb in {"settle", "release"}:  # in a transaction of its own: one locks in order once
                await run("place", a, b, hold)
            await run(verb, a, b, hold)

    _, errors = await outcomes(*(worker(number) for number in range(16)))

    assert not errors, f"seed {seed}"
    assert len(counts) == 5


async def test_a_releaser_by_hand_and_a_poster_do_not_deadlock(victim: Victim) -> None:
    """The one has locked the hold and waits for the account; the other has the account and passes the hold over."""
    await victim.run(_hold(more=", expires_at", values=", now() + interval '100 ms'"))
    await asyncio.sleep(0.15)
    locked = asyncio.Event()

    async def post() -> None:
        async with victim.db.transaction() as conn:
            await conn.execute("SELECT FROM accounts WHERE id = $1 FOR NO KEY UPDATE", victim.food)
            locked.set()
            await asyncio.sleep(0.2)
            await conn.execute(victim.sql(PAIR.replace("{new}", "{new2}")))

    async def release() -> None:
        await locked.wait()
        await victim.db.execute("UPDATE holds SET status = 'released' WHERE id = $1", victim.new)

    _, errors = await outcomes(post(), release())

    assert not errors
    assert await _held(victim, victim.food) == 0
    assert await victim.fetchval("SELECT status FROM holds WHERE id = {new}") == "released"


async def test_a_hold_by_hand_is_settled_once_at_once(victim: Victim) -> None:
    """Of twelve entries that name it, one is stored."""
    await victim.run(_hold())

    async def settle() -> None:
        spent = NewEntry(
            TODAY, "", [NewPosting(victim.food, -5), NewPosting(victim.checking, 5)], settles_id=victim.new
        )
        async with victim.db.unit_of_work(victim.ledger) as uow:
            await uow.journal.post(spent)

    done, errors = await outcomes(*(settle() for _ in range(12)))

    assert (len(done), errors) == (1, {"HoldClosedError": 11})
    assert await victim.balances() == (-35, 35)
