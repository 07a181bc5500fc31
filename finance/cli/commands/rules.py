"""`finance rules`: what lines of statements are, and applying that to what lies unsorted."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Annotated, Literal

from cyclopts import App, Parameter

from finance import Account, NewRule, UnitOfWork
from finance.cli import statement_documents, statement_tables
from finance.cli.answers import write_answer
from finance.cli.books import HERE, Where, reading, run, run_making
from finance.cli.commands.register import choose
from finance.cli.documents import Document
from finance.cli.forms import Csv
from finance.errors import InvalidError
from finance.repositories import RuledLine
from finance.statements import RuledEntry, apply_rules

app = App(name="rules", help="Rules that propose the counter-account, payee and tags of a bank's lines.")


@app.default
async def rules(*, csv: Csv = False, where: Where = HERE) -> None:
    """List the rules in the order in which they are tried."""
    async with reading(where) as uow:
        names = {account.id: account.name async for account in uow.accounts.stream()}
        document = [statement_documents.rule(each, names) async for each in uow.rules.stream()]
    write_answer(document, statement_tables.rules, csv=csv, json=where.json)


@app.command
async def add(
    *,
    contains: Annotated[str | None, Parameter(help="A text that the payee or the memo has in it.")] = None,
    equals: Annotated[str | None, Parameter(help="What the payee or the memo is.")] = None,
    matches: Annotated[str | None, Parameter(help="A regular expression found in the payee or the memo.")] = None,
    direction: Annotated[Literal["in", "out"] | None, Parameter(help="Whether money comes or goes.")] = None,
    minimum: Annotated[str | None, Parameter(help="The smallest amount, without its sign.")] = None,
    maximum: Annotated[str | None, Parameter(help="The largest amount, without its sign.")] = None,
    account: Annotated[str | None, Parameter(help="The bank's account.")] = None,
    currency: Annotated[str | None, Parameter(help="Of the line; and of accounts that hold several.")] = None,
    counter: Annotated[str | None, Parameter(help="The account that takes the other side; opened if needed.")] = None,
    payee: Annotated[str | None, Parameter(help="The payee's name.")] = None,
    tag: Annotated[tuple[str, ...], Parameter(negative="", help="A tag; can be given several times.")] = (),
    position: Annotated[int | None, Parameter(help="The smaller is tried first; otherwise behind all others.")] = None,
    where: Where = HERE,
) -> None:
    """Add a rule: it needs one condition, and one of --counter, --payee and --tag."""

    async def work(uow: UnitOfWork) -> Document:
        accounts = [each async for each in uow.accounts.stream()]
        rule = await uow.rules.create(
            NewRule(
                contains=contains,
                equals=equals,
                matches=matches,
                direction=direction,
                minimum=minimum,
                maximum=maximum,
                account=None if account is None else choose(accounts, account, currency),
                currency=currency,
                counter=None if counter is None else await _counter(uow, accounts, counter, currency),
                payee=payee,
                tags=tag,
                position=position,
            )
        )
        return statement_documents.rule(rule, {each.id: each.name async for each in uow.accounts.stream()})

    document = await run_making(where, work)
    write_answer([document], statement_tables.rules, csv=False, json=where.json)


@app.command
async def remove(
    number: Annotated[int, Parameter(help="Its id, as `finance rules` lists it.")], /, *, where: Where = HERE
) -> None:
    """Remove a rule. What it decided on stays as it is."""

    async def work(uow: UnitOfWork) -> None:
        await uow.rules.remove(await uow.rules.get_one(number))

    await run(where, work)


@app.command(name="try")
async def try_text(
    text: Annotated[str, Parameter(allow_leading_hyphen=True, help="The payee or memo of a line.")],
    amount: Annotated[str, Parameter(allow_leading_hyphen=True, help="Its amount, with its sign.")],
    /,
    *,
    account: Annotated[str | None, Parameter(help="The bank's account.")] = None,
    currency: Annotated[str | None, Parameter(help="Of the line; otherwise the ledger's.")] = None,
    where: Where = HERE,
) -> None:
    """Say which rule would decide on a line, and what it proposes."""
    async with reading(where) as uow:
        ledger = await uow.ledgers.get_one(uow.ledger_id)
        row = None
        if account is not None:
            row = choose([each async for each in uow.accounts.stream()], account, currency)
        code = (currency or (row.currency if row else ledger.base_currency)).upper()
        line = RuledLine(1, _amount(amount), text, "")
        proposals = await uow.rules.propose([line], account=row, currency=code)
        document = [statement_documents.proposal(each) for each in proposals.values()]
    write_answer(document, statement_tables.proposals, csv=False, json=where.json)


@app.command
async def apply(
    *,
    dry_run: Annotated[bool, Parameter(negative="", help="Write nothing, and say what would be done.")] = False,
    csv: Csv = False,
    where: Where = HERE,
) -> None:
    """Apply the rules to what lies in Income:Uncategorised and Expenses:Uncategorised, by amending it."""

    async def work(uow: UnitOfWork) -> tuple[RuledEntry, ...]:
        return await apply_rules(uow, dry_run=dry_run)

    found = await run(where, work)
    document = [statement_documents.ruled(each) for each in found]
    write_answer(document, statement_tables.ruled, csv=csv, json=where.json)


async def _counter(uow: UnitOfWork, accounts: list[Account], name: str, currency: str | None) -> Account:
    """Return an account of this name, in *currency* where that is given; one that is missing is opened."""
    named = [each for each in accounts if each.name == name and currency in (None, each.currency)]
    if named:
        return named[0]
    ledger = await uow.ledgers.get_one(uow.ledger_id)
    return await uow.accounts.get_or_open(name, currency=currency or ledger.base_currency)


def _amount(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation as error:
        raise InvalidError(f"amount {text!r} is no number") from error
    if not amount.is_finite():
        raise InvalidError(f"amount {text!r} is not finite")
    return amount
