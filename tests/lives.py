"""Random lives of the books beside a model of them."""

from __future__ import annotations

import hypothesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.machine import BooksMachine


def lead(dsn: str, lives: int, steps: int, *, seed: int | None = None, shortens: bool = True) -> int:
    """Lead random lives in the database *dsn*, and return how many steps they took together.

    Args:
        dsn: The database; each life has a ledger of its own in it.
        lives: How many.
        steps: How many each takes at most, after those with which it begins.
        seed: Leads the same lives again.
        shortens: Look for the shortest life that shows a difference: it takes a hundred times as long as to find it.

    Raises:
        AssertionError: The database and the model differ; hypothesis prints a life that shows it.
    """
    machine = type("Books", (BooksMachine,), {"dsn": dsn, "rules_run": 0})
    run_state_machine_as_test(
        machine if seed is None else hypothesis.seed(seed)(machine),
        settings=settings(
            max_examples=lives,
            stateful_step_count=steps,
            deadline=None,
            phases=(Phase.generate, Phase.shrink) if shortens else (Phase.generate,),
            database=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
    return int(machine.rules_run)  # type: ignore[attr-defined]
