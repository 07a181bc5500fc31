"""Schedules: entries that come again and again, posted once each."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from finance.errors import AlreadyExistsError, InvalidError, NotFoundError, SealedError
from finance.integrity import translated
from finance.models import NewEntry, NewPosting, NewSchedule, Recurrence, Schedule, Weekends
from finance.models.new_entry import details_json
from finance.money import Amount, exact
from finance.pagination import PAGE_SIZE, Page, require_limit
from finance.repositories.accounts import UNSET, Unset
from finance.repositories.balances import given_day, require_day
from finance.repositories.base import Repository
from finance.repositories.draft import draft, look_up
from finance.repositories.due import PostedDue, note_progress, post_occurrences, read_due, read_plans
from finance.repositories.occurrences import Change, Occurrence, Plan, days_of, entry_id, first_day

_INSERT = """
INSERT INTO schedules (ledger_id, id, description, rule, starts_on, ends_on, weekends, metadata)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8::jsonb) ON CONFLICT (ledger_id, id) DO NOTHING RETURNING id
"""
_UPDATE = """
UPDATE schedules SET description = $3, ends_on = $4, weekends = $5, metadata = $6::jsonb
 WHERE ledger_id = $1 AND id = $2
"""
_INSERT_POSTINGS = """
INSERT INTO schedule_postings (ledger_id, schedule_id, line, account_id, amount, memo)
SELECT $1, $2, p.* FROM unnest($3::int[], $4::bigint[], $5::numeric[], $6::text[]) AS p(line, account_id, amount, memo)
"""
_REMOVE_POSTINGS = "DELETE FROM schedule_postings WHERE ledger_id = $1 AND schedule_id = $2"
_PAUSE = "UPDATE schedules SET paused_on = $3 WHERE ledger_id = $1 AND id = $2"
_CHANGE = """
INSERT INTO schedule_changes (ledger_id, schedule_id, occurs_on, is_skipped, posts_on, description, amount)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (ledger_id, schedule_id, occurs_on) DO UPDATE
   SET is_skipped = excluded.is_skipped, posts_on = excluded.posts_on, description = excluded.description,
       amount = excluded.amount
"""
_LOOK_AGAIN = """
UPDATE schedules SET posted_through = NULL WHERE ledger_id = $1 AND id = $2 AND posted_through >= $3
"""
_RESTORE = "DELETE FROM schedule_changes WHERE ledger_id = $1 AND schedule_id = $2 AND occurs_on = $3"
_POSTED = "SELECT id FROM journal_entries WHERE ledger_id = $1 AND id = ANY ($2::uuid[])"


class _NeverMindError(Exception):
    """Undoes a savepoint whose work was only to be seen."""


class ScheduleRepository(Repository[Schedule]):
    """The schedules of this ledger, with their postings, in the order of their ids: as they were made.

    An occurrence is told by the day that the rule names. Its entry's id is made from the schedule's id and that day, so
    that it is posted once, whoever posts it and whatever the schedule says by then.
    """

    model = Schedule
    order = (Schedule.id,)

    async def create(self, schedule: NewSchedule) -> Schedule:
        """Store a schedule; its occurrences are posted by `post_due()` and not before.

        Raises:
            RecurrenceError: The rule names no day; it says which part is in the way.
            InvalidError: It ends before the first day that the rule names.
            UnbalancedEntryError: Its postings do not sum to zero in a currency.
            AccountNotFoundError: An account is unknown, or of another ledger.
            AmountError: An amount has more decimals than its currency.
            AlreadyExistsError: The ledger has a schedule of this id.
            ConfigurationError: The extra `schedules` is not installed.

        Database:
            Two INSERTs and two SELECTs, and one more for accounts that are given by their ids for the first time.
        """
        first = first_day(Recurrence.parse(schedule.rule), schedule.starts_on)
        _require_end(first, schedule.ends_on)
        await self._require_balanced(schedule.postings)
        values = (schedule.description, schedule.rule, schedule.starts_on, schedule.ends_on, str(schedule.weekends))
        details = details_json(schedule.details)
        fetchval, ledger_id = self._scope.connection.fetchval, self._scope.ledger_id
        if await fetchval(_INSERT, ledger_id, schedule.id, *values, details) is None:
            raise AlreadyExistsError("schedule", [str(schedule.id)])
        await self._insert_postings(schedule.id, schedule.postings)
        return await self.get_one(schedule.id)

    async def update(
        self,
        schedule: Schedule | UUID,
        *,
        description: str | Unset = UNSET,
        postings: Sequence[NewPosting] | Unset = UNSET,
        details: Mapping[str, Any] | Unset = UNSET,
        weekends: Weekends | str | Unset = UNSET,
        ends_on: date | Unset | None = UNSET,
    ) -> Schedule:
        """Change the given parts of a schedule, for all occurrences that are not posted yet.

        The rule and the first day stay: to change these, end it and create another one.

        Raises:
            NotFoundError: This ledger has no such schedule.
            InvalidError: It would end before it starts, or single occurrences have an amount that does not fit the
                new postings.
            FinanceError: As `create()`.

        Database:
            Three SELECTs, the first of them FOR NO KEY UPDATE, one UPDATE, and what `get()` takes; for new postings
            one DELETE and one INSERT more, and one SELECT where these are not two.
        """
        plan = await self._locked(schedule)
        # A value of the same rules as a new one's.
        new = NewSchedule(
            plan.description if isinstance(description, Unset) else description,
            plan.postings if isinstance(postings, Unset) else postings,
            plan.rule,
            plan.starts_on,
            plan.ends_on if isinstance(ends_on, Unset) else ends_on,
            plan.weekends if isinstance(weekends, Unset) else weekends,
            plan.details if isinstance(details, Unset) else details,
            plan.id,
        )
        values = (new.description, new.ends_on, str(new.weekends), details_json(new.details))
        await self._scope.connection.execute(_UPDATE, self._scope.ledger_id, plan.id, *values)
        if not isinstance(postings, Unset):
            await self._replace_postings(plan, new.postings)
        return await self.get_one(plan.id)

    async def pause(self, schedule: Schedule | UUID, *, on: date) -> Schedule:
        """Have nothing fall due from the day *on* until it is resumed; what the rule named before stays due.

        Raises:
            NotFoundError: This ledger has no such schedule.

        Database:
            Three SELECTs, the first of them FOR NO KEY UPDATE, one UPDATE, and what `get()` takes.
        """
        plan = await self._locked(schedule)
        await self._scope.connection.execute(_PAUSE, self._scope.ledger_id, plan.id, given_day("on", on))
        return await self.get_one(plan.id)

    async def resume(self, schedule: Schedule | UUID, *, on: date) -> Schedule:
        """Let occurrences fall due again from the day *on*; those of the pause before that day are skipped for good.

        To post what the pause held up, resume on the day on which it was paused.

        Raises:
            NotFoundError: This ledger has no such schedule.
            InvalidError: It is not paused.

        Database:
            As `pause()`, and one SELECT and an INSERT for each occurrence that is skipped.
        """
        plan = await self._locked(schedule)
        if plan.paused_on is None:
            raise InvalidError(f"schedule {plan.id} is not paused")
        last = given_day("on", on)
        days = [day for day in _named(plan, plan.paused_on, last) if day < last]
        posted = await self._posted(plan.id, days)
        for day in days:
            if day not in posted:
                await self._store_change(plan.id, Change(day, is_skipped=True))
        await self._scope.connection.execute(_PAUSE, self._scope.ledger_id, plan.id, None)
        return await self.get_one(plan.id)

    async def skip(self, schedule: Schedule | UUID, occurs_on: date) -> None:
        """Have one occurrence not posted; `restore()` takes that back.

        Args:
            schedule: The schedule, or its id.
            occurs_on: The day that the rule names, not the one on which it would be posted.

        Raises:
            NotFoundError: This ledger has no such schedule, or its rule does not name that day.
            SealedError: It is posted already.

        Database:
            Four SELECTs, the first of them FOR NO KEY UPDATE, and one INSERT.
        """
        plan = await self._unposted(schedule, occurs_on)
        await self._store_change(plan.id, Change(occurs_on, is_skipped=True))

    async def change(
        self,
        schedule: Schedule | UUID,
        occurs_on: date,
        *,
        posts_on: date | None = None,
        description: str | None = None,
        amount: Amount | None = None,
    ) -> None:
        """Say what is different about one occurrence; a later call replaces all that an earlier one said.

        Args:
            schedule: The schedule, or its id.
            occurs_on: The day that the rule names.
            posts_on: The day on which it is posted instead.
            description: Its text.
            amount: Of a schedule with two postings: the amount of the first one; the second has its opposite.

        Raises:
            NotFoundError: This ledger has no such schedule, or its rule does not name that day.
            SealedError: It is posted already.
            InvalidError: Nothing is given, or an amount for a schedule that has more than two postings: skip the
                occurrence then, and post an entry of its own.

        Database:
            As `skip()`, and one UPDATE.
        """
        plan = await self._unposted(schedule, occurs_on)
        if posts_on is None and description is None and amount is None:
            raise InvalidError("a change of an occurrence says another day, description or amount")
        if amount is not None and len(plan.postings) != 2:
            raise InvalidError(
                f"schedule {plan.id} has {len(plan.postings)} postings, and one amount does not say what each becomes;"
                " skip the occurrence, and post an entry of its own"
            )
        value = None if amount is None else NewPosting(plan.postings[0].account, exact(amount)).value
        posts_on = require_day("posts_on", posts_on)
        await self._store_change(plan.id, Change(occurs_on, posts_on=posts_on, description=description, amount=value))
        await self._look_again(plan, occurs_on)

    async def restore(self, schedule: Schedule | UUID, occurs_on: date) -> None:
        """Let one occurrence be as the schedule says again.

        Raises:
            NotFoundError: This ledger has no such schedule, or its rule does not name that day.
            SealedError: It is posted already.

        Database:
            Four SELECTs, the first of them FOR NO KEY UPDATE, one DELETE and one UPDATE.
        """
        plan = await self._unposted(schedule, occurs_on)
        await self._scope.connection.execute(_RESTORE, self._scope.ledger_id, plan.id, occurs_on)
        await self._look_again(plan, occurs_on)

    async def due(self, on: date) -> tuple[Occurrence, ...]:
        """Return every occurrence that is to be posted through the day *on* and is not, the oldest first.

        Each has the entry that `post_due()` would post.

        Raises:
            RecurrenceError: A schedule has more occurrences up to then than are looked at (10,000).

        Database:
            Four SELECTs; no locks.
        """
        return tuple(await read_due(self._scope, await read_plans(self._scope), given_day("on", on)))

    async def post_due(self, *, through: date, limit: int = 1000) -> PostedDue:
        """Post every occurrence that is to be posted through a day: each exactly once.

        Two who do so at once post each of them once, and so does who does it again after a crash or an unknown outcome.
        An occurrence that is refused (a limit, a closed account or period) harms no other: it is told, and stays due.
        Under `db.run()` it is idempotent.

        Args:
            through: The last day.
            limit: How many occurrences at most, the oldest; 1 to 1000. The answer says how many are left.

        Raises:
            RecurrenceError: A schedule has more occurrences up to then than are looked at (10,000).

        Database:
            Four SELECTs, the first of them FOR NO KEY UPDATE on every schedule in the order of their ids, and what
            `uow.journal.post_many()` takes, in a savepoint; where one is refused, a savepoint and that for each. One
            UPDATE, which keeps through which day all is posted: the next call looks on from there.
        """
        plans = await read_plans(self._scope, lock=True)
        occurrences = await read_due(self._scope, plans, given_day("through", through))
        now, later = occurrences[: require_limit(limit)], occurrences[limit:]
        done = await post_occurrences(self._scope, now) if now else PostedDue((), (), 0)
        still_due = [*later, *(each.occurrence for each in done.refused)]
        await note_progress(self._scope, plans, through, still_due)
        return replace(done, left=len(later))

    async def propose(self, *, through: date, limit: int = 1000) -> PostedDue:
        """Tell what `post_due()` would post and what would be refused, and post nothing.

        Raises:
            RecurrenceError: As `post_due()`.

        Database:
            As `post_due()`, in a savepoint that is undone; its locks end with it.
        """
        found = PostedDue((), (), 0)
        with contextlib.suppress(_NeverMindError):
            async with self._scope.connection.transaction():
                found = await self.post_due(through=through, limit=limit)
                raise _NeverMindError
        return found

    async def get(self, key: UUID, *, for_update: bool = False) -> Schedule | None:
        """Return the schedule with this id and its postings in order, or None.

        Database:
            Two SELECTs; with *for_update* a FOR NO KEY UPDATE row lock.
        """
        session = self._scope.require_open()
        with translated():
            return await session.get(
                Schedule,
                (self._scope.ledger_id, key),
                populate_existing=True,
                with_for_update={"key_share": True} if for_update else None,
                options=[selectinload(Schedule.postings)],
            )

    async def page(self, *, after: str | None = None, limit: int = PAGE_SIZE) -> Page[Schedule]:
        """Return up to *limit* schedules with their postings, as they were made, behind the cursor *after*.

        Raises:
            InvalidError: The cursor is not of this list, or the limit not between 1 and 1000.

        Database:
            Two SELECTs; no locks.
        """
        return await self._page(select(Schedule).options(selectinload(Schedule.postings)), after, limit)

    async def _locked(self, schedule: Schedule | UUID) -> Plan:
        schedule_id = schedule.id if isinstance(schedule, Schedule) else schedule
        plans = await read_plans(self._scope, schedule_id, lock=True)
        if not plans:
            raise self._not_found(schedule_id)
        return plans[0]

    async def _unposted(self, schedule: Schedule | UUID, occurs_on: date) -> Plan:
        """Lock a schedule, and look that an occurrence of it is one, and not posted."""
        plan = await self._locked(schedule)
        if not _named(plan, given_day("occurs_on", occurs_on), occurs_on):
            raise NotFoundError(
                f"schedule {plan.id} has no occurrence on {occurs_on}; give the day that its rule names"
            )
        if await self._posted(plan.id, [occurs_on]):
            raise SealedError(f"the occurrence of {occurs_on} is posted already", "reverse or amend its entry")
        return plan

    async def _posted(self, schedule_id: UUID, days: Sequence[date]) -> set[date]:
        ids = {entry_id(schedule_id, day): day for day in days}
        rows = await self._scope.connection.fetch(_POSTED, self._scope.ledger_id, list(ids))
        return {ids[row["id"]] for row in rows}

    async def _store_change(self, schedule_id: UUID, change: Change) -> None:
        columns = (change.occurs_on, change.is_skipped, change.posts_on, change.description, change.amount)
        await self._scope.connection.execute(_CHANGE, self._scope.ledger_id, schedule_id, *columns)

    async def _look_again(self, plan: Plan, occurs_on: date) -> None:
        """See to it that an occurrence that may have been skipped is looked for."""
        await self._scope.connection.execute(_LOOK_AGAIN, self._scope.ledger_id, plan.id, occurs_on)

    async def _replace_postings(self, plan: Plan, postings: Sequence[NewPosting]) -> None:
        await self._require_balanced(postings)
        days = [each.occurs_on for each in plan.changes.values() if each.amount is not None]
        if len(postings) != 2 and len(await self._posted(plan.id, days)) < len(days):
            raise InvalidError(f"occurrences of schedule {plan.id} have an amount of their own; restore them first")
        await self._scope.connection.execute(_REMOVE_POSTINGS, self._scope.ledger_id, plan.id)
        await self._insert_postings(plan.id, postings)

    async def _insert_postings(self, schedule_id: UUID, postings: Sequence[NewPosting]) -> None:
        lines = [(number, each.account_id, each.value, each.memo) for number, each in enumerate(postings, 1)]
        columns = map(list, zip(*lines, strict=True))
        await self._scope.connection.execute(_INSERT_POSTINGS, self._scope.ledger_id, schedule_id, *columns)

    async def _require_balanced(self, postings: Sequence[NewPosting]) -> None:
        """Look that *postings* would make an entry."""
        assert self._scope.ledger_id is not None  # noqa: S101 - a unit of work has no schedules without one
        entry = NewEntry(date.min, "", postings)
        await look_up(self._scope.connection.fetch, [(self._scope.ledger_id, entry)], self._scope.currencies)
        draft(self._scope.ledger_id, entry, self._scope.currencies)

    def _not_found(self, key: UUID) -> NotFoundError:
        return NotFoundError(f"this ledger has no schedule {key}")


def _named(plan: Plan, first: date, last: date) -> list[date]:
    """Return the days from *first* through *last* that the rule of *plan* names."""
    after = first - timedelta(1) if first > plan.starts_on else None
    ends_on = last if plan.ends_on is None else min(last, plan.ends_on)
    return list(days_of(Recurrence.parse(plan.rule), plan.starts_on, ends_on, after=after))


def _require_end(first: date, ends_on: date | None) -> None:
    if ends_on is not None and ends_on < first:
        raise InvalidError(f"the schedule ends on {ends_on}, before the first day that its rule names, {first}")
