"""Reports: SQL in, frozen dataclasses out."""

from finance.reports.assertions import AssertedBalance
from finance.reports.balance_sheet import BalanceSheet, Section
from finance.reports.budgets import BudgetedPeriod, BudgetProgress, BudgetReport, BudgetTotal, BudgetValuation
from finance.reports.cash_flow import CashFlow, Flow
from finance.reports.forecast import Forecast, ForecastPoint
from finance.reports.income_statement import IncomeStatement, MonthlyIncomeStatement, MonthlySection
from finance.reports.net_worth import NetWorth, ValuedNetWorth, ValuedWorth, Worth
from finance.reports.register import RegisterLine
from finance.reports.reports import Reports
from finance.reports.spending import LabelledSpending, MonthlySpending, Spending
from finance.reports.trial_balance import TrialBalance, TrialBalanceRow
from finance.reports.valuation import Valuation, ValuedAmount
from finance.reports.verification import Problem, Progress, Verification

__all__ = [
    "AssertedBalance",
    "BalanceSheet",
    "BudgetProgress",
    "BudgetReport",
    "BudgetTotal",
    "BudgetValuation",
    "BudgetedPeriod",
    "CashFlow",
    "Flow",
    "Forecast",
    "ForecastPoint",
    "IncomeStatement",
    "LabelledSpending",
    "MonthlyIncomeStatement",
    "MonthlySection",
    "MonthlySpending",
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
