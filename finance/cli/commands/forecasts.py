"""`finance forecast`."""

from __future__ import annotations

from datetime import date, timedelta
from functools import partial
from typing import Annotated

from cyclopts import Parameter

from finance.cli import plan_documents, plan_tables
from finance.cli.books import HERE, Where, exponents_of, reading, today
from finance.cli.commands.register import choose
from finance.cli.forms import TABLE, Answer, Form, finest, require_one, write
from finance.frames import forecasts_table

_AHEAD = timedelta(days=90)


async def forecast(
    account: Annotated[list[str] | None, Parameter(help="Their names; otherwise all assets and liabilities.")] = None,
    /,
    *,
    on: Annotated[
        date | None, Parameter(help="The day to look ahead from; otherwise today.", show_default=False)
    ] = None,
    ends_on: Annotated[
        date | None, Parameter(help="The last day; otherwise 90 days ahead.", show_default=False)
    ] = None,
    by_day: Annotated[bool, Parameter(negative="", help="Tell every day.")] = False,
    holds: Annotated[bool, Parameter(negative="", help="Take what is held for gone.")] = False,
    budgets_from: Annotated[
        str | None, Parameter(help="The account out of which budgets are spent to their end.")
    ] = None,
    currency: Annotated[str | None, Parameter(help="Which one, if a name holds several.")] = None,
    form: Form = TABLE,
    where: Where = HERE,
) -> None:
    """List what accounts will hold at the end of each month, from what is scheduled, and when one falls too low.

    What is overdue counts as if it were posted on the first day.
    """
    require_one(form, json=where.json)
    first = on or today()
    async with reading(where) as uow:
        rows = [each async for each in uow.accounts.stream()]
        found = await uow.reports.forecast(
            first,
            ends_on or first + _AHEAD,
            accounts=[choose(rows, name, currency) for name in account] if account else None,
            by_day=by_day,
            holds=holds,
            budgets_from=None if budgets_from is None else choose(rows, budgets_from, currency),
        )
        exponents = await exponents_of(uow)
    answer = Answer(
        plan_documents.forecasts(found, exponents),
        plan_tables.forecasts,
        partial(forecasts_table, found, scale=finest(found, exponents)),
    )
    write(answer, form, json=where.json)
