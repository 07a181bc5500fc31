"""How long `import finance` takes beside importing what it stands on: P12 of the targets."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from benchmarks.harness import ROUNDS, Result, Row, judge

_PEER = "import sqlalchemy.ext.asyncio, asyncpg"

ROWS = {"P12": Row("P12", "import finance", _PEER, 1.2, 1.1)}


def measure() -> Result:
    """Start a fresh interpreter for each, in turn."""
    pairs = [(_milliseconds("import finance"), _milliseconds(_PEER)) for _ in range(ROUNDS + 1)][1:]
    return judge(ROWS["P12"], pairs, unit="ms", lower_is_better=True)


def _milliseconds(code: str) -> float:
    # Installed packages come with their byte code; a checkout has it once it may write it.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)  # noqa: S603 - our own interpreter and words
    return (time.perf_counter() - started) * 1000
