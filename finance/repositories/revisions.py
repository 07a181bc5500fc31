"""The descriptions, details and payees that entries had: what changes of a posted entry, and its history."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from finance.errors import EntryNotFoundError, StaleVersionError
from finance.models.new_entry import details_json, require_text
from finance.repositories.base import Scope

_LOCK = "SELECT id FROM journal_entries WHERE ledger_id = $1 AND id = $2 FOR NO KEY UPDATE"
_CURRENT = "SELECT 1 + count(*) FROM entry_revisions WHERE ledger_id = $1 AND entry_id = $2"
_DESCRIBE = """
UPDATE journal_entries SET description = coalesce($3, description), metadata = coalesce($4::text::jsonb, metadata)
 WHERE ledger_id = $1 AND id = $2
"""
_POSTED = """
SELECT coalesce((SELECT r.description FROM entry_revisions AS r
                  WHERE r.ledger_id = e.ledger_id AND r.entry_id = e.id AND r.revision = 1), e.description)
  FROM journal_entries AS e WHERE e.ledger_id = $1 AND e.id = $2
"""
# Each was recorded when the one before it was replaced.
_HISTORY = """
WITH entry AS (SELECT * FROM journal_entries WHERE ledger_id = $1 AND id = $2),
replaced AS (SELECT * FROM entry_revisions WHERE ledger_id = $1 AND entry_id = $2),
version AS (
    SELECT revision, description, metadata, payee_id, replaced_at, replaced_by FROM replaced
    UNION ALL
    SELECT 1 + (SELECT count(*) FROM replaced), description, metadata, payee_id, NULL, NULL FROM entry
)
SELECT v.revision, v.description, v.metadata::text AS details,
       (SELECT p.name FROM payees AS p WHERE p.ledger_id = $1 AND p.id = v.payee_id) AS payee,
       coalesce(lag(v.replaced_at) OVER numbered, e.recorded_at) AS recorded_at,
       coalesce(lag(v.replaced_by) OVER numbered, e.recorded_by) AS recorded_by
  FROM version AS v CROSS JOIN entry AS e WINDOW numbered AS (ORDER BY v.revision) ORDER BY v.revision
"""


@dataclass(frozen=True, slots=True)
class Revision:
    """One of the descriptions, details and payees that an entry had: when it was recorded, and by which role."""

    #: 1 is what was posted.
    revision: int
    description: str
    details: Mapping[str, Any]
    #: The payee's name as it is now.
    payee: str | None
    recorded_at: datetime
    recorded_by: str


async def lock(scope: Scope, entry_id: UUID) -> None:
    """Lock an entry against whoever else amends or describes it, until the end of the transaction.

    Raises:
        EntryNotFoundError: This ledger has no such entry.

    Database:
        One SELECT FOR NO KEY UPDATE.
    """
    if await scope.connection.fetchval(_LOCK, scope.ledger_id, entry_id) is None:
        raise EntryNotFoundError(entry_id)


async def describe(
    scope: Scope, entry_id: UUID, description: str | None, details: Mapping[str, Any] | None, expected: int | None
) -> None:
    """Change what is given, as `JournalRepository.describe()` says."""
    if description is not None:
        require_text("the description", description)
    document = None if details is None else details_json(details)
    await lock(scope, entry_id)
    if expected is not None and await scope.connection.fetchval(_CURRENT, scope.ledger_id, entry_id) != expected:
        raise StaleVersionError("entry", expected)
    await scope.connection.execute(_DESCRIBE, scope.ledger_id, entry_id, description, document)


async def history(scope: Scope, entry_id: UUID) -> tuple[Revision, ...]:
    """Return every revision, as `JournalRepository.history()` says."""
    rows = await scope.connection.fetch(_HISTORY, scope.ledger_id, entry_id)
    if not rows:
        raise EntryNotFoundError(entry_id)
    return tuple(Revision(**{**row, "details": json.loads(row["details"])}) for row in rows)


async def posted_description(scope: Scope, entry_id: UUID) -> str:
    """Return the description that an entry was posted with.

    Database:
        One SELECT along indexes; no locks.
    """
    description: str = await scope.connection.fetchval(_POSTED, scope.ledger_id, entry_id)
    return description
