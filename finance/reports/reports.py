"""The reports of one ledger, read in the transaction of a unit of work."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal

from finance.errors import AccountNotFoundError
from finance.integrity import translated
from finance.models import Account
from finance.reports import register, verification
from finance.reports.balance_sheet import BalanceSheet, balance_sheets
from finance.reports.register import RegisterLine
from finance.reports.trial_balance import TrialBalance, TrialBalanceRow
from finance.reports.verification import Problem, Verification
from finance.repositories import AccountRepository, Scope

_ACCOUNTS = "SELECT id, name, type, currency FROM accounts WHERE ledger_id = $1 ORDER BY name, currency"
_BATCH = 1000


class Reports:
    """Reads of one ledger that no single repository answers."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    async def trial_balance(self, *, on: date | None = None) -> TrialBalance:
        """Return every account with its balance at the end of the day *on*, or with all that is posted.

        Database:
            Two SELECTs; no locks.
        """
        balances = await AccountRepository(self._scope).balances(on=on)
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
                    debit=max(balances.get(row["id"], zero), zero),
                    # A minus sign would round to 28 digits.
                    credit=max(balances.get(row["id"], zero).copy_negate(), zero),
                )
                for row in rows
            ),
        )

    async def balance_sheets(self, *, on: date | None = None) -> tuple[BalanceSheet, ...]:
        """Return the balance sheet of each currency at the end of the day *on*.

        Database:
            Two SELECTs; no locks.
        """
        return balance_sheets(await self.trial_balance(on=on))

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
        with translated():
            cursor = self._scope.connection.driver.cursor(
                register.SQL, self._scope.ledger_id, account_id, start_on, end_on, prefetch=_BATCH
            )
            async for row in cursor:
                yield RegisterLine(**row)

    async def verify(self) -> Verification:
        """Compute everything derived again, and compare it with what is stored.

        It finds what got past the guards: a superuser with `session_replication_role = replica`, a guard
        that was switched off, a restore that was cut short.

        Database:
            Two SELECTs that read the whole ledger; no locks.
        """
        connection, ledger_id = self._scope.connection, self._scope.ledger_id
        counts = await connection.fetchrow(verification.COUNTS, ledger_id)
        rows = await connection.fetch(verification.SQL, ledger_id)
        return Verification(**dict(counts or {}), problems=tuple(Problem(**row) for row in rows))
