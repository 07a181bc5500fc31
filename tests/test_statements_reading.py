"""What is not a whole bank statement is refused with one line, and never read in part."""

from __future__ import annotations

import contextlib
import random
import re
import sqlite3
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from finance.errors import ConfigurationError, StatementFileError
from finance.statements import CsvProfile, parse_statements, propose_profile, read_statements, reading

SAMPLES = Path(__file__).parent / "samples"
SEVERAL = SAMPLES / "several-accounts.ofx"
INVESTMENT = SAMPLES / "investment.ofx"


def _refusal(data: bytes) -> StatementFileError:
    with pytest.raises(StatementFileError) as caught:
        parse_statements(data, name="test.ofx")
    assert "\n" not in str(caught.value)
    return caught.value


# --- other files -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "the file is empty"),
        (b" \r\n\t\n", "the file is empty"),
        (b"\xef\xbb\xbf\n", "the file is empty"),
        (b"%PDF-1.7\n<OFX></OFX>", "a PDF document"),
        (b"PK\x03\x04rest", "a zip archive or an office document"),
        (b"\x89PNG\r\n\x1a\n", "a picture (PNG)"),
        (b"<!-- x -->\n<!DOCTYPE html><html><body>Log in</body></html>", "a web page"),
        (b"<HTML><body><OFX></OFX>", "a web page"),
        (b"Date;Payee;Amount\n2026-01-05;Shop;-1,00\n", "a table (CSV)"),
        (b'{"transactions": []}', "a JSON document"),
        (b":20:STARTUMS\n:28C:1\n", "a part of an MT940 statement"),
        (b"{1:F01BANKBEBBAXXX0}{2:O103}{4:\n:20:1\n:32A:260105EUR1,\n-}", "a SWIFT message other than MT940"),
        (b'<?xml version="1.0"?><Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"/>', "ISO 20022"),
        (b'<?xml version="1.0"?><note/>', "an XML document of another kind"),
        (b"\x00\x01\x02\x03", "a binary file"),
        (b"OFXHEADER:100\nDATA:OFXSGML\n", "the header of an OFX file without its content"),
        (b"Dear customer", "not a bank statement of a known format"),
    ],
)
def test_other_files_are_told_by_their_kind(data: bytes, kind: str) -> None:
    """The error says what the file is, because that is what the user can act upon."""
    assert kind in str(_refusal(data))


def test_database_is_not_a_statement(tmp_path: Path) -> None:
    """A real SQLite file under the name of a statement."""
    path = tmp_path / "books.ofx"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE t (x)")
    connection.commit()
    connection.close()
    with pytest.raises(StatementFileError, match=r"^books\.ofx: this is an SQLite database; export"):
        read_statements(path)


# --- paths -----------------------------------------------------------------------------------------


def test_missing_file_is_named_without_its_folder(tmp_path: Path) -> None:
    """A folder may say who somebody is."""
    with pytest.raises(StatementFileError) as caught:
        read_statements(tmp_path / "none.ofx")
    assert str(caught.value) == "none.ofx: the file cannot be read: No such file or directory"
    assert isinstance(caught.value.__cause__, FileNotFoundError)


def test_folders_and_devices_are_refused(tmp_path: Path) -> None:
    """Reading a pipe would wait, and reading a device would never end."""
    with pytest.raises(StatementFileError, match="this is a folder"):
        read_statements(tmp_path)
    with pytest.raises(StatementFileError, match="not an ordinary file"):
        read_statements("/dev/zero")


def test_unreadable_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may read everything, so the refusal is simulated."""
    path = tmp_path / "secret.ofx"
    path.write_bytes(b"<OFX></OFX>")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(StatementFileError, match=r"^secret\.ofx: the file cannot be read: Permission denied$"):
        read_statements(path)


def test_large_file_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The size alone decides, so that memory is bounded."""
    path = tmp_path / "large.ofx"
    with path.open("wb") as file:
        file.truncate(reading.LARGEST + 1)
    monkeypatch.setattr(Path, "open", None)
    with pytest.raises(StatementFileError, match="67,108,865 bytes, more than 67,108,864"):
        read_statements(path)


def test_large_upload_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that come from elsewhere have the same limit."""
    data = SEVERAL.read_bytes()
    monkeypatch.setattr(reading, "LARGEST", len(data) - 1)
    assert "export a shorter period" in str(_refusal(data))


def test_many_elements_are_refused_before_a_tree_is_built() -> None:
    """A file within the size can still hold millions of elements."""
    assert "more than 500,000 elements" in str(_refusal(b"<OFX>" + b"<A>" * 500_000 + b"</OFX>"))


# --- damaged files ---------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [SAMPLES / "xml-utf8.ofx", SAMPLES / "credit-card.qfx"], ids=lambda path: path.name)
def test_every_truncation_is_refused(path: Path) -> None:
    """Wherever a download stops, nothing of it is read."""
    data = path.read_bytes().rstrip()
    for length in range(len(data)):
        _refusal(data[:length])


def test_truncation_is_told_with_its_line() -> None:
    """The last line is where to look."""
    data = SEVERAL.read_bytes()
    error = _refusal(data[: data.index(b"<FITID>A2")])
    assert (error.reason, error.line) == (
        "the file ends before </OFX>; the download was cut off",
        data[: data.index(b"<FITID>A2")].count(b"\n") + 1,
    )


@pytest.mark.parametrize(
    "tag", [b"</STMTTRN>", b"</STMTRS>", b"</BANKTRANLIST>", b"</LEDGERBAL>", b"</BANKACCTFROM>", b"</BANKMSGSRSV1>"]
)
def test_lost_closing_tag_is_refused(tag: bytes) -> None:
    """Without it, nobody can know what belongs to what."""
    _refusal(SEVERAL.read_bytes().replace(tag, b"", 1))


@pytest.mark.parametrize("tag", [b"<STMTTRN>", b"<STMTRS>", b"<BANKTRANLIST>"])
def test_lost_opening_tag_is_refused(tag: bytes) -> None:
    """Its elements would otherwise become another's."""
    _refusal(SEVERAL.read_bytes().replace(tag, b"", 1))


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"<STMTTRN>", b"<!-- <STMTTRN></STMTTRN> --><STMTTRN>", "the text has 6 <STMTTRN>, but 5 could be read"),
        (b"<STMTRS>", b"<!-- <STMTRS></STMTRS> --><STMTRS>", "the text has 5 <STMTRS>, but 4 could be read"),
        (b"<STMTTRN><TRNTYPE>DEBIT", b"<TRNAMT>1</TRNAMT><STMTTRN>", "the text has 6 <TRNAMT>, but 5 could be read"),
        (b"</BANKTRANLIST>", b"</BANKTRANLIST><STMTTRN><TRNAMT>1</STMTTRN>", "the text has 6 <STMTTRN>"),
        (b"<STMTTRN>", b'<STMTTRN id="1">', "</STMTTRN> closes nothing"),
        (b"<STMTTRN>", b"<LOANSTMTTRN></LOANSTMTTRN><STMTTRN>", "<LOANSTMTTRN> lines, which cannot be read yet"),
        (b"<STMTTRN>", b"<BOOKING><TRNAMT>1</BOOKING><STMTTRN>", "<BOOKING> in BANKTRANLIST is unknown"),
        (b"<LEDGERBAL><BALAMT>", b"<LEDGERBAL>", "LEDGERBAL has no BALAMT"),
        (b"<NAME>", b"<CURRENCY><CURRATE>1</CURRENCY><NAME>", "CURRENCY has no CURSYM"),
        (b"<ACCTID>100", b"<ACCTID>", "ACCTID is missing or empty"),
        (b"<CCACCTFROM><ACCTID>5500000000000004</CCACCTFROM>", b"", "the statement names no account"),
        (b"</OFX>", b"</OFX><OFX></OFX>", "something follows </OFX>"),
        (b"<DTEND>", b"<!-- <DTEND>", "<!-- is never ended by -->"),
        (b"<OFX>", b"<OFX>" + b"<A>" * 60 + b"</A>" * 60, "nested more than 40 deep"),
    ],
)
def test_what_cannot_be_read_is_never_dropped(old: bytes, new: bytes, reason: str) -> None:
    """A difference between the text and what was read refuses the file."""
    assert reason in str(_refusal(SEVERAL.read_bytes().replace(old, new, 1)))


@pytest.mark.parametrize("path", [SEVERAL, INVESTMENT, SAMPLES / "xml-utf8.ofx"], ids=lambda path: path.name)
@pytest.mark.parametrize("times", [0, 2])
def test_lost_or_doubled_tag_changes_no_amount(path: Path, times: int) -> None:
    """Whichever single tag is lost or doubled, the lines keep their amounts and dates, or the file is refused."""
    data = path.read_bytes()
    whole = _amounts(data)
    for tag in re.finditer(rb"</?[A-Z0-9.]+/?>", data):
        with contextlib.suppress(StatementFileError):
            assert _amounts(data[: tag.start()] + tag[0] * times + data[tag.end() :]) == whole


def _amounts(data: bytes) -> list[list[tuple[str, str, date]]]:
    statements = parse_statements(data, name="test.ofx").statements
    return [[(line.kind, str(line.amount), line.date) for line in statement.lines] for statement in statements]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"<SELLMF>", b"<SELLMF></SELLMF><SELLMF>", "the text has 2 <SELLMF>, but 1 could be read"),
        (b"</INVTRANLIST>", b"</INVTRANLIST><INVTRANLIST><SPLIT></SPLIT></INVTRANLIST>", "the text has 1 <SPLIT>"),
        (b"<DTTRADE>20260902160000.000[-5:EST]", b"", "BUYSTOCK 2 (FITID S1): DTTRADE is missing"),
    ],
)
def test_security_movement_is_never_dropped(old: bytes, new: bytes, reason: str) -> None:
    """It is not booked yet, but it is counted and told."""
    assert reason in str(_refusal(INVESTMENT.read_bytes().replace(old, new, 1)))


def test_unknown_security_movement_is_kept() -> None:
    """A kind that no specification names is a line as well."""
    (statement,) = parse_statements(INVESTMENT.read_bytes().replace(b"SELLMF", b"SELLCOIN"), name="x").statements
    assert statement.lines[3].type == "SELLCOIN"


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("declared", [b'<!DOCTYPE OFX [<!ENTITY a "b">]>', b'<!entity a "b">'])
def test_entity_declaration_is_refused(declared: bytes, *, before: bool) -> None:
    """The way to blow a small file up into gigabytes has no use in OFX."""
    old, new = (b"<OFX>", declared + b"<OFX>") if before else (b"<OFX>", b"<OFX>" + declared)
    assert "a DOCTYPE or an ENTITY" in str(_refusal((SAMPLES / "xml-utf8.ofx").read_bytes().replace(old, new)))


def test_error_of_the_bank_is_told() -> None:
    """A file without a statement is often the bank's answer to a failed download."""
    status = b"<STATUS><CODE>15500<SEVERITY>ERROR<MESSAGE>Signon\ninvalid</STATUS>"
    error = _refusal(b"<OFX><SIGNONMSGSRSV1><SONRS>" + status + b"</SONRS></SIGNONMSGSRSV1></OFX>")
    assert error.reason == "the bank answered with an error and no statement: 15500 Signon invalid"
    assert "no statement and no account" in str(_refusal(b"<OFX></OFX>"))


def test_damaged_bytes_never_raise_anything_else() -> None:
    """Hundreds of damaged files are read, or refused with the one typed error and no warning."""
    chance = random.Random(20261122)
    for path in sorted(SAMPLES.glob("*.[oq]fx")):
        for _ in range(40):
            data = bytearray(path.read_bytes())
            for _ in range(chance.randint(1, 4)):
                at = chance.randrange(len(data))
                data[at : at + chance.randint(0, 9)] = chance.choice(
                    [b"<", b">", b"&", b"\xff", b"</", b"", b"<A>", b"9"]
                )
            with contextlib.suppress(StatementFileError):
                parse_statements(bytes(data), name="damaged.ofx")


def test_damaged_tables_never_raise_anything_else() -> None:
    """The same for CSV by its profile, for the proposal of one, and for QIF."""
    chance = random.Random(20261123)
    profile = CsvProfile.load(SAMPLES / "giro.toml")
    whole = {name: (SAMPLES / name).read_bytes() for name in ("giro.csv", "accounts.qif")}
    for name in 80 * list(whole):
        data = bytearray(whole[name])
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(data))
            data[at : at + chance.randint(0, 9)] = chance.choice(
                [b";", b'"', b"\n", b"\xff", b"", b"9", b",", b"^", b"!", b"\n^\n", b"D"]
            )
        with contextlib.suppress(StatementFileError):
            parse_statements(bytes(data), name=name, profile=profile if name.endswith("csv") else None)
        with contextlib.suppress(StatementFileError):
            propose_profile(bytes(data), name=name)


# --- the library behind it -------------------------------------------------------------------------


def test_missing_extra_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without ofxparse, reading says what to install."""
    monkeypatch.setitem(sys.modules, "ofxparse.ofxparse", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'finance-ledger\[statements\]'"):
        read_statements(SEVERAL)


def test_importing_needs_no_extra() -> None:
    """`import finance.statements` loads none of the libraries that read files."""
    code = (
        "import sys, finance.statements;"
        " print({'ofxparse', 'bs4', 'six', 'lxml', 'mt940', 'clevercsv'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"


def test_failure_of_the_library_is_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    """No traceback of ofxparse reaches a user, but the error keeps it."""
    from ofxparse import ofxparse  # noqa: PLC0415 - the other tests run without it

    def fail(_: object) -> None:
        raise IndexError("list index out of range")

    monkeypatch.setattr(ofxparse, "soup_maker", fail)
    with pytest.raises(StatementFileError, match="ofxparse cannot read it: IndexError") as caught:
        read_statements(SEVERAL)
    assert isinstance(caught.value.__cause__, Exception)
    assert isinstance(caught.value.__cause__.__cause__, IndexError)
