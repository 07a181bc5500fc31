"""Reading OFX 1, OFX 2 and QFX: every line, as the bank wrote it."""

from __future__ import annotations

import hashlib
import warnings
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from finance.errors import StatementFileError
from finance.statements import Statement, StatementLine, parse_statements, read_statements

SAMPLES = Path(__file__).parent / "samples"
HOUSEHOLD = Path(__file__).parents[1] / "examples" / "sample-statement.ofx"
ALL_SAMPLES = [HOUSEHOLD, *sorted(SAMPLES.glob("*.[oq]fx"))]

HEADER = "OFXHEADER:100\nDATA:OFXSGML\nVERSION:102\nSECURITY:NONE\nENCODING:USASCII\nCHARSET:1252\n\n"
ACCOUNT = "<BANKACCTFROM><BANKID>1<ACCTID>2<ACCTTYPE>CHECKING</BANKACCTFROM>"


def _document(lines: str, *, currency: str = "<CURDEF>EUR", balance: str = "", header: str = HEADER) -> bytes:
    """Write a bank statement around *lines*; it begins on line 8 of the file, the lines on line 9."""
    lines = f"<BANKTRANLIST><DTSTART>20260101<DTEND>20260131\n{lines}</BANKTRANLIST>"
    statement = f"<STMTRS>{currency}{ACCOUNT}{lines}{balance}</STMTRS>"
    return f"{header}<OFX><BANKMSGSRSV1><STMTTRNRS>{statement}</STMTTRNRS></BANKMSGSRSV1></OFX>\n".encode()


def _transaction(*, amount: str = "-1.00", on: str = "20260105", fitid: str = "F1", rest: str = "<NAME>Shop") -> str:
    return f"<STMTTRN>\n<TRNTYPE>DEBIT\n<DTPOSTED>{on}\n<TRNAMT>{amount}\n<FITID>{fitid}\n{rest}\n</STMTTRN>\n"


def _read(data: bytes) -> Statement:
    (statement,) = parse_statements(data, name="test.ofx").statements
    return statement


def _only_line(rest: str) -> StatementLine:
    (line,) = _read(_document(_transaction(rest=rest))).lines
    return line


def _refusal(data: bytes) -> StatementFileError:
    with pytest.raises(StatementFileError) as caught:
        parse_statements(data, name="test.ofx")
    assert "\n" not in str(caught.value)
    return caught.value


# --- whole files -----------------------------------------------------------------------------------


def test_household_sample_adds_up_to_its_balance() -> None:
    """The shipped sample opens with 1842.37 EUR on 31 July 2026, and its 26 lines lead to what the bank claims."""
    (statement,) = read_statements(HOUSEHOLD).statements
    assert (statement.account, statement.account_kind, statement.currency) == ("4711081500", "CHECKING", "EUR")
    assert (len(statement.lines), statement.starts_on, statement.ends_on) == (26, date(2026, 8, 1), date(2026, 10, 31))
    assert statement.closing_balance == Decimal("1842.37") + statement.sum == Decimal("6437.93")
    assert (statement.closing_on, statement.opening_balance) == (date(2026, 10, 31), None)


def test_household_sample_has_what_trips_importers() -> None:
    """Letters of its charset, two equal lines of one day, an escaped ampersand and a line of nothing."""
    (statement,) = read_statements(HOUSEHOLD).statements
    payees = [line.payee for line in statement.lines]
    assert {"Hausverwaltung Grünwald", "Crêperie Chez Amélie", "Bücherstube Jäger & Söhne"} <= set(payees)
    first, second = [line for line in statement.lines if line.date == date(2026, 8, 14)]
    assert (first.amount, first.payee, first.memo) == (second.amount, second.payee, second.memo)
    assert first.bank_id != second.bank_id
    assert [str(line.amount) for line in statement.lines if not line.amount] == ["0.00"]


def test_file_is_identified() -> None:
    """The name has no folder, and the hash is of the very bytes."""
    file = read_statements(HOUSEHOLD)
    assert (file.name, file.format, file.version) == ("sample-statement.ofx", "ofx", "102")
    assert file.sha256 == hashlib.sha256(HOUSEHOLD.read_bytes()).hexdigest()


def test_credit_card_keeps_stray_characters_and_bare_decimals() -> None:
    """A QFX card statement: unescaped `&` and `<`, a comma, no digit before the point, a currency in lower case."""
    (statement,) = read_statements(SAMPLES / "credit-card.qfx").statements
    assert (statement.account_kind, statement.currency) == ("CREDITCARD", "USD")
    assert [(line.payee, line.memo) for line in statement.lines] == [
        ("AT&T STORE #12", "R&D; 3 < 4"),
        ("PAYMENT THANK YOU", None),
        ("LATE FEE", None),
    ]
    assert [str(line.amount) for line in statement.lines] == ["-42.10", "100.00", "-0.75"]
    assert statement.lines[1].check_number == "1042"
    assert statement.lines[0].raw["SIC"] == "5411"


def test_date_is_never_shifted_by_a_time_zone() -> None:
    """Half past midnight in California is the day before nowhere, and the last second in Auckland is still that day."""
    (statement,) = read_statements(SAMPLES / "credit-card.qfx").statements
    assert [line.date.day for line in statement.lines] == [3, 10, 30]


def test_several_accounts_and_statements_stay_apart() -> None:
    """Two statements of one account remain two, in the order of the file."""
    statements = read_statements(SAMPLES / "several-accounts.ofx").statements
    assert [(s.account, s.account_kind, len(s.lines), str(s.sum)) for s in statements] == [
        ("100", "CHECKING", 2, "15.50"),
        ("200", "SAVINGS", 1, "0.12"),
        ("100", "CHECKING", 1, "-3.00"),
        ("5500000000000004", "CREDITCARD", 1, "-7.77"),
    ]
    assert [line.number for line in statements[2].lines] == [1]


def test_investment_statement_keeps_cash_and_securities_in_order() -> None:
    """Cash lines have their amount; security movements have none yet, but their figures are in `raw`."""
    (statement,) = read_statements(SAMPLES / "investment.ofx").statements
    assert (statement.bank, statement.account_kind) == ("harbour.example", "INVESTMENT")
    cash, buy, income, sell, reinvest, fee, *transfers = statement.lines
    assert [line.number for line in statement.lines] == list(range(1, 9))
    assert [f"{line.kind} {line.type} {line.bank_id}" for line in (cash, fee)] == ["cash CREDIT C1", "cash FEE C2"]
    assert [line.type for line in (buy, income, sell, reinvest)] == ["BUYSTOCK", "INCOME", "SELLMF", "REINVEST"]
    assert [f"{line.kind} {line.type}" for line in transfers] == ["security TRANSFER"] * 2
    assert str(statement.sum) == "4997.50"
    assert (buy.kind, buy.amount, buy.date, buy.memo) == ("security", Decimal(0), date(2026, 9, 2), "Bought 10 EXMP")
    assert (buy.raw["INVBUY.TOTAL"], buy.raw["INVBUY.UNITS"], cash.raw["SUBACCTFUND"]) == ("-1209.95", "10", "CASH")


def test_xml_file_keeps_every_letter_and_element() -> None:
    """OFX 2: CDATA, character references, letters of three scripts, an empty element and a repeated one."""
    file = read_statements(SAMPLES / "xml-utf8.ofx")
    first, second = file.statements[0].lines
    assert (file.version, file.institution) == ("220", "Banque des Étangs")
    assert (first.payee, first.raw["PAYEE.CITY"]) == ("Pâtisserie Łódź & Çelik 東京", "Genève")
    assert first.memo == "<menu> 2 & 3"
    assert (second.payee, str(second.amount)) == ("Loyer été é", "100.000")
    assert (second.raw["MEMO"], second.raw["MEMO[2]"]) == ("première partie", "seconde partie")
    assert (second.raw["CHECKNUM"], second.check_number) == ("", None)


def test_pending_lines_are_counted_and_not_read() -> None:
    """What the bank merely announces comes again when it is booked."""
    (statement,) = read_statements(SAMPLES / "xml-utf8.ofx").statements
    assert (len(statement.lines), statement.pending) == (2, 1)


def test_listed_account_with_a_statement_is_not_repeated() -> None:
    """A list of accounts adds those that have no statement, without currency and lines."""
    listed = "".join(f"<BANKACCTINFO>{account}</BANKACCTINFO>" for account in (ACCOUNT, ACCOUNT.replace("2", "3")))
    data = _document(_transaction()).replace(b"</OFX>", f"<ACCTINFO>{listed}</ACCTINFO></OFX>".encode())
    statements = parse_statements(data, name="test.ofx").statements
    assert [(s.account, s.currency, len(s.lines)) for s in statements] == [("2", "EUR", 1), ("3", None, 0)]


def test_repeated_bank_ids_are_kept() -> None:
    """A bank that uses one FITID for everything loses no line by it."""
    (statement,) = read_statements(SAMPLES / "repeated-fitid.ofx").statements
    assert [(line.bank_id, str(line.amount)) for line in statement.lines] == [
        ("SAME", "-4.20"),
        ("SAME", "-4.20"),
        ("SAME", "-1.00"),
    ]


def test_currency_of_a_line_is_the_one_that_its_amount_is_in() -> None:
    """CURRENCY changes the currency of the amount; ORIGCURRENCY tells what it was before."""
    (statement,) = read_statements(SAMPLES / "currencies.ofx").statements
    assert [line.currency for line in statement.lines] == [None, "CHF", None]
    assert statement.lines[2].raw["ORIGCURRENCY.CURSYM"] == "GBP"
    assert _only_line("<CURRENCY>chf").currency == "CHF"


def test_line_says_which_one_it_corrects() -> None:
    """CORRECTFITID, unless it is filled with what banks write for none."""
    assert _only_line("<CORRECTFITID>A7<CORRECTACTION>REPLACE").corrects == "A7"
    assert [_only_line(f"<CORRECTFITID>{text}").corrects for text in ("", "0", "NONE")] == [None, None, None]


def test_long_name_is_taken_where_there_is_no_other() -> None:
    """EXTDNAME stands beside NAME, or for it."""
    assert _only_line("<EXTDNAME>Shop at the harbour").payee == "Shop at the harbour"
    assert _only_line("<NAME>Shop<EXTDNAME>Shop at the harbour").payee == "Shop"


def test_second_balance_is_refused() -> None:
    """Nobody can know which one counts."""
    balance = "<LEDGERBAL><BALAMT>{}<DTASOF>20260131</LEDGERBAL>"
    assert "LEDGERBAL" in _refusal(_document(_transaction(), balance=balance.format(1) + balance.format(2))).reason


@pytest.mark.parametrize(
    "path", [path for path in ALL_SAMPLES if path.name != "xml-utf8.ofx"], ids=lambda path: path.name
)
def test_ofxparse_counts_the_same_lines(path: Path) -> None:
    """The objects of ofxparse itself have as many lines for each account, except where it fails on an empty element."""
    from ofxparse import OfxParser  # noqa: PLC0415 - the tests of `reading` run without it

    with path.open("rb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = [(a.account_id, len(a.statement.transactions)) for a in OfxParser.parse(file).accounts]
    ours = [(s.account, len(s.lines)) for s in read_statements(path).statements]
    assert sorted(ours) == sorted(theirs)


# --- encodings -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["utf8-declared-usascii.ofx", "cp1252.ofx"])
def test_letters_survive_whatever_is_declared(name: str) -> None:
    """UTF-8 under a header that says 1252 is read as UTF-8, and 1252 under the same header as 1252."""
    (statement,) = read_statements(SAMPLES / name).statements
    payees = [line.payee or "" for line in statement.lines]
    assert payees[0] == "Bäckerei Groß"
    assert payees[1].removesuffix(" 5 €") == "Crème brûlée"


@pytest.mark.parametrize(
    ("declaration", "codec", "text"),
    [
        ("ENCODING:USASCII\nCHARSET:8859-1\n", "latin-1", "Größe"),
        ("ENCODING:USASCII\nCHARSET:8859-1\n", "cp1252", "5 €"),
        ("ENCODING:USASCII\nCHARSET:ISO-8859-15\n", "iso8859-15", "5 €"),
        ("ENCODING:USASCII\nCHARSET:1250\n", "cp1250", "Łódź"),
        ("ENCODING:USASCII\nCHARSET:NONE\n", "utf-8", "Łódź"),
        ("ENCODING:UNICODE\nCHARSET:NONE\n", "utf-8", "東京"),
        ("ENCODING:USASCII\nCHARSET:1252\n", "utf-8-sig", "東京"),
        ("ENCODING:UNICODE\nCHARSET:NONE\n", "utf-16", "東京"),
        ('<?xml version="1.0" encoding="iso-8859-2"?>', "iso8859-2", "Łódź"),
        ("", "utf-8", "Łódź"),
        ("OFXHEADER:100VERSION:102ENCODING:USASCIICHARSET:1250COMPRESSION:NONE", "cp1250", "Łódź"),
    ],
)
def test_declared_encoding_is_used(declaration: str, codec: str, text: str) -> None:
    """The rule: a byte order mark, then valid UTF-8, then the header's word."""
    data = _document(_transaction(rest=f"<NAME>{text}"), header=f"{declaration}\n").decode().encode(codec)
    assert _read(data).lines[0].payee == text


@pytest.mark.parametrize(
    ("declaration", "payee", "reason"),
    [
        ("ENCODING:USASCII\nCHARSET:NONE\n", b"caf\xe9", "byte 0xE9 at offset 269 is not the USASCII"),
        ("ENCODING:UTF-8\nCHARSET:NONE\n", b"caf\xe9", "byte 0xE9 at offset 267 is not the UTF-8"),
        ("ENCODING:USASCII\nCHARSET:1252\n", b"caf\xe9\x81", "byte 0x81 at offset 270 is not the 1252"),
        ("ENCODING:USASCII\nCHARSET:KLINGON\n", b"caf\xe9", "an unknown encoding: 'KLINGON'"),
        ("ENCODING:USASCII\nCHARSET:99999\n", b"caf\xe9", "an unknown encoding: '99999'"),
        ("\ufeff", b"caf\xe9", "is not the UTF-8 that its byte order mark promises"),
        ("ENCODING:USASCII\n", b"a\x00b", "a NUL character"),
    ],
)
def test_bytes_outside_the_encoding_are_refused(declaration: str, payee: bytes, reason: str) -> None:
    """Nothing is guessed: the error names the byte, where it is, and what it should have been."""
    data = _document(_transaction(rest="<NAME>PAYEE"), header=f"{declaration}\n").replace(b"PAYEE", payee)
    assert reason in str(_refusal(data))


# --- markup ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("A < B", "A < B"),
        ("A <B", "A <B"),
        ("A > B >> C", "A > B >> C"),
        ("<3 & </3", "<3 & </3"),
        ("AT&T", "AT&T"),
        ("X&Y; Z", "X&Y; Z"),
        ("SMITH&NOTARY", "SMITH&NOTARY"),
        ("&copies; &notary;", "&copies; &notary;"),
        ("TPAY &lt;DEFT&gt;", "TPAY <DEFT>"),
        ("TPAY &amp;lt;DEFT&amp;gt;", "TPAY &lt;DEFT&gt;"),
        ("5 &#8364; &#xe9; &eacute; &quot;", '5 € é é "'),
        ("&nbsp;x&nbsp;", "\u00a0x\u00a0"),
        ("<![CDATA[a </MEMO> & &amp; <STOCK>]]>", "a </MEMO> & &amp; <STOCK>"),
        ("one <!-- no --> two", "one  two"),
        ("one\ntwo", "one\ntwo"),
        ("100%; {x}", "100%; {x}"),
    ],
)
@pytest.mark.parametrize("closing", ["", "</MEMO>"])
def test_text_is_neither_cut_nor_changed(written: str, read_as: str, closing: str) -> None:
    """What HTML's rules would drop or decode in a memo stays, and entities are resolved once."""
    line = _only_line(f"<MEMO>{written}{closing}\n<NAME>Shop")
    assert (line.memo, line.payee) == (read_as, "Shop")


@pytest.mark.parametrize("written", ["PAY <DEFT> NOW", "a <b>c</b> d", "x </NAME> y", "<A HREF='x'>y</A>"])
def test_tags_in_a_closed_text_are_text(written: str) -> None:
    """An element that holds text and is closed holds nothing else."""
    line = _only_line(f"<MEMO>! {written}</MEMO><NAME>Shop")
    assert (line.memo, line.payee) == (f"! {written}", "Shop")


@pytest.mark.parametrize("tag", ["SOURCE", "LINK", "TITLE", "SCRIPT", "STYLE", "PLAINTEXT", "BR", "INTU.BR", "X-Y"])
def test_names_that_html_knows_are_ordinary(tag: str) -> None:
    """HTML gives these elements no text, or no elements behind them."""
    line = _only_line(f"<{tag}>A &amp; B\n<MEMO>{tag}")
    assert (line.raw[tag], line.memo) == ("A & B", tag)


def test_elements_closed_here_and_open_there_are_read_alike() -> None:
    """One tag may be closed in one line and not in the next; ofxparse alone nests the rest of the line in it."""
    lines = _transaction(fitid="1</FITID>", rest="<CHECKNUM><NAME>One</NAME><MEMO>M") + _transaction(
        fitid="2", rest="<CHECKNUM></CHECKNUM><NAME>Two<MEMO>M</MEMO>"
    )
    first, second = _read(_document(lines)).lines
    assert (first.bank_id, first.payee, first.memo) == ("1", "One", "M")
    assert (second.bank_id, second.payee, second.memo) == ("2", "Two", "M")
    assert first.raw.keys() == second.raw.keys()


def test_text_between_elements_is_kept() -> None:
    """Whatever stands inside a line is in its raw elements."""
    assert _only_line("<NAME>Shop</NAME>loose</STRAY>").raw["#text"] == "loose</STRAY>"
    (line,) = _read(_document(_transaction().replace("<TRNTYPE>", "loose\n<TRNTYPE>"))).lines
    assert (line.raw["#text"], line.raw["TRNTYPE"]) == ("loose", "DEBIT")


def test_lower_case_tags_and_other_line_ends_are_read() -> None:
    """The case of tags, a name space, carriage returns and an end-of-file character of DOS do not matter."""
    data = _document(_transaction()).replace(b"STMTTRN", b"StmtTrn").replace(b"\n", b"\r\n") + b"\x1a"
    data = data.replace(b"<OFX>", b'<Ofx xmlns="urn:x">')
    assert [line.raw["TRNAMT"] for line in _read(data).lines] == ["-1.00"]
    assert _refusal(data.replace(b"-1.00", b"x")).line == 12


# --- values ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        ("-5.50", "-5.50"),
        ("+5.50", "5.50"),
        ("12,34", "12.34"),
        ("-,5", "-0.5"),
        ("7.", "7"),
        ("0.00", "0.00"),
        ("120", "120"),
        ("999999999999999999999999.99", "999999999999999999999999.99"),
        ("null", "0"),
    ],
)
def test_amount_keeps_its_decimals(written: str, amount: str) -> None:
    """One decimal point or comma, and the decimals that the bank wrote."""
    (line,) = _read(_document(_transaction(amount=written))).lines
    assert str(line.amount) == amount


@pytest.mark.parametrize(
    "written",
    [
        *("$120", "1,234.56", "1.234,56", "1,234,567", "1 234,56", "12-", "(5)", "--1", "٣", "0x10", "1_000", ".", "-"),
        *("NaN", "Infinity", "1E+400", "1e3", "0." + "1" * 19, "1" + "0" * 24, "1" * 5000),
    ],
)
def test_amount_that_may_mean_another_is_refused(written: str) -> None:
    """The error names the transaction, the element and the line."""
    error = _refusal(_document(_transaction() + _transaction(amount=written, fitid="F2")))
    assert error.reason.startswith("transaction 2 (FITID F2): TRNAMT ")
    assert error.line == 19
    assert len(str(error)) < 250


@pytest.mark.parametrize("on", ["20230230", "20231301", "00000000", "2023", "2023-01-05", "202301051", "yesterday"])
def test_impossible_date_is_refused(on: str) -> None:
    """A date that is not in the calendar, or not written as OFX writes dates."""
    error = _refusal(_document(_transaction(on=on)))
    assert error.reason.startswith(f"transaction 1 (FITID F1): DTPOSTED '{on}' is not a date")
    assert error.line == 11


@pytest.mark.parametrize("on", ["20260105", "202601051530", "20260105235959.123[-12:X]", "20260105000000[+5.5:IST]"])
def test_date_is_read_from_its_first_eight_digits(on: str) -> None:
    """A time and a zone may follow, and change nothing."""
    assert _read(_document(_transaction(on=on))).lines[0].date == date(2026, 1, 5)


@pytest.mark.parametrize("name", ["TRNAMT", "DTPOSTED"])
def test_missing_field_is_refused(name: str) -> None:
    """A line without an amount or a date cannot be booked, and is not skipped either."""
    data = _document(_transaction()).replace(f"<{name}>".encode(), f"<X{name}>".encode())
    assert _refusal(data).reason == f"transaction 1 (FITID F1): {name} is missing or empty"


def test_two_amounts_in_one_line_are_refused() -> None:
    """Nobody can know which one counts."""
    assert "TRNAMT is there 2 times" in str(_refusal(_document(_transaction(rest="<TRNAMT>-2.00"))))


def test_empty_balance_is_none() -> None:
    """An empty LEDGERBAL claims nothing, and the zeros of an unset date are no date."""
    statement = _read(_document("", balance="<LEDGERBAL><BALAMT><DTASOF>00000000</LEDGERBAL>"))
    assert (statement.closing_balance, statement.closing_on) == (None, None)


def test_sum_keeps_decimals() -> None:
    """Exact, and with the decimals as written."""
    assert str(_read(_document(_transaction(amount="-1.00") * 2)).sum) == "-2.00"
    assert str(_read(_document(_transaction(amount="0.1") + _transaction(amount="0.20"))).sum) == "0.30"
    assert str(_read(_document("")).sum) == "0"


def test_currency_comes_from_the_lines_where_the_statement_has_none() -> None:
    """Every line must state the same one."""
    aud = _transaction(rest="<CURRENCY><CURRATE>1<CURSYM>aud</CURRENCY>")
    assert _read(_document(aud * 2, currency="<CURDEF>")).currency == "AUD"
    assert "states no currency" in str(_refusal(_document(aud + _transaction(), currency="<CURDEF>")))
    assert "states no currency" in str(_refusal(_document(aud + aud.replace("aud", "nzd"), currency="<CURDEF>")))
    assert "states no currency" in str(_refusal(_document(_transaction(), currency="")))


@pytest.mark.parametrize("currency", ["EURO", "€", "E1R"])
def test_impossible_currency_is_refused(currency: str) -> None:
    """A code has three letters; whether it exists is the importer's question."""
    error = _refusal(_document(_transaction(), currency=f"<CURDEF>{currency}"))
    assert error.reason == f"the statement: CURDEF '{currency}' is not a currency code of three letters (ISO 4217)"
