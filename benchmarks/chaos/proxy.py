"""A scripted network to a PostgreSQL server: it understands what it carries, and fails where it is told to."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import os
import socket
import struct
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from benchmarks.chaos.messages import Message, Splitter

_POSTS = (b"INSERT INTO journal_entries", b"INSERT INTO new_transfers")


class AtCommit(enum.Enum):
    """What happens to one COMMIT on its way, or to a statement that posts entries and commits by itself."""

    LOSE_REQUEST = "the connection breaks before the server hears of it"
    LOSE_REPLY = "the server commits, and the connection breaks before the client hears of it"
    LATE = "the client's end breaks at once, and the server hears of it later"
    HOLD_REQUEST = "it is carried only when the network heals"
    HOLD_REPLY = "its answer is carried only when the network heals"


@dataclass
class Counts:
    """What a proxy has seen."""

    connects: int = 0
    cancels: int = 0
    commits: int = 0
    faults: int = 0


class Proxy:
    """A TCP port on the loopback that leads to a server's Unix socket.

    Attributes:
        port: Where clients connect; it stays the same while it refuses them.
        latency: Seconds that everything takes, each way.
        connect_latency: Seconds more until a new connection is carried at all.
        is_fragmenting: Deliver one byte at a time.
        resets_new: Reset each new connection as soon as it is made.
        commit_delay: Seconds by which a late COMMIT is late.
        at_commit: Decides what happens to each COMMIT; None carries it.
        counts: What went through.
    """

    def __init__(self, server_socket: Path) -> None:
        self._server_socket = server_socket
        self._listener: asyncio.Server | None = None
        self._lines: set[_Line] = set()
        self._carrying: set[asyncio.Task[None]] = set()
        self._holds_new = False
        self.port = 0
        self.latency = 0.0
        self.connect_latency = 0.0
        self.is_fragmenting = False
        self.resets_new = False
        self.commit_delay = 0.0
        self.at_commit: Callable[[], AtCommit | None] = lambda: None
        self.counts = Counts()

    def dsn(self, database: str) -> str:
        """Name a database at the far end."""
        return f"postgresql://finance@127.0.0.1:{self.port}/{database}"

    @property
    def open_lines(self) -> int:
        """How many connections it carries."""
        return len(self._lines)

    # --- new connections -----------------------------------------------------------------------------

    async def accept(self) -> None:
        """Listen, again on the same port after `refuse()`."""
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", self.port, backlog=512)
        self.port = self._listener.sockets[0].getsockname()[1]

    def refuse(self) -> None:
        """Have the system refuse new connections; those that are open live on."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    # --- open connections ----------------------------------------------------------------------------

    def drop(self) -> None:
        """Forget every open connection, as a firewall does with idle ones: neither end is told, now or later."""
        for line in self._lines:
            line.is_dropped = True
            line.flowing.set()

    def hold(self, *, existing: bool = True, new: bool = True) -> None:
        """Carry nothing more, and close nothing, until `heal()`."""
        self._holds_new = new
        for line in self._lines if existing else ():
            line.flowing.clear()

    def heal(self) -> None:
        """Carry everything again, what was held back first."""
        self._holds_new = False
        for line in self._lines:
            line.flowing.set()

    def cut(self) -> None:
        """Break every open connection."""
        for line in tuple(self._lines):
            line.cut()

    async def close(self) -> None:
        """Listen no more, and break what is open."""
        self.refuse()
        self.cut()
        for task in self._carrying:
            task.cancel()
        await asyncio.gather(*self._carrying, return_exceptions=True)

    async def __aenter__(self) -> Self:
        await self.accept()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a connection is carried in a task")
        self._carrying.add(task)
        try:
            if not self.resets_new:
                await asyncio.sleep(self.connect_latency)
                await self._carry(reader, writer)
        except OSError:
            pass  # the server is down, and that is what the client sees
        finally:
            self._carrying.discard(task)
            reset(writer)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_unix_connection(os.fspath(self._server_socket))
        line = _Line(self, writer, far_writer)
        if self._holds_new:
            line.flowing.clear()
        self._lines.add(line)
        try:
            await line.carry(reader, far_reader)
        finally:
            self._lines.discard(line)
            reset(far_writer)


class _Line:
    """One connection through a proxy."""

    def __init__(self, proxy: Proxy, near: asyncio.StreamWriter, far: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._near = near
        self._far = far
        self._of_client = Splitter(of_client=True)
        self._of_server = Splitter(of_client=False)
        self._fate: AtCommit | None = None
        self._late = bytearray()
        #: The names of prepared statements that post, and whether one of them is under way outside a transaction.
        self._posting: set[bytes] = set()
        self._posts = False
        self._is_in_transaction = False
        self._forth = _Courier(proxy, self, far)
        self._back = _Courier(proxy, self, near)
        self.is_dropped = False
        self.flowing = asyncio.Event()
        self.flowing.set()

    async def carry(self, near: asyncio.StreamReader, far: asyncio.StreamReader) -> None:
        """Carry both directions until one of the ends is gone, and the other was told."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._forth.deliver())
            group.create_task(self._back.deliver())
            group.create_task(self._read_requests(near))
            group.create_task(self._read_replies(far))

    async def _read_requests(self, reader: asyncio.StreamReader) -> None:
        async for message in _messages(reader, self._of_client):
            if self._on_request(message):
                self._forth.send(message.raw)
        if self._fate is not AtCommit.LATE:  # then the server is told when COMMIT has been delivered
            self._forth.end()

    async def _read_replies(self, reader: asyncio.StreamReader) -> None:
        async for message in _messages(reader, self._of_server):
            if self._on_reply(message):
                self._back.send(message.raw)
        self._back.end()
        self._forth.end()

    def _on_request(self, message: Message) -> bool:
        counts = self._proxy.counts
        counts.connects += message.is_startup
        counts.cancels += message.is_cancel
        if message.asks_for_byte:
            self._of_server.expect_byte()
        if self._fate is AtCommit.LATE:
            self._late += message.raw
            return False
        if not (message.is_commit or self._begins_to_post(message)):
            return True
        counts.commits += 1
        self._fate = self._proxy.at_commit()
        counts.faults += self._fate is not None
        match self._fate:
            case AtCommit.LOSE_REQUEST:
                self.cut()
                return False
            case AtCommit.LATE:
                reset(self._near)
                self._late += message.raw
                asyncio.get_running_loop().call_later(self._proxy.commit_delay, lambda: self._far.write(self._late))
                return False
            case AtCommit.HOLD_REQUEST:
                self.flowing.clear()
        return True

    def _begins_to_post(self, message: Message) -> bool:
        """Tell whether *message* runs a statement that posts, and commits by itself."""
        if message.kind == b"P":
            change = self._posting.add if any(each in message.sql for each in _POSTS) else self._posting.discard
            change(message.statement)
        self._posts = self._posts or (
            message.kind == b"B" and message.statement in self._posting and not self._is_in_transaction
        )
        return self._posts and message.kind == b"B"

    def _on_reply(self, message: Message) -> bool:
        is_committed = message.is_committed or (self._posts and message.is_ready)
        if message.is_ready:
            self._is_in_transaction, self._posts = message.is_in_transaction, False
        if self._fate is AtCommit.LATE and message.is_ready:
            self.cut()
        elif self._fate is AtCommit.LOSE_REPLY and is_committed:
            self.cut()
            return False
        elif self._fate is AtCommit.HOLD_REPLY and is_committed:
            self.flowing.clear()
        return True

    def cut(self) -> None:
        """Break it at both ends."""
        self.is_dropped = True
        self.flowing.set()
        reset(self._near)
        reset(self._far)
        self._forth.end()
        self._back.end()


class _Courier:
    """Delivers one direction, in order, when its time has come."""

    def __init__(self, proxy: Proxy, line: _Line, writer: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._line = line
        self._writer = writer
        self._queue: asyncio.Queue[tuple[float, bytes | None]] = asyncio.Queue()

    def send(self, data: bytes) -> None:
        """Deliver *data* after the latency of this moment."""
        self._queue.put_nowait((asyncio.get_running_loop().time() + self._proxy.latency, data))

    def end(self) -> None:
        """Deliver that the sender is gone."""
        self._queue.put_nowait((asyncio.get_running_loop().time() + self._proxy.latency, None))

    async def deliver(self) -> None:
        """Deliver until the end."""
        with contextlib.suppress(OSError):
            while True:
                due, data = await self._queue.get()
                await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
                await self._line.flowing.wait()
                if data is None:
                    break
                await self._write(data)
        if not self._line.is_dropped:
            self._writer.close()

    async def _write(self, data: bytes) -> None:
        size = 1 if self._proxy.is_fragmenting else len(data)
        for start in range(0, len(data), size):
            if self._line.is_dropped:
                return
            self._writer.write(data[start : start + size])
            await self._writer.drain()
            if self._proxy.is_fragmenting:
                await asyncio.sleep(0)


async def _messages(reader: asyncio.StreamReader, splitter: Splitter) -> AsyncIterator[Message]:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            for message in splitter.feed(data):
                yield message


def reset(writer: asyncio.StreamWriter) -> None:
    """Break a connection so that its other end sees a reset."""
    end = writer.get_extra_info("socket")
    if end is not None:
        with contextlib.suppress(OSError):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@contextlib.asynccontextmanager
async def proxy_to(server_socket: Path) -> AsyncIterator[Proxy]:
    """Open a network to the server behind *server_socket*."""
    async with Proxy(server_socket) as proxy:
        yield proxy
