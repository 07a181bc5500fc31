"""Reports on forty years of books: each of them in less than 100 ms, which is R40 of the targets.

They are the forty-year journal of the real files where that and beancount are there, and drawn ones of its size
otherwise: 14,763 entries with 45,748 postings on 320 accounts, and 12,522 prices.
"""

from __future__ import annotations

import importlib.util
import os
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

from benchmarks.harness import Result
from benchmarks.history import database, scaled
from finance import DatabaseManager, NewPrice, UnitOfWork
from finance.foreign_books import BookEntry, BookPosting, Books, load_books, read_books

#: Milliseconds that a report may take.
_LIMIT = 100.0
#: Runs of each report after one that does not count.
_RUNS = 15
_FIRST, _LAST = date(1986, 1, 1), date(2025, 12, 29)
_JOURNAL = "beancount/generated/bean-example-seed42-40y.beancount"
_SHARES = ("GLD", "ITOT", "RGAGX", "VBMPX", "VEA", "VHT")

ROWS = ("R40",)


async def measure(name: str, dsn: str) -> list[Result]:
    """Measure loading the books, and each report on them; the peer is the limit."""
    books = _real() or _drawn()
    async with database(dsn, "forty_years") as own, DatabaseManager(own, max_size=2) as db:
        ledger = await db.ledgers.create("Forty years", base_currency="USD")
        started = time.perf_counter()
        async with db.unit_of_work(ledger, statement_timeout=600) as uow:
            loaded = await load_books(uow, books)
        rate = (loaded.entries + loaded.empty) / (time.perf_counter() - started)
        await db.execute("ANALYZE")
        async with db.unit_of_work(ledger, read_only=True) as uow:
            found = [await _timed(f"{name}/{report}", run) for report, run in (await _reports(uow)).items()]
    return [_result(f"{name}/load", "entries/s", rate, 1000.0, lower_is_better=False, rounds=1), *found]


async def _reports(uow: UnitOfWork) -> dict[str, Callable[[], Awaitable[object]]]:
    reports, whole, year = uow.reports, (_FIRST, _LAST), (date(2025, 1, 1), _LAST)
    rows = (await reports.trial_balance()).rows
    busiest = max(rows, key=lambda row: (row.type == "asset", row.currency == "USD", row.account.endswith("Checking")))
    return {
        "trial": reports.trial_balance,
        "trial-on": lambda: reports.trial_balance(on=date(2010, 6, 15)),
        "sheet": reports.balance_sheets,
        "income": lambda: reports.income_statements(*whole),
        "months": lambda: reports.monthly_income_statements(*whole),
        "months-1y": lambda: reports.monthly_income_statements(*year),
        "cash": lambda: reports.cash_flows(*whole),
        "cash-1y": lambda: reports.cash_flows(*year),
        "worth": lambda: reports.net_worth(*whole),
        "valued": lambda: reports.monthly_net_worth_valued(*whole),
        "register": lambda: reports.register_page(busiest.account_id, newest_first=True),
        "spending": lambda: reports.spending(*whole),
    }


async def _timed(name: str, run: Callable[[], Awaitable[object]]) -> Result:
    times = []
    for _ in range(_RUNS + 1):
        started = time.perf_counter()
        await run()
        times.append((time.perf_counter() - started) * 1000)
    return _result(name, "ms", statistics.median(times[1:]), _LIMIT, lower_is_better=True, rounds=_RUNS)


def _result(name: str, unit: str, found: float, limit: float, *, lower_is_better: bool, rounds: int) -> Result:
    return Result(
        name, unit, found, limit, "the limit", found / limit, 1.0, 1.0,
        lower_is_better=lower_is_better, rounds=rounds, spread=0.0,
    )  # fmt: skip


def _real() -> Books | None:
    named = os.environ.get("FINANCE_REALDATA")
    folders = [Path(named)] if named else [above / "shared" / "realdata" for above in Path(__file__).resolve().parents]
    path = next((folder / _JOURNAL for folder in folders if (folder / _JOURNAL).is_file()), None)
    is_small = "FINANCE_BENCH_SIZE" in os.environ
    if path is None or is_small or importlib.util.find_spec("beancount") is None:
        return None
    return read_books(path)


def _drawn() -> Books:
    lot = random.Random(40)
    entries = tuple(_entries(lot, scaled(14_763)))
    return Books("forty-years", "drawn", entries=entries, prices=tuple(_prices(lot, scaled(12_522))))


def _entries(lot: random.Random, count: int) -> Iterator[BookEntry]:
    days = (_LAST - _FIRST).days
    for number in range(count):
        on = _FIRST + timedelta(days=number * days // count)
        share = lot.choice(_SHARES)
        cents = [Decimal(lot.randrange(100, 99_999)).scaleb(-2) for _ in range(2 if number % 10 else 17)]
        paid = BookPosting("Assets:Checking", sum(cents, Decimal(0)).copy_negate(), "USD")
        spent = [
            BookPosting(
                f"Expenses:Taxes:{on.year}:{lot.randrange(7)}" if number % 3 else f"Expenses:{place}", each, "USD"
            )
            for place, each in enumerate(cents[1:])
        ]
        bought = BookPosting(f"Assets:{share}", Decimal(1), share, cents[0], "USD")
        if number % 9:
            bought = BookPosting("Expenses:Food", cents[0], "USD")
        yield BookEntry(on, "drawn", (*spent, bought, paid), "forty-years")


def _prices(lot: random.Random, count: int) -> Iterator[NewPrice]:
    days = (_LAST - _FIRST).days
    for number in range(count):
        on = _FIRST + timedelta(days=number * days // count)
        yield NewPrice(_SHARES[number % len(_SHARES)], Decimal(lot.randrange(1, 99_999)).scaleb(-2), "USD", on)
