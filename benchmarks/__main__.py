"""Run the rows on an embedded server of its own and write `benchmarks/results.json`."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import shutil
import sys
import tempfile
from pathlib import Path

import uvloop

from benchmarks import connection, importing, posting
from benchmarks.harness import Result, table
from finance import DatabaseManager, EmbeddedServer

MODULES = (connection, posting)
NAMES = [*(name for module in MODULES for name in module.ROWS), "P12"]
RESULTS = Path(__file__).with_name("results.json")


async def measure(names: list[str], folder: Path) -> list[Result]:
    """Measure the rows *names* in turn, on a server that keeps its data in *folder*."""
    async with EmbeddedServer(folder) as server:
        async with DatabaseManager(server.dsn()) as db:
            await db.migrations.upgrade()
        return [await module.measure(name, server.dsn()) for module in MODULES for name in names if name in module.ROWS]


def on_both_loops(names: list[str], folder: Path) -> list[Result]:
    """Measure the rows on asyncio's own event loop, and on uvloop's."""
    results = []
    for suffix, factory in (("", None), ("/uvloop", uvloop.new_event_loop)):
        with asyncio.Runner(loop_factory=factory) as runner:
            found = runner.run(measure(names, folder))
        results += [dataclasses.replace(result, name=result.name + suffix) for result in found]
    return sorted(results, key=lambda result: names.index(result.name.removesuffix("/uvloop")))


def main() -> None:
    """Measure what the command line names, or all."""
    names = [name for name in sys.argv[1:] if name] or NAMES
    if unknown := sorted(set(names) - set(NAMES)):
        sys.exit(f"no row {', '.join(unknown)}; there are {', '.join(NAMES)}")
    folder = Path(tempfile.mkdtemp(prefix="finance-bench-"))
    folder.chmod(0o755)  # as root, the server runs as another user
    try:
        results = on_both_loops(names, folder)
        results += [importing.measure()] if "P12" in names else []
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    RESULTS.write_text(json.dumps([dataclasses.asdict(result) for result in results], indent=2) + "\n")
    print(table(results))


if __name__ == "__main__":
    main()
