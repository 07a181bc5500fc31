"""The journal as text for beancount (its language, versions 2 and 3), which `load_beancount()` takes back.

https://beancount.github.io/docs/beancount_language_syntax.html
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import groupby
from typing import Any

from finance.connection import Record
from finance.errors import InvalidError
from finance.exports.names import beancount_account, commodities, is_tag
from finance.exports.rows import (
    ExportedAccount,
    read_accounts,
    read_currencies,
    read_entries,
    read_prices,
)
from finance.exports.texts import canonical, json_text, quoted, tags_text
from finance.unit_of_work import UnitOfWork

#: What the first line of an export begins with, and its form: what one form wrote is read by every later version.
MARK = ";; finance export "
FORM = 1
_FIRST_LINE = f"{MARK}{FORM}: `finance load` makes the same books of it; bean-check and fava read it as it is\n"

_BASE_CURRENCY = "SELECT base_currency FROM ledgers WHERE id = $1"

#: Of an account on which nothing was posted.
_NEVER = date(1970, 1, 1)
#: The years that beancount's lexer knows.
_YEARS = range(1000, 3000)
_FIRST_DAY, _LAST_DAY = date(_YEARS[0], 1, 1), date(_YEARS[-1], 12, 31)


async def beancount_lines(uow: UnitOfWork) -> AsyncIterator[str]:
    """Yield the books as text for beancount, in pieces of whole directives; `load_beancount()` takes it back.

    Currencies are commodities with their `name` and their decimals (`precision`); those that beancount does not allow
    are numbered ("X.1") and say their `code`. Every account is opened before its first posting, says its own `name`
    where beancount's differs, and in `accounts`, as JSON, what each of its currencies has of its own: `opened_on`,
    `closed_on`, limits and details. One of which all currencies are closed is closed. Then come the prices. Every entry
    is a transaction with its payee, its tags (those that beancount does not allow as `tags`, in JSON), its `id`, the
    entries that it `reverses` or `amends`, its `details` as JSON, and the memos of its postings. Left out are the name
    of the ledger, closed periods, holds, statements, rules, budgets and schedules.

    Raises:
        InvalidError: An entry or a price is dated before the year 1000 or after 2999, which beancount cannot read.
        UsageError: The unit of work is under "read_committed"; open it with `isolation="repeatable_read"`.

    Database:
        Four SELECTs, and two through a cursor, one of them along an index; no locks; memory for the accounts and 1,000
        postings, or those of one entry.
    """
    accounts = await read_accounts(uow)
    currencies = await read_currencies(uow)
    names = commodities(row["code"] for row in currencies)
    base = await uow.connection.fetchval(_BASE_CURRENCY, uow.ledger_id)
    yield f'{_FIRST_LINE}option "operating_currency" {quoted(base)}\n'
    yield "".join(_commodity(row, names[row["code"]]) for row in currencies)
    for opening in _openings(accounts.values(), names):
        yield opening
    async for prices in read_prices(uow):
        yield "".join(_price(row, names) for row in prices)
    own = {each.id: (beancount_account(each.name, each.type), names[each.currency]) for each in accounts.values()}
    async for entries in read_entries(uow):
        yield "".join(_transaction(rows, own) for rows in entries)


def _commodity(row: Record, name: str) -> str:
    stated = "" if row["code"] == name else f"  code: {quoted(row['code'])}\n"
    return f"\n{_NEVER} commodity {name}\n{stated}  name: {quoted(row['name'])}\n  precision: {row['exponent']}\n"


def _openings(accounts: Iterable[ExportedAccount], names: Mapping[str, str]) -> Iterator[str]:
    """Open each name once, with all its currencies, and close it where all of them are closed."""
    in_order = sorted(accounts, key=lambda each: (each.name, each.type, each.currency))
    for (name, type_), some in groupby(in_order, lambda each: (each.name, each.type)):
        held = list(some)
        own = beancount_account(name, type_)
        opened_on = _first_day(held)
        yield f"\n{opened_on} open {own} {','.join(names[account.currency] for account in held)}\n"
        if own != name:
            yield f"  name: {quoted(name)}\n"
        if stated := {each.currency: found for each in held if (found := _of_its_own(each))}:
            yield f"  accounts: {quoted(json_text(stated))}\n"
        closings = [day for each in held for day in (each.closed_on, each.last_on) if day is not None]
        if all(each.closed_on is not None for each in held):
            yield f"{_within_years(max(closings))} close {own}\n"


def _first_day(held: Sequence[ExportedAccount]) -> date:
    """Return the first day that is named of an account: its opening, the month of its first posting, its closing."""
    days = [day for each in held for day in (each.opened_on, each.first_month, each.closed_on) if day is not None]
    return _within_years(min(days, default=_NEVER))


def _of_its_own(account: ExportedAccount) -> dict[str, Any]:
    """Return what beancount has no words for, as JSON."""
    days = {"opened_on": account.opened_on, "closed_on": account.closed_on}
    limits = {"minimum_balance": account.minimum_balance, "maximum_balance": account.maximum_balance}
    details = json.loads(canonical(account.details, f"account {account.name!r}"))
    return (
        {key: day.isoformat() for key, day in days.items() if day is not None}
        | {key: f"{limit:f}" for key, limit in limits.items() if limit is not None}
        | ({"details": details} if details else {})
    )


def _price(row: Record, names: Mapping[str, str]) -> str:
    day = _dated(row["date"], f"a price of {row['currency']}")
    source = f"  source: {quoted(row['source'])}\n" if row["source"] else ""
    return f"\n{day} price {names[row['currency']]} {row['rate']:f} {names[row['quote']]}\n{source}"


def _transaction(rows: Sequence[Record], own: Mapping[int, tuple[str, str]]) -> str:
    entry = rows[0]
    day = _dated(entry["date"], f"entry {entry['id']}")
    payee = "" if entry["payee"] is None else f" {quoted(entry['payee'])}"
    tags = entry["tags"] or []
    marks = "".join(f" #{tag}" for tag in tags if is_tag(tag))
    lines = [f"\n{day} *{payee} {quoted(entry['description'])}{marks}", f'  id: "{entry["id"]}"']
    lines += [f'  {key}: "{entry[key + "_id"]}"' for key in ("reverses", "amends") if entry[f"{key}_id"] is not None]
    if entry["details"] != "{}":
        details = canonical(entry["details"], f"entry {entry['id']}")
        lines.append(f"  details: {quoted(details)}")
    if others := tags_text([tag for tag in tags if not is_tag(tag)]):
        lines.append(f"  tags: {quoted(others)}")
    for row in rows:
        account, commodity = own[row["account_id"]]
        lines.append(f"  {account}  {row['amount']:f} {commodity}")
        if row["memo"] is not None:
            lines.append(f"    memo: {quoted(row['memo'])}")
    return "\n".join(lines) + "\n"


def _within_years(day: date) -> date:
    """Return *day*, or the day nearest to it that beancount can read: its own stands in the account's JSON."""
    return min(max(day, _FIRST_DAY), _LAST_DAY)


def _dated(day: date, what: str) -> str:
    if day.year not in _YEARS:
        raise InvalidError(f"{what} is dated {day}: beancount reads the years 1000 to 2999 only; export as CSV")
    return day.isoformat()
