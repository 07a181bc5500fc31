"""`finance redact` and `finance erase`: what is forgotten for good."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from uuid import UUID

from cyclopts import Parameter

from finance.cli.books import HERE, Where, connected, existing_ledger
from finance.cli.terminal import write_json, write_text
from finance.errors import InvalidError

Yes = Annotated[bool, Parameter(negative="", help="Do it; without this, only what would be done is told.")]


async def redact(
    *,
    entry: Annotated[list[UUID] | None, Parameter(negative="", help="This entry; may be given again.")] = None,
    payee: Annotated[str | None, Parameter(help="Whatever has this payee, or had it, or names it.")] = None,
    through: Annotated[date | None, Parameter(help="Everything up to and including this day.")] = None,
    yes: Yes = False,
    where: Where = HERE,
) -> None:
    """Take words out for good: descriptions, details, payees, tags, memos, a bank's lines. All money stays."""
    async with connected(where) as db:
        ledger = await existing_ledger(db, where)
        redacted = await db.ledgers.redact(ledger, entries=entry, payee=payee, through=through, dry_run=not yes)
        what = f"{redacted.entries} entries and {redacted.lines} lines of statements in ledger {ledger.name!r}"
        _require_yes(f"{what} would lose their words", yes=yes)
    if where.json:
        counts = {name: getattr(redacted, name) for name in ("entries", "lines", "payees", "tags", "rules")}
        write_json({"redaction": redacted.id, **counts, "still_named": dict(redacted.still_named)})
    else:
        removed = f"{redacted.payees} payees, {redacted.tags} tags and {redacted.rules} rules removed"
        write_text(f"{redacted.entries} entries and {redacted.lines} lines of statements redacted, {removed}")
        for table, rows in redacted.still_named.items():
            write_text(f"{rows} of {table} have the name in their own: rename them")


async def erase(*, yes: Yes = False, where: Where = HERE) -> None:
    """Erase a whole ledger for good, and leave a record that it was done."""
    async with connected(where) as db:
        ledger = await existing_ledger(db, where)
        _require_yes(f"ledger {ledger.name!r} would be erased with all that is in it", yes=yes)
        erased = await db.ledgers.erase(ledger)
    if where.json:
        write_json({"ledger": erased.ledger_id, "erased_at": erased.erased_at.isoformat(), "counts": erased.counts})
    else:
        entries, postings = (erased.counts.get(table, 0) for table in ("journal_entries", "postings"))
        write_text(f"ledger {erased.ledger_id} erased: {entries} entries, {postings} postings")


def _require_yes(what: str, *, yes: bool) -> None:
    """Refuse to go on without the option.

    Raises:
        InvalidError: It is missing.
    """
    if not yes:
        raise InvalidError(f"{what}, for good: give --yes to do it")
