"""The roles of a cluster that works with the books: who may do what, and who sees which ledger.

Roles belong to the cluster and not to a database, so that no revision makes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from finance.connection import LEDGER_SETTING, Verbs
from finance.errors import InvalidError, SchemaMissingError
from finance.migrations import REVISION, VERSION_TABLE
from finance.settings import quote_identifier

_LONGEST_PREFIX = 50

# Plans are the application's own: no guard writes them.
_PLANNED = ("budgets", "schedules", "schedule_postings", "schedule_changes")
# What the application writes itself; everything else is written by the guards, whatever its rights.
_INSERTED = (
    "currencies",
    "accounts",
    "journal_entries",
    "postings",
    "holds",
    "prices",
    "imports",
    "payees",
    "tags",
    "entry_tags",
    "statements",
    "statement_lines",
    "assertions",
    "rules",
    "matches",
    "reconciliations",
    *_PLANNED,
)
_UPDATED = (
    "ledgers",
    "currencies",
    "accounts",
    "journal_entries",
    "holds",
    "prices",
    "imports",
    "statement_lines",
    "rules",
    "payees",
    "tags",
    *_PLANNED,
)
_DELETED = (
    "currencies",
    "accounts",
    "prices",
    "assertions",
    "rules",
    "matches",
    "reconciliations",
    "payees",
    "tags",
    "entry_tags",
    *_PLANNED,
)
# Who sees every ledger alone writes these: ledgers themselves, and what a guard writes with the owner's eyes.
_OF_ALL_LEDGERS = ("ledgers", "new_transfers")
# Who wrote a row, and when, and the number of it: the database alone says so.
_STAMPED = (
    "created_at",
    "imported_at",
    "imported_by",
    "undone_at",
    "undone_by",
    "matched_at",
    "matched_by",
    "placed_at",
    "placed_by",
    "reconciled_at",
    "reconciled_by",
    "recorded_at",
    "recorded_by",
    "recorded_xid",
)

_FIND = """
SELECT current_schema() AS schema, current_database() AS database,
       array(SELECT c.relname::text FROM pg_class AS c WHERE c.relnamespace = current_schema()::regnamespace
              AND c.relkind IN ('r', 'v') AND c.relname = ANY ($1) ORDER BY 1) AS tables,
       array(SELECT p.oid::regprocedure::text FROM pg_proc AS p
              WHERE p.pronamespace = current_schema()::regnamespace AND p.proname = ANY ($2) ORDER BY 1) AS functions,
       array(SELECT d.objid::regclass::text FROM pg_depend AS d JOIN pg_class AS c ON c.oid = d.refobjid
              WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'i'
                AND d.refobjsubid > 0 AND c.relnamespace = current_schema()::regnamespace
                AND c.relname = ANY ($1) ORDER BY 1) AS sequences
"""
_WRITTEN = """
SELECT c.relname::text AS table, string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) AS columns
  FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
 WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'v') AND c.relname = ANY ($1)
   AND a.attnum > 0 AND NOT a.attisdropped AND a.attidentity = '' AND a.attname <> ALL ($2)
 GROUP BY c.relname
"""


@dataclass(frozen=True, slots=True)
class RoleNames:
    """The roles, none of which can log in: grant them to the logins of your own.

    Attributes:
        owner: Owns tables and functions, and migrates. Its members can take the guards away.
        app: Reads and writes every ledger, within the rules of the books.
        tenant: As `app`, under row-level security: it sees the ledger of its transaction, and else nothing.
        reader: Reads every ledger.
    """

    owner: str
    app: str
    tenant: str
    reader: str

    @classmethod
    def of(cls, prefix: str) -> RoleNames:
        """Return the names that start with *prefix*.

        Raises:
            InvalidError: It is no start of a role's name.
        """
        if not isinstance(prefix, str) or not 1 <= len(prefix.encode()) <= _LONGEST_PREFIX or "\x00" in prefix:
            raise InvalidError(f"prefix {prefix!r}: give a name of 1 to {_LONGEST_PREFIX} bytes")
        if prefix.startswith("pg_"):
            raise InvalidError(f"prefix {prefix!r}: PostgreSQL keeps pg_ for itself")
        return cls(*(f"{prefix}_{what}" for what in ("owner", "app", "tenant", "reader")))


class Roles:
    """Makes the roles, and gives them their rights in this database."""

    def __init__(self, verbs: Verbs) -> None:
        self._verbs = verbs

    async def create(self, prefix: str = "finance") -> RoleNames:
        """Make the roles where they are missing, and set all their rights anew; it can be repeated.

        Do so again after each migration: a new table has no rights before. The tables and functions become the
        owner role's, and row-level security is switched on.

        Args:
            prefix: What the names of the roles start with. Databases of one cluster may share the roles.

        Raises:
            SchemaMissingError: The database has no finance schema.
            DatabaseError: The login may not: it takes a superuser, or the owner of the tables with CREATEROLE.

        Database:
            One transaction, with an ACCESS EXCLUSIVE lock on every table of the books for an instant.
        """
        names = RoleNames.of(prefix)
        statements = await self.statements(prefix)
        await self._verbs.execute("; ".join(["BEGIN", *statements, "COMMIT"]))
        return names

    async def statements(self, prefix: str = "finance") -> list[str]:
        """Return the SQL that `create()` runs, for whoever administers the roles by hand.

        Raises:
            SchemaMissingError: The database has no finance schema.
        """
        from finance.models import Base, guards  # noqa: PLC0415 - they take as long to import as all the rest

        names = RoleNames.of(prefix)
        tables = [table.name for table in Base.metadata.sorted_tables]
        found = await self._verbs.fetchrow(_FIND, [*tables, *guards.VIEWS, VERSION_TABLE], list(guards.FUNCTIONS))
        if found is None or VERSION_TABLE not in found["tables"]:
            raise SchemaMissingError(REVISION)
        written = await self._verbs.fetch(_WRITTEN, [*_OF_ALL_LEDGERS, *_INSERTED], list(_STAMPED))
        return [
            *_made(names),
            *_owned(names, found["schema"], found["tables"], found["functions"]),
            *_revoked(names, found["schema"], found["tables"], found["functions"], found["sequences"]),
            *_granted(names, found["schema"], found["tables"], {row["table"]: row["columns"] for row in written}),
            *_secured(names, [name for name in tables if name in found["tables"]]),
        ]


def _made(names: RoleNames) -> Iterator[str]:
    for name in (names.owner, names.app, names.tenant, names.reader):
        quoted = quote_identifier(name)
        yield (
            f"DO $roles$ BEGIN CREATE ROLE {quoted} NOLOGIN NOSUPERUSER NOBYPASSRLS;"
            " EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $roles$"
        )
    # Who gives something away must be a member of the new owner.
    yield (
        f"DO $roles$ BEGIN IF NOT pg_has_role({_literal(names.owner)}, 'MEMBER') THEN"
        f" GRANT {quote_identifier(names.owner)} TO CURRENT_USER; END IF; END $roles$"
    )


def _owned(names: RoleNames, schema: str, tables: list[str], functions: list[str]) -> Iterator[str]:
    owner, place = quote_identifier(names.owner), quote_identifier(schema)
    yield f"GRANT USAGE, CREATE ON SCHEMA {place} TO {owner}"
    for table in tables:
        yield f"ALTER TABLE {place}.{quote_identifier(table)} OWNER TO {owner}"
    for function in functions:
        yield f"ALTER FUNCTION {function} OWNER TO {owner}"


def _revoked(
    names: RoleNames, schema: str, tables: list[str], functions: list[str], sequences: list[str]
) -> Iterator[str]:
    place = quote_identifier(schema)
    everyone = ", ".join(["PUBLIC", *map(quote_identifier, (names.app, names.tenant, names.reader))])
    # The guards find what stands in their schema: a cluster that was once of version 14 lets all create there.
    yield f"REVOKE CREATE ON SCHEMA {place} FROM {everyone}"
    for table in tables:
        yield f"REVOKE ALL ON {place}.{quote_identifier(table)} FROM {everyone}"
    for function in functions:
        yield f"REVOKE ALL ON FUNCTION {function} FROM {everyone}"
    for sequence in sequences:
        yield f"REVOKE ALL ON SEQUENCE {sequence} FROM {everyone}"


def _granted(names: RoleNames, schema: str, tables: list[str], inserted: dict[str, str]) -> Iterator[str]:
    """Write the grants; *inserted* are the columns of each table that are written by whoever inserts a row."""
    place = quote_identifier(schema)
    everyone = ", ".join(map(quote_identifier, (names.app, names.tenant, names.reader)))
    writers = ", ".join(map(quote_identifier, (names.app, names.tenant)))
    yield f"GRANT USAGE ON SCHEMA {place} TO {everyone}"
    for table in tables:
        quoted = f"{place}.{quote_identifier(table)}"
        yield f"GRANT SELECT ON {quoted} TO {everyone}"
        if table in inserted:
            whom = quote_identifier(names.app) if table in _OF_ALL_LEDGERS else writers
            yield f"GRANT INSERT ({inserted[table]}) ON {quoted} TO {whom}"
        for verb, written in (("UPDATE", _UPDATED), ("DELETE", _DELETED)):
            if table in written:
                yield f"GRANT {verb} ON {quoted} TO {writers}"
    yield f"GRANT DELETE ON {place}.ledgers TO {quote_identifier(names.app)}"


def _secured(names: RoleNames, tables: list[str]) -> Iterator[str]:
    all_ledgers = ", ".join(map(quote_identifier, (names.app, names.reader)))
    for table in tables:
        quoted = quote_identifier(table)
        column = "id" if table == "ledgers" else "ledger_id"
        # After its transaction the setting is empty, not NULL.
        own = f"{column} = nullif(current_setting('{LEDGER_SETTING}', true), '')::bigint"
        yield f"ALTER TABLE {quoted} ENABLE ROW LEVEL SECURITY"
        for policy in ("finance_all_ledgers", "finance_own_ledger"):
            yield f"DROP POLICY IF EXISTS {policy} ON {quoted}"
        yield f"CREATE POLICY finance_all_ledgers ON {quoted} TO {all_ledgers} USING (true) WITH CHECK (true)"
        yield (
            f"CREATE POLICY finance_own_ledger ON {quoted} TO {quote_identifier(names.tenant)}"
            f" USING ({own}) WITH CHECK ({own})"
        )


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
