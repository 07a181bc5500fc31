"""Reports and postings as Arrow tables: exact decimals, and the same again in polars and in Parquet."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars
import pyarrow as pa
import pyarrow.parquet
import pytest

from finance import DatabaseManager, NewEntry, NewPosting, NewPrice, UnitOfWork, frames
from finance.errors import AmountError, ConfigurationError, InvalidError, UsageError
from finance.frames import posting_batches, save_postings, save_table, spending_table
from finance.reports import Spending
from tests.conftest import Queries

from .drawn import draw_books

DAYS = date(2025, 11, 1), date(2026, 4, 30)
LARGEST = "999999999999999999999999.999999999999999999"  # the largest amount that the books take


def spent(*amounts: str) -> list[Spending]:
    """Spending by name."""
    return [Spending(*DAYS, "EUR", tuple((f"Expenses:{amount}", Decimal(amount)) for amount in amounts))]


async def tables(uow: UnitOfWork) -> dict[str, pa.Table]:
    """Every report of drawn books as a table."""
    reports, (account, *_) = uow.reports, [each async for each in uow.accounts.stream()]
    return {
        "trial balance": frames.trial_balance_table(await reports.trial_balance()),
        "balance sheets": frames.balance_sheets_table(await reports.balance_sheets(on=DAYS[1])),
        "income": frames.income_statements_table(await reports.income_statements(*DAYS)),
        "monthly": frames.monthly_income_statements_table(await reports.monthly_income_statements(*DAYS)),
        "net worth": frames.net_worth_table(await reports.net_worth(*DAYS)),
        "cash flows": frames.cash_flows_table(await reports.cash_flows(*DAYS)),
        "spending": frames.spending_table(await reports.spending(*DAYS)),
        "register": frames.register_table(
            [line async for line in reports.register(account)], currency=account.currency
        ),
    }


async def test_tables_have_the_lines_of_the_reports(uow: UnitOfWork) -> None:
    """Row by row, with the currency beside each amount."""
    drawn = await draw_books(uow, seed=1, entries=60)
    found = await tables(uow)

    trial = await uow.reports.trial_balance()
    rows = found["trial balance"].to_pylist()
    assert [(row["account"], row["currency"], row["debit"], row["credit"]) for row in rows] == [
        (row.account, row.currency, row.debit, row.credit) for row in trial.rows
    ]
    assert sum(row["balance"] for row in rows if row["currency"] == "EUR") == 0
    assert found["net worth"].column_names == ["on", "currency", "assets", "liabilities", "net"]
    assert [(row["on"], row["currency"], row["net"]) for row in found["net worth"].to_pylist()] == [
        (point.on, each.currency, point.net) for each in await uow.reports.net_worth(*DAYS) for point in each.points
    ]
    monthly = found["monthly"].to_pylist()
    whole = found["income"].to_pylist()
    assert sum(row["amount"] for row in monthly) == sum(row["amount"] for row in whole)
    assert {row["month"].day for row in monthly} == {1}
    assert [row["amount"] for row in found["spending"].to_pylist()] == [
        amount for each in await uow.reports.spending(*DAYS) for _, amount in each.lines
    ]
    for flow in await uow.reports.cash_flows(*DAYS):
        opening, *flows, closing = [row for row in found["cash flows"].to_pylist() if row["currency"] == flow.currency]
        assert (opening["line"], opening["balance"], closing["line"], closing["balance"]) == (
            "opening", flow.opening, "closing", flow.closing,
        )  # fmt: skip
        assert sum(row["inflow"] for row in flows) == flow.inflow
    for sheet in await uow.reports.balance_sheets(on=DAYS[1]):
        rows = [row for row in found["balance sheets"].to_pylist() if row["currency"] == sheet.currency]
        assert sum(row["amount"] for row in rows if row["section"] == "Assets") == sheet.assets.total
    assert found["register"].num_rows == sum(
        line.name == "Assets:Bank:Checking" and line.currency == "EUR" for line in drawn.lines
    )


async def test_types_are_exact(uow: UnitOfWork, tmp_path: Path) -> None:
    """No float anywhere; days are date32; polars and Parquet give back the very decimals."""
    await draw_books(uow, seed=2, entries=40)

    for name, table in (await tables(uow)).items():
        kinds = {field.name: field.type for field in table.schema}
        assert not any(pa.types.is_floating(kind) for kind in kinds.values()), name
        assert all(
            kind == pa.date32() for column, kind in kinds.items() if column in {"on", "month", "starts_on", "date"}
        )
        assert any(pa.types.is_decimal(kind) for kind in kinds.values())
        assert "currency" in kinds
        save_table(table, tmp_path / "a.parquet")
        assert pyarrow.parquet.read_table(tmp_path / "a.parquet").equals(table)
        save_table(table, tmp_path / "a.arrow")
        with pa.ipc.open_file(tmp_path / "a.arrow") as file:
            assert file.read_all().equals(table)
        if all(not pa.types.is_decimal256(kind) for kind in kinds.values()):
            frame: Any = polars.from_arrow(table)
            assert frame.to_dicts() == table.to_pylist()


async def test_valuation_has_rates_as_text(uow: UnitOfWork) -> None:
    """A rate may have more decimals than any amount."""
    checking = await uow.accounts.open("Assets:Dollars", currency="USD")
    gift = await uow.accounts.open("Income:Gift", currency="USD")
    await uow.journal.post(NewEntry(date(2026, 1, 2), "Gift", [NewPosting(checking, 10), NewPosting(gift, -10)]))
    await uow.prices.record([NewPrice("EUR", "3", "USD", date(2026, 1, 2))])

    (row,) = frames.valuation_table(await uow.reports.net_worth_valued(on=date(2026, 1, 3), quote="EUR")).to_pylist()

    assert row["rate"].startswith("0.33333333333333333333")
    assert (row["currency"], row["amount"], row["quote"], row["value"]) == ("USD", 10, "EUR", Decimal("3.33"))


@pytest.mark.parametrize(
    ("amounts", "scale", "type_"),
    [
        (["1.5", "2.25", "1E+3"], None, pa.decimal128(38, 2)),
        (["1.500", "-2"], None, pa.decimal128(38, 1)),
        (["1.5"], 2, pa.decimal128(38, 2)),
        ([], None, pa.decimal128(38, 0)),
        ([], 8, pa.decimal128(38, 8)),
        (["9" * 38], None, pa.decimal128(38, 0)),
        (["9" * 39], None, pa.decimal256(76, 0)),
        (["9" * 20 + "." + "1" * 18], None, pa.decimal128(38, 18)),
        ([LARGEST, "-0.01"], None, pa.decimal256(76, 18)),
        (["1" * 58], 18, pa.decimal256(76, 18)),
    ],
)
def test_decimals_are_as_wide_as_the_data(amounts: list[str], scale: int | None, type_: pa.DataType) -> None:
    """decimal128 unless more than 38 digits are needed; every amount is there to the last digit."""
    table = spending_table(spent(*amounts), scale=scale)

    assert table.schema.field("amount").type == type_
    assert table.column("amount").to_pylist() == [Decimal(amount) for amount in amounts]


@pytest.mark.parametrize(
    ("amounts", "scale", "reason"),
    [
        (["1.005"], 2, "amount 1.005: has more than 2 decimals; nothing is rounded"),
        (["1" * 77], None, "takes 77 digits beside 0 decimals; Arrow has 76 at most"),
        (["1" * 60, "0." + "0" * 17 + "1"], None, "takes 78 digits beside 18 decimals"),
        (["NaN"], None, "is not a finite number"),
        (["Infinity"], 2, "is not a finite number"),
    ],
)
def test_amounts_that_do_not_fit_are_refused(amounts: list[str], scale: int | None, reason: str) -> None:
    """Nothing is rounded, and nothing becomes a float."""
    with pytest.raises(AmountError, match=reason):
        spending_table(spent(*amounts), scale=scale)


def test_scale_is_bounded() -> None:
    """As Arrow has it."""
    with pytest.raises(InvalidError, match="scale 39: give how many decimals"):
        spending_table(spent("1"), scale=39)


async def read(db: DatabaseManager, batch: int = 7, **days: date) -> tuple[pa.Schema, Sequence[pa.RecordBatch]]:
    """The batches and their schema, of days."""
    async with db.unit_of_work("Household", base_currency="EUR", isolation="repeatable_read") as uow:
        batches = await posting_batches(uow, batch=batch, **days)
        return batches.schema, [each async for each in batches]


async def fill(db: DatabaseManager, seed: int = 3) -> None:
    """Post drawn books."""
    async with db.unit_of_work("Household", base_currency="EUR") as uow:
        await draw_books(uow, seed, entries=30)


async def test_postings_come_in_batches(db: DatabaseManager) -> None:
    """All of them, in order, in batches of the size asked for, and all of one schema."""
    await fill(db)

    schema, batches = await read(db)
    rows = pa.Table.from_batches(batches, schema).to_pylist()

    stored = await db.fetch(
        "SELECT p.*, e.description, e.recorded_at, a.name FROM postings AS p"
        " JOIN journal_entries AS e ON e.ledger_id = p.ledger_id AND e.id = p.entry_id"
        " JOIN accounts AS a ON a.id = p.account_id ORDER BY p.date, p.entry_id, p.line"
    )
    assert {each.num_rows for each in batches[:-1]} == {7}
    assert len(rows) == len(stored) > 60
    for row, known in zip(rows, stored, strict=True):
        assert (row["date"], row["entry_id"], row["line"]) == (known["date"], str(known["entry_id"]), known["line"])
        assert (row["account"], row["currency"], row["amount"]) == (known["name"], known["currency"], known["amount"])
        assert row["recorded_at"] == known["recorded_at"]
    assert schema.field("recorded_at").type == pa.timestamp("us", tz="UTC")
    assert schema.field("amount").type == pa.decimal128(38, 18)  # of the finest currency, a bitcoin of 18 decimals
    assert rows[0]["recorded_at"].astimezone(UTC) <= datetime.now(UTC)


async def test_postings_of_some_days(db: DatabaseManager) -> None:
    """Both ends count."""
    await fill(db)
    day = date(2026, 1, 15)

    _, batches = await read(db, start_on=day, end_on=date(2026, 2, 1))
    _, none = await read(db, start_on=date(2000, 1, 1), end_on=date(2000, 1, 1))

    days = {row["date"] for each in batches for row in each.to_pylist()}
    stored = await db.fetch("SELECT DISTINCT date FROM postings WHERE date BETWEEN '2026-01-15' AND '2026-02-01'")
    assert days == {row["date"] for row in stored}
    assert days
    assert none == []


async def test_postings_of_the_largest_amounts_are_wider(db: DatabaseManager) -> None:
    """The schema is known before the first row, so the totals of months say what may come."""
    async with db.unit_of_work("Household", base_currency="EUR") as uow:
        await uow.currencies.open("ETH", exponent=18)
        one, other = [await uow.accounts.open(name, currency="ETH") for name in ("Assets:A", "Equity:B")]
        await uow.journal.post(
            NewEntry(date(2026, 1, 1), "All", [NewPosting(one, LARGEST), NewPosting(other, f"-{LARGEST}")])
        )

    schema, (batch,) = await read(db)

    assert schema.field("amount").type == pa.decimal256(76, 18)
    assert batch.column("amount").to_pylist() == [Decimal(LARGEST), Decimal(f"-{LARGEST}")]


async def test_postings_become_a_file_batch_by_batch(db: DatabaseManager, tmp_path: Path) -> None:
    """Parquet and Arrow hold what the batches hold; polars reads the very decimals."""
    await fill(db)
    _, batches = await read(db)
    expected = pa.Table.from_batches(batches)

    for suffix in (".parquet", ".arrow"):
        async with db.unit_of_work("Household", isolation="repeatable_read", read_only=True) as uow:
            size = await save_postings(await posting_batches(uow, batch=16), tmp_path / f"a{suffix}")
        assert size == (tmp_path / f"a{suffix}").stat().st_size
    with pa.ipc.open_file(tmp_path / "a.arrow") as file:
        assert file.read_all().equals(expected)
    assert pyarrow.parquet.read_table(tmp_path / "a.parquet").equals(expected)
    assert polars.read_parquet(tmp_path / "a.parquet")["amount"].to_list() == expected.column("amount").to_pylist()


async def test_postings_are_read_in_few_statements(db: DatabaseManager, queries: Queries) -> None:
    """Two, and the cursor, however many batches there are."""
    await fill(db)
    async with db.unit_of_work("Household", isolation="repeatable_read") as uow:

        async def read_all() -> None:
            assert len([each async for each in await posting_batches(uow, batch=10)]) > 5

        assert await queries.of(read_all()) == ["SELECT"] * 3


async def test_postings_are_of_one_instant(db: DatabaseManager) -> None:
    """Under read committed an account could be opened in between."""
    async with db.unit_of_work("Household", base_currency="EUR") as uow:
        with pytest.raises(UsageError, match="repeatable_read"):
            await posting_batches(uow)
    async with db.unit_of_work("Household", isolation="repeatable_read") as uow:
        with pytest.raises(InvalidError, match="batch 0: give how many rows"):
            await posting_batches(uow, batch=0)
        assert [each async for each in await posting_batches(uow)] == []


def test_file_is_whole_or_not_there(tmp_path: Path) -> None:
    """A name that says nothing of the format is refused, and a folder that is not there told."""
    table = spending_table(spent("1"))

    with pytest.raises(InvalidError, match=r"a table's name ends with \.parquet or \.arrow, not with '\.xlsx'"):
        save_table(table, tmp_path / "a.xlsx")
    with pytest.raises(InvalidError, match="the file cannot be written: No such file"):
        save_table(table, tmp_path / "nowhere" / "a.parquet")
    assert list(tmp_path.iterdir()) == []


def test_missing_library_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """In words that say what to install."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    with pytest.raises(
        ConfigurationError, match=r"a data frame needs the extra `dataframe`: pip install 'finance-ledger\[dataframe\]'"
    ):
        spending_table([replace(spent("1")[0])])
