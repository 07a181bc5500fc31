"""How holds are released, and expire: the statements that the holds and the accounts share."""

from __future__ import annotations

from finance.repositories.base import Scope

# Who closes holds takes the closing lock, the accounts in order, and then the holds: as whoever posts does.
_LOCK = """
WITH closing AS MATERIALIZED (SELECT pg_advisory_xact_lock_shared(1179209295, hashint8($1))),
account AS MATERIALIZED (
    SELECT a.id FROM closing, accounts AS a
     WHERE a.ledger_id = $1 AND a.id IN (SELECT h.account_id FROM holds AS h WHERE h.ledger_id = $1 AND {which})
     ORDER BY a.id FOR NO KEY UPDATE OF a
)
UPDATE holds AS h SET status = '{status}' FROM account AS a
 WHERE h.ledger_id = $1 AND h.account_id = a.id AND h.status = 'open' AND {which}
"""
RELEASE = _LOCK.format(status="released", which="h.id = $2")
_EXPIRE = _LOCK.format(
    status="expired",
    which="h.status = 'open' AND h.expires_at <= clock_timestamp() AND ($2::bigint IS NULL OR h.account_id = $2)",
)


async def expire(scope: Scope, account_id: int | None = None) -> int:
    """Close the holds of the ledger, or of one account, whose time is over, and return how many there were.

    Database:
        One UPDATE, which locks the accounts' rows in the order of their ids.
    """
    command: str = await scope.connection.execute(_EXPIRE, scope.ledger_id, account_id)
    return int(command.rpartition(" ")[2])
