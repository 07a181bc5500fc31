"""The functions and triggers that keep the books balanced, as the current code declares them.

A revision under `alembic/` carries the SQL that it installs, frozen; a test compares what the revisions
build with what is declared here. Each function stands in the `.sql` file of its name.

They stop every statement, whoever writes it. Who may change the schema can also take them away, disable
them, or write a trigger that poses as one of them: `reports.verification` finds what came of it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import resources
from typing import Any

from sqlalchemy import Connection, MetaData, event, text

#: In the order in which they are created.
FUNCTIONS = (
    "new_entry_id",
    "refuse_change",
    "refuse_from_outside",
    "refuse_posing",
    "refuse_postings",
    "expire_holds",
    "settle_holds",
    "move_balances",
    "apply_postings",
    "post_transfer",
    "post_transfers",
    "queue_entries",
    "revise_entries",
    "balance_adjustment",
    "settle_entry",
    "record_adjustment",
    "guard_new_account",
    "guard_removal",
    "count_version",
    "close_period",
    "move_held",
    "place_holds",
    "close_holds",
    "stamp_closing",
    "rebuild_account",
    "guard_undone_line",
    "guard_undone_import",
    "check_matches",
    "keep_matches",
    "keep_assertions",
    "guard_label",
    "guard_merge",
    "ledger_tables",
    "begin_erasure",
    "erase_ledger",
    "refuse_removal",
    "stamp_redaction",
    "hash_redacted",
    "redact_entries",
    "redact_rows",
    "guard_redaction",
    "guard_planned_amount",
)

#: What is inserted into is not kept; a guard makes something else of it.
VIEWS = ("new_transfers",)
# Whoever inserts: CURRENT_USER is the owner in a guard, and in a function of somebody's own whoever that works as.
_DEFAULTS = ("ALTER VIEW new_transfers ALTER COLUMN recorded_by SET DEFAULT CURRENT_USER",)

#: These do nothing that needs the rights of the tables' owner.
PLAIN = frozenset(
    (
        "new_entry_id",
        "refuse_change",
        "refuse_from_outside",
        "refuse_posing",
        "move_balances",
        "post_transfer",
        "count_version",
        "close_period",
        "stamp_closing",
        "ledger_tables",
        "guard_undone_line",
        "guard_undone_import",
        "check_matches",
        "keep_matches",
        "keep_assertions",
        "guard_planned_amount",
    )
)

# True for a statement that no guard has written. A guard names the depth of the trigger that it runs in:
# a trigger of somebody else that its statement sets off runs deeper, and counts as outside. So does whoever
# may not write triggers on the table, whatever the setting says: the guards write as its owner.
_FROM_OUTSIDE, _UNLESS_TRANSFERS = (
    "pg_trigger_depth() = 0 OR NOT has_table_privilege('accounts'::regclass, 'TRIGGER')"
    f" OR current_setting('finance.applying', true) IS DISTINCT FROM '{what} ' || pg_trigger_depth()::text"
    # `post_transfers()` proves of its entries itself what the guards of theirs would.
    for what in ("books", "transfers")
)


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger: its table, its name, and what follows the table's name in its definition."""

    name: str
    table: str
    timing: str
    action: str
    constraint: bool = False

    @property
    def sql(self) -> str:
        """The statement that creates it; a constraint trigger has its DEFERRABLE in `action`."""
        kind = "CONSTRAINT TRIGGER" if self.constraint else "TRIGGER"
        return f"CREATE {kind} {self.name} {self.timing} ON {self.table} {self.action}"


def _refused(table: str, verb: str, rule: str, *, unless_by_guards: bool = False) -> Trigger:
    function, name = ("refuse_from_outside", "guard") if unless_by_guards else ("refuse_change", "no")
    action = f"FOR EACH STATEMENT EXECUTE FUNCTION {function}('{rule}')"
    return Trigger(f"{table}_{name}_{verb.lower()}", table, f"BEFORE {verb}", action)


def _admit(table: str, verb: str) -> Trigger:
    """Return what fires before the guard of *table*, by its name, for whoever is not the owner."""
    return Trigger(
        f"{table}_admit",
        table,
        f"AFTER {verb}",
        f"FOR EACH STATEMENT WHEN (NOT has_table_privilege('{table}'::regclass, 'TRIGGER'))"
        f" EXECUTE FUNCTION refuse_posing('ck_{table}_not_posing')",
    )


def _triggers() -> tuple[Trigger, ...]:
    sealed = [
        _refused(table, verb, f"ck_{table}_sealed") for table, verbs in _SEALED.items() for verb in (*verbs, "TRUNCATE")
    ]
    kept = [
        _refused(table, verb, f"ck_{table}_sealed")
        for table in ("assertions", "matches", "reconciliations")
        for verb in ("UPDATE", "TRUNCATE")
        # What of an assertion is redacted is told by triggers of their own.
        if (table, verb) != ("assertions", "UPDATE")
    ]
    erased = [each for table in (*_SEALED, "entry_revisions") if table != "erasures" for each in _removed(table)]
    worded = ("postings", "entry_revisions", "statements", "assertions")
    redacted = [each for table in worded for each in _redacted(table)]
    # What the guards write themselves, they write with these verbs and no others.
    own_verbs = {
        "monthly_totals": ("INSERT", "UPDATE", "DELETE"),
        "unsettled": ("INSERT", "DELETE"),
        "entry_revisions": ("INSERT",),
    }
    derived = [
        _refused(table, verb, f"ck_{table}_derived", unless_by_guards=verb in own)
        for table, own in own_verbs.items()
        for verb in ("INSERT", "UPDATE", "DELETE", "TRUNCATE")
        # What of a revision is redacted or erased is told by triggers of their own.
        if table != "entry_revisions" or verb in {"INSERT", "TRUNCATE"}
    ]
    untruncated = [
        _refused(table, "TRUNCATE", f"ck_{table}_sealed") for table in ("ledgers", "currencies", "accounts", "payees")
    ]
    removed = [
        Trigger(
            f"{table}_guard_delete",
            table,
            "BEFORE DELETE",
            f"FOR EACH ROW EXECUTE FUNCTION guard_removal('{table}')",
        )
        for table in ("ledgers", "currencies", "accounts", "payees", "tags")
    ]
    labels = [each for table in ("payees", "tags") for each in _label_triggers(table)]
    admitted = [_admit("journal_entries", "INSERT"), _admit("postings", "INSERT"), _admit("holds", "UPDATE")]
    return (*sealed, *erased, *redacted, *kept, *derived, *untruncated, *removed, *labels, *admitted, *_ROW_TRIGGERS)


def _label_triggers(table: str) -> tuple[Trigger, ...]:
    return (
        Trigger(
            f"{table}_guard_identity",
            table,
            "BEFORE UPDATE",
            "FOR EACH ROW WHEN (OLD.ledger_id <> NEW.ledger_id OR OLD.id <> NEW.id)"
            f" EXECUTE FUNCTION refuse_change('ck_{table}_identity_fixed')",
        ),
        Trigger(
            f"{table}_guard_merge",
            table,
            "AFTER INSERT OR UPDATE",
            f"FOR EACH ROW WHEN (NEW.merged_into_id IS NOT NULL) EXECUTE FUNCTION guard_merge('ck_{table}_merged')",
        ),
    )


# What is sealed, and the verbs that are refused outright, TRUNCATE besides. What of an entry, a hold, an import or a
# line may change, and what is redacted of the others, is told by triggers of their own, and what goes with its ledger
# by another.
_SEALED: dict[str, tuple[str, ...]] = {
    "journal_entries": (),
    "postings": (),
    "imports": (),
    "statements": (),
    "statement_lines": (),
    "holds": (),
    "rebuilds": ("UPDATE",),
    "redactions": ("UPDATE",),
    "redacted_entries": ("UPDATE",),
    "redacted_rows": ("UPDATE",),
    "erasures": ("UPDATE", "DELETE"),
}


def _unless(table: str, verb: str, function: str, rows: str) -> tuple[Trigger, Trigger]:
    rule = "derived" if table == "entry_revisions" else "sealed"
    action = f"FOR EACH STATEMENT EXECUTE FUNCTION {function}('ck_{table}_{rule}')"
    return (
        Trigger(f"{table}_no_{verb.lower()}", table, f"BEFORE {verb}", action),
        Trigger(f"{table}_guard_{verb.lower()}", table, f"AFTER {verb}", f"REFERENCING {rows} {action}"),
    )


def _removed(table: str) -> tuple[Trigger, ...]:
    return _unless(table, "DELETE", "refuse_removal", "OLD TABLE AS old_rows")


def _redacted(table: str) -> tuple[Trigger, ...]:
    return _unless(table, "UPDATE", "guard_redaction", "OLD TABLE AS old_rows NEW TABLE AS new_rows")


# The fields of an account whose changes `version` counts.
_COUNTED = (
    "parent_id",
    "name",
    "type",
    "purpose",
    "minimum_balance",
    "maximum_balance",
    "opened_on",
    "closed_on",
    "metadata",
)


def _changed(columns: tuple[str, ...]) -> str:
    old, new = (", ".join(f"{row}.{column}" for column in columns) for row in ("OLD", "NEW"))
    return f"({old}) IS DISTINCT FROM ({new})"


_ROW_TRIGGERS = (
    Trigger(
        "postings_apply",
        "postings",
        "AFTER INSERT",
        f"REFERENCING NEW TABLE AS new_postings FOR EACH STATEMENT WHEN ({_UNLESS_TRANSFERS})"
        " EXECUTE FUNCTION apply_postings()",
    ),
    Trigger(
        "journal_entries_queue",
        "journal_entries",
        "AFTER INSERT",
        f"REFERENCING NEW TABLE AS new_entries FOR EACH STATEMENT WHEN ({_UNLESS_TRANSFERS})"
        " EXECUTE FUNCTION queue_entries()",
    ),
    Trigger(
        "new_transfers_post",
        "new_transfers",
        "INSTEAD OF INSERT",
        "FOR EACH ROW EXECUTE FUNCTION post_transfers()",
    ),
    Trigger(
        "journal_entries_revise",
        "journal_entries",
        "AFTER UPDATE",
        "REFERENCING OLD TABLE AS old_entries NEW TABLE AS new_entries"
        " FOR EACH STATEMENT EXECUTE FUNCTION revise_entries()",
    ),
    Trigger(
        "journal_entries_guard_payee",
        "journal_entries",
        "AFTER INSERT",
        "FOR EACH ROW WHEN (NEW.payee_id IS NOT NULL) EXECUTE FUNCTION guard_label()",
    ),
    Trigger("entry_tags_guard", "entry_tags", "AFTER INSERT OR UPDATE", "FOR EACH ROW EXECUTE FUNCTION guard_label()"),
    Trigger(
        "holds_place",
        "holds",
        "AFTER INSERT",
        "REFERENCING NEW TABLE AS new_holds FOR EACH STATEMENT EXECUTE FUNCTION place_holds()",
    ),
    Trigger(
        "holds_stamp",
        "holds",
        "BEFORE UPDATE",
        "FOR EACH ROW WHEN (OLD.status = 'open' AND NEW.status <> 'open') EXECUTE FUNCTION stamp_closing()",
    ),
    Trigger(
        "holds_close",
        "holds",
        "AFTER UPDATE",
        "REFERENCING OLD TABLE AS old_holds NEW TABLE AS new_holds FOR EACH STATEMENT EXECUTE FUNCTION close_holds()",
    ),
    Trigger(
        "unsettled_settle",
        "unsettled",
        "AFTER INSERT",
        "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION settle_entry()",
        constraint=True,
    ),
    Trigger(
        "accounts_record_adjustment",
        "accounts",
        "AFTER UPDATE",
        f"FOR EACH ROW WHEN (OLD.balance IS DISTINCT FROM NEW.balance AND ({_FROM_OUTSIDE}))"
        " EXECUTE FUNCTION record_adjustment()",
    ),
    Trigger(
        "accounts_guard_held",
        "accounts",
        "AFTER UPDATE",
        f"FOR EACH ROW WHEN (OLD.held IS DISTINCT FROM NEW.held AND ({_FROM_OUTSIDE}))"
        " EXECUTE FUNCTION refuse_change('ck_accounts_held_derived')",
    ),
    Trigger("accounts_guard_insert", "accounts", "BEFORE INSERT", "FOR EACH ROW EXECUTE FUNCTION guard_new_account()"),
    Trigger(
        "accounts_guard_identity",
        "accounts",
        "BEFORE UPDATE OF ledger_id, id, currency",
        "FOR EACH ROW WHEN (OLD.ledger_id <> NEW.ledger_id OR OLD.id <> NEW.id OR OLD.currency <> NEW.currency)"
        " EXECUTE FUNCTION refuse_change('ck_accounts_identity_fixed')",
    ),
    Trigger(
        "accounts_count_version",
        "accounts",
        f"BEFORE UPDATE OF {', '.join(_COUNTED)}",
        f"FOR EACH ROW WHEN (NEW.version = OLD.version AND {_changed(_COUNTED)}) EXECUTE FUNCTION count_version()",
    ),
    Trigger(
        "currencies_guard_update",
        "currencies",
        "BEFORE UPDATE",
        "FOR EACH ROW WHEN (OLD.ledger_id <> NEW.ledger_id OR OLD.code <> NEW.code OR NEW.exponent < OLD.exponent)"
        " EXECUTE FUNCTION refuse_change('ck_currencies_fixed')",
    ),
    Trigger(
        "ledgers_guard_identity",
        "ledgers",
        "BEFORE UPDATE OF id",
        "FOR EACH ROW WHEN (OLD.id <> NEW.id) EXECUTE FUNCTION refuse_change('ck_ledgers_identity_fixed')",
    ),
    Trigger(
        "ledgers_close_period",
        "ledgers",
        "BEFORE UPDATE",
        "FOR EACH ROW WHEN (OLD.closed_through IS DISTINCT FROM NEW.closed_through) EXECUTE FUNCTION close_period()",
    ),
    Trigger("erasures_begin", "erasures", "BEFORE INSERT", "FOR EACH ROW EXECUTE FUNCTION begin_erasure()"),
    Trigger("erasures_erase", "erasures", "AFTER INSERT", "FOR EACH ROW EXECUTE FUNCTION erase_ledger()"),
    Trigger("redactions_stamp", "redactions", "BEFORE INSERT", "FOR EACH ROW EXECUTE FUNCTION stamp_redaction()"),
    Trigger(
        "redacted_entries_hash",
        "redacted_entries",
        "BEFORE INSERT",
        "FOR EACH ROW EXECUTE FUNCTION hash_redacted()",
    ),
    Trigger(
        "redacted_entries_redact",
        "redacted_entries",
        "AFTER INSERT",
        "REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION redact_entries()",
    ),
    Trigger(
        "redacted_rows_redact",
        "redacted_rows",
        "AFTER INSERT",
        "REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION redact_rows()",
    ),
    Trigger(
        "statement_lines_guard_update",
        "statement_lines",
        "BEFORE UPDATE",
        "FOR EACH ROW EXECUTE FUNCTION guard_undone_line()",
    ),
    Trigger("imports_guard_update", "imports", "BEFORE UPDATE", "FOR EACH ROW EXECUTE FUNCTION guard_undone_import()"),
    Trigger(
        "assertions_guard_delete",
        "assertions",
        "BEFORE DELETE",
        "FOR EACH ROW WHEN (OLD.statement_id IS NOT NULL) EXECUTE FUNCTION keep_assertions()",
    ),
    Trigger(
        "matches_check",
        "matches",
        "AFTER INSERT",
        "REFERENCING NEW TABLE AS new_matches FOR EACH STATEMENT EXECUTE FUNCTION check_matches()",
    ),
    Trigger("matches_keep", "matches", "BEFORE DELETE", "FOR EACH ROW EXECUTE FUNCTION keep_matches()"),
    Trigger("rebuilds_rebuild", "rebuilds", "BEFORE INSERT", "FOR EACH ROW EXECUTE FUNCTION rebuild_account()"),
    *(
        Trigger(
            f"{table}_guard_amount",
            table,
            "BEFORE INSERT OR UPDATE",
            f"FOR EACH ROW EXECUTE FUNCTION guard_planned_amount('ck_{table}_amount_scale')",
        )
        for table in ("budgets", "schedule_postings")
    ),
    Trigger(
        "schedules_guard_rule",
        "schedules",
        "BEFORE UPDATE",
        "FOR EACH ROW WHEN (OLD.ledger_id <> NEW.ledger_id OR OLD.id <> NEW.id OR OLD.rule <> NEW.rule"
        " OR OLD.starts_on <> NEW.starts_on) EXECUTE FUNCTION refuse_change('ck_schedules_rule_fixed')",
    ),
)

TRIGGERS = _triggers()


def source(name: str) -> str:
    """Return the file of the function or view *name*, without what makes it a statement of its own."""
    return resources.files(__name__).joinpath(f"{name}.sql").read_text("utf-8").strip().removesuffix(";")


def digests() -> dict[str, str]:
    """Return the SHA-256 of what each function does, by its name; the server computes the same of `prosrc`."""
    bodies = {name: source(name).split("$function$")[1] for name in FUNCTIONS}
    return {name: hashlib.sha256(body.encode()).hexdigest() for name, body in bodies.items()}


def function_sql(name: str) -> str:
    """Return the statement that creates the function *name*, with its search path pinned.

    `SET search_path FROM CURRENT` freezes the path of whoever creates it: nothing that a caller puts
    before the books' schema, a temporary table included, is found by a guard. As SECURITY DEFINER it writes
    what is derived with the owner's rights, which whoever posts need not have, and sees every ledger.
    """
    definer = "" if name in PLAIN else " SECURITY DEFINER"
    return f"{source(name)}{definer}\nSET search_path FROM CURRENT"


def revocation_sql(name: str) -> str:
    """Return the statement that keeps everybody but the owner from calling the function *name*, or using it anew."""
    return f"REVOKE EXECUTE ON FUNCTION {name} FROM PUBLIC"


def statements() -> list[str]:
    """Return the statements that create every view, function and trigger, one each, in order."""
    return [
        *map(source, VIEWS),
        *_DEFAULTS,
        *map(function_sql, FUNCTIONS),
        *map(revocation_sql, FUNCTIONS),
        *(trigger.sql for trigger in TRIGGERS),
    ]


def create(connection: Connection) -> None:
    """Create every view, function and trigger in the first schema of the connection's search path."""
    connection.execute(text("SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true)"))
    for statement in statements():
        connection.exec_driver_sql(statement)


def attach(metadata: MetaData) -> None:
    """Have `metadata.create_all()` create the views, functions and triggers after the tables."""

    @event.listens_for(metadata, "after_create")
    def _create(_target: MetaData, connection: Connection, **_kw: Any) -> None:
        create(connection)
