"""Create the books: ledgers, accounts, journal, statements, and the guards that keep them balanced.

Phase: before-code

Revision ID: 0001
Revises:
Create Date: 2026-11-22
"""

# A revision is frozen: it imports nothing from `finance` and carries its own SQL.

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# One function a file, in the order of their names; and one trigger a line.
GUARDS = Path(__file__).with_name("0001_guards")

TABLES = (
    "ledgers",
    "currencies",
    "accounts",
    "journal_entries",
    "postings",
    "monthly_totals",
    "unsettled",
    "statements",
    "statement_lines",
)


def upgrade() -> None:
    create_tables()
    # The guards pin this path: nothing that a caller puts before it, temporary tables included, is found.
    op.execute("SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true)")
    for file in sorted(GUARDS.glob("[0-9]*.sql")):
        op.execute(file.read_text("utf-8"))
    for trigger in GUARDS.joinpath("triggers.sql").read_text("utf-8").splitlines():
        op.execute(trigger)


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
    for function in FUNCTIONS:
        op.execute(f"DROP FUNCTION {function}")


FUNCTIONS = (
    "apply_postings()",
    "balance_adjustment(bigint, uuid)",
    "close_period()",
    "count_version()",
    "guard_new_account()",
    "guard_removal()",
    "new_entry_id()",
    "queue_entries()",
    "record_adjustment()",
    "refuse_change()",
    "refuse_from_outside()",
    "refuse_postings(bigint, bigint[], text[], integer[])",
    "settle_entry()",
)


def create_tables() -> None:
    op.create_table(
        "ledgers",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("base_currency", sa.Text(), nullable=False),
        sa.Column("closed_through", sa.Date(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.CheckConstraint(
            "closed_through BETWEEN '0001-01-01' AND '9999-12-31'", name=op.f("ck_ledgers_closed_through_of_calendar")
        ),
        sa.CheckConstraint(
            "name = btrim(name) AND char_length(name) BETWEEN 1 AND 200", name=op.f("ck_ledgers_name_plain")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledgers")),
        sa.UniqueConstraint("name", name=op.f("uq_ledgers_name")),
    )
    op.create_table(
        "currencies",
        sa.Column("ledger_id", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("exponent", sa.SmallInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "code = btrim(code) AND char_length(code) BETWEEN 1 AND 64", name=op.f("ck_currencies_code_plain")
        ),
        sa.CheckConstraint("exponent BETWEEN 0 AND 18", name=op.f("ck_currencies_exponent_range")),
        sa.ForeignKeyConstraint(["ledger_id"], ["ledgers.id"], name=op.f("fk_currencies_ledger_id_ledgers")),
        sa.PrimaryKeyConstraint("ledger_id", "code", name=op.f("pk_currencies")),
    )
    op.create_table(
        "accounts",
        sa.Column("ledger_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("parent_id", sa.BigInteger(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=True),
        sa.Column("balance", sa.Numeric(), server_default=sa.text("0"), nullable=False),
        sa.Column("minimum_balance", sa.Numeric(), nullable=True),
        sa.Column("maximum_balance", sa.Numeric(), nullable=True),
        sa.Column("opened_on", sa.Date(), nullable=True),
        sa.Column("closed_on", sa.Date(), nullable=True),
        sa.Column("metadata", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.CheckConstraint("purpose IN ('adjustments')", name=op.f("ck_accounts_purpose_known")),
        sa.CheckConstraint(
            "type IN ('asset', 'liability', 'equity', 'income', 'expense')", name=op.f("ck_accounts_type_known")
        ),
        sa.CheckConstraint("abs(balance) < 1e30", name=op.f("ck_accounts_balance_finite")),
        sa.CheckConstraint("balance <= maximum_balance", name=op.f("ck_accounts_maximum_balance")),
        sa.CheckConstraint("balance >= minimum_balance", name=op.f("ck_accounts_minimum_balance")),
        sa.CheckConstraint("closed_on >= opened_on", name=op.f("ck_accounts_closed_after_opened")),
        sa.CheckConstraint(
            "name = btrim(name) AND char_length(name) BETWEEN 1 AND 500", name=op.f("ck_accounts_name_plain")
        ),
        sa.ForeignKeyConstraint(
            ["ledger_id", "currency"],
            ["currencies.ledger_id", "currencies.code"],
            name=op.f("fk_accounts_ledger_id_currency_currencies"),
        ),
        sa.ForeignKeyConstraint(
            ["ledger_id", "parent_id"],
            ["accounts.ledger_id", "accounts.id"],
            name=op.f("fk_accounts_ledger_id_parent_id_accounts"),
        ),
        sa.ForeignKeyConstraint(["ledger_id"], ["ledgers.id"], name=op.f("fk_accounts_ledger_id_ledgers")),
        sa.PrimaryKeyConstraint("ledger_id", "id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("id", name=op.f("uq_accounts_id")),
        sa.UniqueConstraint("ledger_id", "name", "currency", name=op.f("uq_accounts_ledger_id_name_currency")),
        postgresql_with={"fillfactor": "75"},
    )
    op.create_index(
        "uq_accounts_adjustments",
        "accounts",
        ["ledger_id", "currency"],
        unique=True,
        postgresql_where=sa.text("purpose = 'adjustments'"),
    )
    op.create_table(
        "journal_entries",
        sa.Column("ledger_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("description", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("kind", sa.Text(), server_default=sa.text("'normal'"), nullable=False),
        sa.Column("reverses_id", sa.Uuid(), nullable=True),
        sa.Column("content_hash", sa.LargeBinary(), nullable=True),
        sa.Column("metadata", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column(
            "recorded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("recorded_by", sa.Text(), server_default=sa.text("CURRENT_USER"), nullable=False),
        sa.Column(
            "recorded_xid",
            sa.BigInteger(),
            server_default=sa.text("(pg_current_xact_id()::text)::bigint"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "(kind = 'reversal') = (reverses_id IS NOT NULL)", name=op.f("ck_journal_entries_reversal_names_entry")
        ),
        sa.CheckConstraint(
            "date BETWEEN '0001-01-01' AND '9999-12-31'", name=op.f("ck_journal_entries_date_of_calendar")
        ),
        sa.CheckConstraint("kind IN ('normal', 'reversal', 'adjustment')", name=op.f("ck_journal_entries_kind_known")),
        sa.CheckConstraint("octet_length(content_hash) = 32", name=op.f("ck_journal_entries_content_hash_length")),
        sa.ForeignKeyConstraint(
            ["ledger_id", "reverses_id"],
            ["journal_entries.ledger_id", "journal_entries.id"],
            name=op.f("fk_journal_entries_ledger_id_reverses_id_journal_entries"),
        ),
        sa.PrimaryKeyConstraint("ledger_id", "id", name=op.f("pk_journal_entries")),
    )
    op.create_index(
        op.f("ix_journal_entries_ledger_id_date_id"), "journal_entries", ["ledger_id", "date", "id"], unique=False
    )
    op.create_index(
        "uq_journal_entries_ledger_id_reverses_id",
        "journal_entries",
        ["ledger_id", "reverses_id"],
        unique=True,
        postgresql_where=sa.text("reverses_id IS NOT NULL"),
    )
    op.create_table(
        "postings",
        sa.Column("ledger_id", sa.BigInteger(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount", sa.Numeric(), nullable=False),
        sa.Column("memo", sa.Text(), nullable=True),
        sa.CheckConstraint("abs(amount) < 1e24", name=op.f("ck_postings_amount_finite")),
        sa.CheckConstraint("amount <> 0", name=op.f("ck_postings_amount_nonzero")),
        sa.CheckConstraint("line > 0", name=op.f("ck_postings_line_positive")),
        sa.PrimaryKeyConstraint("ledger_id", "entry_id", "line", name=op.f("pk_postings")),
    )
    op.create_index(
        op.f("ix_postings_ledger_id_account_id_date_entry_id"),
        "postings",
        ["ledger_id", "account_id", "date", "entry_id"],
        unique=False,
        postgresql_include=["amount"],
    )
    op.create_table(
        "monthly_totals",
        sa.Column("ledger_id", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("debit", sa.Numeric(), nullable=False),
        sa.Column("credit", sa.Numeric(), nullable=False),
        sa.Column("postings", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("ledger_id", "account_id", "month", name=op.f("pk_monthly_totals")),
        postgresql_with={"fillfactor": "75"},
    )
    op.create_table(
        "unsettled",
        sa.Column("ledger_id", sa.BigInteger(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("adjustment", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("ledger_id", "entry_id", name=op.f("pk_unsettled")),
    )
    op.create_index(
        "ix_unsettled_adjustment", "unsettled", ["ledger_id"], unique=False, postgresql_where=sa.text("adjustment")
    )
    op.create_table(
        "statements",
        sa.Column("ledger_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("file_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("format_version", sa.Text(), nullable=True),
        sa.Column("bank", sa.Text(), nullable=True),
        sa.Column("bank_account", sa.Text(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=True),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("opening_balance", sa.Numeric(), nullable=True),
        sa.Column("closing_balance", sa.Numeric(), nullable=True),
        sa.Column("closing_on", sa.Date(), nullable=True),
        sa.Column(
            "imported_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.CheckConstraint("octet_length(file_sha256) = 32", name=op.f("ck_statements_file_sha256_length")),
        sa.ForeignKeyConstraint(
            ["ledger_id", "account_id"],
            ["accounts.ledger_id", "accounts.id"],
            name=op.f("fk_statements_ledger_id_account_id_accounts"),
        ),
        sa.PrimaryKeyConstraint("ledger_id", "id", name=op.f("pk_statements")),
    )
    op.create_index(
        op.f("ix_statements_ledger_id_account_id_id"), "statements", ["ledger_id", "account_id", "id"], unique=False
    )
    op.create_index(
        op.f("ix_statements_ledger_id_bank_account_bank_id"),
        "statements",
        ["ledger_id", "bank_account", "bank", "id"],
        unique=False,
    )
    op.create_table(
        "statement_lines",
        sa.Column("ledger_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("statement_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("amount", sa.Numeric(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("bank_id", sa.Text(), nullable=True),
        sa.Column("type", sa.Text(), nullable=True),
        sa.Column("payee", sa.Text(), nullable=True),
        sa.Column("memo", sa.Text(), nullable=True),
        sa.Column("check_number", sa.Text(), nullable=True),
        sa.Column("raw", postgresql.JSONB(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("occurrence", sa.Integer(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint("kind IN ('cash', 'security')", name=op.f("ck_statement_lines_kind_known")),
        sa.CheckConstraint("abs(amount) < 1e24", name=op.f("ck_statement_lines_amount_finite")),
        sa.CheckConstraint("occurrence > 0", name=op.f("ck_statement_lines_occurrence_positive")),
        sa.CheckConstraint("octet_length(fingerprint) = 32", name=op.f("ck_statement_lines_fingerprint_length")),
        sa.ForeignKeyConstraint(
            ["ledger_id", "account_id"],
            ["accounts.ledger_id", "accounts.id"],
            name=op.f("fk_statement_lines_ledger_id_account_id_accounts"),
        ),
        sa.ForeignKeyConstraint(
            ["ledger_id", "entry_id"],
            ["journal_entries.ledger_id", "journal_entries.id"],
            name=op.f("fk_statement_lines_ledger_id_entry_id_journal_entries"),
        ),
        sa.ForeignKeyConstraint(
            ["ledger_id", "statement_id"],
            ["statements.ledger_id", "statements.id"],
            name=op.f("fk_statement_lines_ledger_id_statement_id_statements"),
        ),
        sa.PrimaryKeyConstraint("ledger_id", "id", name=op.f("pk_statement_lines")),
        sa.UniqueConstraint(
            "ledger_id",
            "account_id",
            "fingerprint",
            "occurrence",
            name=op.f("uq_statement_lines_ledger_id_account_id_fingerprint_occurrence"),
        ),
    )
    op.create_index(
        op.f("ix_statement_lines_ledger_id_entry_id"), "statement_lines", ["ledger_id", "entry_id"], unique=False
    )
    op.create_index(
        op.f("ix_statement_lines_ledger_id_statement_id_number"),
        "statement_lines",
        ["ledger_id", "statement_id", "number"],
        unique=False,
    )
