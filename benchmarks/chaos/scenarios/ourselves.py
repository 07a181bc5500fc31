"""P4: our own process is killed. P5: it is asked to end. V2: it stands in other time zones."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from benchmarks.chaos.child import DRAIN
from benchmarks.chaos.lab import Books, Lab
from benchmarks.chaos.verdict import Verdict
from finance import DatabaseManager, Outcome

ZONES = ("UTC", "Asia/Tokyo", "Europe/Berlin")

_ROOT = Path(__file__).parents[3]


@contextlib.asynccontextmanager
async def _child(
    job: str, books: Books, environment: Mapping[str, str] | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run *job* of `benchmarks.chaos.child`; it is gone when the block ends."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.chaos.child", job, books.dsn, str(books.ledger)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=_ROOT,
        env={**os.environ, **(environment or {})},
        limit=2**20,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _events(process: asyncio.subprocess.Process) -> AsyncIterator[dict[str, Any]]:
    """Read what it says, until it ends; the last line of one that was killed may be a part."""
    if process.stdout is None:
        raise RuntimeError("its output is read here")
    async for line in process.stdout:
        with contextlib.suppress(json.JSONDecodeError):
            yield json.loads(line)


# --- P4 ------------------------------------------------------------------------------------------------


async def killed_process(lab: Lab) -> Verdict:
    """P4: whenever it is killed, it goes on with the same keys, and nothing is lost or doubled."""
    kills = lab.size(100, 2)
    begun: list[UUID] = []
    async with lab.books("P4") as books:
        for number in range(kills + 1):
            again = [key for key in begun if books.record.told[key] is not Outcome.APPLIED]
            keys = [*again, *(books.key() for _ in range(400 if number < kills else 10))]
            delay = books.random.uniform(0, 0.4) if number < kills else None
            begun = [*again, *await _post_until_killed(books, keys, delay)]
        failures = [f"{len(left)} were never told"] if (left := books.record.keys(Outcome.UNKNOWN)) else []
        async with DatabaseManager(books.dsn) as db:
            verdict = lab.verdict("P4", faults=kills, note=f"{kills} kills")
            return await books.judge(verdict, db, failures=failures)


async def _post_until_killed(books: Books, keys: list[UUID], delay: float | None) -> list[UUID]:
    """Have *keys* posted; kill the process after *delay* seconds; return those that it began."""
    begun = []
    async with _child("post", books) as process:
        if process.stdin is None:
            raise RuntimeError("it takes its keys from there")
        process.stdin.write("\n".join(map(str, keys)).encode())
        process.stdin.close()
        async for event in _events(process):
            match event["event"]:
                case "ready" if delay is not None:
                    asyncio.get_running_loop().call_later(delay, process.kill)
                case "begun":
                    begun.append(UUID(event["key"]))
                    books.record.told.setdefault(begun[-1], Outcome.UNKNOWN)
                case "told":
                    books.record.told[UUID(event["key"])] = Outcome[event["outcome"]]
    return begun


# --- P5 ------------------------------------------------------------------------------------------------


async def terminated_process(lab: Lab) -> Verdict:
    """P5: asked to end with fifty callers under way, it tells each what is stored, and ends in time."""
    slowest = 0.0
    failures: list[str] = []
    rounds = lab.size(10, 1)
    async with lab.books("P5") as books, lab.patience(DRAIN + 1) as bound:
        for _ in range(rounds):
            drained = await _terminated(books)
            slowest = max(slowest, drained["seconds"])
            books.record.told.update({UUID(key): Outcome[told] for key, told in drained["told"].items()})
            books.record.untyped += drained["untyped"]
            books.record.contradictions += drained["contradictions"]
            books.record.errors.update(drained["errors"])
            failures += [f"{drained['pending']} callers still waited"] if drained["pending"] else []
        failures += [f"disconnecting took {slowest:.2f} s, its grace is {DRAIN:g} s"] if slowest > bound() else []
        async with DatabaseManager(books.dsn) as db:
            errors = ", ".join(f"{count} {kind}" for kind, count in books.record.errors.items())
            figures = {"faults": rounds, "overrun": max(0.0, slowest - DRAIN)}
            return await books.judge(lab.verdict("P5", **figures, note=errors), db, failures=failures)


async def _terminated(books: Books) -> dict[str, Any]:
    async with _child("drain", books) as process:
        async for event in _events(process):
            match event["event"]:
                case "ready":
                    await asyncio.sleep(books.random.uniform(0.05, DRAIN / 2))
                    process.send_signal(signal.SIGTERM)
                case "drained":
                    return event
    raise RuntimeError("it ended without a word")


# --- V2 ------------------------------------------------------------------------------------------------


async def time_zones(lab: Lab, zone: str) -> Verdict:
    """V2: wherever the process stands, instants come back as they were, and what has no zone is refused."""
    name = f"V2 {zone}"
    async with lab.books(name) as books:
        found: dict[str, Any] = {"wrong": ["it ended without a word"], "tries": 0, "here": "?"}
        async with _child("zones", books, {"TZ": zone, "PGTZ": zone}) as process:
            async for event in _events(process):
                if event["event"] == "posted":
                    books.record.told[UUID(event["key"])] = Outcome.APPLIED
                else:
                    found = event
        verdict = lab.verdict(name, tries=found["tries"], faults=found["tries"], note=f"it was {found['here']}")
        return await books.judge(verdict, failures=found["wrong"])
