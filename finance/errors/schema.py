"""The schema of the database, and the one that the code works with."""

from __future__ import annotations

from typing import ClassVar

from finance.errors.base import FinanceError


class SchemaError(FinanceError):
    """The database's schema is not the one that this version of the code works with."""

    def __init__(self, message: str, *, database: str | None, code: str) -> None:
        self.database_revision = database
        self.code_revision = code
        super().__init__(message)


class SchemaMissingError(SchemaError):
    """The database has none of the tables yet."""

    def __init__(self, code: str) -> None:
        super().__init__(
            "the database has no finance schema yet: run `alembic upgrade head`, `finance upgrade`"
            " or `await db.migrations.upgrade()`",
            database=None,
            code=code,
        )


class SchemaBehindError(SchemaError):
    """The database's revision is older than the code's."""

    def __init__(self, database: str, code: str) -> None:
        super().__init__(
            f"the database is at revision {database}, behind this code's {code}:"
            " run `alembic upgrade head`, `finance upgrade` or `await db.migrations.upgrade()`",
            database=database,
            code=code,
        )


class SchemaAheadError(SchemaError):
    """The database's revision is unknown to this code, so a newer version made it."""

    def __init__(self, database: str, code: str) -> None:
        super().__init__(
            f"the database is at revision {database}, which this code (at {code}) does not know:"
            " install the newer version of finance-ledger that migrated it",
            database=database,
            code=code,
        )


class MigrationLockError(SchemaError):
    """Another process held the migration lock for too long."""

    retryable: ClassVar[bool] = True

    def __init__(self, seconds: float, code: str) -> None:
        super().__init__(
            f"another process has been migrating this database for more than {seconds:g} s; try again",
            database=None,
            code=code,
        )
