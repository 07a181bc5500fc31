"""How long `import finance` takes beside importing what it stands on: P12 of the targets."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time

from benchmarks.harness import ROUNDS, Result

_PEER = "import sqlalchemy.ext.asyncio, asyncpg"


def measure() -> Result:
    """Start a fresh interpreter for each, in turn."""
    pairs = [(_seconds("import finance"), _seconds(_PEER)) for _ in range(ROUNDS + 1)][1:]
    ratios = [ours / peers for ours, peers in pairs]
    ratio = statistics.median(ratios)
    return Result(
        "P12",
        "ms",
        statistics.median(ours for ours, _ in pairs) * 1000,
        statistics.median(peers for _, peers in pairs) * 1000,
        _PEER,
        ratio,
        floor=1.2,
        goal=1.1,
        lower_is_better=True,
        rounds=ROUNDS,
        spread=max(abs(each - ratio) for each in ratios) / ratio,
    )


def _seconds(code: str) -> float:
    # Installed packages come with their byte code; a checkout has it once it may write it.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)  # noqa: S603 - our own interpreter and words
    return time.perf_counter() - started
