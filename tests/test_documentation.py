"""The examples of the documentation run as they stand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Server

pytestmark = pytest.mark.direct("the examples name the server itself")

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def _examples() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        blocks = re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
        found += [(f"{page.relative_to(ROOT)}-{number}", block) for number, block in enumerate(blocks, 1)]
    return found


@pytest.mark.parametrize("code", [pytest.param(code, id=name) for name, code in _examples()])
async def test_example_runs(code: str, server: Server, reachable_tmp: Path) -> None:
    """Each block of Python is a whole program, and runs on an empty database."""
    folder = reachable_tmp / "documentation"
    async with server.copy("template0") as dsn:
        environment = {**os.environ, "FINANCE_DATABASE_URL": dsn, "FINANCE_DATA_DIR": str(folder)}
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code],
            env=environment, capture_output=True, text=True, timeout=120, check=False, cwd=ROOT,
        )  # fmt: skip

    assert done.returncode == 0, done.stderr


def test_quick_start_prints_what_the_readme_says(reachable_tmp: Path) -> None:
    """The README states the output of its quick start."""
    code = _examples()[0][1]
    environment = {**os.environ, "FINANCE_DATA_DIR": str(reachable_tmp / "quick-start")}

    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120, check=True
    )

    printed = done.stdout.strip()
    assert printed
    assert f"`{printed}`" in (ROOT / "README.md").read_text("utf-8")
