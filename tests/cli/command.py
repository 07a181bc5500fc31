"""How the tests run the command, and how a run ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).parents[2]
SAMPLES = CHECKOUT / "tests" / "samples"
SEVERAL = SAMPLES / "several-accounts.ofx"
CARD = SAMPLES / "credit-card.qfx"


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """What standard output holds, if it is one JSON document."""
        return json.loads(self.out)

    @property
    def message(self) -> str:
        """The one line on standard error."""
        (line,) = self.err.splitlines()
        assert line.startswith("finance: ")
        return line.removeprefix("finance: ")


#: Runs the command in this process.
Run = Callable[..., Outcome]


def program(*arguments: str | Path, **environment: str) -> subprocess.Popen[str]:
    """Start the command as a process of its own."""
    known = {name: value for name, value in os.environ.items() if not name.startswith("FINANCE_")}
    return subprocess.Popen(
        [sys.executable, "-m", "finance.cli", *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=CHECKOUT,
        env=known | environment,
        encoding="utf-8",
    )


def ended(process: subprocess.Popen[str], given: str | None = None) -> Outcome:
    """Wait for the end of a process."""
    out, err = process.communicate(given, timeout=120)
    return Outcome(process.returncode, out, err)
