"""`python -m benchmarks.chaos [--short] [--seed N] [SCENARIO ...]`: run them, print the table, write chaos.json."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import logging
import random
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.chaos.lab import laboratory
from benchmarks.chaos.scenarios import SCENARIOS, batch_of, run_batch
from benchmarks.chaos.verdict import Verdict, line, table

_RESULTS = Path(__file__).parents[1] / "chaos.json"


def main(arguments: Sequence[str]) -> int:
    """Run the scenarios; 1 when one did not pass."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description=__doc__)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=f"of {', '.join(SCENARIOS)}; all unless given")
    parser.add_argument("--short", action="store_true", help="the form that the tests run")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="replays a run")
    given = parser.parse_args(arguments)
    if unknown := set(given.scenarios) - SCENARIOS.keys():
        parser.error(f"no scenario {', '.join(sorted(unknown))}")
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # the driver's own cancelled connections, by the hundred
    logging.getLogger("finance").setLevel(logging.CRITICAL)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that every server is ended on the way out
    print(f"seed {given.seed}")
    verdicts = asyncio.run(_run(given.scenarios or list(SCENARIOS), seed=given.seed, is_short=given.short))
    print("\n" + table(verdicts))
    if not given.scenarios:
        form = "short" if given.short else "full"
        rows = [dataclasses.asdict(verdict) for verdict in verdicts]
        _RESULTS.write_text(json.dumps({"form": form, "seed": given.seed, "scenarios": rows}, indent=2) + "\n")
    return 0 if all(verdict.passed for verdict in verdicts) else 1


async def _run(names: Sequence[str], *, seed: int, is_short: bool) -> list[Verdict]:
    verdicts = []
    async with laboratory(seed=seed, is_short=is_short) as lab:
        for batch in _batches(names, is_short=is_short):
            started = time.perf_counter()
            for found in (await run_batch(lab, batch)).values():
                print("\n".join(line(verdict, 22) for verdict in found), flush=True)
                verdicts += found
            print(f"{', '.join(batch)} took {time.perf_counter() - started:.1f} s", flush=True)
    return verdicts


def _batches(names: Sequence[str], *, is_short: bool) -> list[tuple[str, ...]]:
    if not is_short:
        return [(name,) for name in names]
    return list(dict.fromkeys(tuple(each for each in batch_of(name) if each in names) for name in names))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
