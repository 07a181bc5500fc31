"""Rounds of us and a peer in turn, and the median of each: an absolute time on a shared machine means little."""

from __future__ import annotations

import dataclasses
import gc
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager

#: A measured work: it does its work once and returns how many operations that were.
Work = Callable[[], Awaitable[int]]

#: Connects us and a peer, and lends the work of each.
Sides = Callable[[], AbstractAsyncContextManager[tuple[Work, Work]]]

#: What a round found of us and of the peer.
Pair = tuple[float, float]

#: What Python's cyclic collector may do during a turn.
Collector = Callable[[], AbstractContextManager[None]]

ROUNDS = 9

#: Turns of each within a round: what else the machine does meets both alike.
TURNS = 5


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


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep Python's cyclic collector out of a turn: works that alternate meet it in step, always in the same one."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def collected() -> Iterator[None]:
    """Leave the collector on, with nothing old to look at: a work that makes many objects pays for its own."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


async def compare(row: Row, sides: Sides, *, rounds: int = ROUNDS, collector: Collector = uncollected) -> Result:
    """Measure operations a second of both, in rounds of several turns each, after one turn that does not count.

    Each round connects both anew: a back end that the machine happens to run beside its client is slower by half
    for as long as it lives, and a pool that always hands out the same connection keeps that luck.

    `spread` is the largest deviation of a round's ratio from the median, as a share of it.
    """
    return judge(row, await rates(sides, rounds=rounds, collector=collector))


async def rates(sides: Sides, *, rounds: int = ROUNDS, collector: Collector = uncollected) -> list[Pair]:
    """Return the operations a second of both in each round, as `compare()` measures them."""
    return [await _round(sides, collector) for _ in range(rounds)]


def judge(row: Row, pairs: Sequence[Pair], *, unit: str = "operations/s", lower_is_better: bool = False) -> Result:
    """Make the result of *row* from what each round found of us and of the peer, in *unit*."""
    ratios = [our / peer for our, peer in pairs]
    ratio = statistics.median(ratios)
    return Result(
        row.name,
        unit,
        statistics.median(our for our, _ in pairs),
        statistics.median(peer for _, peer in pairs),
        row.peer_name,
        ratio,
        row.floor,
        row.goal,
        lower_is_better=lower_is_better,
        rounds=len(pairs),
        spread=max(abs(each - ratio) for each in ratios) / ratio,
    )


async def _round(sides: Sides, collector: Collector) -> Pair:
    """Return the operations a second of both, over turns that alternate."""
    seconds, operations = [0.0, 0.0], [0, 0]
    async with sides() as works:
        for work in works:
            await work()
        for turn in range(2 * TURNS):
            side = turn % 2
            with collector():
                started = time.perf_counter()
                operations[side] += await works[side]()
                seconds[side] += time.perf_counter() - started
    return operations[0] / seconds[0], operations[1] / seconds[1]


def table(results: Sequence[Result]) -> str:
    """Lay the results out for a reader."""
    head = (
        f"{'row':12} {'finance':>12} {'peer':>12} {'ratio':>7} {'floor':>7} {'goal':>7} {'spread':>7} {'rounds':>6}"
        "  unit, peer"
    )
    lines = [
        f"{r.name:12} {r.finance:12,.1f} {r.peer:12,.1f} {r.ratio:7.2f} {r.floor:7.2f} {r.goal:7.2f} {r.spread:7.0%}"
        f" {r.rounds:6}"
        f"  {r.unit}, {r.peer_name}{', lower is better' if r.lower_is_better else ''}"
        for r in results
    ]
    return "\n".join([head, *lines])
