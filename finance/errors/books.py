"""What is not there, and what is there already."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from uuid import UUID

from finance.errors.base import FinanceError


class NotFoundError(FinanceError):
    """Something that was named does not exist."""


class LedgerNotFoundError(NotFoundError):
    """No ledger has this name or id; `known` are names that there are, where somebody has looked."""

    def __init__(self, ledger: str | int, *, known: Sequence[str] = (), remedy: str | None = None) -> None:
        self.ledger = ledger
        self.known = tuple(known)
        there = f"; there are {', '.join(map(repr, known))}" if known else ""
        super().__init__(f"no ledger {ledger!r}{there}; {remedy or 'db.ledgers.get_or_create() makes one'}")


class AccountNotFoundError(NotFoundError):
    """No account of this ledger has this name or id."""

    def __init__(self, account: str | int | None, currency: str | None = None) -> None:
        self.account = account
        self.currency = currency
        suffix = "" if currency is None else f" in {currency}"
        super().__init__(f"this ledger has no account {account!r}{suffix}")


class EntryNotFoundError(NotFoundError):
    """No journal entry of this ledger has this id."""

    def __init__(self, entry_id: UUID | None) -> None:
        self.entry_id = entry_id
        super().__init__(f"this ledger has no journal entry {entry_id}")


class HoldNotFoundError(NotFoundError):
    """No hold of this ledger has this id."""

    def __init__(self, hold_id: UUID | None) -> None:
        self.hold_id = hold_id
        super().__init__(f"this ledger has no hold {hold_id}")


class PriceNotFoundError(NotFoundError):
    """No prices that are new enough lead from one currency to another."""

    def __init__(self, currency: str, quote: str, on: date, max_age: timedelta | None) -> None:
        self.currency = currency
        self.quote = quote
        self.on = on
        self.max_age = max_age
        within = "" if max_age is None else f" and at most {max_age.days} days old"
        super().__init__(
            f"this ledger has no price of {currency} in {quote} on {on}{within}, nor prices that lead there;"
            " record one with uow.prices.record(), or allow older ones with max_age"
        )


class ConflictError(FinanceError):
    """What is stored already contradicts the call."""


class AlreadyExistsError(ConflictError):
    """A name or key that must be unique is taken."""

    def __init__(self, what: str, key: Iterable[str] = ()) -> None:
        self.what = what
        self.key = tuple(key)
        suffix = f" ({', '.join(self.key)})" if self.key else ""
        super().__init__(f"this {what} exists already{suffix}")


class EntryConflictError(ConflictError):
    """The entry's id belongs to a stored entry with other content."""

    def __init__(self, entry_id: UUID | None) -> None:
        self.entry_id = entry_id
        super().__init__(
            f"entry {entry_id} is stored with other content; an id is used once: give a new entry a new id"
        )


class AlreadyReversedError(ConflictError):
    """An entry can be reversed once, and this one was."""

    def __init__(self, entry_id: UUID | None) -> None:
        self.entry_id = entry_id
        super().__init__(f"entry {entry_id} is reversed already" if entry_id else "the entry is reversed already")


class HoldConflictError(ConflictError):
    """The hold's id belongs to a stored hold with other content."""

    def __init__(self, hold_id: UUID | None) -> None:
        self.hold_id = hold_id
        super().__init__(f"hold {hold_id} is stored with other content; an id is used once: give a new hold a new id")


class HoldClosedError(ConflictError):
    """A hold is closed once, and this one was: `status` says what became of it, and `entry_id` what settled it."""

    def __init__(self, hold_id: UUID | None, status: str | None = None, entry_id: UUID | None = None) -> None:
        self.hold_id = hold_id
        self.status = status
        self.entry_id = entry_id
        name = "the hold" if hold_id is None else f"hold {hold_id}"
        became = "closed" if status is None else status
        super().__init__(f"{name} is {became} already" + ("" if entry_id is None else f", by entry {entry_id}"))


class HoldExpiredError(HoldClosedError):
    """The time of the hold is over: it holds nothing any more."""

    def __init__(self, hold_id: UUID | None) -> None:
        super().__init__(hold_id, "expired")


class AccountHeldError(ConflictError):
    """An account with open holds is not closed."""

    def __init__(self, account_id: int | None) -> None:
        self.account_id = account_id
        name = "the account" if account_id is None else f"account {account_id}"
        super().__init__(f"{name} has open holds; settle or release them before it is closed")


class SealedError(ConflictError):
    """Committed books, and what the database derives from them, never change by hand."""

    def __init__(self, what: str, remedy: str = "post a reversal or a correcting entry instead") -> None:
        self.what = what
        super().__init__(f"{what}; {remedy}")


class StaleVersionError(ConflictError):
    """The row was changed by somebody else after it was read."""

    def __init__(self, what: str, expected_version: int | None = None) -> None:
        self.what = what
        self.expected_version = expected_version
        suffix = "" if expected_version is None else f" (it is no longer at version {expected_version})"
        super().__init__(f"the {what} was changed since it was read{suffix}; read it again and decide anew")
