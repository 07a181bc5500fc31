"""The books as a file that can be loaded again: the journal as CSV, and all of them as text for beancount."""

from finance.exports.beancount import beancount_lines
from finance.exports.beancount_loading import load_beancount
from finance.exports.csv_file import csv_lines
from finance.exports.directives import base_currency_of, is_export
from finance.exports.loading import load_csv
from finance.exports.names import beancount_account, original_account
from finance.exports.posting import Loaded

__all__ = [
    "Loaded",
    "base_currency_of",
    "beancount_account",
    "beancount_lines",
    "csv_lines",
    "is_export",
    "load_beancount",
    "load_csv",
    "original_account",
]
