"""The reports of what is planned: budgets against what was spent, and forecasts of balances."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

from finance.connection import Record
from finance.errors import AccountNotFoundError
from finance.models import Account
from finance.money import total
from finance.reports import forecast as forecasting
from finance.reports.budgets import BudgetReport, BudgetTotal, BudgetValuation, read_budgets
from finance.reports.forecast import Forecast, Move
from finance.reports.period import Period
from finance.reports.valuation import Valuation, valued
from finance.repositories import AccountRepository, BudgetRepository, PriceRepository, Rates, ScheduleRepository, Scope
from finance.repositories.prices import MAX_AGE

_BASE_CURRENCY = "SELECT base_currency FROM ledgers WHERE id = $1"


class PlannedReports:
    """Reads of one ledger that look at its plans."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    async def budgets(
        self, starts_on: date, ends_on: date, *, accounts: Sequence[Account | int] | None = None
    ) -> BudgetReport:
        """Return what was spent against what was budgeted, for each period that touches the given days.

        The periods are whole: what counts of one is everything from its first day through its last one. A budget is for
        its account and all accounts below it, in its currency, by their names of now.

        Args:
            starts_on: The first day.
            ends_on: The last day.
            accounts: The accounts whose budgets are told, or their ids; None for all.

        Raises:
            InvalidError: A day is not a plain day, the last comes before the first, or a budget has more than 10,000
                periods to be looked at.

        Database:
            Two SELECTs; no locks; reads for each account of a category a row a month where periods are whole months,
            else their postings, from the first period on that carried something.
        """
        period = Period(starts_on, ends_on)
        terms = await BudgetRepository(self._scope).terms()
        if accounts is not None:
            wanted = {account.id if isinstance(account, Account) else account for account in accounts}
            terms = tuple(term for term in terms if term.account_id in wanted)
        return await read_budgets(self._scope.connection, self._scope.ledger_id, terms, period)

    async def budgets_valued(
        self,
        starts_on: date,
        ends_on: date,
        *,
        type: str = "expense",  # noqa: A002 - the field's own word
        quote: str | None = None,
        max_age: timedelta | None = MAX_AGE,
    ) -> BudgetValuation:
        """Return what the budgets of one type of account come to, valued in one currency at the rates of *ends_on*.

        Args:
            starts_on: The first day.
            ends_on: The last day, and that of the rates.
            type: Of the accounts: "expense", "income", "asset", "liability" or "equity".
            quote: The currency to value in; the ledger's base currency unless given.
            max_age: How old a price may be at most; None for any age.

        Raises:
            PriceNotFoundError: A currency has no price that leads to *quote*.
            InvalidError: As `budgets()`.

        Database:
            Five SELECTs; no locks.
        """
        report = await self.budgets(starts_on, ends_on)
        found = [each for each in report.totals if each.type == type]
        if quote is None:
            quote = str(await self._scope.connection.fetchval(_BASE_CURRENCY, self._scope.ledger_id))
        rates = await PriceRepository(self._scope).rates(on=ends_on, max_age=max_age)
        fields = ("budgeted", "carried_in", "spent", "left")
        return BudgetValuation(*(_valued(found, field, rates, quote) for field in fields))

    async def forecast(
        self,
        on: date,
        ends_on: date,
        *,
        accounts: Sequence[Account | int] | None = None,
        by_day: bool = False,
        holds: bool = False,
        budgets_from: Account | int | None = None,
    ) -> tuple[Forecast, ...]:
        """Return what accounts will hold at the end of each month, or day, and when one first falls below its limit.

        It starts with the balances at the end of the day *on*, and adds what is posted with later dates and what
        schedules will post. An occurrence that is not posted though its day is over counts on the day *on*, as if it
        were posted then. The first day below the limit is looked for day by day, whatever the points are.

        Args:
            on: The day from which it looks ahead: today.
            ends_on: The last day.
            accounts: The accounts, or their ids; None for all assets and liabilities that are not closed.
            by_day: Tell every day, at most 3,660, and not only the last one of each month.
            holds: Take what is held on an account for gone.
            budgets_from: The account out of which budgets of expenses will be spent to their end: what is left of each
                period goes on its last day, and what is scheduled in its category is not counted twice. None to leave
                budgets out.

        Raises:
            AccountNotFoundError: One of the accounts is unknown in this ledger.
            InvalidError: A day is not a plain day, the last comes before the first, or there are too many of them.
            RecurrenceError: A schedule has more occurrences than are looked at (10,000).

        Database:
            Seven SELECTs; one more for *holds*, and two more for *budgets_from*; no locks.
        """
        period = Period(on, ends_on)
        known = {
            row["id"]: row for row in await forecasting.read_accounts(self._scope.connection, self._scope.ledger_id)
        }
        wanted = _chosen(known, accounts)
        ids = [row["id"] for row in wanted]
        openings = await AccountRepository(self._scope).balances(on=on, accounts=ids)
        moves = forecasting.scheduled(await ScheduleRepository(self._scope).due(ends_on), on)
        if budgets_from is not None:
            payer = _found(known, budgets_from)
            moves += forecasting.budgeted(await self.budgets(on, ends_on), payer, moves, known)
        moves += await forecasting.read_ahead(self._scope.connection, self._scope.ledger_id, ids, period)
        held = await self._held(ids) if holds else {}
        by_account: dict[int, list[Move]] = {each: [] for each in ids}
        for move in moves:
            if move.account_id in by_account:
                by_account[move.account_id].append(move)
        return tuple(
            forecasting.forecast(
                row, openings[row["id"]], held.get(row["id"], Decimal(0)), by_account[row["id"]], period, by_day=by_day
            )
            for row in wanted
        )

    async def _held(self, ids: Sequence[int]) -> dict[int, Decimal]:
        return await forecasting.read_held(self._scope.connection, self._scope.ledger_id, ids)


def _chosen(known: dict[int, Record], accounts: Sequence[Account | int] | None) -> list[Record]:
    if accounts is not None:
        return [_found(known, account) for account in accounts]
    return [row for row in known.values() if row["type"] in {"asset", "liability"} and row["closed_on"] is None]


def _found(known: dict[int, Record], account: Account | int) -> Record:
    account_id = account.id if isinstance(account, Account) else account
    if account_id not in known:
        raise AccountNotFoundError(account_id)
    return known[account_id]


def _valued(found: Sequence[BudgetTotal], field: str, rates: Rates, quote: str) -> Valuation:
    amounts: dict[str, list[Decimal]] = {}
    for each in found:
        amounts.setdefault(each.currency, []).append(getattr(each, field))
    return valued({currency: total(some) for currency, some in amounts.items()}, rates, quote)
