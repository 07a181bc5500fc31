"""Sort entries by payees and tags.

Phase: before-code

It reads journal_entries once for an index, under a lock that stops posters and not readers.

Revision ID: 0007
Revises: 0006
Create Date: 2026-11-23
"""

# A revision is frozen: it imports nothing from `finance` and carries its own SQL.

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# One function a file, in the order of their names; and one trigger a line.
GUARDS = Path(__file__).with_name("0007_guards")
#: What they replace, which 0005 made SECURITY DEFINER.
BEFORE = tuple(
    Path(__file__).parent.joinpath("0002_guards", name) for name in ("04_revise_entries.sql", "07_guard_removal.sql")
)
NEW = ("guard_label", "guard_merge")


def upgrade() -> None:
    # In the order of a poster, so that neither waits for the other in a circle.
    op.execute("LOCK TABLE journal_entries, entry_revisions IN ACCESS EXCLUSIVE MODE")
    create_tables()
    add_payee()
    pin_search_path()
    for file in sorted(GUARDS.glob("[0-9]*.sql")):
        op.execute(file.read_text("utf-8"))
    for function in NEW:
        op.execute(f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC")
    for trigger in GUARDS.joinpath("triggers.sql").read_text("utf-8").splitlines():
        op.execute(trigger)


def downgrade() -> None:
    op.execute("LOCK TABLE journal_entries, entry_revisions IN ACCESS EXCLUSIVE MODE")
    pin_search_path()
    op.execute("DROP TRIGGER journal_entries_guard_payee ON journal_entries")
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
