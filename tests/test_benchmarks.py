"""The benchmarks whose books are made by bulk SQL, in a tiny size: that they measure, not what they find."""

from __future__ import annotations

import math
from datetime import date, timedelta
from types import ModuleType

import pytest

from benchmarks import balances, forty_years, growing, harness, loading, reading, streaming
from benchmarks.history import History, books_with
from finance import DatabaseManager
from tests.conftest import THROUGH_PGBOUNCER, Server

pytestmark = pytest.mark.skipif(THROUGH_PGBOUNCER, reason="a pooler keeps nobody from measuring without it")


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few hundred entries instead of millions, and one round of one turn."""
    monkeypatch.setenv("FINANCE_BENCH_SIZE", "0.0003")
    monkeypatch.setattr(harness, "TURNS", 1)
    for measuring in (harness.compare, harness.rates):
        monkeypatch.setattr(measuring, "__kwdefaults__", {**(measuring.__kwdefaults__ or {}), "rounds": 1})
    monkeypatch.setattr(growing, "_SMALL", 100)
    monkeypatch.setattr(reading, "_HISTORY", History(100, 30, is_hot=True))


@pytest.mark.parametrize("is_hot", [False, True])
async def test_bulk_made_books_are_clean(server: Server, *, is_hot: bool) -> None:
    """What the guards would have derived is there, and the postings lie in the days that were asked for."""
    history = History(500, 60, is_hot=is_hot)
    async with (
        books_with(history, server.direct_dsn("postgres"), "history") as (dsn, books),
        DatabaseManager(dsn) as db,
        db.unit_of_work(books.ledger_id) as uow,
    ):
        rows = [row async for row in uow.journal.postings()]
        verification = await db.verify(books.ledger_id)
    assert verification.is_clean
    assert verification.entries == 500
    assert len(rows) == 1000
    assert rows[0].date == history.start_on
    assert rows[-1].date == history.start_on + timedelta(days=59)
    assert sorted(row.entry_id for row in rows) == [row.entry_id for row in rows]
    assert sum(row.account_id == books.accounts[0] for row in rows) == 500 or not is_hot


def test_days_are_drawn_from_the_late_part() -> None:
    """A day that is drawn from the last third lies in it."""
    history = History(1, 300)
    days = {history.day(2 / 3) for _ in range(2000)}
    assert min(days) >= history.start_on + timedelta(days=200)
    assert max(days) == history.start_on + timedelta(days=299)
    assert isinstance(min(days), date)


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize(
    ("module", "names"),
    [
        (loading, ["P8"]),
        (growing, ["P9", "P9-post", "P9-balance", "P9-register"]),
        (balances, ["P10"]),
        (streaming, ["P13"]),
    ],
    ids=["P8", "P9", "P10", "P13"],
)
async def test_long_rows_measure(server: Server, module: ModuleType, names: list[str]) -> None:
    """Each row that takes minutes finds figures of both sides."""
    results = await module.measure(names[0], server.direct_dsn("postgres"))
    assert [result.name for result in results] == names
    assert all(math.isfinite(result.ratio) and result.finance >= 0 for result in results)


@pytest.mark.usefixtures("tiny")
async def test_plain_rows_are_measured_against_objects(server: Server) -> None:
    """P3b finds figures of both sides."""
    result = await reading.measure("P3b", server.direct_dsn("postgres"))
    assert result.finance > 0 < result.peer


@pytest.mark.usefixtures("tiny")
async def test_reports_of_forty_years_are_measured(server: Server) -> None:
    """Every report that the issue names has a row of its own, on drawn books of a tiny size."""
    results = await forty_years.measure("R40", server.direct_dsn("postgres"))
    assert [result.name for result in results] == [
        "R40/load", "R40/trial", "R40/trial-on", "R40/sheet", "R40/income", "R40/months", "R40/months-1y",
        "R40/cash", "R40/cash-1y", "R40/worth", "R40/worth-on", "R40/valued", "R40/gains", "R40/register",
        "R40/register-all", "R40/spending", "R40/spending-months", "R40/payees", "R40/payees-months", "R40/tags",
        "R40/tags-months", "R40/asserted", "R40/budgets", "R40/budgets-valued", "R40/forecast",
        "R40/forecast-days", "R40/verify",
    ]  # fmt: skip
    assert all(result.finance > 0 for result in results)
