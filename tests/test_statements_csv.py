"""CSV by a declared profile: every cell means what the profile says, or the file is refused with its line."""

from __future__ import annotations

import dataclasses
import time
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from finance.errors import InvalidError, StatementFileError
from finance.statements import CsvColumns, CsvProfile, Statement, parse_statements, read_statements
from finance.statements.delimited import table

SAMPLES = Path(__file__).parent / "samples"
GIRO = SAMPLES / "giro.csv"

PLAIN = CsvProfile(columns=CsvColumns(date="Date", amount="Amount", payee="Payee"), date_format="YYYY-MM-DD")


def _profile(columns: dict[str, Any] | None = None, **fields: Any) -> CsvProfile:
    return dataclasses.replace(PLAIN, **fields, columns=dataclasses.replace(PLAIN.columns, **(columns or {})))


def _read(text: str | bytes, profile: CsvProfile = PLAIN, **arguments: Any) -> Statement:
    data = text if isinstance(text, bytes) else text.encode()
    (statement,) = parse_statements(data, name="bank.csv", profile=profile, **arguments).statements
    return statement


def _refusal(text: str | bytes, profile: CsvProfile = PLAIN) -> StatementFileError:
    with pytest.raises(StatementFileError) as caught:
        _read(text, profile)
    assert "\n" not in str(caught.value)
    return caught.value


def _amount(cell: str, **fields: Any) -> str:
    return str(_read(f'Date,Payee,Amount\n2026-01-05,Shop,"{cell}"\n', _profile(**fields)).lines[0].amount)


# --- a whole file ----------------------------------------------------------------------------------


def test_sample_is_read_as_its_profile_says() -> None:
    """A preamble, a decimal comma, the newest line first, balances, quotes that are text."""
    file = read_statements(GIRO, profile=CsvProfile.load(SAMPLES / "giro.toml"))
    (statement,) = file.statements

    assert (file.name, file.format, file.version) == ("giro.csv", "csv", None)
    assert (statement.account, statement.account_kind, statement.currency) == (
        "DE02120300000000202051",
        "CHECKING",
        "EUR",
    )
    assert [(line.number, line.date, str(line.amount), line.payee) for line in statement.lines] == [
        (1, date(2026, 10, 31), "-45.00", "Stadtwerke"),
        (2, date(2026, 10, 2), "-2.50", "Café"),
        (3, date(2026, 10, 2), "-2.50", "Café"),
        (4, date(2026, 10, 1), "2345.67", "Firma"),
    ]
    assert statement.lines[0].memo == 'Strom "Oktober"'
    assert statement.lines[0].raw["Saldo nach Buchung"] == "2.311,67"
    assert (str(statement.opening_balance), str(statement.closing_balance), statement.closing_on) == (
        "16.00",
        "2311.67",
        date(2026, 10, 31),
    )


def test_without_a_profile_the_error_says_how_to_get_one() -> None:
    """A table is never read by guessing."""
    text = b"Date,Payee,Amount\n2026-01-05,A,1\n"
    with pytest.raises(StatementFileError, match=r"a table \(CSV\).*`finance profile FILE > bank.toml`.*profile="):
        parse_statements(text, name="bank.csv")


def test_each_account_and_currency_is_a_statement() -> None:
    """In the order in which they appear; a currency that no cell says is the profile's."""
    text = b"Date,Payee,Amount,Acc,Cur\n2026-01-05,A,1,1,usd\n2026-01-05,B,2,2,\n2026-01-06,C,3,1,USD\n"
    profile = _profile({"account": "acc", "currency": "Cur"}, currency="EUR")
    found = parse_statements(text, name="x", profile=profile).statements

    assert [(each.account, each.currency, str(each.sum)) for each in found] == [("1", "USD", "4"), ("2", "EUR", "2")]
    assert [line.number for line in found[0].lines] == [1, 2]


def test_columns_are_found_by_number_without_a_header() -> None:
    """Numbers count from 1, and raw has them as names."""
    profile = CsvProfile(columns=CsvColumns(date=3, amount=1, payee=(2, 4)), date_format="MM/DD/YY", has_header=False)
    (line,) = _read("\n-1.5,Shop,1/31/26,Main Street\n\n", profile).lines

    assert (line.date, str(line.amount), line.payee) == (date(2026, 1, 31), "-1.5", "Shop Main Street")
    assert line.raw == {"1": "-1.5", "2": "Shop", "3": "1/31/26", "4": "Main Street"}


def test_currency_of_the_call_fills_in() -> None:
    """Where neither the file nor the profile says it."""
    text = "Date,Payee,Amount\n2026-01-05,A,1\n"
    assert (_read(text).currency, _read(text, currency="CHF").currency) == (None, "CHF")
    with pytest.raises(InvalidError, match="'chf'"):
        _read(text, currency="chf")
    # A sign beside an amount has to be that of the currency, whoever says it.
    dollars = text + "2026-01-05,B,$1\n"
    assert str(_read(dollars, currency="USD").sum) == "2"
    with pytest.raises(StatementFileError, match=r"line 3: column 'Amount': '\$1' is not in EUR"):
        _read(dollars, currency="EUR")


# --- amounts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "amount", "fields"),
    [
        ("12.50", "12.50", {}),
        ("-5", "-5", {}),
        ("+5.0", "5.0", {}),
        (".5", "0.5", {}),
        ("5.", "5", {}),
        ("12.50-", "-12.50", {}),
        ("(1,234.50)", "-1234.50", {"thousands": ","}),
        ("($12.50)", "-12.50", {}),
        ("$(12.50)", "-12.50", {}),
        ("USD (12.50)", "-12.50", {}),
        ("CA$12.50", "12.50", {}),
        ("-$1,234,567.00", "-1234567.00", {"thousands": ","}),
        ("12,34,567.89", "1234567.89", {"thousands": ","}),
        ("\u22121.234,56 €", "-1234.56", {"decimal": ",", "thousands": "."}),
        ("EUR -1 234,56", "-1234.56", {"decimal": ",", "thousands": " "}),
        ("1\u202f234,56", "1234.56", {"decimal": ",", "thousands": " "}),
        ("CHF 1'234.50", "1234.50", {"thousands": "'"}),
        ("1\u2019234.50", "1234.50", {"thousands": "'"}),
        ("100.00 DR", "-100.00", {}),
        ("100.00 Cr", "100.00", {}),
        ("123456789012345678901234.123456789012345678", "123456789012345678901234.123456789012345678", {}),
    ],
)
def test_amount_is_exact(cell: str, amount: str, fields: dict[str, Any]) -> None:
    """With the decimals as written, whatever stands around it."""
    assert _amount(cell, **fields) == amount


@pytest.mark.parametrize(
    ("cell", "fields"),
    [
        ("", {}),
        ("-", {}),
        ("abc", {}),
        ("1.2.3", {}),
        ("1,234.50", {}),
        ("1,23", {}),
        ("12,34.50", {"thousands": ","}),
        ("1234,567.50", {"thousands": ","}),
        ("1.234.50", {"decimal": ",", "thousands": "."}),
        ("--5", {}),
        ("-5-", {}),
        ("(-5)", {}),
        ("(5", {}),
        ("5)", {}),
        ("$(5", {}),
        ("$(-5)", {}),
        ("$(€5)", {}),
        ("1e5", {}),
        ("NaN", {}),
        ("\u0661\u0662", {}),
        ("5 \u2603", {}),
        ("USD 5", {"currency": "EUR"}),
        ("£5", {"currency": "EUR"}),
        ("$5 EUR", {}),
        ("0." + "1" * 19, {}),
        ("1" * 25, {}),
        (" " * 2000 + "5 x", {}),
        ("5" + " " * 2000 + "x", {}),
    ],
)
def test_cell_that_is_no_amount_is_refused_with_line_and_column(cell: str, fields: dict[str, Any]) -> None:
    """Also the separators of another country, which would change the amount a thousandfold."""
    error = _refusal(f'Date,Payee,Amount\n2026-01-05,A,1\n2026-01-05,Shop,"{cell}"\n', _profile(**fields))
    assert (error.line, error.reason.startswith("column 'Amount': ")) == (3, True)


def test_debit_and_credit_columns_make_the_sign() -> None:
    """A debit is written without its minus, or with it where the profile says so; a negative one is a reversal."""
    text = "Date,Out,In\n2026-01-05,5.00,\n2026-01-05,,7.00\n2026-01-05,0.00,1.00\n2026-01-05,-2.00,\n"
    profile = CsvProfile(columns=CsvColumns(date=1, debit="Out", credit="In"), date_format="YYYY-MM-DD")
    written = dataclasses.replace(profile, debits_are_negative=True)

    assert [str(line.amount) for line in _read(text, profile).lines] == ["-5.00", "7.00", "1.00", "2.00"]
    assert str(_read("Date,Out,In\n2026-01-05,-5.00,\n", written).lines[0].amount) == "-5.00"
    assert "neither of debit and credit" in str(_refusal("Date,Out,In\n2026-01-05,,\n", profile))
    assert "both of debit and credit" in str(_refusal("Date,Out,In\n2026-01-05,1,2\n", profile))


def test_sign_column_makes_the_sign() -> None:
    """Its words are declared; another word, and a second sign, are refused."""
    profile = _profile({"sign": "Payee", "payee": None}, debit_words=("Af",), credit_words=("Bij",))
    text = "Date,Payee,Amount\n2026-01-05,af,5.00\n2026-01-05,BIJ,7.00\n"

    assert [str(line.amount) for line in _read(text, profile).lines] == ["-5.00", "7.00"]
    assert "'Uit' is none of its words" in str(_refusal("Date,Payee,Amount\n2026-01-05,Uit,5\n", profile))
    assert "the amount has a sign" in str(_refusal("Date,Payee,Amount\n2026-01-05,Af,-5\n", profile))


def test_negated_amounts_are_turned_round() -> None:
    """Cards write purchases without a minus."""
    cells = ("5.00", "-5.00", "0.00")
    assert [_amount(cell, negate=True) for cell in cells] == ["-5.00", "5.00", "0.00"]


# --- dates -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "form", "day"),
    [
        ("2026-01-05", "YYYY-MM-DD", date(2026, 1, 5)),
        ("2026-01-05T23:59:59.000Z", "YYYY-MM-DD", date(2026, 1, 5)),
        ("2026-01-05 11:30 PM", "YYYY-MM-DD", date(2026, 1, 5)),
        ("20260105", "YYYYMMDD", date(2026, 1, 5)),
        ("5.1.2026", "DD.MM.YYYY", date(2026, 1, 5)),
        ("05/01/26", "DD/MM/YY", date(2026, 1, 5)),
        ("05/01/99", "MM/DD/YY", date(1999, 5, 1)),
        ("5 Jan 2026", "DD MMM YYYY", date(2026, 1, 5)),
        ("January 5, 2026", "MMM DD, YYYY", date(2026, 1, 5)),
        ("2026-02-30", "YYYY-MM-DD", None),
        ("2026-00-05", "YYYY-MM-DD", None),
        ("05.01.2026", "YYYY-MM-DD", None),
        ("2026-01-05x", "YYYY-MM-DD", None),
        ("2026-01-05 25", "YYYY-MM-DD", None),
        ("5 Foo 2026", "DD MMM YYYY", None),
        ("202615", "YYYYMMDD", None),
        ("", "YYYY-MM-DD", None),
    ],
)
def test_date_is_the_banks_or_refused(cell: str, form: str, day: date | None) -> None:
    """A time behind it changes nothing; what is not in the calendar, or of another form, is refused with its line."""
    text = f'Date,Payee,Amount\n"{cell}",Shop,1\n'
    if day is None:
        error = _refusal(text, _profile(date_format=form))
        assert (error.line, error.reason.startswith("column 'Date': ")) == (2, True)
    else:
        assert _read(text, _profile(date_format=form)).lines[0].date == day


# --- balances --------------------------------------------------------------------------------------

BALANCED = CsvProfile(columns=CsvColumns(date=1, amount=2, balance=3), date_format="YYYY-MM-DD", has_header=False)


@pytest.mark.parametrize(
    ("rows", "opening", "closing"),
    [
        (["2026-01-01,10,110", "2026-01-02,-5,105"], "100", "105"),
        (["2026-01-02,-5,105", "2026-01-01,10,110"], "100", "105"),
        (["2026-01-02,5,115", "2026-01-02,10,125"], "110", "125"),
        (["2026-01-02,10,125", "2026-01-02,5,115"], "110", "125"),
        (["2026-01-01,10,", "2026-01-02,-5,105", "2026-01-03,1,"], "100", "106"),
        (["2026-01-01,10,110"], "100", "110"),
        (["2026-01-02,-10,0", "2026-01-01,10,10"], "0", "0"),
        (["2026-01-01,10,10", "2026-01-01,-10,0"], None, None),
        (["2026-01-01,10,", "2026-01-01,-10,"], None, None),
    ],
)
def test_balances_are_derived_in_the_order_of_the_file(
    rows: list[str], opening: str | None, closing: str | None
) -> None:
    """The oldest or the newest line may be first; where it cannot be told, nothing is claimed."""
    statement = _read("\n".join(rows), BALANCED)
    found = [None if each is None else str(each) for each in (statement.opening_balance, statement.closing_balance)]
    assert found == [opening, closing]


def test_balance_that_contradicts_is_refused_with_its_line() -> None:
    """A line was lost, or the profile has a sign wrong; without the column the file can be read."""
    text = "2026-01-01,10,110\n2026-01-02,-5,105\n2026-01-04,-5,90\n"
    error = _refusal(text, BALANCED)

    assert (error.line, "does not follow" in error.reason) == (3, True)
    assert _refusal(text.replace("90", "100"), dataclasses.replace(BALANCED, negate=True)).line == 2
    without = dataclasses.replace(BALANCED, columns=dataclasses.replace(BALANCED.columns, balance=None))
    assert len(_read(text, without).lines) == 3


# --- damage ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("Date,Payee,Amount\n2026-01-05,A\n", 2, "the row has 2 cells, the header 3"),
        ("Date,Payee,Amount\n2026-01-05,A,1,2\n", 2, "the row has 4 cells, the header 3"),
        ('Date,Payee,Amount\n2026-01-05,"A,1\n', 2, "the row that begins here is damaged"),
        ('Date,Payee,Amount\n2026-01-05,"A"B,1\n', 2, "the row that begins here is damaged"),
        ("Date;Payee;Amount\n2026-01-05;A;1\n", None, "the header has no column 'Date'; it has 'Date;Payee;Amount'"),
        ("Date,Payee,Amount,Amount\n2026-01-05,A,1,1\n", None, "2 columns 'Amount'; say which one by its number"),
        ("Date,Payee,Amount\n", None, "the table has no rows"),
        ("Date" + "," * 1000, 1, "more than 1,000 cells"),
        ("Date,Payee,Amount\n2026-01-05," + "A" * 200_000 + ",1\n", 2, "field larger than field limit"),
        ("\n", None, "the table has no rows"),
        ("Date,Payee,Amount\n2026-01-05,A\x00,1\n", 2, "a NUL character"),
        (b"PK\x03\x04Date", None, "a zip archive"),
        (b"Date,Payee,Amount\n2026-01-05,M\xfcller,1\n", 2, "byte 0xFC at offset 30 is not UTF-8"),
        (b"\xef\xbb\xbfDate,Payee,Amount\n2026-01-05,M\xfcller,1\n", 2, "is not the UTF-8 that its byte order mark"),
    ],
)
def test_damaged_table_is_refused(text: str | bytes, line: int | None, reason: str) -> None:
    """With the line where there is one, and nothing read in part."""
    error = _refusal(text)
    assert (error.file, error.line) == ("bank.csv", line)
    assert reason in error.reason


def test_row_ends_where_its_quotes_do() -> None:
    """A cell may hold line breaks, and the lines after it are still counted right."""
    text = 'Date,Payee,Amount\r\n2026-01-05,"Shop\r\nMain ""St""",1\r\n2026-01-05,B,x\r\n'
    assert _refusal(text).line == 4
    assert _read(text.replace(",x", ",2")).lines[0].payee == 'Shop\nMain "St"'


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "utf-32", "cp1252", "iso-8859-15"])
def test_encoding_is_by_rule(codec: str) -> None:
    """A mark decides, then UTF-8, then the profile."""
    text = "Date,Payee,Amount\n2026-01-05,Müller €,1\n"
    profile = _profile(encoding=codec if codec.startswith("iso") else "cp1252")
    assert _read(text.encode(codec), profile).lines[0].payee == "Müller €"
    assert _read(text.encode(), profile).lines[0].payee == "Müller €"


def test_rows_that_are_skipped_are_no_lines() -> None:
    """A sum at the end is left out; a real line in its place is not."""
    rows = "Date,Payee,Amount\n2026-01-05,A,1\n"
    assert len(_read(rows + "Total,,1\n", _profile(skip_last=1)).lines) == 1
    error = _refusal(rows + "2026-01-06,B,1\n", _profile(skip_last=1))
    assert (error.line, "skip_last" in error.reason) == (3, True)


def test_many_rows_are_read_in_time_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows and cells are counted before anything of them is kept, so that memory is bounded."""
    rows = b"Date,Payee,Amount\n" + b"2026-01-05,Shop,-12.50\n" * 20_000
    began = time.process_time()  # a busy machine makes it no longer
    assert str(_read(rows).sum) == "-250000.00"
    assert time.process_time() - began < 20
    monkeypatch.setattr(table, "MOST_CELLS", 50_000)
    error = _refusal(rows + b"2026-01-05,Shop,oops\n")
    assert (error.line, "more than 500,000 rows or 50,000 cells" in error.reason) == (16_667, True)
    monkeypatch.setattr(table, "MOST_ROWS", 20_000)
    monkeypatch.setattr(table, "MOST_CELLS", 60_003)
    error = _refusal(rows.replace(b"12.50", b"oops"))
    assert (error.line, "more than 20,000 rows or 60,003 cells" in error.reason) == (20_001, True)
    monkeypatch.setattr(table, "MOST_ROWS", 20_001)
    assert str(_read(rows).sum) == "-250000.00"


# --- profiles --------------------------------------------------------------------------------------


def test_profile_survives_its_toml() -> None:
    """What is written is read as the same."""
    profile = CsvProfile(
        columns=CsvColumns(date='Da"te\\ \x7f\u0085', amount=2, payee=("A", 3), sign="S"),
        date_format="DD.MM.YYYY",
        decimal=",",
        thousands=" ",
        delimiter="\t",
        encoding="cp1252",
        skip_lines=2,
        negate=True,
        debit_words=("D",),
        credit_words=("C",),
        currency="EUR",
    )
    assert CsvProfile.from_toml(profile.to_toml()) == profile


@pytest.mark.parametrize(
    ("toml", "reason"),
    [
        ("x", "not TOML"),
        ("date_format = 'DD.MM.YYYY'", r"\[columns\] is missing"),
        ("[columns]\ndate = 1\namount = 2", "date_format is missing"),
        ("date_format = 'DD.MM'\n[columns]\ndate = 1\namount = 2", "date_format: 'DD.MM' is no date format"),
        ("date_format = 'DD.MM.YYYY'\n[columns]\namount = 2", "columns.date is missing"),
        ("date_format = 'DD.MM.YYYY'\n[columns]\ndate = 1", "either amount, or both"),
        ("date_format = 'DD.MM.YYYY'\n[columns]\ndate = 1\ndebit = 2", "either amount, or both"),
        ("date_format = 'DD.MM.YYYY'\n[columns]\ndate = 1\namount = 0", "columns.amount"),
        ("date_format = 'DD.MM.YYYY'\n[columns]\ndate = 1\namount = -1", "columns.amount"),
        ("date_format = 'DD.MM.YYYY'\n[columns]\ndate = true\namount = 1", "columns.date"),
        ("date_format = 'DD.MM.YYYY'\n[columns]\ndate = 1\namount = ''", "columns.amount"),
        ("date_format = 'DD.MM.YYYY'\n[columns]\ndate = 1\namount = [2, 3]", "columns.amount"),
        ("date_format = 'DD.MM.YYYY'\n[columns]\ndate = 1\namount = 2\nsign = 3", "needs debit_words"),
        ("date_format = 'DD.MM.YYYY'\ndecimals = ','\n[columns]\ndate = 1\namount = 2", "decimals is no part"),
        ("date_format = 'DD.MM.YYYY'\n[columns]\ndate = 1\namount = 2\nx = 1", "columns.x is no part"),
        ("date_format = 'DD.MM.YYYY'\ndecimal = 1\n[columns]\ndate = 1\namount = 2", "decimal: "),
        ("date_format = 'DD.MM.YYYY'\nnegate = 1\n[columns]\ndate = 1\namount = 2", "negate: "),
        ("date_format = 'DD.MM.YYYY'\nskip_lines = -1\n[columns]\ndate = 1\namount = 2", "count from 0"),
        ("date_format = 'DD.MM.YYYY'\nthousands = '.'\n[columns]\ndate = 1\namount = 2", "thousands"),
        ("date_format = 'DD.MM.YYYY'\ndelimiter = ''\n[columns]\ndate = 1\namount = 2", "delimiter"),
        ("date_format = 'DD.MM.YYYY'\nencoding = 'x'\n[columns]\ndate = 1\namount = 2", "encoding 'x' is unknown"),
        ("date_format = 'DD.MM.YYYY'\nencoding = 'rot13'\n[columns]\ndate = 1\namount = 2", "encoding 'rot13'"),
        ("date_format = 'DD.MM.YYYY'\ncurrency = 'eur'\n[columns]\ndate = 1\namount = 2", "currency 'eur'"),
    ],
)
def test_profile_that_cannot_be_is_refused(toml: str, reason: str, tmp_path: Path) -> None:
    """The error names the file and the part of it."""
    path = tmp_path / "bank.toml"
    path.write_text(toml, "utf-8")
    with pytest.raises(InvalidError, match=f"^bank.toml: .*{reason}"):
        CsvProfile.load(path)
