"""Read registers from the index: it holds the lines too, and one beside it the few that have a memo.

The indexes are made and dropped beside readers and posters, so outside of a transaction. What a run that failed left
of them is made anew by the next.

Phase: before-code

Revision ID: 0013
Revises: 0012
Create Date: 2026-12-01
"""

# A revision is frozen: it imports nothing from `finance` and carries its own SQL.

from alembic import op
from sqlalchemy import text

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

PLACE = "ledger_id, account_id, date, entry_id"
WITHOUT_LINES = ("ix_postings_ledger_id_account_id_date_entry_id", f"({PLACE}) INCLUDE (amount)")
WITH_LINES = ("ix_postings_ledger_id_account_id_date_entry_id_line", f"({PLACE}, line) INCLUDE (amount)")
WITH_MEMO = ("ix_postings_memo", f"({PLACE}, line) WHERE memo IS NOT NULL")


def upgrade() -> None:
    replace([WITHOUT_LINES], [WITH_LINES, WITH_MEMO])


def downgrade() -> None:
    replace([WITH_LINES, WITH_MEMO], [WITHOUT_LINES])


def replace(old: list[tuple[str, str]], new: list[tuple[str, str]]) -> None:
    """Make the *new* indexes of postings, then drop the *old* ones: each is there before what it replaces goes."""
    context = op.get_context()
    if context.as_sql:  # a script is run as a whole, and may be run in one transaction
        op.execute("SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true)")
        change(old, new, "", "")
        return
    schema = op.get_bind().scalar(text("SELECT quote_ident(current_schema())"))
    with context.autocommit_block():
        change(old, new, "CONCURRENTLY", f"{schema}.")


def change(old: list[tuple[str, str]], new: list[tuple[str, str]], beside: str, here: str) -> None:
    """Look for what is dropped *here* alone: along the search path, other books may have indexes of the same names."""
    for name, what in new:
        op.execute(f"DROP INDEX {beside} IF EXISTS {here}{name}")
        op.execute(f"CREATE INDEX {beside} {name} ON postings {what}")
    for name, _ in old:
        op.execute(f"DROP INDEX {beside} IF EXISTS {here}{name}")
