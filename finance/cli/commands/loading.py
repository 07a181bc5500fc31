"""`finance load`: an export of ours, or whole books of another program."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from finance import UnitOfWork
from finance.cli.books import HERE, Where, run_making
from finance.cli.terminal import progress, tell, write_json, write_text
from finance.errors import BooksFileError, InvalidError
from finance.exports import Loaded, base_currency_of, is_export, load_beancount, load_csv
from finance.foreign_books import Books, LoadedBooks, Program, load_books, program_of, read_books
from finance.foreign_books.reading import TIMEOUT
from finance.money import iso_currencies

#: Bytes to read that take long enough to show that something happens.
_LONG_FILE = 100_000
#: Assertions that do not hold and that are told one by one.
_MOST_TOLD = 10

_Pairs = list[str] | None


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """What books of other programs do not say themselves."""

    program: Annotated[
        Program | None,
        Parameter(name="--from", help="Whose books they are; told by the content or the name.", show_default=False),
    ] = None
    currency: Annotated[
        _Pairs, Parameter(negative="", help="What a commodity is called here: $=USD; again for others.")
    ] = None
    decimals: Annotated[
        _Pairs, Parameter(negative="", help="More decimals for a currency, for good: USD=4; again for others.")
    ] = None
    type: Annotated[
        _Pairs, Parameter(negative="", help="What accounts are: Kasse=asset, and those below; again for others.")
    ] = None
    tolerance: Annotated[
        str | None, Parameter(help="How far an entry may be off at cost.", show_default="one smallest unit")
    ] = None
    timeout: Annotated[float, Parameter(help="Seconds that the other program may take to read it.")] = TIMEOUT


NOTHING_SAID = Foreign()


# Not a coroutine: reading takes seconds, and outside the event loop Ctrl-C ends it at once.
def load(
    file: Annotated[Path, Parameter(allow_leading_hyphen=True, help="An export, or the main file of a journal.")],
    /,
    *,
    foreign: Foreign = NOTHING_SAID,
    where: Where = HERE,
) -> None:
    """Load whole books, all that is new of them or nothing.

    What `finance export` wrote, as CSV or for beancount, into an empty ledger: ids stay the same. Or books of GnuCash
    (SQLite or XML), beancount, hledger or ledger, also again once they have grown.
    """
    if foreign.program is None and not _is_foreign(file):
        asyncio.run(_load_export(file, where))
        return
    with progress("Reading", is_long=_size(file) > _LONG_FILE):
        books = read_books(file, foreign.program, timeout=foreign.timeout)
    loaded = asyncio.run(_load(books, foreign, where))
    if where.json:
        write_json(_document(loaded, where))
    else:
        write_text(
            f"{loaded.file}: {loaded.entries} entries, {loaded.postings} postings, {loaded.accounts} accounts opened,"
            f" {loaded.prices} prices; {loaded.known} entries were there"
        )
    for remark in _remarks(loaded):
        tell(remark)


async def _load_export(file: Path, where: Where) -> None:
    is_text = is_export(_head(file))

    async def work(uow: UnitOfWork) -> Loaded:
        return await (load_beancount if is_text else load_csv)(uow, file)

    loaded = await run_making(where, work, base_currency=base_currency_of(file) if is_text else None)
    if where.json:
        write_json({"file": file.name, "ledger": where.ledger, **asdict(loaded)})
    else:
        write_text(
            f"{file.name}: {loaded.entries} entries, {loaded.postings} postings, {loaded.accounts} accounts opened"
        )


async def _load(books: Books, foreign: Foreign, where: Where) -> LoadedBooks:
    currencies = dict(_pairs("--currency", foreign.currency))
    decimals = {code: _count(code, count) for code, count in _pairs("--decimals", foreign.decimals)}
    types = dict(_pairs("--type", foreign.type))

    async def work(uow: UnitOfWork) -> LoadedBooks:
        return await load_books(
            uow, books, currencies=currencies, decimals=decimals, types=types, tolerance=foreign.tolerance
        )

    return await run_making(where, work, base_currency=_base_currency(books, currencies))


def _base_currency(books: Books, currencies: dict[str, str]) -> str | None:
    """Return the currency that the file's owner thinks in, where ISO 4217 knows it."""
    code = currencies.get(books.base_currency or "", books.base_currency)
    return code if code is not None and code in iso_currencies() else None


def _pairs(option: str, pairs: Sequence[str] | None) -> Iterator[tuple[str, str]]:
    for pair in pairs or ():
        name, mark, value = pair.rpartition("=")
        if not mark or not value:
            raise InvalidError(f"{option} {pair!r}: write it as name=value")
        yield name, value


def _count(code: str, count: str) -> int:
    if not count.isascii() or not count.isdecimal():
        raise InvalidError(f"--decimals {code}={count}: a number of decimals, such as {code}=4")
    return int(count)


def _document(loaded: LoadedBooks, where: Where) -> dict[str, Any]:
    document = {field.name: getattr(loaded, field.name) for field in dataclasses.fields(loaded)}
    document["ledger"] = where.ledger
    document["failed"] = [
        {
            "account": each.account,
            "currency": each.currency,
            "on": each.on.isoformat(),
            "claimed": f"{each.claimed:f}",
            "found": f"{each.found:f}",
            "difference": f"{each.difference:f}",
            "file": each.file,
            "line": each.line,
        }
        for each in loaded.failed
    ]
    document["residuals"] = {code: f"{amount:f}" for code, amount in loaded.residuals.items()}
    return document


def _remarks(loaded: LoadedBooks) -> Iterator[str]:
    """Yield what the user should know of books that were loaded well."""
    for remark in loaded.remarks:
        yield f"{loaded.file}: {remark}"
    if loaded.empty or loaded.zeros:
        yield f"{loaded.file}: left out, as they move nothing: {loaded.empty} entries, {loaded.zeros} postings of zero"
    if loaded.reworded:
        yield f"{loaded.file}: entries that have other words there now, left as they were loaded: {loaded.reworded}"
    for code, residual in loaded.residuals.items():
        yield f"{loaded.file}: what the entries are off at cost altogether: {residual:f} {code}"
    for each in loaded.failed[:_MOST_TOLD]:
        where = each.file if each.line is None else f"{each.file}, line {each.line}"
        yield (
            f"{where}: {each.account} has {each.found:f} {each.currency} on {each.on}, and the file claims"
            f" {each.claimed:f} (difference {each.difference:f})"
        )
    if len(loaded.failed) > _MOST_TOLD:
        yield f"{loaded.file}: claimed balances that do not hold, these and others: {len(loaded.failed)}"


def _is_foreign(file: Path) -> bool:
    try:
        return program_of(file) is not None
    except BooksFileError:  # whoever reads it says what is wrong
        return False


def _head(file: Path) -> bytes:
    """Return how an ordinary file begins; what is read of a pipe would be missing to its reader."""
    try:
        if not file.is_file():
            return b""
        with file.open("rb") as content:
            return content.read(100)
    except (OSError, ValueError):  # what the reader will refuse
        return b""


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except (OSError, ValueError):  # what the reader will refuse
        return 0
