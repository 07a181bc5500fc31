"""`finance income-statement`, `balance-sheet`, `trial-balance`, `net-worth`, `cash-flow` and `spending`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Annotated, Literal

from cyclopts import Parameter

from finance import UnitOfWork, frames
from finance.cli import report_documents, report_tables
from finance.cli.books import HERE, Where, exponents_of, reading, today
from finance.cli.forms import PICTURE, TABLE, Answer, Form, PictureForm, finest, require_one, write
from finance.plots import income_chart, net_worth_chart, spending_chart
from finance.reports import LabelledSpending, Spending
from finance.repositories.prices import MAX_AGE

Depth = Annotated[
    int | None, Parameter(help="Add up what is the same in so many first segments of the accounts' names.")
]
By = Literal["category", "payee", "tag"]


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
        last = self.ends_on or today()
        return self.starts_on or last.replace(month=1, day=1), last


THIS_YEAR = Days()


async def income_statement(
    *,
    days: Days = THIS_YEAR,
    by_month: Annotated[
        bool, Parameter(negative="", help="Give each month a column; pictures do in any case.")
    ] = False,
    depth: Depth = None,
    form: PictureForm = PICTURE,
    where: Where = HERE,
) -> None:
    """List income, expenses and what is left of them, of a period."""
    require_one(form, json=where.json)
    async with reading(where) as uow:
        asked = _by_month if by_month or form.is_picture else _of_period
        answer = await asked(uow, days, depth, where.ledger)
    write(answer, form, json=where.json)


async def _of_period(uow: UnitOfWork, days: Days, depth: int | None, _ledger: str) -> Answer:
    found = await uow.reports.income_statements(*days.period(), depth=depth)
    exponents = await exponents_of(uow)
    return Answer(
        report_documents.income_statements(found, exponents),
        report_tables.income_statements,
        partial(frames.income_statements_table, found, scale=finest(found, exponents)),
    )


async def _by_month(uow: UnitOfWork, days: Days, depth: int | None, ledger: str) -> Answer:
    found = await uow.reports.monthly_income_statements(*days.period(), depth=depth)
    exponents = await exponents_of(uow)
    return Answer(
        report_documents.monthly_income_statements(found, exponents),
        report_tables.monthly_income_statements,
        partial(frames.monthly_income_statements_table, found, scale=finest(found, exponents)),
        partial(income_chart, found, ledger=ledger, exponents=exponents),
    )


async def balance_sheet(
    *,
    on: Annotated[date | None, Parameter(help="Count what is posted through this day, as in 2026-12-31.")] = None,
    depth: Depth = None,
    form: Form = TABLE,
    where: Where = HERE,
) -> None:
    """List what is owned, what is owed, and the difference, on a day."""
    require_one(form, json=where.json)
    async with reading(where) as uow:
        sheets = await uow.reports.balance_sheets(on=on, depth=depth)
        exponents = await exponents_of(uow)
    answer = Answer(
        report_documents.balance_sheets(sheets, exponents),
        report_tables.balance_sheets,
        partial(frames.balance_sheets_table, sheets, scale=finest(sheets, exponents)),
    )
    write(answer, form, json=where.json)


async def trial_balance(
    *,
    on: Annotated[date | None, Parameter(help="Count what is posted through this day, as in 2026-12-31.")] = None,
    form: Form = TABLE,
    where: Where = HERE,
) -> None:
    """List every account with its balance as a debit or a credit, on a day; they agree in each currency."""
    require_one(form, json=where.json)
    async with reading(where) as uow:
        trial = await uow.reports.trial_balance(on=on)
        exponents = await exponents_of(uow)
    answer = Answer(
        report_documents.trial_balance(trial, exponents),
        report_tables.trial_balance,
        partial(frames.trial_balance_table, trial, scale=finest(trial.rows, exponents)),
    )
    write(answer, form, json=where.json)


async def net_worth(
    *,
    days: Days = THIS_YEAR,
    valued_in: Annotated[
        str | None, Parameter(help="Value all of it in this currency, at each month's own rates.", show_default=False)
    ] = None,
    max_age: Annotated[int, Parameter(help="How many days old a rate may be.")] = MAX_AGE.days,
    form: PictureForm = PICTURE,
    where: Where = HERE,
) -> None:
    """List assets less liabilities at the end of each month, for each currency or valued in one."""
    require_one(form, json=where.json)
    async with reading(where) as uow:
        if valued_in is None:
            answer = await _net_worth(uow, days, where.ledger)
        else:
            answer = await _valued_net_worth(uow, days, valued_in, timedelta(days=max_age), where.ledger)
    write(answer, form, json=where.json)


async def _net_worth(uow: UnitOfWork, days: Days, ledger: str) -> Answer:
    worths = await uow.reports.net_worth(*days.period())
    exponents = await exponents_of(uow)
    return Answer(
        report_documents.net_worths(worths, exponents),
        report_tables.net_worths,
        partial(frames.net_worth_table, worths, scale=finest(worths, exponents)),
        partial(net_worth_chart, worths, ledger=ledger, exponents=exponents),
    )


async def _valued_net_worth(uow: UnitOfWork, days: Days, quote: str, max_age: timedelta, ledger: str) -> Answer:
    worth = await uow.reports.monthly_net_worth_valued(*days.period(), quote=quote, max_age=max_age)
    exponents = await exponents_of(uow)
    return Answer(
        report_documents.valued_net_worths(worth, exponents),
        report_tables.valued_net_worths,
        partial(frames.valued_net_worth_table, worth, scale=exponents.get(worth.quote)),
        partial(net_worth_chart, worth, ledger=ledger, exponents=exponents),
    )


async def cash_flow(
    *,
    days: Days = THIS_YEAR,
    under: Annotated[str, Parameter(help="The asset accounts of this name and below it are cash.")] = "Assets",
    depth: Depth = None,
    form: Form = TABLE,
    where: Where = HERE,
) -> None:
    """List where the money of a period came from and where it went, from the opening to the closing balance."""
    require_one(form, json=where.json)
    async with reading(where) as uow:
        flows = await uow.reports.cash_flows(*days.period(), under=under, depth=depth)
        exponents = await exponents_of(uow)
    answer = Answer(
        report_documents.cash_flows(flows, exponents),
        report_tables.cash_flows,
        partial(frames.cash_flows_table, flows, scale=finest(flows, exponents)),
    )
    write(answer, form, json=where.json)


async def spending(
    *,
    days: Days = THIS_YEAR,
    by: Annotated[
        By, Parameter(help="What to sort it by; a category is the first segments of an account.")
    ] = "category",
    by_month: Annotated[bool, Parameter(negative="", help="Give each month a column.")] = False,
    depth: Depth = 2,
    form: PictureForm = PICTURE,
    where: Where = HERE,
) -> None:
    """List what was spent in a period by category, payee or tag, the largest first."""
    require_one(form, json=where.json)
    async with reading(where) as uow:
        asked = _monthly_spending if by_month else _spending
        answer = await asked(uow, by, days.period(), depth, where.ledger)
    write(answer, form, json=where.json)


async def _spending(uow: UnitOfWork, by: By, period: tuple[date, date], depth: int | None, ledger: str) -> Answer:
    found: Sequence[Spending | LabelledSpending]
    if by == "category":
        found = await uow.reports.spending(*period, depth=depth)
    else:
        found = await (uow.reports.spending_by_payee if by == "payee" else uow.reports.spending_by_tag)(*period)
    exponents = await exponents_of(uow)
    return Answer(
        report_documents.spendings(found, by, exponents),
        partial(report_tables.spendings, by=by),
        partial(frames.spending_table, found, by=by, scale=finest(found, exponents)),
        partial(spending_chart, found, ledger=ledger, by=by, exponents=exponents),
    )


async def _monthly_spending(
    uow: UnitOfWork, by: By, period: tuple[date, date], depth: int | None, _ledger: str
) -> Answer:
    reports = uow.reports
    if by == "category":
        found = await reports.monthly_spending(*period, depth=depth)
    else:
        found = await (reports.monthly_spending_by_payee if by == "payee" else reports.monthly_spending_by_tag)(*period)
    exponents = await exponents_of(uow)
    return Answer(
        report_documents.monthly_spendings(found, by, exponents),
        partial(report_tables.monthly_spendings, by=by),
        partial(frames.monthly_spending_table, found, by=by, scale=finest(found, exponents)),
    )
