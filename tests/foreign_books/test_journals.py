"""Journals are what their own programs say they are."""

from __future__ import annotations

import importlib.util
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from finance import UnitOfWork
from finance.errors import BooksFileError
from finance.foreign_books import load_books, read_books

from .books import NEEDS, balances, labels, written

beancount = pytest.mark.skipif(importlib.util.find_spec("beancount") is None, reason="beancount is not installed")
hledger, ledger = NEEDS["hledger"], NEEDS["ledger"]

BEANCOUNT = """\
option "name_assets" "Vermoegen"
option "operating_currency" "EUR"
2019-01-01 commodity ACME
  name: "Acme Inc."
2019-01-01 open Vermoegen:Cash EUR
  iban: "DE1"
2019-01-01 open Vermoegen:Broker:Shares
2019-01-01 open Vermoegen:Broker
2019-01-01 open Vermoegen:Spare CHF,JPY
2019-01-01 open Equity:Start
2019-01-01 open Income:Gains
2019-01-05 pad Vermoegen:Cash Equity:Start
2019-01-06 balance Vermoegen:Cash 1000.00 EUR
2019-02-01 balance Vermoegen:Cash 1000.00 EUR
2019-02-01 ! "Broker" "Buy; \\"cheap\\"" #tag ^link
  note: "first"
  Vermoegen:Broker:Shares  4 ACME {10.25 EUR, "lot 1"}
    place: "Paris"
  Vermoegen:Cash  -41.00 EUR
2019-03-01 * "Sell"
  Vermoegen:Broker:Shares  -1 ACME {} @ 12 EUR
  Vermoegen:Cash  12.00 EUR
  Income:Gains
2019-03-02 price ACME 12.10 EUR
2019-03-03 balance Vermoegen:Broker 3 ACME
2019-03-04 balance Vermoegen:Cash 971.02 EUR
2019-03-04 note Vermoegen:Cash "hello"
2019-04-01 close Income:Gains
""".splitlines()

HLEDGER = """\
account Kasse  ; type: A
commodity 1.000,00 EUR
P 2019-03-02 ACME 1.012,105 EUR
P 2019-03-02 "odd one" £ 7
2019-02-01 ! (17) Broker | Buy  ; first, tag: value
    assets:shares    4 ACME @ 10,25 EUR  ; Paris
    Kasse  = -41,00 EUR
2019-02-02 swap
    assets:dollars   $10
    Kasse   -9,00 EUR
2019-02-03 virtual
    (budget:food)    5,00 EUR
    [budget:a]    1,00 EUR
    [budget:b]
    Kasse    -1,00 EUR = -51,00 EUR
    expenses:food
2019-02-03 same day
    Kasse    2,00 EUR
    income:found
2019-02-04 sold
    assets:shares   -1 ACME @@ 12,00 EUR
    Kasse    12,00 EUR = 12,01 EUR
""".splitlines()

LEDGER = """\
= /^Income/
  (Liabilities:Tithe)    0.10
P 2019/03/02 ACME 12.105 EUR
2019/02/01=2019/02/05 ! (17) Broker & <Co>  ; first
    ; Key: value
    Assets:Shares    4 ACME {10.25 EUR} @ 10.30 EUR  ; Paris
    Assets:Cash    -41.20 EUR
    Income:Gains
2019/02/02 Items
    Assets:Bag    2 "Ring, +1" @@ 3 EUR
    Assets:Cash
2019/02/03 Pay
    Assets:Cash    100 EUR
    Income:Pay
""".splitlines()


@beancount
async def test_a_journal_of_beancount(uow: UnitOfWork, tmp_path: Path) -> None:
    """Lots, pads, metadata, names of roots of one's own, closings, prices, and claims that hold or do not."""
    path = written(tmp_path / "-books.beancount", BEANCOUNT)
    books = read_books(path)
    assert list(tmp_path.iterdir()) == [path]
    assert books.base_currency == "EUR"
    loaded = await load_books(uow, books)
    assert await balances(uow) == {
        ("Vermoegen:Cash", "EUR"): 971,
        ("Vermoegen:Broker:Shares", "ACME"): 3,
        ("Equity:Start", "EUR"): -1000,
        ("Income:Gains", "EUR"): Decimal("-1.75"),
        ("Equity:Conversions", "EUR"): Decimal("30.75"),
        ("Equity:Conversions", "ACME"): -3,
    }
    (failed,) = loaded.failed
    assert (failed.account, failed.claimed, failed.found, failed.line) == (
        "Vermoegen:Cash", Decimal("971.02"), 971, 26,
    )  # fmt: skip
    assert (loaded.entries, loaded.assertions, loaded.prices) == (3, 4, 1)
    assert loaded.remarks == ("directives that have no place in the books, left out: 1 note, 1 pad",)
    gains = await uow.accounts.get_by_name("Income:Gains")
    spare = await uow.accounts.get_by_name("Vermoegen:Spare", "JPY")
    assert gains is not None
    assert spare is not None
    assert (gains.closed_on, gains.opened_on, spare.type) == (date(2019, 4, 1), date(2019, 1, 1), "asset")
    bought = [row async for row in uow.journal.stream()][1]
    assert bought.description == 'Broker | Buy; "cheap"'
    assert bought.details["beancount"] == {
        "tags": ["tag"], "links": ["link"], "meta": {"note": "first"}, "flag": "!",
        "payee": "Broker", "narration": 'Buy; "cheap"',
    }  # fmt: skip
    assert bought.details["lots"] == [{"line": 1, "cost": "10.25 EUR", "on": "2019-02-01", "label": "lot 1"}]
    assert await labels(uow, bought) == ("Broker", ["tag"])
    cash = await uow.accounts.get_by_name("Vermoegen:Cash")
    assert cash is not None
    assert cash.details == {"beancount": {"iban": "DE1"}}
    assert (await uow.currencies.get_one("ACME")).name == "Acme Inc."


@beancount
@pytest.mark.parametrize(
    ("lines", "place"),
    [
        (["2019-01-01 open Assets:A", "2019-13-01 open Assets:B"], r"books\.beancount, line 2: beancount: "),
        (
            ["2019-01-01 open Assets:A", "", '2019-01-02 * "x"', "  Assets:A 1 EUR"],
            r"line 3: beancount: Transaction does",
        ),
        (['include "gone.beancount"'], r'beancount: File glob ".*gone.beancount" does not match any'),
        (["2019-01-01 balance Assets:A 1 EUR"], r"unknown account 'Assets:A'"),
    ],
)
def test_what_beancount_complains_about_refuses_the_file(tmp_path: Path, lines: list[str], place: str) -> None:
    """With the line, and how many complaints follow."""
    with pytest.raises(BooksFileError, match=place):
        read_books(written(tmp_path / "books.beancount", lines))


@beancount
async def test_what_beancount_divides_is_as_exact_as_amounts_can_be(uow: UnitOfWork, tmp_path: Path) -> None:
    """A lot of a total cost whose money is left to beancount is off by its 28 digits: a residual, and told."""
    opened = ["2019-01-01 open Assets:A", "2019-01-01 open Assets:B"]
    bought = ['2019-01-02 * "x"', "  Assets:A  3 ACME {{100.00 USD}}", "  Assets:B"]
    paid = ['2019-01-03 * "y"', "  Assets:A  3 EUR @@ 4.00 USD", "  Assets:B"]
    found = await load_books(uow, read_books(written(tmp_path / "books.beancount", [*opened, *bought, *paid])))

    assert (await balances(uow))["Assets:B", "USD"] == -104
    assert found.residuals == {"USD": Decimal("-1.1E-26")}
    assert (await uow.reports.verify()).is_clean
    spelt = [*opened, '2019-01-02 * "x"', "  Assets:A  (10/3) USD", "  Assets:B"]
    with pytest.raises(BooksFileError, match="27 decimals, and USD has 2"):
        await load_books(uow, read_books(written(tmp_path / "spelt.beancount", spelt)))


@beancount
def test_a_complaint_about_an_included_file_names_that(tmp_path: Path) -> None:
    """Its own line counts."""
    written(tmp_path / "more.beancount", ["", "2019-01-01 open assets:A"])
    with pytest.raises(BooksFileError, match=r"^more\.beancount, line 2: beancount: "):
        read_books(written(tmp_path / "books.beancount", ['include "more.beancount"']))


@hledger
async def test_a_journal_of_hledger(uow: UnitOfWork, tmp_path: Path) -> None:
    """Prices, totals, inferred amounts, virtual postings, claims between postings, and prices with decimal commas."""
    path = written(tmp_path / "-books.journal", HLEDGER)
    loaded = await load_books(uow, read_books(path), currencies={"$": "USD"})
    assert await balances(uow) == {
        ("Kasse", "EUR"): -37,
        ("assets:shares", "ACME"): 3,
        ("assets:dollars", "USD"): 10,
        ("budget:food", "EUR"): 5,
        ("budget:a", "EUR"): 1,
        ("budget:b", "EUR"): -1,
        ("expenses:food", "EUR"): 1,
        ("income:found", "EUR"): -2,
        ("Equity:Conversions", "EUR"): 38,
        ("Equity:Conversions", "ACME"): -3,
        ("Equity:Conversions", "USD"): -10,
        ("Equity:Virtual", "EUR"): -5,
    }
    (failed,) = loaded.failed
    assert (failed.claimed, failed.found, failed.line, loaded.assertions) == (Decimal("12.01"), -37, 22, 3)
    assert (await uow.prices.rate("ACME", "EUR", on=date(2019, 3, 2))).value == Decimal("1012.105")
    assert (await uow.prices.rate("odd one", "£", on=date(2019, 3, 2))).value == 7
    kasse = await uow.accounts.get_by_name("Kasse", "EUR")
    assert kasse is not None
    assert kasse.type == "asset"
    (bought, *_) = (await uow.journal.page()).items
    assert bought.details["hledger"] == {
        "status": "!", "code": "17", "comment": "first, tag: value", "tags": ["tag:value"],
    }  # fmt: skip
    assert await labels(uow, bought) == ("Broker", ["tag:value"])
    assert bought.postings[0].memo == "Paris"


@hledger
@pytest.mark.parametrize(
    ("lines", "place"),
    [
        (["", "2019-13-01 x", "  a  1", "  b"], r"^books\.journal, line 2: hledger: "),
        (["2019-01-01 x", "  a  1 EUR", "  b  1 EUR"], r"^books\.journal, line 1: hledger: .* same sign"),
        (["include gone.journal"], r"^books\.journal, line 1: hledger: "),
    ],
)
def test_what_hledger_complains_about_refuses_the_file(tmp_path: Path, lines: list[str], place: str) -> None:
    """With the line."""
    with pytest.raises(BooksFileError, match=place):
        read_books(written(tmp_path / "books.journal", lines))


@ledger
async def test_a_journal_of_ledger(uow: UnitOfWork, tmp_path: Path) -> None:
    """Lots, items, both dates, notes, and what an automated transaction adds."""
    path = written(tmp_path / "-books.ledger", LEDGER)
    await load_books(uow, read_books(path))
    assert await balances(uow) == {
        ("Assets:Cash", "EUR"): Decimal("55.80"),
        ("Assets:Shares", "ACME"): 4,
        ("Assets:Bag", "Ring, +1"): 2,
        ("Income:Gains", "EUR"): Decimal("0.20"),
        ("Income:Pay", "EUR"): -100,
        ("Liabilities:Tithe", "EUR"): Decimal("-9.98"),
        ("Equity:Conversions", "EUR"): 44,
        ("Equity:Conversions", "ACME"): -4,
        ("Equity:Conversions", "Ring, +1"): -2,
        ("Equity:Virtual", "EUR"): Decimal("9.98"),
    }
    assert (await uow.prices.rate("ACME", "EUR", on=date(2019, 3, 2))).value == Decimal("12.105")
    (bought, *_) = (await uow.journal.page()).items
    assert (bought.description, bought.date) == ("Broker & <Co>", date(2019, 2, 1))
    assert bought.details["ledger"] == {
        "status": "!", "code": "17", "date2": "2019-02-05", "comment": "first\n Key: value",
    }  # fmt: skip
    assert await labels(uow, bought) == ("Broker & <Co>", [])
    assert bought.postings[0].memo == "Paris"


@ledger
def test_a_posting_of_ledger_with_a_date_of_its_own_does_not_date_its_entry(tmp_path: Path) -> None:
    """The entry keeps its day, and the posting's is told, as with hledger."""
    books = read_books(written(tmp_path / "books.ledger", ["2019/01/02 x", "  a  1 EUR  ; [2019/01/10]", "  b"]))
    assert ([entry.date for entry in books.entries], len(books.remarks)) == ([date(2019, 1, 2)], 1)


@ledger
@pytest.mark.parametrize(
    ("lines", "place"),
    [
        (["", "2019/13/01 x", "  a  1", "  b"], r"^books\.ledger, line 2: ledger: Invalid date"),
        (["2019/01/01 x", "  a  1 EUR", "  b  1 EUR"], r"line [0-9]+: ledger: Transaction does not balance"),
        (["2019/01/01 x", "  a  1 EUR = 2 EUR", "  b"], r"line [0-9]+: ledger: Balance assertion off by"),
    ],
)
def test_what_ledger_complains_about_refuses_the_file(tmp_path: Path, lines: list[str], place: str) -> None:
    """With the line; a balance that does not hold, too."""
    with pytest.raises(BooksFileError, match=place):
        read_books(written(tmp_path / "books.ledger", lines))


@pytest.mark.parametrize(
    ("ending", "lines"),
    [
        pytest.param("beancount", ["2019-01-01 open Assets:Caf\u00e9"], marks=beancount),
        pytest.param("journal", ["2019-01-01 x", "  caf\u00e9  1 EUR", "  b"], marks=hledger),
        pytest.param("ledger", ["2019/01/01 x", "  caf\u00e9  1 EUR", "  b"], marks=ledger),
    ],
)
def test_a_journal_in_another_encoding_is_refused(tmp_path: Path, ending: str, lines: list[str]) -> None:
    """None is guessed: whoever has windows-1252 converts it."""
    path = tmp_path / f"books.{ending}"
    path.write_bytes("\n".join([*lines, ""]).encode("windows-1252"))
    with pytest.raises(BooksFileError):
        read_books(path)


@pytest.mark.parametrize(
    ("ending", "lines"),
    [
        pytest.param("beancount", BEANCOUNT, marks=beancount),
        pytest.param("journal", HLEDGER, marks=hledger),
        pytest.param("ledger", LEDGER, marks=ledger),
    ],
)
async def test_a_journal_again_adds_nothing(uow: UnitOfWork, tmp_path: Path, ending: str, lines: list[str]) -> None:
    """Read again and loaded again, and with a comment line more."""
    path = written(tmp_path / f"books.{ending}", lines)
    first = await load_books(uow, read_books(path))
    again = await load_books(uow, read_books(written(path, ["; a comment", *lines])))
    assert (again.entries, again.known, again.reworded, again.prices, again.accounts) == (0, first.entries, 0, 0, 0)
