"""The books checked against themselves: everything derived is computed again and compared."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from finance.models import Base, guards

# One statement, so that all of it is seen at one instant. Each arm finds one kind of contradiction.
_BOOKS = """
WITH line AS MATERIALIZED (SELECT * FROM postings WHERE ledger_id = $1),
entry AS MATERIALIZED (SELECT * FROM journal_entries WHERE ledger_id = $1),
account AS MATERIALIZED (SELECT * FROM accounts WHERE ledger_id = $1),
hold AS MATERIALIZED (SELECT * FROM holds WHERE ledger_id = $1)
SELECT 'entry unbalanced' AS rule, entry_id::text AS subject, currency || ' ' || sum(amount)::text AS found
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
 WHERE NOT EXISTS (SELECT FROM account AS a WHERE a.id = p.account_id)
UNION ALL
SELECT 'posting in another currency than its account', p.entry_id::text, 'line ' || p.line
  FROM line AS p JOIN account AS a ON a.id = p.account_id WHERE p.currency <> a.currency
UNION ALL
SELECT 'posting finer than its currency', p.entry_id::text, p.amount::text
  FROM line AS p JOIN currencies AS c ON c.ledger_id = p.ledger_id AND c.code = p.currency
 WHERE min_scale(p.amount) > c.exponent
UNION ALL
SELECT 'account in an unknown currency', a.id::text, a.currency FROM account AS a
 WHERE NOT EXISTS (SELECT FROM currencies AS c WHERE c.ledger_id = $1 AND c.code = a.currency)
UNION ALL
SELECT 'balance differs from postings', a.id::text, a.balance::text || ' against ' || coalesce(s.sum, 0)::text
  FROM account AS a LEFT JOIN (SELECT account_id, sum(amount) AS sum FROM line GROUP BY account_id) AS s
    ON s.account_id = a.id WHERE a.balance <> coalesce(s.sum, 0)
UNION ALL
SELECT 'monthly total differs from postings', coalesce(t.account_id, s.account_id)::text,
       coalesce(t.month, s.month)::text
  FROM (SELECT * FROM monthly_totals WHERE ledger_id = $1) AS t
  FULL JOIN (SELECT account_id, date_trunc('month', date::timestamp)::date AS month, count(*) AS postings,
                    sum(greatest(amount, 0)) AS debit, sum(greatest(-amount, 0)) AS credit
               FROM line GROUP BY 1, 2) AS s ON s.account_id = t.account_id AND s.month = t.month
 WHERE (t.debit, t.credit, t.postings) IS DISTINCT FROM (s.debit, s.credit, s.postings)
UNION ALL
SELECT 'reversal of an entry that is not there', r.id::text, r.reverses_id::text FROM entry AS r
 WHERE r.reverses_id IS NOT NULL AND NOT EXISTS (SELECT FROM entry AS e WHERE e.id = r.reverses_id)
UNION ALL
SELECT 'reversal that is not the opposite of its entry', r.id::text, r.reverses_id::text FROM entry AS r
 WHERE r.reverses_id IS NOT NULL AND EXISTS (
       SELECT p.account_id FROM line AS p WHERE p.entry_id IN (r.id, r.reverses_id)
        GROUP BY p.account_id HAVING sum(p.amount) <> 0)
UNION ALL
SELECT 'amendment of an entry that is not reversed', m.id::text, m.amends_id::text FROM entry AS m
 WHERE m.amends_id IS NOT NULL AND NOT EXISTS (SELECT FROM entry AS r WHERE r.reverses_id = m.amends_id)
UNION ALL
SELECT 'revision of an entry that is not there', r.entry_id::text, 'revision ' || r.revision FROM entry_revisions AS r
 WHERE r.ledger_id = $1 AND NOT EXISTS (SELECT FROM entry AS e WHERE e.id = r.entry_id)
UNION ALL
SELECT 'revisions with a gap', r.entry_id::text, count(*) || ' up to ' || max(r.revision) FROM entry_revisions AS r
 WHERE r.ledger_id = $1 GROUP BY r.entry_id HAVING min(r.revision) <> 1 OR max(r.revision) <> count(*)
UNION ALL
SELECT 'held differs from open holds', a.id::text, a.held::text || ' against ' || coalesce(s.sum, 0)::text
  FROM account AS a LEFT JOIN (SELECT account_id, sum(amount) AS sum FROM hold WHERE status = 'open'
                                GROUP BY account_id) AS s ON s.account_id = a.id WHERE a.held <> coalesce(s.sum, 0)
UNION ALL
SELECT 'hold without account', h.id::text, 'account ' || h.account_id FROM hold AS h
 WHERE NOT EXISTS (SELECT FROM account AS a WHERE a.id = h.account_id)
UNION ALL
SELECT 'hold in another currency than its account', h.id::text, h.currency
  FROM hold AS h JOIN account AS a ON a.id = h.account_id WHERE h.currency <> a.currency
UNION ALL
SELECT 'hold finer than its currency', h.id::text, h.amount::text
  FROM hold AS h JOIN currencies AS c ON c.ledger_id = h.ledger_id AND c.code = h.currency
 WHERE min_scale(h.amount) > c.exponent
UNION ALL
SELECT 'settled hold and its entry do not name each other', coalesce(h.id, e.settles_id)::text,
       coalesce(h.entry_id, e.id)::text
  FROM (SELECT * FROM hold WHERE entry_id IS NOT NULL) AS h
  FULL JOIN (SELECT * FROM entry WHERE settles_id IS NOT NULL) AS e ON e.settles_id = h.id AND e.id = h.entry_id
 WHERE h.id IS NULL OR e.id IS NULL
UNION ALL
SELECT 'settled amount differs from postings', h.id::text, h.settled_amount::text
  FROM hold AS h WHERE h.status = 'settled' AND h.settled_amount IS DISTINCT FROM (
       SELECT -sum(p.amount) FROM line AS p WHERE p.entry_id = h.entry_id AND p.account_id = h.account_id)
UNION ALL
SELECT 'statement line of an entry that is not there', l.id::text, l.entry_id::text FROM statement_lines AS l
 WHERE l.ledger_id = $1 AND NOT EXISTS (SELECT FROM entry AS e WHERE e.id = l.entry_id) AND l.entry_id IS NOT NULL
UNION ALL
SELECT 'entry left unsettled', u.entry_id::text, NULL FROM unsettled AS u WHERE u.ledger_id = $1
"""

# The rules themselves: triggers, what their functions do, constraints and unique indexes.
_GUARDS = """
UNION ALL
SELECT 'guard switched off', coalesce(k.conname, t.tgname)::text, c.relname::text
  FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
  LEFT JOIN pg_constraint AS k ON k.oid = t.tgconstraint
 WHERE n.nspname = current_schema() AND t.tgenabled NOT IN ('O', 'A') AND c.relname = ANY ('{tables}')
UNION ALL
SELECT 'table with rows that no guard sees', i.inhrelid::regclass::text, c.relname::text
  FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhparent JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE n.nspname = current_schema() AND c.relname = ANY ('{tables}') AND c.relkind = 'r'
UNION ALL
SELECT 'guard missing', x.guard, x.place FROM unnest('{triggers}'::text[], '{places}'::text[]) AS x(guard, place)
 WHERE NOT EXISTS (SELECT FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
                     JOIN pg_namespace AS n ON n.oid = c.relnamespace
                    WHERE n.nspname = current_schema() AND c.relname = x.place AND t.tgname = x.guard)
UNION ALL
SELECT 'guard changed', x.name, NULL FROM unnest('{functions}'::text[], '{digests}'::text[]) AS x(name, digest)
 WHERE NOT EXISTS (SELECT FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
                    WHERE n.nspname = current_schema() AND p.proname = x.name
                      AND encode(sha256(convert_to(p.prosrc, 'UTF8')), 'hex') = x.digest)
UNION ALL
SELECT 'rule missing', x.name, NULL FROM unnest('{constraints}'::text[]) AS x(name)
 WHERE NOT EXISTS (SELECT FROM pg_constraint AS k JOIN pg_namespace AS n ON n.oid = k.connamespace
                    WHERE n.nspname = current_schema() AND k.conname = x.name AND k.convalidated)
UNION ALL
SELECT 'rule missing', x.name, NULL FROM unnest('{indexes}'::text[]) AS x(name)
 WHERE NOT EXISTS (SELECT FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
                     JOIN pg_namespace AS n ON n.oid = c.relnamespace
                    WHERE n.nspname = current_schema() AND c.relname = x.name AND i.indisunique AND i.indisvalid)
LIMIT 1000
"""
COUNTS = """
SELECT (SELECT count(*) FROM accounts WHERE ledger_id = $1) AS accounts,
       (SELECT count(*) FROM journal_entries WHERE ledger_id = $1) AS entries,
       (SELECT count(*) FROM postings WHERE ledger_id = $1) AS postings
"""


@dataclass(frozen=True, slots=True)
class Problem:
    """A contradiction in the books: the broken rule, the id of what breaks it, and what was found."""

    rule: str
    subject: str
    found: str | None

    def __str__(self) -> str:
        return f"{self.rule}: {self.subject}" + (f" ({self.found})" if self.found else "")


@dataclass(frozen=True, slots=True)
class Verification:
    """What was checked, and the first thousand contradictions that were found."""

    accounts: int
    entries: int
    postings: int
    problems: tuple[Problem, ...]

    @property
    def is_clean(self) -> bool:
        """Whether the books agree with themselves."""
        return not self.problems


def __getattr__(name: str) -> str:
    # Made when it is first asked for: it reads the source of the guards, which an import should not wait for.
    if name == "SQL":
        globals()["SQL"] = sql = _BOOKS + _guards()
        return sql
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _guards() -> str:
    tables = Base.metadata.tables.values()
    digests = guards.digests()
    return _GUARDS.format(
        tables=_array(table.name for table in tables),
        triggers=_array(trigger.name for trigger in guards.TRIGGERS),
        places=_array(trigger.table for trigger in guards.TRIGGERS),
        functions=_array(digests),
        digests=_array(digests.values()),
        constraints=_array(sorted(str(constraint.name) for table in tables for constraint in table.constraints)),
        indexes=_array(sorted(str(index.name) for table in tables for index in table.indexes if index.unique)),
    )


def _array(names: Iterable[str]) -> str:
    return "{" + ",".join(names) + "}"
