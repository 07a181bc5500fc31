"""Imports: which files were brought into the books, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from finance.errors import NotFoundError
from finance.models import Import
from finance.repositories.base import Repository

# By hand: who may not say when a row was undone cannot insert that it was not, either.
_RECORD = "INSERT INTO imports (ledger_id, file_name, file_sha256, format) VALUES ($1, $2, $3, $4) RETURNING id"
_OVERVIEW = """
SELECT i.id, i.file_name AS file, i.format, i.imported_at, i.imported_by, i.undone_at, i.undone_by,
       array(SELECT DISTINCT a.name FROM statements AS s JOIN accounts AS a ON a.ledger_id = $1 AND a.id = s.account_id
              WHERE s.ledger_id = $1 AND s.import_id = i.id ORDER BY a.name) AS accounts,
       coalesce(l.lines, 0) AS lines, coalesce(l.posted, 0) AS posted
  FROM imports AS i
  LEFT JOIN LATERAL (
       SELECT count(*) AS lines, count(l.entry_id) AS posted
         FROM statements AS s JOIN statement_lines AS l ON l.ledger_id = $1 AND l.statement_id = s.id
        WHERE s.ledger_id = $1 AND s.import_id = i.id) AS l ON true
 WHERE i.ledger_id = $1
 ORDER BY i.id
"""


@dataclass(frozen=True, slots=True)
class ImportOverview:
    """An import, the accounts that it was of, how many lines it added, and how many of them were posted."""

    id: int
    file: str
    format: str
    imported_at: datetime
    imported_by: str
    undone_at: datetime | None
    undone_by: str | None
    accounts: tuple[str, ...]
    lines: int
    posted: int


class ImportRepository(Repository[Import]):
    """The imports of this ledger, in their order."""

    model = Import
    order = (Import.id,)

    async def record(self, *, file_name: str, sha256: bytes, file_format: str) -> int:
        """Record that a file is imported, and return the id of the import.

        Raises:
            InvalidError: The SHA-256 has not 32 bytes.

        Database:
            One INSERT.
        """
        import_id: int = await self._scope.connection.fetchval(
            _RECORD, self._scope.ledger_id, file_name, sha256, file_format
        )
        return import_id

    async def overview(self) -> tuple[ImportOverview, ...]:
        """Return every import with what it brought, the oldest first.

        Database:
            One SELECT, which counts the lines of every import; no locks.
        """
        rows = await self._scope.connection.fetch(_OVERVIEW, self._scope.ledger_id)
        return tuple(ImportOverview(**{**row, "accounts": tuple(row["accounts"])}) for row in rows)

    def _not_found(self, key: object) -> NotFoundError:
        return NotFoundError(f"this ledger has no import {key!r}; `uow.imports` or `finance imports` lists them")
