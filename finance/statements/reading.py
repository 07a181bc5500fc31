"""From a path, or from uploaded bytes, to statements: limits, the format, and one kind of error."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from finance.errors import StatementFileError
from finance.statements.camt import is_camt, read_camt
from finance.statements.flaw import FlawError
from finance.statements.mt940 import is_mt940, read_mt940
from finance.statements.ofx import is_ofx, read_ofx
from finance.statements.recognising import describe
from finance.statements.statement import StatementFile

#: How each format is told, and what reads it.
_READERS = ((is_ofx, read_ofx), (is_camt, read_camt), (is_mt940, read_mt940))

#: The largest file that is read, in bytes. Ten thousand lines take about 2 MiB.
LARGEST = 64 * 1024 * 1024


def read_statements(path: str | os.PathLike[str]) -> StatementFile:
    """Read the bank file at *path*, told by its content and not by its name.

    OFX 1, OFX 2 and QFX; MT940 and MT942; CAMT.052, 053 and 054.

    It works on one core (10,000 lines take seconds) and blocks: call it with `asyncio.to_thread` inside an event loop.

    Raises:
        StatementFileError: The file cannot be read, is larger than `LARGEST`, is not a bank statement, or is
            damaged. Nothing is guessed and no line is left out: a file is read whole or refused.
        ConfigurationError: The extra `statements` is not installed.
    """
    path = Path(path)
    name = path.name or str(path)
    try:
        data = _bytes_of(path)
    except FlawError as flaw:
        raise StatementFileError(name, flaw.reason) from flaw
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise StatementFileError(name, f"the file cannot be read: {reason}") from error
    return parse_statements(data, name=name)


def parse_statements(data: bytes, *, name: str) -> StatementFile:
    """Read *data*, the whole content of a bank file that is called *name*, as `read_statements` does.

    Raises:
        StatementFileError: As `read_statements`.
        ConfigurationError: The extra `statements` is not installed.
    """
    try:
        return _parsed(data, name)
    except FlawError as flaw:
        raise StatementFileError(name, flaw.reason, line=flaw.line) from flaw


def _parsed(data: bytes, name: str) -> StatementFile:
    _check_size(len(data))
    for tells, read in _READERS:
        if tells(data):
            return read(data, name)
    raise FlawError(describe(data))


def _bytes_of(path: Path) -> bytes:
    found = path.stat()
    if stat.S_ISDIR(found.st_mode):
        raise FlawError("this is a folder; name a file")
    if not stat.S_ISREG(found.st_mode):  # reading a pipe would wait, reading a device would never end
        raise FlawError("this is not an ordinary file")
    _check_size(found.st_size)
    with path.open("rb") as file:  # one byte more than allowed tells a file that has grown meanwhile
        return file.read(LARGEST + 1)


def _check_size(size: int) -> None:
    if size > LARGEST:
        raise FlawError(f"the file has {size:,} bytes, more than {LARGEST:,}; export a shorter period")
