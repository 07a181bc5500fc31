"""Movements of securities: entries in which a security is a currency of its own, and positions that are claimed."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from finance import DatabaseManager, Ledger, UnitOfWork
from finance.statements import Movement, StatementFile, StatementLine, import_statements, parse_statements, undo_import

from .files import bring, line, stored_lines

SAMPLE = Path(__file__).parents[1] / "samples" / "investment.ofx"
BROKER = "Assets:Investments:H-20771"
OURS = "Assets:Investments:4711"

HEAD = """OFXHEADER:100\nDATA:OFXSGML\nVERSION:102\nSECURITY:NONE\nENCODING:USASCII\nCHARSET:1252\nCOMPRESSION:NONE
OLDFILEUID:NONE\nNEWFILEUID:NONE\n
<OFX><INVSTMTMSGSRSV1><INVSTMTTRNRS><TRNUID>0<STATUS><CODE>0<SEVERITY>INFO</STATUS><INVSTMTRS><DTASOF>20260930
<CURDEF>USD<INVACCTFROM><BROKERID>b<ACCTID>1</INVACCTFROM><INVTRANLIST><DTSTART>20260901<DTEND>20260930
"""
TAIL = "</INVTRANLIST></INVSTMTRS></INVSTMTTRNRS></INVSTMTMSGSRSV1></OFX>\n"


def read(*aggregates: str) -> StatementFile:
    """Read an investment statement with these aggregates; INVTRAN and SECID are put in for `{}`."""
    inner = "".join(
        text.format(
            f"<INVTRAN><FITID>F{number}<DTTRADE>20260902</INVTRAN>"
            "<SECID><UNIQUEID>US0000000101<UNIQUEIDTYPE>ISIN</SECID>"
        )
        for number, text in enumerate(aggregates)
    )
    return parse_statements((HEAD + inner + TAIL).encode(), name="broker.ofx")


def moved(file: StatementFile) -> list[tuple[str, str, str] | None]:
    """List kind, units and cash of what each line moves."""
    found = [each.movement for each in file.statements[0].lines]
    return [None if each is None else (each.kind, f"{each.units:f}", f"{each.cash:f}") for each in found]


async def held(uow: UnitOfWork) -> dict[tuple[str, str], str]:
    """Give the balances that are not zero, by name and currency."""
    balances = await uow.accounts.balances()
    return {
        (account.name, account.currency): f"{balances[account.id].normalize():f}"
        async for account in uow.accounts.stream()
        if balances[account.id]
    }


def security(kind: str, units: str, cash: str) -> StatementLine:
    """Make a line that moves a security."""
    movement = Movement(kind, "XY0001", Decimal(units), Decimal(cash))  # type: ignore[arg-type]
    return line("0", f"{kind}{units}{cash}", kind="security", type="ANY", movement=movement)


def test_what_aggregates_move() -> None:
    """Buying, selling, income, costs, reinvesting, transfers of either sign, splits."""
    file = read(
        "<BUYSTOCK><INVBUY>{}<UNITS>10<UNITPRICE>5<TOTAL>-50.10</INVBUY><BUYTYPE>BUY</BUYSTOCK>",
        "<SELLMF><INVSELL>{}<UNITS>-3.5<UNITPRICE>5<TOTAL>17.50</INVSELL><SELLTYPE>SELL</SELLMF>",
        "<INCOME>{}<INCOMETYPE>DIV<TOTAL>7.20</INCOME>",
        "<INVEXPENSE>{}<TOTAL>-1.00</INVEXPENSE>",
        "<REINVEST>{}<INCOMETYPE>DIV<TOTAL>-1.11<UNITS>0.0555<UNITPRICE>20</REINVEST>",
        "<TRANSFER>{}<UNITS>4<TFERACTION>IN<POSTYPE>LONG</TRANSFER>",
        "<TRANSFER>{}<UNITS>4<TFERACTION>OUT<POSTYPE>LONG</TRANSFER>",
        "<TRANSFER>{}<UNITS>0<TFERACTION>IN<POSTYPE>LONG</TRANSFER>",
        "<SPLIT>{}<OLDUNITS>10<NEWUNITS>30<NUMERATOR>3<DENOMINATOR>1</SPLIT>",
        "<CLOSUREOPT>{}<OPTACTION>EXERCISE<UNITS>1</CLOSUREOPT>",
        "<BUYMF><INVBUY>{}<UNITS>10<UNITPRICE>5</INVBUY><BUYTYPE>BUY</BUYMF>",
    )

    assert moved(file) == [
        ("exchange", "10", "-50.10"),
        ("exchange", "-3.5", "17.50"),
        ("cash", "0", "7.20"),
        ("cash", "0", "-1.00"),
        ("reinvest", "0.0555", "-1.11"),
        ("transfer", "4", "0"),
        ("transfer", "-4", "0"),
        None,
        ("split", "20", "0"),
        None,
        None,
    ]
    assert {each.movement.security for each in file.statements[0].lines if each.movement} == {"US0000000101"}


def test_signs_that_brokers_leave_out() -> None:
    """A purchase brings and a sale takes away, whatever is written; both signs turned round take it back."""
    buy = "<BUYSTOCK><INVBUY>{{}}<UNITS>{}<TOTAL>{}</INVBUY><BUYTYPE>BUY</BUYSTOCK>"
    sell = "<SELLSTOCK><INVSELL>{{}}<UNITS>{}<TOTAL>{}</INVSELL><SELLTYPE>SELL</SELLSTOCK>"
    reinvest = "<REINVEST>{{}}<INCOMETYPE>DIV<TOTAL>{1}<UNITS>{0}</REINVEST>"
    written = [
        (buy, "10", "50"), (buy, "-10", "50"), (buy, "-10", "-50"), (sell, "10", "50"), (sell, "10", "-50"),
        (sell, "-10", "-0.50"), (reinvest, "2", "9"), (reinvest, "-2", "9"),
    ]  # fmt: skip

    assert moved(read(*(text.format(units, total) for text, units, total in written))) == [
        ("exchange", "10", "-50"),
        ("exchange", "-10", "50"),
        None,
        ("exchange", "-10", "50"),
        ("exchange", "10", "-50"),
        ("exchange", "-10", "-0.50"),
        ("reinvest", "2", "-9"),
        ("reinvest", "-2", "9"),
    ]


def test_fractions_of_a_split_are_paid_out_and_short_positions_are_owed() -> None:
    """The money of FRACCASH comes to the account; a short position that comes in is less of the security."""
    transfer = "<TRANSFER>{{}}<UNITS>{}<TFERACTION>{}<POSTYPE>SHORT</TRANSFER>"
    file = read(
        "<SPLIT>{}<OLDUNITS>3<NEWUNITS>1<NUMERATOR>1<DENOMINATOR>2<FRACCASH>4.20</SPLIT>",
        transfer.format(4, "IN"), transfer.format(-4, "IN"), transfer.format(4, "OUT"),
    )  # fmt: skip

    assert moved(file) == [
        ("exchange", "-2", "4.20"), ("transfer", "-4", "0"), ("transfer", "-4", "0"), ("transfer", "4", "0"),
    ]  # fmt: skip


async def test_securities_are_posted_through_conversion_accounts(unit: UnitOfWork) -> None:
    """The account holds money and security under one name; the money is what the broker says."""
    result = await bring(
        unit,
        line("5000", "C"),
        security("exchange", "10", "-1209.95"),
        security("exchange", "-4", "500"),
        security("cash", "0", "7.20"),
        security("cash", "0", "-2"),
        security("reinvest", "0.0555", "-1.11"),
        security("transfer", "3", "0"),
        security("split", "9.0555", "0"),
        account_kind="INVESTMENT",
    )

    assert (result.added, result.securities) == (8, 0)
    assert await held(unit) == {
        (OURS, "EUR"): "4295.25",
        (OURS, "XY0001"): "18.111",
        ("Equity:Conversions", "EUR"): "711.06",
        ("Equity:Conversions", "XY0001"): "-15.111",
        ("Equity:Transfers", "XY0001"): "-3",
        ("Income:Uncategorised", "EUR"): "-5008.31",
        ("Expenses:Uncategorised", "EUR"): "2",
    }


async def test_sample_is_imported_and_its_positions_claimed(books: Ledger, db: DatabaseManager) -> None:
    """What is in another currency than the account is kept and told; the books verify; it can be undone."""
    file = parse_statements(SAMPLE.read_bytes(), name="investment.ofx")
    async with db.unit_of_work(books) as uow:
        dry = await import_statements(uow, file, dry_run=True)
        result = await import_statements(uow, file)
        again = await import_statements(uow, file)
        balances = await held(uow)
        positions = [each for each in await uow.reports.assertions() if each.kind == "position"]
        (state,) = await uow.reconciliation.statements()
        broker = await uow.accounts.get_by_name(BROKER, "USD")
        assert broker
        free = await uow.reconciliation.free_postings(broker)

    assert [each.reason for each in dry.statements[0].decisions if each.reason] == [
        "its amount is in EUR, its account in USD: it is kept, and posts nothing"
    ]
    assert [each.counter for each in dry.statements[0].decisions][2:4] == ["Income:Uncategorised", "Equity:Conversions"]
    assert (result.statements[0].securities, result.added, again.added) == (1, 8, 0)
    assert balances[BROKER, "USD"] == "5074.7"
    assert balances[BROKER, "000000202"] == "-3.4445"
    assert (BROKER, "000000303") not in balances
    assert [(each.currency, each.on, each.stated, each.books, each.holds) for each in positions] == [
        ("000000101", date(2026, 9, 30), 10, 0, False)
    ]
    assert (state.lines, state.unmatched, free) == (2, 0, ())
    assert (await db.verify(books)).is_clean
    async with db.unit_of_work(books) as uow:
        assert result.id
        undone = await undo_import(uow, result.id)
        assert (undone.reversed, await held(uow)) == (7, {})


async def test_security_that_is_known_gets_the_decimals_that_it_needs(unit: UnitOfWork) -> None:
    """The ledger's own is taken, and grows; what no currency can have is kept and not posted."""
    await unit.currencies.open("XY0001", exponent=2)
    result = await bring(
        unit,
        security("transfer", "1.23456", "0"),
        security("transfer", "0.0000000000000000001", "0"),
        security("cash", "0", "0.001"),
    )

    assert (result.added, result.securities) == (3, 2)
    found = await unit.currencies.get("XY0001")
    assert found
    assert found.exponent == 5
    assert [each.entry_id is None for each in await stored_lines(unit)] == [False, True, True]


@pytest.mark.parametrize("code", ["EUR", "usd"])
def test_security_with_the_code_of_a_currency_is_told_apart(code: str) -> None:
    """It is no money."""
    aggregate = "<TRANSFER>{}<UNITS>4<TFERACTION>IN<POSTYPE>LONG</TRANSFER>"
    text = (HEAD + aggregate + TAIL).replace(
        "{}", f"<INVTRAN><FITID>F<DTTRADE>20260902</INVTRAN><SECID><UNIQUEID>{code}<UNIQUEIDTYPE>OTHER</SECID>"
    )
    (read_line,) = parse_statements(text.encode(), name="broker.ofx").statements[0].lines

    assert read_line.movement
    assert read_line.movement.security == f"OTHER:{code}"
