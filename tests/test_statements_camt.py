"""Reading CAMT.052, 053 and 054: every entry, as the bank wrote it, or a refusal."""

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
from finance.statements.camt import markup

SAMPLE = Path(__file__).parent / "samples" / "statement.camt053.xml"
ISO = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.02"
BOOKED = "<CdtDbtInd>CRDT</CdtDbtInd><Sts>BOOK</Sts><BookgDt><Dt>2026-08-05</Dt></BookgDt>"


def _document(entries: str, *, account: str = "<Ccy>EUR</Ccy>", balances: str = "", namespace: str = ISO) -> bytes:
    """Write a statement around *entries*, which begin on line 3 of the file."""
    declared = f' xmlns="{namespace}"' if namespace else ""
    statement = f"<Acct><Id><IBAN>NL01BANK</IBAN></Id>{account}</Acct>{balances}\n{entries}\n"
    message = f"<BkToCstmrStmt><GrpHdr/><Stmt>{statement}</Stmt></BkToCstmrStmt>"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<Document{declared}>{message}</Document>\n'.encode()


def _entry(amount: str = "1.00", rest: str = BOOKED) -> str:
    return f'<Ntry><Amt Ccy="EUR">{amount}</Amt>{rest}</Ntry>'


def _balance(kind: str, amount: str, currency: str = "EUR") -> str:
    said = f'<Amt Ccy="{currency}">{amount}</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-08-31</Dt></Dt>'
    return f"<Bal><Tp><CdOrPrtry><Cd>{kind}</Cd></CdOrPrtry></Tp>{said}</Bal>"


def _read(data: bytes) -> Statement:
    (statement,) = parse_statements(data, name="test.xml").statements
    return statement


def _line(rest: str) -> StatementLine:
    (line,) = _read(_document(_entry(rest=rest))).lines
    return line


def _refusal(data: bytes) -> StatementFileError:
    with pytest.raises(StatementFileError) as caught:
        parse_statements(data, name="test.xml")
    assert "\n" not in str(caught.value)
    return caught.value


# --- whole files -----------------------------------------------------------------------------------


def test_statement_has_its_account_period_and_balances() -> None:
    """The closing balance of the statement before (PRCD) opens this one; an available balance is none of ours."""
    file = read_statements(SAMPLE)
    first, second = file.statements
    assert (file.format, file.version, file.institution) == ("camt.053", "08", "Harbour & Söhne")
    assert (first.bank, first.account, first.account_kind) == (None, "DE02120300000000202051", "CHECKING")
    assert (first.starts_on, first.ends_on) == (date(2026, 8, 1), date(2026, 8, 31))
    assert (first.opening_balance, first.closing_balance) == (Decimal(-100), Decimal("1247.90"))
    assert (first.closing_on, first.adds_up, first.currency) == (date(2026, 8, 31), True, "EUR")
    assert (second.bank, second.account, second.account_kind, second.currency) == ("HARBDEFF", "77-1", None, "CHF")
    assert (second.closing_balance, second.adds_up, str(second.sum)) == (None, None, "-0.500")


def test_entry_says_who_and_what_for() -> None:
    """The other party by the direction of the money, below Pty as since version 8, and both texts."""
    line = read_statements(SAMPLE).statements[0].lines[0]
    assert (line.date, str(line.amount), line.currency) == (date(2026, 8, 3), "-42.10", "EUR")
    assert (line.bank_id, line.type) == ("H0803001", "PMNT-RDDT-ESDD")
    assert (line.payee, line.memo) == ("Grocery at the Harbour", "Invoice 17, thank you")
    assert (line.raw["Amt@Ccy"], line.raw["NtryDtls.TxDtls.RmtInf.Ustrd[2]"]) == ("EUR", "thank you")


def test_reversal_keeps_its_own_sign_and_the_party_of_what_it_undoes() -> None:
    """A credit undone is a debit; who had paid is still its debtor. Its day is the one that is written."""
    line = read_statements(SAMPLE).statements[0].lines[1]
    assert (str(line.amount), line.payee, line.memo) == ("-10.00", "Anna Ōe", "Credit undone")
    assert (line.date, line.bank_id) == (date(2026, 8, 31), "H0831002")


def test_entry_of_several_payments_is_one_line() -> None:
    """The sum is what changed the balance; the payments, one of them in dollars, are in `raw`."""
    line = read_statements(SAMPLE).statements[0].lines[2]
    assert (str(line.amount), line.currency, line.payee, line.memo) == ("1400.00", "EUR", None, "Two payments")
    assert (line.bank_id, line.type, line.date) == (None, "NTRF+051", date(2026, 8, 31))
    assert (line.raw["NtryDtls.TxDtls.Amt"], line.raw["NtryDtls.TxDtls.Amt@Ccy"]) == ("800.00", "USD")
    assert line.raw["NtryDtls.TxDtls[2].RltdPties.Dbtr.Pty.Nm"] == "Lighthouse"


def test_what_is_not_booked_is_counted_only() -> None:
    """Pending and informative entries come again when they are booked."""
    statement = read_statements(SAMPLE).statements[0]
    assert (len(statement.lines), statement.pending, [line.number for line in statement.lines]) == (3, 2, [1, 2, 3])


@pytest.mark.parametrize(
    ("message", "container", "format_"),
    [
        ("BkToCstmrAcctRpt", "Rpt", "camt.052"),
        ("BkToCstmrStmt", "Stmt", "camt.053"),
        ("BkToCstmrDbtCdtNtfctn", "Ntfctn", "camt.054"),
    ],
)
def test_three_messages_are_read_alike(message: str, container: str, format_: str) -> None:
    """They differ in names, and in which balances they state."""
    data = _document(_entry()).replace(b"BkToCstmrStmt", message.encode()).replace(b"Stmt>", f"{container}>".encode())
    data = data.replace(f"BkToCstmr{container}".encode(), message.encode())
    file = parse_statements(data, name="x")
    assert (file.format, len(file.statements[0].lines)) == (format_, 1)


@pytest.mark.parametrize(
    ("namespace", "version"),
    [(ISO, "02"), (ISO.replace("02", "13"), "13"), ("http://bank.example/camt.053.001.04.ch.02.xsd", "04"), ("", None)],
)
def test_any_namespace_is_read(namespace: str, version: str | None) -> None:
    """Versions differ in names that are looked for by all their names; some banks write a namespace of their own."""
    file = parse_statements(_document(_entry(), namespace=namespace), name="x")
    assert (file.version, len(file.statements[0].lines)) == (version, 1)


def test_prefixes_and_comments_change_nothing() -> None:
    """The same elements under a prefix, with comments and instructions between them."""
    plain = _document(_entry()).decode()
    prefixed = plain.replace("</", "</n:").replace("<", "<n:").replace("<n:/n:", "</n:").replace("<n:?", "<?")
    prefixed = prefixed.replace("xmlns=", "xmlns:n=").replace("<n:Ntry>", "<!-- <Ntry> --><?x y?><n:Ntry>")
    assert _read(prefixed.encode()) == _read(plain.encode())


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16", "ISO-8859-1", "windows-1252"])
def test_declared_encoding_is_read(encoding: str) -> None:
    """XML says its encoding itself."""
    rest = f"{BOOKED}<AddtlNtryInf>Zürich</AddtlNtryInf>"
    data = _document(_entry(rest=rest)).decode().replace("UTF-8", encoding).encode(encoding)
    assert _read(data).lines[0].memo == "Zürich"


def test_version_1_is_read() -> None:
    """It names the message by its version, and has balances and payments a level higher."""
    details = "<TxDtls><RltdPties><Dbtr><Nm>Harbour</Nm></Dbtr></RltdPties></TxDtls>"
    data = _document(
        _entry(rest=f"{BOOKED}{details}"), balances=_balance("OPBD", "1"), namespace=ISO.replace("02", "01")
    )
    old = (
        data.decode()
        .replace("BkToCstmrStmt", "BkToCstmrStmtV01")
        .replace("<CdOrPrtry>", "")
        .replace("</CdOrPrtry>", "")
    )
    file = parse_statements(old.encode(), name="x")
    assert (file.version, file.statements[0].lines[0].payee) == ("01", "Harbour")
    assert file.statements[0].opening_balance == 1


# --- single elements -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "amount"), [("8.85000", "8.85000"), ("200000", "200000"), (".5", "0.5"), ("0", "0")]
)
def test_amount_keeps_its_decimals(written: str, amount: str) -> None:
    """No digit is added or lost."""
    assert str(_read(_document(_entry(written))).lines[0].amount) == amount


@pytest.mark.parametrize(
    ("reference", "bank_id"),
    [("A1", "A1"), ("NONREF", None), ("NOTPROVIDED", None), ("000", None), ("", None)],
)
def test_placeholder_is_no_id(reference: str, bank_id: str | None) -> None:
    """The number within the message (NtryRef) and the payer's own reference are none either."""
    refs = "<NtryDtls><TxDtls><Refs><EndToEndId>E1</EndToEndId></Refs></TxDtls></NtryDtls>"
    line = _line(f"<NtryRef>1</NtryRef>{BOOKED}<AcctSvcrRef>{reference}</AcctSvcrRef>{refs}")
    assert line.bank_id == bank_id


def test_id_of_one_of_several_payments_is_none_of_the_entry() -> None:
    """Two entries may begin with payments that have the same id."""
    details = "<TxDtls><Refs><AcctSvcrRef>{}</AcctSvcrRef></Refs></TxDtls>"
    assert _line(f"{BOOKED}<NtryDtls>{details.format('P1')}</NtryDtls>").bank_id == "P1"
    assert _line(f"{BOOKED}<NtryDtls>{details.format('P1')}{details.format('P2')}</NtryDtls>").bank_id is None


def test_currency_is_that_of_the_entries_where_the_account_has_none() -> None:
    """A balance in another currency is a balance of another pocket, and no claim about this one."""
    statement = _read(_document(_entry(), account="", balances=_balance("OPBD", "1.0") + _balance("CLBD", "2", "SEK")))
    assert (statement.currency, str(statement.opening_balance), statement.closing_balance) == ("EUR", "1.0", None)
    assert _read(_document("", account="", balances=_balance("CLBD", "2", "SEK"))).currency == "SEK"
    assert _read(_document("", account="")).currency is None


def test_currency_of_an_entry_is_its_own() -> None:
    """The importer posts nothing of what is not in its account's currency; the reader says it as it is."""
    statement = _read(_document(_entry().replace("EUR", "USD")))
    assert (statement.currency, statement.lines[0].currency) == ("EUR", "USD")


@pytest.mark.parametrize(("version", "remarks"), [("02", 0), ("04", 0), ("08", 0), ("10", 0), ("13", 0), ("57", 1)])
def test_unknown_version_is_read_and_told(version: str, remarks: int) -> None:
    """Every part that carries money has to be there as it is known."""
    namespace = f"urn:iso:std:iso:20022:tech:xsd:camt.053.001.{version}"
    file = parse_statements(_document(_entry(), namespace=namespace), name="test.xml")
    assert (file.version, str(file.statements[0].sum), len(file.remarks)) == (version, "1.00", remarks)
    assert all(f"version {version}" in remark for remark in file.remarks)


def test_balance_that_is_stated_in_two_ways_is_none() -> None:
    """Which one the bank means, nobody can know."""
    balances = _balance("CLBD", "1.00") + _balance("CLBD", "2.00") + _balance("OPBD", "0") + _balance("OPBD", "0.00")
    statement = _read(_document(_entry(), balances=balances))
    assert (statement.closing_balance, str(statement.opening_balance)) == (None, "0")


def test_structured_remittance_and_agents_are_read() -> None:
    """A creditor's reference, the bank's text behind it, and a bank as the other party."""
    structured = "<Strd><CdtrRefInf><Ref>RF18</Ref></CdtrRefInf><AddtlRmtInf>May</AddtlRmtInf></Strd>"
    party = "<RltdPties><Dbtr><Agt><FinInstnId><Nm>Harbour Bank</Nm></FinInstnId></Agt></Dbtr></RltdPties>"
    cheque = "<Refs><ChqNb>1042</ChqNb></Refs>"
    line = _line(f"{BOOKED}<NtryDtls><TxDtls>{cheque}{party}<RmtInf>{structured}</RmtInf></TxDtls></NtryDtls>")
    assert (line.payee, line.memo, line.check_number) == ("Harbour Bank", "RF18 May", "1042")


# --- refusals --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (">1.00<", ">-1.00<", "entry 1: Amt '-1.00' is not an amount"),
        (">1.00<", ">1,00<", "entry 1: Amt '1,00' is not an amount"),
        (">1.00<", ">1.2.3<", "is not an amount"),
        (">1.00<", ">.<", "is not an amount"),
        (">1.00<", ">NaN<", "is not an amount"),
        (">1.00<", ">1e5<", "is not an amount"),
        (">1.00<", f">0.{'1' * 19}<", "more than 18 decimals"),
        (">1.00<", f">{'1' * 25}<", "is too large"),
        (">1.00<", "><", "Amt is missing or empty"),
        ("<CdtDbtInd>CRDT</CdtDbtInd>", "", "CdtDbtInd is missing or empty"),
        ("CRDT", "C", "CdtDbtInd 'C' is neither CRDT nor DBIT"),
        ("<CdtDbtInd>", "<CdtDbtInd>DBIT</CdtDbtInd><CdtDbtInd>", "CdtDbtInd is there 2 times"),
        ("<Sts>BOOK</Sts>", "", "Sts '' does not say whether it is booked"),
        ("BOOK", "PERHAPS", "Sts 'PERHAPS' does not say"),
        ("2026-08-05", "2026-02-30", "Dt '2026-02-30' is not a date in the calendar"),
        ("2026-08-05", "05.08.2026", "Dt '05.08.2026' is not a date (YYYY-MM-DD)"),
        ("<BookgDt><Dt>2026-08-05</Dt></BookgDt>", "", "BookgDt and ValDt are missing or empty"),
        ('Ccy="EUR"', 'Ccy="E1"', "Amt Ccy 'E1' is not a currency code"),
        ('Ccy="EUR"', "", "Amt Ccy '' is not a currency code"),
    ],
)
def test_element_that_cannot_be_right_refuses_the_file(old: str, new: str, reason: str) -> None:
    """Nothing is guessed, and the error has the line."""
    data = _document(_entry()).decode()
    assert old in data
    error = _refusal(data.replace(old, new, 1).encode())
    assert reason in error.reason
    assert error.line == 3


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("<IBAN>NL01BANK</IBAN>", "", "names no account"),
        ("Stmt>", "Other>", "entries (Ntry) outside of every statement"),
        ("<Ccy>EUR</Ccy>", "<Ccy>euro</Ccy>", "Ccy 'euro' is not a currency code"),
        ("</Ntry>", '</Ntry><Ntry><Amt Ccy="USD">1</Amt>' + BOOKED + "</Ntry>", "several in it"),
        ("</Ntry>", '</Ntry><Entry><Amt Ccy="EUR">1</Amt>' + BOOKED + "</Entry>", "<Entry> in Stmt is unknown"),
        ("</Document>", "", "not well-formed XML"),
        ("</Document>", "</Document><Document/>", "not well-formed XML"),
        ("<GrpHdr/>", "<GrpHdr>&unknown;</GrpHdr>", "not well-formed XML"),
        ("<GrpHdr/>", "<a>" * 300 + "</a>" * 300, "not well-formed XML"),
    ],
)
def test_damaged_message_is_refused(old: str, new: str, reason: str) -> None:
    """What is missing, doubled or strange is never passed over."""
    data = _document(_entry()).decode()
    if reason == "several in it":
        data = data.replace("<Ccy>EUR</Ccy>", "")
    assert reason in str(_refusal(data.replace(old, new).encode()))


def test_message_without_a_statement_is_refused() -> None:
    """A header alone may be the bank's answer to a question for nothing, but it is no statement."""
    data = b'<Document xmlns="' + ISO.encode() + b'"><BkToCstmrStmt><GrpHdr/></BkToCstmrStmt></Document>'
    assert "holds no statement (Stmt)" in str(_refusal(data))


def test_every_truncation_is_refused() -> None:
    """Wherever a download stops, nothing of it is read."""
    data = SAMPLE.read_bytes().rstrip()
    for length in range(0, len(data), 3):
        _refusal(data[:length])


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16"])
@pytest.mark.parametrize(
    "declared", ['<!DOCTYPE Document SYSTEM "file:///etc/passwd">', '<!doctype x [<!ENTITY a "b">]>']
)
def test_document_type_is_refused_before_parsing(declared: str, encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a bomb of entities nor a file of this machine can be asked for."""
    monkeypatch.setitem(sys.modules, "lxml.etree", None)
    data = _document(_entry()).decode().replace("UTF-8", encoding).replace("<Document", f"{declared}<Document")
    assert "a DOCTYPE or an ENTITY" in str(_refusal(data.encode(encoding)))


def test_document_type_in_disguise_is_refused() -> None:
    """In UTF-7 its letters are not to be seen before parsing."""
    bomb = b'<!DOCTYPE Document [<!ENTITY a "b">]>'.decode().encode("utf-7").replace(b"<", b"+ADw-")
    data = _document(_entry(rest=f"{BOOKED}<AddtlNtryInf>&a;</AddtlNtryInf>")).replace(b"UTF-8", b"UTF-7")
    assert b"DOCTYPE" in bomb
    assert b"<!DOCTYPE" not in bomb
    assert "DOCTYPE" in str(_refusal(data.replace(b"<Document", bomb + b"<Document")))


def test_entries_are_forgotten_when_they_are_read() -> None:
    """So memory grows with the lines, and not with the elements of the file."""
    found = markup.elements(_document(_entry() * 2))
    first = next(found)
    assert [child.name for child in first.children()] == ["Amt", "CdtDbtInd", "Sts", "BookgDt"]
    next(found)
    assert first.children() == []


def test_many_elements_are_refused_before_parsing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file within the size can still hold millions of elements or attributes."""
    monkeypatch.setattr(markup, "_MOST_MARKS", 60)
    assert len(_read(_document(_entry())).lines) == 1
    for many in ("<a/>" * 60, "<a " + " ".join(f'a{number}=""' for number in range(60)) + "/>"):
        assert "tags and attributes" in str(_refusal(_document(_entry() + many)))


def test_long_paths_are_refused() -> None:
    """Names of elements that are nested would otherwise grow with the square of the file."""
    name = "N" * 50
    assert "too deep" in str(_refusal(_document(_entry(rest=f"{BOOKED}{f'<{name}>' * 9}{f'</{name}>' * 9}"))))


def test_damaged_bytes_never_raise_anything_else() -> None:
    """Hundreds of damaged files are read, or refused with the one typed error."""
    chance = random.Random(20261122)
    for _ in range(300):
        data = bytearray(SAMPLE.read_bytes())
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(data))
            data[at : at + chance.randint(0, 9)] = chance.choice([b"<", b">", b"&", b"\xff", b"</", b"", b"<a/>", b"9"])
        with contextlib.suppress(StatementFileError):
            parse_statements(bytes(data), name="damaged.xml")


def test_missing_extra_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without lxml, reading says what to install."""
    monkeypatch.setitem(sys.modules, "lxml.etree", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'finance-ledger\[statements\]'"):
        read_statements(SAMPLE)
