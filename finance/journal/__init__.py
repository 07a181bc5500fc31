"""The fast lane: the entries of concurrent callers, posted together, each with its own answer."""

from finance.journal.journal import Journal
from finance.journal.lane import Lane, LaneStats

__all__ = ["Journal", "Lane", "LaneStats"]
