"""The folder of one cluster.

    <data folder>/postgresql-18/     0700, the owner's
        finance.lock                 held alone while the server is started or stopped
        finance.lease                shared by every program that uses the server
        data/                        the cluster
        software-0.6.0/              a copy of the wheel's programs, where the owner cannot execute those
        server.log, server.log.1     of the last start, and of the one before
        .s.PGSQL.5432                the socket

The data folder itself may be anybody's, and hold other things: it is left as it is.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from finance.embedded.owner import Owner, open_new_folder
from finance.errors import EmbeddedServerError

_MARK = "finance.lock"
# A socket's address holds 104 bytes on macOS and 108 on Linux, the closing zero included.
_SOCKET_BYTES = 103
# Everything else would need quoting in unix_socket_directories, or cannot be said in a DSN (a comma).
_PLAIN_PATH = re.compile(r"[\w/.+@ -]+")


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of one cluster, made and checked, and its owner."""

    path: Path
    version: int
    owner: Owner

    @classmethod
    def prepare(cls, base: Path, version: int) -> Home:
        """Create what is missing; nothing that was there changes.

        Raises:
            EmbeddedServerError: The folder is another program's, another user's, or out of reach.
        """
        path = (base / f"postgresql-{version}").resolve()
        owner = Owner.of(path)
        if owner.is_other:
            _check_reach(owner, path)
        _make_parents(path, 0o755 if owner.is_other else 0o700)
        if not path.exists():
            owner.make_folder(path)
        if any(path.iterdir()) and not (path / _MARK).exists():
            raise EmbeddedServerError(
                f"{path} was not made by finance-ledger: move it away, or set FINANCE_DATA_DIR to another folder"
            )
        return cls(path, version, owner)

    @property
    def data(self) -> Path:
        """The folder that PostgreSQL calls its data directory."""
        return self.path / "data"

    def open_lock(self) -> int:
        """Open the file that is locked while the server is started or stopped."""
        return self.owner.open(self.path / _MARK, os.O_RDWR)

    def open_lease(self) -> int:
        """Open the file on which every user of the server holds a shared lock."""
        return self.owner.open(self.path / "finance.lease", os.O_RDWR)

    def open_log(self) -> int:
        """Begin a new log; the previous one is kept, the one before it goes."""
        log = self.path / "server.log"
        with suppress(FileNotFoundError):
            log.replace(self.path / "server.log.1")
        return self.owner.open(log, os.O_WRONLY | os.O_APPEND | os.O_EXCL)

    def log_tail(self) -> str:
        """Read the last ten lines of the log."""
        log = self.path / "server.log"
        with open(os.open(log, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:  # noqa: PTH123 - a descriptor
            file.seek(max(0, os.fstat(file.fileno()).st_size - 8192))
            lines = file.read().decode(errors="replace").splitlines()
        return "\n".join([f"the end of {log}:", *lines[-10:]])

    def socket_dir(self) -> Path:
        """Give the folder itself, or a private one in /tmp if no socket can have its path.

        /tmp and not TMPDIR, for it needs to be short, and within the reach of every owner.
        """
        socket = str(self.path / ".s.PGSQL.5432")
        if len(os.fsencode(socket)) <= _SOCKET_BYTES and _PLAIN_PATH.fullmatch(socket):
            return self.path
        folder = self._short_socket_dir
        if not folder.is_symlink() and not folder.exists():
            self.owner.make_folder(folder)
        self._check_private(folder)
        return folder

    def remove_socket_dir(self) -> None:
        """Remove the folder in /tmp if there is one, and it is empty."""
        with suppress(OSError):
            self._short_socket_dir.rmdir()

    @property
    def _short_socket_dir(self) -> Path:
        name = hashlib.sha256(os.fsencode(f"{self.owner.uid}:{self.path}")).hexdigest()[:16]
        return Path("/tmp") / f"finance-ledger-{name}"  # noqa: S108 - private, and checked to be so

    def _check_private(self, folder: Path) -> None:
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != self.owner.uid or found.st_mode & 0o077:
            raise EmbeddedServerError(
                f"{folder} is not a private folder of user {self.owner.name}: remove it,"
                " or set FINANCE_DATA_DIR to a folder with a shorter path"
            )


def _check_reach(owner: Owner, path: Path) -> None:
    existing = [folder for folder in (*reversed(path.parents), path) if folder.exists()]
    if owner.can_enter(existing[-1]):
        return
    closed = next((folder for folder in existing if not owner.can_enter(folder)), existing[-1])
    raise EmbeddedServerError(
        f"PostgreSQL does not run as root, and user {owner.name}, as whom it would run, cannot enter {closed}"
        f" on the way to {path}: set FINANCE_DATA_DIR to a folder that user {owner.name} can reach"
    )


def _make_parents(path: Path, mode: int) -> None:
    for folder in reversed(path.parents):
        # Another program may create the same folder at this very moment.
        with suppress(FileExistsError):
            if not folder.exists():
                with open_new_folder(folder, mode):
                    pass
