"""PostgreSQL servers to be killed: out of the wheel, each behind a Unix socket of its own, none left behind."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

import asyncpg
import psutil

from finance.embedded import binaries, cluster
from finance.embedded.home import Home
from finance.embedded.patience import Patience
from finance.embedded.postmaster import Postmaster

#: Where Debian has the programs that the wheel does not.
DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")

_PAUSE = 0.01
_PATIENCE = 30.0

#: A killed process loses nothing that it has written; only a killed machine would, and none is killed here.
_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "on",
    "port": "5432",
    "listen_addresses": "",
    "timezone": "UTC",
    "max_connections": "200",
    "shared_buffers": "32MB",
    "max_wal_senders": "10",
    "wal_keep_size": "256MB",
    "wal_level": "replica",
    "restart_after_crash": "on",
    "deadlock_timeout": "200ms",
}


class Node:
    """One server: its folder, its process, and what can be done to it."""

    def __init__(
        self, folder: Path, settings: Mapping[str, str], programs: Path | None = None, *, version: int = 18
    ) -> None:
        self._home = Home.prepare(folder, version)
        self._programs = programs or binaries.locate(self._home, DEBIAN_15 if version == 15 else None)
        self._settings = {**_SETTINGS, **settings, "unix_socket_directories": str(self._home.path)}
        self._process: subprocess.Popen[bytes] | None = None
        self._family: list[psutil.Process] = []
        self._watchdog: subprocess.Popen[bytes] | None = None
        atexit.register(self.destroy)

    # --- where it is ---------------------------------------------------------------------------------

    @property
    def socket_dir(self) -> Path:
        """The folder of its socket."""
        return self._home.path

    @property
    def socket(self) -> Path:
        """The socket itself."""
        return self._home.path / ".s.PGSQL.5432"

    def dsn(self, database: str = "finance") -> str:
        """Name a database of it, past every proxy."""
        return f"postgresql://finance@/{database}?host={self.socket_dir}&port=5432"

    @contextlib.asynccontextmanager
    async def administered(self, database: str = "finance") -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
        """Lend a connection past every pool and proxy."""
        connection = await asyncpg.connect(self.dsn(database), timeout=_PATIENCE)
        try:
            yield connection
        finally:
            await connection.close(timeout=5)

    # --- its life ------------------------------------------------------------------------------------

    async def make(self) -> None:
        """Make the cluster's files, about 1 s."""
        with contextlib.closing(_Log(self._home)) as log:
            await asyncio.to_thread(
                cluster.initialise, self._home, self._programs, log=log.file, fsync=False, patience=Patience(120)
            )

    async def start(self) -> None:
        """Start it and wait until it takes connections."""
        await self.launch()
        await self.ready()

    async def launch(self) -> None:
        """Start it and do not wait. The postmaster of before must be gone, and every child of it."""
        options = [word for name, value in self._settings.items() for word in ("-c", f"{name}={value}")]
        with contextlib.closing(_Log(self._home)) as log:
            command: list[str | Path] = [self._programs / "postgres", "-D", self._home.data, *options]
            self._process = self._home.owner.popen(command, output=log.file)
        self._watch(self._process.pid)

    async def ready(self) -> float:
        """Wait until a connection can be made, and return the instant of the event loop's clock."""

        async def answers() -> bool:
            if self._process is not None and self._process.poll() is not None:
                raise RuntimeError(f"PostgreSQL does not start; {self._home.log_tail()}")
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
                connection = await asyncpg.connect(self.dsn(), timeout=2)
                connection.terminate()
                return True
            return False

        await wait_until(answers, "the server to be ready")
        return asyncio.get_running_loop().time()

    async def stop(self, *, immediate: bool = False) -> None:
        """Shut it down, "fast" or "immediate", and wait until it is gone."""
        self._remember()
        self._postmaster.send_signal(signal.SIGQUIT if immediate else signal.SIGINT)
        await self._gone()

    async def restart(self, *, immediate: bool = False) -> None:
        """Stop it, and start it again behind the same socket."""
        await self.stop(immediate=immediate)
        await self.start()

    async def configure(self, name: str, value: str) -> None:
        """Change a setting while it runs, and wait until it holds."""
        async with self.administered() as admin:
            await admin.execute(f"ALTER SYSTEM SET {name} = '{value}'")
            await admin.execute("SELECT pg_reload_conf()")

            async def holds() -> bool:
                return bool(await admin.fetchval("SELECT current_setting($1) = $2", name, value))

            await wait_until(holds, f"{name} to be {value!r}")

    def log(self) -> str:
        """Read everything that it has logged since its start."""
        return (self._home.path / "server.log").read_text(errors="replace")

    async def promote(self) -> None:
        """Make a standby the primary, and wait until it is."""
        async with self.administered() as admin:
            await admin.execute("SELECT pg_promote(true, 30)")

    # --- what befalls it -----------------------------------------------------------------------------

    async def kill_backend(self, pid: int) -> None:
        """End one backend with SIGKILL: the postmaster takes every other one down, and recovers."""
        if pid not in {child.pid for child in psutil.Process(self._postmaster.pid).children()}:
            raise ValueError(f"{pid} is not a child of this server")
        os.kill(pid, signal.SIGKILL)

    async def kill(self) -> None:
        """End the postmaster with SIGKILL, and wait until its orphans have noticed."""
        self._remember()
        self._postmaster.kill()
        await self._gone()

    def freeze(self) -> None:
        """Stop the postmaster and every child in their tracks."""
        self._remember()
        for process in self._family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.suspend()

    def thaw(self) -> None:
        """Let them go on."""
        for process in reversed(self._family):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()

    # --- its end -------------------------------------------------------------------------------------

    def destroy(self) -> None:
        """End whatever runs, at once; safe to call twice."""
        atexit.unregister(self.destroy)
        self._unwatch()
        if self._process is not None and self._process.poll() is None:
            self._remember()
            self._process.kill()
            self._process.wait()
        for process in self._family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        end = time.monotonic() + 5
        while any(_runs(process) for process in self._family) and time.monotonic() < end:
            time.sleep(_PAUSE)

    @property
    def _postmaster(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("this server was never started")
        return self._process

    def _remember(self) -> None:
        """Note every process of it: once the postmaster is gone, nobody else knows whose they were."""
        with contextlib.suppress(psutil.NoSuchProcess):
            postmaster = psutil.Process(self._postmaster.pid)
            self._family = [postmaster, *postmaster.children(recursive=True)]

    async def _gone(self) -> None:
        async def is_gone() -> bool:
            return self._postmaster.poll() is not None and not any(_runs(process) for process in self._family)

        await wait_until(is_gone, "the server to be gone")
        self._unwatch()
        if (found := Postmaster.read(self._home.data)) is not None and found.pid == self._postmaster.pid:
            (self._home.data / "postmaster.pid").unlink(missing_ok=True)

    def _watch(self, pid: int) -> None:
        """Have the server killed when this program dies without a word, and the pipe breaks."""
        self._watchdog = subprocess.Popen(  # noqa: S603 - only our own words
            ["/bin/sh", "-c", 'read -r _; kill -9 "$0"', str(pid)],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _unwatch(self) -> None:
        """Send the watchdog away, before the pid can be another process's."""
        watchdog, self._watchdog = self._watchdog, None
        if watchdog is not None and watchdog.stdin is not None:
            watchdog.kill()
            watchdog.wait()
            watchdog.stdin.close()

    # --- a second one --------------------------------------------------------------------------------

    async def standby(
        self, folder: Path, settings: Mapping[str, str], *, name: str = "standby", port: int | None = None
    ) -> Node:
        """Copy it with pg_basebackup, and start the copy as a streaming standby called *name*.

        It follows through the socket, or through *port* of the loopback, where a network may be in between.
        """
        node = Node(folder, settings, self._programs)
        try:
            await self._back_up(node._home)
            where = f"host={self.socket_dir} port=5432" if port is None else f"host=127.0.0.1 port={port}"
            node._settings["primary_conninfo"] = f"{where} user=finance application_name={name}"
            await node.start()
        except BaseException:
            node.destroy()
            raise
        return node

    async def _back_up(self, target: Home) -> None:
        command: list[str | Path] = [
            self._programs / "pg_basebackup",
            *("-h", self.socket_dir, "-p", "5432", "-U", "finance", "-D", target.data),
            *("--checkpoint=fast", "--wal-method=stream", "--no-sync", "--write-recovery-conf"),
        ]
        with contextlib.closing(_Log(target)) as log:
            backup = self._home.owner.popen(command, output=log.file)
            try:
                if await asyncio.to_thread(backup.wait, 60):
                    raise RuntimeError(f"pg_basebackup failed; {target.log_tail()}")
            finally:
                if backup.poll() is None:
                    backup.kill()
                    backup.wait()

    def erase(self) -> None:
        """End it and remove its folder, so that another can take its place."""
        self.destroy()
        shutil.rmtree(self._home.path)


class _Log:
    """A server's log, open."""

    def __init__(self, home: Home) -> None:
        self.file = home.open_log()

    def close(self) -> None:
        os.close(self.file)


def _runs(process: psutil.Process) -> bool:
    """Tell whether a process is there; its exit status may wait for its parent for as long as that likes."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


async def wait_until(condition: Callable[[], Awaitable[bool]], what: str, seconds: float = _PATIENCE) -> None:
    """Wait until *condition* holds.

    Raises:
        TimeoutError: It did not in time.
    """
    deadline = time.monotonic() + seconds
    while not await condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:g} s for {what}")
        await asyncio.sleep(_PAUSE)


@contextlib.asynccontextmanager
async def node_in(folder: Path, settings: Mapping[str, str] | None = None, *, version: int = 18) -> AsyncIterator[Node]:
    """Make and start a server in *folder*; it is gone when the block ends, however it ends."""
    node = Node(folder, settings or {}, version=version)
    try:
        await node.make()
        await node.start()
        yield node
    finally:
        node.destroy()
