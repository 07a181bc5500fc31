"""Data folders, empty and with a cluster."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from finance.embedded import EmbeddedServer

from .outside import FAST, quit_all


@contextmanager
def _folder() -> Iterator[Path]:
    # Not below pytest's own folder: as root, only root could enter it.
    path = Path(tempfile.mkdtemp(prefix="fl-", dir="/tmp"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        quit_all(path)
        shutil.rmtree(path)


@pytest.fixture
def empty() -> Iterator[Path]:
    """Hold a new folder that every user can reach."""
    with _folder() as path:
        yield path


@pytest.fixture(scope="session")
def initialised() -> Iterator[Path]:
    """Hold a data folder with a cluster."""
    with _folder() as path:
        with EmbeddedServer(path, settings=FAST):
            pass
        yield path


@pytest.fixture
def books(initialised: Path) -> Iterator[Path]:
    """Hold the common data folder, in which no server runs before or after the test."""
    yield initialised
    assert not quit_all(initialised)


@pytest.fixture
def own_books(empty: Path, initialised: Path) -> Path:
    """Hold a data folder with a cluster that the test may spoil."""
    subprocess.run(["/bin/cp", "-a", initialised / "postgresql-18", empty], check=True)
    return empty
