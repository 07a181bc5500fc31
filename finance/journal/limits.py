"""Limits as if entries came one after another: which of a group would have been refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from finance.errors import BalanceLimitError, FinanceError
from finance.money import total
from finance.repositories.draft import Draft, Key
from finance.repositories.posting import Limit


def refused_in_order(drafts: Sequence[Draft], limits: Mapping[int, Limit]) -> dict[Key, FinanceError]:
    """Walk through *drafts* in their order, and return what those are told that a limit does not allow by then.

    Args:
        drafts: Entries that are not stored yet, in the order in which they came.
        limits: The limits of the locked accounts that have one, by their ids.
    """
    refused: dict[Key, FinanceError] = {}
    balances = {account: limit.balance for account, limit in limits.items()}
    for draft in drafts:
        if draft.entry.settles_id is not None:
            continue  # it goes alone, and the database knows what its hold leaves free
        after = {account: total((balances[account], *amounts)) for account, amounts in _lines(draft, limits).items()}
        error = _first_refusal(after, limits)
        if error is None:
            balances |= after
        else:
            refused[draft.key] = error
    return refused


def _first_refusal(after: Mapping[int, Decimal], limits: Mapping[int, Limit]) -> FinanceError | None:
    for account, balance in after.items():
        limit = limits[account]
        if limit.maximum is not None and balance > limit.maximum:
            return BalanceLimitError("maximum", account)
        if limit.minimum is not None and total((balance, limit.held.copy_negate())) < limit.minimum:
            return BalanceLimitError("minimum", account)
    return None


def _lines(draft: Draft, limits: Mapping[int, Limit]) -> dict[int, list[Decimal]]:
    """Return the amounts of *draft* on each account that has limits, in the order of their ids."""
    amounts: dict[int, list[Decimal]] = {account: [] for account in sorted(limits.keys() & draft.account_ids)}
    for line in draft.lines:
        if line.account_id in amounts:
            amounts[line.account_id].append(line.amount)
    return amounts
