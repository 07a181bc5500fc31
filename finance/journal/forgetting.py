"""Forgetting: a ledger erased whole, and the words of entries redacted while their money stays."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from finance.connection import Connection
from finance.errors import EntryNotFoundError, InvalidError, NotFoundError
from finance.journal.connected import connected
from finance.journal.naming import Named, count_of, find_named, still_named, take_out
from finance.models import JournalEntry, Payee
from finance.models.forgetting import REDACTED
from finance.repositories.balances import require_day
from finance.unit_of_work import UnitOfWork

# The guards behind these do the work, and nobody but the owner of the tables may insert.
_ERASE = "INSERT INTO erasures (ledger_id) VALUES ($1) RETURNING ledger_id, erased_at, erased_by, counts::text"
_RECORD = "INSERT INTO redactions (ledger_id, through) VALUES ($1, $2) RETURNING id, redacted_at"
_REDACT = """
INSERT INTO redacted_entries (ledger_id, entry_id, redaction_id)
SELECT $1, n.id, $3 FROM unnest($2::uuid[]) AS n(id) ORDER BY n.id
"""

_BY_ID = "SELECT id FROM journal_entries WHERE ledger_id = $1 AND id = ANY ($2::uuid[])"
_BY_DAY = "SELECT id FROM journal_entries WHERE ledger_id = $1 AND date <= $2"
# In the order of whoever labels them.
_LOCK = "SELECT FROM journal_entries WHERE ledger_id = $1 AND id = ANY ($2::uuid[]) ORDER BY id FOR NO KEY UPDATE"
# Lines that no entry among those that are redacted leads to.
_REDACT_LINES = """
INSERT INTO redacted_rows (ledger_id, redaction_id, table_name, row_id)
SELECT $1, $3, 'statement_lines', l.id::text FROM unnest($2::bigint[]) AS n(id)
  JOIN statement_lines AS l ON l.ledger_id = $1 AND l.id = n.id
 WHERE NOT EXISTS (SELECT FROM redacted_entries AS x
                    WHERE x.ledger_id = $1 AND x.entry_id = l.entry_id AND x.redaction_id = $3)
ON CONFLICT DO NOTHING
"""

_PAYEES_OF = """
SELECT DISTINCT coalesce(p.merged_into_id, p.id) AS id FROM payees AS p
 WHERE p.ledger_id = $1 AND (
       EXISTS (SELECT FROM journal_entries AS e
                WHERE e.ledger_id = $1 AND e.payee_id = p.id AND e.id = ANY ($2::uuid[]))
    OR EXISTS (SELECT FROM entry_revisions AS r
                WHERE r.ledger_id = $1 AND r.payee_id = p.id AND r.entry_id = ANY ($2::uuid[])))
"""
_TAGS_OF = "SELECT DISTINCT tag_id AS id FROM entry_tags WHERE ledger_id = $1 AND entry_id = ANY ($2::uuid[])"
_REMOVE_PAYEES = """
DELETE FROM payees AS p
 WHERE p.ledger_id = $1 AND coalesce(p.merged_into_id, p.id) = ANY ($2::bigint[]) AND NOT EXISTS (
       SELECT FROM payees AS f WHERE f.ledger_id = $1
          AND coalesce(f.merged_into_id, f.id) = coalesce(p.merged_into_id, p.id)
          AND (EXISTS (SELECT FROM journal_entries AS e WHERE e.ledger_id = $1 AND e.payee_id = f.id)
               OR EXISTS (SELECT FROM entry_revisions AS r WHERE r.ledger_id = $1 AND r.payee_id = f.id)))
"""
_REMOVE_TAGS = """
DELETE FROM tags AS t
 WHERE t.ledger_id = $1 AND coalesce(t.merged_into_id, t.id) = ANY ($2::bigint[]) AND NOT EXISTS (
       SELECT FROM entry_tags AS x WHERE x.ledger_id = $1 AND x.tag_id = coalesce(t.merged_into_id, t.id))
"""
# Of a ledger through a day: what belongs to no entry.
_LINES = """
UPDATE statement_lines SET payee = NULL, memo = NULL, check_number = NULL, raw = '{}'
 WHERE ledger_id = $1 AND date <= $2 AND entry_id IS NULL
   AND (raw <> '{}' OR num_nonnulls(payee, memo, check_number) > 0)
"""
_NOTES = f"""
UPDATE assertions SET note = '{REDACTED}' WHERE ledger_id = $1 AND date <= $2 AND note NOT IN ('', '{REDACTED}')
"""  # noqa: S608 - our own text
_STATEMENTS = f"""
UPDATE statements AS s SET file_name = '{REDACTED}', bank_account = CASE WHEN a.closed_on <= $2 THEN NULL
                                                                      ELSE s.bank_account END
  FROM accounts AS a
 WHERE s.ledger_id = $1 AND a.ledger_id = $1 AND a.id = s.account_id
   AND coalesce(s.ends_on, (s.imported_at AT TIME ZONE 'UTC')::date) <= $2
   AND NOT EXISTS (SELECT FROM statement_lines AS l
                    WHERE l.ledger_id = $1 AND l.statement_id = s.id AND l.date > $2)
"""  # noqa: S608 - our own text
_IMPORTS = f"""
UPDATE imports AS i SET file_name = '{REDACTED}'
 WHERE i.ledger_id = $1 AND i.file_name <> '{REDACTED}'
   AND NOT EXISTS (SELECT FROM statements AS s
                     LEFT JOIN statement_lines AS l ON l.ledger_id = $1 AND l.statement_id = s.id AND l.date > $2
                    WHERE s.ledger_id = $1 AND s.import_id = i.id AND (s.file_name <> '{REDACTED}' OR l.id IS NOT NULL))
"""  # noqa: S608 - our own text
_ACCOUNTS = "UPDATE accounts SET metadata = '{}' WHERE ledger_id = $1 AND closed_on <= $2 AND metadata <> '{}'"
_HOLDS = f"""
UPDATE holds SET description = '{REDACTED}'
 WHERE ledger_id = $1 AND status <> 'open' AND (placed_at AT TIME ZONE 'UTC')::date <= $2
"""  # noqa: S608 - our own text
# Of schedules what is over: the words of those that go on are those of entries to come.
_CHANGES = """
UPDATE schedule_changes SET description = NULL
 WHERE ledger_id = $1 AND greatest(occurs_on, posts_on) <= $2 AND description IS NOT NULL
"""
_SCHEDULES = f"""
UPDATE schedules SET description = '{REDACTED}', metadata = '{{}}' WHERE ledger_id = $1 AND ends_on <= $2
"""  # noqa: S608 - our own text
_MEMOS = """
UPDATE schedule_postings AS p SET memo = NULL FROM schedules AS s
 WHERE p.ledger_id = $1 AND s.ledger_id = $1 AND s.id = p.schedule_id AND s.ends_on <= $2 AND p.memo IS NOT NULL
"""
_THROUGH = (_LINES, _NOTES, _STATEMENTS, _IMPORTS, _ACCOUNTS, _HOLDS, _CHANGES, _SCHEDULES, _MEMOS)


@dataclass(frozen=True, slots=True)
class Erased:
    """The record of a ledger that was erased: when, by which role, and how many rows each table had of it."""

    ledger_id: int
    erased_at: datetime
    erased_by: str
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Redacted:
    """What a redaction took the words of: entries, those of reversals among them, and what was left without entries."""

    id: int
    redacted_at: datetime
    entries: int
    #: Payees and tags that no entry has any more, with the names that led to them: they were removed.
    payees: int
    tags: int
    #: Rules that proposed the payee or looked for its name, which would have brought it back: they were removed.
    rules: int = 0
    #: What the bank sent: lines that lost their words, those of the entries among them.
    lines: int = 0
    #: How many rows of a table are known by a name that has the payee's in it, and so have it still, such as accounts:
    #: give them another.
    still_named: Mapping[str, int] = field(default_factory=dict)


async def erase(connection: Connection, ledger_id: int) -> Erased:
    """Erase the ledger whole, first thing in a transaction under read committed, as `db.ledgers.erase()` says."""
    row = await connection.fetchrow(_ERASE, ledger_id)
    assert row is not None  # noqa: S101 - the guard raises or lets the row be
    return Erased(**{**row, "counts": json.loads(row["counts"])})


async def redact(
    uow: UnitOfWork,
    *,
    entries: Iterable[JournalEntry | UUID] | None,
    payee: Payee | str | None,
    through: date | None,
) -> Redacted:
    """Redact what is given, as `db.ledgers.redact()` says."""
    if sum(given is not None for given in (entries, payee, through)) != 1:
        raise InvalidError("say what to redact: entries, a payee, or everything through a day; one of them")
    require_day("through", through)
    connection, ledger_id = uow.connection, uow.ledger_id
    named = None if payee is None else await find_named(uow, await _payee_id(uow, payee))
    ids, lines = await _chosen(uow, entries, named, through)
    payees = [row["id"] for row in await connection.fetch(_PAYEES_OF, ledger_id, ids)]
    tags = [row["id"] for row in await connection.fetch(_TAGS_OF, ledger_id, ids)]
    record = await connection.fetchrow(_RECORD, ledger_id, through)
    assert record is not None  # noqa: S101 - it was inserted
    await connection.execute(_REDACT, ledger_id, ids, record["id"])
    await connection.execute(_REDACT_LINES, ledger_id, lines, record["id"])
    removed = (0, 0, 0) if named is None else await take_out(uow, named, record["id"])
    done = [await connection.execute(each, ledger_id, through) for each in _THROUGH if through is not None]
    return Redacted(
        record["id"],
        record["redacted_at"],
        entries=len(ids),
        payees=removed[0] + count_of(await connection.execute(_REMOVE_PAYEES, ledger_id, payees)),
        tags=removed[1] + count_of(await connection.execute(_REMOVE_TAGS, ledger_id, tags)),
        rules=removed[2],
        lines=len(lines) + sum(map(count_of, done[:1])),
        still_named={} if named is None else await still_named(uow, named),
    )


async def _chosen(
    uow: UnitOfWork, entries: Iterable[JournalEntry | UUID] | None, named: Named | None, through: date | None
) -> tuple[Sequence[UUID], Sequence[int]]:
    """Return the ids of the entries to redact, locked against whoever describes them, and of the lines."""
    if entries is not None:
        found = await _given(uow, {each.id if isinstance(each, JournalEntry) else each for each in entries})
    elif named is not None:
        found = named.entries
    else:
        found = await _ids(uow, _BY_DAY, through)
    ids, lines = await connected(uow, found)
    await uow.connection.execute(_LOCK, uow.ledger_id, list(ids))
    return list(ids), list(lines.union(named.lines if named else ()))


async def _given(uow: UnitOfWork, wanted: set[UUID]) -> Sequence[UUID]:
    found = await _ids(uow, _BY_ID, list(wanted))
    for missing in wanted - set(found):
        raise EntryNotFoundError(missing)
    return found


async def _payee_id(uow: UnitOfWork, payee: Payee | str) -> int:
    row = await (uow.payees.get_by_name(payee) if isinstance(payee, str) else uow.payees.get(payee.id))
    if row is None:
        raise NotFoundError("this ledger has no such payee")
    return row.id if row.merged_into_id is None else row.merged_into_id


async def _ids(uow: UnitOfWork, query: str, value: object) -> Sequence[UUID]:
    return [row["id"] for row in await uow.connection.fetch(query, uow.ledger_id, value)]
