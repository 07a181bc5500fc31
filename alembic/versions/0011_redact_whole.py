"""Redact what stands beside the entries: lines that became none, names of files, open holds, notes of assertions.

Phase: before-code

Revision ID: 0011
Revises: 0010
Create Date: 2026-11-30
"""

# A revision is frozen: it imports nothing from `finance` and carries its own SQL.

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# One function a file, in the order of their names; and one trigger a line.
GUARDS = Path(__file__).with_name("0011_guards")
#: What they replace.
BEFORE = tuple(
    Path(__file__).parent.joinpath(folder, file)
    for folder, file in (
        ("0008_guards", "01_guard_undone_line.sql"),
        ("0008_guards", "02_guard_undone_import.sql"),
        ("0007_guards", "03_close_holds.sql"),
        ("0008_guards", "06_redact_entries.sql"),
        ("0007_guards", "13_guard_redaction.sql"),
    )
)
REFUSED = "CREATE TRIGGER assertions_no_update BEFORE UPDATE ON assertions FOR EACH STATEMENT EXECUTE FUNCTION"


def upgrade() -> None:
    op.create_table(
        "redacted_rows",
        sa.Column("ledger_id", sa.BigInteger(), nullable=False),
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("row_id", sa.Text(), nullable=False),
        sa.Column("redaction_id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "table_name IN ('statement_lines', 'statements', 'imports', 'holds', 'assertions')",
            name=op.f("ck_redacted_rows_table_name_known"),
        ),
        sa.ForeignKeyConstraint(
            ["ledger_id", "redaction_id"],
            ["redactions.ledger_id", "redactions.id"],
            name=op.f("fk_redacted_rows_ledger_id_redaction_id_redactions"),
        ),
        sa.PrimaryKeyConstraint("ledger_id", "table_name", "row_id", "redaction_id", name=op.f("pk_redacted_rows")),
    )
    pin_search_path()
    for file in sorted(GUARDS.glob("[0-9]*.sql")):
        op.execute(file.read_text("utf-8"))
    op.execute("REVOKE EXECUTE ON FUNCTION redact_rows FROM PUBLIC")
    op.execute("DROP TRIGGER assertions_no_update ON assertions")
    for trigger in GUARDS.joinpath("triggers.sql").read_text("utf-8").splitlines():
        op.execute(trigger)


def downgrade() -> None:
    pin_search_path()
    for file in BEFORE:
        op.execute(file.read_text("utf-8").replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1))
    for trigger in ("assertions_no_update", "assertions_guard_update"):
        op.execute(f"DROP TRIGGER {trigger} ON assertions")
    op.execute(f"{REFUSED} refuse_change('ck_assertions_sealed')")
    op.drop_table("redacted_rows")
    op.execute("DROP FUNCTION redact_rows()")


def pin_search_path() -> None:
    """Have the guards pin this path: nothing that a caller puts before it, temporary tables included, is found."""
    op.execute("SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true)")
