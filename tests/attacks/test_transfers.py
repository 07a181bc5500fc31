"""Transfers handed to `new_transfers`, by hand and by attackers: one of them, and several in one row."""

from __future__ import annotations

import pytest

from finance import FinanceError, NewEntry, NewPosting
from finance.errors import (
    AccountClosedError,
    AccountNotFoundError,
    AlreadyExistsError,
    AmountError,
    BalanceLimitError,
    CurrencyError,
    DatabaseError,
    InvalidError,
    PeriodClosedError,
    SealedError,
    UnbalancedEntryError,
)
from tests.attacks.test_forgery import FIRE, OWN_TABLE, own_trigger
from tests.attacks.victim import Victim, assert_refused, refused
from tests.factories import TODAY

_COLUMNS = "ledger_id, ids, dates, descriptions, content_hashes, first_accounts, second_accounts, currencies, amounts"
#: A second transfer in the same row, which is as it should be.
_BESIDE = ("{new2}", "{day}", "'beside'", "NULL::bytea", "{food}", "{checking}", "'EUR'", "1")


def transfers(
    *,
    key: str = "{new}",
    day: str = "{day}",
    text: str = "''",
    first: str = "{food}",
    second: str = "{checking}",
    currency: str = "'EUR'",
    amount: str = "10",
    ledger: str = "{ledger}",
    beside: bool = False,
) -> str:
    """Write one row of transfers: ten euros from checking to food, unless told otherwise, and one beside it."""
    one = (key, day, text, "NULL::bytea", first, second, currency, amount)
    kinds = ("uuid", "date", "text", "bytea", "bigint", "bigint", "text", "numeric")
    rows = (one, _BESIDE) if beside else (one,)
    arrays = (f"ARRAY[{', '.join(values)}]::{kind}[]" for kind, *values in zip(kinds, *rows, strict=True))
    return f"INSERT INTO new_transfers ({_COLUMNS}) VALUES ({ledger}, {', '.join(arrays)});"


both = pytest.mark.parametrize("beside", [False, True], ids=["one", "two"])


@both
async def test_a_row_of_transfers_is_posted_and_not_kept(victim: Victim, beside: bool) -> None:  # noqa: FBT001
    """Balances and totals move, each entry has its postings, and the row itself is nowhere."""
    await victim.run(transfers(beside=beside))

    moved = 51 if beside else 50
    assert await victim.balances() == (-moved, moved)
    assert await victim.fetchval("SELECT count(*) FROM new_transfers") == 0
    assert await victim.fetchval("SELECT debit FROM monthly_totals WHERE account_id = {food}") == moved
    assert await victim.fetchval(
        "SELECT array_agg(account_id || ' ' || amount ORDER BY line) FROM postings WHERE entry_id = {new}"
    ) == [f"{victim.food} 10", f"{victim.checking} -10"]
    assert await victim.fetchval("SELECT recorded_by = CURRENT_USER FROM journal_entries WHERE id = {new}")


@both
async def test_a_transfer_may_be_negative(victim: Victim, beside: bool) -> None:  # noqa: FBT001
    """It then goes the other way."""
    await victim.run(transfers(amount="-2.50", first="{checking}", second="{food}", beside=beside))

    assert await victim.balance(victim.checking) == (-43.5 if beside else -42.5)


@both
async def test_a_transfer_from_an_account_to_itself_moves_nothing(victim: Victim, beside: bool) -> None:  # noqa: FBT001
    """It is an entry that balances, as by any other way."""
    await victim.run(transfers(second="{food}", beside=beside))

    assert await victim.balance(victim.food) == (41 if beside else 40)


@both
@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"amount": "0"}, AmountError),
        ({"amount": "'NaN'"}, AmountError),
        ({"amount": "'Infinity'"}, AmountError),
        ({"amount": "'-Infinity'"}, AmountError),
        ({"amount": "1e24"}, AmountError),
        ({"amount": "0.001"}, AmountError),
        ({"amount": "NULL"}, InvalidError),
        ({"first": "{foreign}"}, AccountNotFoundError),
        ({"second": "{foreign}"}, AccountNotFoundError),
        ({"first": "999999999"}, AccountNotFoundError),
        ({"second": "0"}, AccountNotFoundError),
        ({"first": "{closed}"}, AccountClosedError),
        ({"second": "{closed}"}, AccountClosedError),
        ({"first": "{yen}"}, CurrencyError),
        ({"second": "{yen}"}, CurrencyError),
        ({"currency": "'JPY'"}, CurrencyError),
        ({"first": "{capped}", "amount": "1000.01"}, BalanceLimitError),
        ({"second": "{capped}", "amount": "0.01"}, BalanceLimitError),
        ({"key": "{entry}"}, AlreadyExistsError),
        ({"key": "NULL"}, InvalidError),
        ({"day": "NULL"}, InvalidError),
        ({"day": "'infinity'"}, InvalidError),
        ({"day": "'-infinity'"}, InvalidError),
        ({"day": "'5000000-01-01'"}, InvalidError),
        ({"text": "NULL"}, InvalidError),
        ({"currency": "NULL"}, InvalidError),
        ({"first": "NULL"}, InvalidError),
        ({"ledger": "{other}"}, AccountNotFoundError),
        ({"ledger": "999999999"}, AccountNotFoundError),
        ({"ledger": "NULL"}, InvalidError),
    ],
    ids=lambda value: " ".join(map(str, value.values())) if isinstance(value, dict) else value.__name__,
)
async def test_a_transfer_that_breaks_a_rule_is_refused_with_those_beside_it(
    steady: Victim,
    changed: dict[str, str],
    error: type[FinanceError],
    beside: bool,  # noqa: FBT001
) -> None:
    """By the same rules and the same errors as any other posting."""
    await assert_refused(steady, transfers(**changed, beside=beside), error)


@both
async def test_a_transfer_in_a_closed_period_is_refused(victim: Victim, beside: bool) -> None:  # noqa: FBT001
    """Whatever the isolation of the transaction."""
    async with victim.db.unit_of_work() as uow:
        await uow.ledgers.close_through(victim.ledger, TODAY)

    for isolation in ("read_committed", "repeatable_read", "serializable"):
        await assert_refused(victim, transfers(beside=beside), PeriodClosedError, isolation=isolation)


async def test_an_id_is_used_once_in_a_row(steady: Victim) -> None:
    """The second one of it would be another entry."""
    await assert_refused(steady, transfers(key="{new2}", beside=True), AlreadyExistsError)


@pytest.mark.parametrize("column", ["dates", "descriptions", "first_accounts", "currencies", "amounts"])
@pytest.mark.parametrize("of", ["'{{}}'", "NULL"])
async def test_arrays_of_different_lengths_are_refused(steady: Victim, column: str, of: str) -> None:
    """What is missing would be NULL."""
    names = _COLUMNS.split(", ")
    place = names.index(column)
    head, values = transfers().split(" VALUES (")
    parts = values.removesuffix(");").split(", ")
    assert len(parts) == len(names)
    parts[place] = of

    await assert_refused(steady, f"{head} VALUES ({', '.join(parts)});", InvalidError)


def joined(hashes: str = "00" * 64, currencies: str = "'EUR'") -> str:
    """Write two transfers whose hashes, in hexadecimal digits, come in one value, and whose currency is named once."""
    head, values = transfers(beside=True).split(" VALUES (")
    parts = values.removesuffix(");").split("]::")
    assert len(parts) == len(_COLUMNS.split(", "))
    parts[3] = f"text[], ARRAY[decode('{hashes}', 'hex')"
    parts[6] = f"bigint[], ARRAY[{currencies}"
    return f"{head} VALUES ({']::'.join(parts)});"


async def test_what_is_joined_reaches_each_of_several_transfers(victim: Victim) -> None:
    """Each has its own hash, and the currency that was named for all."""
    entries = [
        NewEntry(TODAY, text, [NewPosting(victim.food, amount), NewPosting(victim.checking, -amount)], id=key)
        for key, text, amount in ((victim.new, "", 10), (victim.new2, "beside", 1))
    ]

    await victim.run(joined("".join(entry.content_hash().hex() for entry in entries)))

    assert await victim.balances() == (-51, 51)
    for entry in entries:
        stored = await victim.fetchval(f"SELECT content_hash FROM journal_entries WHERE id = '{entry.id}'")
        assert stored == entry.content_hash()
    assert await victim.fetchval("SELECT count(*) FROM postings WHERE currency = 'EUR' AND entry_id = {new2}") == 2


@pytest.mark.parametrize("length", [0, 31, 32, 63, 65, 96])
async def test_joined_hashes_have_the_length_of_all(steady: Victim, length: int) -> None:
    """Else one entry had a part of another one's."""
    await assert_refused(steady, joined("00" * length), InvalidError)


@pytest.mark.parametrize(
    ("currencies", "error"),
    [("'JPY'", CurrencyError), ("NULL", InvalidError), ("'EUR', 'EUR', 'EUR'", InvalidError)],
)
async def test_a_currency_named_for_all_is_each_ones(
    steady: Victim, currencies: str, error: type[FinanceError]
) -> None:
    """It is checked as if it stood beside each."""
    await assert_refused(steady, joined(currencies=currencies), error)


@pytest.mark.parametrize("place", ["[0:0]", "[2:2]", "[1:1][1:1]"])
async def test_the_hash_of_one_is_kept_wherever_its_array_begins(victim: Victim, place: str) -> None:
    """What was sent is not silently taken for none."""
    entry = NewEntry(TODAY, "", [NewPosting(victim.food, 10), NewPosting(victim.checking, -10)], id=victim.new)
    content_hash = entry.content_hash()
    braces = place.count("[")
    array = rf"'{place}={'{{' * braces}\\x{content_hash.hex()}{'}}' * braces}'"

    await victim.run(transfers().replace("ARRAY[NULL::bytea]", array))

    assert await victim.fetchval("SELECT content_hash FROM journal_entries WHERE id = {new}") == content_hash


async def test_no_transfer_at_all_is_refused(steady: Victim) -> None:
    """A row without transfers says nothing."""
    await assert_refused(
        steady, f"INSERT INTO new_transfers ({_COLUMNS.split(',', maxsplit=1)[0]}) VALUES ({{ledger}});", InvalidError
    )


async def test_a_posted_transfer_is_sealed(victim: Victim) -> None:
    """As every entry: no line joins it, none leaves it, not even in the transaction of another one."""
    await victim.run(transfers())

    await assert_refused(victim, "UPDATE postings SET amount = 11 WHERE entry_id = {new};", SealedError)
    await assert_refused(victim, "DELETE FROM postings WHERE entry_id = {new};", SealedError)
    await assert_refused(
        victim,
        "INSERT INTO postings (ledger_id, entry_id, line, account_id, date, currency, amount)"
        " VALUES ({ledger}, {new}, 3, {food}, {day}, 'EUR', 1);",
        SealedError,
    )


async def test_what_is_made_of_transfers_cannot_be_written_otherwise(steady: Victim) -> None:
    """There is nothing to change or to delete."""
    for attack in ("UPDATE new_transfers SET ledger_id = 1;", "DELETE FROM new_transfers;"):
        await assert_refused(steady, attack, DatabaseError)


# --- posing as the guard that writes transfers -------------------------------------------------------


@both
async def test_what_swallows_rows_stops_transfers(own_victim: Victim, beside: bool) -> None:  # noqa: FBT001
    """The guard counts what it has written, of each table."""
    for table in ("journal_entries", "postings", "accounts", "monthly_totals"):
        skip = own_trigger("RETURN NULL;", table=table, timing="BEFORE INSERT OR UPDATE")
        await assert_refused(own_victim, skip + transfers(beside=beside), SealedError)


async def test_a_trigger_of_ones_own_on_postings_is_guarded(own_victim: Victim) -> None:
    """What it writes, it writes from outside, also below the guard that writes transfers."""
    body = "IF NEW.account_id = {food} THEN UPDATE accounts SET balance = balance + 1 WHERE id = {capped}; END IF;"

    await own_victim.run(own_trigger(body, table="postings") + transfers())

    assert (await own_victim.balance(own_victim.capped), await own_victim.adjusted()) == (1, -1)
    assert (await own_victim.verify()).is_clean


async def test_half_an_entry_below_the_guard_of_transfers_is_refused(own_victim: Victim) -> None:
    """A trigger of one's own runs deeper, whatever the setting says of the guard above it."""
    half = (
        "IF NEW.id = {new} THEN INSERT INTO journal_entries (ledger_id, id, date) VALUES ({ledger}, {new2}, {day});"
        " END IF;"
    )

    await assert_refused(own_victim, own_trigger(half, table="journal_entries") + transfers(), UnbalancedEntryError)


async def test_posing_as_the_guard_of_transfers_is_found(own_victim: Victim) -> None:
    """Whoever may write triggers on the books can pose as any guard; verification says what came of it."""
    forged = (
        "PERFORM set_config('finance.applying', 'transfers 1', true);"
        "INSERT INTO journal_entries (ledger_id, id, date) VALUES ({ledger}, {new}, {day});"
        "INSERT INTO postings (ledger_id, entry_id, line, account_id, date, currency, amount)"
        " VALUES ({ledger}, {new}, 1, {food}, {day}, 'EUR', 1);"
    )

    await own_victim.run(OWN_TABLE + own_trigger(forged) + FIRE)

    found = {problem.rule for problem in (await own_victim.verify()).problems}
    assert {"balance differs from postings"} <= found
    assert len(found) > 1


@both
async def test_a_trigger_that_changes_what_is_written_is_found(own_victim: Victim, beside: bool) -> None:  # noqa: FBT001
    """The owner's own BEFORE trigger falsifies the postings below the guard; verification says so."""
    change = own_trigger("NEW.amount := NEW.amount + 3;", table="postings", timing="BEFORE INSERT")

    await own_victim.run(change + transfers(beside=beside))

    assert not (await own_victim.verify()).is_clean


async def test_the_guard_of_transfers_serves_its_own_view_only(own_victim: Victim) -> None:
    """Attached to another one, it would take what was written there for what it is not."""
    await assert_refused(
        own_victim,
        "CREATE VIEW mine AS SELECT * FROM new_transfers; CREATE TRIGGER t INSTEAD OF INSERT ON mine"
        " FOR EACH ROW EXECUTE FUNCTION post_transfers();" + transfers().replace("INTO new_transfers", "INTO mine"),
        SealedError,
    )


@pytest.mark.owners("others may not call it")
@pytest.mark.parametrize(
    "call",
    [
        "post_transfer({ledger}, {new}, {day}, '', NULL, {food}, {checking}, 'EUR', 5, 'me')",
        "move_balances({ledger}, ARRAY[{food}], ARRAY['EUR'], ARRAY[{day}], ARRAY[5.0], ARRAY[0.0], ARRAY[1::bigint],"
        " ARRAY[0], 1, NULL, NULL, false)",
    ],
    ids=["post_transfer", "move_balances"],
)
async def test_the_parts_of_the_guards_do_nothing_by_themselves(own_victim: Victim, call: str) -> None:
    """Called by hand they are no guards, and what they write is refused, or posted like any entry."""
    with refused(own_victim, SealedError):
        await own_victim.run(f"SELECT {call};")
    assert (await own_victim.verify()).is_clean
