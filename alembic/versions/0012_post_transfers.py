"""Post transfers: what nearly all entries are goes in as one row of arrays, and is proved once.

Phase: before-code

Revision ID: 0012
Revises: 0011
Create Date: 2026-11-30
"""

# A revision is frozen: it imports nothing from `finance` and carries its own SQL.

from pathlib import Path

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

# One view or function a file, in the order of their names.
GUARDS = Path(__file__).with_name("0012_guards")
#: What they replace.
BEFORE = Path(__file__).parent.joinpath("0004_guards", "01_apply_postings.sql")
# The triggers that are made anew, and what each hands over.
ON_INSERT = (
    ("postings_apply", "postings", "new_postings", "apply_postings()"),
    ("journal_entries_queue", "journal_entries", "new_entries", "queue_entries()"),
)
# In the order of a poster, so that neither waits for the other in a circle.
LOCK = "LOCK TABLE journal_entries, postings IN ACCESS EXCLUSIVE MODE"


def upgrade() -> None:
    op.execute(LOCK)
    pin_search_path()
    for file in sorted(GUARDS.glob("[0-9]*.sql")):
        op.execute(file.read_text("utf-8"))
    op.execute("ALTER VIEW new_transfers ALTER COLUMN recorded_by SET DEFAULT CURRENT_USER")
    op.execute("REVOKE EXECUTE ON FUNCTION move_balances, post_transfer, post_transfers FROM PUBLIC")
    look_at_entries(
        " WHEN (pg_trigger_depth() = 0 OR NOT has_table_privilege('accounts'::regclass, 'TRIGGER')"
        " OR current_setting('finance.applying', true) IS DISTINCT FROM 'transfers ' || pg_trigger_depth()::text)"
    )
    op.execute(
        "CREATE TRIGGER new_transfers_post INSTEAD OF INSERT ON new_transfers"
        " FOR EACH ROW EXECUTE FUNCTION post_transfers()"
    )


def downgrade() -> None:
    pin_search_path()
    op.execute("DROP VIEW new_transfers")
    op.execute(LOCK)
    look_at_entries("")
    sql = BEFORE.read_text("utf-8")
    op.execute(sql.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1))
    op.execute("ALTER FUNCTION apply_postings SECURITY DEFINER")  # as 0005 had made it
    for function in ("post_transfers", "post_transfer", "move_balances"):
        op.execute(f"DROP FUNCTION {function}")


def look_at_entries(when: str) -> None:
    """Make the triggers anew that see new entries and postings."""
    for trigger, table, rows, function in ON_INSERT:
        op.execute(f"DROP TRIGGER {trigger} ON {table}")
        op.execute(
            f"CREATE TRIGGER {trigger} AFTER INSERT ON {table} REFERENCING NEW TABLE AS {rows}"
            f" FOR EACH STATEMENT{when} EXECUTE FUNCTION {function}"
        )


def pin_search_path() -> None:
    """Have the guards pin this path: nothing that a caller puts before it, temporary tables included, is found."""
    op.execute("SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true)")
