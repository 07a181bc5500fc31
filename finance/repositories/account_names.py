"""Names of accounts: which are well formed, and what their first segment says."""

from __future__ import annotations

from collections.abc import Sequence

from finance.errors import InvalidError
from finance.models import AccountType, Chart

_TYPE_OF_ROOT = {
    "Assets": AccountType.ASSET,
    "Liabilities": AccountType.LIABILITY,
    "Equity": AccountType.EQUITY,
    "Income": AccountType.INCOME,
    "Expenses": AccountType.EXPENSE,
}


def names_of(chart: str) -> Sequence[str]:
    """Return the names of the accounts of a chart that comes with the library.

    Raises:
        InvalidError: There is no such chart.
    """
    try:
        return Chart(chart).names
    except ValueError:
        raise InvalidError(f"chart {chart!r}: one of {', '.join(Chart)}, or names of your own") from None


def require_name(name: str) -> str:
    """Return *name*.

    Raises:
        InvalidError: It is not well formed.
    """
    if not name or any(segment != segment.strip() or not segment for segment in name.split(":")):
        raise InvalidError(f"account name {name!r}: give segments joined by single colons, such as Assets:Bank:Cash")
    return name


def type_of(name: str, given: AccountType | str | None) -> AccountType:
    """Return the type of the account *name*: the given one, or what its first segment says.

    Raises:
        InvalidError: There is no such type, or the first segment says none.
    """
    if given is not None:
        try:
            return AccountType(given)
        except ValueError:
            raise InvalidError(f"account type {given!r}: one of {', '.join(AccountType)}") from None
    root = name.split(":", 1)[0]
    if root not in _TYPE_OF_ROOT:
        raise InvalidError(
            f"account name {name!r} starts with none of {', '.join(_TYPE_OF_ROOT)}; pass type= to open it all the same"
        )
    return _TYPE_OF_ROOT[root]
