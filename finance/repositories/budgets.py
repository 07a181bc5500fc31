"""The budgets of a ledger, and from when to when each of them holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from sqlalchemy import select

from finance.errors import AmountError, InvalidError, NotFoundError
from finance.integrity import translated
from finance.models import Account, Budget, BudgetPeriod, Rollover
from finance.money import Amount, exact_in
from finance.repositories.accounts import UNSET, AccountRepository, Unset
from finance.repositories.balances import given_day
from finance.repositories.base import Repository, Scope
from finance.repositories.currencies import CurrencyRepository

_SET = """
INSERT INTO budgets (ledger_id, account_id, starts_on, amount, period, rollover) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (ledger_id, account_id, starts_on) DO UPDATE
   SET amount = excluded.amount, period = excluded.period, rollover = excluded.rollover, recorded_at = clock_timestamp()
"""
_REMOVE_LATER = "DELETE FROM budgets WHERE ledger_id = $1 AND account_id = $2 AND starts_on > $3"
_TERMS = """
SELECT b.account_id, a.name, a.type, a.currency, b.amount, b.period, b.rollover, b.starts_on,
       lead(b.starts_on) OVER (PARTITION BY b.account_id ORDER BY b.starts_on) AS next_on
  FROM budgets AS b JOIN accounts AS a ON a.ledger_id = b.ledger_id AND a.id = b.account_id
 WHERE b.ledger_id = $1 ORDER BY a.name, a.currency, b.account_id, b.starts_on
"""

#: So many periods of one budget are looked at, at most: of weeks nearly two hundred years.
PERIODS_MAX: Final = 10_000
_DAY = timedelta(1)


@dataclass(frozen=True, slots=True)
class BudgetTerm:
    """A budget from the day it starts on through the day before another one, or none, takes its place.

    `account` is the name that the account has now, `type` and `currency` are the account's, and `ends_on` is None while
    nothing is known to follow.
    """

    account_id: int
    account: str
    type: str
    currency: str
    amount: Decimal
    period: BudgetPeriod
    rollover: Rollover
    starts_on: date
    ends_on: date | None

    def covers(self, on: date) -> bool:
        """Whether it holds on this day."""
        return self.starts_on <= on and (self.ends_on is None or on <= self.ends_on)

    def periods(self, starts_on: date, ends_on: date) -> Iterator[tuple[date, date]]:
        """Yield the first and the last day of each of its periods that has a day from *starts_on* through *ends_on*.

        The last period of a budget that another one replaces before its time is as long as that leaves it.

        Raises:
            InvalidError: They are more than `PERIODS_MAX`.
        """
        first, last = max(starts_on, self.starts_on), min(ends_on, self.ends_on or date.max)
        if first > last:
            return
        numbers = range(self.period.number(self.starts_on, first), self.period.number(self.starts_on, last) + 1)
        if len(numbers) > PERIODS_MAX:
            raise InvalidError(
                f"the budget of {self.account!r} has {len(numbers)} periods from {first} through {last};"
                f" {PERIODS_MAX} are looked at: ask for a shorter time"
            )
        start = self.period.start(self.starts_on, numbers[0])
        for number in numbers:
            following = self.period.start(self.starts_on, number + 1)
            end = date.max if following is None else following - _DAY
            yield start or first, end if self.ends_on is None else min(end, self.ends_on)
            start = following


class BudgetRepository(Repository[Budget]):
    """The budgets of this ledger, in order of their accounts' ids and of their first days."""

    model = Budget
    order = (Budget.account_id, Budget.starts_on)

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope)
        self._accounts = AccountRepository(scope)

    async def set(
        self,
        account: Account | int,
        amount: Amount,
        *,
        starts_on: date,
        period: BudgetPeriod | str = BudgetPeriod.MONTH,
        rollover: Rollover | str = Rollover.NONE,
    ) -> Budget:
        """Give an account, and all below it in its currency, an amount for each period from a day on.

        It holds until the next budget of the account starts: one that starts later stays, one of the same day is
        replaced, and one that starts earlier ends on the day before.

        Args:
            account: The account, or its id.
            amount: Zero or more, in the currency of the account. Of an expense it is what may be spent; of income, what
                is expected; of any other account, what is to be put into it.
            starts_on: The first day. Periods are counted from it: weeks from its weekday, months from its day.
            period: "week", "month", "quarter" or "year".
            rollover: What is carried into the next period: "none", "unused", "overspent" or "all" of what is left.

        Raises:
            AccountNotFoundError: This ledger has no such account.
            AmountError: The amount is less than zero, a float, or finer than its currency.
            InvalidError: The day is none, or there is no such period or rollover.

        Database:
            Three SELECTs and one INSERT.
        """
        row = await self._accounts.get_one(account.id if isinstance(account, Account) else account)
        currency = await CurrencyRepository(self._scope).get_one(row.currency)
        exact = exact_in(amount, currency.code, currency.exponent)
        if exact < 0:
            raise AmountError(amount, "a budget is zero or more")
        await self._store(row.id, given_day("starts_on", starts_on), exact, _period(period), _rollover(rollover))
        return await self.get_one((row.id, starts_on))

    async def change(
        self,
        account: Account | int,
        amount: Amount | Unset = UNSET,
        *,
        starts_on: date,
        period: BudgetPeriod | str | Unset = UNSET,
        rollover: Rollover | str | Unset = UNSET,
    ) -> Budget:
        """Change the budget of an account from a day on; what is not given stays as it is.

        A period that has begun ends on the day before, with its whole amount: to change between two periods, give
        the first day of the later one.

        Raises:
            NotFoundError: The account has no budget on that day.
            FinanceError: As `set()`.

        Database:
            One SELECT more than `set()`.
        """
        account_id = account.id if isinstance(account, Account) else account
        found = await self.in_force(account_id, on=starts_on)
        if found is None or found.amount is None:
            raise NotFoundError(f"account {account_id} has no budget on {starts_on}; uow.budgets.set() makes one")
        return await self.set(
            account_id,
            found.amount if isinstance(amount, Unset) else amount,
            starts_on=starts_on,
            period=found.period if isinstance(period, Unset) else period,
            rollover=found.rollover if isinstance(rollover, Unset) else rollover,
        )

    async def end(self, account: Account | int, *, ends_on: date) -> None:
        """End the budget of an account: its last day is *ends_on*, and budgets that start later are removed.

        Raises:
            NotFoundError: The account has no budget on that day.

        Database:
            One SELECT, one DELETE and one INSERT.
        """
        account_id = account.id if isinstance(account, Account) else account
        found = await self.in_force(account_id, on=ends_on)
        if found is None or found.amount is None:
            raise NotFoundError(f"account {account_id} has no budget on {ends_on}")
        await self._scope.connection.execute(_REMOVE_LATER, self._scope.ledger_id, account_id, ends_on)
        if ends_on < date.max:
            await self._store(account_id, ends_on + timedelta(1), None, found.period, found.rollover)

    async def in_force(self, account: Account | int, *, on: date) -> Budget | None:
        """Return the budget that holds for an account on a day; None, or one without an amount, where none does.

        Database:
            One SELECT along the key.
        """
        session = self._scope.require_open()
        account_id = account.id if isinstance(account, Account) else account
        statement = (
            select(Budget)
            .where(Budget.ledger_id == self._scope.ledger_id, Budget.account_id == account_id)
            .where(Budget.starts_on <= given_day("on", on))
            .order_by(Budget.starts_on.desc())
            .limit(1)
        )
        with translated():
            return await session.scalar(statement.execution_options(populate_existing=True))

    async def terms(self, *, on: date | None = None) -> tuple[BudgetTerm, ...]:
        """Return every budget, or those of the day *on*, with the days on which it holds, by its account's name.

        Database:
            One SELECT.
        """
        rows = await self._scope.connection.fetch(_TERMS, self._scope.ledger_id)
        terms = (
            BudgetTerm(
                row["account_id"],
                row["name"],
                row["type"],
                row["currency"],
                row["amount"],
                BudgetPeriod(row["period"]),
                Rollover(row["rollover"]),
                row["starts_on"],
                None if row["next_on"] is None else row["next_on"] - timedelta(1),
            )
            for row in rows
            if row["amount"] is not None
        )
        return tuple(term for term in terms if on is None or term.covers(on))

    async def _store(
        self, account_id: int, starts_on: date, amount: Decimal | None, period: str, rollover: str
    ) -> None:
        values = (account_id, starts_on, amount, str(period), str(rollover))
        await self._scope.connection.execute(_SET, self._scope.ledger_id, *values)

    def _not_found(self, key: object) -> NotFoundError:
        return NotFoundError(f"this ledger has no budget {key!r}")


def _period(given: BudgetPeriod | str) -> BudgetPeriod:
    if given not in set(BudgetPeriod):
        raise InvalidError(f"period {given!r}: one of {', '.join(BudgetPeriod)}")
    return BudgetPeriod(given)


def _rollover(given: Rollover | str) -> Rollover:
    if given not in set(Rollover):
        raise InvalidError(f"rollover {given!r}: one of {', '.join(Rollover)}")
    return Rollover(given)
