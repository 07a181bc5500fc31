"""Where the servers of the tests keep their files: in memory, where the machine has room for them."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

_MEMORY = Path("/dev/shm")  # noqa: S108 - what is made in it has a name that nobody can guess
#: Bytes that are free there at least: several servers, a standby's copies and their WAL stay far below.
_ROOM = 4 * 2**30


def make_reachable(prefix: str) -> Path:
    """Make a folder that a server's unprivileged user can reach too.

    A database is hundreds of small files, and thousands of databases are copied: in memory each takes a twentieth of
    the time, and nobody waits for a disk that is busy. `TMPDIR` prevails.
    """
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=None if "TMPDIR" in os.environ else _in_memory()))
    folder.chmod(0o755)
    return folder


def _in_memory() -> Path | None:
    if not _MEMORY.is_dir() or not os.access(_MEMORY, os.W_OK):
        return None
    can_execute = not os.statvfs(_MEMORY).f_flag & os.ST_NOEXEC  # a server's programs may be copied beside its files
    return _MEMORY if can_execute and shutil.disk_usage(_MEMORY).free > _ROOM else None
