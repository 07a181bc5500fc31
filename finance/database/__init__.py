"""The database: a manager, its pool, and where its connections come from."""

from finance.database.command import manager_for_command
from finance.database.manager import DatabaseManager

__all__ = ["DatabaseManager", "manager_for_command"]
