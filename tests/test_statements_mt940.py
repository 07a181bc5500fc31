"""Reading MT940 and MT942: every line, as the bank wrote it, or a refusal."""

from __future__ import annotations

import contextlib
import random
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from finance.errors import ConfigurationError, StatementFileError
from finance.statements import Statement, StatementLine, parse_statements, read_statements
from finance.statements.mt940 import fields

SAMPLES = Path(__file__).parent / "samples"
PAGES = SAMPLES / "pages.sta"
INTERIM = SAMPLES / "interim.sta"


def _message(lines: str, *, closing: str = ":62F:C260831EUR5,00\n", head: str = ":60F:C260801EUR15,00\n") -> bytes:
    """Write a message around *lines*, which begin on line 5 of the file."""
    return f":20:H\n:25:4711\n:28C:1/1\n{head}{lines}{closing}-\n".encode()


def _read(data: bytes) -> Statement:
    (statement,) = parse_statements(data, name="test.sta").statements
    return statement


def _line(field: str, *details: str) -> StatementLine:
    (line,) = _read(_message("\n".join([f":61:{field}", *details, ""]))).lines
    return line


def _refusal(data: bytes) -> StatementFileError:
    with pytest.raises(StatementFileError) as caught:
        parse_statements(data, name="test.sta")
    assert "\n" not in str(caught.value)
    return caught.value


# --- whole files -----------------------------------------------------------------------------------


def test_pages_stay_apart_and_add_up() -> None:
    """Two messages in SWIFT's envelope: the closing balance of one page is the opening balance of the next."""
    file = read_statements(PAGES)
    first, second = file.statements
    assert (file.name, file.format, file.version) == ("pages.sta", "mt940", None)
    assert [each.account for each in file.statements] == ["20030400/4711081500"] * 2
    assert (first.currency, first.opening_balance, first.closing_balance) == ("EUR", Decimal(1000), Decimal("950.90"))
    assert (second.opening_balance, second.closing_balance) == (first.closing_balance, Decimal(3483))
    assert (first.starts_on, first.closing_on) == (date(2026, 8, 1), date(2026, 8, 31))
    assert (first.adds_up, second.adds_up) == (True, True)


def test_line_says_who_and_what_for() -> None:
    """The numbered subfields of a German bank, folded inside of words; what is no subfield is in `raw`, too."""
    line = read_statements(PAGES).statements[0].lines[0]
    assert (line.date, str(line.amount), line.currency, line.type) == (date(2026, 8, 3), "-42.10", "EUR", "NTRF")
    assert (line.bank_id, line.payee, line.memo) == ("H0803001", "Grocery at the Harbour", "Invoice 17, thank you")
    assert (line.raw["61"], line.raw["86.31"]) == (
        "2608030803D42,10NTRFNONREF//H0803001\nCard payment",
        "DE02120300000000202051",
    )
    assert (line.raw["61.value_date"], line.raw["61.entry_date"], line.raw["61.mark"]) == ("260803", "0803", "D")


def test_equal_lines_are_both_kept() -> None:
    """Two coffees of one day, and NONREF is no id of theirs."""
    _, second, third = read_statements(PAGES).statements[0].lines
    assert (second.amount, second.memo, second.bank_id) == (third.amount, third.memo, third.bank_id)
    assert (str(second.amount), second.memo, second.bank_id) == ("-3.5", "Coffee, quay 4", None)


def test_reversal_has_the_sign_of_what_it_does() -> None:
    """RD gives a debit back, RC takes a credit away; the R behind C is the last letter of EUR."""
    lines = read_statements(PAGES).statements[1].lines
    assert [(line.raw["61.mark"], str(line.amount)) for line in lines] == [
        ("RD", "42.10"),
        ("RC", "-10"),
        ("C", "2500.00"),
    ]


def test_code_words_of_dutch_banks_are_read() -> None:
    """/NAME/ and /REMI/ are told apart; the text about the statement is no line's."""
    line = read_statements(PAGES).statements[1].lines[2]
    assert (line.payee, line.memo) == ("Harbour Authority", "Salary August")
    assert "Terms have changed" not in str(read_statements(PAGES).statements)


def test_interim_report_has_lines_and_what_is_expected() -> None:
    """MT942: no balances, the currency of its floor limit, and entries that are announced only are counted."""
    file = read_statements(INTERIM)
    (statement,) = file.statements
    assert (file.format, statement.currency, statement.opening_balance, statement.closing_balance) == (
        "mt942",
        "EUR",
        None,
        None,
    )
    assert ([str(line.amount) for line in statement.lines], statement.pending, statement.adds_up) == (
        ["-12.00"],
        2,
        None,
    )


@pytest.mark.parametrize("line_end", [b"\r\n", b"\r", b"\n"])
def test_line_ends_change_nothing(line_end: bytes) -> None:
    """SWIFT prescribes CRLF, and banks write what they like."""
    data = PAGES.read_bytes().replace(b"\n", line_end)
    assert parse_statements(data, name="x").statements == read_statements(PAGES).statements


def test_wrong_balance_of_a_bank_is_told_and_refuses_nothing() -> None:
    """Real statements do not always add up."""
    statement = _read(_message(":61:2608050805D10,01NMSCNONREF\n"))
    assert (statement.adds_up, str(statement.sum), str(statement.closing_balance)) == (False, "-10.01", "5.00")


# --- single fields ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("951016", date(1995, 10, 16)),
        ("800101", date(1980, 1, 1)),
        ("791231", date(2079, 12, 31)),
        ("2612311231", date(2026, 12, 31)),
        ("2701021231", date(2026, 12, 31)),
        ("2612310102", date(2027, 1, 2)),
        ("1602300301", date(2016, 3, 1)),
        ("2402290229", date(2024, 2, 29)),
        ("260805    ", date(2026, 8, 5)),
    ],
)
def test_day_is_the_one_of_booking(written: str, day: date) -> None:
    """SWIFT's century, the year of an entry date beside its value date, and 30 February beside a real date."""
    assert _line(f"{written}D1,00NMSCNONREF").date == day


@pytest.mark.parametrize(
    ("written", "amount"), [("15,", "15"), ("15", "15"), ("0,5", "0.5"), ("000000001000,890", "1000.890")]
)
def test_amount_keeps_its_decimals(written: str, amount: str) -> None:
    """No digit is added or lost."""
    assert str(_line(f"260805C{written[-15:]}NMSCNONREF").amount) == amount
    assert str(_read(_message("", closing=f":62F:C260831EUR{written}\n")).closing_balance) == amount


def test_reference_and_details_may_be_longer_than_swift_allows() -> None:
    """An IBAN stands for a reference, with the name on the next line; the bank's own reference is found behind it."""
    iban = _line("260805D65,00NOVBNL47INGB9999999999//B7\nA payee")
    assert (str(iban.amount), iban.bank_id, iban.memo) == ("-65.00", "B7", "A payee")
    assert iban.raw["61.customer_reference"] == "NL47INGB9999999999"
    long = _line("260805D65,00NMSCREF//B8\n" + "details " * 8)
    assert (long.bank_id, long.memo) == ("B8", ("details " * 8).strip())


@pytest.mark.parametrize("reference", ["", "//", "//NONREF", "//0000000", "//NOTPROVIDED"])
def test_placeholder_is_no_id(reference: str) -> None:
    """A bank that has no reference says so, and says it alike of every line."""
    assert _line(f"260805C1,NMSCINVOICE 5{reference}").bank_id is None


def test_details_of_other_banks_are_a_memo() -> None:
    """Free text, several fields :86:, a name behind a padded reference, a bank's own field."""
    assert _line("260805C1,NMSCNONREF", ":86:one", "two  three", ":86:four").memo == "one two three four"
    padded = _line("260805C1,NMSC0123456789      W. Harbour", ":86:Rent")
    assert (padded.payee, padded.memo, padded.bank_id) == ("W. Harbour", "Rent", None)
    assert _line("260805C1,NMSCNONREF", "Supplement").memo == "Supplement"
    assert _line("260805C1,NMSC0123456789ABCDEFGH", ":86:Rent").payee is None
    own = _line("260805C1,S   X", ":NS:01526715", "15Insurance")
    assert (own.type, own.raw["NS"]) == ("S", "01526715\n15Insurance")


def test_other_separators_of_subfields_are_known() -> None:
    """The fourth character is the separator."""
    assert _line("260805C1,NMSCNONREF", ":86:020~00Przelew~20Czynsz ~21maj~32JAN ~33NOWAK").memo == "Czynsz maj"
    assert _line("260805C1,NMSCNONREF", ":86:000>100987>20HUUR>21 MEI>32A>33B").payee == "A B"


def test_full_subfield_goes_on_inside_of_a_word() -> None:
    """At 27 characters; a shorter one ends with its word. White space at which a line was folded is kept."""
    lines = read_statements(PAGES).statements[1].lines
    assert lines[1].memo == "Wrong account of two syllables too many"
    assert _line("260805C1,NMSCNONREF", ":86:166?20Gehalt Oktober?21Firma ", "Mustermann").memo == (
        "Gehalt Oktober Firma Mustermann"
    )


def test_text_that_looks_like_a_field_stays_text() -> None:
    """A time of day may be folded at its colon; it neither begins a message nor names an account."""
    line = _line("260805C1,NMSCNONREF", ":86:106?20at T16", ":26:37 and", ":25:00 and", ":20:15 h")
    assert line.memo == "at T16:26:37 and:25:00 and:20:15 h"


def test_broken_lines_are_joined() -> None:
    """A bank that breaks the line before the amount, or behind the colon."""
    line = _line("2608050805CR", "30,00N062NONREF//B1", ":", "86:166?20Test")
    assert (str(line.amount), line.bank_id, line.memo) == ("30.00", "B1", "Test")


def test_bic_beside_the_account_is_the_bank() -> None:
    """Field :25P: has it on a second line."""
    statement = _read(_message("").replace(b":25:4711", b":25P:4711\nHARBDEFF"))
    assert (statement.bank, statement.account) == ("HARBDEFF", "4711")


@pytest.mark.parametrize(
    ("encoding", "read"),
    [("utf-8", "Zürich €"), ("utf-8-sig", "Zürich €"), ("utf-16", "Zürich €"), ("cp1252", "Zürich €")],
)
def test_encoding_is_told_by_rule(encoding: str, read: str) -> None:
    """Nothing in the format says it; figures are the same in every encoding."""
    data = _message(":61:260805C1,NMSCNONREF\n:86:Zürich €\n").decode().encode(encoding)
    assert _read(data).lines[0].memo == read


def test_every_byte_is_a_letter_in_some_rule() -> None:
    """A file in an encoding that nobody knows is read, with its figures; the same bytes give the same letters."""
    data = _message(":61:260805C1,NMSCNONREF\n:86:x@y\n").replace(b"@", bytes(range(0x80, 0x100)))
    assert len(_read(data).lines[0].raw["86"]) == 130


# --- refusals --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        ("260230D1,00NMSCNONREF", "260230 is not a date in the calendar"),
        ("2613010101D1,00NMSCNONREF", "261301 is not a date"),
        ("2608051301D1,00NMSCNONREF", "entry date 1301 is not a date"),
        ("2608050805D1.00NMSCNONREF", "'1' is not an amount|type of transaction|not written"),
        ("2608050805D,NMSCNONREF", "',' is not an amount"),
        ("2608050805D1,000,00NMSCNONREF", "'1,000,00' is not an amount"),
        ("2608050805D\u0661,00NMSCNONREF", "is not an amount"),
        ("2608050805D12345678901234,56NMSCNONREF", "type of transaction is missing"),
        ("2608050805D1,O0NMSCNONREF", "'O0NM' behind the amount is no type of transaction"),
        ("2608050805X1,00NMSCNONREF", "is not written as MT940 has it"),
        ("", "is not written as MT940 has it"),
    ],
)
def test_field_that_cannot_be_right_refuses_the_file(field: str, reason: str) -> None:
    """Nothing is guessed, and the error has the line."""
    with pytest.raises(StatementFileError, match=reason) as caught:
        parse_statements(_message(f":61:{field}\n"), name="test.sta")
    assert caught.value.line == 5


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b":62F:C260831EUR5,00\n", b"", "no closing balance"),
        (b":25:4711", b":25:", "names no account"),
        (b"EUR15,00", b"EUR15,00\n:60F:C260801EUR15,00", "field :60F: is there twice"),
        (b"EUR15,00", b"USD15,00", "several currencies, EUR and USD"),
        (b"EUR15,00", b"E?R15,00", "is not a currency code"),
        (b"EUR15,00", b"EUR12345678901234567,00", "is not written as MT940 has it"),
        (b"EUR15,00", b"EUR15,00\nmore", "followed by 1 lines that belong to no field"),
        (b":61:2608", b" :61:2608", "the text has 1 fields :61:, but 0"),
        (b":20:H\n", b":86:x\n:20:H\n", "field :86: stands before the first message"),
        (b":86:Rent", b":86:Re\x00nt", "a NUL character"),
        (b":86:Rent", b":86:" + b"x" * 20_000, "more than 20,000 characters"),
        (b":20:H\n", b"\xef\xbb\xbf\xff:20:H\n:20:H\n", "byte order mark"),
    ],
)
def test_damaged_message_is_refused(old: bytes, new: bytes, reason: str) -> None:
    """What is missing, doubled or strange is never passed over."""
    data = _message(":61:260805D10,00NMSCNONREF\n:86:Rent\n")
    assert old in data
    assert reason in str(_refusal(data.replace(old, new, 1)))


def test_every_truncation_is_refused_or_complete() -> None:
    """Wherever a download stops: either all lines and balances are there, or nothing is read."""
    for path in (PAGES, INTERIM):
        data = path.read_bytes().rstrip()
        whole = read_statements(path).statements
        for length in range(len(data)):
            with contextlib.suppress(StatementFileError):
                read = parse_statements(data[:length], name="x").statements
                assert read == whole[: len(read)]


def test_cut_of_a_last_balance_is_seen() -> None:
    """Without its last digit, the last line contradicts the file; with a line end, it is what the bank says."""
    data = _message("").removesuffix(b"-\n").replace(b"EUR15,00", b"EUR5,25").replace(b"EUR5,00\n", b"EUR5,2")
    assert "ends within its last line" in str(_refusal(data))
    assert _read(data + b"\n").adds_up is False
    assert _read(data + b"5").adds_up is True


def test_too_many_transactions_are_refused_before_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded by the number of lines, not by what somebody sends."""
    monkeypatch.setattr(fields, "_MOST_FIELDS_61", 2)
    lines = ":61:260805D10,00NMSCNONREF\n"
    assert len(_read(_message(lines * 2)).lines) == 2
    assert "export a shorter period" in str(_refusal(_message(lines * 3)))


def test_damaged_bytes_never_raise_anything_else() -> None:
    """Hundreds of damaged files are read, or refused with the one typed error."""
    chance = random.Random(20261122)
    for path in (PAGES, INTERIM):
        for _ in range(300):
            data = bytearray(path.read_bytes())
            for _ in range(chance.randint(1, 4)):
                at = chance.randrange(len(data))
                data[at : at + chance.randint(0, 9)] = chance.choice(
                    [b":", b"\n:", b"\n", b"\xff", b"-", b"", b",", b"9"]
                )
            with contextlib.suppress(StatementFileError):
                parse_statements(bytes(data), name="damaged.sta")


def test_missing_extra_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without mt-940, reading says what to install."""
    monkeypatch.setitem(sys.modules, "mt940.tags", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'finance-ledger\[statements\]'"):
        read_statements(PAGES)
