"""The journal as a file: CSV that can be loaded again, and text for beancount."""

from finance.exports.beancount import beancount_account, beancount_lines, original_account
from finance.exports.csv_file import csv_lines
from finance.exports.loading import Loaded, load_csv

__all__ = ["Loaded", "beancount_account", "beancount_lines", "csv_lines", "load_csv", "original_account"]
