"""Keep prices of currencies in each other.

Phase: before-code

Revision ID: 0006
Revises: 0005
Create Date: 2026-11-23
"""

# A revision is frozen: it imports nothing from `finance` and carries its own SQL.

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "prices",
        sa.Column("ledger_id", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("quote", sa.Text(), nullable=False),
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("rate", sa.Numeric(), nullable=False),
        sa.Column("source", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column(
            "recorded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.CheckConstraint("currency <> quote", name=op.f("ck_prices_of_another")),
        sa.CheckConstraint("date BETWEEN '0001-01-01' AND '9999-12-31'", name=op.f("ck_prices_date_of_calendar")),
        sa.CheckConstraint("rate > 0 AND rate < 1e24", name=op.f("ck_prices_rate_positive")),
        sa.ForeignKeyConstraint(
            ["ledger_id", "currency"],
            ["currencies.ledger_id", "currencies.code"],
            name=op.f("fk_prices_ledger_id_currency_currencies"),
        ),
        sa.ForeignKeyConstraint(
            ["ledger_id", "quote"],
            ["currencies.ledger_id", "currencies.code"],
            name=op.f("fk_prices_ledger_id_quote_currencies"),
        ),
        sa.PrimaryKeyConstraint("ledger_id", "currency", "quote", "date", name=op.f("pk_prices")),
    )


def downgrade() -> None:
    op.drop_table("prices")
