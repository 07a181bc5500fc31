"""Prices by date, the rates that they give, and what amounts are worth at them."""

from __future__ import annotations

import csv
import itertools
import json
import random
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finance import DatabaseManager, NewEntry, NewPosting, NewPrice, UnitOfWork
from finance.errors import (
    AccountNotFoundError,
    AmountError,
    CurrencyError,
    InvalidError,
    PriceNotFoundError,
    UnbalancedEntryError,
)
from finance.repositories.rates import KnownPrice, Rates
from tests.factories import TODAY, entry

REALDATA = Path(__file__).parents[2] / "shared" / "realdata" / "reference" / "datasets__exchange-rates"
DAY = timedelta(days=1)


async def record(uow: UnitOfWork, *prices: tuple[str, object, str, date]) -> int:
    """Record prices, each a currency, a rate, a quote and a day."""
    return await uow.prices.record([NewPrice(*each) for each in prices])  # type: ignore[arg-type]


# --- recording ---------------------------------------------------------------------------------------


async def test_a_price_is_what_was_recorded(uow: UnitOfWork) -> None:
    """With all its decimals, and the currencies are added on first use."""
    added = await uow.prices.record([NewPrice("usd", "0.9512000", "EUR", TODAY, "central bank")])

    found = await uow.prices.rate("USD", "EUR", on=TODAY)
    assert added == 1
    assert (found.value, found.date, found.through) == (Decimal("0.9512000"), TODAY, ("USD", "EUR"))
    assert str(found.value) == "0.9512000"
    row = await uow.prices.get_one(("USD", "EUR", TODAY))
    assert (row.rate, row.source) == (Decimal("0.9512"), "central bank")


async def test_a_better_price_replaces_that_of_its_day(uow: UnitOfWork) -> None:
    """And only what is other is counted."""
    await record(uow, ("USD", "0.95", "EUR", TODAY), ("CHF", "1.05", "EUR", TODAY))

    changed = await record(uow, ("USD", "0.96", "EUR", TODAY), ("CHF", "1.05", "EUR", TODAY))

    assert changed == 1
    assert (await uow.prices.rate("USD", "EUR", on=TODAY)).value == Decimal("0.96")
    assert await record(uow) == 0


async def test_two_prices_of_a_pair_and_day_are_refused(uow: UnitOfWork) -> None:
    """Nobody could say which counts; capitals make no difference."""
    with pytest.raises(InvalidError, match="same pair and day"):
        await record(uow, ("USD", "0.95", "EUR", TODAY), ("usd", "0.96", "eur", TODAY))


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("USD", 0.95, "EUR", TODAY), AmountError),
        (("USD", "0", "EUR", TODAY), AmountError),
        (("USD", "-1", "EUR", TODAY), AmountError),
        (("USD", "NaN", "EUR", TODAY), AmountError),
        (("USD", "1E+24", "EUR", TODAY), AmountError),
        (("EUR", "1", "EUR", TODAY), CurrencyError),
        (("EUR", "1", 5, TODAY), InvalidError),
        (("USD", "1", "EUR", "2026-01-01"), InvalidError),
        (("USD", "1", "EUR", TODAY, "\x00"), InvalidError),
    ],
)
def test_what_is_no_price_is_refused(words: Sequence[Any], error: type[Exception]) -> None:
    """Before it is sent."""
    with pytest.raises(error):
        NewPrice(*words)


async def test_a_currency_that_nobody_knows_is_refused(uow: UnitOfWork) -> None:
    """A commodity is opened first."""
    with pytest.raises(CurrencyError, match=r"currencies\.open"):
        await record(uow, ("ACME", "10", "EUR", TODAY))
    await uow.currencies.open("ACME", exponent=0)
    assert await record(uow, ("ACME", "10", "EUR", TODAY)) == 1


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ("'USD', 'EUR', '2026-01-01', 0", AmountError),
        ("'USD', 'EUR', '2026-01-01', 'NaN'", AmountError),
        ("'USD', 'USD', '2026-01-01', 1", InvalidError),
        ("'USD', 'EUR', 'infinity', 1", InvalidError),
        ("'USD', 'XYZ', '2026-01-01', 1", CurrencyError),
    ],
)
async def test_the_database_refuses_them_too(uow: UnitOfWork, values: str, error: type[Exception]) -> None:
    """Whoever writes them."""
    await record(uow, ("USD", "0.95", "EUR", TODAY))
    with pytest.raises(error):
        async with uow.savepoint():
            await uow.connection.execute(
                f"INSERT INTO prices (ledger_id, currency, quote, date, rate) VALUES ({uow.ledger_id}, {values})"
            )


async def test_prices_are_listed_and_removed(uow: UnitOfWork) -> None:
    """In order of currency, quote and day, a page at a time."""
    await record(uow, ("USD", 2, "EUR", TODAY), ("USD", 1, "EUR", TODAY - DAY), ("CHF", 3, "EUR", TODAY))

    first = await uow.prices.page(limit=2)
    rest = await uow.prices.page(after=first.next_cursor, limit=2)

    assert [(price.currency, price.rate) for price in (*first.items, *rest.items)] == [
        ("CHF", 3),
        ("USD", 1),
        ("USD", 2),
    ]
    await uow.prices.remove(rest.items[0])
    assert (await uow.prices.rate("USD", "EUR", on=TODAY)).value == 1


# --- rates -------------------------------------------------------------------------------------------


async def test_the_newest_price_up_to_the_day_counts(uow: UnitOfWork) -> None:
    """A later one does not, and one that is too old does not either."""
    await record(uow, ("USD", "0.90", "EUR", TODAY - 40 * DAY), ("USD", "0.99", "EUR", TODAY + DAY))

    with pytest.raises(
        PriceNotFoundError, match="no price of USD in EUR on 2026-11-22 and at most 31 days old"
    ) as told:
        await uow.prices.rate("USD", "EUR", on=TODAY)
    assert told.value.currency == "USD"
    assert (await uow.prices.rate("USD", "EUR", on=TODAY, max_age=40 * DAY)).date == TODAY - 40 * DAY
    assert (await uow.prices.rate("USD", "EUR", on=TODAY, max_age=None)).value == Decimal("0.90")
    with pytest.raises(PriceNotFoundError):
        await uow.prices.rate("USD", "EUR", on=TODAY - 41 * DAY, max_age=None)


async def test_a_price_works_both_ways_and_across_others(uow: UnitOfWork) -> None:
    """The inverse and the cross rate say by what way, and how old they are."""
    await uow.currencies.open("ACME", exponent=0)
    await record(
        uow, ("ACME", "8", "USD", TODAY - 3 * DAY), ("EUR", "1.25", "USD", TODAY), ("EUR", "0.8", "GBP", TODAY)
    )

    inverse = await uow.prices.rate("USD", "EUR", on=TODAY)
    cross = await uow.prices.rate("ACME", "GBP", on=TODAY)

    assert (inverse.value, inverse.through) == (Decimal("0.8"), ("USD", "EUR"))
    assert (cross.value, cross.date) == (Decimal("5.12"), TODAY - 3 * DAY)
    assert cross.through == ("ACME", "USD", "EUR", "GBP")
    assert (await uow.prices.rate("ACME", "ACME", on=TODAY)).value == 1


@pytest.mark.parametrize(
    ("prices", "value", "through"),
    [
        pytest.param([("A", "2", "B", 0), ("B", "0.4", "A", 0)], "2", ("A", "B"), id="as recorded on the same day"),
        pytest.param([("A", "2", "B", 1), ("B", "0.4", "A", 0)], "2.5", ("A", "B"), id="the newer of both ways"),
        pytest.param([("A", "2", "B", 9), ("A", "3", "C", 0), ("C", "1", "B", 0)], "2", ("A", "B"), id="fewest steps"),
        pytest.param(
            [("A", "2", "C", 5), ("C", "1", "B", 0), ("A", "7", "D", 1), ("D", "1", "B", 1)],
            "7",
            ("A", "D", "B"),
            id="then the freshest",
        ),
        pytest.param(
            [("A", "2", "D", 0), ("D", "1", "B", 0), ("A", "7", "C", 0), ("C", "1", "B", 0)],
            "7",
            ("A", "C", "B"),
            id="then by their codes",
        ),
    ],
)
def test_one_way_is_taken_whatever_their_order(
    prices: list[tuple[str, str, str, int]], value: str, through: tuple[str, ...]
) -> None:
    """Which of several ways counts does not depend on the order in which they are known."""
    known = [KnownPrice(one, other, Decimal(rate), TODAY - age * DAY) for one, rate, other, age in prices]
    for order in itertools.permutations(known):
        rate = Rates.of(order, {}, TODAY, None).rate("A", "B")
        assert (rate.value, rate.through) == (Decimal(value), through)


_MONEY = st.decimals(min_value="-1e12", max_value="1e12", places=2)
_RATE = st.decimals(min_value="0.000001", max_value="1e9", places=6).filter(bool)


@given(_MONEY, _RATE)
def test_a_value_is_the_exact_product_rounded_once(amount: Decimal, rate: Decimal) -> None:
    """Half to even, at the decimals of the quote."""
    rates = Rates.of([KnownPrice("A", "B", rate, TODAY)], {"A": 2, "B": 2}, TODAY, None)

    value = rates.value(amount, "A", "B")

    assert abs(int(value.scaleb(2)) * 10**6 - int(amount.scaleb(2)) * int(rate.scaleb(6))) * 2 <= 10**6
    assert rates.value(amount, "A", "A") == amount
    with pytest.raises(AmountError):
        rates.value(0.5, "A", "B")  # type: ignore[arg-type]


async def test_the_day_and_the_age_are_checked(uow: UnitOfWork) -> None:
    """Before anything is asked."""
    with pytest.raises(InvalidError, match="on "):
        await uow.prices.rates(on="2026-01-01")  # type: ignore[arg-type]
    with pytest.raises(InvalidError, match="max_age"):
        await uow.prices.rates(on=TODAY, max_age=-DAY)


async def test_real_rates_of_fifty_years(uow: UnitOfWork) -> None:
    """17,237 monthly rates of 34 countries to the dollar are recorded, and found again in little time."""
    file = REALDATA / "monthly.csv"
    if not file.exists():
        pytest.skip("the folder with real data is not there")
    expected = json.loads(file.with_name("monthly.csv.expected.json").read_text())
    rows = list(csv.reader(file.read_text().splitlines()))[1:]
    names = sorted({country for _, country, _ in rows})
    codes = {name: f"C{number:02}" for number, name in enumerate(names)}
    for code in codes.values():
        await uow.currencies.open(code, exponent=2)

    prices = [NewPrice("USD", rate, codes[name], date.fromisoformat(day)) for day, name, rate in rows if Decimal(rate)]
    assert (len(rows), len(names), rows[0][0]) == (expected["rows"], expected["countries"], expected["first"])
    assert await uow.prices.record(prices) == len(prices)

    plan = await uow.connection.fetch("SELECT max(date) AS newest, count(*) AS count FROM prices")
    assert (str(plan[0]["newest"]), plan[0]["count"]) == (expected["last"], len(prices))
    for each in prices[:: len(prices) // 50]:
        rate = await uow.prices.rate("USD", each.quote, on=each.date + 20 * DAY)
        assert (rate.value, rate.date) == (each.value, each.date)


# --- exchanging, and what it gains -------------------------------------------------------------------


async def exchange(uow: UnitOfWork, euros: str, dollars: str, on: date = TODAY) -> NewEntry:
    """Buy dollars for euros."""
    giro = await uow.accounts.get_or_open("Assets:Giro", currency="EUR")
    wallet = await uow.accounts.get_or_open("Assets:Wallet", currency="USD")
    return NewEntry(on, "Exchange", [NewPosting(giro, f"-{euros}"), NewPosting(wallet.id, dollars)])


async def test_an_exchange_balances_in_each_currency(db: DatabaseManager) -> None:
    """Four lines, two of them on the conversion accounts; posted again, it is a replay."""
    async with db.unit_of_work("Exchanges", base_currency="EUR") as uow:
        deal = await exchange(uow, "90", "100")
        posted = await uow.journal.exchange(deal)
        again = await uow.journal.exchange(deal)

        stored = await uow.journal.get_one(posted.id)
        names = {account.id: account.name async for account in uow.accounts.stream()}
        assert [(names[line.account_id], line.amount, line.currency) for line in stored.postings] == [
            ("Assets:Giro", -90, "EUR"),
            ("Assets:Wallet", 100, "USD"),
            ("Equity:Conversions", 90, "EUR"),
            ("Equity:Conversions", -100, "USD"),
        ]
        assert (posted.is_replay, again.is_replay) == (False, True)
        ledger = uow.ledger_id
    assert (await db.verify(ledger)).problems == ()


async def test_fees_and_more_currencies_go_along(uow: UnitOfWork) -> None:
    """Whatever sums to zero over all of them."""
    deal = await exchange(uow, "90", "100")
    fees = await uow.accounts.open("Expenses:Fees", currency="EUR")
    chest = await uow.accounts.open("Assets:Chest", currency="CHF")
    more = [NewPosting(fees, "1.50"), NewPosting(chest, "3")]

    posted = await uow.journal.exchange(NewEntry(TODAY, "Exchange", [*deal.postings, *more]))

    lines = (await uow.journal.get_one(posted.id)).postings
    assert [(line.currency, line.amount) for line in lines[4:]] == [
        ("CHF", -3),
        ("EUR", Decimal("88.50")),
        ("USD", -100),
    ]


@pytest.mark.parametrize(
    ("amounts", "currency"),
    [
        pytest.param(["-90", "89"], "EUR", id="one currency"),
        pytest.param(["90", "-90"], None, id="balanced"),
    ],
)
async def test_what_exchanges_nothing_is_refused(uow: UnitOfWork, amounts: list[str], currency: str | None) -> None:
    """A mistake in one currency is not an exchange."""
    one = await uow.accounts.open("Assets:One", currency="EUR")
    other = await uow.accounts.open("Assets:Other", currency="EUR")
    with pytest.raises(UnbalancedEntryError) as told:
        await uow.journal.exchange(NewEntry(TODAY, "?", [NewPosting(one, amounts[0]), NewPosting(other, amounts[1])]))
    assert told.value.currency == currency


async def test_what_only_comes_in_is_refused(uow: UnitOfWork) -> None:
    """Something has to be given for it."""
    deal = await exchange(uow, "90", "100")
    lines = [replace_amount(line, line.value.copy_abs()) for line in deal.postings]
    with pytest.raises(UnbalancedEntryError):
        await uow.journal.exchange(NewEntry(TODAY, "?", lines))
    with pytest.raises(AccountNotFoundError):
        await uow.journal.exchange(NewEntry(TODAY, "?", [lines[0], NewPosting(10**9, -1)]))


def replace_amount(line: NewPosting, amount: Decimal) -> NewPosting:
    """Make *line* with another amount."""
    return NewPosting(line.account, amount)


async def test_gains_are_told_and_not_posted(uow: UnitOfWork) -> None:
    """A dollar that was bought at 0.90 and is worth 0.95 has gained; half of it sold at 0.96 keeps its gain."""
    await uow.journal.exchange(await exchange(uow, "90", "100", on=TODAY - 10 * DAY))
    await record(uow, ("USD", "0.90", "EUR", TODAY - 10 * DAY), ("USD", "0.95", "EUR", TODAY - DAY))
    entries = await uow.connection.fetchval("SELECT count(*) FROM journal_entries WHERE ledger_id = $1", uow.ledger_id)

    before = await uow.reports.exchange_gains(on=TODAY - 10 * DAY)
    after = await uow.reports.exchange_gains(on=TODAY)

    assert (before.total, after.total) == (0, 5)
    assert [(line.currency, line.amount, line.value) for line in after.lines] == [("EUR", -90, -90), ("USD", 100, 95)]
    sale = await exchange(uow, "48", "50")
    back = [replace_amount(line, line.value.copy_negate()) for line in sale.postings]
    await uow.journal.exchange(NewEntry(TODAY, "Exchange back", back))
    assert (await uow.reports.exchange_gains(on=TODAY)).total == Decimal("5.50")
    assert (
        await uow.connection.fetchval("SELECT count(*) FROM journal_entries WHERE ledger_id = $1", uow.ledger_id)
        == entries + 1
    )


async def test_net_worth_is_valued_or_refused(uow: UnitOfWork) -> None:
    """Unlike currencies are never added as if they were alike."""
    await uow.journal.exchange(await exchange(uow, "90", "100"))
    loan = await uow.accounts.open("Liabilities:Loan", currency="EUR")
    giro = await uow.accounts.get_or_open("Assets:Giro", currency="EUR")
    await uow.journal.post(entry(giro, loan, "1000"))

    with pytest.raises(PriceNotFoundError):
        await uow.reports.net_worth_valued(on=TODAY)
    await record(uow, ("USD", "0.953", "EUR", TODAY))
    in_euros = await uow.reports.net_worth_valued(on=TODAY)
    in_dollars = await uow.reports.net_worth_valued(on=TODAY, quote="USD")

    assert (in_euros.quote, in_euros.total) == ("EUR", Decimal("5.30"))
    assert [(line.currency, line.amount) for line in in_euros.lines] == [("EUR", -90), ("USD", 100)]
    assert in_dollars.total == 100 + (Decimal(-90) / Decimal("0.953")).quantize(Decimal("0.01"))


async def test_net_worth_by_month_is_valued_at_each_months_rates(uow: UnitOfWork) -> None:
    """Each point is what the day's own valuation says; what has no rate on a day is named and left out."""
    await uow.journal.exchange(await exchange(uow, "90", "100", on=date(2024, 1, 10)))
    loan = await uow.accounts.open("Liabilities:Loan", currency="CHF")
    chest = await uow.accounts.open("Assets:Chest", currency="CHF")
    await uow.journal.post(entry(chest, loan, "30", on=date(2024, 2, 29)))
    await record(
        uow,
        ("USD", "0.90", "EUR", date(2023, 1, 1)),
        ("USD", "0.95", "EUR", date(2024, 1, 31)),
        ("EUR", "1.10", "USD", date(2024, 2, 29)),
        ("USD", "0.5", "EUR", date(2024, 3, 1)),
        ("CHF", "1.05", "EUR", date(2024, 4, 15)),
    )

    worth = await uow.reports.monthly_net_worth_valued(date(2023, 12, 20), date(2024, 4, 20))
    never = await uow.reports.monthly_net_worth_valued(date(2024, 1, 1), date(2024, 1, 31), quote="XXX")

    assert worth.quote == "EUR"
    assert [(point.on, point.unpriced) for point in worth.points] == [
        (date(2023, 12, 31), ()),
        (date(2024, 1, 31), ()),
        (date(2024, 2, 29), ("CHF",)),
        (date(2024, 3, 31), ("CHF",)),
        (date(2024, 4, 20), ("USD",)),
    ]
    assert [point.net for point in worth.points] == [0, 5, Decimal("0.91"), -40, -90]
    assert worth.points[-1].assets == Decimal("-58.50")
    assert worth.points[-1].liabilities == Decimal("31.50")
    january = await uow.reports.net_worth_valued(on=date(2024, 1, 31))
    assert january.total == worth.points[1].net
    assert never.points[0].unpriced == ("EUR", "USD")


async def test_rates_of_days_are_those_of_each_day(uow: UnitOfWork) -> None:
    """Whatever prices there are before, between and behind the days."""
    lot = random.Random(7)
    days = sorted({date(2024, 1, 1) + lot.randrange(400) * DAY for _ in range(12)})
    prices = {
        (lot.choice(("USD", "CHF", "JPY")), date(2023, 10, 1) + lot.randrange(600) * DAY): str(lot.randrange(1, 99))
        for _ in range(60)
    }
    await record(uow, *((code, rate, "EUR", on) for (code, on), rate in prices.items()))
    together = await uow.prices.rates_of_days(days, max_age=None)
    for on, rates in zip(days, together, strict=True):
        alone = await uow.prices.rates(on=on, max_age=None)
        assert rates == alone
        assert rates.rate("USD", "JPY") == alone.rate("USD", "JPY")
    assert len({rates.rate("USD", "EUR").date for rates in together}) > 3
