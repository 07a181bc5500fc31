"""Cancelling at the N-th suspension, and the audit that judges what came of it."""

from __future__ import annotations

import asyncio
from uuid import UUID

import asyncpg
import pytest

from benchmarks.chaos.audit import audit, judge
from benchmarks.chaos.lab import MARK, Books, Lab
from benchmarks.chaos.record import Record
from benchmarks.chaos.steps import At, cancelled_at
from finance import Outcome

_ONE = UUID(int=1, version=4)


async def _three_steps(log: list[int]) -> str:
    for number in range(3):
        log.append(number)
        await asyncio.sleep(0)
    return "done"


@pytest.mark.parametrize("n", [1, 2, 3])
async def test_the_nth_suspension_is_the_last(n: int) -> None:
    """What stands before it runs, what stands behind it does not."""
    log: list[int] = []
    stepped, error = await cancelled_at(_three_steps(log), n, At.WAITING)
    assert isinstance(error, asyncio.CancelledError)
    assert (log, stepped.suspensions, stepped.has_struck) == (list(range(n)), n, True)


async def test_beyond_the_last_suspension_nothing_is_cancelled() -> None:
    """The sweep ends there."""
    stepped, error = await cancelled_at(_three_steps([]), 4, At.WAITING)
    assert (error, stepped.suspensions, stepped.has_struck) == (None, 3, False)


@pytest.mark.parametrize(("at", "has_result"), [(At.WAITING, False), (At.ARRIVED, True)])
async def test_a_cancellation_comes_before_or_after_the_awaited_result(at: At, has_result: bool) -> None:  # noqa: FBT001
    """In both cases the caller sees only the cancellation."""
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def arrive() -> None:
        if not future.done():
            future.set_result(1)

    asyncio.get_running_loop().call_later(0.01, arrive)

    async def wait() -> int:
        return await future

    _, error = await cancelled_at(wait(), 1, at)
    assert isinstance(error, asyncio.CancelledError)
    assert (not future.cancelled()) is has_result


async def _write_mark(books: Books, *lines: int) -> None:
    connection = await asyncpg.connect(books.dsn)
    for line in lines:
        await connection.execute(MARK, _ONE, line, 10 if line % 2 else -10)
    await connection.close()


@pytest.mark.parametrize(
    ("told", "lines", "figures"),
    [
        (Outcome.APPLIED, (1, 2), (0, 0, 0)),
        (Outcome.NOT_APPLIED, (), (0, 0, 0)),
        (Outcome.UNKNOWN, (1, 2), (0, 0, 0)),
        (Outcome.UNKNOWN, (), (0, 0, 0)),
        (Outcome.APPLIED, (), (1, 0, 0)),
        (Outcome.APPLIED, (1, 2, 1, 2), (0, 1, 0)),
        (Outcome.NOT_APPLIED, (1, 2), (0, 0, 1)),
        (None, (1, 2), (0, 0, 1)),
    ],
)
async def test_the_audit_compares_what_was_told_with_what_is_stored(
    lab: Lab, books: Books, told: Outcome | None, lines: tuple[int, ...], figures: tuple[int, int, int]
) -> None:
    """Lost, doubled and wrongly reported each count, and each fails the scenario."""
    record = Record()
    if told is not None:
        record.told[_ONE] = told
    await _write_mark(books, *lines)
    verdict = judge(lab.verdict("audit"), record, await audit(books.dsn, None, None), failures=[])
    assert (verdict.lost, verdict.doubled, verdict.wrong_reports) == figures
    assert verdict.passed is (figures == (0, 0, 0))


async def test_the_audit_finds_half_of_a_transaction(lab: Lab, books: Books) -> None:
    """One line of two is neither stored nor not."""
    record = Record()
    record.told[_ONE] = Outcome.UNKNOWN
    await _write_mark(books, 1)
    verdict = judge(lab.verdict("audit"), record, await audit(books.dsn, None, None), failures=[])
    assert not verdict.passed
    assert "has 1 lines of 10" in verdict.note


async def test_the_audit_finds_what_was_left_behind(lab: Lab, books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction that rests, and the lock that it has."""
    monkeypatch.setattr("benchmarks.chaos.audit._SETTLING", 0.1)
    connection = await asyncpg.connect(books.dsn)
    await connection.execute("BEGIN; SELECT pg_advisory_xact_lock(7)")
    verdict = judge(lab.verdict("audit"), Record(), await audit(books.dsn, None, None), failures=[])
    connection.terminate()
    assert (verdict.leaked, verdict.passed) == (2, False)
