"""Values that cannot be right, whatever is stored."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from uuid import UUID

from finance.errors.base import FinanceError


class InvalidError(FinanceError):
    """A value that cannot be right, whatever is stored."""


class AmountError(InvalidError):
    """An amount that is not exact, not finite, zero, too fine or too large.

    `value` is the amount as it was given, or None where the database refused it without saying which.
    """

    def __init__(self, value: object, reason: str, *, exponent: int | None = None) -> None:
        self.value = None if value is ... else value
        self.reason = reason
        self.exponent = exponent
        shown = f"{value}" if isinstance(value, Decimal) else f"{value!r}"
        super().__init__(f"the amount {reason}" if value is ... else f"amount {shown}: {reason}")


class CurrencyError(InvalidError):
    """A currency that is unknown, or not the one that belongs here."""

    def __init__(self, currency: str | None, reason: str) -> None:
        self.currency = currency
        super().__init__(reason if currency is None else f"currency {currency!r}: {reason}")


class UnbalancedEntryError(InvalidError):
    """The postings of an entry do not sum to zero in a currency, or there are fewer than two."""

    def __init__(
        self,
        entry_id: UUID | None,
        currency: str | None = None,
        difference: Decimal | None = None,
    ) -> None:
        self.entry_id = entry_id
        self.currency = currency
        self.difference = difference
        name = "the entry" if entry_id is None else f"entry {entry_id}"
        if difference is None:
            message = f"{name} needs at least two postings that sum to zero in each currency"
        else:
            message = (
                f"{name} does not balance: its {currency} postings sum to {difference:f};"
                " they must sum to zero in each currency"
            )
        super().__init__(message)


class AccountClosedError(InvalidError):
    """A posting names an account that is closed."""

    def __init__(self, account_id: int | None, name: str | None = None) -> None:
        self.account_id = account_id
        self.name = name
        shown = f"{account_id}" if name is None else f"{name!r}"
        super().__init__(f"account {shown} is closed; reopen it, or post to another")


class PeriodClosedError(InvalidError):
    """A date lies on or before the day through which the ledger is closed."""

    def __init__(self, on: date | None, closed_through: date | None) -> None:
        self.on = on
        self.closed_through = closed_through
        super().__init__(
            f"{on} is in a closed period: the ledger is closed through {closed_through};"
            " use a later date, or reopen the period"
        )


class BalanceLimitError(InvalidError):
    """A balance would leave the limits of its account."""

    def __init__(self, limit: str, account_id: int | None = None) -> None:
        self.limit = limit
        self.account_id = account_id
        whose = "its account's" if account_id is None else f"account {account_id}'s"
        super().__init__(f"the balance would go beyond {whose} {limit} balance")


class HoldExceededError(InvalidError):
    """An entry would settle a hold with nothing, or with more than was held."""

    def __init__(self, hold_id: UUID | None, amount: Decimal | None = None, taken: Decimal | None = None) -> None:
        self.hold_id = hold_id
        self.amount = amount
        self.taken = taken
        name = "the hold" if hold_id is None else f"hold {hold_id}"
        if amount is None or taken is None:
            message = f"{name} is settled by an entry that takes some of what is held, and not more"
        else:
            message = (
                f"{name} is of {amount:f}, and the entry takes {taken:f} from its account; take some of it, not more"
            )
        super().__init__(message)


class _FileError(InvalidError):
    """A file is not what it claims to be."""

    def __init__(self, file: str, reason: str, *, line: int | None = None) -> None:
        self.file = file
        self.reason = reason
        self.line = line
        where = file if line is None else f"{file}, line {line}"
        super().__init__(f"{where}: {reason}")


class StatementFileError(_FileError):
    """A bank file cannot be read as what it claims to be; nothing of it was written."""


class BooksFileError(_FileError):
    """Whole books, an export of ours or those of another program, cannot be read; nothing of them was written."""


class RecurrenceError(InvalidError):
    """A recurrence rule that is none, or that names no days or too many; `part` is the part that is wrong."""

    def __init__(self, part: str, reason: str) -> None:
        self.part = part
        self.reason = reason
        super().__init__(f"recurrence rule: {part} {reason}")


class ParameterError(InvalidError):
    """A value for `$1`, `$2` and so on that the driver would change in silence. `position` counts from 1."""

    def __init__(self, position: int, reason: str) -> None:
        self.position = position
        self.reason = reason
        super().__init__(f"parameter ${position}: {reason}")
