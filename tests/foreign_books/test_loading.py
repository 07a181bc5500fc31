"""Books that are loaded balance in every currency, once, and as their file says."""

from __future__ import annotations

import asyncio
import dataclasses
from datetime import date
from decimal import Decimal

import pytest

from finance import DatabaseManager, Ledger, NewEntry, NewPosting, NewPrice, UnitOfWork
from finance.errors import AccountClosedError, BooksFileError, InvalidError, PeriodClosedError
from finance.foreign_books import BookAccount, BookAssertion, BookCommodity, load_books
from finance.models import AccountType

from .books import balances, books, entry, lunch, posting


async def test_the_same_books_again_add_nothing(uow: UnitOfWork) -> None:
    """Ids are made of what an entry moves: the second load finds all of them."""
    file = books(lunch(), lunch("7"), prices=(NewPrice("AAPL", "100", "EUR", date(2020, 1, 1)),))
    first = await load_books(uow, file)
    again = await load_books(uow, file)
    assert (first.entries, first.postings, first.accounts, first.prices, first.known) == (2, 4, 2, 1, 0)
    assert (again.entries, again.postings, again.accounts, again.prices, again.known) == (0, 0, 0, 0, 2)
    assert again.reworded == 0
    assert await balances(uow) == {
        ("Assets:Cash", "EUR"): Decimal("-19.50"),
        ("Expenses:Food", "EUR"): Decimal("19.50"),
    }


async def test_equal_entries_are_as_many_as_they_are(uow: UnitOfWork) -> None:
    """Two coffees of one day are two; a third one that the file has got since is new."""
    await load_books(uow, books(lunch("3"), lunch("3")))
    grown = await load_books(uow, books(lunch("3"), lunch("3", line=9), lunch("3"), lunch("4", on=date(1960, 2, 29))))
    assert (grown.entries, grown.known) == (2, 2)
    assert (await balances(uow))["Expenses:Food", "EUR"] == 13


async def test_words_that_have_changed_make_no_new_entry(uow: UnitOfWork) -> None:
    """Who mends a description has the same entry; the books keep the words that they have, and say so."""
    await load_books(uow, books(lunch(description="Lunhc")))
    again = await load_books(uow, books(lunch(description="Lunch", line=7)))
    assert (again.entries, again.known, again.reworded) == (0, 1, 1)


async def test_an_entry_that_is_gone_from_the_file_refuses_it(uow: UnitOfWork) -> None:
    """Changed in the file, it would be twice in the books; once it is reversed, the file is taken."""
    await load_books(uow, books(lunch("10"), lunch("20")))
    with pytest.raises(
        InvalidError, match="not in it any more, or move something else now: 1, the first of them"
    ) as caught:
        await load_books(uow, books(lunch("10"), lunch("21")))
    stored = [row async for row in uow.journal.stream()]
    (gone,) = [row for row in stored if str(row.id) in str(caught.value)]
    await uow.journal.reverse(gone.id)
    mended = await load_books(uow, books(lunch("10"), lunch("21")))
    assert (mended.entries, mended.known) == (1, 1)
    assert (await balances(uow))["Expenses:Food", "EUR"] == 31


async def test_a_file_that_is_refused_leaves_nothing(db: DatabaseManager) -> None:
    """The last entry does not balance: no currency, account, price or entry of the file is there."""
    ledger = await db.ledgers.create("Refused", base_currency="EUR")
    broken = books(
        entry(posting("Assets:Bag", "1", "GOLD"), posting("Equity:Start", "-1", "GOLD")),
        entry(posting("Assets:Cash", "1"), posting("Expenses:Food", "-1.02"), line=17),
        prices=(NewPrice("GOLD", "3", "EUR", date(2020, 1, 1)),),
    )
    async with db.unit_of_work(ledger) as uow:
        with pytest.raises(
            BooksFileError,
            match=r"^books\.test, line 17: the entry of 2020-01-01 does not balance: it is -0\.02 EUR off",
        ):
            await load_books(uow, broken)
        # The same unit of work goes on without what was undone.
        assert [code.code async for code in uow.currencies.stream()] == ["EUR"]
    assert await db.fetchval("SELECT count(*) FROM accounts WHERE ledger_id = $1", ledger.id) == 0
    assert (await db.verify(ledger)).entries == 0


async def test_a_closed_period_refuses_the_whole_file(db: DatabaseManager) -> None:
    """Found at the second entry, when accounts are open and the first one is written."""
    ledger = await db.ledgers.create("Closed", base_currency="EUR")
    async with db.unit_of_work(ledger) as uow:
        await uow.ledgers.close_through(ledger.id, date(2020, 6, 30))
    with pytest.raises(PeriodClosedError):
        async with db.unit_of_work(ledger) as uow:
            await load_books(uow, books(lunch(on=date(2020, 12, 1)), lunch()))
    assert await db.fetchval("SELECT count(*) FROM accounts WHERE ledger_id = $1", ledger.id) == 0


async def test_a_purchase_at_cost_balances_in_each_currency(uow: UnitOfWork) -> None:
    """What is bought and what is paid are against conversion accounts; what the lot cost is kept with the entry."""
    bought = entry(
        posting("Assets:Shares", "3", "ACME", "30.015 EUR", lot={"cost": "10.005 EUR", "on": "2020-01-01"}),
        posting("Assets:Cash", "-30.01"),
    )
    loaded = await load_books(uow, books(bought))
    assert await balances(uow) == {
        ("Assets:Cash", "EUR"): Decimal("-30.01"),
        ("Assets:Shares", "ACME"): 3,
        ("Equity:Conversions", "EUR"): Decimal("30.01"),
        ("Equity:Conversions", "ACME"): -3,
    }
    # No posting can say half a cent: the residual is exact in the result and with the entry.
    assert loaded.residuals == {"EUR": Decimal("0.005")}
    (stored,) = [row async for row in uow.journal.stream()]
    assert stored.details == {
        "from": {"program": "test", "file": "books.test"},
        "lots": [{"line": 1, "cost": "10.005 EUR", "on": "2020-01-01"}],
        "residuals": {"EUR": "0.005"},
    }


async def test_a_residual_that_a_posting_can_say_is_rounding(uow: UnitOfWork) -> None:
    """A cent within the tolerance goes to its own account, and the conversions have what the lot cost."""
    bought = entry(posting("Assets:Shares", "3", "ACME", "99.99 EUR"), posting("Assets:Cash", "-100"))
    await load_books(uow, books(bought))
    found = await balances(uow)
    assert found["Equity:Rounding", "EUR"] == Decimal("0.01")
    assert found["Equity:Conversions", "EUR"] == Decimal("99.99")


@pytest.mark.parametrize(("tolerance", "is_taken"), [("0.02", True), ("0.019", False), (None, False)])
async def test_the_tolerance_is_what_the_user_says(uow: UnitOfWork, tolerance: str | None, *, is_taken: bool) -> None:
    """One cent unless said otherwise; up to it and not a hair more."""
    off = books(entry(posting("Assets:Cash", "100.10"), posting("Equity:Start", "-100.12")))
    if is_taken:
        await load_books(uow, off, tolerance=tolerance)
        assert (await balances(uow))["Equity:Rounding", "EUR"] == Decimal("0.02")
    else:
        with pytest.raises(BooksFileError, match="line 1: the entry of 2020-01-01 does not balance"):
            await load_books(uow, off, tolerance=tolerance)


async def test_finer_amounts_than_iso_4217_allows_are_refused_or_allowed(uow: UnitOfWork) -> None:
    """Nothing is rounded: the user gives the currency more decimals, or the file is refused with its line."""
    fine = books(lunch("1.005", line=3))
    with pytest.raises(BooksFileError, match=r"line 3: an amount has 3 decimals, and EUR has 2.*--decimals EUR=3"):
        await load_books(uow, fine)
    await load_books(uow, fine, decimals={"EUR": 3})
    assert (await balances(uow))["Expenses:Food", "EUR"] == Decimal("1.005")


async def test_commodities_of_ones_own_have_the_decimals_that_they_need(uow: UnitOfWork) -> None:
    """Also more of them once the file has grown; items with names of any kind are commodities."""
    item = "Ring of the \u00c6sir, +1"
    await load_books(uow, books(entry(posting("Assets:Bag", "1", item), posting("Equity:Found", "-1", item))))
    assert (await uow.currencies.get_one(item)).exponent == 0
    grown = books(
        entry(posting("Assets:Bag", "1", item), posting("Equity:Found", "-1", item)),
        entry(posting("Assets:Bag", "-0.1250", item), posting("Equity:Found", "0.125", item)),
    )
    await load_books(uow, grown)
    assert (await uow.currencies.get_one(item)).exponent == 3
    assert (await balances(uow))["Assets:Bag", item] == Decimal("0.875")


async def test_a_share_that_is_called_like_a_currency_is_no_currency(uow: UnitOfWork) -> None:
    """Where the program tells them apart: ALL has two decimals as the lek, and as many as it needs as a share."""
    traded = entry(posting("Assets:Shares", "1.2345", "ALL"), posting("Equity:Start", "-1.2345", "ALL"))
    await load_books(uow, books(traded, commodities=(BookCommodity("ALL", "Allstate", 3, is_currency=False),)))
    assert (await uow.currencies.get_one("ALL")).exponent == 4


async def test_symbols_are_called_as_the_user_says(uow: UnitOfWork) -> None:
    """In postings, weights, prices and assertions; the ids do not change with the name."""
    bought = entry(posting("assets:shares", "1", "ACME", "5 $"), posting("assets:cash", "-5", "$"))
    file = books(
        bought,
        prices=(NewPrice("ACME", "5", "$", date(2020, 1, 1)),),
        assertions=(BookAssertion("assets:cash", "$", Decimal(-5), date(2020, 1, 1), "books.test"),),
    )
    loaded = await load_books(uow, file, currencies={"$": "USD"})
    assert loaded.failed == ()
    assert (await balances(uow))["assets:cash", "USD"] == -5
    assert (await uow.prices.rate("ACME", "USD", on=date(2020, 1, 1))).value == 5


async def test_an_amount_in_no_currency_is_refused(uow: UnitOfWork) -> None:
    """Unless the user says which it is."""
    bare = books(entry(posting("Assets:Cash", "5", ""), posting("Equity:Start", "-5", ""), line=4))
    with pytest.raises(BooksFileError, match="line 4: an amount is in no currency; say which"):
        await load_books(uow, bare)
    await load_books(uow, bare, currencies={"": "CHF"})
    assert (await balances(uow))["Assets:Cash", "CHF"] == 5


async def test_types_come_from_the_user_the_file_and_the_root(uow: UnitOfWork) -> None:
    """In this order; an account of which nothing says it is equity, and that is told."""
    names = ("Kasse:Klein", "revenues:sales", "Debts:Bank", "debt", "Sparschwein", "expenses", "Assets:Odd")
    entries = [entry(posting(name, "1"), posting("Equity:Start", "-1")) for name in names]
    declared = (BookAccount("Kasse:Klein", AccountType.ASSET), BookAccount("Assets:Odd", AccountType.EXPENSE))
    loaded = await load_books(uow, books(*entries, accounts=declared), types={"Sparschwein": "asset"})
    types = {account.name: account.type async for account in uow.accounts.stream()}
    assert types == {
        "Kasse:Klein": "asset", "revenues:sales": "income", "Debts:Bank": "liability", "debt": "liability",
        "Sparschwein": "asset", "expenses": "expense", "Assets:Odd": "expense", "Equity:Start": "equity",
    }  # fmt: skip
    assert loaded.remarks == ()
    unsaid = await load_books(
        uow, dataclasses.replace(books(entry(posting("Odd", "1"), posting("Odder", "-1"))), file="b")
    )
    assert unsaid.remarks[0].startswith(
        "accounts of which nothing says what they are, taken for equity: 2, below Odd, Odder;"
    )


async def test_an_account_of_another_type_in_the_ledger_refuses_the_file(uow: UnitOfWork) -> None:
    """Two meanings of one name cannot be merged."""
    await uow.accounts.open("Assets:Cash", currency="EUR", type="equity")
    with pytest.raises(InvalidError, match=r"'Assets:Cash' is of type equity in this ledger, and asset in books\.test"):
        await load_books(uow, books(lunch()))


async def test_closed_accounts_are_closed_after_all_is_posted(uow: UnitOfWork) -> None:
    """They are opened again for what a grown file has more, and not where the user has closed them."""
    closed = BookAccount("Expenses:Food", AccountType.EXPENSE, ("EUR",), date(2019, 1, 1), date(2020, 6, 1))
    await load_books(uow, books(lunch(), accounts=(closed,)))
    food = await uow.accounts.get_by_name("Expenses:Food")
    assert food is not None
    assert (food.opened_on, food.closed_on) == (date(2019, 1, 1), date(2020, 6, 1))
    await load_books(uow, books(lunch(), lunch("1"), accounts=(closed,)))
    assert (await uow.accounts.get_one(food.id)).closed_on == date(2020, 6, 1)
    assert await uow.accounts.balance(food.id) == Decimal("13.50")
    cash = await uow.accounts.get_by_name("Assets:Cash")
    assert cash is not None
    await uow.accounts.close(cash, on=date(2020, 7, 1))
    with pytest.raises(AccountClosedError):
        await load_books(uow, books(lunch(), lunch("1"), lunch("2"), accounts=(closed,)))


async def test_entries_that_move_nothing_are_left_out_and_counted(uow: UnitOfWork) -> None:
    """Postings of zero, an entry of none but them, and one without postings."""
    nothing = entry(posting("Assets:Cash", "0.00"), posting("Expenses:Food", "0"))
    mixed = entry(posting("Assets:Cash", "-1"), posting("Expenses:Food", "1"), posting("Expenses:Tip", "0"))
    loaded = await load_books(uow, books(nothing, entry(), mixed))
    assert (loaded.entries, loaded.postings, loaded.empty, loaded.zeros) == (1, 2, 2, 3)


async def test_a_single_posting_that_counts_for_nothing_balances(uow: UnitOfWork) -> None:
    """Shares that came for free: against their own conversion account."""
    await load_books(uow, books(entry(posting("Assets:Shares", "10", "ACME", "0 EUR"))))
    assert await balances(uow) == {("Assets:Shares", "ACME"): 10, ("Equity:Conversions", "ACME"): -10}


async def test_a_gain_without_units_counts_for_its_value(uow: UnitOfWork) -> None:
    """GnuCash books a gain as a split of no shares and some value: what it says of income stays."""
    gain = entry(posting("Assets:Shares", "0", "ACME", "100 EUR"), posting("Income:Gains", "-100"))
    await load_books(uow, books(gain))
    assert await balances(uow) == {("Income:Gains", "EUR"): -100, ("Equity:Conversions", "EUR"): 100}


async def test_virtual_postings_are_balanced_by_an_account_of_their_own(uow: UnitOfWork) -> None:
    """They take no part in the balance of their entry, and their accounts keep the figures of the file."""
    budget = posting("Liabilities:Tithe", "-0.12", is_virtual=True)
    await load_books(uow, books(entry(posting("Assets:Cash", "1"), posting("Income:Pay", "-1"), budget)))
    assert await balances(uow) == {
        ("Assets:Cash", "EUR"): 1,
        ("Income:Pay", "EUR"): -1,
        ("Liabilities:Tithe", "EUR"): Decimal("-0.12"),
        ("Equity:Virtual", "EUR"): Decimal("0.12"),
    }


async def test_entries_of_many_postings_keep_their_order_and_memos(uow: UnitOfWork) -> None:
    """Eighteen lines, as a salary has them."""
    lines = [posting(f"Expenses:Tax {number}", "1", memo=f"no. {number}") for number in range(17)]
    await load_books(uow, books(entry(*lines, posting("Assets:Cash", "-17"), details={"tags": ["pay"]})))
    (stored,) = (await uow.journal.page()).items
    assert [each.memo for each in stored.postings] == [*(f"no. {number}" for number in range(17)), None]
    assert stored.details["test"] == {"tags": ["pay"]}


async def test_claims_are_compared_with_the_books(uow: UnitOfWork) -> None:
    """With those below, less what the day books later, within the tolerance; nothing is enforced."""
    early = entry(posting("Assets:Bank:Giro", "100"), posting("Equity:Start", "-100"))
    late = entry(posting("Assets:Bank", "10"), posting("Equity:Start", "-10"), on=date(2020, 2, 15))

    def claim(amount: str, on: date, account: str = "Assets:Bank", **more: object) -> BookAssertion:
        return BookAssertion(account, "EUR", Decimal(amount), on, "books.test", 5, **more)  # type: ignore[arg-type]

    held = (
        claim("0", date(2019, 12, 31)),
        claim("0", date(2020, 2, 14)),
        claim("100", date(2020, 2, 14), with_children=True),
        claim("110", date(2020, 2, 15), with_children=True),
        claim("10", date(2020, 3, 1)),
        claim("7", date(2020, 2, 15), later=Decimal(3)),
        claim("10.005", date(2020, 3, 1), tolerance=Decimal("0.005")),
        claim("0", date(2020, 3, 1), account="Assets:Unknown"),
    )
    wrong = claim("99", date(2020, 2, 29), with_children=True)
    loaded = await load_books(uow, books(early, late, assertions=(*held, wrong)))
    assert loaded.assertions == 9
    (failed,) = loaded.failed
    assert (failed.claimed, failed.found, failed.difference, failed.line) == (99, 110, 11, 5)


async def test_the_last_price_of_a_pair_and_day_counts(uow: UnitOfWork) -> None:
    """A better one replaces it when the file is loaded again."""
    day = date(2020, 1, 1)
    prices = (NewPrice("ACME", "1", "EUR", day), NewPrice("ACME", "2", "EUR", day))
    assert (await load_books(uow, books(prices=prices))).prices == 1
    assert (await uow.prices.rate("ACME", "EUR", on=day)).value == 2
    assert (await load_books(uow, books(prices=(NewPrice("ACME", "3", "EUR", day),)))).prices == 1


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (
            entry(posting("Assets::Cash", "1"), posting("Equity:A", "-1"), line=2),
            "'Assets::Cash' is no name of an account",
        ),
        (
            entry(posting("Assets:C", "1", "x" * 65), posting("Equity:A", "-1", "x" * 65), line=2),
            "is no name of a currency",
        ),
        (lunch("1" + "0" * 24), "is too large"),
        (lunch(description="half \ud800"), "half of a surrogate pair"),
        (entry(posting("A", "1", "C"), posting("B", "-1." + "0" * 18 + "1", "C")), "has 19 decimals"),
    ],
)
async def test_what_no_ledger_can_hold_is_refused(uow: UnitOfWork, bad: object, reason: str) -> None:
    """As an error of the file."""
    with pytest.raises(BooksFileError, match=reason):
        await load_books(uow, books(bad))  # type: ignore[arg-type]


async def test_books_that_were_there_before_stay(db: DatabaseManager) -> None:
    """A file joins what the ledger has, and the books agree with themselves."""
    ledger: Ledger = await db.ledgers.create("Joined", base_currency="EUR")
    async with db.unit_of_work(ledger) as uow:
        cash = await uow.accounts.open("Assets:Cash", currency="EUR")
        start = await uow.accounts.open("Equity:Start", currency="EUR")
        await uow.journal.post(NewEntry(date(2019, 1, 1), "Start", [NewPosting(cash, 100), NewPosting(start, -100)]))
        await load_books(uow, books(lunch()))
        assert (await balances(uow))["Assets:Cash", "EUR"] == Decimal("87.50")
    assert (await db.verify(ledger)).is_clean


async def test_two_loads_at_once_take_turns(db: DatabaseManager) -> None:
    """The second one finds what the first has posted."""
    ledger = await db.ledgers.create("Both", base_currency="EUR")

    async def load() -> int:
        async with db.unit_of_work(ledger) as uow:
            return (await load_books(uow, books(lunch(), lunch("2")))).entries

    assert sorted(await asyncio.gather(load(), load())) == [0, 2]
