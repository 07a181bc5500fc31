"""The user that a cluster's folder and its server belong to.

As root that is another user, since PostgreSQL refuses to run as root, and one who may swap what is in
the folder at any moment. So root creates files there only where none was, never follows a link, and
changes owners and permissions only through what it holds open.
"""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from finance.errors import EmbeddedServerError

if sys.platform != "win32":
    import pwd

_USERS_FOR_ROOT = ("postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Owner:
    """A user of this system, and what is done in the name of that user."""

    name: str
    uid: int
    gid: int

    @classmethod
    def of(cls, home: Path) -> Owner:
        """Find who owns the cluster folder *home*, or who will.

        Raises:
            EmbeddedServerError: The folder is one that this user cannot run a server in.
        """
        me = os.geteuid()
        uid = home.stat().st_uid if home.exists() else None
        if uid is None:
            return cls._for_root() if me == 0 else cls._with_uid(me)
        owner = cls._with_uid(uid)
        if me == 0 and uid == 0:
            raise EmbeddedServerError(
                f"{home} belongs to root, as whom PostgreSQL does not run: give it to another user with chown,"
                " or set FINANCE_DATA_DIR to another folder"
            )
        if me not in {0, uid}:
            raise EmbeddedServerError(
                f"{home} belongs to user {owner.name}: run as that user, or set FINANCE_DATA_DIR to another folder"
            )
        return owner

    @classmethod
    def _with_uid(cls, uid: int) -> Owner:
        try:
            entry = pwd.getpwuid(uid)
        except KeyError:
            return cls(str(uid), uid, uid)
        return cls(entry.pw_name, uid, entry.pw_gid)

    @classmethod
    def _for_root(cls) -> Owner:
        for name in _USERS_FOR_ROOT:
            with suppress(KeyError):
                return cls._with_uid(pwd.getpwnam(name).pw_uid)
        raise EmbeddedServerError(
            f"PostgreSQL does not run as root, and none of the users {', '.join(_USERS_FOR_ROOT)} exists here;"
            " run as an ordinary user"
        )

    @property
    def is_other(self) -> bool:
        """Whether this program is root, and so not the owner."""
        return os.geteuid() != self.uid

    def popen(
        self, command: Sequence[str | Path], *, output: int, stdin: int = subprocess.DEVNULL
    ) -> subprocess.Popen[bytes]:
        """Start a program as the owner, in a session of its own, so that Ctrl-C does not reach it.

        Raises:
            OSError: The owner cannot execute the program.
            EmbeddedServerError: This root may not act as another user.
        """
        try:
            return subprocess.Popen(  # noqa: S603 - without a shell; only our own words and paths
                command,
                stdin=stdin,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
                # PGDATESTYLE and its like must not reach the server, and macOS needs a locale that exists.
                env={"LC_ALL": "C", "PATH": os.defpath},
                start_new_session=True,
                user=self.uid if self.is_other else None,
                group=self.gid if self.is_other else None,
                extra_groups=[] if self.is_other else None,
            )
        except PermissionError as error:
            if error.errno == errno.EACCES:
                raise
            raise EmbeddedServerError(
                f"this root cannot start programs as user {self.name}; run as an ordinary user"
            ) from error

    def can_enter(self, folder: Path) -> bool:
        """Ask the system itself: permission bits tell nothing of access lists and mounts."""
        with self.popen(["/bin/sh", "-c", 'cd "$0"', folder], output=subprocess.DEVNULL) as shell:
            return shell.wait() == 0

    def make_folder(self, path: Path) -> None:
        """Create an empty folder of the owner's with mode 0700; it appears complete, or not at all."""
        new = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
        try:
            if self.is_other:
                with open_folder(new) as folder:
                    os.fchown(folder, self.uid, self.gid)
            new.rename(path)
        except OSError as error:
            new.rmdir()
            # Another program was faster: its folder is as good.
            if error.errno not in {errno.EEXIST, errno.ENOTEMPTY}:
                raise

    def open(self, path: Path, flags: int) -> int:
        """Open a file in a folder of the owner's, to whom a new one belongs, and who alone may read it."""
        try:
            file = os.open(path, flags | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        except FileExistsError:
            if flags & os.O_EXCL:
                raise
            return os.open(path, flags | os.O_NOFOLLOW)
        if self.is_other:
            os.fchown(file, self.uid, self.gid)
        return file


@contextmanager
def open_folder(path: Path | str, *, inside: int | None = None) -> Iterator[int]:
    """Hold a folder open, which must not be a link; *path* is relative to the open folder *inside*."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=inside)
    try:
        yield folder
    finally:
        os.close(folder)


@contextmanager
def open_new_folder(path: Path | str, mode: int, *, inside: int | None = None) -> Iterator[int]:
    """Create a folder with exactly this mode, whatever the umask is, and hold it open."""
    os.mkdir(path, 0o700, dir_fd=inside)
    with open_folder(path, inside=inside) as folder:
        os.fchmod(folder, mode)
        yield folder
