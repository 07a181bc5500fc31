"""Keep imports as wholes that can be undone, assertions, rules, matches and reconciliations.

Phase: before-code

Revision ID: 0008
Revises: 0007
Create Date: 2026-11-23
"""

# A revision is frozen: it imports nothing from `finance` and carries its own SQL.

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# One function a file, in the order of their names.
GUARDS = Path(__file__).with_name("0008_guards")
FUNCTIONS = ("guard_undone_line", "guard_undone_import", "check_matches", "keep_matches", "keep_assertions")
#: What knew of no matches.
BEFORE = Path(__file__).parent.joinpath("0007_guards", "12_redact_entries.sql")
REFUSED = {
    "imports": ("TRUNCATE",),
    "assertions": ("UPDATE", "TRUNCATE"),
    "matches": ("UPDATE", "TRUNCATE"),
    "reconciliations": ("UPDATE", "TRUNCATE"),
}
TRIGGERS = (
    "CREATE TRIGGER statement_lines_guard_update BEFORE UPDATE ON statement_lines"
    " FOR EACH ROW EXECUTE FUNCTION guard_undone_line()",
    "CREATE TRIGGER imports_guard_update BEFORE UPDATE ON imports FOR EACH ROW EXECUTE FUNCTION guard_undone_import()",
    "CREATE TRIGGER assertions_guard_delete BEFORE DELETE ON assertions FOR EACH ROW"
    " WHEN (OLD.statement_id IS NOT NULL) EXECUTE FUNCTION keep_assertions()",
    "CREATE TRIGGER imports_no_delete BEFORE DELETE ON imports"
    " FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal('ck_imports_sealed')",
    "CREATE TRIGGER imports_guard_delete AFTER DELETE ON imports REFERENCING OLD TABLE AS old_rows"
    " FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal('ck_imports_sealed')",
    "CREATE TRIGGER matches_check AFTER INSERT ON matches REFERENCING NEW TABLE AS new_matches"
    " FOR EACH STATEMENT EXECUTE FUNCTION check_matches()",
    "CREATE TRIGGER matches_keep BEFORE DELETE ON matches FOR EACH ROW EXECUTE FUNCTION keep_matches()",
)
OCCURRENCE = "uq_statement_lines_ledger_id_account_id_fingerprint_occurrence"
KEY = ["ledger_id", "account_id", "fingerprint", "occurrence"]
# What was imported before counts as one import for each file, and each line as matched with the posting that it became.
BACKFILL = (
    """
    INSERT INTO imports (ledger_id, file_name, file_sha256, format, imported_at)
    SELECT ledger_id, (array_agg(file_name ORDER BY id))[1], file_sha256, (array_agg(format ORDER BY id))[1],
           min(imported_at)
      FROM statements GROUP BY ledger_id, file_sha256 ORDER BY min(id)
    """,
    "DROP TRIGGER statements_no_update ON statements",
    "DROP TRIGGER statements_guard_update ON statements",
    """
    UPDATE statements AS s SET import_id = i.id
      FROM imports AS i WHERE i.ledger_id = s.ledger_id AND i.file_sha256 = s.file_sha256
    """,
    "CREATE TRIGGER statements_no_update BEFORE UPDATE ON statements"
    " FOR EACH STATEMENT EXECUTE FUNCTION guard_redaction('ck_statements_sealed')",
    "CREATE TRIGGER statements_guard_update AFTER UPDATE ON statements"
    " REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows"
    " FOR EACH STATEMENT EXECUTE FUNCTION guard_redaction('ck_statements_sealed')",
    """
    INSERT INTO matches (ledger_id, line_id, entry_id, posting)
    SELECT DISTINCT ON (l.ledger_id, l.entry_id, p.line) l.ledger_id, l.id, l.entry_id, p.line
      FROM statement_lines AS l
      JOIN postings AS p ON p.ledger_id = l.ledger_id AND p.entry_id = l.entry_id AND p.account_id = l.account_id
                        AND p.amount = l.amount AND p.line = 1
     ORDER BY l.ledger_id, l.entry_id, p.line, l.id
    """,
)


def upgrade() -> None:
    pin_search_path()
    create_imports()
    create_assertions()
    create_rules()
    create_matches()
    for statement in BACKFILL:
        op.execute(statement)
    for file in sorted(GUARDS.glob("[0-9]*.sql")):
        op.execute(file.read_text("utf-8"))
    for function in FUNCTIONS:
        op.execute(f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC")
    op.execute("DROP TRIGGER statement_lines_no_update ON statement_lines")
    for table, verbs in REFUSED.items():
        for verb in verbs:
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table}"
                f" FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('ck_{table}_sealed')"
            )
    for trigger in TRIGGERS:
        op.execute(trigger)


def create_imports() -> None:
    op.create_table(
        "imports",
        sa.Column("ledger_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("file_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        stamp("imported_at"),
        writer("imported_by"),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("undone_by", sa.Text(), nullable=True),
        sa.CheckConstraint("octet_length(file_sha256) = 32", name=op.f("ck_imports_file_sha256_length")),
        sa.CheckConstraint("(undone_at IS NULL) = (undone_by IS NULL)", name=op.f("ck_imports_undone_by_known")),
        sa.PrimaryKeyConstraint("ledger_id", "id", name=op.f("pk_imports")),
    )
    op.add_column("statements", sa.Column("import_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        op.f("fk_statements_ledger_id_import_id_imports"),
        "statements",
        "imports",
        ["ledger_id", "import_id"],
        ["ledger_id", "id"],
    )
    op.create_index(op.f("ix_statements_ledger_id_import_id"), "statements", ["ledger_id", "import_id"])
    op.add_column("statement_lines", sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True))
    op.drop_constraint(op.f(OCCURRENCE), "statement_lines")
    op.create_index(OCCURRENCE, "statement_lines", KEY, unique=True, postgresql_where=sa.text("undone_at IS NULL"))


def create_assertions() -> None:
    op.create_table(
        "assertions",
        sa.Column("ledger_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("amount", sa.Numeric(), nullable=False),
        sa.Column("kind", sa.Text(), server_default=sa.text("'hand'"), nullable=False),
        sa.Column("statement_id", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.Text(), server_default=sa.text("''"), nullable=False),
        stamp("recorded_at"),
        writer("recorded_by"),
        sa.CheckConstraint(
            "kind IN ('opening', 'running', 'closing', 'position', 'hand')", name=op.f("ck_assertions_kind_known")
        ),
        sa.CheckConstraint("(kind = 'hand') = (statement_id IS NULL)", name=op.f("ck_assertions_statement_known")),
        sa.CheckConstraint("abs(amount) < 1e24", name=op.f("ck_assertions_amount_finite")),
        sa.CheckConstraint("date BETWEEN '0001-01-01' AND '9999-12-31'", name=op.f("ck_assertions_date_of_calendar")),
        of_account("assertions", "account_id"),
        of_statement("assertions"),
        sa.PrimaryKeyConstraint("ledger_id", "id", name=op.f("pk_assertions")),
    )
    op.create_index(op.f("ix_assertions_ledger_id_account_id_date"), "assertions", ["ledger_id", "account_id", "date"])


def create_rules() -> None:
    op.create_table(
        "rules",
        sa.Column("ledger_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("comparison", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("direction", sa.Text(), nullable=True),
        sa.Column("minimum", sa.Numeric(), nullable=True),
        sa.Column("maximum", sa.Numeric(), nullable=True),
        sa.Column("account_id", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("counter_id", sa.BigInteger(), nullable=True),
        sa.Column("payee", sa.Text(), nullable=True),
        sa.Column("tags", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        stamp("created_at"),
        sa.CheckConstraint("comparison IN ('contains', 'equals', 'matches')", name=op.f("ck_rules_comparison_known")),
        sa.CheckConstraint("(comparison IS NULL) = (text IS NULL)", name=op.f("ck_rules_comparison_with_text")),
        sa.CheckConstraint("direction IN ('in', 'out')", name=op.f("ck_rules_direction_known")),
        sa.CheckConstraint(
            "minimum >= 0 AND maximum < 1e24 AND minimum <= maximum", name=op.f("ck_rules_range_in_order")
        ),
        sa.CheckConstraint(
            "num_nonnulls(text, direction, minimum, maximum, account_id, currency) > 0",
            name=op.f("ck_rules_condition_stated"),
        ),
        sa.CheckConstraint(
            "num_nonnulls(counter_id, payee) > 0 OR cardinality(tags) > 0", name=op.f("ck_rules_result_stated")
        ),
        sa.CheckConstraint("char_length(text) BETWEEN 1 AND 1000", name=op.f("ck_rules_text_length")),
        of_account("rules", "account_id"),
        of_account("rules", "counter_id"),
        sa.PrimaryKeyConstraint("ledger_id", "id", name=op.f("pk_rules")),
    )
    op.create_index(op.f("ix_rules_ledger_id_position_id"), "rules", ["ledger_id", "position", "id"])


def create_matches() -> None:
    op.create_table(
        "matches",
        sa.Column("ledger_id", sa.BigInteger(), nullable=False),
        sa.Column("line_id", sa.BigInteger(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("posting", sa.Integer(), nullable=False),
        stamp("matched_at"),
        writer("matched_by"),
        sa.CheckConstraint("posting > 0", name=op.f("ck_matches_posting_positive")),
        sa.ForeignKeyConstraint(
            ["ledger_id", "line_id"],
            ["statement_lines.ledger_id", "statement_lines.id"],
            name=op.f("fk_matches_ledger_id_line_id_statement_lines"),
        ),
        sa.PrimaryKeyConstraint("ledger_id", "line_id", name=op.f("pk_matches")),
        sa.UniqueConstraint("ledger_id", "entry_id", "posting", name=op.f("uq_matches_ledger_id_entry_id_posting")),
    )
    op.create_table(
        "reconciliations",
        sa.Column("ledger_id", sa.BigInteger(), nullable=False),
        sa.Column("statement_id", sa.BigInteger(), nullable=False),
        stamp("reconciled_at"),
        writer("reconciled_by"),
        of_statement("reconciliations"),
        sa.PrimaryKeyConstraint("ledger_id", "statement_id", name=op.f("pk_reconciliations")),
    )


def stamp(name: str) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False)


def writer(name: str) -> sa.Column:
    return sa.Column(name, sa.Text(), server_default=sa.text("CURRENT_USER"), nullable=False)


def of_account(table: str, column: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["ledger_id", column],
        ["accounts.ledger_id", "accounts.id"],
        name=op.f(f"fk_{table}_ledger_id_{column}_accounts"),
    )


def of_statement(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["ledger_id", "statement_id"],
        ["statements.ledger_id", "statements.id"],
        name=op.f(f"fk_{table}_ledger_id_statement_id_statements"),
    )


def downgrade() -> None:
    pin_search_path()
    op.execute(BEFORE.read_text("utf-8").replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1))
    for table in ("reconciliations", "matches", "rules", "assertions"):
        op.drop_table(table)
    op.execute("DROP TRIGGER statement_lines_guard_update ON statement_lines")
    op.execute(
        "CREATE TRIGGER statement_lines_no_update BEFORE UPDATE ON statement_lines"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('ck_statement_lines_sealed')"
    )
    # Refused where a line was undone and came again: the older schema cannot hold both.
    op.drop_index(OCCURRENCE, "statement_lines")
    op.create_unique_constraint(op.f(OCCURRENCE), "statement_lines", KEY)
    op.drop_column("statement_lines", "undone_at")
    op.drop_column("statements", "import_id")
    op.drop_table("imports")
    for function in FUNCTIONS:
        op.execute(f"DROP FUNCTION {function}()")


def pin_search_path() -> None:
    """Have the guards pin this path: nothing that a caller puts before it, temporary tables included, is found."""
    op.execute("SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true)")
