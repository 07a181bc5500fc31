"""The name of a violated constraint in, typed error out: the names are the contract between schema and code."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg

from finance.errors import (
    AccountClosedError,
    AccountHeldError,
    AccountNotFoundError,
    AlreadyExistsError,
    AlreadyReversedError,
    AmountError,
    BalanceLimitError,
    CurrencyError,
    EntryNotFoundError,
    FinanceError,
    HoldClosedError,
    HoldExceededError,
    HoldExpiredError,
    HoldNotFoundError,
    InvalidError,
    LedgerNotFoundError,
    NotFoundError,
    PeriodClosedError,
    SealedError,
    UnbalancedEntryError,
)

Detail = Mapping[str, Any]


def detail_of(error: asyncpg.PostgresError) -> Detail:
    """Return what a guard put into DETAIL; of PostgreSQL's own details, which hold values, an account's id."""
    text = error.detail or ""
    with contextlib.suppress(ValueError):
        detail = json.loads(text)
        if isinstance(detail, dict):
            return detail
    # A CHECK constraint shows the whole row that fails it; the first two columns are the ledger and the id.
    if error.table_name == "accounts" and (row := re.search(r"\(\d+, (\d+), ", text)):
        return {"account": int(row[1])}
    return {}


def _unbalanced(detail: Detail) -> FinanceError:
    difference = detail.get("difference")
    return UnbalancedEntryError(
        UUID(detail["entry"]) if "entry" in detail else None,
        detail.get("currency"),
        None if difference is None else Decimal(difference),
    )


def _period_closed(detail: Detail) -> FinanceError:
    dates = [date.fromisoformat(detail[key]) if key in detail else None for key in ("on", "closed_through")]
    return PeriodClosedError(*dates)


def _currency_of_account(detail: Detail) -> FinanceError:
    return CurrencyError(
        detail.get("currency"), f"account {detail.get('account')} is in {detail.get('expected')}; post in that"
    )


def _too_fine(detail: Detail) -> FinanceError:
    exponent, currency = detail.get("exponent"), detail.get("currency")
    return AmountError(..., f"has more than the {exponent} decimals of {currency}; round it first", exponent=exponent)


def _hold_of(detail: Detail) -> UUID | None:
    return UUID(detail["hold"]) if "hold" in detail else None


def _hold_closed(detail: Detail) -> FinanceError:
    if detail.get("status") == "expired":
        return HoldExpiredError(_hold_of(detail))
    return HoldClosedError(_hold_of(detail), detail.get("status"))


def _hold_exceeded(detail: Detail) -> FinanceError:
    amounts = [Decimal(detail[key]) if key in detail else None for key in ("amount", "taken")]
    return HoldExceededError(_hold_of(detail), *amounts)


def _sealed(what: str, remedy: str | None = None) -> Callable[[Detail], FinanceError]:
    return lambda _detail: SealedError(what) if remedy is None else SealedError(what, remedy)


def _invalid(message: str) -> Callable[[Detail], FinanceError]:
    return lambda _detail: InvalidError(message)


def _derived(table: str) -> Callable[[Detail], FinanceError]:
    return _sealed(f"{table} is kept by the database and is not written to", "post an entry instead")


def _plain(what: str, longest: int) -> Callable[[Detail], FinanceError]:
    return _invalid(f"{what} has 1 to {longest} characters, and no blanks at its ends")


_MERGE = "use uow.payees.merge() or uow.tags.merge()"
_NO_PAYEE = "this ledger has no such payee, or it was merged into another"
_OWN_GUARD = _sealed("the triggers of the books serve the tables of the books only", "drop the trigger")
_POSING = _sealed("no trigger but those of the books writes as one of them", "reset finance.applying")

BY_CONSTRAINT: Mapping[str, Callable[[Detail], FinanceError]] = {
    # ledgers and currencies
    "uq_ledgers_name": lambda _: AlreadyExistsError("ledger"),
    "ck_ledgers_name_plain": _plain("a ledger's name", 200),
    "ck_ledgers_closed_through_of_calendar": _invalid("a ledger is closed through a day of the years 1 to 9999"),
    "ck_ledgers_identity_fixed": _sealed("the id of a ledger never changes", "make another ledger"),
    "ck_ledgers_not_removed": _sealed("a ledger with accounts or currencies is not deleted", "delete those first"),
    "ck_ledgers_sealed": _sealed("ledgers are not truncated", "delete what is unused"),
    "pk_currencies": lambda _: AlreadyExistsError("currency"),
    "fk_currencies_ledger_id_ledgers": lambda _: LedgerNotFoundError("of this id"),
    "ck_currencies_code_plain": _plain("a currency's code", 64),
    "ck_currencies_exponent_range": _invalid("a currency has 0 to 18 decimals"),
    "ck_currencies_fixed": _sealed("a currency keeps its code, and its decimals may only grow", "add another currency"),
    "ck_currencies_not_removed": _sealed("a currency with accounts is not deleted", "leave it"),
    "ck_currencies_sealed": _sealed("currencies are not truncated", "delete what is unused"),
    # payees and tags
    "uq_payees_ledger_id_key": lambda _: AlreadyExistsError("payee"),
    "uq_tags_ledger_id_key": lambda _: AlreadyExistsError("tag"),
    "fk_payees_ledger_id_ledgers": lambda _: LedgerNotFoundError("of this id"),
    "fk_tags_ledger_id_ledgers": lambda _: LedgerNotFoundError("of this id"),
    "fk_payees_ledger_id_merged_into_id_payees": lambda _: NotFoundError("this ledger has no such payee"),
    "fk_tags_ledger_id_merged_into_id_tags": lambda _: NotFoundError("this ledger has no such tag"),
    "ck_payees_name_plain": _plain("a payee's name", 500),
    "ck_tags_name_plain": _plain("a tag's name", 500),
    "ck_payees_merged_into_another": _invalid("a payee is merged into another"),
    "ck_tags_merged_into_another": _invalid("a tag is merged into another"),
    "ck_payees_merged": _sealed("only a payee that no entry has is merged, and into one that stands", _MERGE),
    "ck_tags_merged": _sealed("only a tag that no entry has is merged, and into one that stands", _MERGE),
    "ck_payees_identity_fixed": _sealed("the ledger and id of a payee never change", "make another"),
    "ck_tags_identity_fixed": _sealed("the ledger and id of a tag never change", "make another"),
    "ck_payees_not_removed": _sealed("a payee that entries have, or had, is not deleted", "merge it into another"),
    "ck_tags_not_removed": _sealed("a tag that entries have is not deleted", "merge it into another"),
    "ck_payees_sealed": _sealed("payees are not truncated", "delete what is unused"),
    "fk_journal_entries_ledger_id_payee_id_payees": lambda _: NotFoundError(_NO_PAYEE),
    "fk_entry_revisions_ledger_id_payee_id_payees": lambda _: NotFoundError(_NO_PAYEE),
    "fk_entry_tags_ledger_id_entry_id_journal_entries": lambda _: EntryNotFoundError(None),
    "fk_entry_tags_ledger_id_tag_id_tags": lambda _: NotFoundError(
        "this ledger has no such tag, or it was merged into another"
    ),
    # forgetting
    "ck_erasures_first_write": _sealed(
        "a ledger is erased in a transaction of its own, before anything else is written", "use db.ledgers.erase()"
    ),
    "ck_erasures_own_guard": _OWN_GUARD,
    "ck_erasures_sealed": _sealed("the record of an erasure stays", "leave it"),
    "fk_erasures_ledger_id_ledgers": lambda _: LedgerNotFoundError("of this id"),
    "fk_redactions_ledger_id_ledgers": lambda _: LedgerNotFoundError("of this id"),
    "ck_redactions_through_finite": _invalid("a ledger is redacted through a day"),
    "ck_redactions_sealed": _sealed("the record of a redaction stays", "leave it"),
    "ck_redacted_entries_sealed": _sealed("the record of a redaction stays", "leave it"),
    "ck_redacted_entries_recorded_now": _sealed(
        "an entry is redacted in the transaction that records the redaction", "use db.ledgers.redact()"
    ),
    "fk_redacted_entries_ledger_id_entry_id_journal_entries": lambda _: EntryNotFoundError(None),
    "fk_redacted_entries_ledger_id_redaction_id_redactions": _invalid("a redacted entry names its redaction"),
    "fk_redacted_rows_ledger_id_redaction_id_redactions": _invalid("a redacted row names its redaction"),
    "ck_redacted_rows_table_name_known": _invalid("a table whose rows are redacted is one of those that keep words"),
    "ck_redacted_rows_found": lambda _: NotFoundError("this ledger has no such row to redact"),
    "ck_redacted_rows_sealed": _sealed("the record of a redaction stays", "leave it"),
    "ck_redacted_rows_recorded_now": _sealed(
        "a row is redacted in the transaction that records the redaction", "use db.ledgers.redact()"
    ),
    # prices
    "pk_prices": lambda _: AlreadyExistsError("price"),
    "fk_prices_ledger_id_currency_currencies": lambda _: CurrencyError(None, "is not one of this ledger's"),
    "fk_prices_ledger_id_quote_currencies": lambda _: CurrencyError(None, "is not one of this ledger's"),
    "ck_prices_of_another": _invalid("a price is of one currency in another"),
    "ck_prices_rate_positive": lambda _: AmountError(..., "of a price is not more than zero, or not below 1E+24"),
    "ck_prices_date_of_calendar": _invalid("a price is of a day of the years 1 to 9999"),
    # budgets
    "fk_budgets_ledger_id_account_id_accounts": lambda _: AccountNotFoundError(None),
    "ck_budgets_amount_not_negative": lambda _: AmountError(..., "of a budget is less than zero, or not below 1E+24"),
    "ck_budgets_amount_scale": _too_fine,
    "ck_budgets_period_known": _invalid("a budget is for each week, month, quarter or year"),
    "ck_budgets_rollover_known": _invalid("a budget carries none, unused, overspent or all into the next period"),
    "ck_budgets_starts_on_of_calendar": _invalid("a budget starts on a day of the years 1 to 9999"),
    # schedules
    "fk_schedules_ledger_id_ledgers": lambda _: LedgerNotFoundError("of this id"),
    "ck_schedules_rule_length": _invalid("the rule of a schedule has 6 to 500 characters"),
    "ck_schedules_starts_on_of_calendar": _invalid("a schedule starts on a day of the years 1 to 9999"),
    "ck_schedules_ends_after_start": _invalid("a schedule ends on or after the day it starts on"),
    "ck_schedules_paused_on_finite": _invalid("a schedule is paused from a day on, or not (NULL)"),
    "ck_schedules_posted_through_finite": _invalid("a schedule is posted through a day, or nobody knows (NULL)"),
    "ck_schedules_weekends_known": _invalid("what becomes of a weekend is stay, before or after"),
    "ck_schedules_rule_fixed": _sealed("the rule and the first day of a schedule never change", "end it, add another"),
    "fk_schedule_postings_ledger_id_schedule_id_schedules": lambda _: NotFoundError("this ledger has no such schedule"),
    "fk_schedule_postings_ledger_id_account_id_accounts": _sealed(
        "a schedule posts to accounts that are there, and those are not deleted", "remove the schedule first"
    ),
    "ck_schedule_postings_amount_nonzero": lambda _: AmountError(0, "a posting of zero says nothing; leave it out"),
    "ck_schedule_postings_amount_finite": lambda _: AmountError(..., "is not a finite number below 1E+24"),
    "ck_schedule_postings_amount_scale": _too_fine,
    "ck_schedule_postings_line_positive": _invalid("lines are numbered from 1"),
    "fk_schedule_changes_ledger_id_schedule_id_schedules": lambda _: NotFoundError("this ledger has no such schedule"),
    "ck_schedule_changes_amount_nonzero": lambda _: AmountError(..., "is zero, or not a finite number below 1E+24"),
    "ck_schedule_changes_days_finite": _invalid("the days of an occurrence are days of the years 1 to 9999"),
    # accounts
    "uq_accounts_ledger_id_name_currency": lambda _: AlreadyExistsError("account"),
    "uq_accounts_iban": lambda _: AlreadyExistsError("IBAN of an account"),
    "uq_accounts_institution_number": lambda _: AlreadyExistsError("number of an account at its institution"),
    "fk_accounts_ledger_id_ledgers": lambda _: LedgerNotFoundError("of this id"),
    "fk_accounts_ledger_id_currency_currencies": lambda _: CurrencyError(None, "is not one of this ledger's"),
    "fk_accounts_ledger_id_parent_id_accounts": lambda _: AccountNotFoundError(None),
    "ck_accounts_name_plain": _plain("an account's name", 500),
    "ck_accounts_type_known": _invalid("an account's type is asset, liability, equity, income or expense"),
    "ck_accounts_purpose_known": _invalid("an account's purpose is 'adjustments' or none"),
    "ck_accounts_balance_finite": lambda _: AmountError(..., "would make the balance infinite or not a number"),
    "ck_accounts_minimum_balance": lambda detail: BalanceLimitError("minimum", detail.get("account")),
    "ck_accounts_maximum_balance": lambda detail: BalanceLimitError("maximum", detail.get("account")),
    "ck_accounts_limits_in_order": lambda detail: BalanceLimitError("minimum or maximum", detail.get("account")),
    "ck_accounts_closed_after_opened": _invalid("an account is closed on or after the day it was opened"),
    "ck_accounts_starts_at_zero": _sealed("a new account starts at zero", "post an opening balance"),
    "ck_accounts_held_finite": lambda _: AmountError(..., "would make what is held infinite, or less than zero"),
    "ck_accounts_held_derived": _sealed("what is held on an account is kept by the database", "place a hold"),
    "ck_accounts_closed_without_holds": lambda detail: AccountHeldError(detail.get("account")),
    "ck_accounts_id_by_database": _sealed("the id of an account is given out by the database", "leave it out"),
    "ck_accounts_identity_fixed": _sealed(
        "the ledger, id and currency of an account never change", "open another account"
    ),
    "uq_accounts_adjustments": lambda _: AlreadyExistsError("adjustments account"),
    "ck_accounts_adjustments_not_adjusted": _sealed("an adjustments account is not adjusted itself", "post an entry"),
    "ck_accounts_balance_written": _sealed(
        "a rule, trigger or policy on accounts or monthly_totals keeps balances from being written", "remove it"
    ),
    "ck_accounts_not_removed": _sealed(
        "an account with postings, holds, statements or accounts below it is not deleted", "close it instead"
    ),
    "ck_accounts_own_guard": _OWN_GUARD,
    "ck_accounts_sealed": _sealed("accounts are not truncated", "delete what is unused"),
    # journal entries
    "uq_journal_entries_ledger_id_reverses_id": lambda _: AlreadyReversedError(None),
    "fk_journal_entries_ledger_id_reverses_id_journal_entries": lambda _: EntryNotFoundError(None),
    "ck_journal_entries_kind_known": _invalid("an entry's kind is normal, reversal or adjustment"),
    "ck_journal_entries_date_of_calendar": _invalid("an entry's date is a day of the years 1 to 9999"),
    "ck_journal_entries_reversal_names_entry": _invalid("a reversal names the entry that it reverses"),
    "ck_journal_entries_content_hash_length": _invalid("a content hash has 32 bytes"),
    "ck_journal_entries_reversal_opposite": _invalid(
        "a reversal takes back exactly what its entry did on each account, and nothing else"
    ),
    "ck_journal_entries_balanced": _unbalanced,
    "ck_journal_entries_recorded_now": _sealed(
        "recorded_at and recorded_xid are set by the database", "leave them out"
    ),
    "ck_journal_entries_adjustment_by_database": _sealed(
        "entries of kind adjustment are written by the database", "post an entry of kind normal"
    ),
    "ck_journal_entries_sealed": _sealed("of a journal entry only the description, metadata and payee change"),
    "ck_journal_entries_own_guard": _OWN_GUARD,
    "ck_journal_entries_not_posing": _POSING,
    "uq_journal_entries_ledger_id_amends_id": lambda _: AlreadyReversedError(None),
    "ck_journal_entries_amendment_normal": _invalid("an amendment is an entry of kind normal, and amends another"),
    "ck_journal_entries_amendment_reversed": _invalid("an entry amends one that is reversed; reverse that too"),
    "uq_journal_entries_ledger_id_settles_id": lambda _: HoldClosedError(None, "settled"),
    "fk_journal_entries_ledger_id_settles_id_holds": lambda detail: HoldNotFoundError(_hold_of(detail)),
    "ck_journal_entries_settlement_normal": _invalid("an entry that settles a hold is of kind normal"),
    # holds
    "ck_holds_amount_positive": lambda _: AmountError(..., "of a hold is not more than zero"),
    "ck_holds_amount_finite": lambda _: AmountError(..., "is not a finite number below 1E+24"),
    "ck_holds_expires_at_finite": _invalid("a hold expires at an instant, or never (NULL)"),
    "ck_holds_expires_later": _invalid("a hold expires after it was placed"),
    "ck_holds_status_known": _invalid("a hold is open, settled, released or expired"),
    "ck_holds_starts_open": _sealed("a hold is placed open", "place it, then release it or settle it by an entry"),
    "ck_holds_placed_now": _sealed("placed_at is set by the database", "leave it out"),
    "ck_holds_closed_at_known": _invalid("a closed hold says when it was closed, an open one does not"),
    "ck_holds_closed_once": _hold_closed,
    "ck_holds_settled_names_entry": _invalid("a settled hold names its entry, and no other does"),
    "ck_holds_settled_by_entry": _sealed(
        "a hold is settled by the entry that names it", "post an entry with settles_id"
    ),
    "ck_holds_settled_amount": _hold_exceeded,
    "ck_holds_time_over": _invalid("a hold expires when its time is over; release it before that"),
    "ck_holds_sealed": _sealed("a hold never changes", "release it and place another"),
    "ck_holds_own_guard": _OWN_GUARD,
    "ck_holds_not_posing": _POSING,
    # postings
    "ck_postings_amount_nonzero": lambda _: AmountError(0, "a posting of zero says nothing; leave it out"),
    "ck_postings_amount_finite": lambda _: AmountError(..., "is not a finite number below 1E+24"),
    "ck_postings_amount_scale": _too_fine,
    "ck_postings_line_positive": _invalid("lines are numbered from 1"),
    "ck_postings_date_of_entry": _invalid("a posting has the date of its entry"),
    "ck_postings_currency_of_account": _currency_of_account,
    "ck_postings_account_open": lambda detail: AccountClosedError(detail.get("account")),
    "ck_postings_period_open": _period_closed,
    "ck_postings_entry_not_sealed": _sealed("no posting joins an entry that is committed, or reversed"),
    "ck_postings_own_guard": _OWN_GUARD,
    "ck_postings_written": _sealed(
        "a rule or a trigger of somebody else keeps the postings from being written", "drop that rule or trigger"
    ),
    "ck_new_transfers_own_guard": _OWN_GUARD,
    "ck_new_transfers_one_length": _invalid("the arrays of new_transfers have one length, which is not zero"),
    "ck_postings_not_posing": _POSING,
    "ck_postings_sealed": _sealed("a committed posting never changes"),
    "fk_postings_entry_id_journal_entries": lambda _: EntryNotFoundError(None),
    "fk_postings_account_id_accounts": lambda detail: AccountNotFoundError(detail.get("account")),
    # derived
    "ck_monthly_totals_derived": _derived("monthly_totals"),
    "ck_unsettled_derived": _derived("unsettled"),
    "ck_entry_revisions_derived": _sealed("entry_revisions is written by the database only", "update the entry"),
    "ck_entry_revisions_revision_positive": _invalid("revisions are numbered from 1"),
    "fk_entry_revisions_ledger_id_entry_id_journal_entries": lambda _: EntryNotFoundError(None),
    # rebuilds
    "ck_rebuilds_first_write": _sealed(
        "an account is rebuilt in a transaction of its own, before anything else is written", "use db.journal.rebuild()"
    ),
    "ck_rebuilds_own_guard": _OWN_GUARD,
    "ck_rebuilds_sealed": _sealed("what was rebuilt stays on record", "leave it"),
    "fk_rebuilds_account_id_accounts": lambda detail: AccountNotFoundError(detail.get("account")),
    # imports
    "fk_statements_ledger_id_import_id_imports": _invalid("a statement names an import of its ledger"),
    "ck_imports_file_sha256_length": _invalid("the SHA-256 of a file has 32 bytes"),
    "ck_imports_undone_by_known": _invalid("an import that was undone says when and by whom"),
    "ck_imports_undone_whole": _sealed("an import is undone with all of its lines", "mark those first"),
    "ck_imports_sealed": _sealed("an import never changes", "undo it, and import the right file"),
    "ck_statement_lines_undone_reversed": _sealed(
        "a statement line is undone when the entry that it became is reversed", "undo its import as a whole"
    ),
    "ck_statement_lines_undone_unmatched": _sealed("a statement line that is matched is not undone", "unmatch it"),
    # assertions
    "fk_assertions_ledger_id_account_id_accounts": _invalid(
        "an assertion is of an account of its ledger, and that account stays; close it instead"
    ),
    "fk_assertions_ledger_id_statement_id_statements": _invalid("an assertion names a statement of its ledger"),
    "ck_assertions_kind_known": _invalid("an assertion's kind is opening, running, closing, position or hand"),
    "ck_assertions_statement_known": _invalid("an assertion is of a statement, or else of kind hand"),
    "ck_assertions_amount_finite": lambda _: AmountError(..., "is not a finite number below 1E+24"),
    "ck_assertions_date_of_calendar": _invalid("an assertion is of a day of the years 1 to 9999"),
    "ck_assertions_sealed": _sealed("what a statement asserts never changes", "leave it, or assert it anew by hand"),
    # rules
    "fk_rules_ledger_id_account_id_accounts": _invalid("a rule names accounts of its ledger; remove the rule first"),
    "fk_rules_ledger_id_counter_id_accounts": _invalid("a rule names accounts of its ledger; remove the rule first"),
    "ck_rules_comparison_known": _invalid("the text of a rule is contained, equal or a regular expression"),
    "ck_rules_comparison_with_text": _invalid("a rule with a text says how it is compared"),
    "ck_rules_direction_known": _invalid("the direction of a rule is in or out"),
    "ck_rules_range_in_order": _invalid("the amounts of a rule are from 0, the minimum not above the maximum"),
    "ck_rules_condition_stated": _invalid("a rule without a condition would take every line: state one"),
    "ck_rules_result_stated": _invalid("a rule proposes an account, a payee or tags: state one"),
    "ck_rules_text_length": _invalid("the text of a rule has 1 to 1000 characters"),
    # matches and reconciliations
    "pk_matches": lambda _: AlreadyExistsError("match of this statement line"),
    "uq_matches_ledger_id_entry_id_posting": lambda _: AlreadyExistsError("match of this posting"),
    "fk_matches_ledger_id_line_id_statement_lines": _invalid("a match names a statement line of its ledger"),
    "ck_matches_posting_positive": _invalid("postings are numbered from 1"),
    "ck_matches_of_equals": _invalid(
        "a statement line is matched with a posting of the same account and amount, and not once it was undone"
    ),
    "ck_matches_reconciled": _sealed("the statement of this line is reconciled", "reopen it first"),
    "ck_matches_sealed": _sealed("a match never changes", "take it back, and match anew"),
    "pk_reconciliations": lambda _: AlreadyExistsError("reconciliation"),
    "fk_reconciliations_ledger_id_statement_id_statements": _invalid(
        "a reconciliation names a statement of its ledger"
    ),
    "ck_reconciliations_sealed": _sealed("a reconciliation never changes", "reopen the statement"),
    # statements
    "fk_statements_ledger_id_account_id_accounts": lambda _: AccountNotFoundError(None),
    "fk_statement_lines_ledger_id_account_id_accounts": lambda _: AccountNotFoundError(None),
    "fk_statement_lines_ledger_id_entry_id_journal_entries": lambda _: EntryNotFoundError(None),
    "fk_statement_lines_ledger_id_statement_id_statements": _invalid(
        "a statement line names a statement of its ledger"
    ),
    "ck_statements_file_sha256_length": _invalid("the SHA-256 of a file has 32 bytes"),
    "ck_statement_lines_kind_known": _invalid("a statement line's kind is cash or security"),
    "ck_statement_lines_occurrence_positive": _invalid("occurrences are numbered from 1"),
    "ck_statement_lines_fingerprint_length": _invalid("a fingerprint has 32 bytes"),
    "uq_statement_lines_ledger_id_account_id_fingerprint_occurrence": lambda _: AlreadyExistsError("statement line"),
    "ck_statements_sealed": _sealed("an imported statement never changes", "import the right file"),
    "ck_statement_lines_sealed": _sealed("an imported statement line never changes", "import the right file"),
    "ck_statement_lines_amount_finite": lambda _: AmountError(..., "is not a finite number below 1E+24"),
}
