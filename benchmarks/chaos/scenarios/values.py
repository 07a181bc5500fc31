"""V1: whatever value is handed in, it is refused, or comes back as it was."""

from __future__ import annotations

import asyncio
import datetime as dt
import math
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from decimal import Decimal, InvalidOperation
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from benchmarks.chaos.lab import DAY, Books, Lab
from benchmarks.chaos.verdict import Verdict
from finance import DatabaseManager, FinanceError, NewEntry, NewPosting, Outcome

_DECIMALS = [
    *("100.00", "1.005", "2.675", "-0", "-0.001", "0.999999", "19.99", "1.5", "NaN", "sNaN", "Infinity", "-Infinity"),
    *("1E+23", "1E+24", "1E+131071", "1E+131072", "1E+262143", "1E+262144", "1E-18", "1E-19", "1E-16383", "1E-16384"),
    *("9" * 24, "9" * 40, "0.1" + "0" * 30, "123456789012345678.99"),
]
_EVERY: list[Any] = [
    *map(Decimal, _DECIMALS),
    *(0.1 + 0.2, 1.5, 2.675, 100.0, math.nan, math.inf, -0.0, 1e300, 5e-324),
    *(0, 1, -1, True, False, 2**31 - 1, 2**31, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 10**40),
    *("", "100.00", "a\x00b", "\ud800", "é", "e\u0301", "\U0001f4b6", "'; --", "NaN", "x" * 10000),
    *(b"", b"\x00\xff", None, [1], [1.5], {}, object(), uuid.UUID(int=7), 3 + 4j),
    *(dt.date(2026, 3, 29), dt.date.min, dt.datetime(2026, 3, 29, 2, 30), dt.datetime(1, 1, 1, tzinfo=dt.UTC)),  # noqa: DTZ001
    *(dt.datetime(2026, 3, 29, 2, 30, tzinfo=dt.UTC), dt.time(1, 2, 3), dt.timedelta(days=1, microseconds=1)),
]
#: Columns, and the values that the documentation of `finance.connection.parameters` says are a matter of their type.
_KINDS: dict[str, Callable[[Any], bool]] = {
    "numeric": lambda _: False,
    "bigint": lambda value: isinstance(value, uuid.UUID),
    "integer": lambda value: isinstance(value, uuid.UUID),
    "text": lambda _: False,
    "timestamptz": lambda value: value == dt.datetime.min.replace(tzinfo=dt.UTC),
    "timestamp": lambda value: isinstance(value, dt.date) and not isinstance(value, dt.datetime),  # its midnight
    "date": lambda _: False,
    "boolean": lambda _: False,
    "uuid": lambda _: False,
    "bytea": lambda _: False,
    "double precision": lambda value: isinstance(value, Decimal | int),
    "typed details": lambda value: isinstance(value, float),  # JSON knows no other number than 1e+300 and 1000...
}

Echo = Callable[[Any], Awaitable[Any]]


async def values(lab: Lab) -> Verdict:
    """V1: through raw SQL and through the typed interface, no value changes in silence."""
    counts: Counter[str] = Counter()
    changed: list[str] = []
    async with lab.books("V1") as books, DatabaseManager(books.dsn) as db:
        ways = {**_raw(db), **_typed(db, books)}

        async def hand_in(way: str, value: Any) -> None:
            try:
                found = await ways[way](value)
            except FinanceError as error:
                counts["refused"] += 1
                if error.outcome is Outcome.UNKNOWN:
                    changed.append(f"{way} of {value!r} ended in {error!r}")
            except Exception as error:
                books.record.untyped.append(f"{way} of {value!r}: {error!r}")
            else:
                counts["kept"] += 1
                if not is_same(value, found) and not _KINDS.get(way, lambda _: False)(value):
                    changed.append(f"{way}: {value!r} became {found!r}")

        for way in ways:
            for value in _EVERY:
                await hand_in(way, value)
        await _imagine(lab, hand_in, list(ways))
        note = f"{counts['refused']} refused, {counts['kept']} kept, {len(changed)} changed in silence"
        tries = counts.total() + len(books.record.untyped)
        return await books.judge(lab.verdict("V1", tries=tries, faults=tries, note=note), db, failures=changed)


def is_same(given: Any, found: Any) -> bool:
    """Tell whether *found* says the same as *given*: 1.50 and 1.5 do, one and a half cent and one cent do not."""
    if isinstance(found, Decimal | int | float) and isinstance(given, Decimal | int | float | str):
        return _number(given) == _number(found) and isinstance(found, bool) <= isinstance(given, bool)
    if isinstance(given, dt.datetime) and isinstance(found, dt.datetime):
        # By way of UTC: an hour that comes twice equals nothing in another zone (PEP 495).
        instants = [at if at.tzinfo is None else at.astimezone(dt.UTC) for at in (given, found)]
        return instants[0] == instants[1] and (given.tzinfo is None) == (found.tzinfo is None)
    if isinstance(given, dt.datetime) and isinstance(found, dt.date):
        return given == dt.datetime.combine(found, dt.time())  # midnight: no time of day is lost
    return bool(given == found)


def _number(value: Decimal | float | str) -> Decimal | str:
    """Return the decimal that is meant; a float means its binary value, to the last digit."""
    try:
        number = Decimal(value)
    except InvalidOperation:
        return f"no number: {value!r}"
    return number if not number.is_nan() else "NaN"


def _raw(db: DatabaseManager) -> dict[str, Echo]:
    def echo(kind: str) -> Echo:
        return lambda value: db.fetchval(f"SELECT $1::{kind}", value)

    return {kind: echo(kind) for kind in _KINDS}


def _opposite(amount: Any) -> Any:
    if isinstance(amount, Decimal):
        return amount.copy_negate()  # exact, and signals nothing
    return -amount if isinstance(amount, int | float) else amount


def _typed(db: DatabaseManager, books: Books) -> dict[str, Echo]:
    debit, credit = books.accounts[:2]

    async def post(**fields: Any) -> NewEntry:
        key = books.key()
        amount = fields.pop("amount", 1)
        memo = fields.pop("memo", None)
        opposite = f"-{amount}" if isinstance(amount, str) else _opposite(amount)
        lines = [NewPosting(debit, amount, memo), NewPosting(credit, opposite)]
        entry = NewEntry(**{"date": DAY, "description": str(key), "id": key, **fields}, postings=lines)
        with books.record.of(key):
            await db.run(lambda uow: uow.journal.post(entry), ledger=books.ledger)
        if books.record.told[key] is not Outcome.APPLIED:
            raise FinanceError("refused")
        return entry

    async def stored(entry: NewEntry) -> Any:
        async with db.unit_of_work(books.ledger, read_only=True) as uow:
            return await uow.journal.get_one(entry.id)

    async def amount(value: Any) -> Any:
        return (await stored(await post(amount=value))).postings[0].amount

    async def memo(value: Any) -> Any:
        return (await stored(await post(memo=value))).postings[0].memo

    async def description(value: Any) -> Any:
        key = str(books.key())  # descriptions are to differ, for the audit
        text = value + key if isinstance(value, str) else value
        found = (await stored(await post(description=text))).description
        return found.removesuffix(key)

    async def day(value: Any) -> Any:
        return (await stored(await post(date=value))).date

    async def details(value: Any) -> Any:
        return (await stored(await post(details={"value": value}))).details["value"]

    async def limit(value: Any) -> Any:
        async with db.unit_of_work(books.ledger) as uow:
            account = await uow.accounts.open(f"Assets:{books.key()}", currency="EUR", maximum_balance=value)
            return account.maximum_balance

    ways = {"amount": amount, "memo": memo, "description": description, "day": day, "limit": limit, "details": details}
    return {f"typed {name}": way for name, way in ways.items()}


_IMAGINED: dict[str, st.SearchStrategy[Any]] = {
    "numeric": st.one_of(st.decimals(), st.floats(), st.integers()),
    "bigint": st.one_of(st.integers(), st.floats(), st.decimals()),
    "text": st.text(st.characters()),
    "timestamptz": st.one_of(st.datetimes(), st.datetimes(timezones=st.timezones(), max_value=dt.datetime(9990, 1, 1))),  # noqa: DTZ001
    "date": st.one_of(st.dates(max_value=dt.date(9999, 1, 1)), st.datetimes()),
    "typed amount": st.one_of(st.decimals(places=2, min_value=-(10**9), max_value=10**9), st.decimals(), st.floats()),
    "typed description": st.text(st.characters()),
    "typed memo": st.text(st.characters()),
    "typed day": st.one_of(st.dates(max_value=dt.date(9999, 1, 1)), st.datetimes()),
}


async def _imagine(lab: Lab, hand_in: Callable[[str, Any], Coroutine[Any, Any, None]], ways: list[str]) -> None:
    """Have hypothesis think of values, in a thread of its own; it cannot await."""
    loop = asyncio.get_running_loop()

    def each(way: str) -> None:
        @seed(lab.seed)
        @settings(
            max_examples=lab.size(1000, 15),
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(_IMAGINED[way])
        def imagine(value: Any) -> None:
            asyncio.run_coroutine_threadsafe(hand_in(way, value), loop).result()

        imagine()

    for way in set(ways) & _IMAGINED.keys():
        await asyncio.to_thread(each, way)
