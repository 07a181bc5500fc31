"""Have the guards write with the rights of the tables' owner, so that others need none on what is derived.

Phase: before-code

Revision ID: 0005
Revises: 0004
Create Date: 2026-11-22
"""

# A revision is frozen: it imports nothing from `finance` and carries its own SQL.

from pathlib import Path

from alembic import op

revision = "0005"
down_revision = "0004"
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
    "rebuild_account",
    "record_adjustment",
    "refuse_postings",
    "revise_entries",
    "settle_entry",
    "settle_holds",
)
OTHERS = ("close_period", "count_version", "new_entry_id", "refuse_change", "refuse_from_outside", "stamp_closing")
NEW = ("refuse_posing",)
# The triggers that are made anew, and what each does; the rest of them is the same before and after.
ON_CHANGE = (
    ("accounts_record_adjustment", "balance", "record_adjustment()"),
    ("accounts_guard_held", "held", "refuse_change('ck_accounts_held_derived')"),
)
ADMITTING = (("journal_entries", "INSERT"), ("postings", "INSERT"), ("holds", "UPDATE"))


def upgrade() -> None:
    pin_search_path()
    for file in sorted(GUARDS.glob("[0-9]*.sql")):
        op.execute(file.read_text("utf-8"))
    for function in WRITING:
        op.execute(f"ALTER FUNCTION {function} SECURITY DEFINER")
    for function in (*WRITING, *OTHERS, *NEW):
        op.execute(f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC")
    record_changes(" OR NOT has_table_privilege('accounts'::regclass, 'TRIGGER')")
    for table, verb in ADMITTING:
        op.execute(
            f"CREATE TRIGGER {table}_admit AFTER {verb} ON {table} FOR EACH STATEMENT"
            f" WHEN (NOT has_table_privilege('{table}'::regclass, 'TRIGGER'))"
            f" EXECUTE FUNCTION refuse_posing('ck_{table}_not_posing')"
        )


def downgrade() -> None:
    pin_search_path()
    for table, _ in ADMITTING:
        op.execute(f"DROP TRIGGER {table}_admit ON {table}")
    record_changes("")
    op.execute("DROP FUNCTION refuse_posing()")
    sql = RECORD_ADJUSTMENT_BEFORE.read_text("utf-8")
    op.execute(sql.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1))
    for function in WRITING:
        op.execute(f"ALTER FUNCTION {function} SECURITY INVOKER")
    for function in (*WRITING, *OTHERS):
        op.execute(f"GRANT EXECUTE ON FUNCTION {function} TO PUBLIC")


def record_changes(or_whoever: str) -> None:
    """Make the triggers anew that see what nobody but a guard may do in silence."""
    for trigger, column, function in ON_CHANGE:
        op.execute(f"DROP TRIGGER {trigger} ON accounts")
        op.execute(
            f"CREATE TRIGGER {trigger} AFTER UPDATE ON accounts FOR EACH ROW"
            f" WHEN (OLD.{column} IS DISTINCT FROM NEW.{column} AND (pg_trigger_depth() = 0{or_whoever}"
            " OR current_setting('finance.applying', true) IS DISTINCT FROM 'books ' || pg_trigger_depth()::text))"
            f" EXECUTE FUNCTION {function}"
        )


def pin_search_path() -> None:
    """Have the guards pin this path: nothing that a caller puts before it, temporary tables included, is found."""
    op.execute("SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true)")
