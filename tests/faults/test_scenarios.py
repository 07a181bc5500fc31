"""The short form of every scenario; `python -m benchmarks.chaos` runs the full one."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from benchmarks.chaos.lab import Lab
from benchmarks.chaos.scenarios import (
    SCENARIOS,
    batch_of,
    cancels,
    commits,
    lane,
    processes,
    run_batch,
    skew,
    sweep,
    tenants,
)
from benchmarks.chaos.verdict import Verdict, line

#: A fault that is not survived must not hold up the others.
pytestmark = pytest.mark.timeout(300, func_only=True)

Verdicts = Callable[[str], Awaitable[list[Verdict]]]


@pytest_asyncio.fixture(scope="session")
async def verdicts(lab: Lab) -> Verdicts:
    """Run a scenario together with those that run side by side with it, once."""
    known: dict[str, list[Verdict]] = {}

    async def get(name: str) -> list[Verdict]:
        if name not in known:
            known.update(await run_batch(lab, batch_of(name)))
        return known[name]

    return get


def require(verdict: Verdict, *, may_lose: bool = False) -> None:
    """Require that all is as it should be, to the last one."""
    if verdict.is_skipped:
        pytest.skip(verdict.note)
    told = f"{line(verdict)} (seed {verdict.seed})"
    lost = 0 if may_lose else verdict.lost
    counts = (lost, verdict.doubled, verdict.wrong_reports, verdict.untyped, verdict.leaked)
    assert counts == (0, 0, 0, 0, 0), told
    assert verdict.passed, told
    assert verdict.tries > 0


# --- callers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("loop", cancels.LOOPS)
@pytest.mark.parametrize("mode", cancels.MODES)
async def test_a_cancelled_caller_learns_what_is_stored(lab: Lab, mode: str, loop: str) -> None:
    """C1: at random moments, in every way to cancel, on both event loops; nothing is left behind."""
    require(await cancels.random_cancels(lab, mode, loop))


@pytest.mark.parametrize("call", sweep.CALLS)
async def test_a_call_can_be_cancelled_at_every_suspension(lab: Lab, call: str) -> None:
    """C2: what is told is what is stored, whole or not at all, on a warm pool and on a cold one."""
    require(await sweep.sweep(lab, call))


@pytest.mark.parametrize("seconds", commits.SECONDS)
async def test_a_caller_cancelled_at_a_slow_commit_is_told_no_untruth(lab: Lab, seconds: float) -> None:
    """C3: a COMMIT that ends in time is told, a longer one is told to be unknown; neither is cancelled."""
    require(await commits.slow_commit(lab, seconds))


async def test_a_commit_that_waits_for_its_standby_is_left_waiting(lab: Lab) -> None:
    """C3: the server would say that it committed, and the standby would not have it."""
    require(await commits.absent_standby(lab))


async def test_a_swallowed_statement_error_ends_its_block_with_an_error(verdicts: Verdicts) -> None:
    """C4: nothing was stored, and a block that ended in silence would say otherwise."""
    for verdict in await verdicts("C4"):
        require(verdict)


async def test_short_deadlines_are_met_again_after_every_connection_was_killed(verdicts: Verdicts) -> None:
    """C5: callers that give up after 20 ms do not keep the pool from filling."""
    for verdict in await verdicts("C5"):
        require(verdict)


async def test_a_second_task_in_one_transaction_is_refused_at_once(verdicts: Verdicts) -> None:
    """C6: typed, without waiting, and nothing of it is run."""
    for verdict in await verdicts("C6"):
        require(verdict)


async def test_a_starving_caller_is_told_who_holds_the_connections(verdicts: Verdicts) -> None:
    """L1: in time, by the names of their tasks, and since when."""
    for verdict in await verdicts("L1"):
        require(verdict)


# --- the network -------------------------------------------------------------------------------------


async def test_work_whose_commit_is_lost_is_stored_exactly_once(verdicts: Verdicts) -> None:
    """N1: the request, the reply, or a request that arrives after the work was repeated."""
    for verdict in await verdicts("N1"):
        require(verdict)


async def test_connections_that_a_firewall_forgot_fail_nobody(verdicts: Verdicts) -> None:
    """N2: they are found dead when they are handed out, and replaced."""
    for verdict in await verdicts("N2"):
        require(verdict)


async def test_every_call_returns_while_the_network_is_silent(verdicts: Verdicts) -> None:
    """N3: by its deadline and two seconds more, in mid-statement and in COMMIT."""
    for verdict in await verdicts("N3"):
        require(verdict)


async def test_every_failure_to_connect_is_one_typed_error(verdicts: Verdicts) -> None:
    """N4: in bounded time, with its cause."""
    for verdict in await verdicts("N4"):
        require(verdict)


async def test_a_slow_network_is_only_slow(verdicts: Verdicts) -> None:
    """N5: latency, and pieces of one byte, make no time limit fire."""
    for verdict in await verdicts("N5"):
        require(verdict)


# --- the server --------------------------------------------------------------------------------------


async def test_idempotent_work_survives_terminated_backends(verdicts: Verdicts) -> None:
    """P1: no caller hears of it."""
    for verdict in await verdicts("P1"):
        require(verdict)


@pytest.mark.parametrize("fall", processes.FALLS)
async def test_calls_succeed_as_soon_as_the_server_is_back(lab: Lab, fall: str) -> None:
    """P2: a second after it is ready at the latest, with everything that was acknowledged."""
    require(await processes.fallen_server(lab, fall))


async def test_calls_are_bounded_while_the_server_stands_still(verdicts: Verdicts) -> None:
    """P3: and no more connections are asked for than the pool has places."""
    for verdict in await verdicts("P3"):
        require(verdict)


async def test_schema_changes_under_load_surface_nowhere(verdicts: Verdicts) -> None:
    """S1: columns come, go and change their type, an enum is made anew."""
    for verdict in await verdicts("S1"):
        require(verdict)


async def test_the_number_of_a_forgotten_transaction_is_no_evidence(verdicts: Verdicts) -> None:
    """D3: a crash forgets a transaction, its number becomes another one's, and its entry is stored once."""
    for verdict in await verdicts("D3"):
        require(verdict)


# --- ourselves ---------------------------------------------------------------------------------------


async def test_a_killed_process_goes_on_with_the_same_keys(verdicts: Verdicts) -> None:
    """P4: killed at random instants, started again, and no hand repairs anything."""
    for verdict in await verdicts("P4"):
        require(verdict)


async def test_a_terminated_process_tells_every_caller_what_is_stored(verdicts: Verdicts) -> None:
    """P5: fifty are under way; they finish or are rolled back, in time."""
    for verdict in await verdicts("P5"):
        require(verdict)


async def test_no_value_changes_in_silence(verdicts: Verdicts) -> None:
    """V1: it is refused with a typed error, or comes back as it was."""
    for verdict in await verdicts("V1"):
        require(verdict)


async def test_instants_are_right_in_every_time_zone(verdicts: Verdicts) -> None:
    """V2: where clocks skip and repeat hours, too; what has no zone is refused."""
    for verdict in await verdicts("V2"):
        require(verdict)


# --- many at once ------------------------------------------------------------------------------------


async def test_a_bank_keeps_its_total(verdicts: Verdicts) -> None:
    """X1: at every isolation level, nobody reads another total, or a balance below its minimum."""
    for verdict in await verdicts("X1"):
        require(verdict)


async def test_histories_have_no_cycle(verdicts: Verdicts) -> None:
    """X2: of serializable transactions; among snapshots the checker finds write skew, and nothing else."""
    for verdict in await verdicts("X2"):
        require(verdict)


@pytest.mark.parametrize("version", skew.VERSIONS)
async def test_write_skew_is_stopped_where_the_server_lets_it_through(lab: Lab, version: int) -> None:
    """X3: what ON CONFLICT DO NOTHING only glanced at is read in the same transaction."""
    require(await skew.write_skew(lab, version))


async def test_no_poster_hears_of_a_deadlock(verdicts: Verdicts) -> None:
    """X4: entries of one statement lock in one order; several statements are run again."""
    for verdict in await verdicts("X4"):
        require(verdict)


async def test_one_of_fifty_with_one_key_applies(verdicts: Verdicts) -> None:
    """X5: the others replay, or conflict where their content is another."""
    for verdict in await verdicts("X5"):
        require(verdict)


async def test_an_entry_is_reversed_once_by_two(verdicts: Verdicts) -> None:
    """X6: exactly one of both wins, the other is told."""
    for verdict in await verdicts("X6"):
        require(verdict)


async def test_everybody_gets_a_turn_at_one_account(verdicts: Verdicts) -> None:
    """X7: nobody starves while all entries touch it."""
    for verdict in await verdicts("X7"):
        require(verdict)


async def test_random_lives_follow_the_model(verdicts: Verdicts) -> None:
    """X8: short ones; tests/test_model.py leads longer ones on each server."""
    for verdict in await verdicts("X8"):
        require(verdict)


async def test_injected_faults_are_survived(verdicts: Verdicts) -> None:
    """B1: the library's own, a quarter of them active, each striking a quarter of the time."""
    for verdict in await verdicts("B1"):
        require(verdict)


@pytest.mark.parametrize("form", lane.FORMS)
async def test_callers_of_the_fast_lane_do_not_harm_each_other(lab: Lab, form: str) -> None:
    """G1: held locks, refusals, limits, cancellation and disconnection."""
    require(await lane.FORMS[form](lab))


# --- rights ------------------------------------------------------------------------------------------


async def test_each_role_may_do_just_what_is_its_own(verdicts: Verdicts) -> None:
    """K1: every table by every verb of SQL, every guard, and every verb of ours; else it is SQLSTATE 42501."""
    for verdict in await verdicts("K1"):
        require(verdict)


@pytest.mark.parametrize("way", tenants.WAYS)
async def test_tenants_never_see_each_other(lab: Lab, way: str) -> None:
    """K2: on shared connections, cancelled at random; without a ledger there is nothing to see."""
    require(await tenants.isolation(lab, way))


# --- two servers -------------------------------------------------------------------------------------


async def test_an_asynchronous_failover_loses_only_what_was_not_received(verdicts: Verdicts) -> None:
    """H1: it is counted, and the books balance."""
    (verdict,) = await verdicts("H1")
    require(verdict, may_lose=True)
    assert verdict.lost > 0, "nothing was lost, so that nothing was tested"


async def test_a_synchronous_failover_loses_nothing(verdicts: Verdicts) -> None:
    """H2: the application knows both hosts, and is not restarted."""
    for verdict in await verdicts("H2"):
        require(verdict)


async def test_a_demoted_primary_loses_its_connections(verdicts: Verdicts) -> None:
    """H3: work goes on at the promoted standby, and no caller hears of it."""
    for verdict in await verdicts("H3"):
        require(verdict)


def test_every_scenario_has_a_test() -> None:
    """What `python -m benchmarks.chaos` runs is told of in a docstring here."""
    assert set(re.findall(r'"""([A-Z]\d):', Path(__file__).read_text())) == SCENARIOS.keys()
