"""A checker for histories of appends and reads: whatever is not serializable shows as a cycle of dependencies.

It knows three kinds of them between two committed transactions: the second appended behind the first (ww), it read
what the first appended (wr), or the first read a state that lacks what the second appended (rw). A cycle of ww alone
is the anomaly G0, one of ww and wr G1c, and one with rw G2: the item form of the literature, as elements are named.
"""

from __future__ import annotations

import enum
import itertools
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from finance import Outcome


@dataclass(slots=True)
class Seen:
    """What one transaction did.

    Attributes:
        outcome: What became of it.
        appended: Lists by their keys, and the element that was appended to each, in order; an element is used once.
        read: Lists by their keys, and the elements that were found in each, its own among them.
    """

    outcome: Outcome = Outcome.UNKNOWN
    appended: list[tuple[Hashable, int]] = field(default_factory=list)
    read: list[tuple[Hashable, tuple[int, ...]]] = field(default_factory=list)


class Kind(enum.Enum):
    """How one transaction depends on another."""

    WW = "it appended behind the other"
    WR = "it read what the other appended"
    RW = "the other read a state without what it appended"


Edges = Mapping[int, Mapping[int, set[Kind]]]

#: Each anomaly, and the kinds of dependencies whose cycles are it; those found by a stricter name count once.
_ANOMALIES = (
    ("G0", frozenset({Kind.WW})),
    ("G1c", frozenset({Kind.WW, Kind.WR})),
    ("G2", frozenset(Kind)),
)


def anomalies(history: Sequence[Seen], *, is_ordered: bool) -> Counter[str]:
    """Count what a serializable history cannot have.

    Args:
        history: Every transaction.
        is_ordered: Reads tell the order of the appends; else they are sets, and there are no ww dependencies.

    Returns:
        How often each came: "G0", "G1a" (a read of what was rolled back), "G1c", "G2", "order" (two reads
        that contradict each other) and "phantom" (a read of what nobody appended). Cycles that hang together
        count as one.
    """
    writers = {(key, element): index for index, seen in enumerate(history) for key, element in seen.appended}
    found = _bad_reads(history, writers)
    committed = [seen.outcome is not Outcome.NOT_APPLIED for seen in history]
    if is_ordered:
        orders = _orders(history, found)
        edges = _of_lists(history, writers, orders)
    else:
        edges = _of_sets(history, writers)
    edges = {first: {second: kinds for second, kinds in after.items() if committed[second]}
             for first, after in edges.items() if committed[first]}  # fmt: skip
    known: set[int] = set()
    for name, kinds in _ANOMALIES:
        for group in _cyclic(edges, kinds):
            if not known & group:
                found[name] += 1
            known |= group
    return found


def _bad_reads(history: Sequence[Seen], writers: Mapping[tuple[Hashable, int], int]) -> Counter[str]:
    found: Counter[str] = Counter()
    for seen in history:
        for key, elements in seen.read:
            for element in elements:
                writer = writers.get((key, element))
                if writer is None:
                    found["phantom"] += 1
                elif history[writer].outcome is Outcome.NOT_APPLIED and history[writer] is not seen:
                    found["G1a"] += 1
    return found


def _orders(history: Sequence[Seen], found: Counter[str]) -> dict[Hashable, tuple[int, ...]]:
    """Return the order of each list, which is its longest read; all others must begin it."""
    orders: dict[Hashable, tuple[int, ...]] = {}
    reads = [read for seen in history if seen.outcome is not Outcome.NOT_APPLIED for read in seen.read]
    for key, elements in sorted(reads, key=lambda read: len(read[1]), reverse=True):
        longest = orders.setdefault(key, elements)
        found["order"] += longest[: len(elements)] != elements
    return orders


def _of_lists(
    history: Sequence[Seen],
    writers: Mapping[tuple[Hashable, int], int],
    orders: Mapping[Hashable, tuple[int, ...]],
) -> dict[int, dict[int, set[Kind]]]:
    edges = _no_edges()
    for key, order in orders.items():
        who = [writers.get((key, element), -1) for element in order]
        for first, second in itertools.pairwise(who):
            _note(edges, first, second, Kind.WW)
    for index, seen in enumerate(history):
        for key, elements in seen.read:
            others = [element for element in elements if writers.get((key, element)) != index]
            if others:
                _note(edges, writers.get((key, others[-1]), -1), index, Kind.WR)
            for element in orders.get(key, ())[len(elements) : len(elements) + 1]:
                _note(edges, index, writers.get((key, element), -1), Kind.RW)
    return edges


def _of_sets(history: Sequence[Seen], writers: Mapping[tuple[Hashable, int], int]) -> dict[int, dict[int, set[Kind]]]:
    edges = _no_edges()
    stored: dict[Hashable, set[int]] = defaultdict(set)
    for key, element in writers:
        if history[writers[key, element]].outcome is Outcome.APPLIED:
            stored[key].add(element)
    for index, seen in enumerate(history):
        for key, elements in seen.read:
            for element in elements:
                _note(edges, writers.get((key, element), -1), index, Kind.WR)
            for element in stored[key].difference(elements):
                _note(edges, index, writers[key, element], Kind.RW)
    return edges


def _no_edges() -> dict[int, dict[int, set[Kind]]]:
    return defaultdict(lambda: defaultdict(set))


def _note(edges: dict[int, dict[int, set[Kind]]], first: int, second: int, kind: Kind) -> None:
    if -1 not in (first, second) and first != second:
        edges[first][second].add(kind)


def _cyclic(edges: Edges, kinds: frozenset[Kind]) -> Iterator[set[int]]:
    """Find the groups of transactions that depend on each other in a circle (Tarjan, without recursion)."""
    numbers: dict[int, int] = {}
    lowest: dict[int, int] = {}
    stack: list[int] = []
    waiting: set[int] = set()

    def after(node: int) -> Iterator[int]:
        return (other for other, how in edges.get(node, {}).items() if how & kinds)

    for start in list(edges):
        if start in numbers:
            continue
        numbers[start] = lowest[start] = len(numbers)
        stack.append(start)
        waiting.add(start)
        path = [(start, after(start))]
        while path:
            node, others = path[-1]
            other = next(others, None)
            if other is None:
                path.pop()
                if path:
                    lowest[path[-1][0]] = min(lowest[path[-1][0]], lowest[node])
                if lowest[node] == numbers[node]:
                    group = _popped(stack, node)
                    waiting -= group
                    if len(group) > 1:
                        yield group
            elif other not in numbers:
                numbers[other] = lowest[other] = len(numbers)
                stack.append(other)
                waiting.add(other)
                path.append((other, after(other)))
            elif other in waiting:
                lowest[node] = min(lowest[node], numbers[other])


def _popped(stack: list[int], until: int) -> set[int]:
    at = stack.index(until)
    group = set(stack[at:])
    del stack[at:]
    return group
