"""What a scenario found, as one row."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """One scenario's row.

    Attributes:
        scenario: Its id, and which form of it.
        tries: Calls that were made.
        faults: Failures that were injected.
        acknowledged: Calls that were told to be stored.
        unknown: Calls that were told that nobody knows.
        lost: Acknowledged, but not stored.
        doubled: Stored more than once.
        wrong_reports: The caller was told something else than what is stored.
        untyped: Exceptions that are not of finance; a cancellation is none.
        leaked: Connections, locks and open transactions that were left behind.
        slowest_recovery: Seconds from the end of a fault, or from the fault where it has none, to the first success.
        overrun: Seconds that the slowest call went on after its deadline.
        passed: Whether every criterion holds.
        note: Figures of its own, and whatever is wrong.
        seed: Replays it.
    """

    scenario: str
    tries: int = 0
    faults: int = 0
    acknowledged: int = 0
    unknown: int = 0
    lost: int = 0
    doubled: int = 0
    wrong_reports: int = 0
    untyped: int = 0
    leaked: int = 0
    slowest_recovery: float = 0.0
    overrun: float = 0.0
    passed: bool = False
    note: str = ""
    seed: int = 0

    @property
    def is_skipped(self) -> bool:
        """Whether this machine lacks what it takes."""
        return self.note.startswith("skipped")


_COLUMNS = ("tries", "faults", "acknowledged", "unknown", "lost", "doubled", "wrong_reports", "untyped", "leaked")


def table(verdicts: Sequence[Verdict]) -> str:
    """Lay the verdicts out for a reader."""
    width = max([8, *(len(verdict.scenario) for verdict in verdicts)])
    words = [name.replace("acknowledged", "acked").replace("wrong_reports", "wrong") for name in _COLUMNS]
    head = f"{'scenario':{width}} {''.join(f'{word:>9}' for word in words)}{'recovery':>10}{'overrun':>9}  result"
    return "\n".join([head, *(line(verdict, width) for verdict in verdicts)])


def line(verdict: Verdict, width: int = 0) -> str:
    """Lay one verdict out."""
    counts = "".join(f"{getattr(verdict, name):9}" for name in _COLUMNS)
    result = "skipped" if verdict.is_skipped else "ok" if verdict.passed else "FAILED"
    times = f"{verdict.slowest_recovery:10.2f}{verdict.overrun:9.2f}"
    return f"{verdict.scenario:{width}} {counts}{times}  {result}  {verdict.note}"
