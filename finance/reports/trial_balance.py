"""The trial balance: every account with its balance as a debit or a credit, which agree in each currency."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from finance.money import total


@dataclass(frozen=True, slots=True)
class TrialBalanceRow:
    """One account. Its balance stands in `debit` when positive and in `credit`, without sign, when negative."""

    account_id: int
    account: str
    type: str
    currency: str
    debit: Decimal
    credit: Decimal

    @property
    def balance(self) -> Decimal:
        """Debits positive, credits negative."""
        return total((self.debit, self.credit.copy_negate()))


@dataclass(frozen=True, slots=True)
class TrialBalance:
    """Every account of a ledger at the end of the day `on` (None: with all that is posted), by name."""

    on: date | None
    rows: tuple[TrialBalanceRow, ...]

    def totals(self) -> dict[str, tuple[Decimal, Decimal]]:
        """Return the sums of debits and of credits by currency; they are equal when the books balance."""
        currencies = sorted({row.currency for row in self.rows})
        return {
            currency: (
                total(row.debit for row in self.rows if row.currency == currency),
                total(row.credit for row in self.rows if row.currency == currency),
            )
            for currency in currencies
        }

    @property
    def is_balanced(self) -> bool:
        """Whether debits equal credits in every currency."""
        return all(debit == credit for debit, credit in self.totals().values())
