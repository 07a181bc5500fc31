"""`finance verify`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from finance.cli import documents, tables
from finance.cli.books import HERE, Where, connected, ledger_of
from finance.cli.terminal import progress, tell, write_json, write_listing, write_text


async def verify(
    *,
    rebuild: Annotated[
        bool, Parameter(help="First restore the balances and monthly totals that contradict the postings.", negative="")
    ] = False,
    where: Where = HERE,
) -> int:
    """Compute everything that is derived in the books again, and compare. Problems give exit status 1."""
    async with connected(where) as db:
        ledger = await ledger_of(db, where)
        with progress("verifying", is_long=True) as show:
            if rebuild:
                rebuilt = await db.journal.rebuild(ledger, progress=lambda each: show(each.done, each.total))
                for account in rebuilt.mended:
                    tell(
                        f"account {account.account_id} rebuilt: {account.balance_before:f} to"
                        f" {account.balance_after:f}, monthly totals mended: {account.months}"
                    )
            found = await db.verify(ledger, progress=lambda each: show(each.done, each.total))
    document = documents.verification(ledger.name, found)
    if where.json:
        write_json(document)
    else:
        counts = f"{found.accounts} accounts, {found.entries} entries, {found.postings} postings"
        counts += f", {found.redacted} entries redacted" if found.redacted else ""
        write_text(f"{counts}: {'the books agree with themselves.' if found.is_clean else 'see below.'}")
    if found.is_clean:
        return 0
    if not where.json:
        write_listing(tables.problems(document))
    tell(f"contradictions in ledger {ledger.name!r}: {len(found.problems)}")
    return 1
