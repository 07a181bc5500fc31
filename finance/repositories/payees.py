"""The payees of a ledger: whom entries are with."""

from __future__ import annotations

from finance.models import Payee
from finance.repositories.named import NamedRepository

# In the order in which `uow.journal.label_many()` locks entries, too. What is replaced goes to their history.
_MOVE = """
WITH moved AS MATERIALIZED (
    SELECT id FROM journal_entries WHERE ledger_id = $1 AND payee_id = $2 ORDER BY id FOR NO KEY UPDATE
)
UPDATE journal_entries AS e SET payee_id = $3 FROM moved WHERE e.ledger_id = $1 AND e.id = moved.id
"""


class PayeeRepository(NamedRepository[Payee]):
    """The payees of this ledger, in order of their names without regard to case."""

    model = Payee
    order = (Payee.key,)
    moves = (_MOVE,)
