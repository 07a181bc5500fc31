"""Services: named sets of connection parameters in libpq's `pg_service.conf`.

asyncpg reads them too, but takes a service that is not there for an empty one (and then connects to
whatever runs on this machine), does not see PGSERVICE without a DSN, trips over a percent sign in a
password, and drops the parameters that it does not know, the protective ones among them.
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Mapping
from pathlib import Path

from finance.errors import ConfigurationError
from finance.settings.dsn import LIBPQ_KEYWORDS

_FILE = "pg_service.conf"

# asyncpg takes `database` as well, and a service cannot name another.
_KEYWORDS = (LIBPQ_KEYWORDS | {"database"}) - {"service", "servicefile"}


def read_service(name: str, file: str | os.PathLike[str] | None, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters of the service *name* under libpq's keywords.

    The file is *file*, else PGSERVICEFILE, else ~/.pg_service.conf and then PGSYSCONFDIR's.

    Raises:
        ConfigurationError: No file defines the service, or a file cannot be read.
    """
    for path in _files(file, environ):
        sections = _read(path)
        if name in sections:
            return _checked(name, dict(sections[name]))
    raise ConfigurationError(f"the service {name!r} is not defined in {' or '.join(map(str, _files(file, environ)))}")


def _checked(name: str, parameters: dict[str, str]) -> dict[str, str]:
    if unknown := sorted(parameters.keys() - _KEYWORDS):
        raise ConfigurationError(
            f"the service {name!r} has the parameter {unknown[0]!r}, which libpq does not know there"
        )
    return parameters


def _files(file: str | os.PathLike[str] | None, environ: Mapping[str, str]) -> list[Path]:
    if stated := file or environ.get("PGSERVICEFILE"):
        return [Path(stated)]
    files = [Path("~").expanduser() / f".{_FILE}"]
    if folder := environ.get("PGSYSCONFDIR"):
        files.append(Path(folder) / _FILE)
    return files


def _read(path: Path) -> configparser.ConfigParser:
    # "\0": libpq knows no section of defaults.
    parser = configparser.ConfigParser(
        interpolation=None, delimiters=("=",), comment_prefixes=("#",), strict=False, default_section="\0"
    )
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError):
        damaged = True
    else:
        damaged = False
    if damaged:  # raised out here, because the parser's own error quotes lines of the file
        raise ConfigurationError(f"{path} is not a service file: it has lines other than [service] and name=value")
    return parser
