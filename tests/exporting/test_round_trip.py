"""Books that were exported come back as they were, to the byte."""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
import json
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from finance import DatabaseManager, NewEntry, NewPosting, NewPrice
from finance.errors import BooksFileError, InvalidError
from finance.exports import beancount_lines, beancount_loading, csv_lines, load_beancount
from finance.foreign_books import load_books, program_of, read_books
from tests.foreign_books.test_realdata import FILES

from .books import Lines, exported, loaded, make_books
from .odd import OddBooks

FORTY_YEARS = [file for file in FILES if file.name.endswith("40y.beancount")]


def _opened(accounts: str) -> str:
    return f"2026-01-01 open Assets:C EUR\n  accounts: {json.dumps(accounts)}\n"


@pytest.mark.parametrize(("seed", "batch"), [(0, 1000), (1, 7), (2, 1)])
async def test_export_load_export_gives_the_same_bytes(
    db: DatabaseManager, seed: int, batch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the books hold, in however many batches; the copy's books agree with themselves and the original."""
    monkeypatch.setattr(beancount_loading, "_BATCH", batch)
    ledger = await make_books(db, seed)
    text = await exported(db, ledger, beancount_lines)

    copy = await loaded(db, text, tmp_path, lines=beancount_lines)

    assert await exported(db, copy, beancount_lines) == text
    assert await exported(db, copy) == await exported(db, ledger)
    assert (await db.verify(copy)).is_clean


HEAD = """\
;; finance export 1: for the test
option "operating_currency" "EUR"
1970-01-01 commodity EUR
  precision: 2
2026-01-01 open Assets:A EUR
2026-01-01 open Income:B EUR
"""
_ID = "00000000-0000-7000-8000-00000000000{}"


def _entry(number: int = 1, amount: str = "1", meta: str = "", head: str = '* "Pay"', id_: str | None = None) -> str:
    """Write an entry of two postings."""
    return (
        f'2026-01-02 {head}\n  id: "{id_ or _ID.format(number)}"\n{meta}'
        f"  Assets:A  {amount} EUR\n  Income:B  -{amount} EUR\n"
    )


async def test_blanks_and_comments_may_be_others(db: DatabaseManager, tmp_path: Path) -> None:
    """As bean-format and editors leave them; what is exported then is as ever."""
    text = HEAD + "\n" + _entry(2, meta='  tags: "[\\"a b\\"]"\n', head='* "Landlord" "Rent" #home')
    plain = await exported(db, await loaded(db, text, tmp_path, lines=beancount_lines), beancount_lines)
    other = plain.replace("  Assets:A  1", "    Assets:A        1").replace(
        "\n\n", "\n\n; a comment\n  ; another\n\n\n"
    )
    assert other != plain

    again = await loaded(db, other.replace("\n", "\r\n"), tmp_path, "Again", lines=beancount_lines)

    assert await exported(db, again, beancount_lines) == plain


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "books.csv, line 1: its first line is not ;; finance export 1"),
        ("option\n", "line 1: its first line is not"),
        (HEAD.replace("export 1", "export 2"), "line 1: its form is 2: a later version writes it"),
        (HEAD.replace("operating_currency", "title"), 'line 2: here it says option "operating_currency"'),
        (HEAD.replace('"EUR"', '"USD"', 1), "base currency 'USD', and the ledger EUR: load it into another ledger"),
        (HEAD + "  name: 1\n  memo: 1\n", "line 8: no export writes such a line; `--from beancount` loads"),
        (HEAD + 'plugin "os"\n', "line 7: no export writes such a line"),
        (HEAD + "2026-01-02 pad Assets:A Income:B\n", "line 7: no export writes"),
        (HEAD + '2026-01-02 ! "Pay"\n', "line 7: no export writes"),
        (HEAD + _entry().replace("1 EUR", "1 EUR @ 2 USD"), "line 9: no export writes"),
        (HEAD + _entry().replace("-1 EUR", ""), "line 10: no export writes"),
        (HEAD + _entry(meta='  iban: "x"\n'), "line 9: no export writes"),
        (HEAD + _entry(meta='  details: "{}"\n  details: "{}"\n'), "line 10: no export writes"),
        (HEAD + _entry(head='* "Pay\\x"'), "no backslash before 'x'"),
        (HEAD + _entry(head='* "\0"'), "zero character"),
        (HEAD + _entry(id_="no"), "line 10: entry_id 'no' is not a UUID"),
        (HEAD + _entry().replace("  id:", "  amends:"), "line 10: entry_id '' is not a UUID"),
        (HEAD + _entry(amount="1.005"), "line 10: "),
        (HEAD + _entry(amount="0.00"), "a posting of zero"),
        (HEAD + _entry(amount="9" * 41), "is not a number such as"),
        (HEAD + _entry().replace("-1 EUR", "-2 EUR"), f"line 10: entry {_ID.format(1)}"),
        (HEAD + _entry().replace("Income:B", "Income:C"), "line 10: account 'Income:C' is not opened above"),
        (HEAD + _entry().replace("1 EUR", "1 USD"), "with the commodity 'USD'"),
        (HEAD + _entry() + _entry(), "two entries of one call have the same id"),
        (HEAD + _entry(meta=f'  reverses: "{_ID.format(9)}"\n'), f"it names entry {_ID.format(9)}, of which"),
        (HEAD + _entry(meta=f'  reverses: "{_ID.format(1)}"\n'), "of which the file has no entry"),
        (HEAD + _entry(meta='  details: "[1]"\n'), "details '[1]' is not a JSON object"),
        (HEAD + _entry(meta='  details: "{\\"a\\":NaN}"\n'), "not JSON"),
        (HEAD + _entry(meta='  tags: "[1]"\n'), "tags '[1]' is not a JSON array"),
        (HEAD + _entry(meta='  tags: "[\\"\\\\ud800\\"]"\n'), "surrogate"),
        (HEAD + _entry(head='* "Pay" #é'), "none that beancount can have"),
        (HEAD + '2026-01-02 * "Nothing"\n  id: "x"\n', "line 7: an entry has postings"),
        (HEAD + "2026-13-02 price EUR 1 EUR\n", "line 7: date '2026-13-02' is not a day"),
        (HEAD + "2026-01-02 price EUR 1 EUR\n", "line 7: "),
        (HEAD + f"2026-01-02 price EUR {'1' * 16001} EUR\n", "line 7: the rate '111"),
        (HEAD + "2026-01-02 price USD 1 EUR\n", "commodity 'USD' is not declared above"),
        (HEAD + "1970-01-01 commodity EUR\n  precision: 2\n", "line 7: commodity 'EUR' stands in it twice"),
        (HEAD + '1970-01-01 commodity X.1\n  code: "EUR"\n  precision: 2\n', "stands in it twice"),
        (HEAD + "1970-01-01 commodity USD\n", "decimals '' is not a number from 0 to 18"),
        (HEAD + "1970-01-01 commodity USD\n  precision: 19\n", "decimals '19' is not"),
        (HEAD + '1970-01-01 commodity X.1\n  code: " "\n  precision: 2\n', "line 7: "),
        (HEAD.replace("precision: 2", "precision: 1"), "line 3: currency 'EUR' has 2 decimals in this ledger, and 1"),
        (HEAD + "2026-01-01 open Assets:A EUR\n", "line 7: account 'Assets:A' is opened twice"),
        (HEAD + "2026-01-01 open Assets:a EUR\n", "is not the beancount name of an account"),
        (HEAD + "2026-01-01 open Assets:X--0:Assets:A EUR\n", "is not the beancount name"),
        (HEAD + "2026-01-01 open Assets:C-0- EUR\n", "line 7: the name of an account holds a zero character"),
        (HEAD + "2026-01-01 open Assets:C-d800- EUR\n", "surrogate"),
        (HEAD + f"2026-01-01 open Assets:{'C' * 500} EUR\n", "line 7: an account's name has 1 to 500"),
        (HEAD + "2026-01-01 open Assets:C USD\n", "line 7: commodity 'USD' is not declared above"),
        (HEAD + '2026-01-01 open Assets:C EUR\n  name: "Assets:D"\n', "and another by the line `name`"),
        (HEAD + _opened("[]"), "line 7: accounts '[]' is not a JSON object"),
        (HEAD + _opened('{"USD":{}}'), "of currencies that it does not hold: ['USD']"),
        (HEAD + _opened('{"EUR":{"balance":"1"}}'), "is not a JSON object of closed_on, details"),
        (HEAD + _opened('{"EUR":{"opened_on":1}}'), "opened_on '1' is not a day"),
        (HEAD + _opened('{"EUR":{"minimum_balance":1.5}}'), "minimum_balance '1.5' is not a number"),
        (HEAD + _opened('{"EUR":{"minimum_balance":"5"}}'), "line 7: "),
        (HEAD + _opened('{"EUR":{"details":[]}}'), "details '[]' is not a JSON object"),
        (HEAD + _opened('{"EUR":{"details":{"iban":"DE00"}}}'), "IBAN"),
        (HEAD + _opened('{"EUR":{"opened_on":"2026-01-02","closed_on":"2026-01-01"}}'), "line 7: "),
        (HEAD + "2026-02-01 close Assets:A\n", "line 7: account 'Assets:A' is not opened above with a `closed_on`"),
    ],
)
async def test_file_that_resembles_an_export_is_refused(
    db: DatabaseManager, text: str, reason: str, tmp_path: Path
) -> None:
    """With its name, the line and what is wrong there; nothing of it is stored, the ledger neither."""
    with pytest.raises(BooksFileError) as caught:
        await loaded(db, text, tmp_path, lines=beancount_lines)

    assert reason in str(caught.value)
    assert str(caught.value).startswith("books.csv")
    assert "\n" not in str(caught.value)
    assert await db.ledgers.get_by_name("Copy") is None


async def test_ledger_that_is_not_empty_takes_no_file(db: DatabaseManager, tmp_path: Path) -> None:
    """What is there would be mixed with what comes, if it is only an account."""
    async with db.unit_of_work("Copy", base_currency="EUR") as uow:
        await uow.accounts.open("Assets:A", currency="EUR")
    with pytest.raises(InvalidError, match="not empty"):
        await loaded(db, HEAD, tmp_path, lines=beancount_lines)


async def test_limits_and_closings_hold_again(db: DatabaseManager, tmp_path: Path) -> None:
    """Once everything is posted, which may have been beyond a limit on the way."""
    ledger = await db.ledgers.create("Limits", base_currency="EUR")
    async with db.unit_of_work(ledger) as uow:
        card = await uow.accounts.open("Liabilities:Card", currency="EUR", details={"iban": "DE89370400440532013000"})
        shop = await uow.accounts.open("Expenses:Shop", currency="EUR")
        dollars = await uow.accounts.open("Expenses:Shop", currency="USD", opened_on=date(2030, 1, 1))
        pay = [NewPosting(card, 100), NewPosting(shop, -100)]
        await uow.journal.post(NewEntry(date(2026, 5, 1), "Paid", pay))
        await uow.journal.post(NewEntry(date(2026, 4, 1), "Bought", [NewPosting(card, -90), NewPosting(shop, 90)]))
        await uow.accounts.update(card, minimum_balance=0, maximum_balance="10.00")
        await uow.accounts.close(shop, on=date(2020, 1, 1))
        await uow.accounts.close(dollars, on=date(2031, 1, 1))
    text = await exported(db, ledger, beancount_lines)
    assert "2031-01-01 close Expenses:Shop\n" in text

    copy = await loaded(db, text, tmp_path, lines=beancount_lines)

    async with db.unit_of_work(copy) as uow:
        found = [each async for each in uow.accounts.stream()]
        said = [(each.name, each.currency, each.opened_on, each.closed_on) for each in found]
        assert (found[2].minimum_balance, found[2].maximum_balance) == (0, 10)
        assert found[2].identified_by.iban == "DE89370400440532013000"
    assert said == [
        ("Expenses:Shop", "EUR", None, date(2020, 1, 1)),
        ("Expenses:Shop", "USD", date(2030, 1, 1), date(2031, 1, 1)),
        ("Liabilities:Card", "EUR", None, None),
    ]
    assert await exported(db, copy, beancount_lines) == text


async def test_prices_come_back_with_every_digit(db: DatabaseManager, tmp_path: Path) -> None:
    """Also one that is a quotient, and more than a statement records at a time."""
    ledger = await db.ledgers.create("Prices", base_currency="EUR")
    days = [date(2000, 1, 1) + timedelta(number) for number in range(5001)]
    async with db.unit_of_work(ledger) as uow:
        await uow.prices.record([NewPrice("USD", "0.90", "EUR", day, 'a "bank"') for day in days])
        await uow.prices.record([NewPrice("EUR", f"1.{'0' * 12}{'3' * 33}", "JPY", days[0])])
    text = await exported(db, ledger, beancount_lines)
    assert text.count(" price USD 0.90 EUR\n  source: ") == len(days)
    assert f" price EUR 1.{'0' * 12}{'3' * 33} JPY\n" in text

    assert await exported(db, await loaded(db, text, tmp_path, lines=beancount_lines), beancount_lines) == text


@pytest.mark.parametrize("lines", [csv_lines, beancount_lines])
async def test_details_that_no_reader_of_json_takes_are_refused(db: DatabaseManager, lines: Lines) -> None:
    """A number of five thousand digits, by hand: the entry that has it is named."""
    ledger = await db.ledgers.create("Large", base_currency="EUR")
    async with db.unit_of_work(ledger) as uow:
        one, other = [await uow.accounts.open(name, currency="EUR") for name in ("Assets:One", "Assets:Other")]
        entry = NewEntry(date(2026, 1, 1), "Large", [NewPosting(one, 1), NewPosting(other, -1)])
        await uow.journal.post(entry)
    await db.execute("UPDATE journal_entries SET metadata = '{\"n\": 1e5000}'")

    with pytest.raises(InvalidError, match=f"the details of entry {entry.id} cannot be exported"):
        await exported(db, ledger, lines)


async def test_an_export_is_not_taken_for_a_foreign_journal(db: DatabaseManager, tmp_path: Path) -> None:
    """It would come back under other names and ids; whoever wants that says so."""
    path = tmp_path / "books.beancount"
    path.write_text(await exported(db, await make_books(db), beancount_lines), "utf-8", newline="")

    assert program_of(path) is None
    with pytest.raises(InvalidError, match="load_beancount"):
        read_books(path)
    if importlib.util.find_spec("beancount") is not None:
        assert read_books(path, "beancount").entries


@pytest.mark.skipif(not FORTY_YEARS, reason="no folder of real files")
@pytest.mark.skipif(importlib.util.find_spec("beancount") is None, reason="beancount is not installed")
async def test_forty_years_come_back(db: DatabaseManager, tmp_path: Path) -> None:
    """A real journal with its payees, tags, lots and prices, in both formats."""
    ledger = await db.ledgers.create("Forty", base_currency="USD")
    async with db.unit_of_work(ledger) as uow:
        await load_books(uow, read_books(FORTY_YEARS[0]))
    text = await exported(db, ledger, beancount_lines)
    path = tmp_path / "books.beancount"
    path.write_text(text, "utf-8", newline="")
    async with db.unit_of_work("Copy", base_currency="USD") as uow:
        await load_beancount(uow, path)
        copy = await uow.ledgers.get_one(uow.ledger_id)

    assert await exported(db, copy, beancount_lines) == text
    assert await exported(db, copy) == await exported(db, ledger)


@pytest.mark.direct("one loop of its own for all examples")
def test_odd_books_come_back_in_both_formats(emptied_dsn: str, tmp_path: Path) -> None:
    """Drawn names, words, days, currencies, amounts and links: what is exported again is the same to the byte."""
    numbers = itertools.count(1)

    with asyncio.Runner() as runner:
        db = DatabaseManager(emptied_dsn)
        runner.run(db.connect())

        # To find the shortest books that show a difference takes a hundred times as long as to find some.
        @settings(max_examples=12, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
        @given(st.data())
        def come_back(data: st.DataObject) -> None:
            runner.run(_come_back(db, data, next(numbers), tmp_path))

        come_back()
        runner.run(db.disconnect())


async def _come_back(db: DatabaseManager, data: st.DataObject, number: int, folder: Path) -> None:
    ledger = await db.ledgers.create(f"Odd {number}", base_currency="EUR")
    async with db.unit_of_work(ledger) as uow:
        await OddBooks(uow, data).post()
    as_csv, as_text = await exported(db, ledger), await exported(db, ledger, beancount_lines)

    first = await loaded(db, as_csv, folder, f"CSV {number}", lines=csv_lines)
    second = await loaded(db, as_text, folder, f"Text {number}", lines=beancount_lines)

    assert await exported(db, first) == as_csv
    assert await exported(db, second, beancount_lines) == as_text
    assert await exported(db, second) == as_csv
    assert (await db.verify(second)).is_clean
