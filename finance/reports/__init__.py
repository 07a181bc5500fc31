"""Reports: SQL in, frozen dataclasses out."""

from finance.reports.balance_sheet import BalanceSheet, Section
from finance.reports.register import RegisterLine
from finance.reports.reports import Reports
from finance.reports.trial_balance import TrialBalance, TrialBalanceRow
from finance.reports.valuation import Valuation, ValuedAmount
from finance.reports.verification import Problem, Progress, Verification

__all__ = [
    "BalanceSheet",
    "Problem",
    "Progress",
    "RegisterLine",
    "Reports",
    "Section",
    "TrialBalance",
    "TrialBalanceRow",
    "Valuation",
    "ValuedAmount",
    "Verification",
]
