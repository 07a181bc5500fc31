"""Exchanges of one currency for another: entries that balance in each by way of conversion accounts.

An entry sums to zero in every currency. What leaves in one and comes in another is booked against an account for each
currency, as Peter Selinger's "Tutorial on multiple currency accounting" has it: the books need no rate, and what these
accounts are worth together is what exchanging has gained or lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from finance.errors import AccountNotFoundError, UnbalancedEntryError
from finance.models import Account, NewEntry, NewPosting
from finance.money import total
from finance.repositories.accounts import AccountRepository
from finance.repositories.base import Scope
from finance.repositories.draft import look_up

#: The name of the conversion accounts, one for each currency.
CONVERSIONS = "Equity:Conversions"


async def converted(scope: Scope, ledger_id: int, entry: NewEntry) -> NewEntry:
    """Return *entry* with a line on the conversion account of each currency that it leaves open.

    Raises:
        UnbalancedEntryError: It exchanges nothing: what it leaves open is in one currency, or all of it comes in, or
            all of it goes out.
        AccountNotFoundError: An account is unknown, or of another ledger.
    """
    await look_up(scope.connection.fetch, [(ledger_id, entry)], scope.currencies)
    left = _left_open(entry, _currencies(scope, ledger_id, entry))
    if len({amount > 0 for amount in left.values()}) < 2:
        currency = next(iter(left), None)
        raise UnbalancedEntryError(entry.id, currency, left.get(currency or ""))
    accounts = AccountRepository(scope)
    lines = [
        NewPosting(await accounts.get_or_open(CONVERSIONS, currency=currency), left[currency].copy_negate())
        for currency in sorted(left)
    ]
    return replace(entry, postings=[*entry.postings, *lines])


def _currencies(scope: Scope, ledger_id: int, entry: NewEntry) -> list[str]:
    """Return the currency of each line."""
    found = []
    for line in entry.postings:
        if isinstance(line.account, Account):
            found.append(line.account.currency)
        elif (currency := scope.currencies.get(ledger_id, line.account)) is not None:
            found.append(currency)
        else:
            raise AccountNotFoundError(line.account)
    return found


def _left_open(entry: NewEntry, currencies: list[str]) -> Mapping[str, Decimal]:
    """Return what the lines do not sum to zero by, for each such currency."""
    amounts: dict[str, list[Decimal]] = {}
    for currency, line in zip(currencies, entry.postings, strict=True):
        amounts.setdefault(currency, []).append(line.value)
    return {currency: left for currency in sorted(amounts) if (left := total(amounts[currency]))}
