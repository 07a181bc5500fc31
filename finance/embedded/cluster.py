"""The cluster itself: the files that `initdb` makes, once."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile

from finance.embedded.home import Home
from finance.embedded.owner import open_folder
from finance.embedded.patience import Patience
from finance.errors import EmbeddedServerError

SUPERUSER = "finance"
DATABASE = "finance"


def check(home: Home) -> None:
    """Refuse a cluster that another major version of PostgreSQL has made."""
    mark = home.data / "PG_VERSION"
    if home.data.exists() and (found := mark.read_text().strip()) != str(home.version):
        raise EmbeddedServerError(
            f"PostgreSQL {found} has made {home.data}, not {home.version}: set FINANCE_DATA_DIR to another folder"
        )


def initialise(home: Home, binaries: Path, *, log: int, fsync: bool, patience: Patience) -> None:
    """Make the cluster, with the database `finance`, unless it exists; it appears complete, or not at all."""
    for leftover in home.path.glob("data.new-*"):  # of a program that was killed
        shutil.rmtree(leftover, ignore_errors=True)
    if home.data.exists():
        return
    new = home.path / f"data.new-{secrets.token_hex(4)}"
    try:
        _run(home, _initdb(home, binaries, new, fsync=fsync), log=log, patience=patience)
        script = f"CREATE DATABASE {DATABASE}\n"
        _run(home, _single(binaries, new, fsync=fsync), log=log, patience=patience, script=script)
        new.rename(home.data)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    with open_folder(home.path) as folder:
        os.fsync(folder)


def _initdb(home: Home, binaries: Path, data: Path, *, fsync: bool) -> list[str | Path]:
    # The builtin locale sorts as C does, and knows upper and lower case beyond ASCII.
    builtin = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if home.version >= 17 else []
    sync = [] if fsync else ["--no-sync"]
    options = ["--encoding=UTF8", "--locale=C", "--data-checksums", "--auth-local=trust", "--auth-host=reject"]
    return [binaries / "initdb", "-D", data, "-U", SUPERUSER, "--no-instructions", *options, *builtin, *sync]


def _single(binaries: Path, data: Path, *, fsync: bool) -> list[str | Path]:
    settings = ["-c", "exit_on_error=on", "-c", f"fsync={'on' if fsync else 'off'}"]
    return [binaries / "postgres", "--single", "-D", data, *settings, "template1"]


def _run(home: Home, command: Sequence[str | Path], *, log: int, patience: Patience, script: str = "") -> None:
    what = f"{Path(command[0]).name} for {home.path}"
    with TemporaryFile() as stdin:
        stdin.write(script.encode())
        stdin.seek(0)
        with home.owner.popen(command, output=log, stdin=stdin.fileno()) as process:
            _wait(process, patience, what)
    if process.returncode != 0:
        raise EmbeddedServerError(f"{what} failed; {home.log_tail()}")


def _wait(process: subprocess.Popen[bytes], patience: Patience, what: str) -> None:
    try:
        while process.poll() is None:
            patience.pause(what)
    except BaseException:
        # It leads a process group of its own, to which its children belong.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        raise
