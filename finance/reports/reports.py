"""The reports of one ledger, read in the transaction of a unit of work."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal

from finance.errors import AccountNotFoundError, NotFoundError
from finance.models import Account
from finance.money import total
from finance.pagination import Page, require_limit
from finance.reports import net_worth, register, verification
from finance.reports.assertions import ASSERTED, AssertedBalance, judged
from finance.reports.balance_sheet import BalanceSheet, balance_sheets
from finance.reports.cash_flow import CashFlow, find_cash, read_cash_flows
from finance.reports.hierarchy import require_depth
from finance.reports.income_statement import (
    IncomeStatement,
    MonthlyIncomeStatement,
    income_statements,
    monthly_income_statements,
)
from finance.reports.movements import Movement, read_accumulated, read_movements
from finance.reports.net_worth import NetWorth, ValuedNetWorth, net_worths
from finance.reports.period import Period
from finance.reports.planned import PlannedReports
from finance.reports.register import RegisterLine
from finance.reports.spending import SpendingReports
from finance.reports.trial_balance import TrialBalance, TrialBalanceRow
from finance.reports.valuation import Valuation, valued
from finance.reports.verification import Verification, Watcher
from finance.repositories import AccountRepository, PriceRepository
from finance.repositories.exchanges import CONVERSIONS
from finance.repositories.prices import MAX_AGE

_BASE_CURRENCY = "SELECT base_currency FROM ledgers WHERE id = $1"
_ACCOUNTS = "SELECT id, name, type, currency FROM accounts WHERE ledger_id = $1 ORDER BY name, currency"
_RESULT = ("income", "expense")


class Reports(SpendingReports, PlannedReports):
    """Reads of one ledger that no single repository answers."""

    async def trial_balance(self, *, on: date | None = None, known_at: datetime | None = None) -> TrialBalance:
        """Return every account with its balance at the end of the day *on*, or with all that is posted.

        Args:
            on: The last day that counts.
            known_at: Leave out what was recorded later than this instant, as `uow.accounts.balances()` does.

        Raises:
            InvalidError: *known_at* has no time zone, or *on* is not a plain day.

        Database:
            Two SELECTs; no locks.
        """
        balances = await AccountRepository(self._scope).balances(on=on, known_at=known_at)
        rows = await self._scope.connection.fetch(_ACCOUNTS, self._scope.ledger_id)
        zero = Decimal(0)
        return TrialBalance(
            on,
            tuple(
                TrialBalanceRow(
                    row["id"],
                    row["name"],
                    row["type"],
                    row["currency"],
                    debit=max(zero, balances.get(row["id"], zero)),
                    # A minus sign would round to 28 digits; of two zeros the first is taken, which has no sign.
                    credit=max(zero, balances.get(row["id"], zero).copy_negate()),
                )
                for row in rows
            ),
        )

    async def balance_sheets(
        self, *, on: date | None = None, known_at: datetime | None = None, depth: int | None = None
    ) -> tuple[BalanceSheet, ...]:
        """Return the balance sheet of each currency at the end of the day *on*, as it was known at *known_at*.

        Args:
            on: The last day that counts; None for all that is posted.
            known_at: As in `trial_balance()`.
            depth: Add up what is the same in so many first segments of the accounts' names; None lists every account.

        Raises:
            InvalidError: As `trial_balance()`, or *depth* is less than 1.

        Database:
            Two SELECTs; no locks.
        """
        require_depth(depth)
        return balance_sheets(await self.trial_balance(on=on, known_at=known_at), depth)

    async def income_statements(
        self, starts_on: date, ends_on: date, *, depth: int | None = None
    ) -> tuple[IncomeStatement, ...]:
        """Return income and expenses of each currency from *starts_on* through *ends_on*, and what is left of them.

        A currency is there when the ledger has an income or expense account in it.

        Args:
            starts_on: The first day that counts.
            ends_on: The last day that counts.
            depth: Add up what is the same in so many first segments of the accounts' names; None lists every account.

        Raises:
            InvalidError: The period ends before it starts, a day is not a plain day, or *depth* is less than 1.

        Database:
            One SELECT; no locks; reads one row a month of the period and at most two halves of a month of postings
            per account.
        """
        period = Period(starts_on, ends_on)
        require_depth(depth)
        return income_statements(period, await self._movements(period, _RESULT, by_month=False), depth)

    async def monthly_income_statements(
        self, starts_on: date, ends_on: date, *, depth: int | None = None
    ) -> tuple[MonthlyIncomeStatement, ...]:
        """Return the same with a column for each month that the period touches, those without movement too.

        Raises:
            InvalidError: As `income_statements()`, or the period has more than 1,200 months.

        Database:
            As `income_statements()`.
        """
        period = Period(starts_on, ends_on)
        _ = require_depth(depth), period.months
        return monthly_income_statements(period, await self._movements(period, _RESULT, by_month=True), depth)

    async def net_worth(self, starts_on: date, ends_on: date) -> tuple[NetWorth, ...]:
        """Return assets less liabilities of each currency at the end of each month of a period.

        The months are those that the period touches. Of the last one the day is *ends_on*, if that comes before the
        month's end. Every month is there, and currencies are never added.

        Raises:
            InvalidError: As `monthly_income_statements()`.

        Database:
            One SELECT; no locks; reads per account one row a month up to *ends_on*, and at most half a month of
            postings.
        """
        period = Period(starts_on, ends_on)
        _ = period.months
        rows = await read_accumulated(self._scope.connection, self._scope.ledger_id, net_worth.TYPES, period)
        return net_worths(period, rows)

    async def cash_flows(
        self,
        starts_on: date,
        ends_on: date,
        *,
        accounts: Sequence[Account | int] | None = None,
        under: str = "Assets",
        depth: int | None = None,
    ) -> tuple[CashFlow, ...]:
        """Return, for each currency, where the money of some accounts came from and where it went.

        Args:
            starts_on: The first day that counts.
            ends_on: The last day that counts.
            accounts: The accounts that are taken for cash, of any type, or their ids; None for those of *under*.
            under: The asset accounts of this name and below it are cash, such as "Assets:Bank".
            depth: Add up counter-accounts that are the same in so many first segments of their names, and in their
                type; None lists each.

        Raises:
            AccountNotFoundError: One of *accounts* is unknown in this ledger.
            NotFoundError: The ledger has no asset account under that name.
            InvalidError: As `income_statements()`.

        Database:
            Two SELECTs; no locks; reads the postings that the period has on these accounts and the other lines of
            their entries, and for the opening balance one row a month and half a month of postings per account.
        """
        period = Period(starts_on, ends_on)
        require_depth(depth)
        connection, ledger_id = self._scope.connection, self._scope.ledger_id
        if accounts is None:
            ids = await find_cash(connection, ledger_id, under)
            if not ids:
                raise NotFoundError(f"this ledger has no asset account {under!r}, nor one below it")
        else:
            ids = list(await AccountRepository(self._scope).balances(accounts=accounts))
        return await read_cash_flows(connection, ledger_id, ids, period, depth)

    async def _movements(self, period: Period, types: Sequence[str], *, by_month: bool) -> list[Movement]:
        return await read_movements(self._scope.connection, self._scope.ledger_id, types, period, by_month=by_month)

    async def net_worth_valued(
        self, *, on: date, quote: str | None = None, max_age: timedelta | None = MAX_AGE
    ) -> Valuation:
        """Return what is owned less what is owed at the end of the day *on*, in each currency and valued in one.

        Args:
            on: The day, of the balances and of the rates.
            quote: The currency to value in; the ledger's base currency unless given.
            max_age: How old a price may be at most; None for any age.

        Raises:
            PriceNotFoundError: A currency has no price that leads to *quote*: nothing is ever valued at 1:1.

        Database:
            Five SELECTs; no locks.
        """
        trial = await self.trial_balance(on=on)
        rows = [row for row in trial.rows if row.type in ("asset", "liability")]
        return await self._valued(rows, on, quote, max_age)

    async def monthly_net_worth_valued(
        self, starts_on: date, ends_on: date, *, quote: str | None = None, max_age: timedelta | None = MAX_AGE
    ) -> ValuedNetWorth:
        """Return assets less liabilities, valued in one currency, at the end of each month of a period.

        The months are those of `net_worth()`, each at its own rates. A currency that has no rate on such a day is
        named, and left out of that day's amounts.

        Args:
            starts_on: In the first month.
            ends_on: In the last month, and the day of its rates.
            quote: The currency to value in; the ledger's base currency unless given.
            max_age: How old a price may be at most; None for any age.

        Raises:
            InvalidError: As `monthly_income_statements()`.

        Database:
            Three SELECTs, one more without *quote*; no locks; reads what `net_worth()` reads, and a price for each
            pair and month.
        """
        worths = await self.net_worth(starts_on, ends_on)
        chosen = await self._quote(quote)
        days = net_worth.month_ends(Period(starts_on, ends_on))
        every = await PriceRepository(self._scope).rates_of_days(days, max_age=max_age)
        return net_worth.valued_net_worth(worths, every, chosen)

    async def exchange_gains(
        self, *, on: date, quote: str | None = None, max_age: timedelta | None = MAX_AGE
    ) -> Valuation:
        """Return what exchanging currencies has gained by the end of the day *on*; a loss is negative.

        The lines say how much of each currency was bought (positive) or sold in exchanges altogether, and what that
        is worth on the day. Their sum is the gain, of what was sold again and of what is still held; it is not posted.

        Args:
            on: The day, of the balances and of the rates.
            quote: The currency to value in; the ledger's base currency unless given.
            max_age: How old a price may be at most; None for any age.

        Raises:
            PriceNotFoundError: A currency has no price that leads to *quote*.

        Database:
            Five SELECTs; no locks.
        """
        trial = await self.trial_balance(on=on)
        rows = [row for row in trial.rows if row.account == CONVERSIONS and row.type == "equity"]
        return await self._valued(rows, on, quote, max_age, sign=-1)

    async def _valued(
        self, rows: Sequence[TrialBalanceRow], on: date, quote: str | None, max_age: timedelta | None, *, sign: int = 1
    ) -> Valuation:
        amounts: dict[str, list[Decimal]] = {}
        for row in rows:
            amounts.setdefault(row.currency, []).append(row.balance if sign > 0 else row.balance.copy_negate())
        chosen = await self._quote(quote)
        rates = await PriceRepository(self._scope).rates(on=on, max_age=max_age)
        return valued({currency: total(each) for currency, each in amounts.items()}, rates, chosen)

    async def _quote(self, quote: str | None) -> str:
        if quote is not None:
            return quote
        return str(await self._scope.connection.fetchval(_BASE_CURRENCY, self._scope.ledger_id))

    async def register(
        self, account: Account | int, *, start_on: date | None = None, end_on: date | None = None
    ) -> AsyncIterator[RegisterLine]:
        """Yield the postings of *account* from *start_on* through *end_on*, the oldest first, with running balances.

        Raises:
            AccountNotFoundError: This ledger has no such account.

        Database:
            One SELECT to find the account, and one through a cursor, 1,000 rows at a time; no locks.
        """
        account_id = account.id if isinstance(account, Account) else account
        if await AccountRepository(self._scope).get(account_id) is None:
            raise AccountNotFoundError(account_id)
        lines = register.read_all(self._scope.connection, self._scope.ledger_id, account_id, start_on, end_on)
        async for line in lines:
            yield line

    async def register_page(
        self,
        account: Account | int,
        *,
        after: str | None = None,
        before: str | None = None,
        limit: int = 50,
        start_on: date | None = None,
        end_on: date | None = None,
        newest_first: bool = False,
    ) -> Page[RegisterLine]:
        """Return up to *limit* lines of the register of *account*, each with the balance after it.

        Lines are in the order of their dates, those of a day in the order of their entries' ids. The balances are
        right whatever was posted meanwhile, backdated or not; a line that comes in behind the cursor is on the next
        page. To read a register from its end, ask for the newest first.

        Args:
            account: The account, or its id.
            after: The `next_cursor` of a page, for the page behind it.
            before: The `previous_cursor` of a page, for the page in front of it.
            limit: How many lines, 1 to 1000.
            start_on: The first day that is shown; the balances count what was before.
            end_on: The last day that is shown.
            newest_first: Turn the whole list round: its first page is the end of the register.

        Raises:
            AccountNotFoundError: This ledger has no such account.
            InvalidError: A cursor is not of this list, both are given, or the limit is not between 1 and 1000.

        Database:
            Two SELECTs; no locks; reads one row a month before the page, a part of one month, and the page.
        """
        account_id = account.id if isinstance(account, Account) else account
        wish = register.PageWish(account_id, after, before, require_limit(limit), newest_first)
        wish.key()
        if await AccountRepository(self._scope).get(account_id) is None:
            raise AccountNotFoundError(account_id)
        return await register.read_page(self._scope.connection, self._scope.ledger_id, wish, start_on, end_on)

    async def assertions(self, account: Account | int | None = None) -> tuple[AssertedBalance, ...]:
        """Compare the balances that statements and users assert with the books as they are now.

        They are in order of account and day. Statements whose import was undone assert nothing. Of several statements
        of one account and day the last that was imported counts.

        Args:
            account: The account, or its id; None for all.

        Database:
            One SELECT, which reads the monthly totals of the accounts and a month's postings for each assertion.
        """
        account_id = account.id if isinstance(account, Account) else account
        return tuple(judged(await self._scope.connection.fetch(ASSERTED, self._scope.ledger_id, account_id)))

    async def verify(self, *, progress: Watcher | None = None) -> Verification:
        """Compute everything derived again, and compare it with what is stored, in bounded memory.

        It finds what got past the guards: a superuser with `session_replication_role = replica`, a guard
        that was switched off, a restore that was cut short.

        All of it is of one instant in a unit of work under "repeatable_read", as `db.verify()` opens one.

        Args:
            progress: Called with a `Progress` after each batch, several times a second.

        Database:
            Fourteen SELECTs and two SETs for a small ledger; for each 5,000 entries three and two more, for each 20,000
            postings two, for each 10,000 holds one. No locks; together they read the whole ledger.
        """
        return await verification.verify(self._scope, progress=progress)
