"""Budgets: what was spent against what was budgeted, period by period, with what is carried from one to the next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from itertools import groupby, pairwise

from finance.connection import Connection
from finance.errors import CurrencyError
from finance.models import BudgetPeriod, Rollover
from finance.money import total
from finance.reports.period import Period
from finance.reports.valuation import Valuation
from finance.repositories import BudgetTerm
from finance.repositories.balances import month_end

# The accounts of a branch by their names of today. Periods of whole months are read from the totals of months; whole
# weeks are added up here.
_SPENT = """
SELECT w.number, m.day, sum(m.amount) AS amount
  FROM unnest($2::int[], $3::bigint[], $4::date[], $5::date[], $6::boolean[], $7::int[])
       AS w(number, account_id, first, last, is_whole, step)
  JOIN accounts AS r ON r.ledger_id = $1 AND r.id = w.account_id
  JOIN accounts AS a ON a.ledger_id = $1 AND a.currency = r.currency
                    AND (a.id = r.id OR starts_with(a.name, r.name || ':'))
 CROSS JOIN LATERAL (
    SELECT t.month AS day, t.debit - t.credit AS amount FROM monthly_totals AS t
     WHERE w.is_whole AND t.ledger_id = $1 AND t.account_id = a.id AND t.month BETWEEN w.first AND w.last
     UNION ALL
    SELECT w.first + (p.date - w.first) / w.step * w.step, p.amount FROM postings AS p
     WHERE NOT w.is_whole AND p.ledger_id = $1 AND p.account_id = a.id AND p.date BETWEEN w.first AND w.last
 ) AS m
 GROUP BY w.number, m.day
"""
_DAY = timedelta(1)
_NEVER = (date.max, None)
_FRACTION = Decimal("0.0001")
# Wide enough for any two amounts; the quotient itself is rounded once more, to four decimals.
_DIVIDING = Context(prec=64, rounding=ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True)
class BudgetedPeriod:
    """One period of a budget, from `starts_on` through `ends_on`, in the currency of its account.

    `spent` is what was posted to the account and all below it in the period: debits less credits, and of income credits
    less debits. What is left, and what of it is carried into the next period, is

        left = budgeted + carried_in - spent
        carried_out = 0 (rollover "none"), max(left, 0) ("unused"), min(left, 0) ("overspent"), left ("all")

    A budget's first period has nothing carried in, unless another budget of the account ended on the day before.
    """

    starts_on: date
    ends_on: date
    budgeted: Decimal
    carried_in: Decimal
    spent: Decimal
    rollover: Rollover

    @property
    def available(self) -> Decimal:
        """What there was to spend: budgeted + carried_in."""
        return total((self.budgeted, self.carried_in))

    @property
    def left(self) -> Decimal:
        """What was not spent: budgeted + carried_in - spent; negative where more was spent than there was."""
        return total((self.available, self.spent.copy_negate()))

    @property
    def carried_out(self) -> Decimal:
        """What of `left` the next period is given."""
        return _carried(self.left, self.rollover)

    @property
    def fraction(self) -> Decimal | None:
        """What part was spent: spent / (budgeted + carried_in), to four decimals, half to even.

        None where there was nothing to spend, or less.
        """
        return _fraction(self.spent, self.available)


@dataclass(frozen=True, slots=True)
class BudgetTotal:
    """What budgets of one type of account and one currency come to over some time.

    `carried_in` is what their first periods got, and `left` what is left in their last ones.
    """

    type: str
    currency: str
    budgeted: Decimal
    carried_in: Decimal
    spent: Decimal
    left: Decimal

    @property
    def lapsed(self) -> Decimal:
        """What was neither spent nor carried: budgeted + carried_in - spent - left.

        It is negative where overspending was let go.
        """
        return total((self.budgeted, self.carried_in, self.spent.copy_negate(), self.left.copy_negate()))

    @property
    def fraction(self) -> Decimal | None:
        """As that of a period."""
        return _fraction(self.spent, total((self.budgeted, self.carried_in)))


@dataclass(frozen=True, slots=True)
class BudgetProgress:
    """The periods of an account's budgets. `within` names the nearest account above it that has one too, if any."""

    account_id: int
    account: str
    type: str
    currency: str
    within: str | None
    periods: tuple[BudgetedPeriod, ...]

    @property
    def total(self) -> BudgetTotal:
        """All of its periods together."""
        return BudgetTotal(
            self.type,
            self.currency,
            total(each.budgeted for each in self.periods),
            self.periods[0].carried_in,
            total(each.spent for each in self.periods),
            self.periods[-1].left,
        )


@dataclass(frozen=True, slots=True)
class BudgetReport:
    """The budgets that have a period with a day from `starts_on` through `ends_on`, by the names of their accounts."""

    starts_on: date
    ends_on: date
    budgets: tuple[BudgetProgress, ...]

    @property
    def totals(self) -> tuple[BudgetTotal, ...]:
        """A total for each type of account and currency. A budget within another is counted in that one only."""
        found = sorted((each.total for each in self.budgets if each.within is None), key=_kind)
        return tuple(_added(kind, list(some)) for kind, some in groupby(found, _kind))

    def total(self, type: str = "expense") -> BudgetTotal | None:  # noqa: A002 - the field's own word
        """Return the total of the budgets of one type of account; None where there is none.

        Raises:
            CurrencyError: They are in several currencies; `uow.reports.budgets_valued()` values them in one.
        """
        found = [each for each in self.totals if each.type == type]
        if len(found) > 1:
            held = ", ".join(each.currency for each in found)
            raise CurrencyError(None, f"budgets in {held} are not added; value them with uow.reports.budgets_valued()")
        return found[0] if found else None


@dataclass(frozen=True, slots=True)
class BudgetValuation:
    """What the budgets of one type of account come to, valued in one currency at the rates of a day."""

    budgeted: Valuation
    carried_in: Valuation
    spent: Valuation
    left: Valuation


async def read_budgets(
    connection: Connection, ledger_id: int | None, terms: Sequence[BudgetTerm], period: Period
) -> BudgetReport:
    """Read the progress of the budgets *terms*, in order of their accounts, in the periods that touch *period*.

    Raises:
        InvalidError: A budget has more periods than are looked at.
    """
    chains = [_Chain(list(some), period) for _, some in groupby(terms, lambda term: term.account_id)]
    chains = [chain for chain in chains if chain.days]
    days = await _read_days(connection, ledger_id, chains)
    names = {(chain.terms[0].account, chain.terms[0].currency) for chain in chains}
    return BudgetReport(
        period.starts_on,
        period.ends_on,
        tuple(
            BudgetProgress(
                chain.terms[0].account_id,
                chain.terms[0].account,
                chain.terms[0].type,
                chain.terms[0].currency,
                _above(chain.terms[0].account, chain.terms[0].currency, names),
                tuple(chain.run(days[number], period.starts_on)),
            )
            for number, chain in enumerate(chains)
        ),
    )


class _Chain:
    """The budgets of one account, and their periods from the first that still matters."""

    def __init__(self, terms: list[BudgetTerm], period: Period) -> None:
        self.terms = terms
        begin = _begin(terms, period)
        self.days = [(term, first, last) for term in terms for first, last in term.periods(begin, period.ends_on)]

    @property
    def is_whole(self) -> bool:
        """Whether its periods are of whole months."""
        return all(first.day == 1 and last == month_end(last) for _, first, last in self.days)

    @property
    def step(self) -> int:
        """Of how many days what was moved can be added up: seven where one week follows the other."""
        follow = all(
            before.ends_on is not None
            and term.starts_on - before.ends_on == _DAY
            and (term.starts_on - before.starts_on).days % 7 == 0
            for before, term in pairwise(self.terms)
        )
        return 7 if follow and all(term.period is BudgetPeriod.WEEK for term in self.terms) else 1

    def run(self, days: Sequence[tuple[date, Decimal]], starts_on: date) -> Iterator[BudgetedPeriod]:
        """Yield its periods that do not end before *starts_on*, from what was moved on *days*, or from them on."""
        none = Decimal(0)
        carried, next_on = none, date.min
        moved = iter(days)
        day, amount = next(moved, _NEVER)
        for term, first, last in self.days:
            spent = none
            while day <= last and amount is not None:
                if day >= first:
                    spent = amount if spent is none else total((spent, amount))
                day, amount = next(moved, _NEVER)
            if term.type == "income" and spent:
                spent = spent.copy_negate()
            if next_on != first:
                carried = none
            if last >= starts_on:
                yield BudgetedPeriod(first, last, term.amount, carried, spent, term.rollover)
            carried = _carried(total((term.amount, carried, spent.copy_negate())), term.rollover)
            next_on = _behind(last)


def _begin(terms: Sequence[BudgetTerm], period: Period) -> date:
    """Return the first day of the first period that says what is carried into *period*."""
    place = next((number for number, term in enumerate(terms) if (term.ends_on or date.max) >= period.starts_on), None)
    if place is None or terms[place].starts_on > period.ends_on:
        return date.max
    begin = max(terms[place].starts_on, period.starts_on)
    while True:
        term = terms[place]
        if term.rollover is not Rollover.NONE:
            begin = term.starts_on
        first, _ = next(term.periods(begin, begin))
        before = terms[place - 1] if place else None
        if first > term.starts_on or before is None or before.ends_on is None:
            return begin
        if before.ends_on + timedelta(1) != term.starts_on or before.rollover is Rollover.NONE:
            return begin
        place, begin = place - 1, before.ends_on


def _behind(day: date) -> date:
    return day if day == date.max else day + _DAY


async def _read_days(
    connection: Connection, ledger_id: int | None, chains: Sequence[_Chain]
) -> list[list[tuple[date, Decimal]]]:
    """Return what was moved in the branch of each of *chains*, by the day or the first day of the week or month."""
    rows = await connection.fetch(
        _SPENT,
        ledger_id,
        list(range(len(chains))),
        [chain.terms[0].account_id for chain in chains],
        [chain.days[0][1] for chain in chains],
        [chain.days[-1][2] for chain in chains],
        [chain.is_whole for chain in chains],
        [chain.step for chain in chains],
    )
    found: list[list[tuple[date, Decimal]]] = [[] for _ in chains]
    for number, day, amount in rows:
        found[number].append((day, amount))
    return [sorted(days) for days in found]


def _above(name: str, currency: str, names: Set[tuple[str, str]]) -> str | None:
    parts = name.split(":")
    above = (":".join(parts[:count]) for count in range(len(parts) - 1, 0, -1))
    return next((each for each in above if (each, currency) in names), None)


def _carried(left: Decimal, rollover: Rollover) -> Decimal:
    is_carried = rollover is Rollover.ALL or rollover is (Rollover.UNUSED if left > 0 else Rollover.OVERSPENT)
    return left if is_carried else Decimal(0)


def _fraction(spent: Decimal, available: Decimal) -> Decimal | None:
    if available <= 0:
        return None
    return _DIVIDING.divide(spent, available).quantize(_FRACTION, context=_DIVIDING)


def _kind(each: BudgetTotal) -> tuple[str, str]:
    return each.type, each.currency


def _added(kind: tuple[str, str], some: Sequence[BudgetTotal]) -> BudgetTotal:
    return BudgetTotal(
        *kind,
        total(each.budgeted for each in some),
        total(each.carried_in for each in some),
        total(each.spent for each in some),
        total(each.left for each in some),
    )
