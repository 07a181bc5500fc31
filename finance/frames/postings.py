"""Every posting of the journal as Arrow record batches, through a cursor and in bounded memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from finance.connection import Record
from finance.errors import InvalidError, UsageError
from finance.frames.columns import Column, array, arrow, digits_before_point, schema, type_of
from finance.unit_of_work import UnitOfWork

if TYPE_CHECKING:
    import pyarrow

_COLUMNS: tuple[Column, ...] = (
    ("date", "date"), ("entry_id", "text"), ("line", "number"), ("kind", "text"), ("description", "text"),
    ("account_id", "number"), ("account", "text"), ("type", "text"), ("currency", "text"), ("amount", "amount"),
    ("memo", "text"), ("recorded_at", "instant"),
)  # fmt: skip
# In the order of an index, so that the first row comes at once. OFFSET 0 keeps the planner to looking entry by entry:
# of a ledger that was filled a moment ago it has no statistics, takes it for empty, and would join all with all.
_ROWS = """
SELECT e.date, e.id::text AS entry_id, p.line, e.kind, e.description, p.account_id, p.account, p.type, p.currency,
       p.amount, p.memo, e.recorded_at
  FROM journal_entries AS e
 CROSS JOIN LATERAL (
    SELECT q.line, q.account_id, a.name AS account, a.type, q.currency, q.amount, q.memo
      FROM postings AS q
      JOIN accounts AS a ON a.ledger_id = q.ledger_id AND a.id = q.account_id
     WHERE q.ledger_id = e.ledger_id AND q.entry_id = e.id ORDER BY q.line OFFSET 0) AS p
 WHERE e.ledger_id = $1 AND e.date BETWEEN $2 AND $3
 ORDER BY e.date, e.id, p.line
"""
# No posting is larger than what its account moved on one side in its month, and months are fewer than postings.
_BOUNDS = """
SELECT coalesce((SELECT max(c.exponent) FROM currencies AS c WHERE c.ledger_id = $1), 0) AS scale,
       coalesce((SELECT max(greatest(t.debit, t.credit)) FROM monthly_totals AS t WHERE t.ledger_id = $1), 0) AS largest
"""
_ISOLATION = "SELECT current_setting('transaction_isolation')"


@dataclass(frozen=True, slots=True)
class PostingBatches:
    """Postings as record batches of one `schema`: iterate once, in the unit of work that they were asked of."""

    schema: pyarrow.Schema
    _rows: AsyncIterator[Sequence[Record]]

    async def __aiter__(self) -> AsyncIterator[pyarrow.RecordBatch]:
        """Yield the batches, in order of date, entry id and line."""
        async for rows in self._rows:
            yield _batch(self.schema, rows)


async def posting_batches(
    uow: UnitOfWork, *, start_on: date | None = None, end_on: date | None = None, batch: int = 10_000
) -> PostingBatches:
    """Return the postings from *start_on* through *end_on*, each with its entry and account, by up to *batch* rows.

    The scale of the amounts is that of the ledger's finest currency. They are decimal128 unless more than 38 digits may
    be needed, which the largest monthly total decides.

    Raises:
        UsageError: The unit of work is under "read_committed"; open it with `isolation="repeatable_read"`.
        InvalidError: *batch* is less than 1.
        ConfigurationError: The extra `dataframe` is not installed.

    Database:
        Two SELECTs, and one along an index through a cursor; no locks; memory for one batch.
    """
    if batch < 1:
        raise InvalidError(f"batch {batch}: give how many rows a batch has, 1 or more")
    if await uow.connection.fetchval(_ISOLATION) not in {"repeatable read", "serializable"}:
        raise UsageError('an export is of one instant: open the unit of work with isolation="repeatable_read"')
    bounds = await uow.connection.fetch(_BOUNDS, uow.ledger_id)
    largest: Decimal = bounds[0]["largest"]
    described = schema(_COLUMNS, type_of(digits_before_point(largest), bounds[0]["scale"], largest))
    days = (start_on or date.min, end_on or date.max)
    return PostingBatches(described, uow.connection.batches(_ROWS, uow.ledger_id, *days, batch=batch))


def _batch(described: Any, rows: Sequence[Record]) -> pyarrow.RecordBatch:
    arrays = [
        array([row[name] for row in rows], kind, described.field(place).type)
        for place, (name, kind) in enumerate(_COLUMNS)
    ]
    return arrow().RecordBatch.from_arrays(arrays, schema=described)
