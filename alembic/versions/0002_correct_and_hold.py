"""Let entries be amended and described anew, and value be held before it is posted.

Phase: before-code

It takes ACCESS EXCLUSIVE locks on journal_entries, postings and accounts, and reads journal_entries three times and
accounts once while it has them: about a second for each million entries.

Revision ID: 0002
Revises: 0001
Create Date: 2026-11-22
"""

# A revision is frozen: it imports nothing from `finance` and carries its own SQL.

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# One function a file, in the order of their names; and one trigger a line.
GUARDS = Path(__file__).with_name("0002_guards")
GUARDS_BEFORE = Path(__file__).with_name("0001_guards")

# Functions of 0001 that this revision replaces, by their files there.
REPLACED = ("05_apply_postings", "08_settle_entry", "10_guard_new_account", "11_guard_removal")

FUNCTIONS = (
    "close_holds()",
    "expire_holds(bigint, bigint[], timestamptz)",
    "move_held(bigint, bigint[], numeric[])",
    "place_holds()",
    "revise_entries()",
    "settle_holds(bigint, uuid[], uuid[], bigint[])",
    "stamp_closing()",
)

NO_UPDATE = (
    "CREATE TRIGGER journal_entries_no_update BEFORE UPDATE ON journal_entries"
    " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('ck_journal_entries_sealed')"
)


def upgrade() -> None:
    lock()
    add_links()
    add_held()
    create_tables()
    pin_search_path()
    for file in sorted(GUARDS.glob("[0-9]*.sql")):
        op.execute(file.read_text("utf-8"))
    op.execute("DROP TRIGGER journal_entries_no_update ON journal_entries")
    for trigger in GUARDS.joinpath("triggers.sql").read_text("utf-8").splitlines():
        op.execute(trigger)


def downgrade() -> None:
    lock()
    op.drop_table("holds")
    op.drop_table("entry_revisions")
    op.execute("DROP TRIGGER journal_entries_revise ON journal_entries")
    op.execute("DROP TRIGGER accounts_guard_held ON accounts")
    op.execute(NO_UPDATE)
    pin_search_path()
    for name in REPLACED:
        sql = GUARDS_BEFORE.joinpath(f"{name}.sql").read_text("utf-8")
        op.execute(sql.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1))
    for function in FUNCTIONS:
        op.execute(f"DROP FUNCTION {function}")
    # What depends on a column goes with it.
    op.drop_column("journal_entries", "settles_id")
    op.drop_column("journal_entries", "amends_id")
    op.drop_column("accounts", "held")
    op.create_check_constraint(op.f("ck_accounts_minimum_balance"), "accounts", "balance >= minimum_balance")


def lock() -> None:
    """Take the locks in the order of a poster, so that neither waits for the other in a circle."""
    op.execute("LOCK TABLE journal_entries, postings, accounts IN ACCESS EXCLUSIVE MODE")


def pin_search_path() -> None:
    """Have the guards pin this path: nothing that a caller puts before it, temporary tables included, is found."""
    op.execute("SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true)")


def add_links() -> None:
    op.add_column("journal_entries", sa.Column("amends_id", sa.Uuid(), nullable=True))
    op.add_column("journal_entries", sa.Column("settles_id", sa.Uuid(), nullable=True))
    for column in ("amends_id", "settles_id"):
        op.create_index(
            f"uq_journal_entries_ledger_id_{column}",
            "journal_entries",
            ["ledger_id", column],
            unique=True,
            postgresql_where=sa.text(f"{column} IS NOT NULL"),
        )
    op.create_foreign_key(
        op.f("fk_journal_entries_ledger_id_amends_id_journal_entries"),
        "journal_entries",
        "journal_entries",
        ["ledger_id", "amends_id"],
        ["ledger_id", "id"],
    )
    # In one statement, which reads the table once.
    op.execute(
        "ALTER TABLE journal_entries"
        " ADD CONSTRAINT ck_journal_entries_amendment_normal"
        " CHECK (amends_id IS NULL OR (kind = 'normal' AND amends_id <> id)),"
        " ADD CONSTRAINT ck_journal_entries_settlement_normal CHECK (settles_id IS NULL OR kind = 'normal')"
    )


def add_held() -> None:
    op.execute(
        "ALTER TABLE accounts"
        " ADD COLUMN held numeric DEFAULT 0 NOT NULL,"
        " ADD CONSTRAINT ck_accounts_held_finite CHECK (held >= 0 AND held < 1e30),"
        " ADD CONSTRAINT ck_accounts_closed_without_holds CHECK (closed_on IS NULL OR held = 0),"
        " DROP CONSTRAINT ck_accounts_minimum_balance,"
        " ADD CONSTRAINT ck_accounts_minimum_balance CHECK (balance - held >= minimum_balance)"
    )


def create_tables() -> None:
    op.create_table(
        "entry_revisions",
        sa.Column("ledger_id", sa.BigInteger(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("metadata", postgresql.JSONB(), nullable=False),
        sa.Column(
            "replaced_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("replaced_by", sa.Text(), server_default=sa.text("CURRENT_USER"), nullable=False),
        sa.CheckConstraint("revision > 0", name=op.f("ck_entry_revisions_revision_positive")),
        sa.ForeignKeyConstraint(
            ["ledger_id", "entry_id"],
            ["journal_entries.ledger_id", "journal_entries.id"],
            name=op.f("fk_entry_revisions_ledger_id_entry_id_journal_entries"),
        ),
        sa.PrimaryKeyConstraint("ledger_id", "entry_id", "revision", name=op.f("pk_entry_revisions")),
    )
    op.create_table(
        "holds",
        sa.Column("ledger_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.Numeric(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status", sa.Text(), server_default=sa.text("'open'"), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=True),
        sa.Column("settled_amount", sa.Numeric(), nullable=True),
        sa.Column("placed_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("placed_by", sa.Text(), server_default=sa.text("CURRENT_USER"), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("amount > 0", name=op.f("ck_holds_amount_positive")),
        sa.CheckConstraint("amount < 1e24", name=op.f("ck_holds_amount_finite")),
        sa.CheckConstraint("isfinite(expires_at)", name=op.f("ck_holds_expires_at_finite")),
        sa.CheckConstraint("status IN ('open', 'settled', 'released', 'expired')", name=op.f("ck_holds_status_known")),
        sa.CheckConstraint("(status = 'open') = (closed_at IS NULL)", name=op.f("ck_holds_closed_at_known")),
        sa.CheckConstraint("(status = 'settled') = (entry_id IS NOT NULL)", name=op.f("ck_holds_settled_names_entry")),
        sa.CheckConstraint(
            "settled_amount IS NULL OR (status = 'settled' AND settled_amount > 0 AND settled_amount <= amount)",
            name=op.f("ck_holds_settled_amount"),
        ),
        sa.PrimaryKeyConstraint("ledger_id", "id", name=op.f("pk_holds")),
    )
    for columns in (["ledger_id", "account_id", "expires_at"], ["ledger_id", "expires_at"]):
        op.create_index(
            op.f(f"ix_holds_{'_'.join(columns)}"), "holds", columns, postgresql_where=sa.text("status = 'open'")
        )
