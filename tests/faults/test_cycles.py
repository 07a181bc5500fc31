"""The checker of histories finds what is put there, and nothing in a history that is serializable."""

from __future__ import annotations

import pytest

from benchmarks.chaos.cycles import Seen, anomalies
from finance import Outcome

_STORED = Outcome.APPLIED


@pytest.mark.parametrize(
    ("name", "history"),
    [
        (
            "G0",  # two lists in opposite orders
            [
                Seen(_STORED, [("x", 1), ("y", 1)]),
                Seen(_STORED, [("x", 2), ("y", 2)]),
                Seen(_STORED, [], [("x", (1, 2))]),
                Seen(_STORED, [], [("y", (2, 1))]),
            ],
        ),
        ("G1a", [Seen(Outcome.NOT_APPLIED, [("x", 1)]), Seen(_STORED, [], [("x", (1,))])]),
        (
            "G1c",  # each read what the other wrote
            [Seen(_STORED, [("x", 1)], [("y", (2,))]), Seen(_STORED, [("y", 2)], [("x", (1,))])],
        ),
        (
            "G2",  # write skew: each read what the other was about to change
            [
                Seen(_STORED, [("x", 1)], [("y", ())]),
                Seen(_STORED, [("y", 2)], [("x", ())]),
                Seen(_STORED, [], [("x", (1,)), ("y", (2,))]),
            ],
        ),
        (
            "order",  # nobody can have appended in both
            [
                Seen(_STORED, [("x", 1)]),
                Seen(_STORED, [("x", 2)]),
                Seen(_STORED, [], [("x", (1, 2))]),
                Seen(_STORED, [], [("x", (2, 1))]),
            ],
        ),
        ("phantom", [Seen(_STORED, [], [("x", (1,))])]),
    ],
)
def test_an_anomaly_is_found(name: str, history: list[Seen]) -> None:
    """Exactly that one, once."""
    assert {found for found, count in anomalies(history, is_ordered=True).items() if count} == {name}


def test_write_skew_is_found_in_sets() -> None:
    """Without an order, what was not seen was stored later."""
    history = [Seen(_STORED, [("x", 1)], [("y", ())]), Seen(_STORED, [("y", 2)], [("x", ())])]

    assert anomalies(history, is_ordered=False)["G2"] == 1


@pytest.mark.parametrize("is_ordered", [True, False])
def test_a_serial_history_is_clean(*, is_ordered: bool) -> None:
    """One after the other, each sees all before it; what was rolled back is seen by nobody."""
    history = [
        Seen(_STORED, [("x", number)], [("x", tuple(range(number))), ("y", ()), ("x", tuple(range(number + 1)))])
        for number in range(50)
    ]
    history.append(Seen(Outcome.NOT_APPLIED, [("x", 50)], [("x", (*range(51),))]))

    assert not +anomalies(history, is_ordered=is_ordered)


def test_a_transaction_of_unknown_outcome_may_be_seen_or_not() -> None:
    """A read decides; without one it is as if it had never been."""
    unknown = Seen(Outcome.UNKNOWN, [("x", 1)], [("y", ())])

    assert not +anomalies([unknown, Seen(_STORED, [("y", 2)], [("x", ())])], is_ordered=False)
    assert not +anomalies([unknown, Seen(_STORED, [], [("x", (1,))])], is_ordered=True)
