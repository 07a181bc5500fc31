"""Holds: what they hold, the entries that settled them, and what accounts say of them."""

from __future__ import annotations

from uuid import UUID

from finance.connection import Connection
from finance.reports.verification.findings import Findings

#: Holds that are looked at by one statement.
_BATCH = 10_000

HOLDS = """
WITH hold AS MATERIALIZED (SELECT * FROM holds WHERE ledger_id = $1 AND id > $2 ORDER BY id LIMIT $3),
problem AS (
    SELECT 'hold without account' AS rule, h.id::text AS subject, 'account ' || h.account_id AS found FROM hold AS h
     WHERE NOT EXISTS (SELECT FROM accounts AS a WHERE a.ledger_id = $1 AND a.id = h.account_id)
    UNION ALL
    SELECT 'hold in another currency than its account', h.id::text, h.currency
      FROM hold AS h JOIN accounts AS a ON a.ledger_id = $1 AND a.id = h.account_id WHERE h.currency <> a.currency
    UNION ALL
    SELECT 'hold finer than its currency', h.id::text, h.amount::text
      FROM hold AS h JOIN currencies AS c ON c.ledger_id = $1 AND c.code = h.currency
     WHERE min_scale(h.amount) > c.exponent
    UNION ALL
    SELECT 'settled hold and its entry do not name each other', h.id::text, h.entry_id::text FROM hold AS h
     WHERE h.entry_id IS NOT NULL AND NOT EXISTS (
           SELECT FROM journal_entries AS e WHERE e.ledger_id = $1 AND e.id = h.entry_id AND e.settles_id = h.id)
    UNION ALL
    SELECT 'settled amount differs from postings', h.id::text, h.settled_amount::text FROM hold AS h
     WHERE h.status = 'settled' AND h.settled_amount IS DISTINCT FROM (
           SELECT -sum(p.amount) FROM postings AS p
            WHERE p.ledger_id = $1 AND p.entry_id = h.entry_id AND p.account_id = h.account_id)
    LIMIT 1000
)
SELECT NULL AS rule, (SELECT id FROM hold ORDER BY id DESC LIMIT 1)::text AS subject, count(*)::text AS found FROM hold
UNION ALL
SELECT * FROM problem
"""
HELD = """
SELECT 'held differs from open holds' AS rule, a.id::text AS subject, a.held || ' against ' || s.held AS found
  FROM accounts AS a,
       LATERAL (SELECT coalesce(sum(h.amount), 0) AS held FROM holds AS h
                 WHERE h.ledger_id = a.ledger_id AND h.account_id = a.id AND h.status = 'open') AS s
 WHERE a.ledger_id = $1 AND a.held <> s.held
LIMIT 1000
"""


async def check_holds(connection: Connection, ledger_id: int | None, findings: Findings) -> None:
    """Check every hold, in the order of their ids, and what is held of each account."""
    for problem in await connection.fetch(HELD, ledger_id):
        findings.report(*problem)
    done, last, is_over = 0, UUID(int=0), False
    while not is_over:
        counted, *problems = await connection.fetch(HOLDS, ledger_id, last, _BATCH)
        for problem in problems:
            findings.report(*problem)
        found = int(counted["found"])
        is_over = found < _BATCH
        last = last if is_over else UUID(counted["subject"])
        done += found
        findings.tell("holds", done, done)
