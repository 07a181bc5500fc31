"""Books in plain Python: what the database should say, computed without it."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from uuid import UUID

from finance import FinanceError, NewEntry
from finance.errors import (
    AccountClosedError,
    AlreadyReversedError,
    AmountError,
    BalanceLimitError,
    EntryConflictError,
    HoldClosedError,
    HoldExceededError,
    HoldExpiredError,
    PeriodClosedError,
    SealedError,
    UnbalancedEntryError,
)

Refusal = type[FinanceError]

DECIMALS = {"EUR": 2, "JPY": 0}


@dataclass
class ModelAccount:
    """An account, and its limits."""

    currency: str
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    is_closed: bool = False
    is_for_adjustments: bool = False

    def allows(self, balance: Decimal, held: Decimal = Decimal(0)) -> bool:
        """Tell whether *balance* is within the limits, the minimum with what is *held* taken away."""
        return not (
            (self.minimum is not None and balance - held < self.minimum)
            or (self.maximum is not None and balance > self.maximum)
        )


@dataclass
class ModelHold:
    """What is held on an account, and what became of it."""

    account: int
    amount: Decimal
    status: str = "open"


@dataclass(frozen=True)
class ModelEntry:
    """What an entry moves, on which day."""

    on: date
    lines: tuple[tuple[int, Decimal], ...]
    content: bytes | None = None
    reverses: UUID | None = None

    @classmethod
    def of(cls, entry: NewEntry) -> ModelEntry:
        """Take what counts from *entry*."""
        lines = tuple((line.account_id, line.value) for line in entry.postings)
        return cls(entry.date, lines, entry.content_hash(), entry.reverses_id)

    def opposite(self, on: date, reverses: UUID) -> ModelEntry:
        """Return its reversal."""
        return ModelEntry(on, tuple((account, -amount) for account, amount in self.lines), None, reverses)


@dataclass
class Model:
    """A ledger: its accounts by their ids, its entries by theirs, and the day through which it is closed."""

    accounts: dict[int, ModelAccount] = field(default_factory=dict)
    entries: dict[UUID, ModelEntry] = field(default_factory=dict)
    holds: dict[UUID, ModelHold] = field(default_factory=dict)
    closed_through: date | None = None

    # --- what is so ----------------------------------------------------------------------------------

    def balances(self, on: date | None = None) -> dict[int, Decimal]:
        """Sum every account's postings up to and including *on*."""
        sums: dict[int, Decimal] = dict.fromkeys(self.accounts, Decimal(0))
        for entry in self.entries.values():
            if on is None or entry.on <= on:
                for account, amount in entry.lines:
                    sums[account] += amount
        return sums

    def held(self) -> dict[int, Decimal]:
        """Sum every account's open holds."""
        sums: dict[int, Decimal] = dict.fromkeys(self.accounts, Decimal(0))
        for hold in self.holds.values():
            if hold.status == "open":
                sums[hold.account] += hold.amount
        return sums

    def adjustments_account(self, currency: str) -> int | None:
        """Return the id of the account that adjustments are booked against, or None."""
        return next(
            (id_ for id_, each in self.accounts.items() if each.is_for_adjustments and each.currency == currency), None
        )

    def is_reversed(self, entry_id: UUID) -> bool:
        """Tell whether an entry was reversed."""
        return any(entry.reverses == entry_id for entry in self.entries.values())

    # --- what may not be -----------------------------------------------------------------------------

    def refusals(self, entry: ModelEntry) -> set[Refusal]:
        """Return why *entry* cannot be posted now; nothing if it can."""
        return {
            *self._of_values(entry),
            *(AccountClosedError for account, _ in entry.lines if self.accounts[account].is_closed),
            *(PeriodClosedError for _ in [0] if self.closed_through is not None and entry.on <= self.closed_through),
            *(BalanceLimitError for _ in [0] if not self._within_limits(entry.lines)),
            *(AlreadyReversedError for _ in [0] if entry.reverses is not None and self.is_reversed(entry.reverses)),
        }

    def _of_values(self, entry: ModelEntry) -> Iterable[Refusal]:
        sums: dict[str, Decimal] = defaultdict(Decimal)
        for account, amount in entry.lines:
            currency = self.accounts[account].currency
            sums[currency] += amount
            if amount != round(amount, DECIMALS[currency]):
                yield AmountError
        if any(sums.values()):
            yield UnbalancedEntryError

    def _within_limits(self, lines: Sequence[tuple[int, Decimal]]) -> bool:
        balances, held = self.balances(), self.held()
        for account, amount in lines:
            balances[account] += amount
        return all(self.accounts[account].allows(balances[account], held[account]) for account, _ in lines)

    def refusals_to_hold(self, hold: ModelHold) -> set[Refusal]:
        """Return why *hold* cannot be placed now."""
        account = self.accounts[hold.account]
        held = self.held()[hold.account] + hold.amount
        is_short = account.minimum is not None and self.balances()[hold.account] - held < account.minimum
        return {
            *(AccountClosedError for _ in [0] if account.is_closed),
            *(AmountError for _ in [0] if hold.amount != round(hold.amount, DECIMALS[account.currency])),
            *(BalanceLimitError for _ in [0] if is_short),
        }

    def refusals_to_adjust(self, changes: Mapping[int, Decimal], on: date) -> set[Refusal]:
        """Return why balances cannot be set by hand now."""
        changes = {account: amount for account, amount in changes.items() if amount}
        if not changes:
            return set()
        found = self.refusals(ModelEntry(on, tuple(changes.items()))) - {UnbalancedEntryError}
        if any(self.accounts[account].is_for_adjustments for account in changes):
            found.add(SealedError)
        rest = self.rest(changes)
        for currency in rest:
            account = self.adjustments_account(currency)
            if account is not None and self.accounts[account].is_closed:
                found.add(AccountClosedError)
        return found

    def rest(self, changes: Mapping[int, Decimal]) -> dict[str, Decimal]:
        """Return what is booked against the adjustments account of each currency."""
        sums: dict[str, Decimal] = defaultdict(Decimal)
        for account, amount in changes.items():
            sums[self.accounts[account].currency] -= amount
        return {currency: amount for currency, amount in sums.items() if amount}

    # --- what is done --------------------------------------------------------------------------------

    def answer(self, entry_id: UUID, entry: ModelEntry) -> str | set[Refusal]:
        """Post *entry*, and return "stored" or "replayed", or why it is refused."""
        stored = self.entries.get(entry_id)
        if stored is not None:
            return "replayed" if stored.content == entry.content else {EntryConflictError}
        if refusals := self.refusals(entry):
            return refusals
        self.entries[entry_id] = entry
        return "stored"

    def settle(self, hold_id: UUID, entry_id: UUID, entry: ModelEntry) -> str | set[Refusal]:
        """Settle a hold by *entry*, and return "stored", or why that is refused."""
        hold = self.holds[hold_id]
        taken = -sum((amount for account, amount in entry.lines if account == hold.account), Decimal(0))
        found: set[Refusal] = set()
        if hold.status != "open":
            found.add(HoldExpiredError if hold.status == "expired" else HoldClosedError)
        if not 0 < taken <= hold.amount:
            found.add(HoldExceededError)
        before, hold.status = hold.status, "settled"
        found |= self.refusals(entry)
        if found:
            hold.status = before
            return found
        self.entries[entry_id] = entry
        return "stored"

    def amend(self, entry_id: UUID, ids: tuple[UUID, UUID], replacement: ModelEntry) -> str | set[Refusal]:
        """Reverse an entry and post its replacement in one step; *ids* are theirs."""
        reversal = self.entries[entry_id].opposite(self.entries[entry_id].on, entry_id)
        both = (*reversal.lines, *replacement.lines)
        found = (self.refusals(reversal) | self.refusals(replacement)) - {BalanceLimitError}
        if not self._within_limits(both):
            found.add(BalanceLimitError)
        if found:
            return found
        self.entries |= dict(zip(ids, (reversal, replacement), strict=True))
        return "stored"

    def explains(self, entries: Sequence[tuple[UUID, ModelEntry]], answers: Sequence[str | Refusal]) -> Model | None:
        """Find an order in which *entries*, posted at once, get just these *answers*; return the model after them."""
        for order in itertools.permutations(range(len(entries))):
            model = deepcopy(self)
            if all(fits(model.answer(*entries[index]), answers[index]) for index in order):
                return model
        return None


def fits(expected: str | set[Refusal], answer: str | Refusal) -> bool:
    """Tell whether an answer is one of those that are expected."""
    return answer == expected if isinstance(expected, str) else answer in expected
