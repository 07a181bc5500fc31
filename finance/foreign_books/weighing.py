"""From an entry that balances at cost to lines that balance in every currency.

What a purchase or an exchange leaves open in a currency is booked against that currency's conversion account, as
`uow.journal.exchange()` does. What the weights of an entry lack of zero, its residual, goes to a rounding account.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Context, Decimal
from typing import NamedTuple

from finance.errors import BooksFileError
from finance.foreign_books.books import BookEntry, BookPosting
from finance.repositories.exchanges import CONVERSIONS

#: Where the residuals go, as far as the decimals of their currency can express them.
ROUNDING = "Equity:Rounding"
#: What virtual postings, which need not balance, are balanced against.
VIRTUAL = "Equity:Virtual"

_WIDE = Context(prec=140)


class Line(NamedTuple):
    """A line to post: the account's name, the amount, its currency, and a memo."""

    account: str
    amount: Decimal
    currency: str
    memo: str | None = None


@dataclass(frozen=True, slots=True)
class Weighed:
    """The lines of an entry, which sum to zero in each currency, and its residuals, exact."""

    lines: tuple[Line, ...]
    residuals: Mapping[str, Decimal] = field(default_factory=dict)


def weigh(entry: BookEntry, exponents: Mapping[str, int], tolerance: Decimal | None) -> Weighed:
    """Return the lines of *entry*.

    Args:
        entry: An entry of the file.
        exponents: The decimals of each currency.
        tolerance: How much a residual may be; one smallest unit of its currency unless given.

    Raises:
        BooksFileError: A residual is more.
    """
    lines = [Line(each.account, each.amount, each.currency, each.memo) for each in entry.postings if each.amount]
    real = [each for each in entry.postings if not each.is_virtual]
    residuals = _sums((each.weight_currency or each.currency, _weight(each)) for each in real)
    for currency, residual in residuals.items():
        allowed = Decimal(1).scaleb(-exponents.get(currency, 0)) if tolerance is None else tolerance
        if residual.copy_abs() > allowed:
            raise BooksFileError(
                entry.file,
                f"the entry of {entry.date} does not balance: it is {residual:f} {currency} off, and the tolerance is"
                f" {allowed:f}; say how much it may be with tolerance=, or --tolerance",
                line=entry.line,
            )
    rounded = {currency: _expressed(residual, exponents.get(currency, 0)) for currency, residual in residuals.items()}
    opened = _sums(
        [
            *((each.currency, each.amount) for each in real),
            *((code, each.copy_negate()) for code, each in rounded.items()),
        ]
    )
    virtual = _sums((each.currency, each.amount) for each in entry.postings if each.is_virtual)
    for account, sums in ((CONVERSIONS, opened), (ROUNDING, rounded), (VIRTUAL, virtual)):
        lines += [Line(account, sums[code].copy_negate(), code) for code in sorted(sums) if sums[code]]
    return Weighed(tuple(lines), residuals)


def _weight(posting: BookPosting) -> Decimal:
    return posting.amount if posting.weight is None else posting.weight


def _sums(amounts: Iterable[tuple[str, Decimal]]) -> dict[str, Decimal]:
    """Return the sums that are not zero."""
    sums: dict[str, Decimal] = {}
    for currency, amount in amounts:
        sums[currency] = _WIDE.add(sums[currency], amount) if currency in sums else amount
    return {currency: amount for currency, amount in sums.items() if amount}


def _expressed(residual: Decimal, exponent: int) -> Decimal:
    """Return what a posting can say of *residual*; the rest, less than its smallest unit, stays in the conversions."""
    return residual.quantize(Decimal(1).scaleb(-exponent), rounding=ROUND_DOWN, context=_WIDE)


def add_up(every: Iterable[Mapping[str, Decimal]]) -> dict[str, Decimal]:
    """Return the sums of residuals by currency, exact, without those of zero."""
    return dict(sorted(_sums(each for residuals in every for each in residuals.items()).items()))
