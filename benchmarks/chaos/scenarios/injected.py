"""B1: the library's own faults, a quarter of them active, each striking a quarter of the time."""

from __future__ import annotations

from collections import Counter
from functools import partial

from benchmarks.chaos.lab import Lab
from benchmarks.chaos.load import all_of
from benchmarks.chaos.verdict import Verdict
from finance import DatabaseManager, Outcome, Retry
from finance.testing import Fault, Faults

_PATIENT = Retry(attempts=200, deadline=60.0, idempotent=True, pause=0.002, longest_pause=0.05)


async def buggify(lab: Lab) -> Verdict:
    """B1: whatever of it strikes, what was told is what is stored, and work with a key is stored once."""
    fired: Counter[Fault] = Counter()
    unfinished = 0
    async with lab.books("B1") as books, DatabaseManager(books.dsn, max_size=8) as db:
        for _ in range(lab.size(200, 8)):
            with Faults(books.random.getrandbits(32), delay=0.005).injected_into(db) as faults:
                keys = [books.key() for _ in range(8)]
                await all_of((partial(books.run, db, key, _PATIENT) for key in keys), callers=8)
                await all_of((partial(books.post, db, books.key()) for _ in range(4)), callers=4)
                await all_of((partial(books.mark, db, books.key()) for _ in range(4)), callers=4)
            fired += faults.fired
            unfinished += sum(books.record.told[key] is not Outcome.APPLIED for key in keys)
        failures = [f"{unfinished} of those that try again were not stored"] if unfinished else []
        if not lab.is_short and (never := set(Fault) - fired.keys()):
            failures.append(f"never fired: {', '.join(never)}")
        sites = ", ".join(f"{count} {fault}" for fault, count in sorted(fired.items()))
        verdict = lab.verdict("B1", faults=fired.total(), note=f"{len(fired)} of {len(Fault)} sites fired: {sites}")
        return await books.judge(verdict, db, failures=failures)
