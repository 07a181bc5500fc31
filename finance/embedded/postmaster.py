"""The running server: found, started and stopped, always while `finance.lock` is held.

PostgreSQL writes `postmaster.pid` into its data directory: the pid, and further down the port, the
socket's folder and the status. The file outlives a killed server, and by then its pid may be another
process's; so whoever reads it asks the system who that process is.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from threading import Thread

from finance.embedded.home import Home
from finance.embedded.patience import Patience
from finance.errors import EmbeddedServerError

FIXED_SETTINGS = {
    "port": "5432",
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "timezone": "UTC",
    "log_timezone": "UTC",
}

_PROC = Path("/proc")
# A fast shutdown ends every session and writes to disk; an immediate one leaves recovery to the next start.
_SHUTDOWN = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 15.0))
_reapers: dict[int, Thread] = {}


@dataclass(frozen=True, slots=True)
class Postmaster:
    """What `postmaster.pid` says."""

    pid: int
    port: int
    socket_dir: Path
    status: str

    @classmethod
    def read(cls, data: Path) -> Postmaster | None:
        """Read the file; None if there is none, or none that makes sense."""
        try:
            lines = os.fsdecode((data / "postmaster.pid").read_bytes()).split("\n")
            status = lines[7].strip() if len(lines) > 7 else "starting"
            return cls(int(lines[0]), int(lines[3]), Path(lines[4]), status)
        except (FileNotFoundError, IndexError, ValueError):
            return None

    @property
    def socket(self) -> Path:
        """The socket on which the server listens."""
        return self.socket_dir / f".s.PGSQL.{self.port}"


def adopt(home: Home, patience: Patience) -> Postmaster | None:
    """Wait until the server that runs already is ready; None if there is none, or none any more.

    Raises:
        EmbeddedServerError: There is one, but no way to it, or it does not become ready.
    """
    while (found := _find(home)) is not None and found.status != "ready":
        patience.pause(f"waiting for the server that runs on {home.data}")
    if found is not None and not _answers(found.socket):
        raise EmbeddedServerError(f"a server runs on {home.data} (pid {found.pid}), but not behind {found.socket}")
    return found


def launch(home: Home, binaries: Path, settings: Mapping[str, str], *, log: int, patience: Patience) -> Postmaster:
    """Start a server where none runs, and wait until it is ready; about 40 ms after a clean shutdown.

    Raises:
        EmbeddedServerError: It did not start; carries the end of its log.
    """
    socket_dir = home.socket_dir()
    _clear(home, socket_dir)
    options = {**settings, **FIXED_SETTINGS, "unix_socket_directories": str(socket_dir)}
    words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
    process = home.owner.popen([binaries / "postgres", "-D", home.data, *words], output=log)
    try:
        _reap(process)
        while (found := _ready(home, process)) is None:
            patience.pause(f"the start of PostgreSQL on {home.data}")
    except BaseException:
        # By its handle, since it may not have written its pid yet.
        _end(home, process.send_signal, lambda: process.poll() is not None)
        raise
    return found


def _ready(home: Home, process: subprocess.Popen[bytes]) -> Postmaster | None:
    if process.poll() is not None:
        raise EmbeddedServerError(f"PostgreSQL does not start on {home.data}; {home.log_tail()}")
    found = Postmaster.read(home.data)
    # The file may still be the one of a server that was killed.
    is_ready = found is not None and (found.pid, found.status) == (process.pid, "ready")
    return found if is_ready else None


def stop(home: Home, known: Postmaster | None) -> None:
    """Stop the server, whoever started it, and wait until it is gone; about 20 ms, at most 45 s.

    One that has no process here, since it runs in another container, is left to that.

    Raises:
        EmbeddedServerError: It is still there.
    """
    found = Postmaster.read(home.data) or known
    if found is not None and _is_postmaster(found.pid, home.data):
        _end(home, lambda number: os.kill(found.pid, number), lambda: not _is_postmaster(found.pid, home.data))
        if reaper := _reapers.get(found.pid):
            reaper.join()
        home.remove_socket_dir()


def _find(home: Home) -> Postmaster | None:
    found = Postmaster.read(home.data)
    if found is None or _is_postmaster(found.pid, home.data):
        return found
    # Another container that shares the folder has pids of its own, but the socket reaches across.
    return found if _answers(found.socket) else None


def _is_postmaster(pid: int, data: Path) -> bool:
    words = _command_line(pid)
    if not words or Path(words[0]).name != "postgres":
        return False
    # The folder that it was given, and the one that it is in: either may have another path by now, or none.
    named = Path(words[words.index("-D") + 1]) if "-D" in words[:-1] else None
    return named == data or any(_is_same(folder, data) for folder in (named, _PROC / str(pid) / "cwd") if folder)


def _command_line(pid: int) -> list[str]:
    """Give the words that started a process; none for one that is gone, or a zombie."""
    if (_PROC / "self" / "cmdline").exists():
        with suppress(OSError):
            return os.fsdecode((_PROC / str(pid) / "cmdline").read_bytes()).split("\0")
        return []
    try:
        psutil = import_module("psutil")  # the wheel depends on it
    except ImportError as error:
        raise EmbeddedServerError("this system needs psutil to find a running server: pip install psutil") from error
    with suppress(psutil.Error):
        return list(psutil.Process(pid).cmdline())
    return []


def _is_same(folder: Path, data: Path) -> bool:
    with suppress(OSError):
        return folder.samefile(data)
    return False


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client, suppress(OSError):
        client.settimeout(5.0)
        client.connect(os.fspath(path))
        return True
    return False


def _clear(home: Home, socket_dir: Path) -> None:
    """Remove what PostgreSQL takes for a running server's: files with the pid of an unrelated process.

    The pid of a dead process it sees through by itself, and does so with more care than we could.
    """
    found = Postmaster.read(home.data)
    if found is None or _is_alive(found.pid):
        (home.data / "postmaster.pid").unlink(missing_ok=True)
    (socket_dir / f".s.PGSQL.{FIXED_SETTINGS['port']}.lock").unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except ProcessLookupError:
        return False
    return pid > 0  # a single-user server writes a negative one


def _reap(process: subprocess.Popen[bytes]) -> None:
    """Collect the server's exit status whenever it comes: another program may be the one that stops it."""

    def wait() -> None:
        process.wait()
        _reapers.pop(process.pid, None)

    _reapers[process.pid] = Thread(target=wait, name=f"postgres-{process.pid}", daemon=True)
    _reapers[process.pid].start()


def _end(home: Home, send: Callable[[int], None], is_gone: Callable[[], bool]) -> None:
    for number, seconds in _SHUTDOWN:
        with suppress(ProcessLookupError):
            send(number)
        patience = Patience(seconds)
        while not patience.is_over:
            if is_gone():
                return
            patience.pause("the shutdown")
    raise EmbeddedServerError(f"the server on {home.data} does not stop")
