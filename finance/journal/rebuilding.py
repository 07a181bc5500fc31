"""Restoring what the database derives from the postings: account by account, while posting goes on."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from decimal import Decimal

from finance.connection import Connection
from finance.errors import AccountNotFoundError, BalanceLimitError
from finance.reports import Problem
from finance.reports.verification import HELD, Progress, Watcher, compare_totals
from finance.unit_of_work import UnitOfWork

# The guard behind it locks the account as posters do, computes everything again, and returns no row when all agreed.
_REBUILD = """
INSERT INTO rebuilds (ledger_id, account_id) VALUES ($1, $2)
RETURNING account_id, balance_before, balance_after, held_before, held_after, months
"""


@dataclass(frozen=True, slots=True)
class Mended:
    """An account that contradicted its postings or its holds: its balance and what is held, before and after.

    `months` of its monthly totals were added, changed or removed.
    """

    account_id: int
    balance_before: Decimal
    balance_after: Decimal
    held_before: Decimal
    held_after: Decimal
    months: int


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild looked at, what it mended, and what it could not mend, each by the id of the account."""

    accounts: int
    mended: tuple[Mended, ...]
    problems: tuple[Problem, ...]


async def find_contradictions(uow: UnitOfWork, progress: Watcher | None) -> tuple[int, list[int]]:
    """Return how many accounts there are, and the ids of those that contradict their postings, in order."""
    found: set[int] = set()
    expected = await uow.connection.fetchval(
        "SELECT coalesce(sum(postings), 0)::bigint FROM monthly_totals WHERE ledger_id = $1", uow.ledger_id
    )

    def tell(done: int) -> None:
        if progress is not None:
            progress(Progress("accounts", done, max(done, expected), len(found)))

    accounts = await compare_totals(
        uow.connection, uow.ledger_id, lambda _rule, subject, _found: found.add(int(subject)), tell
    )
    found |= {int(row["subject"]) for row in await uow.connection.fetch(HELD, uow.ledger_id)}
    return accounts, sorted(found)


async def rebuild(
    begin: Callable[..., AbstractAsyncContextManager[Connection]],
    ledger_id: int,
    account_ids: list[int],
    progress: Watcher | None,
) -> tuple[list[Mended], list[Problem]]:
    """Rebuild *account_ids*, each in a transaction of its own, and tell what became of each."""
    mended: list[Mended] = []
    problems: list[Problem] = []
    for done, account_id in enumerate(account_ids, 1):
        try:
            # Each statement of it sees what was committed before: the lock comes first, the sums behind it.
            async with begin(isolation="read_committed", statement_timeout=math.inf) as connection:
                row = await connection.fetchrow(_REBUILD, ledger_id, account_id)
        except (AccountNotFoundError, BalanceLimitError) as error:
            problems.append(Problem("account cannot be rebuilt", str(account_id), str(error)))
        else:
            # A row is missing when somebody else was faster.
            mended += [Mended(*row)] if row is not None else []
        if progress is not None:
            progress(Progress("rebuilding", done, len(account_ids), len(problems)))
    return mended, problems
