"""The stored models.

    Ledger                          a set of books
    |-- Currency                    what it counts in
    |-- Price                       what one currency is worth in another on a day
    |-- Account                     holds value in one currency; its balance is kept by the database
    |-- JournalEntry                one dated event
    |   |-- Posting                 one signed amount on one account
    |   |-- EntryTag                a tag of it
    |   `-- EntryRevision           a description, details and a payee that were replaced; derived
    |-- Payee                       whom entries are with
    |-- Tag                         a word that entries are marked with
    |-- Budget                      what may be spent on an account and all below it
    |-- Schedule                    an entry that comes again and again
    |   |-- SchedulePosting         one signed amount of it
    |   `-- ScheduleChange          what is different about one occurrence
    |-- Hold                        value that is about to leave an account
    |-- MonthlyTotal                debits and credits of an account in a month; derived
    |-- Unsettled                   entries to be looked at before COMMIT; empty once committed
    |-- Redaction                   an act by which entries and more lost their words
    |   |-- RedactedEntry           one of those entries
    |   `-- RedactedRow             a row beside the entries that lost its words
    |-- Rebuild                     an account whose derived values were mended
    |-- Import                      one file of a bank
    |   `-- Statement               what it says of one account
    |       |-- StatementLine       raw, with the entry that it became
    |       |   `-- Match           the posting that is the same event
    |       `-- Reconciliation      somebody agreed with it
    |-- Assertion                   a balance that somebody claims
    `-- Rule                        what a line of a statement is about
    Erasure                         a ledger that was erased

The database's own rules, functions and triggers, stand in `finance.models.guards`.
"""

from finance.models import guards
from finance.models.account import Account, AccountType
from finance.models.account_details import AccountDetails
from finance.models.assertion import Assertion, AssertionKind, NewAssertion
from finance.models.base import Base
from finance.models.budget import Budget, BudgetPeriod, Rollover
from finance.models.charts import Chart
from finance.models.forgetting import Erasure, RedactedEntry, RedactedRow, Redaction
from finance.models.hold import Hold, HoldStatus, NewHold
from finance.models.journal import EntryKind, EntryRevision, JournalEntry, MonthlyTotal, Posting, Unsettled
from finance.models.label import EntryTag, Payee, Tag
from finance.models.ledger import Currency, Ledger
from finance.models.new_entry import NewEntry, NewPosting
from finance.models.price import NewPrice, Price
from finance.models.rebuild import Rebuild
from finance.models.reconciliation import Match, Reconciliation
from finance.models.recurrence import Recurrence
from finance.models.rule import Comparison, NewRule, Rule
from finance.models.schedule import NewSchedule, Schedule, ScheduleChange, SchedulePosting, Weekends
from finance.models.statement import Import, Statement, StatementLine

guards.attach(Base.metadata)

__all__ = [
    "Account",
    "AccountDetails",
    "AccountType",
    "Assertion",
    "AssertionKind",
    "Base",
    "Budget",
    "BudgetPeriod",
    "Chart",
    "Comparison",
    "Currency",
    "EntryKind",
    "EntryRevision",
    "EntryTag",
    "Erasure",
    "Hold",
    "HoldStatus",
    "Import",
    "JournalEntry",
    "Ledger",
    "Match",
    "MonthlyTotal",
    "NewAssertion",
    "NewEntry",
    "NewHold",
    "NewPosting",
    "NewPrice",
    "NewRule",
    "NewSchedule",
    "Payee",
    "Posting",
    "Price",
    "Rebuild",
    "Reconciliation",
    "Recurrence",
    "RedactedEntry",
    "RedactedRow",
    "Redaction",
    "Rollover",
    "Rule",
    "Schedule",
    "ScheduleChange",
    "SchedulePosting",
    "Statement",
    "StatementLine",
    "Tag",
    "Unsettled",
    "Weekends",
]
