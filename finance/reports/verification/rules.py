"""The rules themselves: triggers, what their functions do, constraints and unique indexes are all there."""

from __future__ import annotations

import functools
from collections.abc import Iterable

from finance.models import Base, guards

_RULES = """
SELECT 'guard switched off' AS rule, coalesce(k.conname, t.tgname)::text AS subject, c.relname::text AS found
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


# Made when it is first asked for: it reads the source of the guards, which an import should not wait for.
@functools.cache
def rules_sql() -> str:
    """Return the statement that finds every rule of the declared schema that the database lacks."""
    tables = Base.metadata.tables.values()
    digests = guards.digests()
    return _RULES.format(
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
