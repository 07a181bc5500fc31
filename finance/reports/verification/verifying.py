"""The stages of a verification, in one read-only transaction that sees one instant."""

from __future__ import annotations

import re

from finance.connection import Connection
from finance.reports.verification.entries import ENTRIES, HASH_RULE, check_entries
from finance.reports.verification.findings import Findings, Verification, Watcher
from finance.reports.verification.holds import HELD, HOLDS, check_holds
from finance.reports.verification.rules import rules_sql
from finance.reports.verification.totals import BALANCE_RULE, MONTH_RULE, compare_totals
from finance.repositories import Scope

_LINES = 20_000

_ACCOUNTS = """
SELECT 'account in an unknown currency', a.id::text, a.currency FROM accounts AS a
 WHERE a.ledger_id = $1 AND NOT EXISTS (SELECT FROM currencies AS c WHERE c.ledger_id = $1 AND c.code = a.currency)
UNION ALL
SELECT 'entry left unsettled', u.entry_id::text, NULL FROM unsettled AS u WHERE u.ledger_id = $1
LIMIT 1000
"""
_REDACTED = "SELECT count(DISTINCT entry_id) FROM redacted_entries WHERE ledger_id = $1"
# A line that no bank gave an id is known again by all its words: where they are gone, its fingerprint tells that it had
# some. The record of a redaction through a day names none: lines that came later have theirs.
_STATEMENT_LINES = """
WITH line AS MATERIALIZED (
    SELECT id, entry_id, date, amount, kind, type, bank_id, fingerprint,
           raw = '{}' AND num_nonnulls(payee, memo, check_number) = 0 AS is_wordless,
           EXISTS (SELECT FROM redacted_rows AS x WHERE x.ledger_id = $1 AND x.table_name = 'statement_lines'
                      AND x.row_id = l.id::text)
           OR EXISTS (SELECT FROM redacted_entries AS x WHERE x.ledger_id = $1 AND x.entry_id = l.entry_id)
              AS is_redacted
      FROM statement_lines AS l WHERE l.ledger_id = $1 AND l.id > $2 ORDER BY l.id LIMIT $3
), problem AS (
    SELECT id, entry_id FROM line WHERE entry_id IS NOT NULL
       AND NOT EXISTS (SELECT FROM journal_entries AS e WHERE e.ledger_id = $1 AND e.id = entry_id) LIMIT 1000
)
SELECT NULL AS rule, max(id)::text AS subject, count(*)::text AS found FROM line
UNION ALL
SELECT 'statement line of an entry that is not there', id::text, entry_id::text FROM problem
UNION ALL
SELECT 'redacted statement line with words', id::text, NULL FROM line WHERE is_redacted AND NOT is_wordless
UNION ALL
SELECT 'statement line without its words', l.id::text, NULL FROM line AS l
 WHERE l.is_wordless AND NOT l.is_redacted AND l.bank_id IS NULL
   AND NOT EXISTS (SELECT FROM redactions AS r WHERE r.ledger_id = $1 AND r.through >= l.date)
   AND l.fingerprint <> sha256(convert_to(
       '["finance.statement-line.1","content","' || to_char(l.date, 'YYYY-MM-DD') || '","' || trim_scale(l.amount)
       || '","' || l.kind || '",' || coalesce(to_json(l.type)::text, 'null') || ',null,null,null]', 'UTF8'))
LIMIT 1001
"""

#: The rules of the books that are looked at, those of the schema left out.
BOOKS = frozenset(
    {
        BALANCE_RULE,
        MONTH_RULE,
        HASH_RULE,
        *re.findall(r"^ *SELECT '(.+?)'", ENTRIES + HOLDS + HELD + _ACCOUNTS + _STATEMENT_LINES, re.MULTILINE),
    }
)


async def verify(scope: Scope, *, progress: Watcher | None = None) -> Verification:
    """Compute everything derived in the ledger of *scope* again, and compare it with what is stored.

    It goes along keys in batches, so that memory does not grow with the books. All of it is seen at one instant
    where the transaction has one: under "repeatable_read".

    Args:
        scope: What the repositories of a unit of work share.
        progress: Called after each batch, several times a second.
    """
    findings, connection, ledger_id = Findings(progress), scope.connection, scope.ledger_id
    # First of all: with a guard switched off, all the rest may be the consequence.
    for row in [*await connection.fetch(rules_sql()), *await connection.fetch(_ACCOUNTS, ledger_id)]:
        findings.report(*row)
    findings.tell("rules", 1, 1)
    entries, postings = await check_entries(connection, ledger_id, findings)
    accounts = await compare_totals(
        connection, ledger_id, findings.report, lambda done: findings.tell("accounts", done, postings)
    )
    await check_holds(connection, ledger_id, findings)
    await _check_statement_lines(connection, ledger_id, findings)
    redacted = await connection.fetchval(_REDACTED, ledger_id)
    return Verification(accounts, entries, postings, tuple(findings.kept), redacted)


async def _check_statement_lines(connection: Connection, ledger_id: int | None, findings: Findings) -> None:
    expected = await connection.fetchval("SELECT count(*) FROM statement_lines WHERE ledger_id = $1", ledger_id)
    done, last = 0, -(2**63)
    while done < expected:
        counted, *problems = await connection.fetch(_STATEMENT_LINES, ledger_id, last, _LINES)
        for problem in problems:
            findings.report(*problem)
        done, last = done + int(counted["found"]), int(counted["subject"] or expected)
        findings.tell("statement lines", done, expected)
