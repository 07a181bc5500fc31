"""Balances that somebody claims: recorded by a statement's import, or by hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from finance.models import Account, Assertion, AssertionKind, NewAssertion, Statement
from finance.money import exact_in
from finance.repositories.accounts import AccountRepository
from finance.repositories.base import Repository, Scope
from finance.repositories.currencies import CurrencyRepository

# A claim of an opening balance says nothing new where the statement before it closed with that in the middle of a day:
# its lines of that day come before this statement's.
_CLAIM = """
INSERT INTO assertions (ledger_id, account_id, statement_id, date, amount, kind)
SELECT $1, $2, $3, c.date, c.amount, c.kind
  FROM unnest($4::date[], $5::numeric[], $6::text[]) AS c(date, amount, kind)
 WHERE c.kind <> 'opening'
    OR NOT EXISTS (SELECT FROM assertions AS a
                    WHERE a.ledger_id = $1 AND a.account_id = $2 AND a.date = c.date + 1 AND a.kind = 'closing'
                      AND a.amount = c.amount)
"""

#: The kind of a claim, the day at whose end it holds, and the balance.
Claim = tuple[AssertionKind, date, Decimal]


class AssertionRepository(Repository[Assertion]):
    """The assertions of this ledger, in order of date. `uow.reports.assertions()` says which of them hold.

    `remove()` deletes one that was recorded by hand; one of a statement stays.
    """

    model = Assertion
    order = (Assertion.date, Assertion.id)

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope)
        self._accounts = AccountRepository(scope)
        self._currencies = CurrencyRepository(scope)

    async def record(self, assertion: NewAssertion) -> Assertion:
        """Record a balance by hand. The books need not agree with it, now or later.

        Raises:
            AccountNotFoundError: This ledger has no such account.
            AmountError: The amount has more decimals than the account's currency.

        Database:
            One or two SELECTs and one INSERT.
        """
        given = assertion.account
        account = given if isinstance(given, Account) else await self._accounts.get_one(given)
        currency = await self._currencies.get_or_open(account.currency)
        amount = exact_in(assertion.value, currency.code, currency.exponent)
        row = Assertion(account_id=account.id, date=assertion.date, amount=amount, note=assertion.note)
        return await self.add(row)

    async def claim(self, statement: Statement, claims: Sequence[Claim], *, account: Account | None = None) -> None:
        """Record what *statement* says of its account, or of *account*, which holds a security of it.

        Database:
            One INSERT.
        """
        if not claims:
            return
        kinds, days, amounts = zip(*claims, strict=True)
        await self._scope.connection.execute(
            _CLAIM,
            self._scope.ledger_id,
            statement.account_id if account is None else account.id,
            statement.id,
            list(days),
            list(amounts),
            [kind.value for kind in kinds],
        )
