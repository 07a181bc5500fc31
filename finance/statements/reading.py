"""From a path, or from uploaded bytes, to statements: limits, the format, and one kind of error."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from finance.errors import StatementFileError
from finance.statements.camt import is_camt, read_camt
from finance.statements.dates import DateOrder
from finance.statements.delimited import CsvProfile, read_csv
from finance.statements.flaw import FlawError
from finance.statements.mt940 import is_mt940, read_mt940
from finance.statements.ofx import is_ofx, read_ofx
from finance.statements.qif import is_qif, read_qif
from finance.statements.recognising import describe, foreign
from finance.statements.statement import StatementFile
from finance.statements.unstated import Unstated

#: How each format is told, and what reads it.
_READERS = ((is_ofx, read_ofx), (is_camt, read_camt), (is_mt940, read_mt940))

#: The largest file that is read, in bytes. Ten thousand lines take about 2 MiB.
LARGEST = 64 * 1024 * 1024


def read_statements(
    path: str | os.PathLike[str],
    *,
    profile: CsvProfile | None = None,
    currency: str | None = None,
    date_order: DateOrder | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
) -> StatementFile:
    """Read the bank file at *path*, told by its content and not by its name.

    OFX 1, OFX 2 and QFX; MT940 and MT942; CAMT.052, 053 and 054; QIF; and CSV by its profile.

    It works on one core (10,000 lines take seconds) and blocks: call it with `asyncio.to_thread` inside an event loop.

    Args:
        path: Of the file.
        profile: How the bank writes CSV; with it the file is read as CSV. `propose_profile()` makes a first one.
        currency: ISO 4217; of a CSV or QIF file that names none. Without one its lines cannot be imported.
        date_order: `"dmy"` or `"mdy"`; of a QIF file whose dates do not decide it.
        decimal: `"."` or `","`; of a QIF file whose amounts do not decide it.
        encoding: Of a QIF file without a byte order mark that is not UTF-8.

    Raises:
        StatementFileError: The file cannot be read, is larger than `LARGEST`, is not a bank statement, or is
            damaged. Nothing is guessed and no line is left out: a file is read whole or refused.
        InvalidError: An argument cannot be.
        ConfigurationError: The extra `statements` is not installed.
    """
    data, name = content_of(path)
    return parse_statements(
        data,
        name=name,
        profile=profile,
        currency=currency,
        date_order=date_order,
        decimal=decimal,
        encoding=encoding,
    )


def parse_statements(
    data: bytes,
    *,
    name: str,
    profile: CsvProfile | None = None,
    currency: str | None = None,
    date_order: DateOrder | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
) -> StatementFile:
    """Read *data*, the whole content of a bank file that is called *name*, as `read_statements` does.

    Raises:
        StatementFileError: As `read_statements`.
        InvalidError: As `read_statements`.
        ConfigurationError: The extra `statements` is not installed.
    """
    unstated = Unstated(currency=currency, date_order=date_order, decimal=decimal, encoding=encoding)
    try:
        return _parsed(data, name, profile, unstated)
    except FlawError as flaw:
        raise StatementFileError(name, flaw.reason, line=flaw.line) from flaw


def content_of(path: str | os.PathLike[str]) -> tuple[bytes, str]:
    """Return the content of the file at *path*, and its name without the folder.

    Raises:
        StatementFileError: The file cannot be read, or is larger than `LARGEST`.
    """
    path = Path(path)
    name = path.name or str(path)
    try:
        return _bytes_of(path), name
    except FlawError as flaw:
        raise StatementFileError(name, flaw.reason) from flaw
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise StatementFileError(name, f"the file cannot be read: {reason}") from error


def _parsed(data: bytes, name: str, profile: CsvProfile | None, unstated: Unstated) -> StatementFile:
    _check_size(len(data))
    if profile is not None and foreign(data) is None:
        return read_csv(data, name, profile, unstated.currency)
    if is_qif(data):
        return read_qif(data, name, unstated)
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
