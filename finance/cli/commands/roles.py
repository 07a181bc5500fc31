"""`finance roles`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from cyclopts import Parameter

from finance.cli.books import HERE, Where, connected
from finance.cli.terminal import write_json, write_text

_WHAT = {
    "owner": "owns tables and functions, and migrates",
    "app": "reads and writes every ledger, within the rules of the books",
    "tenant": "the same for the ledger of its transaction, and sees no other",
    "reader": "reads every ledger",
}


async def roles(
    *,
    prefix: Annotated[str, Parameter(help="What the names of the roles start with.")] = "finance",
    sql: Annotated[bool, Parameter(negative="", help="Print the SQL, and change nothing.")] = False,
    where: Where = HERE,
) -> None:
    """Make the roles that own the books, use them, see one ledger of them, or read them; repeat it after an upgrade.

    Grant them to logins of your own: GRANT finance_app TO my_login. It takes a superuser, or the owner of the tables
    with CREATEROLE.
    """
    async with connected(where, migrate=False) as db:
        if sql:
            write_text(";\n".join(await db.roles.statements(prefix)) + ";")
            return
        names = await db.roles.create(prefix)
    if where.json:
        write_json(asdict(names))
    else:
        write_text("\n".join(f"{name:24} {_WHAT[role]}" for role, name in asdict(names).items()))
