"""N4: every way in which no connection can be made is one typed error, in bounded time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from benchmarks.chaos.lab import Books, Lab
from benchmarks.chaos.proxy import Proxy
from benchmarks.chaos.verdict import Verdict
from finance import DatabaseManager
from finance.errors import FinanceError, ServerStartingError, ServerUnreachableError, TooManyConnectionsError

_CONNECT_TIMEOUT = 1.0
_BOUND = 3.0
_STARTING = b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0"


@contextlib.asynccontextmanager
async def fake_server(
    answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[int]:
    """Listen on a port of the loopback, and give every connection to *answer*."""
    held: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)
        with contextlib.suppress(OSError):
            await answer(reader, writer)

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()
        for writer in held:
            writer.transport.abort()
        await asyncio.sleep(0)


async def still_starting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Refuse encryption, and refuse the session since the server is starting (57P03)."""
    while message := await reader.read(4096):
        if message[4:8] in {b"\x04\xd2\x16\x2f", b"\x04\xd2\x16\x30"}:
            writer.write(b"N")
        else:
            writer.write(b"E" + (len(_STARTING) + 4).to_bytes(4) + _STARTING)
            writer.close()
            return


async def half_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Agree to encryption, and never say another word."""
    await reader.read(4096)
    writer.write(b"S")


async def mute(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Take the connection, and say nothing."""


Case = tuple[str, str, type[FinanceError], dict[str, Any]]


async def connect_errors(lab: Lab) -> Verdict:
    """N4: one typed error each, at `connect()` and at a call, in bounded time."""
    async with (
        lab.books("N4") as books,
        lab.network() as refusing,
        lab.network() as resetting,
        lab.patience(_BOUND) as bound,
    ):
        refusing.refuse()
        resetting.resets_new = True
        async with contextlib.AsyncExitStack() as stack:
            ports = [await stack.enter_async_context(fake_server(each)) for each in (still_starting, half_tls, mute)]
            await stack.enter_async_context(_exhausted_role(lab, books))
            cases = _cases(lab, books, refusing, resetting, ports)
            failures: list[str] = []
            slowest = 0.0
            for _ in range(lab.size(5, 1)):
                for attempt in (_at_connect, _at_call):
                    for seconds, problem in await asyncio.gather(*(_try(case, attempt) for case in cases)):
                        slowest = max(slowest, seconds)
                        failures += problem
            failures += [f"one took {slowest:.2f} s"] if slowest > bound() else []
            tries = len(cases) * lab.size(5, 1) * 2
            verdict = lab.verdict("N4", tries=tries, faults=tries, overrun=max(0.0, slowest - _CONNECT_TIMEOUT))
            return await books.judge(verdict, failures=failures)


def _cases(lab: Lab, books: Books, refusing: Proxy, resetting: Proxy, ports: list[int]) -> list[Case]:
    local = "postgresql://finance@127.0.0.1:{}/finance"
    limited = lab.node.dsn(books.database).replace("finance@", "limited@")
    starting, tls, silent = (local.format(port) for port in ports)
    return [
        ("refused", refusing.dsn("finance"), ServerUnreachableError, {}),
        ("reset", resetting.dsn("finance"), ServerUnreachableError, {}),
        ("unknown host", "postgresql://finance@no-such-host.invalid/finance", ServerUnreachableError, {}),
        ("no socket", "postgresql://finance@/finance?host=/nonexistent", ServerUnreachableError, {}),
        ("starting", starting, ServerStartingError, {}),
        ("too many", limited, TooManyConnectionsError, {}),
        ("half TLS", tls, ServerUnreachableError, {"ssl": "require", "timeout": _CONNECT_TIMEOUT}),
        ("mute", silent, ServerUnreachableError, {"timeout": _CONNECT_TIMEOUT}),
    ]


async def _try(case: Case, attempt: Callable[[DatabaseManager], Awaitable[None]]) -> tuple[float, list[str]]:
    name, dsn, wanted, options = case
    clock = asyncio.get_running_loop().time
    started = clock()
    # A call on a manager that is connected: it makes its first connection only then.
    min_size = 1 if attempt is _at_connect else 0
    db = DatabaseManager(dsn, acquire_timeout=60.0, min_size=min_size, **options)
    where = f"{name} {attempt.__name__.removeprefix('_')}"
    try:
        await attempt(db)
    except wanted as error:
        problems = [] if error.__cause__ is not None else [f"{where}: no cause is kept"]
    except Exception as error:
        problems = [f"{where}: {error!r} instead of {wanted.__name__}"]
    else:
        problems = [f"{where}: no error"]
    seconds = clock() - started
    await db.disconnect(0)
    return seconds, problems


async def _at_connect(db: DatabaseManager) -> None:
    await db.connect()


async def _at_call(db: DatabaseManager) -> None:
    await db.connect()
    await db.fetchval("SELECT 1")


@contextlib.asynccontextmanager
async def _exhausted_role(lab: Lab, books: Books) -> AsyncIterator[None]:
    """Make a role that may connect once, and connect it."""
    async with lab.node.administered(books.database) as admin:
        await admin.execute("CREATE ROLE limited LOGIN CONNECTION LIMIT 1")
        try:
            limited = DatabaseManager(lab.node.dsn(books.database).replace("finance@", "limited@"))
            async with limited:
                yield
        finally:
            await admin.execute("DROP ROLE limited")
