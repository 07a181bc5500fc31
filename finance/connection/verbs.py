"""The ways to run a statement, the same on the manager and inside a transaction."""

from __future__ import annotations

import contextlib
import time
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Sequence,
)
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeVar

import asyncpg

from finance.connection.driver import PooledConnection, Record
from finance.connection.own import OwnError, own_errors, shielded, shielded_later, writer
from finance.connection.parameters import check_row
from finance.errors import InvalidError
from finance.settings import quote_identifier

_T = TypeVar("_T")

#: Rows that `stream()` asks the server for at a time.
BATCH = 1000

_FORMATS = ("csv", "text", "binary")


class Verbs:
    """Raw SQL, with `$1`, `$2` and so on in place of its values.

    A value that the driver would change in silence is refused: a fraction for an integer, a date or a naive
    datetime for an instant, a number beyond NUMERIC. `finance.connection.parameters` says what cannot be known.
    """

    async def _run(self, call: Callable[[PooledConnection], Awaitable[_T]]) -> _T:
        raise NotImplementedError

    async def fetch(self, query: str, *args: Any, timeout: float | None = None) -> list[Record]:
        """Run *query* and return all its rows.

        Args:
            query: One statement; its values stand as `$1`, `$2` and so on.
            args: The values, in order.
            timeout: Seconds that it may take; None for the manager's `command_timeout`.

        Raises:
            ParameterError: The driver would change a value in silence.
            FinanceError: The server refused the statement, or could not be asked.
        """
        return await self._run(lambda driver: driver.fetch(query, *args, timeout=timeout))

    async def fetchrow(self, query: str, *args: Any, timeout: float | None = None) -> Record | None:
        """Run *query* and return its first row, or None when there is none."""
        return await self._run(lambda driver: driver.fetchrow(query, *args, timeout=timeout))

    async def fetchval(self, query: str, *args: Any, column: int = 0, timeout: float | None = None) -> Any:
        """Run *query* and return one column of its first row, or None when there is no row."""
        return await self._run(lambda driver: driver.fetchval(query, *args, column=column, timeout=timeout))

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        """Run *query* and return the server's command tag, such as "UPDATE 1".

        Without *args* it may hold several statements, separated by semicolons.
        """
        return await self._run(lambda driver: driver.execute(query, *args, timeout=timeout))

    async def executemany(self, query: str, args: Iterable[Sequence[Any]], *, timeout: float | None = None) -> None:
        """Run *query* once for each row of values in *args*: all of them, or on an error none."""
        with own_errors():
            await self._run(lambda driver: driver.executemany(query, shielded(args), timeout=timeout))

    async def copy_in(
        self,
        table: str,
        records: Iterable[Sequence[Any]] | AsyncIterable[Sequence[Any]],
        *,
        columns: Sequence[str] | None = None,
        schema: str | None = None,
        timeout: float | None = None,
    ) -> str:
        """Load rows into *table* with COPY, and return the command tag, such as "COPY 3". All, or on an error none.

        Args:
            table: Its name, unquoted.
            records: The rows, each with a value for each of *columns*, in their order.
            columns: The names of the columns, unquoted; None for all.
            schema: The schema of the table; None for the search path.
            timeout: Seconds that it may take.
        """

        async def load(driver: PooledConnection) -> str:
            kinds = await _column_types(driver, table, columns, schema)
            rows = _checked_later(records, kinds) if isinstance(records, AsyncIterable) else _checked(records, kinds)
            try:
                tag = await driver.copy_records_to_table(
                    table, records=rows, columns=columns, schema_name=schema, timeout=timeout
                )
            except (TypeError, ValueError, OverflowError) as error:
                if isinstance(error, asyncpg.InterfaceError):
                    raise
                raise InvalidError("a value does not fit its column; see the cause") from error
            return str(tag)

        if isinstance(columns, str):
            raise InvalidError("columns is a list of names, not one string")
        with own_errors():
            return await self._run(load)

    async def copy_out(
        self,
        query: str,
        *args: Any,
        to: str | Path | BinaryIO | Callable[[bytes], Coroutine[Any, Any, None]],
        format: Literal["csv", "text", "binary"] = "csv",  # noqa: A002 - COPY's own word
        header: bool = False,
        timeout: float | None = None,
    ) -> str:
        """Write the rows of *query* with COPY, and return the command tag, such as "COPY 3".

        Args:
            query: A SELECT or another statement with rows.
            args: Its values.
            to: A path, a file that is open for writing bytes, or an async function of bytes. What it raises passes
                unchanged, and the connection ends: a transaction with it.
            format: "csv", "text" or "binary".
            header: Begin with the names of the columns; not in "binary".
            timeout: Seconds that it may take.
        """
        if format not in _FORMATS:
            raise InvalidError(f"format {format!r}: one of {', '.join(_FORMATS)}")
        options: dict[str, Any] = {"header": True} if header else {}

        with contextlib.ExitStack() as stack, own_errors():
            if isinstance(to, str | Path):
                to = stack.enter_context(Path(to).open("wb"))  # noqa: ASYNC230 - opening takes no time
            write = writer(to)

            async def unload(driver: PooledConnection) -> str:
                await driver.check(query, args)
                try:
                    tag = await driver.copy_from_query(
                        query, *args, output=write, format=format, timeout=timeout, **options
                    )
                except OwnError:
                    driver.terminate()  # the driver would wait for the end of a COPY that has ended
                    raise
                return str(tag)

            return await self._run(unload)

    def stream(self, query: str, *args: Any, batch: int = BATCH) -> AsyncIterator[Record]:
        """Iterate over the rows of *query* with `async for`, *batch* rows of them in memory at a time.

        The rows are those of one instant. Outside a transaction a connection is in use until the iteration ends;
        leave it early with `contextlib.aclosing()`.
        """
        raise NotImplementedError

    async def notify(self, channel: str, payload: str = "") -> None:
        """Send *payload* to all who `listen()` on *channel*; in a transaction, when it commits.

        Args:
            channel: Up to 63 bytes.
            payload: Up to 7,999 bytes.
        """
        await self.execute("SELECT pg_notify($1, $2)", channel, payload)


async def rows_of(driver: PooledConnection, query: str, args: tuple[Any, ...], batch: int) -> AsyncIterator[Record]:
    """Iterate over the rows of *query* by a cursor on *driver*, which is in a transaction."""
    async with contextlib.aclosing(batches_of(driver, query, args, batch)) as batches:
        async for rows in batches:
            for row in rows:
                yield row


async def batches_of(
    driver: PooledConnection, query: str, args: tuple[Any, ...], batch: int
) -> AsyncGenerator[list[Record]]:
    """Iterate over the rows of *query* as `rows_of()`, by lists of up to *batch*."""
    if batch < 1:
        raise InvalidError(f"batch {batch}: give at least 1")
    await driver.check(query, args)
    seconds, error = 0.0, None
    try:
        started = time.perf_counter()
        cursor = await driver.cursor(query, *args)
        while rows := await cursor.fetch(batch):
            seconds += time.perf_counter() - started
            yield rows
            started = time.perf_counter()
        seconds += time.perf_counter() - started
    except Exception as raised:
        error = raised
        raise
    finally:
        driver.tell(query, seconds, error)


async def _column_types(
    driver: PooledConnection, table: str, columns: Sequence[str] | None, schema: str | None
) -> tuple[str, ...]:
    chosen = "*" if columns is None else ", ".join(quote_identifier(column) for column in columns)
    name = ".".join(quote_identifier(part) for part in (schema, table) if part is not None)
    statement = await driver.prepare(f"SELECT {chosen} FROM {name}")  # noqa: S608 - quoted names
    return tuple(attribute.type.name for attribute in statement.get_attributes())


def _checked(records: Iterable[Sequence[Any]], kinds: tuple[str, ...]) -> Iterable[Sequence[Any]]:
    for record in shielded(records):
        _check(record, kinds)
        yield record


async def _checked_later(records: AsyncIterable[Sequence[Any]], kinds: tuple[str, ...]) -> AsyncIterator[Sequence[Any]]:
    async for record in shielded_later(records):
        _check(record, kinds)
        yield record


def _check(record: Sequence[Any], kinds: tuple[str, ...]) -> None:
    if len(record) != len(kinds):
        raise InvalidError(f"a row has {len(record)} values, and there are {len(kinds)} columns")
    check_row(record, kinds)
