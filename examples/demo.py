"""The main job from end to end, on the embedded PostgreSQL: migrate, import, post, report.

`make demo` runs it. It keeps its books in a folder of its own beside the user's real ones, and it can be run again:
nothing is imported or posted twice.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from datetime import date
from pathlib import Path
from uuid import UUID

from rich.console import Console
from rich.table import Table

from finance import DatabaseManager, EmbeddedServer, NewEntry, NewPosting, UnitOfWork
from finance.reports import BalanceSheet, Section

SAMPLE = Path(__file__).with_name("sample-statement.ofx")
ROOT = Path(__file__).parents[1]
LEDGER = "Demo"
console = Console(highlight=False, soft_wrap=True)


def step(title: str) -> None:
    """Say what comes next."""
    console.print(f"\n[bold]{title}[/bold]")


def run(*command: str) -> None:
    """Run a command as a user would type it."""
    console.print(f"[dim]$ {' '.join(command)}[/dim]")
    subprocess.run(command, cwd=ROOT, check=True)  # noqa: S603 - our own words


async def post(uow: UnitOfWork, entry: NewEntry) -> None:
    """Post *entry* and say whether it was new."""
    posted = await uow.journal.post(entry)
    console.print(f"  {entry.date}  {entry.description:24}", "replayed" if posted.is_replay else "posted")


async def open_books() -> None:
    """Open the ledger with what was in the account before the bank's statement begins."""
    step("Open the books")
    async with (
        DatabaseManager("embedded") as db,
        db.unit_of_work(LEDGER, base_currency="EUR") as uow,
    ):
        checking = await uow.accounts.get_or_open("Assets:Checking", currency="EUR")
        opening = await uow.accounts.get_or_open("Equity:Opening Balances", currency="EUR")
        lines = [NewPosting(checking, "1842.37"), NewPosting(opening, "-1842.37")]
        first = UUID("01990000-0000-7000-8000-000000000000")
        await post(uow, NewEntry(date(2026, 7, 31), "Opening balance", lines, id=first))


async def post_by_hand(uow: UnitOfWork) -> None:
    """Post what the statement does not say. Fixed ids: a second run replays the entries."""
    checking = await uow.accounts.get_or_open("Assets:Checking", currency="EUR")
    savings = await uow.accounts.get_or_open("Assets:Savings", currency="EUR")
    cash = await uow.accounts.get_or_open("Assets:Cash", currency="EUR")
    eating_out = await uow.accounts.get_or_open("Expenses:Eating Out", currency="EUR")
    entries = [
        NewEntry(
            date(2026, 11, 2),
            "Into savings",
            [NewPosting(savings, "400.00"), NewPosting(checking, "-400.00")],
            id=UUID("01990000-0000-7000-8000-000000000001"),
        ),
        NewEntry(
            date(2026, 11, 20),
            "Dinner, paid in cash",
            [NewPosting(eating_out, "36.50", "two pizzas"), NewPosting(cash, "-36.50")],
            id=UUID("01990000-0000-7000-8000-000000000002"),
        ),
    ]
    for entry in entries:
        await post(uow, entry)


def show(sheet: BalanceSheet) -> None:
    """Print a balance sheet as a table."""
    table = Table(title=f"Balance sheet in {sheet.currency}", show_header=False)
    table.add_column()
    table.add_column(justify="right")

    def add(section: Section) -> None:
        table.add_row(f"[bold]{section.title}[/bold]", "")
        for name, amount in section.lines:
            table.add_row(f"  {name}", f"{amount:,.2f}")
        table.add_row(
            f"[bold]Total {section.title.lower()}[/bold]", f"[bold]{section.total:,.2f}[/bold]", end_section=True
        )

    for section in (sheet.assets, sheet.liabilities, sheet.equity):
        add(section)
    table.add_row(
        "[bold]Liabilities and equity[/bold]", f"[bold]{sheet.liabilities.total + sheet.equity.total:,.2f}[/bold]"
    )
    console.print(table)


async def work() -> None:
    """Use the library as an application would."""
    async with DatabaseManager("embedded") as db:
        step("Post by hand, through a unit of work")
        await db.run(post_by_hand, ledger=LEDGER)

        step("Raw SQL, as it was always typed")
        rows = await db.fetch("SELECT * FROM accounts")
        console.print(f"  {len(rows)} accounts")
        async with db.transaction() as conn:
            status = await conn.execute("UPDATE accounts SET balance = balance + $1 WHERE id = $2", 100.00, 1)
        name = await db.fetchval("SELECT name FROM accounts WHERE id = $1", 1)
        console.print(f"  {status}: 100.00 more on {name}, which the database has recorded as an adjustment")

        step("The books")
        async with db.unit_of_work(ledger=LEDGER, read_only=True) as uow:
            for sheet in await uow.reports.balance_sheets():
                show(sheet)
                if not sheet.is_balanced:
                    raise SystemExit("the balance sheet does not add up")
        verification = await db.verify(LEDGER)
        console.print(
            f"verified: {verification.entries} entries, {verification.postings} postings,"
            f" {len(verification.problems)} problems"
        )


def main() -> None:
    """Run every step on a data folder of the demo's own."""
    started = time.monotonic()
    folder = EmbeddedServer().data_dir / "demo"
    os.environ.update(FINANCE_DATABASE_URL="embedded", FINANCE_DATA_DIR=str(folder))
    step(f"Migrate the embedded PostgreSQL in {folder}")
    run("alembic", "upgrade", "head")
    asyncio.run(open_books())
    step("Import a bank statement")
    run("finance", "import", str(SAMPLE.relative_to(ROOT)), "--ledger", LEDGER, "--account", "Assets:Checking")
    asyncio.run(work())
    console.print(
        f"done in {time.monotonic() - started:.1f} s; run it again: nothing is imported or posted twice,"
        " only the raw UPDATE adds another 100.00"
    )


if __name__ == "__main__":
    main()
