"""The scenarios, by their ids."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from benchmarks.chaos.lab import Lab
from benchmarks.chaos.scenarios import (
    cancels,
    commits,
    connecting,
    contention,
    crashes,
    deadlines,
    failover,
    injected,
    isolation,
    lane,
    lives,
    network,
    ourselves,
    privileges,
    processes,
    schema,
    skew,
    sweep,
    tenants,
    usage,
    values,
)
from benchmarks.chaos.verdict import Verdict

Scenario = Callable[[Lab], Awaitable[Verdict]]

#: Every form of every scenario, under the id of the scenario.
SCENARIOS: dict[str, list[Scenario]] = {
    "B1": [injected.buggify],
    "C1": [partial(cancels.random_cancels, mode=mode, loop=loop) for loop in cancels.LOOPS for mode in cancels.MODES],
    "C2": [partial(sweep.sweep, call=call) for call in sweep.CALLS],
    "C3": [
        *(partial(commits.slow_commit, seconds=seconds) for seconds in commits.SECONDS),
        commits.absent_standby,
    ],
    "C4": [usage.swallowed_errors],
    "C5": [deadlines.short_deadlines],
    "C6": [usage.shared_by_two],
    "D3": [crashes.reused_number],
    "G1": [*lane.FORMS.values()],
    "H1": [failover.asynchronous_failover],
    "H2": [failover.synchronous_failover],
    "H3": [failover.planned_switchover],
    "K1": [privileges.matrix],
    "K2": [partial(tenants.isolation, way=way) for way in tenants.WAYS],
    "L1": [usage.starvation],
    "N1": [partial(network.lost_commits, loss=loss, way=way) for way in network.WAYS for loss in network.LOSSES],
    "N2": [network.forgotten_connections],
    "N3": [partial(network.silence, where=where) for where in network.SILENCES],
    "N4": [connecting.connect_errors],
    "N5": [
        *(partial(network.slow_network, milliseconds=each) for each in (5, 50, 200)),
        partial(network.slow_network, milliseconds=0, is_fragmenting=True),
    ],
    "P1": [partial(processes.terminated_backends, share=share) for share in processes.SHARES],
    "P2": [partial(processes.fallen_server, fall=fall) for fall in processes.FALLS],
    "P3": [processes.frozen_server],
    "P4": [ourselves.killed_process],
    "P5": [ourselves.terminated_process],
    "S1": [schema.changing_schema],
    "V1": [values.values],
    "V2": [partial(ourselves.time_zones, zone=zone) for zone in ourselves.ZONES],
    "X1": [partial(isolation.bank, isolation=each) for each in isolation.ISOLATIONS],
    "X2": [
        *(partial(isolation.histories, workload=each, isolation="serializable") for each in isolation.WORKLOADS),
        *(partial(isolation.histories, workload=each, isolation="repeatable_read") for each in isolation.WORKLOADS),
    ],
    "X3": [partial(skew.write_skew, version=version) for version in skew.VERSIONS],
    "X4": [partial(contention.wanted_deadlocks, how=how) for how in contention.POSTINGS],
    "X5": [partial(contention.one_key, way=way) for way in contention.WAYS],
    "X6": [contention.double_reversal],
    "X7": [partial(contention.hot_account, way=way) for way in contention.WAYS],
    "X8": [lives.random_lives],
}


#: Scenarios that mostly wait, each on a database or servers of its own: the short form runs them side by side.
#: Those that bound a time are apart from those that work hard.
BATCHES = (("H1", "H2", "H3"), ("N1", "N4", "N5"), ("N2", "N3"), ("P1",))


def batch_of(name: str) -> tuple[str, ...]:
    """Return the scenarios that run side by side with *name* in the short form, *name* among them."""
    return next((batch for batch in BATCHES if name in batch), (name,))


async def run(lab: Lab, name: str) -> list[Verdict]:
    """Run every form of the scenario *name*: side by side where it is of a batch, or else one after the other."""
    if lab.is_short and name in sum(BATCHES, ()):
        return await asyncio.gather(*(_attempt(lab, name, form) for form in SCENARIOS[name]))
    return [await _attempt(lab, name, form) for form in SCENARIOS[name]]


async def run_batch(lab: Lab, names: Sequence[str]) -> dict[str, list[Verdict]]:
    """Run several scenarios side by side."""
    found = await asyncio.gather(*(run(lab, name) for name in names))
    return dict(zip(names, found, strict=True))


async def _attempt(lab: Lab, name: str, form: Scenario) -> Verdict:
    try:
        return await form(lab)
    except Exception as error:  # the others are to run all the same
        traceback.print_exc()
        return lab.verdict(name, note=f"ended with {error!r}")
