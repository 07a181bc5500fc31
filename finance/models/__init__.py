"""The stored models.

    Ledger                          a set of books
    |-- Currency                    what it counts in
    |-- Price                       what one currency is worth in another on a day
    |-- Account                     holds value in one currency; its balance is kept by the database
    |-- JournalEntry                one dated event
    |   |-- Posting                 one signed amount on one account
    |   `-- EntryRevision           a description and details that were replaced; derived
    |-- Budget                      what may be spent on an account and all below it
    |-- Schedule                    an entry that comes again and again
    |   |-- SchedulePosting         one signed amount of it
    |   `-- ScheduleChange          what is different about one occurrence
    |-- Hold                        value that is about to leave an account
    |-- MonthlyTotal                debits and credits of an account in a month; derived
    |-- Unsettled                   entries to be looked at before COMMIT; empty once committed
    |-- Rebuild                     an account whose derived values were mended
    `-- Statement                   what a bank sent
        `-- StatementLine           raw, with the entry that it became

The database's own rules, functions and triggers, stand in `finance.models.guards`.
"""

from finance.models import guards
from finance.models.account import Account, AccountType
from finance.models.base import Base
from finance.models.budget import Budget, BudgetPeriod, Rollover
from finance.models.charts import Chart
from finance.models.hold import Hold, HoldStatus, NewHold
from finance.models.journal import EntryKind, EntryRevision, JournalEntry, MonthlyTotal, Posting, Unsettled
from finance.models.ledger import Currency, Ledger
from finance.models.new_entry import NewEntry, NewPosting
from finance.models.price import NewPrice, Price
from finance.models.rebuild import Rebuild
from finance.models.recurrence import Recurrence
from finance.models.schedule import NewSchedule, Schedule, ScheduleChange, SchedulePosting, Weekends
from finance.models.statement import Statement, StatementLine

guards.attach(Base.metadata)

__all__ = [
    "Account",
    "AccountType",
    "Base",
    "Budget",
    "BudgetPeriod",
    "Chart",
    "Currency",
    "EntryKind",
    "EntryRevision",
    "Hold",
    "HoldStatus",
    "JournalEntry",
    "Ledger",
    "MonthlyTotal",
    "NewEntry",
    "NewHold",
    "NewPosting",
    "NewPrice",
    "NewSchedule",
    "Posting",
    "Price",
    "Rebuild",
    "Recurrence",
    "Rollover",
    "Schedule",
    "ScheduleChange",
    "SchedulePosting",
    "Statement",
    "StatementLine",
    "Unsettled",
    "Weekends",
]
