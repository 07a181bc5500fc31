"""Running another program on a file: no shell, nothing of our environment, limits on its time and on what it writes."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from finance.errors import BooksFileError, ProgramMissingError

#: Bytes that a program may write: a journal of 15,000 entries makes hledger write about 60 MiB.
LARGEST_OUTPUT = 256 * 1024 * 1024
_MOST_COMPLAINTS = 64 * 1024
_PAUSE = 0.02
#: What a program may see of our environment, which has passwords in it; the journal may name code that it runs.
_PASSED = ("PATH", "HOME", "TMPDIR", "SYSTEMROOT")


@dataclass(frozen=True, slots=True)
class Ran:
    """How a program ended: its exit status, and what it wrote."""

    status: int
    output: str
    complaints: str


def run(
    arguments: Sequence[str], *, file: str, timeout: float, remedy: str, environment: Mapping[str, str] | None = None
) -> Ran:
    """Run a program to its end, without a shell, with UTF-8 for its locale and nothing on its standard input.

    Args:
        arguments: The program, and what it is given.
        file: The file that it reads, for messages.
        timeout: Seconds.
        remedy: How to install the program.
        environment: Variables for it, besides those that are passed on.

    Raises:
        ProgramMissingError: It is not installed.
        BooksFileError: It takes longer, writes more than `LARGEST_OUTPUT`, or writes what is not UTF-8.
    """
    known = {name: os.environ[name] for name in _PASSED if name in os.environ}
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as complaints:
        try:
            process = subprocess.Popen(  # noqa: S603 - the names of programs are ours, and there is no shell
                list(arguments),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=complaints,
                env=known | {"LC_ALL": "C.UTF-8"} | dict(environment or {}),
                start_new_session=True,
            )
        except OSError as error:
            raise ProgramMissingError(os.path.basename(arguments[0]), remedy) from error  # noqa: PTH119 - no path yet
        try:
            _watch(process, (output, complaints), file, timeout)
        finally:
            _end(process)
        return Ran(
            process.returncode, _text(output, file), _read(complaints, _MOST_COMPLAINTS).decode("utf-8", "replace")
        )


def _watch(process: subprocess.Popen[bytes], written: Sequence[IO[bytes]], file: str, timeout: float) -> None:
    """Wait for the end of *process*, within its limits."""
    deadline = time.monotonic() + timeout
    program = os.path.basename(str(process.args[0]))  # type: ignore[index]  # noqa: PTH119 - it is a list of ours
    while True:
        try:
            process.wait(_PAUSE)
        except subprocess.TimeoutExpired:
            is_over = False
        else:
            is_over = True
        if any(os.fstat(each.fileno()).st_size > LARGEST_OUTPUT for each in written):
            raise BooksFileError(file, f"{program} writes more than {LARGEST_OUTPUT:,} bytes for it")
        if is_over:
            return
        if time.monotonic() > deadline:
            raise BooksFileError(file, f"{program} has not read it in {timeout:g} seconds; give it more time")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Leave nothing behind of a program that is still running, nor of what it has started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _text(output: IO[bytes], file: str) -> str:
    data = _read(output, LARGEST_OUTPUT)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BooksFileError(file, "it is not UTF-8: convert it first, with iconv for example") from error


def _read(written: IO[bytes], largest: int) -> bytes:
    written.seek(0)
    return written.read(largest)
