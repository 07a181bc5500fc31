"""A machine of hypothesis that keeps books at random, in the database and in plain Python, and compares them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Sequence
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar
from uuid import uuid4

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from finance import DatabaseManager, FinanceError, NewEntry, NewPosting, UnitOfWork
from finance.errors import AccountHeldError, BalanceLimitError, HoldClosedError, InvalidError
from finance.models import NewHold
from tests.draws import AMOUNTS, DAYS, FIRST, Draws
from tests.model import Model, ModelAccount, ModelEntry, ModelHold, Refusal, fits

CHOICES = st.integers(0, 10**6)
#: Seconds that a hold with an end lasts.
_MOMENT = 0.15


class BooksMachine(Draws, RuleBasedStateMachine):
    """Does one thing after another; what the database answers, and all balances, must be what the model says.

    Attributes:
        dsn: The database; each run has a ledger of its own in it.
        rules_run: How many steps all machines have done.
    """

    dsn: ClassVar[str]
    rules_run: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.model = Model()
        self.db = DatabaseManager(self.dsn, max_size=4)
        self.run(self.db.connect())
        self.today: date = self.run(self.db.fetchval("SELECT current_date"))
        self.ledger = self.run(self.db.ledgers.create(uuid4().hex, base_currency="EUR"))

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Await *work* in this machine's own event loop."""
        return self.runner.run(work)

    def work(self, function: Callable[[UnitOfWork], Coroutine[Any, Any, Any]]) -> Any:
        """Run *function* in a unit of work; return its result, or the class of the error that refused it."""
        return self.run(self._answer(function))

    async def _answer(self, function: Callable[[UnitOfWork], Coroutine[Any, Any, Any]]) -> Any:
        type(self).rules_run += 1
        try:
            async with self.db.unit_of_work(self.ledger) as uow:
                return await function(uow)
        except FinanceError as error:
            return type(error)

    # --- accounts ------------------------------------------------------------------------------------

    @initialize(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        """Open a few accounts, so that there is something to do, and try their limits before anything else."""
        for currency in ("EUR", "EUR", "JPY", "JPY"):
            self.open(currency, None, None)
        self.open("EUR", Decimal(0), Decimal(10))
        for by_lane in (True, False):
            self._post(self._beyond(data), by_lane=by_lane)
        self._post_in_order(self._there_and_back(data), in_one_call=data.draw(st.booleans()))

    @rule(
        currency=st.sampled_from(["EUR", "EUR", "JPY"]),
        minimum=st.sampled_from([None, None, Decimal(0), Decimal(-10)]),
        maximum=st.sampled_from([None, None, Decimal(5), Decimal(20)]),
    )
    def open(self, currency: str, minimum: Decimal | None, maximum: Decimal | None) -> None:
        """Open an account, perhaps with limits."""
        if len(self.model.accounts) > 12:
            return
        opened = self.work(
            lambda uow: uow.accounts.open(
                f"Assets:{uuid4().hex}", currency=currency, minimum_balance=minimum, maximum_balance=maximum
            )
        )
        self.model.accounts[opened.id] = ModelAccount(currency, minimum, maximum)

    @rule(choice=CHOICES, is_closed=st.booleans())
    def close(self, choice: int, *, is_closed: bool) -> None:
        """Close an account, or open it again."""
        account = self._account(choice)
        answer = self.work(lambda uow: uow.accounts.update(account, closed_on=self.today if is_closed else None))
        if is_closed and self.model.held()[account]:
            assert answer is AccountHeldError, answer
        else:
            assert not isinstance(answer, type), answer
            self.model.accounts[account].is_closed = is_closed

    @rule(
        choice=CHOICES,
        minimum=st.sampled_from([None, Decimal(0), Decimal(-5)]),
        maximum=st.sampled_from([None, Decimal(3), Decimal(50)]),
    )
    def limit(self, choice: int, minimum: Decimal | None, maximum: Decimal | None) -> None:
        """Change an account's limits: refused where its balance is beyond them already."""
        id_ = self._account(choice)
        account = self.model.accounts[id_]
        changed = ModelAccount(account.currency, minimum, maximum, account.is_closed, account.is_for_adjustments)
        answer = self.work(lambda uow: uow.accounts.update(id_, minimum_balance=minimum, maximum_balance=maximum))
        if changed.allows(self.model.balances()[id_], self.model.held()[id_]):
            assert not isinstance(answer, type), answer
            self.model.accounts[id_] = changed
        else:
            assert answer is BalanceLimitError

    # --- entries -------------------------------------------------------------------------------------

    @rule(data=st.data(), by_lane=st.booleans())
    def post(self, data: st.DataObject, *, by_lane: bool) -> None:
        """Post an entry, good or bad."""
        self._post(self._entry(data), by_lane=by_lane)

    @rule(data=st.data(), by_lane=st.booleans())
    def post_beyond(self, data: st.DataObject, *, by_lane: bool) -> None:
        """Post an entry that takes an account to its limit, or beyond."""
        self._post(self._beyond(data), by_lane=by_lane)

    def _post(self, entry: NewEntry, *, by_lane: bool) -> None:
        answer = self.run(self._lane(entry)) if by_lane else self.work(lambda uow: uow.journal.post(entry))
        self._agree(self.model.answer(entry.id, ModelEntry.of(entry)), answer)

    async def _lane(self, entry: NewEntry) -> Any:
        type(self).rules_run += 1
        try:
            return await self.db.journal.post(entry, ledger=self.ledger)
        except FinanceError as error:
            return type(error)

    @rule(data=st.data(), in_one_call=st.booleans())
    def post_in_order(self, data: st.DataObject, *, in_one_call: bool) -> None:
        """Hand several to the fast lane at once: the answers are those of one after another."""
        entries = self._entries(data, 12)
        if data.draw(st.booleans()):
            entries = [*self._there_and_back(data), *entries]
        self._post_in_order(entries, in_one_call=in_one_call)

    def _post_in_order(self, entries: list[NewEntry], *, in_one_call: bool) -> None:
        if in_one_call:
            answers = self.run(self.db.journal.post_many(entries, ledger=self.ledger))
            answers = [type(answer) if isinstance(answer, FinanceError) else answer for answer in answers]
        else:
            answers = self.run(_all([self._lane(entry) for entry in entries]))
        for entry, answer in zip(entries, answers, strict=True):
            self._agree(self.model.answer(entry.id, ModelEntry.of(entry)), answer)

    @rule(data=st.data())
    def post_many(self, data: st.DataObject) -> None:
        """Post several in one call: all of them, or none."""
        entries = [self._entry(data) for _ in range(data.draw(st.integers(1, 3)))]
        before = dict(self.model.entries)
        answers = [self.model.answer(entry.id, ModelEntry.of(entry)) for entry in entries]
        answer = self.work(lambda uow: uow.journal.post_many(entries))
        if not isinstance(answer, type):
            # Limits hold for the sum of one call: one entry may make room for another one.
            assert all(expected in ("stored", {BalanceLimitError}) for expected in answers), answers
            self.model.entries = {**before, **{entry.id: ModelEntry.of(entry) for entry in entries}}
            balances = self.model.balances()
            held = self.model.held()
            assert all(account.allows(balances[id_], held[id_]) for id_, account in self._touched(entries))
        else:
            assert any(fits(expected, answer) for expected in answers), (answers, answer)
            self.model.entries = before

    @precondition(lambda self: self.model.entries)
    @rule(data=st.data(), is_same=st.booleans())
    def replay(self, data: st.DataObject, *, is_same: bool) -> None:
        """Post a stored id again, with the same content or another."""
        entry = self._entry(data, good=True)
        first = self.model.answer(entry.id, ModelEntry.of(entry))
        self._agree(first, self.work(lambda uow: uow.journal.post(entry)))
        again = entry if is_same else NewEntry(entry.date, "other", entry.postings, id=entry.id)
        expected = self.model.answer(again.id, ModelEntry.of(again))
        self._agree(expected, self.work(lambda uow: uow.journal.post(again)))

    @precondition(lambda self: self.model.entries)
    @rule(choice=CHOICES, on=st.one_of(st.none(), DAYS))
    def reverse(self, choice: int, on: date | None) -> None:
        """Reverse a stored entry, perhaps on another day, perhaps once more."""
        entry_id = list(self.model.entries)[choice % len(self.model.entries)]
        entry = self.model.entries[entry_id]
        reversal_id = uuid4()
        answer = self.work(lambda uow: uow.journal.reverse(entry_id, on=on, id=reversal_id))
        self._agree(self.model.answer(reversal_id, entry.opposite(on or entry.on, entry_id)), answer)

    @precondition(lambda self: self.model.entries)
    @rule(choice=CHOICES, data=st.data())
    def amend(self, choice: int, data: st.DataObject) -> None:
        """Replace a stored entry in one step: both are stored, or neither."""
        entry_id = list(self.model.entries)[choice % len(self.model.entries)]
        replacement, reversal_id = self._entry(data), uuid4()
        answer = self.work(lambda uow: uow.journal.amend(entry_id, replacement, reversal_id=reversal_id))
        ids = (reversal_id, replacement.id)
        self._agree(self.model.amend(entry_id, ids, replace(ModelEntry.of(replacement), content=None)), answer)

    # --- holds ---------------------------------------------------------------------------------------

    @rule(choice=CHOICES, amount=st.sampled_from(["1", "2", "5", "0.5", "0.001"]).map(Decimal), expires=st.booleans())
    def hold(self, choice: int, amount: Decimal, *, expires: bool) -> None:
        """Reserve value on an account, for a moment or for good."""
        model = ModelHold(self._account(choice), amount)
        at = datetime.now(UTC) + timedelta(seconds=_MOMENT) if expires else None
        hold = NewHold(model.account, amount, expires_at=at)
        expected = self.model.refusals_to_hold(model)
        answer = self.work(lambda uow: uow.holds.place(hold))
        if at is not None and answer is InvalidError and datetime.now(UTC) >= at:
            return  # on a busy machine its time is over before it is placed
        assert answer in expected if expected else not isinstance(answer, type), (expected, answer)
        if not expected:
            self.model.holds[hold.id] = model
            if expires:
                self.run(asyncio.sleep(_MOMENT))
                self.work(lambda uow: uow.holds.expire())
                model.status = "expired"

    @precondition(lambda self: self.model.holds)
    @rule(choice=CHOICES, part=st.sampled_from(["1", "0.5", "0.2", "1.5", "0", "-1"]).map(Decimal), data=st.data())
    def settle(self, choice: int, part: Decimal, data: st.DataObject) -> None:
        """Take what is held, or a part of it, or too much, by an entry; two try it at once perhaps."""
        hold_id = list(self.model.holds)[choice % len(self.model.holds)]
        hold = self.model.holds[hold_id]
        amount = hold.amount * part or Decimal("0.01")
        entries = [
            NewEntry(
                data.draw(DAYS), "settled", [NewPosting(hold.account, -amount), NewPosting(other, amount)], id=uuid4()
            )
            for other in data.draw(st.lists(st.sampled_from(list(self.model.accounts)), min_size=1, max_size=2))
        ]
        calls = [self._answer(lambda uow, each=entry: uow.holds.settle(hold_id, each)) for entry in entries]  # type: ignore[misc]
        answers = [_word(answer) for answer in self.run(_all(calls))]
        for order in itertools.permutations(range(len(entries))):
            model = deepcopy(self.model)
            if all(
                fits(model.settle(hold_id, entries[each].id, ModelEntry.of(entries[each])), answers[each])
                for each in order
            ):
                self.model = model
                return
        raise AssertionError(answers)

    @precondition(lambda self: self.model.holds)
    @rule(choice=CHOICES)
    def release(self, choice: int) -> None:
        """Give a hold up."""
        hold_id = list(self.model.holds)[choice % len(self.model.holds)]
        hold = self.model.holds[hold_id]
        answer = self.work(lambda uow: uow.holds.release(hold_id))
        assert (answer is HoldClosedError) == (hold.status == "settled"), answer
        if hold.status == "open":
            hold.status = "released"

    @rule(data=st.data())
    def abandon(self, data: st.DataObject) -> None:
        """Post, and roll back: nothing of it is there."""
        entry = self._entry(data)

        async def post(uow: UnitOfWork) -> None:
            await uow.journal.post(entry)
            await uow.rollback()

        self.work(post)

    @rule(data=st.data())
    def post_at_once(self, data: st.DataObject) -> None:
        """Post several at once, the same id among them perhaps: there is an order that explains the answers."""
        entries = [self._entry(data) for _ in range(data.draw(st.integers(2, 4)))]
        if data.draw(st.booleans()):
            entries[-1] = data.draw(
                st.sampled_from([entries[0], NewEntry(FIRST, "x", entries[0].postings, id=entries[0].id)])
            )
        calls = [self._answer(lambda uow, entry=entry: uow.journal.post(entry)) for entry in entries]  # type: ignore[misc]
        answers = [_word(answer) for answer in self.run(_all(calls))]
        after = self.model.explains([(entry.id, ModelEntry.of(entry)) for entry in entries], answers)
        assert after is not None, answers
        self.model = after

    # --- periods and raw balances --------------------------------------------------------------------

    @rule(through=st.one_of(st.none(), st.none(), DAYS))
    def close_through(self, through: date | None) -> None:
        """Close a period, or open it again."""
        self.work(lambda uow: _close_or_reopen(uow, self.ledger.id, self.model.closed_through, through))
        self.model.closed_through = through

    @rule(choices=st.lists(CHOICES, min_size=1, max_size=3), amount=AMOUNTS, opposite=st.booleans())
    def adjust(self, choices: list[int], amount: Decimal, *, opposite: bool) -> None:
        """Set balances with plain UPDATEs in one transaction: an entry records them."""
        ids = list(dict.fromkeys(self._account(choice) for choice in choices))
        changes = {id_: -amount if opposite and number % 2 else amount for number, id_ in enumerate(ids)}

        async def update(uow: UnitOfWork) -> None:
            for id_, change in changes.items():
                await uow.connection.execute("UPDATE accounts SET balance = balance + $1 WHERE id = $2", change, id_)

        expected = self.model.refusals_to_adjust(changes, self.today)
        answer = self.work(update)
        if expected:
            assert answer in expected, (expected, answer)
        else:
            assert answer is None, answer
            self._book_adjustment(changes)

    def _book_adjustment(self, changes: dict[int, Decimal]) -> None:
        accounts = self.run(
            self.db.fetch(
                "SELECT id, currency FROM accounts WHERE ledger_id = $1 AND purpose = 'adjustments'", self.ledger.id
            )
        )
        for row in accounts:
            self.model.accounts.setdefault(row["id"], ModelAccount(row["currency"], is_for_adjustments=True))
        lines = list(changes.items())
        for currency, amount in self.model.rest(changes).items():
            account = self.model.adjustments_account(currency)
            assert account is not None
            lines.append((account, amount))
        newest = self.run(
            self.db.fetchval(
                "SELECT id FROM journal_entries WHERE ledger_id = $1 ORDER BY recorded_at DESC LIMIT 1", self.ledger.id
            )
        )
        self.model.entries[newest] = ModelEntry(self.today, tuple(lines))

    # --- what must hold after each step --------------------------------------------------------------

    @invariant()
    def balances_agree(self) -> None:
        """Every balance, now and at the ends and in the middle of months, from totals and from postings."""
        days = [None, FIRST, date(2026, 1, 31), date(2026, 2, 1), date(2026, 2, 28), date(2026, 3, 15)]

        async def look(uow: UnitOfWork) -> list[dict[int, Decimal]]:
            return [await uow.accounts.balances(on=day) for day in days]

        for day, found in zip(days, self.work(look), strict=True):
            assert found == self.model.balances(day), day
        rows = self.run(self.db.fetch("SELECT id, held FROM accounts WHERE ledger_id = $1", self.ledger.id))
        assert {row["id"]: row["held"] for row in rows} == self.model.held()

    def teardown(self) -> None:
        """Have the books verified, and disconnect."""
        try:
            assert self.run(self.db.verify(self.ledger)).problems == ()
            count = self.run(
                self.db.fetchval("SELECT count(*) FROM journal_entries WHERE ledger_id = $1", self.ledger.id)
            )
            assert count == len(self.model.entries)
        finally:
            self.run(self.db.disconnect())
            self.runner.close()

    # --- both answers --------------------------------------------------------------------------------

    def _touched(self, entries: Sequence[NewEntry]) -> list[tuple[int, ModelAccount]]:
        ids = {line.account_id for entry in entries for line in entry.postings}
        return [(id_, self.model.accounts[id_]) for id_ in ids]

    def _agree(self, expected: str | set[Refusal], answer: Any) -> None:
        assert fits(expected, _word(answer)), (expected, answer)


async def _close_or_reopen(uow: UnitOfWork, ledger_id: int, before: date | None, through: date | None) -> None:
    if through is None or (before is not None and through < before):
        await uow.ledgers.reopen(ledger_id, through=through)
    else:
        await uow.ledgers.close_through(ledger_id, through)


def _word(answer: Any) -> str | Refusal:
    if isinstance(answer, type):
        return answer
    return "replayed" if answer.is_replay else "stored"


async def _all(calls: Sequence[Coroutine[Any, Any, Any]]) -> list[Any]:
    return await asyncio.gather(*calls)
