"""By how much the memory of a process grows that streams a million postings: P13 of the targets.

It has no peer: its ratio is the growth in MB. `python -m benchmarks.streaming` is the process that reads.
"""

from __future__ import annotations

import asyncio
import json
import logging
import statistics
import sys
from pathlib import Path

from benchmarks.harness import Result, Row
from benchmarks.history import History, books_with, scaled
from finance import DatabaseManager

ROWS = {"P13": Row("P13", "stream 1,000,000 postings", "none", 30, 10)}

_ENTRIES, _DAYS = 500_000, 3650
#: Few, because each process finds nearly the same.
_ROUNDS = 3


async def measure(name: str, dsn: str) -> list[Result]:
    """Measure the row *name*, in a fresh process each round, so that no other row has left its memory there."""
    history, row = History(scaled(_ENTRIES), _DAYS), ROWS[name]
    async with books_with(history, dsn, "streaming") as (own, books):
        grown = [await _in_process(own, books.ledger_id, 2 * history.entries) for _ in range(_ROUNDS)]
    middle = statistics.median(grown)
    return [
        Result(
            row.name,
            "MB",
            middle,
            0,
            row.peer_name,
            middle,
            row.floor,
            row.goal,
            lower_is_better=True,
            rounds=_ROUNDS,
            spread=max(abs(each - middle) for each in grown) / max(middle, 0.001),
        )
    ]


async def _in_process(dsn: str, ledger_id: int, postings: int) -> float:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __spec__.name, dsn, str(ledger_id), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    found = json.loads(output)
    assert found["postings"] == postings  # noqa: S101 - who reads less needs less
    return float(found["grown"])


async def _stream(dsn: str, ledger_id: int) -> None:
    """Connect, then read every posting, and print by how many MB the most memory ever held exceeds that before."""
    async with DatabaseManager(dsn, max_size=1) as db, db.unit_of_work(ledger_id) as uow:
        before, count = _memory("VmRSS"), 0
        async for _ in uow.journal.postings():
            count += 1
        print(json.dumps({"postings": count, "grown": _memory("VmHWM") - before}))


def _memory(kind: str) -> float:
    """Return the resident memory of this process in MB: VmRSS now, VmHWM at its most. Linux tells it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(kind)) / 1024


if __name__ == "__main__":
    logging.getLogger("finance.slow").setLevel(logging.ERROR)  # that the statement takes long is known here
    asyncio.run(_stream(sys.argv[1], int(sys.argv[2])))
