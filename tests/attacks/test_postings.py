"""Postings with amounts, accounts, dates and currencies that do not belong."""

from __future__ import annotations

from decimal import Decimal

import pytest

from finance import FinanceError
from finance.errors import (
    AccountClosedError,
    AccountNotFoundError,
    AmountError,
    BalanceLimitError,
    CurrencyError,
    InvalidError,
    ParameterError,
    PeriodClosedError,
    SealedError,
)
from tests.attacks.victim import HEAD, PAIR, Victim, assert_refused, lines
from tests.factories import TODAY


def _pair(amount: str, *, debit: str = "{food}", credit: str = "{checking}", currency: str = "'EUR'") -> str:
    return HEAD + lines((debit, amount), (credit, f"-({amount})"), currency=currency)


CLOSE = "UPDATE ledgers SET closed_through = {day} WHERE id = {ledger};"

REFUSED: dict[str, tuple[str, type[FinanceError]]] = {
    # amounts
    "zero": (_pair("0"), AmountError),
    "NaN": (HEAD + lines(("{food}", "numeric 'NaN'"), ("{checking}", "numeric 'NaN'")), AmountError),
    "infinity": (_pair("numeric 'Infinity'"), AmountError),
    "minus infinity": (_pair("numeric '-Infinity'"), AmountError),
    "1E+24": (_pair("1e24"), AmountError),
    "1E+131071": (_pair("numeric '1E+131071'"), AmountError),
    "1E+131072": (_pair("numeric '1E+131072'"), InvalidError),
    "a third decimal of a cent": (_pair("0.001"), AmountError),
    "a decimal of a yen": (_pair("0.5", debit="{yen}", credit="{yen}", currency="'JPY'"), AmountError),
    "fine amounts that sum to coarse ones": (
        HEAD + lines(("{food}", "0.005"), ("{food}", "0.005"), ("{checking}", "-0.01")),
        AmountError,
    ),
    # accounts
    "an account that is not there": (_pair("1", debit="987654321"), AccountNotFoundError),
    "an account of another ledger": (_pair("1", debit="{foreign}"), AccountNotFoundError),
    "a closed account": (_pair("1", debit="{closed}"), AccountClosedError),
    "a closed account, on a day before it was closed": (
        _pair("1", debit="{closed}").replace("{day}", "date '2020-01-01'"),
        AccountClosedError,
    ),
    "a closed account, net of nothing": (_pair("1", debit="{closed}", credit="{closed}"), AccountClosedError),
    "another currency than the account's": (_pair("1", currency="'JPY'"), CurrencyError),
    "two currencies on one account": (
        HEAD + "INSERT INTO postings (ledger_id, entry_id, line, account_id, date, currency, amount) VALUES"
        " ({ledger}, {new}, 1, {food}, {day}, 'EUR', 1), ({ledger}, {new}, 2, {food}, {day}, 'JPY', 1);",
        CurrencyError,
    ),
    "a currency that is not there": (_pair("1", currency="'XXX'"), CurrencyError),
    # dates
    "another date than the entry's": (HEAD + lines(("{food}", 1), ("{checking}", -1), day="{day} - 1"), InvalidError),
    "one line on another date": (
        HEAD + lines(("{food}", 1)) + lines(("{checking}", -1), first=2, day="{day} + 1"),
        InvalidError,
    ),
    "infinity as a date": (PAIR.replace("{day}", "date 'infinity'"), InvalidError),
    "minus infinity as a date": (PAIR.replace("{day}", "date '-infinity'"), InvalidError),
    "a year that Python does not have": (PAIR.replace("{day}", "date '10000-01-01'"), InvalidError),
    "a day before our era": (PAIR.replace("{day}", "date '0044-03-15 BC'"), InvalidError),
    "a closed period": (CLOSE + PAIR, PeriodClosedError),
    "a day long before a closed period's last": (CLOSE + PAIR.replace("{day}", "date '1999-01-01'"), PeriodClosedError),
    "one of two entries in a closed period": (
        CLOSE
        + HEAD.replace("{day}", "{day} + 1")
        + HEAD.replace("{new}", "{new2}")
        + "INSERT INTO postings (ledger_id, entry_id, line, account_id, date, currency, amount) VALUES"
        " ({ledger}, {new}, 1, {food}, {day} + 1, 'EUR', 1), ({ledger}, {new}, 2, {checking}, {day} + 1, 'EUR', -1),"
        " ({ledger}, {new2}, 1, {food}, {day}, 'EUR', 1), ({ledger}, {new2}, 2, {checking}, {day}, 'EUR', -1);",
        PeriodClosedError,
    ),
    "a ledger closed for ever": ("UPDATE ledgers SET closed_through = 'infinity' WHERE id = {ledger};", InvalidError),
    # limits
    "below the minimum": (_pair("-0.01", debit="{capped}"), BalanceLimitError),
    "above the maximum": (_pair("1000.01", debit="{capped}"), BalanceLimitError),
    "below the minimum in between": (
        HEAD + lines(("{capped}", -1)) + lines(("{capped}", 1), first=2),
        BalanceLimitError,
    ),
    "a minimum above the balance": ("UPDATE accounts SET minimum_balance = 1 WHERE id = {capped};", BalanceLimitError),
    "a maximum below the balance": ("UPDATE accounts SET maximum_balance = -1 WHERE id = {capped};", BalanceLimitError),
    # what the database says of an entry
    "recorded in the future": (
        PAIR.replace("date)", "date, recorded_at)", 1).replace("{day})", "{day}, now() + interval '1 h')", 1),
        SealedError,
    ),
    "recorded in the past": (
        PAIR.replace("date)", "date, recorded_at)", 1).replace("{day})", "{day}, '2020-01-01')", 1),
        SealedError,
    ),
    "recorded by another transaction": (
        PAIR.replace("date)", "date, recorded_xid)", 1).replace("{day})", "{day}, 3)", 1),
        SealedError,
    ),
    "kind adjustment by hand": (
        PAIR.replace("date)", "date, kind)", 1).replace("{day})", "{day}, 'adjustment')", 1),
        SealedError,
    ),
    "an unknown kind": (PAIR.replace("date)", "date, kind)", 1).replace("{day})", "{day}, 'gift')", 1), InvalidError),
    "a short content hash": (
        PAIR.replace("date)", "date, content_hash)", 1).replace("{day})", "{day}, 'abc')", 1),
        InvalidError,
    ),
    "no date": (PAIR.replace("{day})", "NULL)", 1), InvalidError),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_posting_that_does_not_belong_is_refused(steady: Victim, name: str) -> None:
    """Each rule has its own error, and nothing of the transaction is stored."""
    await assert_refused(steady, *REFUSED[name])


@pytest.mark.parametrize("is_watched", [True, False])
async def test_an_enormous_amount_that_the_driver_turns_into_zero_is_refused(
    steady: Victim, monkeypatch: pytest.MonkeyPatch, *, is_watched: bool
) -> None:
    """Asyncpg would send Decimal("1E+131072") as 0. Our connection refuses it, and without that eye the books do."""
    if not is_watched:
        monkeypatch.setattr("finance.connection.driver.may_change", lambda _: False)
    with pytest.raises(ParameterError if is_watched else AmountError):
        async with steady.driver() as driver:
            await driver.execute(steady.sql(HEAD))
            await driver.execute(
                "INSERT INTO postings (ledger_id, entry_id, line, account_id, date, currency, amount)"
                " VALUES ($1, $2, 1, $3, $4, 'EUR', $5)",
                steady.ledger.id,
                steady.new,
                steady.food,
                TODAY,
                Decimal("1E+131072"),
            )


async def test_the_errors_say_what_is_wrong(steady: Victim) -> None:
    """The guards send their data as JSON, and the errors keep it."""
    with pytest.raises(PeriodClosedError) as period:
        await steady.run(REFUSED["a closed period"][0])
    with pytest.raises(AccountClosedError) as account:
        await steady.run(REFUSED["a closed account"][0])
    with pytest.raises(AmountError) as amount:
        await steady.run(REFUSED["a third decimal of a cent"][0])
    with pytest.raises(CurrencyError) as currency:
        await steady.run(REFUSED["another currency than the account's"][0])

    assert (period.value.on, period.value.closed_through) == (TODAY, TODAY)
    assert account.value.account_id == steady.closed
    assert amount.value.exponent == 2
    assert currency.value.currency == "JPY"


@pytest.mark.parametrize("amount", ["999999999999999999999999.99", "0.01", "1.000", "1e2"])
async def test_exact_amounts_pass(victim: Victim, amount: str) -> None:
    """Zeros behind the currency's decimals say nothing, and large is not inexact."""
    await victim.run(_pair(amount))

    assert await victim.balance(victim.food) == 40 + Decimal(amount)


async def test_limits_are_inclusive(victim: Victim) -> None:
    """A balance may be what its limit says."""
    await victim.run(_pair("1000", debit="{capped}"))
    await victim.run(_pair("-1000", debit="{capped}").replace("{new}", "{new2}"))

    assert await victim.balance(victim.capped) == 0


@pytest.mark.parametrize(
    ("zone", "day"),
    [("Pacific/Kiritimati", "1994-12-31"), ("Asia/Manila", "1844-12-31"), ("Pacific/Apia", "2011-12-30")],
)
async def test_a_day_that_a_time_zone_skipped_is_in_its_month(victim: Victim, zone: str, day: str) -> None:
    """The session's time zone has no say in which month a day belongs to."""
    await victim.run(f"SET LOCAL TimeZone = '{zone}';" + PAIR.replace("{day}", f"date '{day}'"))

    month = await victim.fetchval("SELECT min(month)::text FROM monthly_totals WHERE ledger_id = {ledger}")
    assert month == day[:8] + "01"


REVERSAL = HEAD.replace("date)", "date, kind, reverses_id)").replace("{day})", "{day}, 'reversal', {entry})")

REVERSALS: dict[str, tuple[str, type[FinanceError]]] = {
    "of other accounts": (REVERSAL + lines(("{yen}", 1), ("{yen}", -1), currency="'JPY'"), InvalidError),
    "of another amount": (REVERSAL + lines(("{food}", -39), ("{checking}", 39)), InvalidError),
    "in the same direction": (REVERSAL + lines(("{food}", 40), ("{checking}", -40)), InvalidError),
    "with a pair more": (
        REVERSAL + lines(("{food}", -40), ("{checking}", 40)) + lines(("{food}", 1), ("{checking}", -1), first=3),
        InvalidError,
    ),
    "with a pair more after it was settled": (
        REVERSAL
        + lines(("{food}", -40), ("{checking}", 40))
        + "SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED;"
        + lines(("{food}", 1), ("{checking}", -1), first=3),
        InvalidError,
    ),
    "of an open entry that then grows": (
        PAIR
        + REVERSAL.replace("{entry}", "{new}").replace("{new},", "{new2},", 1)
        + lines(("{food}", -10), ("{checking}", 10), entry="{new2}")
        + "SET CONSTRAINTS ALL IMMEDIATE;"
        + lines(("{food}", 1), ("{checking}", -1), first=3),
        SealedError,
    ),
    "that names nothing": (
        PAIR.replace("date)", "date, kind)", 1).replace("{day})", "{day}, 'reversal')", 1),
        InvalidError,
    ),
}


@pytest.mark.parametrize("name", REVERSALS)
async def test_a_reversal_is_the_exact_opposite(steady: Victim, name: str) -> None:
    """An entry that claims to reverse another takes back every account of it, and no more."""
    await assert_refused(steady, *REVERSALS[name])


async def test_a_reversal_by_hand_passes(victim: Victim) -> None:
    """In other lines than the original's, as long as every account is back where it was."""
    await victim.run(REVERSAL + lines(("{food}", -15), ("{checking}", 40), ("{food}", -25)))

    assert await victim.balances() == (0, 0)
