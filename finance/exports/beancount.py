"""The journal as text for beancount (its language, versions 2 and 3): open directives and transactions, no prices.

https://beancount.github.io/docs/beancount_language_syntax.html
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import date
from itertools import groupby

from finance.connection import Record
from finance.errors import InvalidError
from finance.exports.rows import ExportedAccount, read_accounts, read_entries
from finance.unit_of_work import UnitOfWork

_FIRST_MONTHS = "SELECT account_id, min(month) AS month FROM monthly_totals WHERE ledger_id = $1 GROUP BY account_id"
_LEDGER = "SELECT name FROM ledgers WHERE id = $1"

#: Of an account on which nothing was posted.
_NEVER = date(1970, 1, 1)
#: The years that beancount's lexer knows.
_YEARS = range(1000, 3000)

_ROOTS = {
    "asset": "Assets",
    "liability": "Liabilities",
    "equity": "Equity",
    "income": "Income",
    "expense": "Expenses",
}
_TYPES = {root: type_ for type_, root in _ROOTS.items()}

# A segment of beancount's names begins with a capital or a digit, and goes on with letters, digits and hyphens. Every
# other character, the hyphen among them, is written as its code between two hyphens. So two hyphens behind an X at the
# beginning are free to say that what follows begins otherwise, or is nothing.
_ESCAPED = re.compile(r"-([0-9a-f]+)-")
_PLAIN = re.compile(r"[A-Za-z0-9]")
_FREE = "X--"
#: The segment behind the root that says: what follows is the whole name, which has another root or none.
_WHOLE = "X--0"

# Up to 24 characters, and none of the words of the language.
_COMMODITY = re.compile(r"(?!X\.|TRUE$|FALSE$|NULL$)[A-Z][A-Z0-9'._-]{0,22}[A-Z0-9]")

#: What may follow the hash sign of a tag.
_TAG = re.compile(r"[A-Za-z0-9_/.-]+")

_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})


def beancount_account(name: str, type: str) -> str:  # noqa: A002 - the field's own word
    """Return the name that the account *name* of this type has in beancount. No two accounts share one.

    Letters and digits of ASCII stay what they are, and so does a name that beancount allows and that has no hyphen.
    """
    root, _, rest = name.partition(":")
    segments = rest.split(":") if rest and root == _ROOTS[type] else [None, *name.split(":")]
    return ":".join([_ROOTS[type], *(_WHOLE if each is None else _encoded(each) for each in segments)])


def original_account(name: str) -> tuple[str, str]:
    """Return the name and the type of the account that has the name *name* in beancount.

    Raises:
        InvalidError: `beancount_account()` makes no such name.
    """
    root, *segments = name.split(":")
    if root in _TYPES and segments:
        is_whole = segments[0] == _WHOLE
        with contextlib.suppress(ValueError, OverflowError):  # no such character
            names = [_decoded(each) for each in segments[is_whole:]]
            original = ":".join(names if is_whole else [root, *names])
            if beancount_account(original, _TYPES[root]) == name:
                return original, _TYPES[root]
    raise InvalidError(f"{name!r} is not the beancount name of an account that was exported")


async def beancount_lines(uow: UnitOfWork) -> AsyncIterator[str]:
    """Yield the journal as text for beancount, in pieces of whole directives.

    Every account is opened before its first posting, and says its own `name` where beancount's differs; commodities
    that it does not allow are numbered ("X.1") and say their `code`. Every entry is a transaction with its payee, its
    tags (those that beancount does not allow as `tags`, in JSON), its `id`, the entries that it `reverses` or `amends`,
    its `details` as JSON, and the memos of its postings. What is closed stays
    open, and limits, holds and statements are left out.

    Raises:
        InvalidError: An entry is dated before the year 1000 or after 2999, which beancount cannot read.
        UsageError: The unit of work is under "read_committed"; open it with `isolation="repeatable_read"`.

    Database:
        Four SELECTs, and one along an index through a cursor; no locks; memory for the accounts and 1,000 postings, or
        those of one entry.
    """
    accounts = await read_accounts(uow)
    commodities = _commodities(account.currency for account in accounts.values())
    months = await uow.connection.fetch(_FIRST_MONTHS, uow.ledger_id)
    yield f'option "title" {_quoted(await uow.connection.fetchval(_LEDGER, uow.ledger_id))}\n'
    for code, commodity in commodities.items():
        if code != commodity:
            yield f"\n{_NEVER} commodity {commodity}\n  code: {_quoted(code)}\n"
    for opening in _openings(accounts.values(), {row["account_id"]: row["month"] for row in months}, commodities):
        yield opening
    async for entries in read_entries(uow):
        yield "".join(_transaction(rows, accounts, commodities) for rows in entries)


def _openings(
    accounts: Iterable[ExportedAccount], months: Mapping[int, date], commodities: Mapping[str, str]
) -> Iterable[str]:
    """Open each name once, with all its currencies, on the first day of the month that has its first posting."""
    in_order = sorted(accounts, key=lambda each: (each.name, each.type, each.currency))
    for (name, type_), some in groupby(in_order, lambda each: (each.name, each.type)):
        held = list(some)
        day = min(months.get(account.id, _NEVER) for account in held)
        own = beancount_account(name, type_)
        codes = ",".join(commodities[account.currency] for account in held)
        stated = "" if own == name else f"  name: {_quoted(name)}\n"
        yield f"\n{_dated(day, f'account {name!r}')} open {own} {codes}\n{stated}"


def _transaction(
    rows: Sequence[Record], accounts: Mapping[int, ExportedAccount], commodities: Mapping[str, str]
) -> str:
    entry = rows[0]
    day = _dated(entry["date"], f"entry {entry['id']}")
    payee = "" if entry["payee"] is None else f" {_quoted(entry['payee'])}"
    tags = entry["tags"] or []
    marks = "".join(f" #{tag}" for tag in tags if _TAG.fullmatch(tag))
    lines = [f"\n{day} *{payee} {_quoted(entry['description'])}{marks}", f'  id: "{entry["id"]}"']
    lines += [f'  {key}: "{entry[key + "_id"]}"' for key in ("reverses", "amends") if entry[f"{key}_id"] is not None]
    if entry["details"] != "{}":
        lines.append(f"  details: {_quoted(entry['details'])}")
    if others := [tag for tag in tags if not _TAG.fullmatch(tag)]:
        lines.append(f"  tags: {_quoted(json.dumps(others, ensure_ascii=False))}")
    for row in rows:
        account = accounts[row["account_id"]]
        name = beancount_account(account.name, account.type)
        lines.append(f"  {name}  {row['amount']:f} {commodities[account.currency]}")
        if row["memo"] is not None:
            lines.append(f"    memo: {_quoted(row['memo'])}")
    return "\n".join(lines) + "\n"


def _commodities(codes: Iterable[str]) -> dict[str, str]:
    """Return the beancount name of each currency; those that it does not allow are numbered in order of their codes."""
    names, number = {}, 0
    for code in sorted(set(codes)):
        if _COMMODITY.fullmatch(code):
            names[code] = code
        else:
            number += 1
            names[code] = f"X.{number}"
    return names


def _encoded(segment: str) -> str:
    code = "".join(each if _PLAIN.fullmatch(each) else f"-{ord(each):x}-" for each in segment)
    return code if re.match(r"[A-Z0-9]", code) else _FREE + code


def _decoded(segment: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), segment.removeprefix(_FREE))


def _quoted(text: str) -> str:
    return f'"{text.translate(_ESCAPES)}"'


def _dated(day: date, what: str) -> str:
    if day.year not in _YEARS:
        raise InvalidError(f"{what} is dated {day}: beancount reads the years 1000 to 2999 only; export as CSV")
    return day.isoformat()
