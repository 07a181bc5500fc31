"""The wheel holds all that is needed: the revisions, the guards, the currencies, the type marker."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from finance.migrations import REVISION
from tests.conftest import Server

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the wheel installs, in a folder that holds nothing of the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    (wheel,) = folder.glob("*.whl")
    site = folder / "site"
    zipfile.ZipFile(wheel).extractall(site)
    return site


def test_wheel_installs_one_package(unpacked: Path) -> None:
    """Nothing lands beside the package: a top-level `alembic` would be inside the library of that name."""
    installed = sorted(path.name for path in unpacked.iterdir() if not path.name.endswith(".dist-info"))

    assert installed == ["finance"]
    for needed in ("py.typed", "iso4217.csv", "_alembic/env.py", "_alembic/script.py.mako"):
        assert (unpacked / "finance" / needed).is_file()
    assert list((unpacked / "finance" / "_alembic").rglob("__init__.py")) == []


@pytest.mark.direct("migrations hold a lock of the session")
async def test_wheel_migrates_an_empty_database(unpacked: Path, server: Server) -> None:
    """The installed package finds its own revisions, and the books work."""
    code = """
import asyncio, finance
from finance import DatabaseManager
async def main():
    async with DatabaseManager() as db:
        await db.migrations.upgrade()
        ledger = await db.ledgers.create("Wheel", base_currency="EUR")
        print(finance.__file__, await db.migrations.current(), (await db.verify(ledger)).is_clean)
asyncio.run(main())
"""
    async with server.copy("template0") as dsn:
        environment = {**os.environ, "PYTHONPATH": str(unpacked), "FINANCE_DATABASE_URL": dsn}
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=unpacked, env=environment, capture_output=True, text=True, check=False
        )

    assert done.returncode == 0, done.stderr
    file, revision, clean = done.stdout.split()
    assert Path(file).is_relative_to(unpacked)
    assert (revision, clean) == (REVISION, "True")


def test_wheel_works_without_extras(unpacked: Path) -> None:
    """Everything can be imported; what needs an extra names it, and the command says what it needs."""
    code = """
import sys
for name in ("babel", "clevercsv", "cyclopts", "lxml", "matplotlib", "mt940", "ofxparse", "plotext", "pyarrow", "rich"):
    sys.modules[name] = None
import finance.cli, finance.exports, finance.formatting, finance.frames, finance.plots, finance.statements
from finance.errors import ConfigurationError
chart = finance.plots.net_worth_chart((), ledger="Wheel")
print(finance.plots.chart_text(chart).splitlines()[0])
for call in (
    lambda: finance.plots.chart_figure(chart),
    lambda: finance.plots.save_chart(chart, "wheel.svg"),
    lambda: finance.frames.net_worth_table(()),
    lambda: finance.formatting.Formatter("de"),
):
    try:
        call()
    except ConfigurationError as error:
        print(error)
print(finance.cli.main(["net-worth"]))
"""
    environment = {**os.environ, "PYTHONPATH": str(unpacked)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=unpacked, env=environment, capture_output=True, text=True, check=True
    )

    assert done.stdout.splitlines() == [
        "Net worth · Wheel",
        "a picture needs the extra `plots`: pip install 'finance-ledger[plots]'",
        "a picture needs the extra `plots`: pip install 'finance-ledger[plots]'",
        "a data frame needs the extra `dataframe`: pip install 'finance-ledger[dataframe]'",
        "a locale needs the extra `fmt`: pip install 'finance-ledger[fmt]'",
        "2",
    ]
    assert "needs the extra `cli`" in done.stderr
    assert not (unpacked / "wheel.svg").exists()
