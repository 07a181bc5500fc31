"""Rebuild what is derived from the postings, and find entries by the instant that recorded them.

Phase: before-code

Revision ID: 0003
Revises: 0002
Create Date: 2026-11-22
"""

# A revision is frozen: it imports nothing from `finance` and carries its own SQL.

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# One function a file, in the order of their names; and one trigger a line.
GUARDS = Path(__file__).with_name("0003_guards")


def upgrade() -> None:
    create_table()
    op.create_index(
        op.f("ix_journal_entries_recorded_at"),
        "journal_entries",
        ["recorded_at"],
        unique=False,
        postgresql_using="brin",
        postgresql_ops={"recorded_at": "timestamptz_minmax_multi_ops"},
        postgresql_with={"autosummarize": "on", "pages_per_range": "32"},
    )
    # The guards pin this path: nothing that a caller puts before it, temporary tables included, is found.
    op.execute("SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true)")
    for file in sorted(GUARDS.glob("[0-9]*.sql")):
        op.execute(file.read_text("utf-8"))
    op.execute("DROP TRIGGER monthly_totals_no_delete ON monthly_totals")
    for trigger in GUARDS.joinpath("triggers.sql").read_text("utf-8").splitlines():
        op.execute(trigger)


def downgrade() -> None:
    op.execute("DROP TRIGGER monthly_totals_guard_delete ON monthly_totals")
    op.execute(
        "CREATE TRIGGER monthly_totals_no_delete BEFORE DELETE ON monthly_totals"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('ck_monthly_totals_derived')"
    )
    op.drop_table("rebuilds")
    op.execute("DROP FUNCTION rebuild_account()")
    op.drop_index(op.f("ix_journal_entries_recorded_at"), table_name="journal_entries")


def create_table() -> None:
    op.create_table(
        "rebuilds",
        sa.Column("ledger_id", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "rebuilt_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("rebuilt_by", sa.Text(), server_default=sa.text("CURRENT_USER"), nullable=False),
        sa.Column("balance_before", sa.Numeric(), server_default=sa.text("0"), nullable=False),
        sa.Column("balance_after", sa.Numeric(), server_default=sa.text("0"), nullable=False),
        sa.Column("held_before", sa.Numeric(), server_default=sa.text("0"), nullable=False),
        sa.Column("held_after", sa.Numeric(), server_default=sa.text("0"), nullable=False),
        sa.Column("months", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("ledger_id", "account_id", "rebuilt_at", name=op.f("pk_rebuilds")),
    )
