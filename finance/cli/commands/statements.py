"""`finance import`, and the profile that it needs for CSV."""

from __future__ import annotations

import asyncio
import dataclasses
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from finance import UnitOfWork
from finance.cli import documents, tables
from finance.cli.answers import write_answer
from finance.cli.books import HERE, Where, run_making
from finance.cli.forms import Csv
from finance.cli.terminal import progress, tell, write_document, write_json, write_listing
from finance.errors import CurrencyError, InvalidError
from finance.money import iso_currency, total
from finance.statements import CsvProfile, StatementFile, parse_statements, propose_profile, reading
from finance.statements.dates import DateOrder
from finance.statements.importer import import_statements
from finance.statements.result import ImportResult, StatementResult

#: Bytes to read, and lines to import, that take long enough to show how far it is.
_LONG_FILE = 100_000
_LONG_WORK = 1_000
#: The exit status of a dry run of a file that would be refused.
BAD_FILE = 2


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Unstated:
    """What CSV and QIF files do not say about themselves."""

    currency: Annotated[str | None, Parameter(help="Of a file that names none, as QIF.")] = None
    date_order: Annotated[DateOrder | None, Parameter(help="Whether 01/02 is in February or in January.")] = None
    decimal: Annotated[str | None, Parameter(help="What stands before decimals, where nothing decides it.")] = None
    encoding: Annotated[str | None, Parameter(help="Of text that is not UTF-8, such as windows-1252.")] = None


NOTHING_UNSTATED = Unstated()


# Not a coroutine: reading takes seconds or waits for standard input, and outside the event loop Ctrl-C ends it at once.
def import_file(
    file: Annotated[str, Parameter(allow_leading_hyphen=True, help="The bank's file; - reads standard input.")],
    /,
    *,
    account: Annotated[str | None, Parameter(help="Which account it is; for the first file of one account.")] = None,
    profile: Annotated[
        Path | None, Parameter(help="How the bank writes CSV: a TOML file; `finance profile` proposes one.")
    ] = None,
    unstated: Unstated = NOTHING_UNSTATED,
    match: Annotated[
        bool, Parameter(negative="", help="Take lines for entries that are there, of the same amount and days.")
    ] = False,
    dry_run: Annotated[
        bool, Parameter(negative="", help="Write nothing; say of each line what would become of it, and why.")
    ] = False,
    csv: Csv = False,
    where: Where = HERE,
) -> int:
    """Import what the bank sent: all of the file that is new, or nothing.

    A file that comes again, or overlaps an earlier one, adds only what is new.
    """
    if csv and not dry_run:
        raise InvalidError("--csv lists the lines of a --dry-run: give both")
    with progress("Reading", is_long=_size(file) > _LONG_FILE):
        read = _read(file, profile, unstated)
    result = asyncio.run(_import(read, account, where, match=match, dry_run=dry_run))
    document = documents.imported(result)
    if dry_run and not where.json:
        write_answer(document, tables.decisions, csv=csv, json=False)
    elif where.json:
        write_answer(document, tables.imported, csv=csv, json=True)
    else:
        write_listing(tables.imported(document))
    for remark in remarks(result):
        tell(remark)
    return BAD_FILE if result.refused else 0


def propose(
    file: Annotated[str, Parameter(allow_leading_hyphen=True, help="A CSV file; - reads standard input.")],
    /,
    *,
    unstated: Unstated = NOTHING_UNSTATED,
    where: Where = HERE,
) -> None:
    """Propose a profile for a CSV file of a bank, as TOML: look at it, correct it, and import with --profile.

    What it is unsure of stands on top as comments.
    """
    data, name = _content(file)
    proposal = propose_profile(data, name=name, **dataclasses.asdict(unstated))
    if where.json:
        write_json(documents.proposed(proposal))
    else:
        write_document(proposal.to_toml())
    for remark in proposal.unsure:
        tell(remark)


async def _import(
    file: StatementFile, account: str | None, where: Where, *, match: bool, dry_run: bool
) -> ImportResult:
    lines = sum(len(statement.lines) for statement in file.statements)

    async def work(uow: UnitOfWork) -> ImportResult:
        with progress("Importing", is_long=lines > _LONG_WORK) as show:
            result = await import_statements(uow, file, account=account, match=match, dry_run=dry_run, progress=show)
        if dry_run:
            await uow.rollback()  # and with it a ledger that is not there yet
        return result

    return await run_making(where, work, base_currency=_currency_of(file))


def remarks(result: ImportResult) -> Iterator[str]:
    """Yield what the user should know of an import that went well: what was left out, and what does not add up."""
    yield from (f"{result.file}: {remark}" for remark in result.remarks)
    if result.refused:
        yield f"{result.file}: lines that keep the file out, so that nothing of it would be imported: {result.refused}"
    listed = sum(statement.currency is None for statement in result.statements)
    if listed:
        yield f"{result.file}: accounts that it lists without a statement, and that were not opened: {listed}"
    for statement in result.statements:
        yield from _remarks_on(statement)


def _remarks_on(statement: StatementResult) -> Iterator[str]:
    if statement.securities:
        yield (
            f"{statement.account}: lines that move securities in a way that is not known or in another currency,"
            f" kept but not posted: {statement.securities} (--dry-run says why)"
        )
    if statement.kept:
        yield (
            f"{statement.account}: lines in another currency than the account, or that correct an earlier line,"
            f" kept but not posted: {statement.kept} (--dry-run says why)"
        )
    if statement.possible_matches:
        yield (
            f"{statement.account}: lines that may be entries which were there, and are posted beside them:"
            f" {statement.possible_matches}; --match takes them for those (--dry-run shows them, and `finance imports"
            " undo` takes an import back)"
        )
    if statement.pending:
        yield f"{statement.account}: lines that the bank has not booked yet, left out: {statement.pending}"
    if statement.adds_up is False:
        yield (
            f"{statement.account}: the bank's own figures do not add up: {statement.opening_balance:f} before lines of"
            f" {statement.sum:f} is not the {statement.closing_balance:f} {statement.currency} that it closes with"
        )
    bank, books = statement.closing_balance, statement.books_balance
    if bank is not None and books is not None and bank != books:
        when = f" on {statement.closing_on}" if statement.closing_on else ""
        yield (
            f"{statement.account}: the bank says {bank:f} {statement.currency}{when}, the books say {books:f}"
            f" (difference {total([bank, books.copy_negate()]):f}):"
            " an earlier statement or the opening balance is missing, or the file does not add up"
        )


def _size(file: str) -> int:
    try:
        return Path(file).stat().st_size
    except (OSError, ValueError):  # standard input, or what the reader will refuse
        return 0


def _read(file: str, profile: Path | None, unstated: Unstated) -> StatementFile:
    declared = None if profile is None else CsvProfile.load(profile)
    data, name = _content(file)
    return parse_statements(data, name=name, profile=declared, **dataclasses.asdict(unstated))


def _content(file: str) -> tuple[bytes, str]:
    if file != "-":
        return reading.content_of(file)
    return sys.stdin.buffer.read(reading.LARGEST + 1), "standard input"


def _currency_of(file: StatementFile) -> str | None:
    """Return the first currency of *file* that a ledger can be based on."""
    for statement in file.statements:
        try:
            return iso_currency(statement.currency or "").code
        except CurrencyError:
            continue
    return None
