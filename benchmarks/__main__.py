"""Run the rows on an embedded server of its own and write `benchmarks/results.json`.

All of them take about half an hour, and 6 GB of disk; FINANCE_BENCH_SIZE=0.01 makes the long ones small, for a quick
look.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import shutil
import sys
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import uvloop

from benchmarks import (
    balances,
    connection,
    forty_years,
    growing,
    importing,
    loading,
    posting,
    reading,
    statements,
    streaming,
)
from benchmarks.harness import Result, table
from finance import DatabaseManager, EmbeddedServer

#: Measured on both event loops.
MODULES = (connection, reading, posting, statements)
#: Measured on asyncio's own only: the server works in them, for minutes, or memory is what counts.
LONG = (loading, growing, balances, streaming, forty_years)
NAMES = [name for module in (*MODULES, *LONG, importing) for name in module.ROWS]
RESULTS = Path(__file__).with_name("results.json")

#: A way to measure some rows on the server that a DSN names.
Measuring = Callable[[list[str], str], Coroutine[Any, Any, list[Result]]]


async def on_server(measuring: Measuring, names: list[str], folder: Path) -> list[Result]:
    """Measure the rows *names* on a server that keeps its data in *folder*."""
    async with EmbeddedServer(folder) as server:
        async with DatabaseManager(server.dsn()) as db:
            await db.migrations.upgrade()
        return await measuring(names, server.dsn())


async def short(names: list[str], dsn: str) -> list[Result]:
    """Measure those of the rows *names* in turn that take seconds."""
    return [await module.measure(name, dsn) for module in MODULES for name in names if name in module.ROWS]


async def long(names: list[str], dsn: str) -> list[Result]:
    """Measure those of the rows *names* in turn that take minutes."""
    found = [await module.measure(name, dsn) for module in LONG for name in names if name in module.ROWS]
    return [result for results in found for result in results]


def on_both_loops(names: list[str], folder: Path) -> list[Result]:
    """Measure the short rows on asyncio's own event loop, and on uvloop's."""
    results = []
    for suffix, factory in (("", None), ("/uvloop", uvloop.new_event_loop)):
        with asyncio.Runner(loop_factory=factory) as runner:
            found = runner.run(on_server(short, names, folder))
        results += [dataclasses.replace(result, name=result.name + suffix) for result in found]
    return sorted(results, key=lambda result: names.index(result.name.removesuffix("/uvloop")))


def main() -> None:
    """Measure what the command line names, or all."""
    names = [name for name in sys.argv[1:] if name] or NAMES
    if unknown := sorted(set(names) - set(NAMES)):
        sys.exit(f"no row {', '.join(unknown)}; there are {', '.join(NAMES)}")
    logging.getLogger("finance.slow").setLevel(logging.ERROR)  # that statements take long is known here
    folder = Path(tempfile.mkdtemp(prefix="finance-bench-"))
    folder.chmod(0o755)  # as root, the server runs as another user
    try:
        results = on_both_loops(names, folder)
        results += asyncio.run(on_server(long, names, folder))
        results += [importing.measure()] if "P12" in names else []
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    RESULTS.write_text(json.dumps([dataclasses.asdict(result) for result in results], indent=2) + "\n")
    print(table(results))


if __name__ == "__main__":
    main()
