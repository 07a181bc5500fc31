"""The accounts of a ledger, and what is on them."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import inspect, select
from sqlalchemy.dialects.postgresql import insert

from finance.errors import AccountNotFoundError, AlreadyExistsError, CurrencyError, InvalidError, StaleVersionError
from finance.integrity import translated
from finance.models import Account, AccountDetails, AccountType, Chart, Currency
from finance.models.account_details import normal_iban
from finance.money import Amount, exact_in
from finance.repositories.account_names import names_of, require_name, type_of
from finance.repositories.balances import read_balances
from finance.repositories.base import Repository, Scope
from finance.repositories.closing_holds import expire
from finance.repositories.currencies import CurrencyRepository
from finance.repositories.identified import account_of_iban, account_of_number


class Unset(enum.Enum):
    """The value of an argument that was not given, where None means something."""

    UNSET = "unset"


UNSET: Final = Unset.UNSET

# Whoever posts locks the accounts in this order, too.
_MOVE = """
WITH moved AS MATERIALIZED (
    SELECT id FROM accounts WHERE ledger_id = $1 AND (name = $2 OR starts_with(name, $2 || ':'))
     ORDER BY id FOR NO KEY UPDATE
)
UPDATE accounts AS a SET name = $3 || substr(a.name, char_length($2) + 1)
  FROM moved WHERE a.ledger_id = $1 AND a.id = moved.id
"""


class AccountRepository(Repository[Account]):
    """The accounts of this ledger, in order of name and currency."""

    model = Account
    order = (Account.name, Account.currency, Account.id)

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope)
        self._currencies = CurrencyRepository(scope)

    async def get_by_name(self, name: str, currency: str | None = None) -> Account | None:
        """Return the account *name*, or None. One name may hold several currencies, as several accounts.

        Raises:
            CurrencyError: It holds several, and *currency* does not say which.

        Database:
            One SELECT.
        """
        session = self._scope.require_open()
        statement = select(Account).where(Account.ledger_id == self._scope.ledger_id, Account.name == name)
        if currency is not None:
            statement = statement.where(Account.currency == currency)
        with translated():
            found = (await session.scalars(statement.execution_options(populate_existing=True))).all()
        if len(found) > 1:
            held = ", ".join(sorted(account.currency for account in found))
            raise CurrencyError(None, f"account {name!r} holds {held}; say which one")
        return found[0] if found else None

    async def get_by_iban(self, iban: str) -> Account | None:
        """Return the account with this IBAN, in whatever way it is written, or None.

        Raises:
            InvalidError: It is no IBAN.

        Database:
            One SELECT along an index.
        """
        return await account_of_iban(self._scope, normal_iban(iban))

    async def get_by_number(self, institution: str, number: str) -> Account | None:
        """Return the account with this number at this institution, both as `AccountDetails` has them, or None.

        Raises:
            InvalidError: One of them is empty, or too long.

        Database:
            One SELECT along an index.
        """
        wanted = AccountDetails(institution=institution, number=number)
        return await account_of_number(self._scope, wanted.institution or "", wanted.number or "")

    async def open(
        self,
        name: str,
        *,
        currency: str,
        type: AccountType | str | None = None,  # noqa: A002 - the field's own word
        minimum_balance: Amount | None = None,
        maximum_balance: Amount | None = None,
        opened_on: date | None = None,
        details: AccountDetails | Mapping[str, Any] | None = None,
    ) -> Account:
        """Open an account.

        Args:
            name: Segments joined by colons, such as "Assets:Bank:Checking".
            currency: The code of one of the ledger's currencies, or of ISO 4217.
            type: What the first segment says (Assets, Liabilities, Equity, Income, Expenses) unless given.
            minimum_balance: The balance may not fall below it, whoever posts.
            maximum_balance: The balance may not rise above it, whoever posts.
            opened_on: When it was opened, for information.
            details: What identifies the account to the outside, or free data about it, as JSON: those named as in
                `AccountDetails` are verified all the same.

        Raises:
            AlreadyExistsError: The ledger has an account of this name and currency; or one of this IBAN, or of this
                number at this institution, and the transaction is aborted then.
            InvalidError: The name is not well formed, or its first segment names no type and *type* is None; or an
                IBAN or BIC is none.
            CurrencyError: Neither the ledger nor ISO 4217 knows the currency.
            AmountError: A limit is not an exact amount of the currency.

        Database:
            One SELECT and one INSERT; on the first use of a currency one more of each.
        """
        chosen = type_of(require_name(name), type)
        known = await self._currencies.get_or_open(currency)
        account = await self._insert(
            known,
            name=name,
            type=chosen,
            minimum_balance=_limit(minimum_balance, known),
            maximum_balance=_limit(maximum_balance, known),
            opened_on=opened_on,
            details=_details(details or {}, {}),
        )
        if account is None:
            raise AlreadyExistsError("account", [name, known.code])
        return account

    async def get_or_open(
        self,
        name: str,
        *,
        currency: str,
        type: AccountType | str | None = None,  # noqa: A002 - the field's own word
    ) -> Account:
        """Return the account *name* in *currency*, opening it when there is none.

        Raises:
            InvalidError, CurrencyError: As `open()`.

        Database:
            One SELECT; when it is new, also what `open()` takes.
        """
        found = await self.get_by_name(name, currency)
        if found is not None:
            return found
        chosen = type_of(require_name(name), type)
        known = await self._currencies.get_or_open(currency)
        found = await self._insert(known, name=name, type=chosen)
        if found is None:  # another transaction was faster, or the code was not in capitals
            found = await self.get_by_name(name, known.code)
        if found is None:
            raise AccountNotFoundError(name, known.code)
        return found

    async def open_chart(self, chart: Chart | str | Iterable[str], *, currency: str) -> list[Account]:
        """Open the accounts of a chart that are missing, and return all of them in its order.

        Args:
            chart: "household" or "small_business", or names of your own.
            currency: What all of them hold.

        Raises:
            InvalidError: There is no such chart, or a name is not well formed.
            CurrencyError: Neither the ledger nor ISO 4217 knows the currency.

        Database:
            For each account what `get_or_open()` takes.
        """
        names = names_of(chart) if isinstance(chart, str) else list(chart)
        return [await self.get_or_open(name, currency=currency) for name in names]

    async def move(self, name: str, to: str) -> int:
        """Rename every account called *name*, and all below it, and return how many these were.

        Their postings, balances and limits stay theirs. A row that was read before keeps its old name until it is
        read again.

        Args:
            name: "Expenses:Car" takes "Expenses:Car:Fuel" along, but not "Expenses:Carpets".
            to: The new name, below the same first segment.

        Raises:
            AccountNotFoundError: No account has this name, or one below it.
            AlreadyExistsError: A new name is taken.
            InvalidError: A name is not well formed, both are the same, or the first segments differ.

        Database:
            One UPDATE, which locks the accounts' rows in the order of their ids.
        """
        if name == require_name(to):
            raise InvalidError(f"account name {to!r} is what it is called already")
        if name.split(":", 1)[0] != to.split(":", 1)[0]:
            raise InvalidError(f"account {name!r} keeps its type: its new name starts with {name.split(':', 1)[0]!r}")
        status = await self._scope.connection.execute(_MOVE, self._scope.ledger_id, name, to)
        count = int(status.rpartition(" ")[2])
        if not count:
            raise AccountNotFoundError(name)
        return count

    async def update(
        self,
        account: Account | int,
        *,
        expected_version: int | None = None,
        name: str | Unset = UNSET,
        minimum_balance: Amount | Unset | None = UNSET,
        maximum_balance: Amount | Unset | None = UNSET,
        opened_on: date | Unset | None = UNSET,
        closed_on: date | Unset | None = UNSET,
        details: AccountDetails | Mapping[str, Any] | Unset = UNSET,
    ) -> Account:
        """Change the given fields of an account, and no other.

        Args:
            account: The account, or its id.
            expected_version: Refuse when the account is no longer at this version.
            name: Its new name; its type stays.
            minimum_balance: A new limit, or None for none.
            maximum_balance: A new limit, or None for none.
            opened_on: When it was opened.
            closed_on: A day closes the account to every posting, None reopens it.
            details: The free data that replace the old; or `AccountDetails`, which replace only what is of theirs.

        Raises:
            AccountNotFoundError: This ledger has no such account.
            StaleVersionError: It was changed since *expected_version*.
            BalanceLimitError: Its balance, less what is held, is beyond a new limit.
            AccountHeldError: It has open holds, and would be closed.
            AlreadyExistsError: The new name, IBAN, or number at the institution is taken.
            InvalidError: An IBAN or BIC is none.

        Database:
            Two SELECTs, the first of them FOR NO KEY UPDATE, and one UPDATE; one SELECT more for a limit, and one
            UPDATE where something is held.
        """
        row = await self.get_one(account.id if isinstance(account, Account) else account, for_update=True)
        if expected_version is not None and row.version != expected_version:
            raise StaleVersionError("account", expected_version)
        changes: dict[str, Any] = {"name": name, "opened_on": opened_on, "closed_on": closed_on}
        if details is not UNSET:
            changes["details"] = _details(details, row.details)
        limits = {"minimum_balance": minimum_balance, "maximum_balance": maximum_balance}
        given = {field: limit for field, limit in limits.items() if limit is not UNSET}
        if row.held:  # what no longer holds anything must not stand in the way
            await expire(self._scope, row.id)
        if given:
            currency = await self._currencies.get_one(row.currency)
            changes |= {field: _limit(limit, currency) for field, limit in given.items()}
        for field, value in changes.items():
            if value is not UNSET:
                setattr(row, field, value)
        await self._flush()
        if inspect(row).expired_attributes:  # the balance, which the database may change with any update
            with translated():
                await self._scope.session.refresh(row)
        return row

    async def close(self, account: Account | int, *, on: date) -> Account:
        """Close an account: it takes no posting of any date until it is reopened.

        Raises:
            AccountNotFoundError: This ledger has no such account.
            AccountHeldError: It has open holds.

        Database:
            As `update()`.
        """
        return await self.update(account, closed_on=on)

    async def reopen(self, account: Account | int) -> Account:
        """Open a closed account to postings again.

        Raises:
            AccountNotFoundError: This ledger has no such account.

        Database:
            As `update()`.
        """
        return await self.update(account, closed_on=None)

    async def balance(
        self, account: Account | int, *, on: date | None = None, known_at: datetime | None = None
    ) -> Decimal:
        """Sum every posting of *account* up to and including *on*, as `balances()` does.

        Raises:
            AccountNotFoundError: This ledger has no such account.
            InvalidError: As `balances()`.

        Database:
            One SELECT; no locks; reads as `balances()`.
        """
        account_id = account.id if isinstance(account, Account) else account
        found = await read_balances(self._scope.connection, self._scope.ledger_id, on, known_at, account_id)
        if account_id not in found:
            raise AccountNotFoundError(account_id)
        return found[account_id]

    async def balances(
        self,
        *,
        on: date | None = None,
        known_at: datetime | None = None,
        accounts: Sequence[Account | int] | None = None,
    ) -> dict[int, Decimal]:
        """Sum every posting up to and including *on*, per account id.

        Amounts are in each account's own currency, in major units, exact; debits are positive. Every account
        that is asked for is there; one without postings maps to zero.

        Args:
            on: The last day that counts; None for all postings, those dated in the future included.
            known_at: Leave out what was recorded later than this instant, so that the answer is what it would
                have been then. It is final once every transaction that was under way at the instant has ended:
                an entry is recorded when it is written, and seen when it commits.
            accounts: Accounts or ids; None for all of the ledger.

        Raises:
            AccountNotFoundError: An id is unknown in this ledger.
            InvalidError: *known_at* has no time zone, or *on* is not a plain day.

        Database:
            One SELECT; no locks; reads one row a month and at most half a month of postings per account, and
            with *known_at* what was recorded since.
        """
        ids = None
        if accounts is not None:
            ids = [account.id if isinstance(account, Account) else account for account in accounts]
        balances = await read_balances(self._scope.connection, self._scope.ledger_id, on, known_at, ids)
        for wanted in ids or ():
            if wanted not in balances:
                raise AccountNotFoundError(wanted)
        return balances

    async def _insert(self, currency: Currency, **fields: Any) -> Account | None:
        session = self._scope.require_open()
        statement = insert(Account).values(ledger_id=self._scope.ledger_id, currency=currency.code, **fields)
        conflict = [Account.ledger_id, Account.name, Account.currency]
        with translated():
            return await session.scalar(statement.on_conflict_do_nothing(index_elements=conflict).returning(Account))

    def _not_found(self, key: int) -> AccountNotFoundError:
        return AccountNotFoundError(key)


def _details(given: AccountDetails | Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    return given.within(before) if isinstance(given, AccountDetails) else AccountDetails.of(given).within(given)


def _limit(limit: Amount | None, currency: Currency) -> Decimal | None:
    return None if limit is None else exact_in(limit, currency.code, currency.exponent)
