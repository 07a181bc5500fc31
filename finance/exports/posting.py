"""Posting the entries of an export: each when those that it names are there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias
from uuid import UUID

from finance.errors import BooksFileError, ConflictError, InvalidError
from finance.models import NewEntry
from finance.repositories import Labels
from finance.unit_of_work import UnitOfWork

#: Entries that are posted by one statement, and that are in memory at a time.
BATCH = 1000

_STORED = "SELECT id FROM journal_entries WHERE ledger_id = $1 AND id = ANY ($2::uuid[])"
_REVERSED = "SELECT reverses_id AS id FROM journal_entries WHERE ledger_id = $1 AND reverses_id = ANY ($2::uuid[])"

#: What an entry waits for: "entry" and the id of one that is stored, or "reversal" and the id of one that is reversed.
Need: TypeAlias = tuple[str, UUID]


@dataclass(frozen=True, slots=True)
class Loaded:
    """What loading a file did: the entries and postings that were posted, and the accounts that were opened."""

    entries: int
    postings: int
    accounts: int


@dataclass(frozen=True, slots=True)
class Read:
    """An entry with its labels, the line of the file that it ends on, and what it still waits for."""

    entry: NewEntry
    labels: Labels
    line: int
    needs: set[Need] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "needs", _needs(self.entry))


class Loader:
    """Posts the entries of a file, each when what it names is there."""

    def __init__(self, uow: UnitOfWork, file: str) -> None:
        self._file = file
        self._uow = uow
        self._waiting: dict[Need, list[Read]] = {}
        self._entries = self._postings = 0

    async def post(self, batch: Sequence[Read]) -> None:
        """Post those of *batch* that need not wait, then those that have waited for them, and so on.

        Raises:
            BooksFileError: An entry stands in the file twice, or is refused.
        """
        stored = await self._stored({need for each in batch for need in each.needs})
        ready = []
        for each in batch:
            each.needs.difference_update(stored)
            if each.needs:
                self._wait(each)
            else:
                ready.append(each)
        # Never together with what it names: the database takes no postings for an entry that is reversed already.
        while ready:
            await self._post(ready)
            ready = [each for some in ready for each in self._released(some.entry)]

    async def _post(self, ready: Sequence[Read]) -> None:
        lines = {each.entry.id: each.line for each in ready}
        try:
            posted = await self._uow.journal.post_many([each.entry for each in ready])
        except (InvalidError, ConflictError) as error:
            line = lines.get(getattr(error, "entry_id", None) or UUID(int=0))
            raise BooksFileError(self._file, f"{error}", line=line) from error
        for answer in posted:
            if answer.is_replay:
                raise BooksFileError(self._file, f"entry {answer.id} stands in it twice", line=lines[answer.id])
        await self._uow.journal.label_many({each.entry.id: each.labels for each in ready if each.labels != Labels()})
        self._entries += len(ready)
        self._postings += sum(len(each.entry.postings) for each in ready)

    def finished(self, accounts: int) -> Loaded:
        """Return what was done.

        Raises:
            BooksFileError: An entry still waits for one that the file does not have.
        """
        for (what, entry_id), waiting in self._waiting.items():
            reason = f"it names entry {entry_id}, of which the file has no {what}"
            raise BooksFileError(self._file, reason, line=waiting[0].line)
        return Loaded(self._entries, self._postings, accounts)

    def _wait(self, read: Read) -> None:
        for need in read.needs:
            self._waiting.setdefault(need, []).append(read)

    def _released(self, entry: NewEntry) -> Iterator[Read]:
        """Yield what has waited for *entry*, and waits for nothing else."""
        for need in _provided(entry):
            for waiting in self._waiting.pop(need, ()):
                waiting.needs.discard(need)
                if not waiting.needs:
                    yield waiting

    async def _stored(self, needs: set[Need]) -> set[Need]:
        found: set[Need] = set()
        for what, query in (("entry", _STORED), ("reversal", _REVERSED)):
            if ids := [entry_id for kind, entry_id in needs if kind == what]:
                rows = await self._uow.connection.fetch(query, self._uow.ledger_id, ids)
                found |= {(what, row["id"]) for row in rows}
        return found


def _needs(entry: NewEntry) -> set[Need]:
    """Return what has to be stored before *entry*: what it reverses; what it amends, reversed."""
    needs: set[Need] = set()
    if entry.reverses_id is not None:
        needs.add(("entry", entry.reverses_id))
    if entry.amends_id is not None:
        needs |= {("entry", entry.amends_id), ("reversal", entry.amends_id)}
    return needs


def _provided(entry: NewEntry) -> Iterator[Need]:
    yield "entry", entry.id
    if entry.reverses_id is not None:
        yield "reversal", entry.reverses_id
