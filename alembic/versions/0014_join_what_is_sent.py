"""Join what is sent: of many transfers, hashes may come one behind another, and one currency for all.

Phase: before-code

Revision ID: 0014
Revises: 0013
Create Date: 2026-12-01
"""

# A revision is frozen: it imports nothing from `finance` and carries its own SQL.

from pathlib import Path

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

AFTER = Path(__file__).parent.joinpath("0014_guards", "01_post_transfers.sql")
BEFORE = Path(__file__).parent.joinpath("0012_guards", "05_post_transfers.sql")


def upgrade() -> None:
    pin_search_path()
    op.execute(AFTER.read_text("utf-8"))


def downgrade() -> None:
    pin_search_path()
    op.execute(BEFORE.read_text("utf-8").replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1))


def pin_search_path() -> None:
    """Have the guards pin this path: nothing that a caller puts before it, temporary tables included, is found."""
    op.execute("SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true)")
