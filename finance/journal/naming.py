"""What names a payee, in whatever table, and taking it out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from finance.journal.mentions import patterns
from finance.models.forgetting import REDACTED
from finance.unit_of_work import UnitOfWork

_NAMES = "SELECT name FROM payees WHERE ledger_id = $1 AND (id = $2 OR merged_into_id = $2) ORDER BY id"
# Locked against whoever labels entries with them. One whose own name has the name in it is forgotten with its aliases.
_PAYEES = """
WITH named AS MATERIALIZED (
    SELECT id FROM payees WHERE ledger_id = $1 AND (id = $2 OR merged_into_id = $2 OR name ~ ANY ($3::text[]))
)
SELECT id FROM payees
 WHERE ledger_id = $1 AND (id IN (SELECT id FROM named) OR merged_into_id IN (SELECT id FROM named))
 ORDER BY id FOR UPDATE
"""
_TAGS = """
WITH named AS MATERIALIZED (SELECT id FROM tags WHERE ledger_id = $1 AND name ~ ANY ($2::text[]))
SELECT id FROM tags
 WHERE ledger_id = $1 AND (id IN (SELECT id FROM named) OR merged_into_id IN (SELECT id FROM named))
 ORDER BY id FOR UPDATE
"""

# JSON as text has line breaks and the like as a backslash and a letter, which is no letter of the words.
_OF_JSON = r"regexp_replace({0}::text, '\\.', ' ', 'g')"
_DETAILS = _OF_JSON.format("t.metadata")
# Keys that the library itself gives to an entry are no words of it.
_DETAILS_OF_ENTRY = _OF_JSON.format(
    "jsonb_build_array(t.metadata - '{rule,schedule,occurs_on,from}'::text[], t.metadata #> '{from,file}')"
)
# What a bank's file calls its elements are no words of it.
_RAW = _OF_JSON.format(
    """jsonb_path_query_array(t.raw, 'strict $.** ? (@.type() != "object" && @.type() != "array")')"""
)
_WORDS_OF_LINE = f"concat_ws(E'\\n', t.payee, t.memo, t.check_number, t.type, t.bank_id, {_RAW})"

_ENTRIES = f"""
SELECT t.id FROM journal_entries AS t
 WHERE t.ledger_id = $1 AND (t.payee_id = ANY ($3::bigint[]) OR t.description ~ ANY ($2::text[])
                             OR (t.metadata <> '{{}}' AND {_DETAILS_OF_ENTRY} ~ ANY ($2)))
 UNION
SELECT t.entry_id FROM entry_revisions AS t
 WHERE t.ledger_id = $1 AND (t.payee_id = ANY ($3) OR t.description ~ ANY ($2)
                             OR (t.metadata <> '{{}}' AND {_DETAILS_OF_ENTRY} ~ ANY ($2)))
 UNION
SELECT t.entry_id FROM postings AS t WHERE t.ledger_id = $1 AND t.memo ~ ANY ($2)
"""  # noqa: S608 - our own text
_LINES = f"SELECT t.id FROM statement_lines AS t WHERE t.ledger_id = $1 AND {_WORDS_OF_LINE} ~ ANY ($2::text[])"  # noqa: S608

_RECORD = """
INSERT INTO redacted_rows (ledger_id, redaction_id, table_name, row_id)
SELECT $1::bigint, $3::bigint, 'statements', id::text FROM statements
 WHERE ledger_id = $1 AND file_name ~ ANY ($2::text[])
 UNION ALL
SELECT $1, $3, 'imports', id::text FROM imports WHERE ledger_id = $1 AND file_name ~ ANY ($2)
 UNION ALL
SELECT $1, $3, 'holds', id::text FROM holds WHERE ledger_id = $1 AND description ~ ANY ($2)
 UNION ALL
SELECT $1, $3, 'assertions', id::text FROM assertions WHERE ledger_id = $1 AND note ~ ANY ($2)
"""
# What a line is known by again is its fingerprint.
_IDS_OF_LINES = """
UPDATE statement_lines AS t
   SET type = CASE WHEN t.type ~ ANY ($2::text[]) THEN NULL ELSE t.type END,
       bank_id = CASE WHEN t.bank_id ~ ANY ($2) THEN NULL ELSE t.bank_id END
 WHERE t.ledger_id = $1 AND t.id = ANY ($3::bigint[]) AND (t.type ~ ANY ($2) OR t.bank_id ~ ANY ($2))
"""

# A plan that goes on does so without the name, and details of a program's own stay.
_LEFT = f"""
(SELECT coalesce(jsonb_object_agg(d.key, d.value), '{{}}') FROM jsonb_each(t.metadata) AS d
  WHERE NOT {_OF_JSON.format("jsonb_build_array(d.key, d.value)")} ~ ANY ($2))
"""  # noqa: S608 - our own text
_SCHEDULES = f"""
UPDATE schedules AS t
   SET description = CASE WHEN t.description ~ ANY ($2::text[]) THEN '{REDACTED}' ELSE t.description END,
       metadata = {_LEFT}
 WHERE t.ledger_id = $1 AND (t.description ~ ANY ($2) OR {_DETAILS} ~ ANY ($2))
"""  # noqa: S608 - our own text
_MEMOS = "UPDATE schedule_postings SET memo = NULL WHERE ledger_id = $1 AND memo ~ ANY ($2::text[])"
_CHANGES = f"""
UPDATE schedule_changes SET description = '{REDACTED}' WHERE ledger_id = $1 AND description ~ ANY ($2::text[])
"""  # noqa: S608 - our own text
_PRICES = f"UPDATE prices SET source = '{REDACTED}' WHERE ledger_id = $1 AND source ~ ANY ($2::text[])"  # noqa: S608
# By these keys the next file of the bank finds its account.
_KNOWN_BY = "'{iban,bic,institution,number}'::text[]"
_ACCOUNTS = f"""
UPDATE accounts AS t
   SET metadata = {_LEFT} || (t.metadata - ARRAY(SELECT k FROM jsonb_object_keys(t.metadata - {_KNOWN_BY}) AS k))
 WHERE t.ledger_id = $1 AND {_OF_JSON.format(f"(t.metadata - {_KNOWN_BY})")} ~ ANY ($2::text[])
"""  # noqa: S608 - our own text
_RULES = """
DELETE FROM rules WHERE ledger_id = $1
   AND concat_ws(E'\\n', text, payee, array_to_string(tags, E'\\n')) ~ ANY ($2::text[])
"""
_UNTAG = "DELETE FROM entry_tags WHERE ledger_id = $1 AND tag_id = ANY ($2::bigint[])"
_REMOVE_TAGS = "DELETE FROM tags WHERE ledger_id = $1 AND id = ANY ($2::bigint[])"
_REMOVE_PAYEES = "DELETE FROM payees WHERE ledger_id = $1 AND id = ANY ($2::bigint[])"

# What is known by its name, and would be another without it.
_STANDING = f"""
SELECT 'ledgers' AS table_name, count(*) FROM ledgers WHERE id = $1 AND name ~ ANY ($2::text[])
 UNION ALL
SELECT 'currencies', count(*) FROM currencies WHERE ledger_id = $1 AND concat_ws(E'\\n', code, name) ~ ANY ($2)
 UNION ALL
SELECT 'accounts', count(*) FROM accounts AS t WHERE t.ledger_id = $1 AND (t.name ~ ANY ($2) OR {_DETAILS} ~ ANY ($2))
 UNION ALL
SELECT 'statements', count(*) FROM statements
 WHERE ledger_id = $1 AND concat_ws(E'\\n', bank, bank_account) ~ ANY ($2)
"""  # noqa: S608 - our own text


@dataclass(frozen=True, slots=True)
class Named:
    """What names a payee: its names as patterns, payees and tags of such a name, and the ids of entries and lines."""

    patterns: Sequence[str]
    payees: Sequence[int]
    tags: Sequence[int]
    entries: Sequence[UUID]
    lines: Sequence[int]


async def find_named(uow: UnitOfWork, payee_id: int) -> Named:
    """Find what names the payee, or one of its aliases; payees and tags of such a name are locked.

    Database:
        Six SELECTs, which read every entry, posting and line of the ledger.
    """
    fetch, ledger_id = uow.connection.fetch, uow.ledger_id
    encoding = await uow.connection.fetchval("SELECT pg_catalog.getdatabaseencoding()::text")
    found = patterns([row["name"] for row in await fetch(_NAMES, ledger_id, payee_id)], encoding=encoding)
    payees = [row["id"] for row in await fetch(_PAYEES, ledger_id, payee_id, found)]
    tags = [row["id"] for row in await fetch(_TAGS, ledger_id, found)]
    entries = [row["id"] for row in await fetch(_ENTRIES, ledger_id, found, payees)]
    lines = [row["id"] for row in await fetch(_LINES, ledger_id, found)]
    return Named(found, payees, tags, entries, lines)


async def take_out(uow: UnitOfWork, named: Named, redaction_id: int) -> tuple[int, int, int]:
    """Take the names out of all that is not of an entry; return how many payees, tags and rules were removed.

    Its entries and lines are redacted before.
    """
    connection, ledger_id = uow.connection, uow.ledger_id
    await connection.execute(_RECORD, ledger_id, named.patterns, redaction_id)
    await connection.execute(_IDS_OF_LINES, ledger_id, named.patterns, named.lines)
    for statement in (_SCHEDULES, _MEMOS, _CHANGES, _PRICES, _ACCOUNTS):
        await connection.execute(statement, ledger_id, named.patterns)
    await connection.execute(_UNTAG, ledger_id, named.tags)
    payees = await connection.execute(_REMOVE_PAYEES, ledger_id, named.payees)
    tags = await connection.execute(_REMOVE_TAGS, ledger_id, named.tags)
    rules = await connection.execute(_RULES, ledger_id, named.patterns)
    return count_of(payees), count_of(tags), count_of(rules)


async def still_named(uow: UnitOfWork, named: Named) -> Mapping[str, int]:
    """Return how many rows of each table are known by the name, and so have it still."""
    rows = await uow.connection.fetch(_STANDING, uow.ledger_id, named.patterns)
    return {row["table_name"]: row["count"] for row in rows if row["count"]}


def count_of(status: str) -> int:
    """Return how many rows a command says that it changed."""
    return int(status.rpartition(" ")[2])
