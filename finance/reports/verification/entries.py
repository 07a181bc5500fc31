"""Each entry with its postings: sums, dates, accounts, currencies, reversals and the hash of its content."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from uuid import UUID

from finance.connection import Connection, Record
from finance.models.new_entry import canonical
from finance.reports.verification.findings import Findings

#: Entries that are looked at by one statement: a tenth of a second, and some megabytes on the server.
_BATCH = 5000

_LAST = UUID(int=2**128 - 1)
_RANGE = """
SELECT count(*) AS entries, (array_agg(e.id ORDER BY e.id DESC))[1] AS last
  FROM (SELECT id FROM journal_entries WHERE ledger_id = $1 AND id {above} $2 ORDER BY id LIMIT $3) AS e
"""

# Every posting is of one range, whether its entry is there or not. The first row says how many there are.
ENTRIES = """
WITH line AS MATERIALIZED (
    SELECT entry_id, line, account_id, date, currency, amount FROM postings
     WHERE ledger_id = $1 AND entry_id {above} $2 AND entry_id <= $3
), entry AS MATERIALIZED (
    SELECT id, date, reverses_id, amends_id, settles_id, payee_id FROM journal_entries
     WHERE ledger_id = $1 AND id {above} $2 AND id <= $3
), revision AS MATERIALIZED (
    SELECT entry_id, revision FROM entry_revisions WHERE ledger_id = $1 AND entry_id {above} $2 AND entry_id <= $3
)
SELECT NULL AS rule, count(*)::text AS subject, NULL AS found FROM line
UNION ALL
SELECT 'entry unbalanced', entry_id::text, currency || ' ' || sum(amount)::text
  FROM line GROUP BY entry_id, currency HAVING sum(amount) <> 0
UNION ALL
SELECT 'entry without postings', e.id::text, NULL FROM entry AS e
 WHERE NOT EXISTS (SELECT FROM line AS p WHERE p.entry_id = e.id)
UNION ALL
SELECT 'posting without entry', p.entry_id::text, 'line ' || p.line FROM line AS p
 WHERE NOT EXISTS (SELECT FROM entry AS e WHERE e.id = p.entry_id)
UNION ALL
SELECT 'posting on another date than its entry', p.entry_id::text, 'line ' || p.line
  FROM line AS p JOIN entry AS e ON e.id = p.entry_id WHERE p.date <> e.date
UNION ALL
SELECT 'posting without account', p.entry_id::text, 'account ' || p.account_id FROM line AS p
 WHERE NOT EXISTS (SELECT FROM accounts AS a WHERE a.ledger_id = $1 AND a.id = p.account_id)
UNION ALL
SELECT 'posting in another currency than its account', p.entry_id::text, 'line ' || p.line
  FROM line AS p JOIN accounts AS a ON a.ledger_id = $1 AND a.id = p.account_id WHERE p.currency <> a.currency
UNION ALL
SELECT 'posting finer than its currency', p.entry_id::text, p.amount::text
  FROM line AS p JOIN currencies AS c ON c.ledger_id = $1 AND c.code = p.currency
 WHERE min_scale(p.amount) > c.exponent
UNION ALL
SELECT 'reversal of an entry that is not there', r.id::text, r.reverses_id::text FROM entry AS r
 WHERE r.reverses_id IS NOT NULL
   AND NOT EXISTS (SELECT FROM journal_entries AS e WHERE e.ledger_id = $1 AND e.id = r.reverses_id)
UNION ALL
SELECT 'reversal that is not the opposite of its entry', r.id::text, r.reverses_id::text FROM entry AS r
 WHERE r.reverses_id IS NOT NULL AND EXISTS (
       SELECT p.account_id FROM postings AS p WHERE p.ledger_id = $1 AND p.entry_id IN (r.id, r.reverses_id)
        GROUP BY p.account_id HAVING sum(p.amount) <> 0)
UNION ALL
SELECT 'amendment of an entry that is not reversed', m.id::text, m.amends_id::text FROM entry AS m
 WHERE m.amends_id IS NOT NULL
   AND NOT EXISTS (SELECT FROM journal_entries AS r WHERE r.ledger_id = $1 AND r.reverses_id = m.amends_id)
UNION ALL
SELECT 'settled hold and its entry do not name each other', e.settles_id::text, e.id::text FROM entry AS e
 WHERE e.settles_id IS NOT NULL
   AND NOT EXISTS (SELECT FROM holds AS h WHERE h.ledger_id = $1 AND h.id = e.settles_id AND h.entry_id = e.id)
UNION ALL
SELECT 'entry with a payee that is not there', e.id::text, e.payee_id::text FROM entry AS e
 WHERE e.payee_id IS NOT NULL AND NOT EXISTS (
       SELECT FROM payees AS y WHERE y.ledger_id = $1 AND y.id = e.payee_id AND y.merged_into_id IS NULL)
UNION ALL
SELECT 'revision of an entry that is not there', r.entry_id::text, 'revision ' || r.revision FROM revision AS r
 WHERE NOT EXISTS (SELECT FROM entry AS e WHERE e.id = r.entry_id)
UNION ALL
SELECT 'revisions with a gap', r.entry_id::text, count(*) || ' up to ' || max(r.revision) FROM revision AS r
 GROUP BY r.entry_id HAVING min(r.revision) <> 1 OR max(r.revision) <> count(*)
LIMIT 1001
"""

#: The rule that is looked at in Python.
HASH_RULE = "entry differs from its content hash"

# The server hashes the canonical form of plain entries itself, as they were posted: before the first revision. What it
# cannot confirm is hashed in Python, by the code that made the hash: only that one accuses.
_UNCONFIRMED = """
SELECT e.id, e.date, o.description, e.kind, e.reverses_id, e.amends_id, e.settles_id, e.content_hash,
       o.metadata::text AS details, l.accounts, l.amounts, l.memos
  FROM journal_entries AS e
 CROSS JOIN LATERAL (
       SELECT array_agg(p.account_id ORDER BY p.line) AS accounts, array_agg(p.amount ORDER BY p.line) AS amounts,
              array_agg(p.memo ORDER BY p.line) AS memos,
              string_agg('[' || p.account_id || ',"' || trim_scale(p.amount) || '",'
                         || coalesce(to_json(p.memo)::text, 'null') || ']', ',' ORDER BY p.line) AS written
         FROM postings AS p WHERE p.ledger_id = $1 AND p.entry_id = e.id) AS l
  LEFT JOIN entry_revisions AS f ON f.ledger_id = $1 AND f.entry_id = e.id AND f.revision = 1
 CROSS JOIN LATERAL (
       SELECT coalesce(f.description, e.description) AS description, coalesce(f.metadata, e.metadata) AS metadata) AS o
 WHERE e.ledger_id = $1 AND e.id {above} $2 AND e.id <= $3 AND e.content_hash IS NOT NULL
   AND (o.metadata <> '{{}}' OR e.amends_id IS NOT NULL OR e.settles_id IS NOT NULL
        OR e.content_hash IS DISTINCT FROM sha256(convert_to(
        '["finance.entry.1","' || to_char(e.date, 'YYYY-MM-DD') || '",' || to_json(o.description) || ',"' || e.kind
        || '",' || coalesce('"' || e.reverses_id || '"', 'null') || ',[' || l.written || '],{{}}]', 'UTF8')))
"""


async def check_entries(connection: Connection, ledger_id: int | None, findings: Findings) -> tuple[int, int]:
    """Check every entry, in ranges of their ids; return how many entries and postings there are."""
    expected = await connection.fetchval(
        "SELECT coalesce(sum(postings), 0)::bigint FROM monthly_totals WHERE ledger_id = $1", ledger_id
    )
    entries = postings = 0
    above, last = ">=", UUID(int=0)
    while last != _LAST:
        found = await connection.fetchrow(_RANGE.format(above=above), ledger_id, last, _BATCH)
        assert found is not None  # noqa: S101 - it counts
        through = found["last"] if found["entries"] == _BATCH else _LAST
        entries += found["entries"]
        postings += await _check_range(connection, findings, above, ledger_id, last, through)
        findings.tell("entries", postings, expected)
        above, last = ">", through
    return entries, postings


async def _check_range(connection: Connection, findings: Findings, above: str, *bounds: Any) -> int:
    # In a ledger that was just filled the planner thinks of a handful of rows, and would compare each with each.
    await connection.execute("SET LOCAL enable_nestloop = off")
    counted, *problems = await connection.fetch(ENTRIES.format(above=above), *bounds)
    await connection.execute("SET LOCAL enable_nestloop TO DEFAULT")
    for problem in problems:
        findings.report(*problem)
    async for row in connection.stream(_UNCONFIRMED.format(above=above), *bounds, batch=100):
        if not _is_confirmed(row):
            findings.report(HASH_RULE, str(row["id"]), None)
    return int(counted["subject"])


def _is_confirmed(row: Record) -> bool:
    details = json.loads(row["details"])
    lines = zip(row["accounts"] or (), row["amounts"] or (), row["memos"] or (), strict=True)
    content = canonical(
        row["date"],
        row["description"],
        row["kind"],
        links=(row["reverses_id"], row["amends_id"], row["settles_id"]),
        lines=lines,
        details=details,
    )
    return hashlib.sha256(content.encode()).digest() == row["content_hash"] or not _is_as_written(details)


def _is_as_written(value: Any) -> bool:
    """Tell whether JSON that PostgreSQL stored is sure to be written again as it came.

    It keeps numbers as decimals: 1e+16 comes back as a whole number, and -0.0 without its sign. Keys that were
    numbers come back as text, which sorts in another way.
    """
    if isinstance(value, dict):
        return all(_is_text(key) and _is_as_written(each) for key, each in value.items())
    if isinstance(value, list):
        return all(map(_is_as_written, value))
    if isinstance(value, float):
        return value != 0
    return isinstance(value, bool) or not isinstance(value, int) or abs(value) < 10**16


def _is_text(key: str) -> bool:
    try:
        return isinstance(json.loads(key), str)
    except ValueError:
        return True
