"""`finance verify`."""

from __future__ import annotations

from finance.cli import documents, tables
from finance.cli.books import HERE, Where, connected, ledger_of
from finance.cli.terminal import tell, write_json, write_listing, write_text


async def verify(*, where: Where = HERE) -> int:
    """Compute everything that is derived in the books again, and compare. Problems give exit status 1."""
    async with connected(where) as db:
        ledger = await ledger_of(db, where)
        found = await db.verify(ledger)
    document = documents.verification(ledger.name, found)
    if where.json:
        write_json(document)
    else:
        counts = f"{found.accounts} accounts, {found.entries} entries, {found.postings} postings"
        write_text(f"{counts}: {'the books agree with themselves.' if found.is_clean else 'see below.'}")
    if found.is_clean:
        return 0
    if not where.json:
        write_listing(tables.problems(document))
    tell(f"contradictions in ledger {ledger.name!r}: {len(found.problems)}")
    return 1
