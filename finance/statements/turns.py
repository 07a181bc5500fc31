"""Who writes what banks sent takes turns with the others who do, in one ledger."""

from __future__ import annotations

from sqlalchemy import func, select

from finance.integrity import translated
from finance.unit_of_work import UnitOfWork

#: The class of the advisory lock.
_LOCK_CLASS = 1179209297


async def take_turn(uow: UnitOfWork) -> None:
    """Wait until no other transaction imports into this ledger or undoes an import; hold the turn until the end.

    Database:
        One advisory lock.
    """
    with translated():
        await uow.session.execute(select(func.pg_advisory_xact_lock(_LOCK_CLASS, func.hashint8(uow.ledger_id))))
