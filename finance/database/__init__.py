"""The database: a manager, its pool, and where its connections come from."""

from finance.database.command import manager_for_command
from finance.database.health import Health
from finance.database.listening import Gap, Listening, Notification
from finance.database.manager import DatabaseManager
from finance.database.retrying import Retry
from finance.database.stats import PoolStats

__all__ = [
    "DatabaseManager",
    "Gap",
    "Health",
    "Listening",
    "Notification",
    "PoolStats",
    "Retry",
    "manager_for_command",
]
