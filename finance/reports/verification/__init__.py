"""The books checked against themselves: everything derived is computed again and compared."""

from finance.reports.verification.findings import Problem, Progress, Verification, Watcher
from finance.reports.verification.holds import HELD
from finance.reports.verification.totals import compare_totals
from finance.reports.verification.verifying import BOOKS, verify

__all__ = ["BOOKS", "HELD", "Problem", "Progress", "Verification", "Watcher", "compare_totals", "verify"]
