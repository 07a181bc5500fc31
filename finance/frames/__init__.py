"""Reports and postings as Arrow tables, for polars, pandas, DuckDB and Parquet: exact decimals, never floats.

Making one needs the extra `dataframe`; importing this package does not.
"""

from finance.frames.postings import PostingBatches, posting_batches
from finance.frames.reports import (
    balance_sheets_table,
    budgets_table,
    cash_flows_table,
    forecasts_table,
    income_statements_table,
    monthly_income_statements_table,
    monthly_spending_table,
    net_worth_table,
    register_table,
    spending_table,
    trial_balance_table,
    valuation_table,
    valued_net_worth_table,
)
from finance.frames.saving import save_postings, save_table

__all__ = [
    "PostingBatches",
    "balance_sheets_table",
    "budgets_table",
    "cash_flows_table",
    "forecasts_table",
    "income_statements_table",
    "monthly_income_statements_table",
    "monthly_spending_table",
    "net_worth_table",
    "posting_batches",
    "register_table",
    "save_postings",
    "save_table",
    "spending_table",
    "trial_balance_table",
    "valuation_table",
    "valued_net_worth_table",
]
