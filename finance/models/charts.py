"""Charts of accounts to start from; every name of them can be changed, and more be opened, at any time."""

from __future__ import annotations

import enum
from collections.abc import Mapping


class Chart(enum.StrEnum):
    """Which accounts a new ledger is opened with."""

    HOUSEHOLD = "household"
    SMALL_BUSINESS = "small_business"

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its accounts."""
        return _NAMES[self]


_NAMES: Mapping[Chart, tuple[str, ...]] = {
    Chart.HOUSEHOLD: (
        "Assets:Cash",
        "Assets:Checking",
        "Assets:Savings",
        "Liabilities:Credit Card",
        "Income:Salary",
        "Income:Interest",
        "Income:Other",
        "Expenses:Housing:Rent",
        "Expenses:Housing:Energy",
        "Expenses:Food:Groceries",
        "Expenses:Food:Restaurants",
        "Expenses:Transport",
        "Expenses:Insurance",
        "Expenses:Health",
        "Expenses:Communication",
        "Expenses:Clothing",
        "Expenses:Leisure",
        "Expenses:Gifts",
        "Expenses:Taxes",
        "Expenses:Bank Fees",
        "Expenses:Other",
    ),
    Chart.SMALL_BUSINESS: (
        "Assets:Cash",
        "Assets:Bank",
        "Assets:Receivables",
        "Assets:Inventory",
        "Assets:Equipment",
        "Assets:Input Tax",
        "Liabilities:Payables",
        "Liabilities:Credit Card",
        "Liabilities:Loans",
        "Liabilities:Sales Tax",
        "Liabilities:Payroll",
        "Equity:Capital",
        "Equity:Drawings",
        "Income:Sales",
        "Income:Services",
        "Income:Interest",
        "Income:Other",
        "Expenses:Cost of Goods",
        "Expenses:Wages",
        "Expenses:Rent",
        "Expenses:Energy",
        "Expenses:Office",
        "Expenses:Software",
        "Expenses:Marketing",
        "Expenses:Travel",
        "Expenses:Insurance",
        "Expenses:Professional Fees",
        "Expenses:Depreciation",
        "Expenses:Interest",
        "Expenses:Taxes",
        "Expenses:Bank Fees",
        "Expenses:Other",
    ),
}
