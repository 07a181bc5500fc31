"""Holds: value reserved on an account, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select

from finance.connection import Record
from finance.errors import (
    AccountNotFoundError,
    AmountError,
    HoldClosedError,
    HoldConflictError,
    HoldExceededError,
    HoldExpiredError,
    HoldNotFoundError,
    InvalidError,
)
from finance.models import Account, Hold, HoldStatus, NewEntry, NewHold
from finance.money import total
from finance.pagination import PAGE_SIZE, Page
from finance.repositories.base import Repository
from finance.repositories.closing_holds import RELEASE, expire
from finance.repositories.journal import JournalRepository

_PLACE = """
INSERT INTO holds (ledger_id, id, account_id, amount, currency, description, expires_at)
SELECT a.ledger_id, $3, a.id, $4, a.currency, $5, $6 FROM accounts AS a WHERE a.ledger_id = $1 AND a.id = $2
    ON CONFLICT (ledger_id, id) DO NOTHING RETURNING id
"""
_READ = """
SELECT account_id, amount, description, status, entry_id, expires_at, expires_at <= clock_timestamp() AS is_over
  FROM holds WHERE ledger_id = $1 AND id = $2
"""


@dataclass(frozen=True, slots=True)
class Placed:
    """The answer to placing: the hold's id, and whether it was stored before with the same content."""

    id: UUID
    is_replay: bool


@dataclass(frozen=True, slots=True)
class Settled:
    """The answer to settling: the entry's id, what it took of the hold, and whether it was stored before."""

    id: UUID
    hold_id: UUID
    amount: Decimal
    is_replay: bool


class HoldRepository(Repository[Hold]):
    """The holds of this ledger, in the order of their ids: those of `uuid7()` as they were made."""

    model = Hold
    order = (Hold.id,)

    async def place(self, hold: NewHold) -> Placed:
        """Reserve value on an account: its limits count it as gone until the hold is closed.

        The hold's id makes it exactly once: placing the same id with the same content again changes nothing
        and says so, whatever became of the hold meanwhile.

        Raises:
            AccountNotFoundError: The account is unknown, or of another ledger.
            AccountClosedError: The account is closed.
            AmountError: The amount has more decimals than the account's currency.
            BalanceLimitError: The balance less what is held would fall below the account's minimum.
            InvalidError: It would expire before now.
            HoldConflictError: The id is stored with other content.

        Database:
            One INSERT, and one SELECT for a replay. It locks the account's row, and shares the ledger's closing lock.
        """
        if isinstance(hold.account, Account) and hold.account.ledger_id != self._scope.ledger_id:
            raise AccountNotFoundError(hold.account.name, hold.account.currency)
        try:
            stored = await self._scope.connection.fetchval(
                _PLACE,
                self._scope.ledger_id,
                hold.account_id,
                hold.id,
                hold.value,
                hold.description,
                hold.expires_at,
            )
        except AmountError as error:
            raise AmountError(hold.value, error.reason, exponent=error.exponent) from error
        if stored is None:
            await self._require_same(hold)
        return Placed(hold.id, is_replay=stored is None)

    async def settle(self, hold_id: UUID, entry: NewEntry) -> Settled:
        """Post *entry*, which takes what was held or a part of it; the rest is free again.

        A hold is settled by one entry. The entry's id makes it exactly once, as for `uow.journal.post()`. Whether
        the entry takes too much is also looked at by the database, when the unit of work commits.

        Args:
            hold_id: The hold to settle.
            entry: Its postings on the hold's account sum to what it takes, as a credit: negative.

        Raises:
            HoldNotFoundError: This ledger has no such hold.
            HoldClosedError: It was settled by another entry or released before, or another transaction did so first.
            HoldExpiredError: Its time is over.
            HoldExceededError: The entry takes nothing from the account, or more than was held.
            FinanceError: As `uow.journal.post()`.

        Database:
            One SELECT and what `uow.journal.post()` takes.
        """
        if entry.settles_id not in {None, hold_id}:
            raise InvalidError(f"the entry settles hold {entry.settles_id}, not {hold_id}")
        hold = await self._read(hold_id)
        if hold["entry_id"] != entry.id:
            _require_open(hold_id, hold)
        taken = total(line.value.copy_negate() for line in entry.postings if line.account_id == hold["account_id"])
        if not 0 < taken <= hold["amount"]:
            raise HoldExceededError(hold_id, hold["amount"], taken)
        try:
            posted = await JournalRepository(self._scope).post(replace(entry, settles_id=hold_id))
        except HoldExpiredError:
            raise
        except HoldClosedError as error:
            raise HoldClosedError(hold_id, error.status) from error
        return Settled(posted.id, hold_id, taken, posted.is_replay)

    async def release(self, hold_id: UUID) -> Hold:
        """Give up an open hold: what it held is free again. One that was released or has expired stays as it is.

        Raises:
            HoldNotFoundError: This ledger has no such hold.
            HoldClosedError: It was settled.

        Database:
            One UPDATE, which locks the account's row, and one SELECT.
        """
        await self._scope.connection.execute(RELEASE, self._scope.ledger_id, hold_id)
        hold = await self.get_one(hold_id)
        if hold.status == HoldStatus.SETTLED:
            raise HoldClosedError(hold_id, hold.status, hold.entry_id)
        return hold

    async def expire(self) -> int:
        """Close every hold whose time is over, and return how many there were.

        Nothing depends on it but `Account.held`: whoever posts to an account or places a hold on it does the same
        for that account first.

        Database:
            One UPDATE along an index, which locks the accounts' rows in the order of their ids.
        """
        return await expire(self._scope)

    async def page(
        self,
        *,
        after: str | None = None,
        limit: int = PAGE_SIZE,
        account: Account | int | None = None,
        status: HoldStatus | str | None = None,
    ) -> Page[Hold]:
        """Return up to *limit* holds behind the cursor *after*: those of one account or of one status, where given.

        Raises:
            InvalidError: The cursor is not of this list, the limit not between 1 and 1000, or the status unknown.

        Database:
            One SELECT; no locks.
        """
        statement = select(Hold)
        if account is not None:
            statement = statement.where(Hold.account_id == (account.id if isinstance(account, Account) else account))
        if status is not None:
            if status not in set(HoldStatus):
                raise InvalidError(f"status {status!r}: one of {', '.join(HoldStatus)}")
            statement = statement.where(Hold.status == str(status))
        return await self._page(statement, after, limit)

    async def _read(self, hold_id: UUID) -> Record:
        row = await self._scope.connection.fetchrow(_READ, self._scope.ledger_id, hold_id)
        if row is None:
            raise HoldNotFoundError(hold_id)
        return row

    async def _require_same(self, hold: NewHold) -> None:
        row = await self._scope.connection.fetchrow(_READ, self._scope.ledger_id, hold.id)
        if row is None:
            raise AccountNotFoundError(hold.account_id)
        stored = (row["account_id"], row["amount"], row["description"], row["expires_at"])
        if stored != (hold.account_id, hold.value, hold.description, hold.expires_at):
            raise HoldConflictError(hold.id)

    def _not_found(self, key: UUID) -> HoldNotFoundError:
        return HoldNotFoundError(key)


def _require_open(hold_id: UUID, hold: Record) -> None:
    if hold["status"] == HoldStatus.EXPIRED or (hold["status"] == HoldStatus.OPEN and hold["is_over"]):
        raise HoldExpiredError(hold_id)
    if hold["status"] != HoldStatus.OPEN:
        raise HoldClosedError(hold_id, hold["status"], hold["entry_id"])
