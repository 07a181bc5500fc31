"""The embedded server as its users see it."""

from __future__ import annotations

import asyncio
import atexit
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Self
from urllib.parse import quote

from finance.embedded import binaries, cluster, postmaster
from finance.embedded.home import Home
from finance.embedded.lease import FileLock
from finance.embedded.patience import Patience
from finance.errors import EmbeddedServerError, UsageError

# Recovery after a crash may have a gigabyte of log to read.
_START_SECONDS = 300.0
_STOP_SECONDS = 120.0


class EmbeddedServer:
    """A PostgreSQL of one's own, behind a Unix socket that only its owner can reach.

    Everyone who names the same folder, in this program or another, shares one server. The first to
    come starts it, the last to leave stops it; a program that ends without `stop()` leaves at its exit.
    A server that a killed program left behind is taken over by the next `start()`.

    Args:
        data_dir: Where the books are; the cluster is a folder `postgresql-<version>` in it. By default
            FINANCE_DATA_DIR, else `finance-ledger` in the user's data folder (XDG_DATA_HOME or
            ~/.local/share), for root /var/lib/finance-ledger. The environment is read by `start()`.
        version: The major version of PostgreSQL; the wheel has 18 and 16.
        binaries: The folder with `initdb` and `postgres` of another installation.
        settings: Server settings for as long as this server runs; whoever starts it decides.
    """

    def __init__(
        self,
        data_dir: Path | str | None = None,
        *,
        version: int = 18,
        binaries: Path | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self._base = None if data_dir is None else Path(data_dir)
        self.version = version
        self._binaries = binaries
        self._settings = {name.lower().replace("-", "_"): value for name, value in (settings or {}).items()}
        self._home: Home | None = None
        self._lease: FileLock | None = None
        self._running: postmaster.Postmaster | None = None
        if fixed := sorted(self._settings.keys() & {*postmaster.FIXED_SETTINGS, "unix_socket_directories"}):
            raise EmbeddedServerError(f"the embedded server sets {', '.join(fixed)} itself")

    @property
    def data_dir(self) -> Path:
        """The folder that holds the cluster's folder."""
        return _absolute(self._base or _default_base())

    @property
    def socket_dir(self) -> Path:
        """The folder of the Unix socket, mode 0700; known between `start()` and `stop()`."""
        return self._started().socket_dir

    def dsn(self, database: str = cluster.DATABASE) -> str:
        """Name a database of this server, for asyncpg, libpq and `DatabaseManager`.

        Raises:
            UsageError: Before `start()` or after `stop()`.
        """
        running = self._started()
        where = f"host={quote(os.fsencode(running.socket_dir))}&port={running.port}"
        return f"postgresql://{cluster.SUPERUSER}@/{quote(database, safe='')}?{where}"

    async def start(self) -> None:
        """Make sure that the server runs, and that it stays; about 50 ms, the first time about 1 s.

        Cancelled, it leaves again before it raises.

        Raises:
            EmbeddedServerError: The server cannot run here; says what to do about it.
        """
        held, abandoned = self._is_held, Event()
        try:
            await _to_the_end(lambda: self._start(abandoned), abandoned.set)
        except asyncio.CancelledError:
            if not held:
                await _to_the_end(self._stop)
            raise

    async def stop(self) -> None:
        """Leave; the last one stops the server, which takes about 20 ms, and waits until it is gone.

        Cancelled, it leaves all the same before it raises. Without `start()` it does nothing.

        Raises:
            EmbeddedServerError: The server does not stop within 45 s.
        """
        await _to_the_end(self._stop)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    @property
    def _is_held(self) -> bool:
        return self._lease is not None and self._lease.is_open

    def _started(self) -> postmaster.Postmaster:
        if self._running is None or not self._is_held:
            raise UsageError("the embedded server has no address before start() or after stop()")
        return self._running

    def _start(self, abandoned: Event | None = None) -> None:
        if sys.platform == "win32":
            raise EmbeddedServerError("the embedded server needs Unix sockets and file locks: Linux or macOS")
        patience = Patience(_START_SECONDS, abandoned)
        try:
            self._base = _absolute(self._base or _default_base())
            self._home = Home.prepare(self._base, self.version)
            with _transition(self._home, patience):
                self._enter(self._home, patience)
        except (OSError, RuntimeError) as error:  # pathlib has RuntimeError for a user without a home
            raise EmbeddedServerError(
                f"the embedded server cannot run in {self._base or 'the default folder'}: {error};"
                " set FINANCE_DATA_DIR to a folder that this user may write to"
            ) from error

    def _enter(self, home: Home, patience: Patience) -> None:
        is_new = not self._is_held
        if is_new:
            self._lease = FileLock(home.open_lease())
            self._lease.share(patience, f"the lease of {home.path}")
            atexit.register(self._stop)
        try:
            self._running = postmaster.adopt(home, patience) or self._launch(home, patience)
        except BaseException:
            if is_new:
                self._leave(home)
            raise

    def _launch(self, home: Home, patience: Patience) -> postmaster.Postmaster:
        cluster.check(home)
        folder = binaries.locate(home, self._binaries)
        log = home.open_log()
        try:
            fsync = self._settings.get("fsync") != "off"
            cluster.initialise(home, folder, log=log, fsync=fsync, patience=patience)
            return postmaster.launch(home, folder, self._settings, log=log, patience=patience)
        finally:
            os.close(log)

    def _stop(self) -> None:
        home = self._home
        if home is None or not self._is_held:
            return
        # Deleted under the server, the folder has no lock any more, and nobody new can come.
        with _transition(home, Patience(_STOP_SECONDS)) if home.path.exists() else nullcontext():
            self._leave(home)

    def _leave(self, home: Home) -> None:
        if self._lease is None:
            return
        try:
            if self._lease.try_own():
                postmaster.stop(home, self._running)
        finally:
            self._lease.close()
            self._running = None
            atexit.unregister(self._stop)


@contextmanager
def _transition(home: Home, patience: Patience) -> Iterator[None]:
    """Keep every other start and stop on this folder out, those of this program included."""
    lock = FileLock(home.open_lock())
    try:
        lock.own(patience, f"another program's start or stop of the server in {home.path}")
        yield
    finally:
        lock.close()


def _absolute(path: Path) -> Path:
    return path.expanduser().resolve()


def _default_base() -> Path:
    if named := os.environ.get("FINANCE_DATA_DIR"):
        return Path(named)
    if os.geteuid() == 0:
        return Path("/var/lib/finance-ledger")
    shared = Path(os.environ.get("XDG_DATA_HOME", ""))
    # The specification wants a relative path to be ignored.
    return (shared if shared.is_absolute() else Path("~/.local/share")) / "finance-ledger"


async def _to_the_end(work: Callable[[], None], on_cancel: Callable[[], None] = lambda: None) -> None:
    """Run *work* in a thread and wait for its end, also when cancelled: a server is never lost half-way."""
    cancelled: asyncio.CancelledError | None = None
    # Not as a task: the end of the loop would cancel it, and the thread would go on unwatched.
    future = asyncio.get_running_loop().run_in_executor(None, work)
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError as error:
            cancelled = error
            on_cancel()
    if cancelled is not None:
        future.exception()  # looked at, or asyncio would log it as forgotten
        raise cancelled
    future.result()
