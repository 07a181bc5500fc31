"""What payees and tags have in common: a name that is unique without regard to case, and merging."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, TypeVar

from sqlalchemy import func, select
from sqlalchemy.orm import aliased

from finance.errors import AlreadyExistsError, InvalidError, NotFoundError, SerializationError
from finance.integrity import translated
from finance.models import Payee, Tag
from finance.models.label import NAME_MAX
from finance.models.new_entry import require_text
from finance.pagination import PAGE_SIZE, Page
from finance.repositories.base import Repository

N = TypeVar("N", Payee, Tag)

# Locked, so that nobody merges or removes them before they are used. What was merged meanwhile is not found.
_FIND = """
SELECT n.name, t.id FROM unnest($2::text[]) AS n(name)
  JOIN {table} AS f ON f.ledger_id = $1 AND f.key = lower(n.name)
  JOIN {table} AS t ON t.ledger_id = $1 AND t.id = coalesce(f.merged_into_id, f.id)
   FOR SHARE OF f, t
"""
# In one order whoever makes them, so that two who make the same do not wait for each other in a circle.
_MAKE = """
INSERT INTO {table} (ledger_id, name)
SELECT DISTINCT ON (lower(n.name)) $1, n.name FROM unnest($2::text[]) WITH ORDINALITY AS n(name, place)
 ORDER BY lower(n.name), n.place
ON CONFLICT (ledger_id, key) DO NOTHING
"""
_RENAME = "UPDATE {table} SET name = $3 WHERE ledger_id = $1 AND id = $2"
_LOCK = """
SELECT id, merged_into_id FROM {table} WHERE ledger_id = $1 AND id = ANY ($2::bigint[]) ORDER BY id FOR NO KEY UPDATE
"""
_MERGE = "UPDATE {table} SET merged_into_id = $3 WHERE ledger_id = $1 AND (id = $2 OR merged_into_id = $2)"
_REMOVE = "DELETE FROM {table} WHERE ledger_id = $1 AND (id = $2 OR merged_into_id = $2)"
_ALIASES = "SELECT name FROM {table} WHERE ledger_id = $1 AND merged_into_id = $2 ORDER BY key"


class NamedRepository(Repository[N]):
    """Rows with a name. Pages and streams leave out those that were merged: the names of others lead there."""

    #: The statements that take entries from one, $2, to another, $3.
    moves: ClassVar[tuple[str, ...]]

    async def get_by_name(self, name: str) -> N | None:
        """Return the one that *name* leads to, without regard to case and surrounding blanks, or None.

        Database:
            One SELECT along an index.
        """
        session, model = self._scope.require_open(), self.model
        named = aliased(model)
        is_found = (named.ledger_id == self._scope.ledger_id) & (named.key == func.lower(self._cleaned(name)))
        leads_here = (named.ledger_id == model.ledger_id) & (model.id == func.coalesce(named.merged_into_id, named.id))
        with translated():
            found: N | None = await session.scalar(
                select(model).join(named, leads_here).where(is_found).execution_options(populate_existing=True)
            )
        return found

    async def create(self, name: str) -> N:
        """Make one of this name, kept as it is written but for surrounding blanks.

        Raises:
            AlreadyExistsError: The name is taken, if only by one that was merged.
            InvalidError: It has no or more than 500 characters.

        Database:
            One INSERT and one SELECT.
        """
        made = await self._scope.connection.execute(self._sql(_MAKE), self._scope.ledger_id, [self._cleaned(name)])
        found = await self.get_by_name(name) if made != "INSERT 0 0" else None
        if found is None:
            raise AlreadyExistsError(self._what)
        return found

    async def get_or_create(self, name: str) -> N:
        """Return the one that *name* leads to, making it when there is none.

        Raises:
            InvalidError: The name has no or more than 500 characters.
            SerializationError: It was made after this transaction's snapshot was taken.

        Database:
            One SELECT; when it is new, also one INSERT and one SELECT.
        """
        found = await self.get_by_name(name)
        if found is None:
            await self._scope.connection.execute(self._sql(_MAKE), self._scope.ledger_id, [self._cleaned(name)])
            found = await self.get_by_name(name)
        if found is None:
            raise SerializationError
        return found

    async def ids_of(self, names: Iterable[str]) -> dict[str, int]:
        """Return the ids that *names* lead to, making those that are missing, and lock them against merging.

        Raises:
            InvalidError, SerializationError: As `get_or_create()`.

        Database:
            One SELECT FOR SHARE; when some are new, also one INSERT and one SELECT FOR SHARE.
        """
        cleaned = {name: self._cleaned(name) for name in dict.fromkeys(names)}
        found = await self._find(cleaned.values())
        if missing := [name for name in cleaned.values() if name not in found]:
            await self._scope.connection.execute(self._sql(_MAKE), self._scope.ledger_id, missing)
            found |= await self._find(missing)
        if any(name not in found for name in cleaned.values()):
            raise SerializationError
        return {name: found[clean] for name, clean in cleaned.items()}

    async def rename(self, row: N | int, name: str) -> N:
        """Give it another name; every entry that has it shows that one. To keep the old name as an alias, merge.

        Raises:
            NotFoundError: This ledger has no such one.
            AlreadyExistsError: The name is taken by another.
            InvalidError: It has no or more than 500 characters.

        Database:
            One UPDATE and one SELECT.
        """
        key = _id_of(row)
        await self._scope.connection.execute(self._sql(_RENAME), self._scope.ledger_id, key, self._cleaned(name))
        return await self.get_one(key)

    async def merge(self, source: N | int, into: N | int) -> N:
        """Move every entry of *source* to *into*, and return that; the name of *source* leads there from now on.

        So do the names that led to *source*. Merging again changes nothing.

        Raises:
            NotFoundError: This ledger does not have both.
            InvalidError: They are the same, or one of them was merged into another already.

        Database:
            Two SELECTs, the first of them FOR NO KEY UPDATE; one or two statements that move entries, and one UPDATE.
        """
        ledger_id, old, new = self._scope.ledger_id, _id_of(source), _id_of(into)
        if old == new:
            raise InvalidError(f"a {self._what} is merged into another")
        rows = await self._scope.connection.fetch(self._sql(_LOCK), ledger_id, [old, new])
        merged = {row["id"]: row["merged_into_id"] for row in rows}
        for key in (old, new):
            if key not in merged:
                raise self._not_found(key)
        if merged[new] is not None or merged[old] not in {None, new}:
            raise InvalidError(f"one of them was merged into another {self._what} already: merge that one")
        if merged[old] is None:
            for statement in (*self.moves, self._sql(_MERGE)):
                await self._scope.connection.execute(statement, ledger_id, old, new)
        return await self.get_one(new)

    async def aliases(self, row: N | int) -> tuple[str, ...]:
        """Return the names of what was merged into this one, in their order.

        Database:
            One SELECT along an index.
        """
        rows = await self._scope.connection.fetch(self._sql(_ALIASES), self._scope.ledger_id, _id_of(row))
        return tuple(row["name"] for row in rows)

    async def remove(self, row: N) -> None:
        """Delete *row* with the names that lead to it, while no entry has it.

        Raises:
            InvalidError: It is of another ledger.
            SealedError: Entries have it, or had it.

        Database:
            One DELETE.
        """
        session = self._scope.require_open()
        self._require_own(row)
        await self._scope.connection.execute(self._sql(_REMOVE), self._scope.ledger_id, row.id)
        if row in session:
            session.expunge(row)

    async def page(self, *, after: str | None = None, limit: int = PAGE_SIZE) -> Page[N]:
        """Return up to *limit* of those that were not merged, in order of their names, behind the cursor *after*.

        Raises:
            InvalidError: The cursor is not of this list, or the limit not between 1 and 1000.

        Database:
            One SELECT along an index; no locks.
        """
        return await self._page(select(self.model).where(self.model.merged_into_id.is_(None)), after, limit)

    async def _find(self, names: Iterable[str]) -> dict[str, int]:
        rows = await self._scope.connection.fetch(self._sql(_FIND), self._scope.ledger_id, list(names))
        return {row["name"]: row["id"] for row in rows}

    def _cleaned(self, name: str) -> str:
        return clean_name(self._what, name)

    def _sql(self, statement: str) -> str:
        return statement.format(table=self.model.__tablename__)

    @property
    def _what(self) -> str:
        return str(self.model.__name__.lower())

    def _not_found(self, key: int) -> NotFoundError:
        return NotFoundError(f"this ledger has no {self._what} {key}")


def _id_of(row: Payee | Tag | int) -> int:
    return row if isinstance(row, int) else row.id


def clean_name(what: str, name: str) -> str:
    """Return the *name* of a payee or a tag without the blanks around it.

    Raises:
        InvalidError: It is no text, or has no or too many characters; *what* has the name, which is not shown.
    """
    require_text(f"the name of a {what}", name)
    cleaned = name.strip()
    if not 1 <= len(cleaned) <= NAME_MAX:
        raise InvalidError(f"the name of a {what} has 1 to {NAME_MAX} characters")
    return cleaned
