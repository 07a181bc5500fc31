"""Exchanges of one currency for another: entries that balance in each by way of conversion accounts.

An entry sums to zero in every currency. What leaves in one and comes in another is booked against an account for each
currency: the books need no rate, and what these accounts are worth together is what exchanging has gained or lost.
"""

from __future__ import annotations

from dataclasses import replace

from finance.errors import UnbalancedEntryError
from finance.models import NewEntry, NewPosting
from finance.repositories.accounts import AccountRepository
from finance.repositories.base import Scope
from finance.repositories.draft import left_open, lines_of, look_up

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
    left = left_open(lines_of(ledger_id, entry, scope.currencies))
    if len({amount > 0 for amount in left.values()}) < 2:
        currency = next(iter(left), None)
        raise UnbalancedEntryError(entry.id, currency, left.get(currency or ""))
    accounts = AccountRepository(scope)
    lines = [
        NewPosting(await accounts.get_or_open(CONVERSIONS, currency=currency), left[currency].copy_negate())
        for currency in left
    ]
    return replace(entry, postings=[*entry.postings, *lines])
