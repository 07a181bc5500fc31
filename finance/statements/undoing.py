"""Taking an import back as a whole: what it posted is reversed, and what it stored is kept and marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import groupby
from uuid import UUID

from finance.connection import Record
from finance.errors import SealedError
from finance.identifiers import uuid7
from finance.models import EntryKind, NewEntry, NewPosting
from finance.statements.turns import take_turn
from finance.unit_of_work import UnitOfWork

_CHUNK = 500

_LINES_OF_IMPORT = "l.ledger_id = $1 AND s.ledger_id = $1 AND s.id = l.statement_id AND s.import_id = $2"
# What replaced an entry of the import is followed: an amendment, or a reversal that was itself reversed.
_ENTRIES = f"""
WITH RECURSIVE made AS (
    SELECT l.entry_id AS root, l.entry_id AS id
      FROM statement_lines AS l, statements AS s
     WHERE {_LINES_OF_IMPORT} AND l.entry_id IS NOT NULL AND l.undone_at IS NULL
    UNION ALL
    SELECT m.root, n.id
      FROM made AS m
     CROSS JOIN LATERAL (
           SELECT id FROM journal_entries WHERE ledger_id = $1 AND amends_id = m.id
           UNION ALL
           SELECT again.id FROM journal_entries AS r
             JOIN journal_entries AS again ON again.ledger_id = $1 AND again.reverses_id = r.id
            WHERE r.ledger_id = $1 AND r.reverses_id = m.id) AS n
)
SELECT m.root, m.id,
       EXISTS (SELECT FROM journal_entries AS r WHERE r.ledger_id = $1 AND r.reverses_id = m.id) AS is_reversed
  FROM made AS m ORDER BY m.id
"""  # noqa: S608 - our own names
_POSTINGS = """
SELECT e.id, e.date, p.account_id, p.amount, p.memo,
       coalesce((SELECT r.description FROM entry_revisions AS r
                  WHERE r.ledger_id = $1 AND r.entry_id = e.id AND r.revision = 1), e.description) AS description
  FROM journal_entries AS e JOIN postings AS p ON p.ledger_id = $1 AND p.entry_id = e.id
 WHERE e.ledger_id = $1 AND e.id = ANY ($2) ORDER BY e.id, p.line
"""
_RECONCILED = """
SELECT r.statement_id FROM reconciliations AS r JOIN statements AS s ON s.ledger_id = $1 AND s.id = r.statement_id
 WHERE r.ledger_id = $1 AND s.import_id = $2 ORDER BY r.statement_id LIMIT 1
"""
_UNMATCH = f"""
DELETE FROM matches AS m USING statement_lines AS l, statements AS s
 WHERE m.ledger_id = $1 AND m.line_id = l.id AND {_LINES_OF_IMPORT}
"""  # noqa: S608 - our own names
_MARK_LINES = f"""
UPDATE statement_lines AS l SET undone_at = now() FROM statements AS s WHERE {_LINES_OF_IMPORT} AND l.undone_at IS NULL
"""  # noqa: S608 - our own names
# A reversal is compared with its entry at COMMIT, which has one time limit for all of them: where they are many, each
# chunk is compared when it is written.
_SETTLE = "SET CONSTRAINTS unsettled_settle {mode}"
_MARK_IMPORT = "UPDATE imports SET undone_at = now(), undone_by = CURRENT_USER WHERE ledger_id = $1 AND id = $2"


@dataclass(frozen=True, slots=True)
class UndoneImport:
    """What undoing an import did.

    Attributes:
        id: The import's.
        file: The name of its file.
        lines: How many lines are marked as undone.
        reversed: How many entries were reversed, `replacements` among them.
        replacements: How many of those had been made since, by amending an entry of the import.
        already_reversed: How many of the import's entries somebody had reversed before, and nothing had replaced.
    """

    id: int
    file: str
    lines: int
    reversed: int
    replacements: int
    already_reversed: int


async def undo_import(uow: UnitOfWork, import_id: int, *, on: date | None = None) -> UndoneImport:
    """Reverse all that an import posted, and mark its lines as undone; all of it or nothing.

    Entries that somebody reversed since stay as they are; of those that were amended, what replaced them is reversed.
    Entries that were there before and were matched with lines are left alone. The lines stay as they came, and the same
    file can be imported again: its lines are new then, and the balances that it claims are asserted anew.

    Args:
        uow: The unit of work; an error undoes what this call did in it, and no more.
        import_id: Which one: `ImportResult.id`, or one that `uow.imports` lists.
        on: The day on which the reversals count; each entry's own unless given.

    Raises:
        NotFoundError: This ledger has no such import.
        SealedError: It was undone before, or a statement of it is reconciled.
        FinanceError: As `uow.journal.post()`: the period is closed, or an account is.

    Database:
        It takes turns with imports. Six statements, and two for 500 entries to reverse. With more than 500, whatever
        else waits for COMMIT to be checked in this transaction is checked at once.
    """
    async with uow.savepoint():
        await take_turn(uow)
        undone = await uow.imports.get_one(import_id)
        if undone.undone_at is not None:
            raise SealedError(f"import {import_id} was undone before", "import the file again")
        connection, ledger_id = uow.connection, uow.ledger_id
        if (statement := await connection.fetchval(_RECONCILED, ledger_id, import_id)) is not None:
            raise SealedError(f"statement {statement} of import {import_id} is reconciled", "reopen it first")
        made = await connection.fetch(_ENTRIES, ledger_id, import_id)
        standing = [row for row in made if not row["is_reversed"]]
        await _reverse(uow, [row["id"] for row in standing], on)
        await connection.execute(_UNMATCH, ledger_id, import_id)
        marked = await connection.execute(_MARK_LINES, ledger_id, import_id)
        await connection.execute(_MARK_IMPORT, ledger_id, import_id)
        return UndoneImport(
            id=import_id,
            file=undone.file_name,
            lines=int(marked.rpartition(" ")[2]),
            reversed=len(standing),
            replacements=sum(row["id"] != row["root"] for row in standing),
            already_reversed=len({row["root"] for row in made} - {row["root"] for row in standing}),
        )


async def _reverse(uow: UnitOfWork, entry_ids: Sequence[UUID], on: date | None) -> None:
    for start in range(0, len(entry_ids), _CHUNK):
        chunk = entry_ids[start : start + _CHUNK]
        rows = await uow.connection.fetch(_POSTINGS, uow.ledger_id, chunk)
        ids = iter(sorted(uuid7() for _ in chunk))
        entries = [_reversal(entry_id, list(lines), next(ids), on) for entry_id, lines in groupby(rows, key=_entry_of)]
        await uow.journal.post_many(entries)
        if len(entry_ids) > _CHUNK:
            for mode in ("IMMEDIATE", "DEFERRED"):
                await uow.connection.execute(_SETTLE.format(mode=mode))


def _entry_of(row: Record) -> UUID:
    entry_id: UUID = row["id"]
    return entry_id


def _reversal(entry_id: UUID, lines: Sequence[Record], reversal_id: UUID, on: date | None) -> NewEntry:
    first, amounts = lines[0], [Decimal(line["amount"]).copy_negate() for line in lines]
    return NewEntry(
        on or first["date"],
        f"Reversal of {first['description'] or entry_id}",
        [NewPosting(line["account_id"], amount, line["memo"]) for line, amount in zip(lines, amounts, strict=True)],
        id=reversal_id,
        kind=EntryKind.REVERSAL,
        reverses_id=entry_id,
    )
