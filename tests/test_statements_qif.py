"""QIF: records, splits, accounts, dates in all their forms; what the file does not say is never guessed."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from finance.errors import InvalidError, StatementFileError
from finance.statements import Statement, StatementFile, parse_statements, read_statements
from finance.statements.qif import records

SAMPLE = Path(__file__).parent / "samples" / "accounts.qif"


def _file(text: str | bytes, **arguments: Any) -> StatementFile:
    data = text if isinstance(text, bytes) else text.encode()
    return parse_statements(data, name="bank.qif", **arguments)


def _bank(*lines: str, **arguments: Any) -> Statement:
    (statement,) = _file("!Type:Bank\n" + "".join(f"{line}\n" for line in lines), **arguments).statements
    return statement


def _refusal(text: str | bytes, **arguments: Any) -> StatementFileError:
    with pytest.raises(StatementFileError) as caught:
        _file(text, **arguments)
    assert "\n" not in str(caught.value)
    return caught.value


# --- a whole file ----------------------------------------------------------------------------------


def test_sample_has_a_statement_for_each_account() -> None:
    """Lists of accounts and categories are no lines; !Account names what follows."""
    file = read_statements(SAMPLE)

    assert (file.name, file.format) == ("accounts.qif", "qif")
    assert [(each.account, each.account_kind, each.currency, str(each.sum)) for each in file.statements] == [
        ("Checking", "CHECKING", None, "932.50"),
        ("Visa", "CREDITCARD", None, "-30.00"),
    ]
    assert {each.currency for each in read_statements(SAMPLE, currency="USD").statements} == {"USD"}


def test_splits_and_repeated_fields_are_kept() -> None:
    """The line's amount is the whole; each field of each split has a key of its own."""
    line = read_statements(SAMPLE).statements[0].lines[1]

    assert (line.number, line.date, str(line.amount)) == (2, date(2026, 10, 13), "-62.50")
    assert (line.payee, line.memo, line.check_number) == ("Supermarket", "Week 42", "101")
    assert line.raw == {
        "D": "10/13'26",
        "U": "-62.50",
        "T": "-62.50",
        "N": "101",
        "P": "Supermarket",
        "M": "Week 42",
        "A": "1 Main Street",
        "A[2]": "Springfield",
        "L": "Food",
        "SPLIT.S": "Food",
        "SPLIT.E": "Bread",
        "SPLIT.$": "-42.50",
        "SPLIT[2].S": "Household",
        "SPLIT[2].$": "-20.00",
    }


@pytest.mark.parametrize(
    ("section", "kind"),
    [
        ("Bank", "CHECKING"),
        ("bank ", "CHECKING"),
        ("Cash", "CASH"),
        ("CCard", "CREDITCARD"),
        ("Oth A", "OTHERASSET"),
        ("OTH L", "OTHERLIABILITY"),
    ],
)
def test_kind_is_that_of_the_section(section: str, kind: str) -> None:
    """Case and blanks do not matter."""
    (statement,) = _file(f"!Type:{section}\r\nD2026-01-31\r\nT-1.00\r\n^\r\n").statements
    assert (statement.account, statement.account_kind, len(statement.lines)) == ("", kind, 1)


def test_opening_balance_names_the_account() -> None:
    """A single section without !Account has its name from the record that opens it, which is a line as any other."""
    statement = _bank("D1/31/2026", "T100.00", "POpening Balance", "L[Giro]", "^")
    assert (statement.account, str(statement.sum)) == ("Giro", "100.00")


def test_list_of_accounts_names_none() -> None:
    """Of several accounts before a section, nobody knows which it is of."""
    (statement,) = _file("!Account\nNA\n^\nNB\n^\n!Type:Bank\nD1/31/26\nT1\n^\n").statements
    assert statement.account == ""


def test_investments_are_lines_without_cash() -> None:
    """Their figures are in raw, as in OFX."""
    (statement,) = _file("!Type:Invst\nD1/31/2026\nNBuy\nYACME\nI10.5\nQ2\nT21.00\n^\n").statements
    (line,) = statement.lines

    assert (statement.account_kind, line.kind, line.type, str(line.amount)) == ("INVESTMENT", "security", "BUY", "0")
    assert (line.payee, line.raw["Q"], line.raw["T"]) == ("ACME", "2", "21.00")
    assert str(statement.sum) == "0"


# --- dates -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("12/31/99", date(1999, 12, 31)),
        ("12/31/26", date(2026, 12, 31)),
        ("31.12.2026", date(2026, 12, 31)),
        ("31-12-2026", date(2026, 12, 31)),
        ("2026-12-31", date(2026, 12, 31)),
        ("2026/02/01", date(2026, 2, 1)),
        ("12/31'26", date(2026, 12, 31)),
        ("12/31' 6", date(2006, 12, 31)),
        ("31/12'99", date(1999, 12, 31)),
        ("31/12'68", date(2068, 12, 31)),
        ("12/31'2026", date(2026, 12, 31)),
        (" 1/31/ 6", date(2006, 1, 31)),
        ("5/5/26", date(2026, 5, 5)),
    ],
)
def test_date_is_read_in_every_form(written: str, day: date) -> None:
    """Whatever stands before a year of two digits, it is of 1969 to 2068; what one date cannot be decides its order."""
    assert _bank(f"D{written}", "T1", "^").lines[0].date == day


def test_one_date_decides_for_all() -> None:
    """The order is one for the whole file."""
    statement = _bank("D1/ 2'26", "T1", "^", "D1/13'26", "T1", "^")
    assert [line.date for line in statement.lines] == [date(2026, 1, 2), date(2026, 1, 13)]
    statement = _bank("D1/ 2'26", "T1", "^", "D13/1'26", "T1", "^")
    assert [line.date for line in statement.lines] == [date(2026, 2, 1), date(2026, 1, 13)]


def test_open_order_needs_the_argument() -> None:
    """It is refused with the argument that decides; the file's own option decides, too."""
    error = _refusal("!Type:Bank\nD5/5/26\nT1\n^\nD1/ 2'26\nT1\n^\n")
    assert (error.line, "date_order='dmy'" in error.reason, '"1/ 2\'26"' in error.reason) == (5, True, True)

    days = [_bank("D1/ 2'26", "T1", "^", date_order=order).lines[0].date for order in ("dmy", "mdy")]
    assert days == [date(2026, 2, 1), date(2026, 1, 2)]
    (stated,) = _file("!Option:MDY\n!Type:Bank\nD1/2/26\nT1\n^\n").statements
    assert stated.lines[0].date == date(2026, 1, 2)
    with pytest.raises(InvalidError, match="say 'dmy' or 'mdy'"):
        _bank("D1/2/26", "T1", "^", date_order="ymd")


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("D30.02.2026\nT1\n^\n", 2, "not a date in the calendar"),
        ("D13/13/26\nT1\n^\n", 2, "no one order"),
        ("D13/1/26\nT1\n^\nD1/13/26\nT1\n^\n", 5, "no one order"),
        ("DJan 5\nT1\n^\n", 2, "D 'Jan 5' is not a date"),
        ("D1/2/3/4\nT1\n^\n", 2, "is not a date"),
        ("D1/31/126\nT1\n^\n", 2, "is not a date"),
        ("D\nT1\n^\n", 2, "the record has no date (D)"),
        ("D1/31/26\nPx\n^\n", 2, "the record has no amount (T)"),
        ("D1/31/26\nTx\n^\n", 3, "T 'x' is not an amount"),
        ("D1/31/26\nT1\nU2\n^\n", 2, "two amounts, T 1 and U 2"),
        ("D1/31/26\nT1\nD1/31/26\nT2\n^\n", 4, "is the ^ before it missing?"),
        ("D1/31/26\nT1\nPShop\n", 2, "no end (^)"),
        ("D1/31/26\nT1\n!Type:CCard\n", 2, "no end (^)"),
        ("D1/31/26\nT1\n!Type:CCard\n^\n", 2, "no end (^)"),
        ("D1/31/26\nT1,00\n^\nD1/31/26\nT1.00\n^\n", None, "a decimal point and some a decimal comma"),
        ("D1/31/26\nT1,234\n^\n", None, "'1,234' have decimals or thousands"),
        ("^\n", None, "no lines of an account"),
        ("D1/31/26\nT1\n^\n!Type:CCard\nD1/31/26\nT1\n^\n", 1, "names the account of this"),
        ("D1/31/26\nT1\n^\n!Type:Bill\n", 5, "'!Type:bill' is not known"),
        ("D1/31/26\nT1\n^\n!Wrong\n", 5, "no section of a QIF file"),
        ("D1/31/26\nT1\x00\n^\n", 3, "a NUL character"),
    ],
)
def test_damaged_file_is_refused(text: str, line: int | None, reason: str) -> None:
    """With the line where there is one, and nothing read in part."""
    error = _refusal("!Type:Bank\n" + text)
    assert (error.file, error.line) == ("bank.qif", line)
    assert reason in error.reason


# --- amounts and text ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "amounts"),
    [
        (["-1,234.56", "1,234"], ["-1234.56", "1234"]),
        (["-1.234,56", "1.234"], ["-1234.56", "1234"]),
        (["-12,5", "5"], ["-12.5", "5"]),
        (["1234567", "-5"], ["1234567", "-5"]),
        (["1,234,567", "5"], ["1234567", "5"]),
        (["1 234,50"], ["1234.50"]),
        (["-0,125"], ["-0.125"]),
        (["1234.567"], ["1234.567"]),
    ],
)
def test_separators_are_what_the_amounts_prove(written: list[str], amounts: list[str]) -> None:
    """One amount decides for all."""
    statement = _bank(*(line for each in written for line in ("D1/31/26", f"T{each}", "^")))
    assert [str(line.amount) for line in statement.lines] == amounts


def test_open_separators_need_the_argument() -> None:
    """What no amount proves is told."""
    lines = ("D1/31/26", "T1,234", "^")
    assert [str(_bank(*lines, decimal=mark).lines[0].amount) for mark in ".,"] == ["1234", "1.234"]


def test_encoding_is_told_or_utf_8() -> None:
    """QIF does not say its encoding, and it is not guessed."""
    data = "!Type:Bank\nD1/31/26\nT1.00\nPMüller\n^\n".encode("cp1252")
    error = _refusal(data)

    assert (error.line, "encoding='windows-1252'" in error.reason) == (4, True)
    assert _file(data, encoding="windows-1252").statements[0].lines[0].payee == "Müller"
    assert _file(data.decode("cp1252").encode("utf-16")).statements[0].lines[0].payee == "Müller"
    with pytest.raises(InvalidError, match="'nonsense' is unknown"):
        _file(data, encoding="nonsense")


def test_splits_that_do_not_add_up_are_told() -> None:
    """Programs write such files: the record's amount counts, and the file says how many there are."""
    record = "D1/31/26\nT-100.00\nSFood\n$-60.00\nSHome\n${}\n^\n"
    file = _file("!Type:Bank\n" + record.format("-40.00") + record.format("-30.00") + record.format("40.00"))
    assert (str(file.statements[0].sum), len(file.remarks)) == ("-300.00", 1)
    assert "(the first on line 9)" in file.remarks[0]
    assert file.remarks[0].endswith(": 2")
    assert _file("!Type:Bank\n" + record.format("-40.00")).remarks == ()
    assert (_refusal("!Type:Bank\n" + record.format("x")).line, _file(SAMPLE.read_bytes()).remarks) == (7, ())


def test_lines_of_an_account_without_a_section_are_refused() -> None:
    """Below !Account they would be taken for accounts, and be lost."""
    account = "!Account\nNA\nTBank\n^\n"
    lines = "D1/31/26\nT1\n^\n"
    error = _refusal(f"{account}{lines}{account}!Type:Bank\n{lines}")
    assert (error.line, "no name (N)" in error.reason) == (5, True)
    assert _refusal(f"!Type:Bank\n{lines}{account}{lines}").line == 9


def test_many_fields_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are counted before any is kept, so that memory is bounded; those of lists are none."""
    monkeypatch.setattr(records, "MOST_FIELDS", 5)
    error = _refusal("!Type:Bank\n!Nonsense\n" + "D1/31/26\nTno amount\n^\n" * 3)
    assert (error.line, "more than 5 fields" in error.reason) == (10, True)
    monkeypatch.setattr(records, "MOST_FIELDS", 6)
    assert _file("!Type:Cat\n" + "NFood\n^\n" * 9 + "!Type:Bank\n" + "D1/31/26\nT1\n^\n" * 3).statements[0].sum == 3


def test_every_truncation_is_refused_or_ends_at_a_record() -> None:
    """Wherever a download stops, a line is whole or the file is refused."""
    data = SAMPLE.read_bytes()
    whole = [line for statement in read_statements(SAMPLE).statements for line in statement.lines]
    for length in range(len(data)):
        try:
            found = _file(data[:length], date_order="mdy").statements
        except StatementFileError:
            continue
        lines = [line for statement in found for line in statement.lines]
        assert lines == whole[: len(lines)]
