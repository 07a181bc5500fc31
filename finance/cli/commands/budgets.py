"""`finance budget set`, `list`, `end` and `progress`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from functools import partial
from typing import Annotated

from cyclopts import App, Parameter

from finance import Account, BudgetPeriod, BudgetTerm, Rollover, UnitOfWork
from finance.cli import plan_documents, plan_tables
from finance.cli.books import HERE, Where, exponents_of, reading, today, writing
from finance.cli.commands.register import choose
from finance.cli.forms import PICTURE, Answer, PictureForm, finest, require_one, write
from finance.cli.terminal import tell, write_json, write_listing
from finance.errors import InvalidError, NotFoundError
from finance.frames import budgets_table
from finance.plots import budget_chart

budget = App(name="budget", help="Say what may be spent on a category, and see what was.")

Name = Annotated[str, Parameter(help="An account, which stands for all below it, as in Expenses:Food.")]
Currency = Annotated[str | None, Parameter(help="Which one, if the name holds several.")]


@budget.command(name="set")
async def set_budget(
    account: Name,
    amount: Annotated[str, Parameter(help="For each period, in the account's currency.")],
    /,
    *,
    period: Annotated[BudgetPeriod | None, Parameter(help="As before, or month.", show_default=False)] = None,
    rollover: Annotated[
        Rollover | None, Parameter(help="What is carried into the next period; as before, or none.", show_default=False)
    ] = None,
    starts_on: Annotated[
        date | None, Parameter(help="The first day; otherwise that of the period of today.", show_default=False)
    ] = None,
    currency: Currency = None,
    where: Where = HERE,
) -> None:
    """Give an account, and all below it, an amount for each period from a day on; earlier periods keep theirs."""
    async with writing(where) as uow:
        row = await _category(uow, account, currency)
        before = _of(row, await uow.budgets.terms(on=starts_on or today()))
        chosen = period or (before.period if before else BudgetPeriod.MONTH)
        await uow.budgets.set(
            row,
            amount,
            starts_on=starts_on or _start_of(chosen, before),
            period=chosen,
            rollover=rollover or (before.rollover if before else Rollover.NONE),
        )
        await _write_terms([term for term in await uow.budgets.terms() if term.account_id == row.id], uow, where)


@budget.command(name="list")
async def list_budgets(
    *,
    on: Annotated[date | None, Parameter(help="Only those of this day.", show_default=False)] = None,
    where: Where = HERE,
) -> None:
    """List the budgets, from when to when each of them holds."""
    async with reading(where) as uow:
        await _write_terms(await uow.budgets.terms(on=on), uow, where)


@budget.command(name="end")
async def end_budget(
    account: Name,
    /,
    *,
    ends_on: Annotated[
        date | None, Parameter(help="The last day; otherwise that of the period of today.", show_default=False)
    ] = None,
    currency: Currency = None,
    where: Where = HERE,
) -> None:
    """End the budget of an account; what was to follow is removed."""
    async with writing(where) as uow:
        row = choose([each async for each in uow.accounts.stream()], account, currency)
        term = _of(row, await uow.budgets.terms(on=ends_on or today()))
        if term is None:
            raise NotFoundError(f"account {account!r} has no budget on {ends_on or today()}; `finance budget list`")
        last = ends_on or next(end for _, end in term.periods(today(), today()))
        await uow.budgets.end(row, ends_on=last)
        await _write_terms([each for each in await uow.budgets.terms() if each.account_id == row.id], uow, where)


@budget.command
async def progress(
    *,
    starts_on: Annotated[
        date | None, Parameter(help="Of the periods from this day on; otherwise of today.", show_default=False)
    ] = None,
    ends_on: Annotated[
        date | None, Parameter(help="Of the periods through this day; otherwise of today.", show_default=False)
    ] = None,
    form: PictureForm = PICTURE,
    where: Where = HERE,
) -> None:
    """List what was spent against what was budgeted, for each period; a picture adds an account's periods up."""
    require_one(form, json=where.json)
    last = ends_on or today()
    async with reading(where) as uow:
        report = await uow.reports.budgets(starts_on or last, last)
        exponents = await exponents_of(uow)
    answer = Answer(
        plan_documents.budgets(report, exponents),
        plan_tables.budgets,
        partial(budgets_table, report, scale=finest(report.budgets, exponents)),
        partial(budget_chart, report, ledger=where.ledger, exponents=exponents),
    )
    write(answer, form, json=where.json)


async def _category(uow: UnitOfWork, name: str, currency: str | None) -> Account:
    """Return the account *name*, opening it where there are only accounts below it.

    Raises:
        NotFoundError: There are none of these either.
        InvalidError: They hold several currencies, and *currency* is None.
    """
    accounts = [each async for each in uow.accounts.stream()]
    code = None if currency is None else currency.upper()
    below = {each.currency for each in accounts if each.name.startswith(f"{name}:")}
    if any(each.name == name and code in {None, each.currency} for each in accounts) or not below:
        return choose(accounts, name, code)
    if code is None and len(below) > 1:
        raise InvalidError(f"accounts below {name!r} hold {', '.join(sorted(below))}: say which one with --currency")
    row = await uow.accounts.open(name, currency=code or below.pop())
    tell(f"opened the account {name!r} in {row.currency}, above those that it stands for")
    return row


def _of(account: Account, terms: Sequence[BudgetTerm]) -> BudgetTerm | None:
    return next((term for term in terms if term.account_id == account.id), None)


def _start_of(period: BudgetPeriod, before: BudgetTerm | None) -> date:
    """Return the first day of the period of today: of the budget before, or else of the calendar."""
    day = today()
    if before is not None and before.period is period:
        return next(start for start, _ in before.periods(day, day))
    if period is BudgetPeriod.WEEK:
        return day - timedelta(day.weekday())
    months = {BudgetPeriod.MONTH: 1, BudgetPeriod.QUARTER: 3, BudgetPeriod.YEAR: 12}[period]
    return date(day.year, (day.month - 1) // months * months + 1, 1)


async def _write_terms(terms: Sequence[BudgetTerm], uow: UnitOfWork, where: Where) -> None:
    exponents = await exponents_of(uow)
    found = [plan_documents.budget_term(term, exponents) for term in terms]
    if where.json:
        write_json(found)
    else:
        write_listing(plan_tables.budget_terms(found))
