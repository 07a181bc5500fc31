"""What is committed or derived is not written to by hand, and an account keeps what it is."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, update

from finance import FinanceError, JournalEntry, Posting
from finance.errors import (
    AccountClosedError,
    AccountNotFoundError,
    AlreadyReversedError,
    AmountError,
    BalanceLimitError,
    CurrencyError,
    InvalidError,
    PeriodClosedError,
    SealedError,
    UnbalancedEntryError,
)
from tests.attacks.victim import HEAD, PAIR, Victim, lines

_THIS = "ledger_id = {ledger} AND entry_id = {entry}"
_FORGE = "SELECT set_config('finance.applying', 'books', false), set_config('finance.applying', 'adjustment', true);"

REFUSED: dict[str, tuple[str, type[FinanceError]]] = {
    # committed entries
    "a line joins a committed entry": (lines(("{food}", 1), first=3, entry="{entry}"), SealedError),
    "two lines join a committed entry": (
        lines(("{food}", 1), ("{checking}", -1), first=3, entry="{entry}"),
        SealedError,
    ),
    "amount changes": (f"UPDATE postings SET amount = amount * 2 WHERE {_THIS};", SealedError),
    "account changes": (f"UPDATE postings SET account_id = {{capped}} WHERE {_THIS};", SealedError),
    "date changes": (f"UPDATE postings SET date = date - 1 WHERE {_THIS};", SealedError),
    "currency changes": (f"UPDATE postings SET currency = 'JPY' WHERE {_THIS};", SealedError),
    "a line moves to another entry": (
        PAIR + f"UPDATE postings SET entry_id = {{new}}, line = 9 WHERE {_THIS};",
        SealedError,
    ),
    "an own line of the same transaction changes": (
        PAIR + "UPDATE postings SET amount = 11 WHERE entry_id = {new} AND line = 1;",
        SealedError,
    ),
    "entry's date changes": ("UPDATE journal_entries SET date = date - 1 WHERE id = {entry};", SealedError),
    "entry's transaction is forged": (
        "UPDATE journal_entries SET recorded_xid = pg_current_xact_id()::text::bigint WHERE id = {entry};",
        SealedError,
    ),
    "entry with a forged transaction": (
        "INSERT INTO journal_entries (ledger_id, id, date, recorded_xid) VALUES ({ledger}, {new}, {day}, 1);",
        SealedError,
    ),
    "entry with a forged instant": (
        "INSERT INTO journal_entries (ledger_id, id, date, recorded_at) VALUES ({ledger}, {new}, {day}, 'epoch');",
        SealedError,
    ),
    "entry of kind adjustment": (
        "INSERT INTO journal_entries (ledger_id, id, date, kind) VALUES ({ledger}, {new}, {day}, 'adjustment');",
        SealedError,
    ),
    "postings deleted": (f"DELETE FROM postings WHERE {_THIS};", SealedError),
    "entry deleted": ("DELETE FROM journal_entries WHERE id = {entry};", SealedError),
    "postings truncated": ("TRUNCATE postings;", SealedError),
    "entries truncated": ("TRUNCATE journal_entries CASCADE;", SealedError),
    "everything truncated": ("TRUNCATE ledgers CASCADE;", SealedError),
    "upsert of a posting": (
        lines(("{food}", 1), entry="{entry}").rstrip(";")
        + " ON CONFLICT (ledger_id, entry_id, line) DO UPDATE SET amount = 99;",
        SealedError,
    ),
    "merge into postings": (
        f"MERGE INTO postings AS p USING (SELECT 1) AS s ON {_THIS.replace('ledger_id', 'p.ledger_id')}"
        " WHEN MATCHED THEN UPDATE SET amount = 99;",
        SealedError,
    ),
    # derived
    "monthly totals updated": ("UPDATE monthly_totals SET debit = debit + 1 WHERE ledger_id = {ledger};", SealedError),
    "monthly totals inserted": (
        "INSERT INTO monthly_totals VALUES ({ledger}, {food}, '2020-01-01', 1, 1, 1);",
        SealedError,
    ),
    "monthly totals deleted": ("DELETE FROM monthly_totals WHERE ledger_id = {ledger};", SealedError),
    "monthly totals truncated": ("TRUNCATE monthly_totals;", SealedError),
    "monthly totals after forging the setting": (
        _FORGE + "UPDATE monthly_totals SET debit = debit + 1 WHERE ledger_id = {ledger};",
        SealedError,
    ),
    "half an entry, and the queue deleted": (
        HEAD + lines(("{food}", 10)) + "DELETE FROM unsettled WHERE ledger_id = {ledger};",
        SealedError,
    ),
    "half an entry, and the queue truncated": (HEAD + lines(("{food}", 10)) + "TRUNCATE unsettled;", FinanceError),
    "half an entry, and the queue deleted with a forged setting": (
        HEAD + lines(("{food}", 10)) + _FORGE + "DELETE FROM unsettled WHERE ledger_id = {ledger};",
        SealedError,
    ),
    "half an entry with a forged setting": (_FORGE + HEAD + lines(("{food}", 10)), UnbalancedEntryError),
    "half an entry, checked at once": (
        "SET CONSTRAINTS ALL IMMEDIATE;" + HEAD + lines(("{food}", 10)),
        UnbalancedEntryError,
    ),
    "a pair, checked, then half a pair": (
        PAIR + "SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED;" + lines(("{food}", 10), first=3),
        UnbalancedEntryError,
    ),
    "half an entry kept by a savepoint": (
        HEAD
        + lines(("{food}", 10))
        + "SAVEPOINT s;"
        + lines(("{checking}", -10), first=2)
        + "ROLLBACK TO SAVEPOINT s; RELEASE SAVEPOINT s;",
        UnbalancedEntryError,
    ),
    # what a posting may say
    "amount zero": (HEAD + lines(("{food}", 0), ("{checking}", 0)), AmountError),
    "amount NaN": (HEAD + lines(("{food}", "'NaN'"), ("{checking}", "'NaN'")), AmountError),
    "amount Infinity": (HEAD + lines(("{food}", "'Infinity'"), ("{checking}", "'-Infinity'")), AmountError),
    "amount too large": (HEAD + lines(("{food}", "1e24"), ("{checking}", "-1e24")), AmountError),
    "amount of 131,072 digits": (HEAD + lines(("{food}", "1E+131071"), ("{checking}", "-1E+131071")), AmountError),
    "amount too fine": (HEAD + lines(("{food}", "0.001"), ("{checking}", "-0.001")), AmountError),
    "amounts too fine whose sum is not": (
        HEAD + lines(("{food}", "0.005"), ("{food}", "0.005"), ("{checking}", "-0.01")),
        AmountError,
    ),
    "half a yen": (HEAD + lines(("{yen}", "0.5"), ("{yen}", "-0.5"), currency="'JPY'"), AmountError),
    "account of another ledger": (HEAD + lines(("{food}", 1), ("{foreign}", -1)), AccountNotFoundError),
    "unknown account": (HEAD + lines(("{food}", 1), (987654321, -1)), AccountNotFoundError),
    "closed account": (HEAD + lines(("{food}", 1), ("{closed}", -1)), AccountClosedError),
    "closed account, dated before": (
        (HEAD + lines(("{food}", 1), ("{closed}", -1))).replace("{day}", "date '2020-01-01'"),
        AccountClosedError,
    ),
    "other currency than the account's": (
        HEAD + lines(("{food}", 1), ("{checking}", -1), currency="'JPY'"),
        CurrencyError,
    ),
    "other date than the entry's": (
        HEAD + lines(("{food}", 1), ("{checking}", -1), day="date '2020-01-01'"),
        InvalidError,
    ),
    "infinite date": (
        (HEAD + lines(("{food}", 1), ("{checking}", -1))).replace("{day}", "date 'infinity'"),
        InvalidError,
    ),
    "below the minimum": (HEAD + lines(("{food}", 1), ("{capped}", -1)), BalanceLimitError),
    "above the maximum": (HEAD + lines(("{capped}", "1000.01"), ("{food}", "-1000.01")), BalanceLimitError),
    "in a closed period": (
        "UPDATE ledgers SET closed_through = {day} WHERE id = {ledger};" + PAIR,
        PeriodClosedError,
    ),
    "reversed twice": (
        PAIR.replace("id, date)", "id, date, kind, reverses_id)").replace("{day});", "{day}, 'reversal', {entry});", 1)
        + PAIR.replace("{new}", "{new2}")
        .replace("id, date)", "id, date, kind, reverses_id)")
        .replace("{day});", "{day}, 'reversal', {entry});", 1),
        AlreadyReversedError,
    ),
    # accounts
    "account with a balance": (
        "INSERT INTO accounts (ledger_id, name, type, currency, balance) VALUES ({ledger}, 'Assets:X', 'asset', 'EUR', 5);",
        SealedError,
    ),
    "account with an id of its own": (
        "INSERT INTO accounts (ledger_id, id, name, type, currency) OVERRIDING SYSTEM VALUE"
        " VALUES ({ledger}, 987654321, 'Assets:X', 'asset', 'EUR');",
        SealedError,
    ),
    "account's currency changes": ("UPDATE accounts SET currency = 'JPY' WHERE id = {food};", SealedError),
    "account's ledger changes": ("UPDATE accounts SET ledger_id = {other} WHERE id = {food};", SealedError),
    "account's id changes": ("UPDATE accounts SET id = 987654321 WHERE id = {food};", SealedError),
    "account's id is drawn anew": ("UPDATE accounts SET id = DEFAULT WHERE id = {food};", SealedError),
    "account with postings deleted": ("DELETE FROM accounts WHERE id = {food};", SealedError),
    "accounts truncated": ("TRUNCATE accounts CASCADE;", SealedError),
    "upsert of a balance below the minimum": (
        "INSERT INTO accounts (ledger_id, name, type, currency) VALUES ({ledger}, 'Assets:Capped', 'asset', 'EUR')"
        " ON CONFLICT (ledger_id, name, currency) DO UPDATE SET balance = -1;",
        BalanceLimitError,
    ),
    "currency's decimals shrink": ("UPDATE currencies SET exponent = 0 WHERE ledger_id = {ledger};", SealedError),
    "currency in use deleted": ("DELETE FROM currencies WHERE ledger_id = {ledger};", FinanceError),
    "ledger with books deleted": ("DELETE FROM ledgers WHERE id = {ledger};", FinanceError),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_direct_write_is_refused(victim: Victim, name: str) -> None:
    """Whoever writes it, as whatever statement: it is refused with its own error, and nothing has changed."""
    attack, error = REFUSED[name]
    before = await victim.state()

    with pytest.raises(error):
        await victim.run(attack)

    assert await victim.state() == before


async def test_a_line_is_refused_even_after_a_savepoint(victim: Victim) -> None:
    """An entry that was written in a savepoint is still of this transaction, and may get its second half."""
    await victim.run(
        HEAD.replace("INSERT", "SAVEPOINT s; INSERT", 1)
        + "RELEASE SAVEPOINT s;"
        + lines(("{food}", 10), ("{checking}", -10))
    )

    assert await victim.balances() == (-50, 50)


async def test_a_temporary_table_does_not_stand_in_for_ours(victim: Victim) -> None:
    """The guards pin their search path, and temporary tables come last in it."""
    shadow = "CREATE TEMP TABLE accounts (LIKE public.accounts) ON COMMIT DROP; CREATE TEMP TABLE unsettled (x int) ON COMMIT DROP;"

    with pytest.raises(UnbalancedEntryError):
        await victim.run(shadow + HEAD + lines(("{food}", 10)))
    await victim.run(shadow + PAIR)

    assert await victim.balances() == (-50, 50)


async def test_a_hostile_search_path_changes_nothing(victim: Victim) -> None:
    """Somebody else's tables of the same names are not found by the guards."""
    hostile = (
        "CREATE SCHEMA hostile; CREATE TABLE hostile.unsettled (ledger_id bigint, id bigint, entry_id uuid, adjustment bool);"
        "SET LOCAL search_path = hostile, public;"
    )

    with pytest.raises(UnbalancedEntryError):
        await victim.run(hostile + HEAD + lines(("{food}", 10)))


@pytest.mark.parametrize(
    "statement",
    [
        update(Posting).values(amount=1),
        delete(Posting),
        update(JournalEntry).values(description="changed"),
        delete(JournalEntry),
    ],
    ids=str,
)
async def test_core_statements_are_refused(victim: Victim, statement: object) -> None:
    """SQLAlchemy's bulk statements meet the same guards, and the unit of work tells the same error."""
    before = await victim.state()

    with pytest.raises(SealedError):
        async with victim.db.unit_of_work(victim.ledger) as uow:
            await uow.session.execute(statement)  # type: ignore[call-overload]

    assert await victim.state() == before


async def test_a_stale_account_is_not_written(victim: Victim) -> None:
    """An account that somebody renamed meanwhile is stale; one that was merely posted to is not."""
    from finance import Account  # noqa: PLC0415
    from finance.errors import StaleVersionError  # noqa: PLC0415

    async with victim.db.unit_of_work(victim.ledger) as uow:
        account = await uow.accounts.get_one(victim.food)
        async with victim.db.unit_of_work(victim.ledger) as other:
            await other.journal.post(victim.new_entry())
        account.details = {"note": "posted to meanwhile"}
    async with victim.db.unit_of_work(victim.ledger) as uow:
        account = await uow.accounts.get_one(victim.food)
        async with victim.db.unit_of_work(victim.ledger) as other:
            await other.accounts.update(victim.food, name="Expenses:Meals")

    with pytest.raises(StaleVersionError):
        async with victim.db.unit_of_work(victim.ledger) as uow:
            mine = await uow.session.merge(account)
            assert isinstance(mine, Account)
            mine.details = {"note": "stale"}


async def test_the_orm_does_not_set_a_balance(victim: Victim) -> None:
    """The mapped balance is read-only: an assignment is refused before it is sent."""
    async with victim.db.unit_of_work(victim.ledger) as uow:
        account = await uow.accounts.get_one(victim.food)

        with pytest.raises(SealedError):
            account.balance = account.balance + 1
