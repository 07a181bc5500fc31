"""`finance upgrade`."""

from __future__ import annotations

from finance.cli.books import HERE, Where, connected
from finance.cli.terminal import write_json, write_text


async def upgrade(*, where: Where = HERE) -> None:
    """Bring the database's tables to the revision of this version, as `alembic upgrade head` does.

    It concerns every ledger of the database.
    """
    async with connected(where, migrate=False) as db:
        before = await db.migrations.current()
        await db.migrations.upgrade()
        head = db.migrations.head
    if where.json:
        write_json({"from": before, "to": head})
    elif before == head:
        write_text(f"The database is at revision {head} already.")
    else:
        write_text(f"The database was at {f'revision {before}' if before else 'no revision'}; it is at {head} now.")
