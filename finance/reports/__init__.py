"""Reports: SQL in, frozen dataclasses out."""

from finance.reports.balance_sheet import BalanceSheet, Section
from finance.reports.cash_flow import CashFlow, Flow
from finance.reports.income_statement import IncomeStatement, MonthlyIncomeStatement, MonthlySection
from finance.reports.net_worth import NetWorth, ValuedNetWorth, ValuedWorth, Worth
from finance.reports.register import RegisterLine
from finance.reports.reports import Reports
from finance.reports.spending import Spending
from finance.reports.trial_balance import TrialBalance, TrialBalanceRow
from finance.reports.valuation import Valuation, ValuedAmount
from finance.reports.verification import Problem, Progress, Verification

__all__ = [
    "BalanceSheet",
    "CashFlow",
    "Flow",
    "IncomeStatement",
    "MonthlyIncomeStatement",
    "MonthlySection",
    "NetWorth",
    "Problem",
    "Progress",
    "RegisterLine",
    "Reports",
    "Section",
    "Spending",
    "TrialBalance",
    "TrialBalanceRow",
    "Valuation",
    "ValuedAmount",
    "ValuedNetWorth",
    "ValuedWorth",
    "Verification",
    "Worth",
]
