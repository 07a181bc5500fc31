"""What tells of one event: entries that correct each other, and the lines that a bank sent of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from finance.unit_of_work import UnitOfWork

_CORRECTIONS = """
WITH given AS MATERIALIZED (SELECT unnest($2::uuid[]) AS id)
SELECT e.id FROM given AS g JOIN journal_entries AS e ON e.ledger_id = $1 AND e.reverses_id = g.id
 UNION
SELECT e.id FROM given AS g JOIN journal_entries AS e ON e.ledger_id = $1 AND e.amends_id = g.id
 UNION
SELECT v.id FROM given AS g JOIN journal_entries AS e ON e.ledger_id = $1 AND e.id = g.id
 CROSS JOIN LATERAL (VALUES (e.reverses_id), (e.amends_id)) AS v(id) WHERE v.id IS NOT NULL
"""
_LINES = """
WITH given AS MATERIALIZED (SELECT unnest($2::uuid[]) AS id)
SELECT l.id FROM given AS g JOIN statement_lines AS l ON l.ledger_id = $1 AND l.entry_id = g.id
 UNION
SELECT m.line_id FROM given AS g JOIN matches AS m ON m.ledger_id = $1 AND m.entry_id = g.id
"""
# A line that was undone and came again, as often as it did.
_AGAIN = """
WITH given AS MATERIALIZED (
    SELECT l.account_id, l.fingerprint, l.occurrence
      FROM unnest($2::bigint[]) AS g(id) JOIN statement_lines AS l ON l.ledger_id = $1 AND l.id = g.id
), undone AS MATERIALIZED (
    SELECT id, account_id, fingerprint, occurrence FROM statement_lines
     WHERE ledger_id = $1 AND undone_at IS NOT NULL
)
SELECT l.id FROM given AS g JOIN statement_lines AS l ON l.ledger_id = $1 AND l.account_id = g.account_id
   AND l.fingerprint = g.fingerprint AND l.occurrence = g.occurrence AND l.undone_at IS NULL
 UNION
SELECT u.id FROM undone AS u JOIN given USING (account_id, fingerprint, occurrence)
"""
_ENTRIES = """
WITH given AS MATERIALIZED (SELECT unnest($2::bigint[]) AS id)
SELECT l.entry_id AS id FROM given AS g JOIN statement_lines AS l ON l.ledger_id = $1 AND l.id = g.id
 WHERE l.entry_id IS NOT NULL
 UNION
SELECT m.entry_id FROM given AS g JOIN matches AS m ON m.ledger_id = $1 AND m.line_id = g.id
"""


async def connected(uow: UnitOfWork, entries: Iterable[UUID]) -> tuple[set[UUID], set[int]]:
    """Return *entries* with all that tell of the same events, and the ids of the lines that do.

    Those are the entries that reverse or amend one of them, or that one of them reverses or amends; the lines that
    became one or are matched with one; such a line before its import was undone, or again after; and what these became.

    Database:
        Four SELECTs for each step away from *entries*, of which there are two or three as a rule.
    """
    all_entries, all_lines = set(entries), set[int]()
    news = all_entries
    while news:
        lines = await _ids(uow, _LINES, news)
        lines |= await _ids(uow, _AGAIN, lines) if lines else set()
        found = await _ids(uow, _CORRECTIONS, news)
        found |= await _ids(uow, _ENTRIES, lines - all_lines) if lines else set()
        all_lines |= lines
        news = found - all_entries
        all_entries = all_entries | news
    return all_entries, all_lines


async def _ids(uow: UnitOfWork, query: str, given: Iterable[Any]) -> set[Any]:
    return {row["id"] for row in await uow.connection.fetch(query, uow.ledger_id, list(given))}
