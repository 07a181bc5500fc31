"""Sort entries by payees and tags, and let entries be redacted and ledgers be erased.

Phase: before-code

It reads journal_entries once for an index, under a lock that stops posters and readers. A downgrade forgets what was
redacted: verification tells such entries from tampered ones no more.

Revision ID: 0007
Revises: 0006
Create Date: 2026-11-23
"""

# A revision is frozen: it imports nothing from `finance` and carries its own SQL.

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# One function a file, in the order of their names; and one trigger a line.
GUARDS = Path(__file__).with_name("0007_guards")
#: What they replace, which 0005 made SECURITY DEFINER.
BEFORE = tuple(
    Path(__file__).parent.joinpath("0002_guards", name)
    for name in ("04_revise_entries.sql", "07_guard_removal.sql", "10_close_holds.sql")
)
NEW = (
    "begin_erasure",
    "erase_ledger",
    "guard_label",
    "guard_merge",
    "guard_redaction",
    "hash_redacted",
    "ledger_tables",
    "redact_entries",
    "refuse_removal",
    "stamp_redaction",
)
#: What refused these outright is replaced by what lets a redaction or an erasure pass.
REFUSED = (
    *((table, "UPDATE") for table in ("postings", "entry_revisions", "statements")),
    *(
        (table, "DELETE")
        for table in (
            "journal_entries", "postings", "statements", "statement_lines", "holds", "rebuilds", "entry_revisions",
        )
    ),
)  # fmt: skip

# In the order of a poster, so that neither waits for the other in a circle.
LOCK = (
    "LOCK TABLE journal_entries, postings, accounts, holds, entry_revisions, statements, statement_lines, rebuilds"
    " IN ACCESS EXCLUSIVE MODE"
)


def upgrade() -> None:
    op.execute(LOCK)
    create_tables()
    create_records()
    add_payee()
    pin_search_path()
    for file in sorted(GUARDS.glob("[0-9]*.sql")):
        op.execute(file.read_text("utf-8"))
    for function in NEW:
        op.execute(f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC")
    for table, verb in REFUSED:
        op.execute(f"DROP TRIGGER {table}_no_{verb.lower()} ON {table}")
    for trigger in GUARDS.joinpath("triggers.sql").read_text("utf-8").splitlines():
        op.execute(trigger)


def downgrade() -> None:
    op.execute(LOCK)
    pin_search_path()
    op.execute("DROP TRIGGER journal_entries_guard_payee ON journal_entries")
    for table, verb in REFUSED:
        rule = "derived" if table == "entry_revisions" else "sealed"
        for name in ("no", "guard"):
            op.execute(f"DROP TRIGGER {table}_{name}_{verb.lower()} ON {table}")
        op.execute(
            f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} FOR EACH STATEMENT"
            f" EXECUTE FUNCTION refuse_change('ck_{table}_{rule}')"
        )
    for table in ("redacted_entries", "redactions", "erasures"):
        op.drop_table(table)
    op.drop_table("entry_tags")
    # What depends on a column goes with it.
    op.drop_column("entry_revisions", "payee_id")
    op.drop_column("journal_entries", "payee_id")
    op.drop_table("tags")
    op.drop_table("payees")
    for file in BEFORE:
        sql = file.read_text("utf-8").replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1)
        op.execute(sql.replace("SET search_path", "SECURITY DEFINER SET search_path", 1))
    for function in NEW:
        op.execute(f"DROP FUNCTION {function}()")


def create_tables() -> None:
    for table in ("payees", "tags"):
        create_labels(table)
    op.create_table(
        "entry_tags",
        sa.Column("ledger_id", sa.BigInteger(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("tag_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["ledger_id", "entry_id"],
            ["journal_entries.ledger_id", "journal_entries.id"],
            name=op.f("fk_entry_tags_ledger_id_entry_id_journal_entries"),
        ),
        sa.ForeignKeyConstraint(
            ["ledger_id", "tag_id"], ["tags.ledger_id", "tags.id"], name=op.f("fk_entry_tags_ledger_id_tag_id_tags")
        ),
        sa.PrimaryKeyConstraint("ledger_id", "entry_id", "tag_id", name=op.f("pk_entry_tags")),
    )
    op.create_index(op.f("ix_entry_tags_ledger_id_tag_id_entry_id"), "entry_tags", ["ledger_id", "tag_id", "entry_id"])


def create_labels(table: str) -> None:
    op.create_table(
        table,
        sa.Column("ledger_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), sa.Computed("lower(name)", persisted=True), nullable=False),
        sa.Column("merged_into_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.CheckConstraint("merged_into_id <> id", name=op.f(f"ck_{table}_merged_into_another")),
        sa.CheckConstraint(
            "name = btrim(name) AND char_length(name) BETWEEN 1 AND 500", name=op.f(f"ck_{table}_name_plain")
        ),
        sa.ForeignKeyConstraint(["ledger_id"], ["ledgers.id"], name=op.f(f"fk_{table}_ledger_id_ledgers")),
        sa.ForeignKeyConstraint(
            ["ledger_id", "merged_into_id"],
            [f"{table}.ledger_id", f"{table}.id"],
            name=op.f(f"fk_{table}_ledger_id_merged_into_id_{table}"),
        ),
        sa.PrimaryKeyConstraint("ledger_id", "id", name=op.f(f"pk_{table}")),
        sa.UniqueConstraint("ledger_id", "key", name=op.f(f"uq_{table}_ledger_id_key")),
    )
    op.create_index(
        op.f(f"ix_{table}_ledger_id_merged_into_id"),
        table,
        ["ledger_id", "merged_into_id"],
        postgresql_where=sa.text("merged_into_id IS NOT NULL"),
    )


def create_records() -> None:
    op.create_table(
        "erasures",
        sa.Column("ledger_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("erased_by", sa.Text(), server_default=sa.text("CURRENT_USER"), nullable=False),
        sa.Column("erased_xid", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("counts", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.PrimaryKeyConstraint("ledger_id", name=op.f("pk_erasures")),
    )
    op.create_table(
        "redactions",
        sa.Column("ledger_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("through", sa.Date(), nullable=True),
        sa.Column(
            "redacted_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("redacted_by", sa.Text(), server_default=sa.text("CURRENT_USER"), nullable=False),
        sa.Column("redacted_xid", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("isfinite(through)", name=op.f("ck_redactions_through_finite")),
        sa.ForeignKeyConstraint(["ledger_id"], ["ledgers.id"], name=op.f("fk_redactions_ledger_id_ledgers")),
        sa.PrimaryKeyConstraint("ledger_id", "id", name=op.f("pk_redactions")),
    )
    op.create_table(
        "redacted_entries",
        sa.Column("ledger_id", sa.BigInteger(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("redaction_id", sa.BigInteger(), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(), server_default=sa.text("''"), nullable=False),
        sa.ForeignKeyConstraint(
            ["ledger_id", "entry_id"],
            ["journal_entries.ledger_id", "journal_entries.id"],
            name=op.f("fk_redacted_entries_ledger_id_entry_id_journal_entries"),
        ),
        sa.ForeignKeyConstraint(
            ["ledger_id", "redaction_id"],
            ["redactions.ledger_id", "redactions.id"],
            name=op.f("fk_redacted_entries_ledger_id_redaction_id_redactions"),
        ),
        sa.PrimaryKeyConstraint("ledger_id", "entry_id", "redaction_id", name=op.f("pk_redacted_entries")),
    )


def add_payee() -> None:
    for table in ("journal_entries", "entry_revisions"):
        op.add_column(table, sa.Column("payee_id", sa.BigInteger(), nullable=True))
    op.create_index(
        op.f("ix_journal_entries_ledger_id_payee_id"),
        "journal_entries",
        ["ledger_id", "payee_id"],
        postgresql_where=sa.text("payee_id IS NOT NULL"),
    )
    op.create_foreign_key(
        op.f("fk_entry_revisions_ledger_id_payee_id_payees"),
        "entry_revisions",
        "payees",
        ["ledger_id", "payee_id"],
        ["ledger_id", "id"],
    )


def pin_search_path() -> None:
    """Have the guards pin this path: nothing that a caller puts before it, temporary tables included, is found."""
    op.execute("SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true)")
