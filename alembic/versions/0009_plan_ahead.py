"""Plan ahead: budgets of accounts, and schedules of entries that come again.

Phase: before-code

Revision ID: 0009
Revises: 0008
Create Date: 2026-11-23
"""

# A revision is frozen: it imports nothing from `finance` and carries its own SQL.

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# One function a file, in the order of their names; and one trigger a line.
GUARDS = Path(__file__).with_name("0009_guards")
NOW = sa.text("clock_timestamp()")


def upgrade() -> None:
    create_budgets()
    create_schedules()
    create_postings_of_schedules()
    create_changes_of_schedules()
    # The guards pin this path: nothing that a caller puts before it, temporary tables included, is found.
    op.execute("SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true)")
    for file in sorted(GUARDS.glob("[0-9]*.sql")):
        op.execute(file.read_text("utf-8"))
    op.execute("REVOKE EXECUTE ON FUNCTION guard_planned_amount FROM PUBLIC")
    for trigger in GUARDS.joinpath("triggers.sql").read_text("utf-8").splitlines():
        op.execute(trigger)


def downgrade() -> None:
    for table in ("schedule_changes", "schedule_postings", "schedules", "budgets"):
        op.drop_table(table)
    op.execute("DROP FUNCTION guard_planned_amount()")


def create_budgets() -> None:
    op.create_table(
        "budgets",
        sa.Column("ledger_id", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("amount", sa.Numeric(), nullable=True),
        sa.Column("period", sa.Text(), server_default=sa.text("'month'"), nullable=False),
        sa.Column("rollover", sa.Text(), server_default=sa.text("'none'"), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.CheckConstraint("amount >= 0 AND amount < 1e24", name=op.f("ck_budgets_amount_not_negative")),
        sa.CheckConstraint("period IN ('week', 'month', 'quarter', 'year')", name=op.f("ck_budgets_period_known")),
        sa.CheckConstraint(
            "rollover IN ('none', 'unused', 'overspent', 'all')", name=op.f("ck_budgets_rollover_known")
        ),
        sa.CheckConstraint(
            "starts_on BETWEEN '0001-01-01' AND '9999-12-31'", name=op.f("ck_budgets_starts_on_of_calendar")
        ),
        sa.ForeignKeyConstraint(
            ["ledger_id", "account_id"],
            ["accounts.ledger_id", "accounts.id"],
            name=op.f("fk_budgets_ledger_id_account_id_accounts"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("ledger_id", "account_id", "starts_on", name=op.f("pk_budgets")),
    )


def create_schedules() -> None:
    op.create_table(
        "schedules",
        sa.Column("ledger_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("weekends", sa.Text(), server_default=sa.text("'stay'"), nullable=False),
        sa.Column("paused_on", sa.Date(), nullable=True),
        sa.Column("posted_through", sa.Date(), nullable=True),
        sa.Column("metadata", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.CheckConstraint("char_length(rule) BETWEEN 6 AND 500", name=op.f("ck_schedules_rule_length")),
        sa.CheckConstraint(
            "starts_on BETWEEN '0001-01-01' AND '9999-12-31'", name=op.f("ck_schedules_starts_on_of_calendar")
        ),
        sa.CheckConstraint("ends_on BETWEEN starts_on AND '9999-12-31'", name=op.f("ck_schedules_ends_after_start")),
        sa.CheckConstraint("isfinite(paused_on)", name=op.f("ck_schedules_paused_on_finite")),
        sa.CheckConstraint("isfinite(posted_through)", name=op.f("ck_schedules_posted_through_finite")),
        sa.CheckConstraint("weekends IN ('stay', 'before', 'after')", name=op.f("ck_schedules_weekends_known")),
        sa.ForeignKeyConstraint(["ledger_id"], ["ledgers.id"], name=op.f("fk_schedules_ledger_id_ledgers")),
        sa.PrimaryKeyConstraint("ledger_id", "id", name=op.f("pk_schedules")),
    )


def create_postings_of_schedules() -> None:
    op.create_table(
        "schedule_postings",
        sa.Column("ledger_id", sa.BigInteger(), nullable=False),
        sa.Column("schedule_id", sa.Uuid(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.Numeric(), nullable=False),
        sa.Column("memo", sa.Text(), nullable=True),
        sa.CheckConstraint("amount <> 0", name=op.f("ck_schedule_postings_amount_nonzero")),
        sa.CheckConstraint("abs(amount) < 1e24", name=op.f("ck_schedule_postings_amount_finite")),
        sa.CheckConstraint("line > 0", name=op.f("ck_schedule_postings_line_positive")),
        sa.ForeignKeyConstraint(
            ["ledger_id", "schedule_id"],
            ["schedules.ledger_id", "schedules.id"],
            name=op.f("fk_schedule_postings_ledger_id_schedule_id_schedules"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["ledger_id", "account_id"],
            ["accounts.ledger_id", "accounts.id"],
            name=op.f("fk_schedule_postings_ledger_id_account_id_accounts"),
        ),
        sa.PrimaryKeyConstraint("ledger_id", "schedule_id", "line", name=op.f("pk_schedule_postings")),
    )


def create_changes_of_schedules() -> None:
    op.create_table(
        "schedule_changes",
        sa.Column("ledger_id", sa.BigInteger(), nullable=False),
        sa.Column("schedule_id", sa.Uuid(), nullable=False),
        sa.Column("occurs_on", sa.Date(), nullable=False),
        sa.Column("is_skipped", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("posts_on", sa.Date(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("amount", sa.Numeric(), nullable=True),
        sa.CheckConstraint("amount <> 0 AND abs(amount) < 1e24", name=op.f("ck_schedule_changes_amount_nonzero")),
        sa.CheckConstraint("isfinite(occurs_on) AND isfinite(posts_on)", name=op.f("ck_schedule_changes_days_finite")),
        sa.ForeignKeyConstraint(
            ["ledger_id", "schedule_id"],
            ["schedules.ledger_id", "schedules.id"],
            name=op.f("fk_schedule_changes_ledger_id_schedule_id_schedules"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("ledger_id", "schedule_id", "occurs_on", name=op.f("pk_schedule_changes")),
    )
