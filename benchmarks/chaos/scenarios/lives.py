"""X8: books are led through random lives beside a model of them in plain Python."""

from __future__ import annotations

import asyncio

from benchmarks.chaos.lab import Lab
from benchmarks.chaos.verdict import Verdict
from tests.lives import lead


async def random_lives(lab: Lab) -> Verdict:
    """X8: after each step, every balance is what the model says."""
    async with lab.books("X8") as books:
        lives, steps = lab.size(80, 3), lab.size(40, 8)
        try:
            # Each life has a ledger of its own, which it audits itself.
            rules = await asyncio.to_thread(lead, books.dsn, lives, steps, seed=lab.seed, shortens=not lab.is_short)
        except AssertionError as error:
            return lab.verdict("X8", tries=lives, note=f"the database and the model differ: {error}"[:500])
        note = f"{lives} lives of up to {steps} steps, {rules} steps in all"
        return lab.verdict("X8", tries=rules, note=note, passed=True)
