"""P1: backends are terminated. P2: backends and servers are killed and stopped. P3: the server stands still."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from benchmarks.chaos.cluster import wait_until
from benchmarks.chaos.lab import Books, Lab
from benchmarks.chaos.load import load, outage, recovery
from benchmarks.chaos.scenarios.network import GRACE, bounded
from benchmarks.chaos.verdict import Verdict
from finance import DatabaseManager, Outcome, Retry

SHARES = {"one": "LIMIT 1", "all": "", "60 %": "AND random() < 0.6"}
_TERMINATE = """
SELECT count(pg_terminate_backend(pid)) FROM (
    SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
       AND backend_type = 'client backend' {}) AS victims
"""
_BACKEND = """
SELECT pid FROM pg_stat_activity WHERE datname = $1 AND backend_type = 'client backend' AND pid <> pg_backend_pid()
 ORDER BY pid LIMIT 1
"""
#: Seconds that an idempotent call has to succeed, from the moment when the server is ready again.
_TIME = 30.0
#: As long as `Node` waits at most for a server to be gone, and to be ready again, and that time after it. Pauses are
#: short by chance, so that a number of attempts would be no time.
_PATIENCE = 60.0 + _TIME
RETRY = Retry(attempts=10_000, deadline=_PATIENCE, idempotent=True)


async def terminated_backends(lab: Lab, share: str) -> Verdict:
    """P1: callers of idempotent work never hear of backends that were terminated."""
    name = f"P1 {share}"
    async with lab.books(name) as books, DatabaseManager(books.dsn, max_size=8) as db:
        killed = 0
        slowest = 0.0
        clock = asyncio.get_running_loop().time
        retry = Retry(idempotent=True)

        async def post() -> None:
            is_run = books.random.random() < 0.5
            await (books.run(db, books.key(), retry) if is_run else books.lane(db, books.key()))

        async with load(post), lab.node.administered(books.database) as admin:
            for _ in range(lab.size(10, 3)):
                await asyncio.sleep(lab.size(1.0, 0.3))
                struck = clock()
                killed += await admin.fetchval(_TERMINATE.format(SHARES[share]))
                await asyncio.sleep(0.2)
                slowest = max(slowest, outage(books.record, struck, clock()))
            await asyncio.sleep(0.2)
        failures = [f"{count} times {kind}" for kind, count in books.record.errors.items()]
        figures = {"faults": killed, "slowest_recovery": slowest}
        verdict = lab.verdict(name, **figures, note=f"{db.stats().retries} retries")
        return await books.judge(verdict, db, failures=failures)


# --- P2 ------------------------------------------------------------------------------------------------


async def _kill_backend(lab: Lab, books: Books) -> None:
    async with lab.node.administered() as admin:
        pid = await admin.fetchval(_BACKEND, books.database)
        await lab.node.kill_backend(pid)

        async def has_noticed() -> bool:  # it ends every connection then, and takes none until it has recovered
            return admin.is_closed()

        await wait_until(has_noticed, "the postmaster to notice")


async def _kill_postmaster(lab: Lab, _books: Books) -> None:
    await lab.node.kill()
    await asyncio.sleep(lab.size(1.0, 0.2))
    await lab.node.launch()


async def _stop_fast(lab: Lab, _books: Books) -> None:
    await lab.node.stop()
    await asyncio.sleep(lab.size(1.0, 0.2))
    await lab.node.launch()


async def _stop_immediately(lab: Lab, _books: Books) -> None:
    await lab.node.stop(immediate=True)
    await asyncio.sleep(lab.size(1.0, 0.2))
    await lab.node.launch()


async def _restart(lab: Lab, _books: Books) -> None:
    await lab.node.stop()
    await lab.node.launch()


FALLS: dict[str, Callable[[Lab, Books], Awaitable[None]]] = {
    "kill backend": _kill_backend,
    "kill postmaster": _kill_postmaster,
    "stop fast": _stop_fast,
    "stop immediate": _stop_immediately,
    "restart": _restart,
}


async def fallen_server(lab: Lab, fall: str) -> Verdict:
    """P2: at most a second after the server is ready again, calls succeed; what was acknowledged is there."""
    name = f"P2 {fall}"
    healing = 0.0
    rounds = lab.size(3, 1)
    async with (
        lab.books(name) as books,
        lab.network() as network,
        lab.patience(1.0) as bound,
        DatabaseManager(network.dsn(books.database), max_size=8) as db,
    ):
        async with load(lambda: _either(db, books)):
            for _ in range(rounds):
                await asyncio.sleep(0.3)
                await FALLS[fall](lab, books)
                ready = await lab.node.ready()
                healing = max(healing, await recovery(books.record, ready))
        last = asyncio.get_running_loop().time() - ready
        failures = [f"{healing:.2f} s from readiness to the first success"] if healing > bound() else []
        failures += [f"{last:.2f} s from readiness until no call was left"] if last > _TIME else []
        figures = {"faults": rounds, "slowest_recovery": healing}
        note = ", ".join(f"{count} {kind}" for kind, count in books.record.errors.items())
        return await books.judge(lab.verdict(name, **figures, note=note), db, failures=failures)


async def _either(db: DatabaseManager, books: Books) -> None:
    """Post without a second chance, or with as many as it takes."""
    match books.random.randrange(4):
        case 0:
            await books.post(db, books.key())
        case 1:
            await books.mark(db, books.key())
        case way:
            key = books.key()
            await (books.run(db, key, RETRY) if way == 2 else books.lane(db, key, _PATIENCE))
            if books.record.told[key] is not Outcome.APPLIED:
                books.record.contradictions.append(f"an idempotent call ({'run' if way == 2 else 'lane'}) failed")


# --- P3 ------------------------------------------------------------------------------------------------


async def frozen_server(lab: Lab) -> Verdict:
    """P3: while the server stands still calls return in time, and nobody storms it with connections."""
    size = 8
    async with (
        lab.books("P3") as books,
        lab.network() as network,
        lab.patience(GRACE, asks_server=False) as bound,
        DatabaseManager(network.dsn(books.database), max_size=size, acquire_timeout=5) as db,
    ):
        deadline = lab.size(1.0, 0.2)
        async with load(lambda: bounded(db, books, deadline), callers=12) as running:
            await asyncio.sleep(0.3)
            before = network.counts.connects
            lab.node.freeze()
            try:
                await asyncio.sleep(lab.size(5.0, 2.4))
                connects = network.counts.connects - before
            finally:
                lab.node.thaw()
            # In the short form others use the processor that twelve callers, their back ends and the pool wait for.
            async with lab.patience(lab.size(1.0, 2.0)) as healed:
                healing = await recovery(books.record, asyncio.get_running_loop().time())
        overrun = max(0.0, running.slowest - deadline)
        failures = [f"{connects} connects for a pool of {size}"] if connects > size else []
        failures += [f"a call went on for {overrun:.2f} s after its deadline"] if overrun > bound() else []
        failures += [f"{healing:.2f} s from the thaw to the first success"] if healing > healed() else []
        figures = {"tries": running.calls, "faults": 1, "slowest_recovery": healing, "overrun": overrun}
        verdict = lab.verdict("P3", **figures, note=f"{connects} connects while it stood still")
        return await books.judge(verdict, db, failures=failures)
