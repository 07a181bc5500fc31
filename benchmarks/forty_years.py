"""Reports on forty years of books: each of them in less than 100 ms, which is R40 of the targets.

They are the forty-year journal of the real files where that and beancount are there, and drawn ones of its size
otherwise: 14,763 entries with 45,748 postings on 320 accounts, and 12,522 prices. Each report has its heaviest form:
all forty years, by month where it has months. Planned are budgets of weeks that roll over from the first day on, and
entries that come each month; an account's balance is asserted for the end of each year. Reading a whole register, and
verifying the books, are measured beside them, and are no reports: they read everything.
"""

from __future__ import annotations

import importlib.util
import os
import random
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

from benchmarks.harness import Result
from benchmarks.history import database, scaled
from finance import DatabaseManager, NewAssertion, NewPosting, NewPrice, NewSchedule, UnitOfWork
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
            await _plan(uow)
        rate = (loaded.entries + loaded.empty) / (time.perf_counter() - started)
        await db.execute("ANALYZE")
        async with db.unit_of_work(ledger, read_only=True) as uow:
            found = [await _timed(f"{name}/{report}", run) for report, run in (await _reports(uow)).items()]
    return [_result(f"{name}/load", "entries/s", rate, 1000.0, lower_is_better=False, rounds=1), *found]


async def _reports(uow: UnitOfWork) -> dict[str, Callable[[], Awaitable[object]]]:
    reports, whole, year = uow.reports, (_FIRST, _LAST), (date(2025, 1, 1), _LAST)
    busiest = await _busiest(uow)
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
        "worth-on": lambda: reports.net_worth_valued(on=_LAST, max_age=None),
        "valued": lambda: reports.monthly_net_worth_valued(*whole),
        "gains": lambda: reports.exchange_gains(on=_LAST, max_age=None),
        "register": lambda: reports.register_page(busiest, newest_first=True),
        "register-all": lambda: _read(reports.register(busiest)),
        "spending": lambda: reports.spending(*whole),
        "spending-months": lambda: reports.monthly_spending(*whole, depth=None),
        "payees": lambda: reports.spending_by_payee(*whole),
        "payees-months": lambda: reports.monthly_spending_by_payee(*whole),
        "tags": lambda: reports.spending_by_tag(*whole),
        "tags-months": lambda: reports.monthly_spending_by_tag(*whole),
        "asserted": reports.assertions,
        "budgets": lambda: reports.budgets(*whole),
        "budgets-valued": lambda: reports.budgets_valued(*whole, quote="USD"),
        "forecast": lambda: reports.forecast(_LAST, date(2030, 12, 31), budgets_from=busiest),
        "forecast-days": lambda: reports.forecast(_LAST, date(2026, 12, 31), by_day=True, budgets_from=busiest),
        "verify": reports.verify,
    }


async def _busiest(uow: UnitOfWork) -> int:
    rows = (await uow.reports.trial_balance()).rows
    busy = max(rows, key=lambda row: (row.type == "asset", row.currency == "USD", row.account.endswith("Checking")))
    return busy.account_id


async def _plan(uow: UnitOfWork) -> None:
    """Budget six categories week by week, schedule twelve entries a month, and assert a balance for each year.

    What is never priced, such as hours of holiday, gets a price: a report that needs one would be refused.
    """
    busiest = await _busiest(uow)
    held = {row.currency for row in (await uow.reports.trial_balance()).rows} - {"USD"}
    await uow.prices.record([NewPrice(each, 1, "USD", _FIRST) for each in sorted(held)])
    for name in ("Expenses", *(f"Expenses:{part}" for part in ("Food", "Home", "Health", "Taxes", "Transport"))):
        account = await uow.accounts.get_or_open(name, currency="USD")
        await uow.budgets.set(account, 500, starts_on=_FIRST, period="week", rollover="all")
    food = await uow.accounts.get_or_open("Expenses:Food", currency="USD")
    for day in range(1, 13):
        lines = [NewPosting(food, day), NewPosting(busiest, -day)]
        await uow.schedules.create(NewSchedule("planned", lines, f"FREQ=MONTHLY;BYMONTHDAY={day}", _LAST))
    for year in range(_FIRST.year, _LAST.year):
        await uow.assertions.record(NewAssertion(busiest, date(year, 12, 31), year))


async def _read(lines: AsyncIterator[object]) -> None:
    async for _ in lines:
        pass


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
        tags = (f"trip-{number % 10}",) if number % 50 == 0 else ()
        payee = f"Payee {lot.randrange(45)}" if number % 4 else None
        yield BookEntry(on, "drawn", (*spent, bought, paid), "forty-years", payee=payee, tags=tags)


def _prices(lot: random.Random, count: int) -> Iterator[NewPrice]:
    days = (_LAST - _FIRST).days
    for number in range(count):
        on = _FIRST + timedelta(days=number * days // count)
        yield NewPrice(_SHARES[number % len(_SHARES)], Decimal(lot.randrange(1, 99_999)).scaleb(-2), "USD", on)
