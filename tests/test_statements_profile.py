"""A profile is proposed from a file: what its values decide is decided, what they do not is said or refused."""

from __future__ import annotations

import sys

import pytest

from finance.errors import ConfigurationError, InvalidError, StatementFileError
from finance.statements import CsvColumns, CsvProfile, CsvProposal, Statement, parse_statements, propose_profile

GERMAN = (
    '"Auftragskonto";"Buchungstag";"Valutadatum";"Verwendungszweck";"Beguenstigter/Zahlungspflichtiger";"Betrag";"Waehrung"\n'
    '"DE02120300000000202051";"31.10.26";"31.10.26";"Strom";"Stadtwerke Müller";"-45,00";"EUR"\n'
    '"DE02120300000000202051";"02.11.26";"02.11.26";"Lohn";"Firma";"2.345,67";"EUR"\n'
)
BRITISH = (
    "Transaction Date,Transaction Type,Account Number,Transaction Description,Debit Amount,Credit Amount,Balance\n"
    "25/05/2026,BGC,111,EMPLOYER,,903.52,4058.83\n"
    "15/05/2026,BP,111,COFFEE,2.76,,3155.31\n"
    "05/05/2026,DEB,111,FOOD,64.41,,3158.07\n"
)
DUTCH = (
    '"Datum","Naam / Omschrijving","Rekening","Af Bij","Bedrag (EUR)","Mededelingen"\n'
    '"20260131","Albert","NL01INGB0001234567","Af","12,34","Betaalautomaat"\n'
    '"20260130","Werk","NL01INGB0001234567","Bij","1000,00","Salaris"\n'
)
PREAMBLE = (
    "Kontoauszug;Meier, Anna\nZeitraum;01.01.2026 - 31.01.2026\n\nDatum;Text;Betrag;Saldo\n"
    "30.01.2026;Miete;-500,00;500,00\n31.01.2026;Lohn;1.000,00;1.500,00\nSumme;;500,00;\n"
)
AMERICAN = 'Date,Description,Amount\n01/31/2026,"Shop, Inc",($12.50)\n02/01/2026,Pay,"$1,000.00"\n'


def _tried(text: str, **arguments: str) -> tuple[CsvProposal, list[Statement]]:
    """Propose, write as TOML, and read the same file with what was written."""
    proposal = propose_profile(text.encode(), **arguments)  # type: ignore[arg-type]
    profile = CsvProfile.from_toml(proposal.to_toml())
    assert profile == proposal.profile
    return proposal, list(parse_statements(text.encode(), name="bank.csv", profile=profile).statements)


def _refusal(text: str | bytes) -> StatementFileError:
    with pytest.raises(StatementFileError) as caught:
        propose_profile(text if isinstance(text, bytes) else text.encode(), name="bank.csv")
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("text", "form", "amounts", "payees"),
    [
        (GERMAN, "DD.MM.YY", ["-45.00", "2345.67"], ["Stadtwerke Müller", "Firma"]),
        (BRITISH, "DD/MM/YYYY", ["903.52", "-2.76", "-64.41"], ["EMPLOYER", "COFFEE", "FOOD"]),
        (DUTCH, "YYYYMMDD", ["-12.34", "1000.00"], ["Albert", "Werk"]),
        (PREAMBLE, "DD.MM.YYYY", ["-500.00", "1000.00"], ["Miete", "Lohn"]),
        (AMERICAN, "MM/DD/YYYY", ["-12.50", "1000.00"], ["Shop, Inc", "Pay"]),
    ],
    ids=["german", "british", "dutch", "preamble", "american"],
)
def test_proposal_reads_the_file_that_it_was_made_from(
    text: str, form: str, amounts: list[str], payees: list[str]
) -> None:
    """In several languages, with signs of their own, separators and dates."""
    proposal, (statement,) = _tried(text)

    assert proposal.profile.date_format == form
    assert [(str(line.amount), line.payee) for line in statement.lines] == list(zip(amounts, payees, strict=True))


def test_proposal_knows_accounts_currencies_and_balances() -> None:
    """What a column says is taken from it."""
    (german,), (british,) = _tried(GERMAN)[1], _tried(BRITISH)[1]

    assert (german.account, german.currency) == ("DE02120300000000202051", "EUR")
    assert (british.account, str(british.opening_balance), str(british.closing_balance)) == (
        "111",
        "3222.48",
        "4058.83",
    )


def test_preamble_and_sum_are_skipped_and_said() -> None:
    """The header is where the words are; a sum at the end has no date."""
    proposal, _ = _tried(PREAMBLE)

    assert (proposal.profile.skip_lines, proposal.profile.skip_last) == (3, 1)
    assert any(each.startswith("skip_last:") for each in proposal.unsure)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (GERMAN, "columns.date: 'Buchungstag' is taken, and 'Valutadatum' could be it"),
        (AMERICAN, "currency: no column says it"),
        (AMERICAN, "account: no column says it"),
        ("Date,Description,Amount\n2026-01-31,A,5.00\n2026-01-30,B,6.00\n", "negate: no amount has a minus"),
        ("Date,Description,Amount\n2026-01-31,A,-5.000\n", "decimal, thousands: '-5.000' may have"),
        ("Date,Description,Amount\n2026-01-31,A,-5\n", "decimal, thousands: the amounts do not decide it"),
        ("2026-01-31,A,-5.00\n2026-01-30,B,6.00\n", "columns.amount: 3 is taken because of its values"),
        ("Date,Reference,Amount\n2026-01-31,A,-5.00\n", "columns.bank_id: take 'Reference' out"),
        ("Date,Amount,Balance\n2026-01-31,-5.00,10.00\n2026-01-30,6.00,99.00\n", "'Balance' is left out, since"),
        ("Date,Amount,Text\n2026-01-31,-5.00,a\n2026-01-30,6.00\n", "this very file cannot be read with it"),
    ],
)
def test_what_is_not_sure_is_said(text: str, part: str) -> None:
    """Each remark names a part of the profile, and stands in the TOML as a comment."""
    proposal = propose_profile(text.encode())

    assert any(part in each for each in proposal.unsure)
    assert [f"# unsure: {each}" for each in proposal.unsure] == proposal.to_toml().splitlines()[: len(proposal.unsure)]


def test_open_order_of_dates_is_refused() -> None:
    """Unless the values decide, or the caller does."""
    text = "Date,Description,Amount\n01/02/2026,A,-5.00\n03/02/2026,B,6.00\n"
    assert "'01/02/2026' have the day or the month first: say date_order='dmy'" in _refusal(text).reason

    told = [propose_profile(text.encode(), date_order=order).profile.date_format for order in ("dmy", "mdy")]
    assert told == ["DD/MM/YYYY", "MM/DD/YYYY"]
    assert propose_profile(text.replace("03/", "13/").encode()).profile.date_format == "DD/MM/YYYY"
    assert "have no one form" in _refusal(text.replace("03/02", "13/02").replace("01/02", "02/13")).reason


def test_told_decimal_is_taken() -> None:
    """A comma before three digits may be either."""
    text = b'Date,Description,Amount\n2026-01-31,A,"-1,234"\n'
    assert [propose_profile(text, decimal=mark).profile.decimal for mark in ".,"] == [".", ","]
    with pytest.raises(InvalidError, match=r"say '\.' or ','"):
        propose_profile(text, decimal="x")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Dear customer\n", "no table"),
        ("a,b\nc,d\n", "no row has a date and an amount"),
        ("Date,Amount\n", "no row"),
        (b"%PDF-1.7", "this is a PDF document"),
        (b"Date,Amount\n2026-01-31,\xfc\n", "is not UTF-8, and nothing names another encoding"),
        ("Date,Amount\n2026-01-31,x\n2026-01-30,5.00\n", "no column holds amounts in every row"),
        ('Date,Amount,Text\n2026-01-31,5.00,"x\n', "is damaged"),
    ],
)
def test_no_table_is_refused(text: str | bytes, reason: str) -> None:
    """With one line that says why."""
    error = _refusal(text)
    assert (error.file, reason in error.reason) == ("bank.csv", True)


def test_proposal_of_a_large_file_takes_seconds() -> None:
    """The first rows decide, and all are read."""
    rows = "".join(f"{1 + n % 28:02}.01.2026;Shop {n};-{n},50\n" for n in range(30_000))
    proposal = propose_profile(f"Datum;Text;Betrag\n{rows}31.12.2026;Last;x\n".encode())

    assert proposal.profile.columns == CsvColumns(date="Datum", amount="Betrag", payee="Text")
    assert any("this very file cannot be read" in each and "line 30002" in each for each in proposal.unsure)


def test_missing_extra_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without clevercsv, proposing says what to install; reading needs none of it."""
    monkeypatch.setitem(sys.modules, "clevercsv", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'finance-ledger\[statements\]'"):
        propose_profile(AMERICAN.encode())
