"""A network between the tests and a server: one that carries, falls silent, or breaks at a chosen word."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from finance import DatabaseManager, EmbeddedServer


def database_of(dsn: str) -> str:
    """Take the name of the database out of *dsn*."""
    return dsn.partition("?")[0].rpartition("/")[2]


class Wire:
    """A TCP port on the loopback that leads to a server's Unix socket.

    Attributes:
        port: Where clients connect.
        break_after: Forward what the client sends up to and including this word, and break instead of answering.
        break_before: Break instead of forwarding this word.
    """

    def __init__(self, socket: str) -> None:
        self._socket = socket
        self._lines: list[_Line] = []
        self._is_frozen = False
        self.port = 0
        self.break_after: bytes | None = None
        self.break_before: bytes | None = None

    def dsn(self, database: str, query: str = "") -> str:
        """Name a database at the far end."""
        return f"postgresql://finance@127.0.0.1:{self.port}/{database}{query}"

    def freeze(self, *, new: bool = True) -> None:
        """Carry nothing more, in either direction, without closing anything; *new* connections neither."""
        self._is_frozen = new
        for line in self._lines:
            line.flowing.clear()

    def cut(self) -> None:
        """Break every connection."""
        for line in self._lines:
            line.cut()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward one connection until either end leaves."""
        far_reader, far_writer = await asyncio.open_unix_connection(self._socket)
        line = _Line(self, writer, far_writer)
        self._lines.append(line)
        if not self._is_frozen:
            line.flowing.set()
        await asyncio.gather(line.forth(reader), line.back(far_reader))


class _Line:
    """One connection through a wire."""

    def __init__(self, wire: Wire, near: asyncio.StreamWriter, far: asyncio.StreamWriter) -> None:
        self._wire = wire
        self._near = near
        self._far = far
        self._is_breaking = False
        self.flowing = asyncio.Event()

    async def forth(self, reader: asyncio.StreamReader) -> None:
        """Carry what the client says."""
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                await self.flowing.wait()
                if _holds(data, self._wire.break_before):
                    self.cut()
                self._is_breaking |= _holds(data, self._wire.break_after)
                self._far.write(data)
        self._far.close()

    async def back(self, reader: asyncio.StreamReader) -> None:
        """Carry what the server says."""
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                await self.flowing.wait()
                if self._is_breaking:
                    self.cut()
                self._near.write(data)
        self._near.close()

    def cut(self) -> None:
        """Break it."""
        self.flowing.set()
        self._near.transport.abort()
        self._far.transport.abort()


def _holds(data: bytes, word: bytes | None) -> bool:
    return word is not None and word in data


#: Nobody but the server's own user comes in without a password.
_HBA = """
local all finance trust
local all all scram-sha-256
"""


@contextlib.asynccontextmanager
async def wire_to_guarded(folder: Path, **passwords: str) -> AsyncIterator[Wire]:
    """Run a server in *folder* that asks each of these roles for its password, and open a wire to it.

    It is a new server each time: workers that steal tests from one another can make a module's fixture twice.
    """
    folder /= f"guarded-{secrets.token_hex(4)}"
    hba = folder.with_suffix(".hba")
    hba.write_text(_HBA)
    hba.chmod(0o644)
    embedded = EmbeddedServer(folder, settings={"fsync": "off", "hba_file": str(hba)})
    async with embedded, wire_to(embedded.dsn("postgres")) as wire:
        async with DatabaseManager(embedded.dsn("postgres")) as db:
            for role, password in passwords.items():
                await db.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{password}'")
        yield wire


@contextlib.asynccontextmanager
async def wire_to(url: str) -> AsyncIterator[Wire]:
    """Open a wire to the server that *url* names by its Unix socket."""
    query = parse_qs(urlsplit(url).query)
    wire = Wire(f"{query['host'][0]}/.s.PGSQL.{query['port'][0]}")
    listener = await asyncio.start_server(wire.carry, "127.0.0.1", 0)
    wire.port = listener.sockets[0].getsockname()[1]
    try:
        yield wire
    finally:
        wire.cut()
        listener.close()
        await asyncio.sleep(0)
