"""Attackers who know how the guards work: settings, triggers, names and rules of their own."""

from __future__ import annotations

import pytest

from finance import FinanceError
from finance.errors import AmountError, DatabaseError, SealedError, UnbalancedEntryError
from tests.attacks.victim import HEAD, PAIR, Victim, assert_refused, lines

_SETTINGS = [
    "books",
    "books 0",
    "books 1",
    "books 2",
    "adjustment",
    "adjustment 0",
    "adjustment 1",
    "transfers 0",
    "transfers 1",
    "x",
]
RAW = "UPDATE accounts SET balance = balance + 5 WHERE id = {food};"


def _forge(value: str) -> str:
    return f"SELECT set_config('finance.applying', '{value}', true);"


@pytest.mark.parametrize("value", _SETTINGS)
async def test_the_setting_says_nothing_at_top_level(victim: Victim, value: str) -> None:
    """Set before each statement and before COMMIT, it hides no posting and no balance."""
    await victim.run(
        _forge(value)
        + PAIR
        + _forge(value)
        + RAW
        + _forge(value)
        + HEAD.replace("{new}", "{new2}")
        + lines(("{food}", 1), entry="{new2}")
        + _forge(value)
        + lines(("{checking}", -1), first=2, entry="{new2}")
        + _forge(value)
    )

    assert (*await victim.balances(), await victim.adjusted()) == (-51, 56, -5)


@pytest.mark.parametrize("value", _SETTINGS)
async def test_the_setting_of_a_session_says_nothing_either(victim: Victim, value: str) -> None:
    """Not even when the whole session has it, and an adjustment is settled at once."""
    await victim.run(f"SET finance.applying = '{value}';" + RAW + "SET CONSTRAINTS ALL IMMEDIATE;" + RAW)

    assert (*await victim.balances(), await victim.adjusted()) == (-40, 50, -10)


@pytest.mark.parametrize("value", _SETTINGS)
@pytest.mark.parametrize(
    "attack",
    [
        "DELETE FROM unsettled;",
        "INSERT INTO unsettled VALUES ({ledger}, {entry}, true);",
        "UPDATE monthly_totals SET debit = 0;",
        "INSERT INTO monthly_totals VALUES ({ledger}, {food}, '1999-01-01', 1, 0, 1);",
        "INSERT INTO journal_entries (ledger_id, id, date, kind) VALUES ({ledger}, {new}, {day}, 'adjustment');",
    ],
)
async def test_the_setting_opens_nothing(steady: Victim, value: str, attack: str) -> None:
    """What only a guard may write, a statement at top level may not, whatever it says to be."""
    await assert_refused(steady, _forge(value) + attack, SealedError)


OWN_TABLE = "CREATE TEMP TABLE mine (id bigint) ON COMMIT DROP;"


def own_trigger(body: str, *, table: str = "mine", timing: str = "AFTER INSERT") -> str:
    """Write a trigger of one's own that runs *body*, and the statement that fires it on one's own table."""
    return (
        f"CREATE FUNCTION pg_temp.mine() RETURNS trigger LANGUAGE plpgsql AS $t$ BEGIN {body} RETURN NEW; END $t$;"
        f"CREATE TRIGGER mine {timing} ON {table} FOR EACH ROW EXECUTE FUNCTION pg_temp.mine();"
    )


FIRE = "INSERT INTO mine VALUES (1);"


async def test_a_balance_set_in_a_trigger_of_ones_own_is_recorded(victim: Victim) -> None:
    """A statement below somebody's trigger is a statement of somebody."""
    await victim.run(OWN_TABLE + own_trigger(RAW) + FIRE)

    assert (*await victim.balances(), await victim.adjusted()) == (-40, 45, -5)


@pytest.mark.direct("its function is of the session")
async def test_an_entry_posted_in_a_trigger_of_ones_own_is_applied(victim: Victim) -> None:
    """An application's own trigger may post."""
    await victim.run(OWN_TABLE + own_trigger(PAIR) + FIRE)

    assert await victim.balances() == (-50, 50)


@pytest.mark.direct("its function is of the session")
@pytest.mark.parametrize(
    ("body", "error"),
    [
        (HEAD + lines(("{food}", 1)), UnbalancedEntryError),
        ("UPDATE accounts SET balance = balance + 0.001 WHERE id = {food};", AmountError),
        ("DELETE FROM unsettled;", SealedError),
        ("UPDATE monthly_totals SET debit = 0;", SealedError),
        ("DELETE FROM monthly_totals;", SealedError),
        ("UPDATE postings SET amount = 1;", SealedError),
        (lines(("{food}", 1), ("{checking}", -1), first=3, entry="{entry}"), SealedError),
        # A verb that no guard uses is refused whatever the setting.
        (_forge("books 1").replace("SELECT", "PERFORM") + "UPDATE unsettled SET entry_id = {entry};", SealedError),
        # The depth is that of the trigger, not the one above or below it.
        (_forge("books 0").replace("SELECT", "PERFORM") + "DELETE FROM unsettled;", SealedError),
        (_forge("books 2").replace("SELECT", "PERFORM") + "DELETE FROM unsettled;", SealedError),
    ],
)
async def test_a_trigger_of_ones_own_is_guarded(steady: Victim, body: str, error: type[FinanceError]) -> None:
    """Being below a trigger is no pass."""
    await assert_refused(steady, OWN_TABLE + own_trigger(body) + FIRE, error)


@pytest.mark.direct("its function is of the session")
@pytest.mark.parametrize(
    "value", ["books", "books 0", "books 2", "adjustment 0", "adjustment 2", "transfers 0", "transfers 2"]
)
async def test_a_wrong_depth_in_a_trigger_of_ones_own_hides_nothing(victim: Victim, value: str) -> None:
    """The setting names the depth of the trigger that the guard runs in."""
    body = _forge(value).replace("SELECT", "PERFORM") + RAW + _forge(value).replace("SELECT", "PERFORM") + PAIR

    await victim.run(OWN_TABLE + own_trigger(body) + FIRE)

    assert (*await victim.balances(), await victim.adjusted()) == (-50, 55, -5)


async def test_deleting_from_the_queue_below_a_trigger_gains_nothing(own_victim: Victim) -> None:
    """Whoever forges the setting in a trigger of his own may empty the queue; the pending check fires all the same."""
    forged = _forge("books 1").replace("SELECT", "PERFORM") + "DELETE FROM unsettled;"

    await assert_refused(
        own_victim, OWN_TABLE + own_trigger(forged) + HEAD + lines(("{food}", 1)) + FIRE, UnbalancedEntryError
    )


async def test_a_forged_row_in_the_queue_gains_nothing(own_victim: Victim) -> None:
    """An entry queued as an adjustment is at most balanced against the adjustments account."""
    forged = _forge("books 1").replace("SELECT", "PERFORM") + "INSERT INTO unsettled VALUES ({ledger}, {new}, true);"

    await own_victim.run(
        OWN_TABLE
        + own_trigger(forged)
        + "WITH e AS ("
        + HEAD.rstrip(";")
        + ") "
        + lines(("{food}", 10), ("{checking}", -10))
        + FIRE
        + lines(("{food}", 5), first=3)
        + RAW
    )

    assert (*await own_victim.balances(), await own_victim.adjusted()) == (-50, 60, -10)
    assert (await own_victim.verify()).is_clean


async def test_a_forged_setting_below_a_trigger_is_found(own_victim: Victim) -> None:
    """The one way to hide a balance: a trigger of one's own that claims to be a guard. Verification names it."""
    forged = _forge("books 1").replace("SELECT", "PERFORM") + RAW

    await own_victim.run(OWN_TABLE + own_trigger(forged) + FIRE)

    assert [problem.rule for problem in (await own_victim.verify()).problems] == ["balance differs from postings"]


# --- triggers, rules and views on the books, by their owner ------------------------------------------


_ROLL_UP = "IF NEW.id = {food} THEN UPDATE accounts SET balance = balance + 1 WHERE id = {capped}; END IF;"


async def test_a_trigger_on_accounts_that_sets_a_balance_is_recorded(own_victim: Victim) -> None:
    """It runs below the guard's own UPDATE, and is told from it by its depth."""
    await own_victim.run(own_trigger(_ROLL_UP, table="accounts", timing="AFTER UPDATE") + PAIR)

    assert (*await own_victim.balances(), await own_victim.balance(own_victim.capped)) == (-50, 50, 1)
    assert await own_victim.adjusted() == -1
    assert (await own_victim.verify()).is_clean


async def test_a_trigger_on_entries_that_posts_is_applied(own_victim: Victim) -> None:
    """It runs below the guard that records an adjustment, and is not taken for it."""
    body = "IF NEW.kind = 'adjustment' THEN " + HEAD + lines(("{food}", 10), ("{checking}", -10)) + " END IF;"

    await own_victim.run(own_trigger(body, table="journal_entries") + RAW)

    assert (*await own_victim.balances(), await own_victim.adjusted()) == (-50, 55, -5)
    assert (await own_victim.verify()).is_clean


@pytest.mark.parametrize("table", ["accounts", "monthly_totals"])
@pytest.mark.parametrize("how", ["trigger", "rule"])
async def test_what_keeps_balances_from_being_written_stops_posting(own_victim: Victim, table: str, how: str) -> None:
    """A trigger that skips rows, or a rule instead of an UPDATE: the guard counts what it has written."""
    if how == "trigger":
        await own_victim.run(
            "CREATE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
            f"CREATE TRIGGER skip BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION skip();"
        )
    else:
        verb = "UPDATE" if table == "accounts" else "INSERT"
        await own_victim.run(f"CREATE RULE skip AS ON {verb} TO {table} DO INSTEAD NOTHING;")

    await assert_refused(own_victim, PAIR, SealedError)


async def test_a_rule_that_swallows_postings_leaves_an_entry_that_is_refused(own_victim: Victim) -> None:
    """The entry is looked at, whatever became of its lines."""
    await own_victim.run("CREATE RULE skip AS ON INSERT TO postings DO INSTEAD NOTHING;")

    await assert_refused(own_victim, PAIR, UnbalancedEntryError)


async def test_a_rule_that_adds_to_postings_stops_posting(own_victim: Victim) -> None:
    """The guards write postings themselves, with statements that PostgreSQL does not rewrite."""
    await own_victim.run(
        "CREATE RULE more AS ON INSERT TO postings DO ALSO"
        " UPDATE accounts SET balance = balance + 1 WHERE id = NEW.account_id;"
    )

    await assert_refused(own_victim, PAIR, DatabaseError)


async def test_a_view_is_no_way_around(own_victim: Victim) -> None:
    """Writing to a view of a table is writing to the table."""
    await own_victim.run("CREATE VIEW va AS SELECT * FROM accounts; CREATE VIEW vp AS SELECT * FROM postings;")

    for attack in (
        "UPDATE vp SET amount = 1;",
        "DELETE FROM vp;",
        "UPDATE va SET currency = 'JPY' WHERE id = {capped};",
    ):
        await assert_refused(own_victim, attack, SealedError)
    await own_victim.run("UPDATE va SET balance = balance + 5 WHERE id = {food};")

    assert (await own_victim.balance(own_victim.food), await own_victim.adjusted()) == (45, -5)


_COPY = (
    "CREATE TEMP TABLE {table}_2 (LIKE {table} INCLUDING DEFAULTS) ON COMMIT DROP;"
    "CREATE TRIGGER t AFTER {verb} ON {table}_2 REFERENCING {rows} FOR EACH STATEMENT EXECUTE FUNCTION {function}();"
)
_BOTH = "OLD TABLE AS old_{name} NEW TABLE AS new_{name}"


def _copy(table: str, verb: str, name: str, function: str) -> str:
    """Write a copy of *table* with the guard *function* on it."""
    rows = f"NEW TABLE AS new_{name}" if verb == "INSERT" else _BOTH.format(name=name)
    return _COPY.format(table=table, verb=verb, rows=rows, function=function)


@pytest.mark.parametrize(
    "function",
    ["apply_postings", "record_adjustment", "revise_entries", "place_holds", "close_holds"],
)
async def test_a_guard_serves_its_own_table_only(steady: Victim, function: str) -> None:
    """Attached to a table of the attacker's, it would write balances for postings that are not there."""
    table, fire = {
        "apply_postings": (
            "CREATE TEMP TABLE postings_2 (LIKE postings) ON COMMIT DROP; CREATE TRIGGER t AFTER INSERT ON postings_2"
            " REFERENCING NEW TABLE AS new_postings FOR EACH STATEMENT EXECUTE FUNCTION apply_postings();",
            HEAD + lines(("{food}", 10), ("{checking}", -10)).replace("INTO postings", "INTO postings_2"),
        ),
        "record_adjustment": (
            "CREATE TEMP TABLE accounts_2 ON COMMIT DROP AS SELECT * FROM accounts;"
            "CREATE TRIGGER t AFTER UPDATE ON accounts_2 FOR EACH ROW EXECUTE FUNCTION record_adjustment();",
            "UPDATE accounts_2 SET balance = balance + 5;",
        ),
        "revise_entries": (
            _copy("journal_entries", "UPDATE", "entries", "revise_entries"),
            "INSERT INTO journal_entries_2 SELECT * FROM journal_entries;"
            "UPDATE journal_entries_2 SET description = 'x';",
        ),
        "place_holds": (
            _copy("holds", "INSERT", "holds", "place_holds"),
            "INSERT INTO holds_2 (ledger_id, id, account_id, amount, currency)"
            " VALUES ({ledger}, {new}, {food}, 1, 'EUR');",
        ),
        "close_holds": (
            _copy("holds", "UPDATE", "holds", "close_holds"),
            "INSERT INTO holds_2 (ledger_id, id, account_id, amount, currency)"
            " VALUES ({ledger}, {new}, {food}, 1, 'EUR'); UPDATE holds_2 SET status = 'released', closed_at = now();",
        ),
    }[function]

    await assert_refused(steady, table + fire, SealedError)


async def test_the_queue_guards_attached_elsewhere_change_nothing(steady: Victim) -> None:
    """An entry that exists only in a copy of the table is looked at, and refused."""
    await assert_refused(
        steady,
        "CREATE TEMP TABLE entries_2 (LIKE journal_entries INCLUDING DEFAULTS) ON COMMIT DROP;"
        "CREATE TRIGGER t AFTER INSERT ON entries_2 REFERENCING NEW TABLE AS new_entries"
        " FOR EACH STATEMENT EXECUTE FUNCTION queue_entries();" + HEAD.replace("journal_entries", "entries_2"),
        UnbalancedEntryError,
    )


@pytest.mark.owners("nobody else may call it")
async def test_balancing_by_hand_is_a_posting_like_any(victim: Victim) -> None:
    """The function that settles an adjustment can be called, and keeps the books when it is."""
    await victim.run(HEAD + lines(("{food}", 3)) + "SELECT balance_adjustment({ledger}, {new});")
    await assert_refused(
        victim, HEAD.replace("{new}", "{new2}") + "SELECT balance_adjustment({ledger}, {entry});", UnbalancedEntryError
    )

    assert (*await victim.balances(), await victim.adjusted()) == (-40, 43, -3)


# --- names -------------------------------------------------------------------------------------------


_SHADOWS = "".join(
    f"CREATE TEMP TABLE {table} (LIKE public.{table} INCLUDING ALL) ON COMMIT DROP;"
    for table in ("ledgers", "currencies", "accounts", "journal_entries", "postings", "monthly_totals", "unsettled")
)


async def test_temporary_tables_of_the_same_names_are_not_met(victim: Victim) -> None:
    """Named in full, the books are written past every shadow."""
    public = (
        PAIR.replace("INTO ", "INTO public.") + "UPDATE public.accounts SET balance = balance + 5 WHERE id = {food};"
    )

    await victim.run(_SHADOWS + public)

    assert (*await victim.balances(), await victim.adjusted()) == (-50, 55, -5)


async def test_half_an_entry_behind_shadows_is_refused(steady: Victim) -> None:
    """The check at COMMIT reads the books, not what lies before them."""
    half = (HEAD + lines(("{food}", 10))).replace("INTO ", "INTO public.")

    await assert_refused(steady, _SHADOWS + half, UnbalancedEntryError)


_HOSTILE = """
CREATE SCHEMA evil;
CREATE TABLE evil.unsettled (LIKE public.unsettled INCLUDING ALL);
CREATE TABLE evil.monthly_totals (LIKE public.monthly_totals INCLUDING ALL);
CREATE TABLE evil.currencies (LIKE public.currencies INCLUDING ALL);
CREATE FUNCTION evil.abs(numeric) RETURNS numeric LANGUAGE sql IMMUTABLE RETURN 0::numeric;
CREATE FUNCTION evil.sum_zero(numeric, numeric) RETURNS numeric LANGUAGE sql IMMUTABLE RETURN 0::numeric;
CREATE AGGREGATE evil.sum(numeric) (SFUNC = evil.sum_zero, STYPE = numeric, INITCOND = '0');
CREATE FUNCTION evil.same(numeric, integer) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN false;
CREATE OPERATOR evil.<> (LEFTARG = numeric, RIGHTARG = integer, FUNCTION = evil.same);
CREATE FUNCTION evil.pg_trigger_depth() RETURNS integer LANGUAGE sql STABLE RETURN 7;
CREATE FUNCTION evil.current_setting(text, boolean) RETURNS text LANGUAGE sql STABLE RETURN 'books 7';
CREATE FUNCTION evil.pg_current_xact_id() RETURNS text LANGUAGE sql STABLE RETURN '3';
"""


@pytest.mark.parametrize(
    "path", ["evil, public, pg_catalog", "evil, pg_catalog, public", "pg_temp, evil, public, pg_catalog"]
)
async def test_a_hostile_search_path_is_not_followed(own_victim: Victim, path: str) -> None:
    """The guards pin theirs; functions and operators of the same names are not theirs."""
    await own_victim.run(_HOSTILE)
    hostile = f"SET LOCAL search_path = {path};"

    await assert_refused(own_victim, hostile + HEAD + lines(("{food}", 10)), UnbalancedEntryError)
    await assert_refused(own_victim, hostile + "DELETE FROM public.unsettled;", SealedError)
    await assert_refused(own_victim, hostile + "UPDATE public.monthly_totals SET debit = 0;", SealedError)
    await own_victim.run(hostile + PAIR + RAW)

    assert (*await own_victim.balances(), await own_victim.adjusted()) == (-50, 55, -5)
    assert (await own_victim.verify()).is_clean


_PLANS = [
    "enable_indexscan = off",
    "enable_nestloop = off",
    "enable_seqscan = off",
    "plan_cache_mode = force_custom_plan",
    "plpgsql.extra_errors = 'all'",
    "plpgsql.check_asserts = off",
    "DateStyle = 'SQL, DMY'",
    "quote_all_identifiers = on",
    "transform_null_equals = on",
    "extra_float_digits = -15",
    "array_nulls = off",
]


@pytest.mark.parametrize("setting", _PLANS)
async def test_a_sessions_settings_change_nothing(victim: Victim, setting: str) -> None:
    """How a session plans, prints and parses is not what its books hold."""
    await victim.run(f"SET LOCAL {setting};" + PAIR + RAW)
    await assert_refused(
        victim,
        f"SET LOCAL {setting};" + HEAD.replace("{new}", "{new2}") + lines(("{food}", 1), entry="{new2}"),
        UnbalancedEntryError,
    )

    assert (*await victim.balances(), await victim.adjusted()) == (-50, 55, -5)
