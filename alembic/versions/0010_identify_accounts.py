"""Identify accounts: by IBAN, or by institution and number, each once in a ledger.

An upgrade is refused while two accounts of a ledger have the same in their metadata.

Phase: before-code

Revision ID: 0010
Revises: 0009
Create Date: 2026-11-23
"""

# A revision is frozen: it imports nothing from `finance` and carries its own SQL.

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    iban = "upper(replace(metadata ->> 'iban', ' ', ''))"
    create_unique("uq_accounts_iban", [iban], "(metadata ->> 'iban') IS NOT NULL")
    create_unique(
        "uq_accounts_institution_number",
        ["(metadata ->> 'institution')", "(metadata ->> 'number')"],
        "(metadata ->> 'institution') IS NOT NULL AND (metadata ->> 'number') IS NOT NULL",
    )


def downgrade() -> None:
    for name in ("uq_accounts_institution_number", "uq_accounts_iban"):
        op.drop_index(name, table_name="accounts")


def create_unique(name: str, expressions: list[str], where: str) -> None:
    columns = [sa.column("ledger_id"), *map(sa.text, expressions)]
    op.create_index(name, "accounts", columns, unique=True, postgresql_where=sa.text(where))
