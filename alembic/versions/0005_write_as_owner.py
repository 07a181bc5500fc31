"""Have the guards write with the rights of the tables' owner, so that others need none on what is derived.

Phase: before-code

Revision ID: 0005
Revises: 0002
Create Date: 2026-11-22
"""

# A revision is frozen: it imports nothing from `finance` and carries its own SQL.

from pathlib import Path

from alembic import op

revision = "0005"
down_revision = "0002"
branch_labels = None
depends_on = None

# One function a file, in the order of their names.
GUARDS = Path(__file__).with_name("0005_guards")
RECORD_ADJUSTMENT_BEFORE = Path(__file__).parent.joinpath("0001_guards", "09_record_adjustment.sql")

WRITING = (
    "apply_postings",
    "balance_adjustment",
    "close_holds",
    "expire_holds",
    "guard_new_account",
    "guard_removal",
    "move_held",
    "place_holds",
    "queue_entries",
    "record_adjustment",
    "refuse_postings",
    "revise_entries",
    "settle_entry",
    "settle_holds",
)
OTHERS = ("close_period", "count_version", "new_entry_id", "refuse_change", "refuse_from_outside", "stamp_closing")


def upgrade() -> None:
    pin_search_path()
    for file in sorted(GUARDS.glob("[0-9]*.sql")):
        op.execute(file.read_text("utf-8"))
    for function in WRITING:
        op.execute(f"ALTER FUNCTION {function} SECURITY DEFINER")
    for function in (*WRITING, *OTHERS):
        op.execute(f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC")


def downgrade() -> None:
    pin_search_path()
    sql = RECORD_ADJUSTMENT_BEFORE.read_text("utf-8")
    op.execute(sql.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1))
    for function in WRITING:
        op.execute(f"ALTER FUNCTION {function} SECURITY INVOKER")
    for function in (*WRITING, *OTHERS):
        op.execute(f"GRANT EXECUTE ON FUNCTION {function} TO PUBLIC")


def pin_search_path() -> None:
    """Have the guards pin this path: nothing that a caller puts before it, temporary tables included, is found."""
    op.execute("SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true)")
