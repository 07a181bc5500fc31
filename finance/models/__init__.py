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
    |-- Hold                        value that is about to leave an account
    |-- MonthlyTotal                debits and credits of an account in a month; derived
    |-- Unsettled                   entries to be looked at before COMMIT; empty once committed
    |-- Redaction                   an act by which entries lost their words
    |   `-- RedactedEntry           one of those entries
    |-- Rebuild                     an account whose derived values were mended
    `-- Statement                   what a bank sent
        `-- StatementLine           raw, with the entry that it became
    Erasure                         a ledger that was erased

The database's own rules, functions and triggers, stand in `finance.models.guards`.
"""

from finance.models import guards
from finance.models.account import Account, AccountType
from finance.models.base import Base
from finance.models.charts import Chart
from finance.models.forgetting import Erasure, RedactedEntry, Redaction
from finance.models.hold import Hold, HoldStatus, NewHold
from finance.models.journal import EntryKind, EntryRevision, JournalEntry, MonthlyTotal, Posting, Unsettled
from finance.models.label import EntryTag, Payee, Tag
from finance.models.ledger import Currency, Ledger
from finance.models.new_entry import NewEntry, NewPosting
from finance.models.price import NewPrice, Price
from finance.models.rebuild import Rebuild
from finance.models.statement import Statement, StatementLine

guards.attach(Base.metadata)

__all__ = [
    "Account",
    "AccountType",
    "Base",
    "Chart",
    "Currency",
    "EntryKind",
    "EntryRevision",
    "EntryTag",
    "Erasure",
    "Hold",
    "HoldStatus",
    "JournalEntry",
    "Ledger",
    "MonthlyTotal",
    "NewEntry",
    "NewHold",
    "NewPosting",
    "NewPrice",
    "Payee",
    "Posting",
    "Price",
    "Rebuild",
    "RedactedEntry",
    "Redaction",
    "Statement",
    "StatementLine",
    "Tag",
    "Unsettled",
]
