"""What an application tries that knows how the guards tell themselves from others: it has less right than they."""

from __future__ import annotations

import pytest

from finance import FinanceError, NewHold
from finance.errors import DatabaseError, SealedError
from tests.attacks.conftest import APPLICATION
from tests.attacks.test_forgery import FIRE, OWN_TABLE, RAW, own_trigger
from tests.attacks.victim import DENIED, HEAD, Victim, assert_refused, lines
from tests.factories import entry

pytestmark = [
    pytest.mark.parametrize(
        "attacker", [("18", APPLICATION)], ids=["18 as application"], indirect=True, scope="session"
    ),
    pytest.mark.direct("its functions are of the session"),
]


def _posing(statement: str, value: str) -> str:
    """Run *statement* in a trigger of one's own that says to be a guard: with the very depth that it runs in."""
    return OWN_TABLE + own_trigger(f"PERFORM set_config('finance.applying', '{value}', true); {statement}") + FIRE


_ADJUSTMENT = HEAD.replace("date)", "date, kind)").replace("{day});", "{day}, 'adjustment');")

#: A guard may do each of these, by its setting alone.
_POSED: dict[str, tuple[str, str]] = {
    "an entry of kind adjustment": ("adjustment 1", _ADJUSTMENT + lines(("{food}", 1), ("{checking}", -1))),
    "postings without their balances": ("adjustment 1", HEAD + lines(("{food}", 1), ("{checking}", -1))),
    "postings as of the books": ("books 1", HEAD + lines(("{food}", 1), ("{checking}", -1))),
    "what is held": ("books 1", "UPDATE accounts SET held = 5 WHERE id = {food};"),
    "a row of the queue": ("books 1", "INSERT INTO unsettled VALUES ({ledger}, {entry}, true);"),
    "an empty queue": ("books 1", "DELETE FROM unsettled;"),
    "a monthly total": ("books 1", "UPDATE monthly_totals SET debit = 0;"),
    "a revision": (
        "books 1",
        "INSERT INTO entry_revisions (ledger_id, entry_id, revision, description, metadata)"
        " VALUES ({ledger}, {entry}, 1, 'forged', '{{}}');",
    ),
}


@pytest.mark.parametrize("name", _POSED)
async def test_whoever_poses_as_a_guard_is_refused(steady: Victim, name: str) -> None:
    """Below a trigger of one's own, with the setting of a guard."""
    value, statement = _POSED[name]

    await assert_refused(steady, _posing(statement, value), SealedError)


@pytest.mark.parametrize("value", ["books 1", "adjustment 1"])
async def test_a_balance_set_while_posing_is_recorded(victim: Victim, value: str) -> None:
    """Only whoever may write triggers on the books can hide one, and an application may not."""
    before = await victim.balance(victim.food)
    try:
        await victim.run(_posing(RAW, value))
    except SealedError:
        assert await victim.balance(victim.food) == before
    else:
        assert (await victim.balance(victim.food), await victim.adjusted()) == (before + 5, -5)


async def test_posing_in_the_middle_of_a_statement_hides_nothing(victim: Victim) -> None:
    """The setting is there when the row is written, and gone before the statement ends."""
    sly = (
        "UPDATE accounts SET balance = balance + 5 WHERE id = {food}"
        " AND set_config('finance.applying', 'books 1', true) IS NOT NULL;"
        " PERFORM set_config('finance.applying', '', true);"
    )

    await victim.run(OWN_TABLE + own_trigger(sly) + FIRE)

    assert (await victim.balance(victim.food), await victim.adjusted()) == (45, -5)


async def test_the_amount_of_a_settled_hold_stays(victim: Victim) -> None:
    """Settling counts it once, and nobody else writes it."""
    async with victim.db.unit_of_work(victim.ledger) as uow:
        placed = await uow.holds.place(NewHold(victim.food, 5))
        await uow.holds.settle(placed.id, entry(victim.checking, victim.food, 5))

    await assert_refused(
        victim, _posing("UPDATE holds SET settled_amount = 4 WHERE ledger_id = {ledger};", "books 1"), SealedError
    )


@pytest.mark.parametrize("value", ["postings", "holds", "journal_entries", "accounts"])
async def test_the_right_to_write_triggers_is_not_found_by_name(victim: Victim, value: str) -> None:
    """A temporary table of the same name is one's own, and its rights are no rights to the books."""
    shadow = f"CREATE TEMP TABLE {value} (LIKE public.{value} INCLUDING DEFAULTS) ON COMMIT DROP;"
    raw = RAW.replace("accounts", "public.accounts")
    body = f"PERFORM set_config('finance.applying', 'books 1', true); {raw}"

    await victim.run(OWN_TABLE + own_trigger(body) + shadow + FIRE)

    assert (await victim.balance(victim.food), await victim.adjusted()) == (45, -5)


_STAMPS = {
    "who recorded an entry": "INSERT INTO journal_entries (ledger_id, id, date, recorded_by)"
    " VALUES ({ledger}, {new}, {day}, 'x');",
    "when an entry was recorded": "INSERT INTO journal_entries (ledger_id, id, date, recorded_at)"
    " VALUES ({ledger}, {new}, {day}, now());",
    "who placed a hold": "INSERT INTO holds (ledger_id, id, account_id, amount, currency, placed_by)"
    " VALUES ({ledger}, {new}, {food}, 1, 'EUR', 'x');",
    "the id of a ledger": "INSERT INTO ledgers (id, name, base_currency) OVERRIDING SYSTEM VALUE"
    " VALUES (999999, 'x', 'EUR');",
    "the id of an account": "INSERT INTO accounts (id, ledger_id, name, type, currency) OVERRIDING SYSTEM VALUE"
    " VALUES (999999, {ledger}, 'x', 'asset', 'EUR');",
}

_REACHING = {
    **_STAMPS,
    "the next id": "SELECT nextval(pg_get_serial_sequence('accounts', 'id'));",
    "the last id": "SELECT setval(pg_get_serial_sequence('accounts', 'id'), 1);",
    "a trigger on the books": "CREATE TRIGGER mine AFTER INSERT ON postings EXECUTE FUNCTION pg_temp.mine();",
    "a guard on a table of one's own": OWN_TABLE
    + "CREATE TRIGGER g AFTER INSERT ON mine FOR EACH STATEMENT EXECUTE FUNCTION apply_postings();",
    "a table that inherits": "CREATE TEMP TABLE child () INHERITS (postings);",
    "a function in the books' schema": "CREATE FUNCTION public.mine() RETURNS int LANGUAGE sql RETURN 1;",
    "an operator in the books' schema": "CREATE OPERATOR public.= (LEFTARG = int, RIGHTARG = text, FUNCTION = texteq);",
    "a rule": "CREATE RULE mine AS ON INSERT TO postings DO INSTEAD NOTHING;",
    "a policy": "CREATE POLICY mine ON postings USING (true);",
    "a guard called by hand": "SELECT expire_holds({ledger}, ARRAY[{food}], now());",
    "what is held, called by hand": "SELECT move_held({ledger}, ARRAY[{food}], ARRAY[5]);",
    "COPY to a program": "COPY postings TO PROGRAM 'true';",
    "COPY from a file": "COPY postings FROM '/dev/null';",
    "a rebuild": "INSERT INTO rebuilds (ledger_id, account_id) VALUES ({ledger}, {food});",
    "the owner's role": "SET LOCAL ROLE pg_database_owner;",
    "another search path of a guard": "ALTER FUNCTION settle_entry() RESET search_path;",
}


@pytest.mark.parametrize("name", _REACHING)
async def test_what_is_not_the_applications_is_denied(steady: Victim, name: str) -> None:
    """By PostgreSQL itself."""
    before = await steady.state()

    with pytest.raises(DatabaseError) as caught:
        await steady.run(
            "CREATE FUNCTION pg_temp.mine() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
            + _REACHING[name]
        )

    assert caught.value.sqlstate == DENIED
    assert await steady.state() == before


async def test_copy_into_the_books_is_refused(steady: Victim) -> None:
    """PostgreSQL has no COPY FROM under row-level security; loads use unnest()."""
    with pytest.raises(FinanceError) as caught:
        async with steady.driver() as driver:
            await driver.copy_records_to_table("postings", records=[])
    assert getattr(caught.value, "sqlstate", None) in (DENIED, "0A000")
