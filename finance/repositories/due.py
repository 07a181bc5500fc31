"""What schedules have become due, and posting it: each occurrence once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from finance.connection import Record
from finance.errors import ConflictError, EntryConflictError, FinanceError, InvalidError, NotFoundError
from finance.models import NewPosting
from finance.repositories.base import Scope
from finance.repositories.journal import JournalRepository
from finance.repositories.occurrences import Change, Occurrence, Plan, entry_id

_SCHEDULES = """
SELECT id, description, rule, starts_on, ends_on, weekends, paused_on, posted_through, metadata
  FROM schedules
 WHERE ledger_id = $1 AND ($2::uuid IS NULL OR id = $2) ORDER BY id
"""
_LOCKED = f"{_SCHEDULES} FOR NO KEY UPDATE"
_POSTINGS = """
SELECT schedule_id, account_id, amount, memo FROM schedule_postings
 WHERE ledger_id = $1 AND ($2::uuid IS NULL OR schedule_id = $2) ORDER BY schedule_id, line
"""
_CHANGES = """
SELECT schedule_id, occurs_on, is_skipped, posts_on, description, amount FROM schedule_changes
 WHERE ledger_id = $1 AND ($2::uuid IS NULL OR schedule_id = $2)
"""
_NOTE = """
UPDATE schedules AS s SET posted_through = n.day FROM unnest($2::uuid[], $3::date[]) AS n(id, day)
 WHERE s.ledger_id = $1 AND s.id = n.id
"""
_POSTED = "SELECT id FROM journal_entries WHERE ledger_id = $1 AND id = ANY ($2::uuid[])"


@dataclass(frozen=True, slots=True)
class RefusedOccurrence:
    """An occurrence that the books do not take, and why; it stays due."""

    occurrence: Occurrence
    error: FinanceError


@dataclass(frozen=True, slots=True)
class PostedDue:
    """What became of the occurrences that were due: posted now, refused, and how many were left for the next call."""

    posted: tuple[Occurrence, ...]
    refused: tuple[RefusedOccurrence, ...]
    left: int


async def read_plans(scope: Scope, schedule_id: UUID | None = None, *, lock: bool = False) -> list[Plan]:
    """Return the schedules of the ledger, or the one of an id, in order of their ids.

    With *lock* they stay as they are until the transaction ends, and nobody else posts them meanwhile.

    Database:
        Three SELECTs; with *lock* FOR NO KEY UPDATE on the schedules' rows, in the order of their ids.
    """
    fetch = scope.connection.fetch
    schedules = await fetch(_LOCKED if lock else _SCHEDULES, scope.ledger_id, schedule_id)
    if not schedules:
        return []
    postings = _by_schedule(await fetch(_POSTINGS, scope.ledger_id, schedule_id))
    changes = _by_schedule(await fetch(_CHANGES, scope.ledger_id, schedule_id))
    return [_plan(row, postings.get(row["id"], ()), changes.get(row["id"], ())) for row in schedules]


async def read_due(scope: Scope, plans: Sequence[Plan], through: date) -> list[Occurrence]:
    """Return the occurrences of *plans* to be posted through a day that are not posted yet, the oldest first.

    Raises:
        RecurrenceError: A schedule has more of them than are looked at.

    Database:
        One SELECT along the journal's key.
    """
    due = [(plan, day, posts_on) for plan in plans for day, posts_on in plan.due(through)]
    ids = {(plan.id, day): entry_id(plan.id, day) for plan, day, _ in due}
    rows = await scope.connection.fetch(_POSTED, scope.ledger_id, list(ids.values())) if ids else []
    posted = {row["id"] for row in rows}
    found = (plan.occurrence(day, posts_on) for plan, day, posts_on in due if ids[plan.id, day] not in posted)
    return sorted(found, key=lambda each: (each.posts_on, each.occurs_on, each.schedule_id))


async def post_occurrences(scope: Scope, occurrences: Sequence[Occurrence]) -> PostedDue:
    """Post *occurrences* together; where one of them is refused, each by itself, so that it harms no other."""
    posted = await _posted_now(scope, occurrences)
    if not isinstance(posted, FinanceError):
        return PostedDue(posted, (), 0)
    done: list[Occurrence] = []
    refused: list[RefusedOccurrence] = []
    for each in occurrences:
        answer = await _posted_now(scope, [each])
        if isinstance(answer, FinanceError):
            refused.append(RefusedOccurrence(each, answer))
        else:
            done += answer
    return PostedDue(tuple(done), tuple(refused), 0)


async def note_progress(scope: Scope, plans: Sequence[Plan], through: date, still_due: Iterable[Occurrence]) -> None:
    """Store of each of *plans*, which are locked, through which day nothing but *still_due* needs to be looked for.

    Database:
        One UPDATE, where there is something new.
    """
    days: dict[UUID, set[date]] = {}
    for each in still_due:
        days.setdefault(each.schedule_id, set()).add(each.occurs_on)
    found = ((plan, plan.settled_through(through, days.get(plan.id, ()))) for plan in plans)
    changed = [(plan.id, day) for plan, day in found if day != plan.posted_through]
    if changed:
        await scope.connection.execute(_NOTE, scope.ledger_id, *map(list, zip(*changed, strict=True)))


async def _posted_now(scope: Scope, occurrences: Sequence[Occurrence]) -> tuple[Occurrence, ...] | FinanceError:
    """Post *occurrences* in a savepoint, and return those that are new, or what the first of them was refused for."""
    try:
        async with scope.connection.transaction():
            answers = await JournalRepository(scope).post_many([each.entry for each in occurrences])
    except EntryConflictError as error:
        # Somebody posted it after it was looked for, when the schedule said something else.
        return () if len(occurrences) == 1 else error
    except (InvalidError, NotFoundError, ConflictError) as error:
        return error
    return tuple(each for each, answer in zip(occurrences, answers, strict=True) if not answer.is_replay)


def _by_schedule(rows: Sequence[Record]) -> dict[UUID, list[Record]]:
    found: dict[UUID, list[Record]] = {}
    for row in rows:
        found.setdefault(row["schedule_id"], []).append(row)
    return found


def _plan(row: Record, postings: Sequence[Record], changes: Sequence[Record]) -> Plan:
    return Plan(
        row["id"],
        row["description"],
        row["rule"],
        row["starts_on"],
        row["ends_on"],
        row["weekends"],
        row["paused_on"],
        row["posted_through"],
        json.loads(row["metadata"]),
        tuple(NewPosting(each["account_id"], each["amount"], each["memo"]) for each in postings),
        {each["occurs_on"]: _change(each) for each in changes},
    )


def _change(row: Record) -> Change:
    return Change(row["occurs_on"], row["is_skipped"], row["posts_on"], row["description"], row["amount"])
