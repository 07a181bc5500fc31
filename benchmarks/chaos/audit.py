"""The invariants, by equality, on both sides: what was told is stored, what is stored was told, and nothing is left."""

from __future__ import annotations

import dataclasses
from uuid import UUID

import asyncpg

from benchmarks.chaos.cluster import wait_until
from benchmarks.chaos.record import Record
from benchmarks.chaos.verdict import Verdict
from finance import DatabaseManager, Outcome

_SETTLING = 5.0

_ENTRIES = """
SELECT e.id, count(p.line) AS lines, coalesce(sum(p.amount), 0) AS sum
  FROM journal_entries AS e LEFT JOIN postings AS p ON p.ledger_id = e.ledger_id AND p.entry_id = e.id
 GROUP BY e.ledger_id, e.id
UNION ALL
SELECT key, count(*), sum(amount) FROM marks GROUP BY key
"""
_BROKEN = """
SELECT 'postings of ' || currency || ' sum to ' || sum(amount) FROM postings GROUP BY currency HAVING sum(amount) <> 0
UNION ALL
SELECT 'account ' || a.id || ' has ' || a.balance || ', its postings ' || coalesce(sum(p.amount), 0)
  FROM accounts AS a LEFT JOIN postings AS p ON p.account_id = a.id
 GROUP BY a.ledger_id, a.id HAVING a.balance <> coalesce(sum(p.amount), 0)
UNION ALL
SELECT count(*) || ' entries are described as ' || description FROM journal_entries
 GROUP BY description HAVING count(*) > 1
"""
_LEFT = """
SELECT 'backend ' || pid || ' ' || state || ': ' || left(query, 60) FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle' AND backend_type = 'client backend'
UNION ALL
SELECT 'lock ' || locktype || ' ' || mode || ' of ' || l.pid
  FROM pg_locks AS l JOIN pg_database AS d ON d.oid = l.database
 WHERE d.datname = current_database() AND l.pid <> pg_backend_pid() AND locktype IN ('advisory', 'relation', 'tuple')
"""


@dataclasses.dataclass(frozen=True)
class Findings:
    """What an audit found."""

    stored: set[UUID]
    doubled: list[UUID]
    broken: list[str]
    left: list[str]


async def audit(dsn: str, db: DatabaseManager | None, ledger: int | None) -> Findings:
    """Read everything past finance, and have finance verify its books; wait up to 5 s for leftovers to go."""
    connection = await asyncpg.connect(dsn, timeout=30)
    try:
        left = await _leftovers(connection, db)
        entries = await connection.fetch(_ENTRIES)
        broken = [row[0] for row in await connection.fetch(_BROKEN)]
    finally:
        await connection.close()
    broken += [f"{row['id']} has {row['lines']} lines of {row['sum']}" for row in entries if _is_half(row)]
    if db is not None and ledger is not None:
        broken += [str(problem) for problem in (await db.verify(ledger)).problems]
    doubled = [row["id"] for row in entries if row["lines"] > 2]
    return Findings({row["id"] for row in entries}, doubled, broken, left)


def _is_half(row: asyncpg.Record) -> bool:
    return bool(row["lines"] % 2 or not row["lines"] or row["sum"])


async def _leftovers(connection: asyncpg.Connection[asyncpg.Record], db: DatabaseManager | None) -> list[str]:
    found: list[str] = []

    async def is_clean() -> bool:
        found[:] = [row[0] for row in await connection.fetch(_LEFT)]
        if db is not None:
            stats = db.stats()
            found.extend(f"{name} {getattr(stats, name)}" for name in ("in_use", "waiting") if getattr(stats, name))
        return not found

    try:
        await wait_until(is_clean, "leftovers to go", _SETTLING)
    except TimeoutError:
        return found
    return []


def judge(
    verdict: Verdict, record: Record, findings: Findings, *, failures: list[str], may_lose: set[UUID] | None = None
) -> Verdict:
    """Complete *verdict* with what was told and what is stored; *failures* are the scenario's own.

    Args:
        verdict: The figures that the scenario itself took.
        record: What was told.
        findings: What is stored.
        failures: Criteria of its own that do not hold.
        may_lose: Acknowledged keys whose loss is expected, and only reported.
    """
    acknowledged, refused = record.keys(Outcome.APPLIED), record.keys(Outcome.NOT_APPLIED)
    lost = acknowledged - findings.stored
    wrong = [
        *(f"{key} was told NOT_APPLIED and is stored" for key in refused & findings.stored),
        *(f"{key} is stored and nobody was told" for key in findings.stored - record.told.keys()),
        *record.contradictions,
    ]
    faults = [*failures, *wrong, *record.untyped, *findings.broken, *findings.left]
    if unexpected := lost - (may_lose or set()):
        faults.append(f"{len(unexpected)} acknowledged are lost")
    if findings.doubled:
        faults.append(f"{len(findings.doubled)} are stored more than once")
    return dataclasses.replace(
        verdict,
        tries=verdict.tries or len(record.told),
        acknowledged=len(acknowledged),
        unknown=len(record.keys(Outcome.UNKNOWN)),
        lost=len(lost),
        doubled=len(findings.doubled),
        wrong_reports=len(wrong),
        untyped=len(record.untyped),
        leaked=len(findings.left),
        passed=not faults,
        note="; ".join([*filter(None, [verdict.note]), *_shortened(faults)]),
    )


def _shortened(faults: list[str]) -> list[str]:
    shown = [fault[:200].replace("\n", " ") for fault in faults[:4]]
    return shown if len(faults) <= 4 else [*shown, f"and {len(faults) - 4} more"]
