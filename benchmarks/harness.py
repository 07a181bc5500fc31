"""Rounds of us and a peer in turn, and the median of each: an absolute time on a shared machine means little."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence

#: A measured work: it does its work once and returns how many operations that were.
Work = Callable[[], Awaitable[int]]

ROUNDS = 7


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """One row. `ratio` is finance to peer, so that a rate is better above 1 and a time below."""

    name: str
    unit: str
    finance: float
    peer: float
    peer_name: str
    ratio: float
    floor: float
    goal: float
    lower_is_better: bool
    rounds: int
    spread: float


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """What a row of the table measures, and how far it must reach."""

    name: str
    title: str
    peer_name: str
    floor: float
    goal: float


async def compare(row: Row, ours: Work, peers: Work, *, rounds: int = ROUNDS) -> Result:
    """Measure operations a second of both, one round of each in turn after one that does not count.

    `spread` is the largest deviation of a round's ratio from the median, as a share of it.
    """
    await ours()
    await peers()
    pairs = [(await _rate(ours), await _rate(peers)) for _ in range(rounds)]
    ratios = [our / peer for our, peer in pairs]
    ratio = statistics.median(ratios)
    return Result(
        row.name,
        "operations/s",
        statistics.median(our for our, _ in pairs),
        statistics.median(peer for _, peer in pairs),
        row.peer_name,
        ratio,
        row.floor,
        row.goal,
        lower_is_better=False,
        rounds=rounds,
        spread=max(abs(each - ratio) for each in ratios) / ratio,
    )


async def _rate(work: Work) -> float:
    started = time.perf_counter()
    operations = await work()
    return operations / (time.perf_counter() - started)


def table(results: Sequence[Result]) -> str:
    """Lay the results out for a reader."""
    head = f"{'row':5} {'finance':>12} {'peer':>12} {'ratio':>7} {'floor':>7} {'goal':>7} {'spread':>7}  unit, peer"
    lines = [
        f"{r.name:5} {r.finance:12,.1f} {r.peer:12,.1f} {r.ratio:7.2f} {r.floor:7.2f} {r.goal:7.2f} {r.spread:7.0%}"
        f"  {r.unit}, {r.peer_name}{', lower is better' if r.lower_is_better else ''}"
        for r in results
    ]
    return "\n".join([head, *lines])
