"""`finance schedule add`, `list`, `due`, `post`, `skip`, `change`, `pause`, `resume` and `end`."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from cyclopts import App, Parameter

from finance import NewPosting, NewSchedule, PostedDue, Retry, Schedule, UnitOfWork, Weekends
from finance.cli import plan_documents, plan_tables
from finance.cli.books import HERE, Where, connected, ledger_of, reading, today, writing
from finance.cli.commands.register import choose
from finance.cli.terminal import tell, write_json, write_listing
from finance.errors import InvalidError, NotFoundError

schedule = App(name="schedule", help="Have entries come again and again, and post what is due.")

Which = Annotated[str, Parameter(help="Its id, the beginning of that, or its description.")]
Day = Annotated[date, Parameter(help="The day that the rule names, as `finance schedule due` tells it.")]


@schedule.command
async def add(
    description: Annotated[str, Parameter(help="What happens, as in Rent.")],
    amount: Annotated[str, Parameter(help="In the currency of both accounts.")],
    /,
    *,
    from_: Annotated[str, Parameter(name="--from", help="The account that it leaves, as in Assets:Checking.")],
    to: Annotated[str, Parameter(help="The account that it goes to, as in Expenses:Rent.")],
    starts_on: Annotated[date, Parameter(help="The first day.")],
    rule: Annotated[str, Parameter(help="When it comes, by RFC 5545, as in FREQ=WEEKLY;INTERVAL=2.")] = "FREQ=MONTHLY",
    ends_on: Annotated[date | None, Parameter(help="The last day.", show_default=False)] = None,
    weekends: Annotated[Weekends, Parameter(help="Post on the Friday before, the Monday after, or that day.")] = (
        Weekends.STAY
    ),
    payee: Annotated[str | None, Parameter(help="Kept with each entry.")] = None,
    tag: Annotated[
        list[str] | None, Parameter(negative="", help="Kept with each entry; may be given several times.")
    ] = None,
    currency: Annotated[str | None, Parameter(help="Which one, if the accounts hold several.")] = None,
    where: Where = HERE,
) -> None:
    """Have an amount go from one account to another again and again."""
    details = {"payee": payee} if payee else {}
    async with writing(where) as uow:
        accounts = [each async for each in uow.accounts.stream()]
        line = NewPosting(choose(accounts, to, currency), amount)
        lines = [line, NewPosting(choose(accounts, from_, currency), line.value.copy_negate())]
        new = NewSchedule(
            description, lines, rule, starts_on, ends_on, weekends, details | ({"tags": tag} if tag else {})
        )
        made = await uow.schedules.create(new)
        await _write_schedules([made], uow, where)


@schedule.command(name="list")
async def list_schedules(*, where: Where = HERE) -> None:
    """List the schedules, as they were made."""
    async with reading(where) as uow:
        await _write_schedules([each async for each in uow.schedules.stream()], uow, where)


@schedule.command
async def due(
    *,
    on: Annotated[date | None, Parameter(help="Through this day; otherwise today.", show_default=False)] = None,
    where: Where = HERE,
) -> None:
    """List what is to be posted and is not, the oldest first."""
    async with reading(where) as uow:
        names = await _names(uow)
        found = [plan_documents.occurrence(each, names) for each in await uow.schedules.due(on or today())]
    if where.json:
        write_json(found)
    else:
        write_listing(plan_tables.occurrences(found))


@schedule.command
async def post(
    *,
    through: Annotated[date | None, Parameter(help="Through this day; otherwise today.", show_default=False)] = None,
    dry_run: Annotated[bool, Parameter(negative="", help="Tell what would be posted, and post nothing.")] = False,
    where: Where = HERE,
) -> int:
    """Post what is due, each occurrence once. What the books refuse is told, stays due, and gives exit status 1."""
    day = through or today()

    async def work(uow: UnitOfWork) -> tuple[PostedDue, plan_documents.Names]:
        verb = uow.schedules.propose if dry_run else uow.schedules.post_due
        return await verb(through=day), await _names(uow)

    async with connected(where) as db:
        ledger = await ledger_of(db, where)
        answer, names = await db.run(work, ledger=ledger, retry=Retry(idempotent=True))
    document = plan_documents.posted_due(answer, names)
    if where.json:
        write_json(document)
    else:
        write_listing(plan_tables.occurrences(document["posted"]))
    for each in answer.refused:
        tell(f"{each.occurrence.entry.description}, {each.occurrence.occurs_on}: {each.error}")
    if answer.left:
        tell(f"left for the next run: {answer.left}")
    return 1 if answer.refused else 0


@schedule.command
async def skip(which: Which, day: Day, /, *, where: Where = HERE) -> None:
    """Have one occurrence not posted."""
    async with writing(where) as uow:
        row = await _choose(uow, which)
        await uow.schedules.skip(row, day)
        await _write_schedules([row], uow, where)


@schedule.command
async def change(
    which: Which,
    day: Day,
    /,
    *,
    posts_on: Annotated[date | None, Parameter(help="Another day to post it on.", show_default=False)] = None,
    description: Annotated[str | None, Parameter(help="Another text.")] = None,
    amount: Annotated[str | None, Parameter(help="Another amount.")] = None,
    where: Where = HERE,
) -> None:
    """Change one occurrence."""
    async with writing(where) as uow:
        row = await _choose(uow, which)
        await uow.schedules.change(row, day, posts_on=posts_on, description=description, amount=amount)
        await _write_schedules([row], uow, where)


@schedule.command
async def pause(
    which: Which,
    /,
    *,
    on: Annotated[date | None, Parameter(help="From this day on; otherwise today.", show_default=False)] = None,
    where: Where = HERE,
) -> None:
    """Let nothing fall due until it is resumed."""
    async with writing(where) as uow:
        await _write_schedules([await uow.schedules.pause(await _choose(uow, which), on=on or today())], uow, where)


@schedule.command
async def resume(
    which: Which,
    /,
    *,
    on: Annotated[date | None, Parameter(help="From this day on; otherwise today.", show_default=False)] = None,
    where: Where = HERE,
) -> None:
    """Let occurrences fall due again; those of the pause are skipped for good."""
    async with writing(where) as uow:
        await _write_schedules([await uow.schedules.resume(await _choose(uow, which), on=on or today())], uow, where)


@schedule.command
async def end(
    which: Which,
    /,
    *,
    ends_on: Annotated[date | None, Parameter(help="The last day; otherwise today.", show_default=False)] = None,
    where: Where = HERE,
) -> None:
    """End a schedule."""
    async with writing(where) as uow:
        row = await uow.schedules.update(await _choose(uow, which), ends_on=ends_on or today())
        await _write_schedules([row], uow, where)


async def _choose(uow: UnitOfWork, which: str) -> Schedule:
    """Return the schedule that *which* means.

    Raises:
        NotFoundError: There is none.
        InvalidError: There are several.
    """
    rows = [each async for each in uow.schedules.stream()]
    found = [each for each in rows if which.lower() == str(each.id)] or [
        each for each in rows if which and (each.description == which or str(each.id).startswith(which.lower()))
    ]
    if not found:
        raise NotFoundError(f"this ledger has no schedule {which!r}; `finance schedule list` tells their ids")
    if len(found) > 1:
        raise InvalidError(f"{len(found)} schedules are called {which!r}: give the id, of `finance schedule list`")
    return found[0]


async def _names(uow: UnitOfWork) -> plan_documents.Names:
    exponents = {each.code: each.exponent async for each in uow.currencies.stream()}
    return {each.id: (each.name, each.currency, exponents[each.currency]) async for each in uow.accounts.stream()}


async def _write_schedules(rows: list[Schedule], uow: UnitOfWork, where: Where) -> None:
    names = await _names(uow)
    found = [plan_documents.schedule(row, names) for row in rows]
    if where.json:
        write_json(found)
    else:
        write_listing(plan_tables.schedules(found))
