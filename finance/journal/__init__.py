"""The fast lane, where concurrent callers post together, and the books' check of themselves."""

from finance.journal.forgetting import Erased, Redacted
from finance.journal.journal import Journal
from finance.journal.lane import Lane, LaneStats
from finance.journal.rebuilding import Mended, Rebuilt

__all__ = ["Erased", "Journal", "Lane", "LaneStats", "Mended", "Rebuilt", "Redacted"]
