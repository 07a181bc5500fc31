"""Raw SQL, on the manager and inside a transaction: many rows in and out, and values that must not change."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from finance import DatabaseManager, FinanceError
from finance.connection import Verbs
from finance.errors import (
    AlreadyExistsError,
    DatabaseError,
    InvalidError,
    LockLostError,
    LockTimeoutError,
    ParameterError,
    TransactionAbortedError,
)


@pytest_asyncio.fixture(params=["manager", "transaction"])
async def verbs(request: pytest.FixtureRequest, db: DatabaseManager) -> AsyncIterator[Verbs]:
    """The same verbs on both."""
    await db.execute("CREATE TABLE things (n bigint PRIMARY KEY, price numeric, at timestamptz, day date)")
    if request.param == "manager":
        yield db
    else:
        with contextlib.suppress(TransactionAbortedError):  # of tests that are about errors
            async with db.transaction() as connection:
                yield connection


async def numbers(verbs: Verbs) -> list[int]:
    """Read what is stored."""
    return [row["n"] for row in await verbs.fetch("SELECT n FROM things ORDER BY n")]


# --- many rows -----------------------------------------------------------------------------------------


async def test_executemany_runs_once_for_each_row(verbs: Verbs) -> None:
    """The rows may come from anything that is iterable."""
    await verbs.executemany("INSERT INTO things (n, price) VALUES ($1, $2)", ((n, Decimal(n)) for n in range(3)))

    assert await numbers(verbs) == [0, 1, 2]


async def test_executemany_stores_all_or_nothing(db: DatabaseManager) -> None:
    """The last row is refused."""
    await db.execute("CREATE TABLE things (n bigint PRIMARY KEY)")
    with pytest.raises(AlreadyExistsError):
        await db.executemany("INSERT INTO things VALUES ($1)", [(1,), (2,), (1,)])

    assert await numbers(db) == []


async def test_stream_reads_in_batches(verbs: Verbs) -> None:
    """Every row comes, in order, whatever the size of a batch."""
    query = "SELECT n FROM generate_series(1, $1::int) AS n"

    for batch in (1, 7, 1000):
        assert [row["n"] async for row in verbs.stream(query, 20, batch=batch)] == list(range(1, 21))
    with pytest.raises(InvalidError, match="batch 0"):
        await anext(verbs.stream(query, 1, batch=0))


async def test_a_stream_left_early_gives_its_connection_back(db: DatabaseManager) -> None:
    """With `aclosing()` at once, without it when the iterator is dropped."""
    async with contextlib.aclosing(db.stream("SELECT generate_series(1, 100000)", batch=10)) as rows:  # type: ignore[type-var]
        await anext(rows)
        assert db.stats().in_use == 1

    assert db.stats().in_use == 0


async def test_a_stream_that_fails_tells_a_typed_error(verbs: Verbs) -> None:
    """Also in the middle of its rows."""
    with pytest.raises(DatabaseError, match="22012"):
        async for _ in verbs.stream("SELECT 1 / (3 - n) FROM generate_series(1, 5) AS n", batch=1):
            pass


async def rows_later(rows: Sequence[tuple[Any, ...]]) -> AsyncIterator[tuple[Any, ...]]:
    """The rows, one after another."""
    for row in rows:
        yield row


@pytest.mark.parametrize("is_async", [False, True])
async def test_copy_in_loads_rows(verbs: Verbs, *, is_async: bool) -> None:
    """From an iterable or an async one; the answer is the command tag."""
    rows = [(1, Decimal("1.10")), (2, None)]

    tag = await verbs.copy_in("things", rows_later(rows) if is_async else rows, columns=["n", "price"])

    assert tag == "COPY 2"
    assert await numbers(verbs) == [1, 2]


async def test_copy_in_is_undone_with_its_transaction(db: DatabaseManager) -> None:
    """It is a statement of the transaction like any other."""
    await db.execute("CREATE TABLE things (n bigint)")
    with pytest.raises(ZeroDivisionError):
        async with db.transaction() as conn:
            await conn.copy_in("things", [(1,)])
            raise ZeroDivisionError

    assert await numbers(db) == []


async def test_copy_out_writes_csv(verbs: Verbs, tmp_path: Path) -> None:
    """Into a file by its path, an open one, or a function."""
    buffer, pieces = BytesIO(), []

    async def collect(piece: bytes) -> None:
        pieces.append(piece)

    query = "SELECT n, n * $1::int AS double FROM generate_series(1, 2) AS n"
    for target in (tmp_path / "out.csv", str(tmp_path / "too.csv"), buffer, collect):
        assert await verbs.copy_out(query, 2, to=target, header=True) == "COPY 2"

    expected = b"n,double\n1,2\n2,4\n"
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "too.csv").read_bytes() == expected
    assert buffer.getvalue() == b"".join(pieces) == expected
    with pytest.raises(InvalidError, match="csv, text, binary"):
        await verbs.copy_out(query, 2, to=buffer, format="json")  # type: ignore[arg-type]


# --- values that the driver would change -----------------------------------------------------------------

CHANGED: list[tuple[str, Any]] = [
    ("n", 1.5),
    ("n", Decimal("19.99")),
    ("n", 0.999999),
    ("price", Decimal("1E+131072")),
    ("price", Decimal("-1E+262143")),
    ("price", Decimal("1E-16384")),
    ("at", datetime(2026, 1, 1)),  # noqa: DTZ001 - that is the point
    ("at", date(2026, 1, 1)),
    ("day", datetime(2026, 1, 1, 12, tzinfo=UTC)),
]
KINDS = {"n": "bigint", "price": "numeric", "at": "timestamptz", "day": "date"}


@pytest.mark.parametrize(("column", "value"), CHANGED, ids=str)
async def test_a_value_that_would_change_is_refused_on_every_way(verbs: Verbs, column: str, value: object) -> None:
    """The error names the parameter; nothing is stored."""
    insert = f"INSERT INTO things ({column}) VALUES ($1)"
    ways = (
        verbs.execute(insert, value),
        verbs.fetch(f"SELECT $1::{KINDS[column]}", value),
        verbs.fetch(f"SELECT $1::{KINDS[column]}[]", [None, value]),
        verbs.executemany(insert, [(value,)]),
        anext(verbs.stream(f"SELECT $1::{KINDS[column]}", value)),
        verbs.copy_out(f"SELECT $1::{KINDS[column]}", value, to=BytesIO()),
        verbs.copy_in("things", [(value,)], columns=[column]),  # last: COPY has begun, and aborts its transaction
    )
    for way in ways:
        with pytest.raises(ParameterError, match=r"^parameter \$1: ") as caught:
            await way
        assert str(value) not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("bigint", 2.0), ("bigint", Decimal(7)), ("bigint", True), ("numeric", 100.00), ("numeric", Decimal("0.01")),
        ("numeric", Decimal("1E+131071")), ("numeric", Decimal("NaN")), ("numeric", 5),
        ("timestamptz", datetime(2026, 1, 1, tzinfo=UTC)), ("date", date(2026, 1, 1)), ("text", "x"),
        ("double precision", 1.5), ("bigint[]", [1, 2]), ("timestamp", datetime(2026, 1, 1)),  # noqa: DTZ001
    ],
    ids=str,
)  # fmt: skip
async def test_a_value_that_stays_what_it_is_passes(db: DatabaseManager, kind: str, value: Any) -> None:
    """A whole number is one, whatever its type."""
    stored = await db.fetchval(f"SELECT $1::{kind}", value)

    assert stored == value or math.isnan(value) == math.isnan(stored)


@pytest.mark.parametrize("value", ["1E+262143", "-1E+19"])
async def test_a_number_beyond_an_integer_is_refused_at_once(db: DatabaseManager, value: str) -> None:
    """Making an int of it would take seconds, in which nothing else runs."""
    started = time.thread_time()  # a busy machine makes it no longer

    with pytest.raises(ParameterError, match="64 bits"):
        await db.fetchval("SELECT $1::bigint", Decimal(value))

    assert time.thread_time() - started < 1


@pytest.mark.parametrize("kind", ["bigint", "numeric"])
async def test_a_signalling_nan_is_refused_or_kept(db: DatabaseManager, kind: str) -> None:
    """It raises an error of Python's own wherever it is calculated with."""
    with contextlib.suppress(FinanceError):
        assert (await db.fetchval(f"SELECT $1::{kind}", Decimal("sNaN"))).is_nan()


# --- locks and messages ----------------------------------------------------------------------------------


async def test_an_advisory_lock_is_held_until_the_transaction_ends(db: DatabaseManager) -> None:
    """By name or by number; who does not wait is told at once."""
    for key in ("payroll", 2**63 - 1, -7):
        async with db.transaction() as conn:
            assert await conn.advisory_lock(key)
            async with db.transaction() as other:
                assert not await other.advisory_lock(key, wait=False)
            with pytest.raises(LockTimeoutError):
                async with db.advisory_lock(key, wait=False):
                    pytest.fail("somebody else has it")
        async with db.advisory_lock(key) as held:
            assert held is not None
            assert await held.fetchval("SELECT 1") == 1


@pytest.mark.direct("the session is PgBouncer's")
async def test_a_lock_of_the_session_needs_no_transaction(db: DatabaseManager) -> None:
    """It is free again after its block, whatever happened in it."""
    with pytest.raises(ZeroDivisionError):
        async with db.advisory_lock("long work", session=True):
            with pytest.raises(LockTimeoutError):
                async with db.advisory_lock("long work", wait=False):
                    pytest.fail("it is taken")
            raise ZeroDivisionError

    async with db.advisory_lock("long work", wait=False):
        pass


@pytest.mark.parametrize("key", ["", 2**63, 1.5, True, None])
async def test_a_lock_without_a_proper_key_is_refused(db: DatabaseManager, key: Any) -> None:
    """A key that was cut off would be somebody else's."""
    with pytest.raises(InvalidError, match="64 bits"):
        async with db.advisory_lock(key):
            pytest.fail("there is no such lock")


@pytest.mark.direct("the session is PgBouncer's")
async def test_a_lock_of_the_session_that_was_lost_is_told(db: DatabaseManager) -> None:
    """Somebody else may have had it: the block must not end as if nothing had been."""
    with pytest.raises(LockLostError):
        async with db.advisory_lock("long work", session=True):
            await db.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
            await asyncio.sleep(0.1)


async def test_an_error_names_what_stands_in_the_statement_and_no_value(db: DatabaseManager) -> None:
    """A value that is cast to a name turns up in the server's own words."""
    with pytest.raises(DatabaseError, match='relation "no_such_table" does not exist'):
        await db.fetch("SELECT * FROM no_such_table")
    with pytest.raises(DatabaseError, match=r'relation "\?" does not exist'):
        await db.fetch("SELECT $1::text::regclass", "secret")


# --- what is the caller's own ------------------------------------------------------------------------------


def rows_that_fail(error: Exception) -> Any:
    """One row, and then the caller's own trouble."""
    yield (1,)
    raise error


OWN = [FileNotFoundError, TimeoutError, ConnectionResetError]


@pytest.mark.parametrize("kind", OWN)
async def test_what_the_callers_own_rows_raise_is_theirs(verbs: Verbs, kind: type[OSError]) -> None:
    """It is not the network that failed, and nobody is told of a COMMIT."""
    with pytest.raises(kind, match="mine"):
        await verbs.copy_in("things", rows_that_fail(kind("mine")), columns=["n"])


@pytest.mark.parametrize("kind", OWN)
async def test_what_the_callers_own_function_raises_is_theirs(db: DatabaseManager, kind: type[OSError]) -> None:
    """The connection ends with the COPY, and the pool makes another one."""

    async def refuse(_: bytes) -> None:
        raise kind("mine")

    with pytest.raises(kind, match="mine"):
        await db.copy_out("SELECT 1", to=refuse)
    with pytest.raises(kind, match="mine"):
        async with db.transaction() as conn:
            await conn.copy_out("SELECT 1", to=refuse)

    assert await db.fetchval("SELECT 1") == 1


async def test_rows_of_executemany_that_fail_are_the_callers_own(verbs: Verbs) -> None:
    """As those of COPY."""
    with pytest.raises(FileNotFoundError, match="mine"):
        await verbs.executemany("INSERT INTO things (n) VALUES ($1)", rows_that_fail(FileNotFoundError("mine")))


async def test_a_folder_that_is_not_there_is_told_before_anything_is_sent(verbs: Verbs, tmp_path: Path) -> None:
    """The transaction goes on."""
    with pytest.raises(FileNotFoundError):
        await verbs.copy_out("SELECT 1", to=tmp_path / "no" / "out.csv")

    assert await verbs.fetchval("SELECT 1") == 1


@pytest.mark.parametrize(
    ("rows", "message"), [([(1, 2)], "a row has 2 values, and there are 1 columns"), ([("x",)], "does not fit")]
)
async def test_a_row_that_does_not_fit_is_refused(db: DatabaseManager, rows: Any, message: str) -> None:
    """A value too many would be dropped without a word."""
    await db.execute("CREATE TABLE things (n bigint)")
    with pytest.raises(InvalidError, match=message):
        await db.copy_in("things", rows)
    with pytest.raises(InvalidError, match="not one string"):
        await db.copy_in("things", [(1,)], columns="n")

    assert await numbers(db) == []
