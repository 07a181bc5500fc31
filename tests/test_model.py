"""The books and a model of them in plain Python are led through the same random life, and compared at each step.

FINANCE_MODEL_EXAMPLES sets how many lives (3 unless set), FINANCE_MODEL_STEPS how long they are (12). Where it is
set, a life that shows a difference is shortened, which takes its time.
"""

from __future__ import annotations

import asyncio
import os

import pytest

from tests.lives import lead

EXAMPLES = int(os.environ.get("FINANCE_MODEL_EXAMPLES", "3"))
STEPS = int(os.environ.get("FINANCE_MODEL_STEPS", "12"))

#: The short form tells the first life that shows a difference, and ends.
IS_SHORT = "FINANCE_MODEL_EXAMPLES" not in os.environ

#: A long run may take its time.
pytestmark = pytest.mark.timeout(max(300, EXAMPLES * STEPS), func_only=True)


async def test_the_books_are_what_the_model_says(each_dsn: str) -> None:
    """Accounts, limits, entries good and bad, reversals, closings, raw balances, and several posters at once."""
    assert await asyncio.to_thread(lead, each_dsn, EXAMPLES, STEPS, shortens=not IS_SHORT) > 0
