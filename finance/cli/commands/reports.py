"""`finance income-statement`, `balance-sheet`, `net-worth`, `cash-flow` and `spending`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

from cyclopts import Parameter

from finance.cli import report_documents, report_tables
from finance.cli.books import HERE, Where, exponents_of, reading
from finance.cli.documents import Document
from finance.cli.terminal import Listing, write_csv, write_json, write_listing
from finance.errors import InvalidError
from finance.repositories.prices import MAX_AGE

Depth = Annotated[
    int | None, Parameter(help="Add up what is the same in so many first segments of the accounts' names.")
]
Csv = Annotated[bool, Parameter(negative="", help="Print CSV, without rows of totals.")]


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """The options of a report of a period."""

    starts_on: Annotated[
        date | None, Parameter(help="The first day that counts; otherwise that of the year.", show_default=False)
    ] = None
    ends_on: Annotated[
        date | None, Parameter(help="The last day that counts; otherwise today.", show_default=False)
    ] = None

    def period(self) -> tuple[date, date]:
        """Return the first and the last day."""
        last = self.ends_on or datetime.now(UTC).astimezone().date()
        return self.starts_on or last.replace(month=1, day=1), last


THIS_YEAR = Days()


async def income_statement(
    *,
    days: Days = THIS_YEAR,
    by_month: Annotated[bool, Parameter(negative="", help="Give each month a column.")] = False,
    depth: Depth = None,
    csv: Csv = False,
    where: Where = HERE,
) -> None:
    """List income, expenses and what is left of them, of a period."""
    async with reading(where) as uow:
        exponents = await exponents_of(uow)
        if by_month:
            monthly = await uow.reports.monthly_income_statements(*days.period(), depth=depth)
            found = report_documents.monthly_income_statements(monthly, exponents)
        else:
            whole = await uow.reports.income_statements(*days.period(), depth=depth)
            found = report_documents.income_statements(whole, exponents)
    table = report_tables.monthly_income_statements if by_month else report_tables.income_statements
    _write(found, table, csv=csv, json=where.json)


async def balance_sheet(
    *,
    on: Annotated[date | None, Parameter(help="Count what is posted through this day, as in 2026-12-31.")] = None,
    depth: Depth = None,
    csv: Csv = False,
    where: Where = HERE,
) -> None:
    """List what is owned, what is owed, and the difference, on a day."""
    async with reading(where) as uow:
        sheets = await uow.reports.balance_sheets(on=on, depth=depth)
        found = report_documents.balance_sheets(sheets, await exponents_of(uow))
    _write(found, report_tables.balance_sheets, csv=csv, json=where.json)


async def net_worth(
    *,
    days: Days = THIS_YEAR,
    valued_in: Annotated[
        str | None, Parameter(help="Value all of it in this currency, at each month's own rates.", show_default=False)
    ] = None,
    max_age: Annotated[int, Parameter(help="How many days old a rate may be.")] = MAX_AGE.days,
    csv: Csv = False,
    where: Where = HERE,
) -> None:
    """List assets less liabilities at the end of each month, for each currency or valued in one."""
    async with reading(where) as uow:
        exponents = await exponents_of(uow)
        if valued_in is None:
            found = report_documents.net_worths(await uow.reports.net_worth(*days.period()), exponents)
        else:
            valued = await uow.reports.monthly_net_worth_valued(
                *days.period(), quote=valued_in, max_age=timedelta(days=max_age)
            )
            found = report_documents.valued_net_worths(valued, exponents)
    table = report_tables.net_worths if valued_in is None else report_tables.valued_net_worths
    _write(found, table, csv=csv, json=where.json)


async def cash_flow(
    *,
    days: Days = THIS_YEAR,
    under: Annotated[str, Parameter(help="The asset accounts of this name and below it are cash.")] = "Assets",
    depth: Depth = None,
    csv: Csv = False,
    where: Where = HERE,
) -> None:
    """List where the money of a period came from and where it went, from the opening to the closing balance."""
    async with reading(where) as uow:
        flows = await uow.reports.cash_flows(*days.period(), under=under, depth=depth)
        found = report_documents.cash_flows(flows, await exponents_of(uow))
    _write(found, report_tables.cash_flows, csv=csv, json=where.json)


async def spending(*, days: Days = THIS_YEAR, depth: Depth = 2, csv: Csv = False, where: Where = HERE) -> None:
    """List what was spent in a period by category, the largest first."""
    async with reading(where) as uow:
        spent = await uow.reports.spending(*days.period(), depth=depth)
        found = report_documents.spendings(spent, await exponents_of(uow))
    _write(found, report_tables.spendings, csv=csv, json=where.json)


def _write(documents: Sequence[Document], table: Callable[..., Listing], *, csv: bool, json: bool) -> None:
    """Write *documents* in the form that is asked for.

    Raises:
        InvalidError: Two forms are.
    """
    if csv and json:
        raise InvalidError("--csv and --json are two forms of one answer: give one of them")
    if json:
        write_json(documents)
    elif csv:
        write_csv(table(documents, totals=False))
    else:
        write_listing(table(documents, totals=True))
