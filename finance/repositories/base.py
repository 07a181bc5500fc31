"""What every repository can do: read by key, read a page, add, remove. It never commits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from sqlalchemy import Select, inspect, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from finance.connection import Connection
from finance.errors import InvalidError, NotFoundError
from finance.integrity import translated
from finance.models import Base
from finance.pagination import PAGE_SIZE, Page, decode_key, encode_cursor, require_limit

M = TypeVar("M", bound=Base)


class KnownCurrencies:
    """The currencies of the accounts that were posted to, so that they are looked up once.

    An account never changes its currency or its ledger, and its id is never given out again. Should one be wrong all
    the same (another database was put in this one's place), the guards refuse the posting.
    """

    _LIMIT = 100_000

    def __init__(self) -> None:
        self._found: dict[tuple[int | None, int], str] = {}
        self._older: dict[tuple[int | None, int], str] = {}

    def get(self, ledger_id: int | None, account_id: int) -> str | None:
        """Return the currency of an account of this ledger, or None where it is not known."""
        key = (ledger_id, account_id)
        currency = self._found.get(key)
        if currency is None and (currency := self._older.get(key)) is not None:
            self.add(ledger_id, account_id, currency)
        return currency

    def add(self, ledger_id: int | None, account_id: int, currency: str) -> None:
        """Remember the currency of an account, at least until as many others as the limit were asked for or added."""
        if len(self._found) >= self._LIMIT:
            self._older, self._found = self._found, {}
        self._found[ledger_id, account_id] = currency


@dataclass(frozen=True, slots=True)
class Scope:
    """What the repositories of one unit of work share: its session, its connection, its ledger."""

    session: AsyncSession
    connection: Connection
    ledger_id: int | None
    currencies: KnownCurrencies

    def require_open(self) -> AsyncSession:
        """Return the session while the unit of work is open.

        Raises:
            ClosedError: It is over.
        """
        self.connection.require_open()
        return self.session


class Repository(Generic[M]):
    """Rows of one model, within the ledger of the unit of work where the model has one.

    Reads see what the database holds now, the pending changes of this unit of work included: a row that
    was read before is refreshed.
    """

    model: ClassVar[type[Any]]
    #: The order of pages: columns that are never null and end with the key.
    order: ClassVar[tuple[InstrumentedAttribute[Any], ...]]

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    async def get(self, key: Any, *, for_update: bool = False) -> M | None:
        """Return the row with this id, or None.

        Args:
            key: The id, or the tuple of what identifies it; the ledger is that of the unit of work.
            for_update: Lock the row against other writers until the end of the transaction.

        Database:
            One SELECT; with *for_update* a FOR NO KEY UPDATE row lock.
        """
        session = self._scope.require_open()
        with translated():
            row: M | None = await session.get(
                self.model,
                self._identity(key),
                populate_existing=True,
                with_for_update={"key_share": True} if for_update else None,
            )
        return row

    async def get_one(self, key: Any, *, for_update: bool = False) -> M:
        """Return the row with this id.

        Raises:
            NotFoundError: There is none in this ledger.

        Database:
            As `get()`.
        """
        row = await self.get(key, for_update=for_update)
        if row is None:
            raise self._not_found(key)
        return row

    async def page(self, *, after: str | None = None, limit: int = PAGE_SIZE) -> Page[M]:
        """Return up to *limit* rows in the order of this repository, behind the cursor *after*.

        Raises:
            InvalidError: The cursor is not of this list, or the limit not between 1 and 1000.

        Database:
            One SELECT along an index; no locks.
        """
        return await self._page(select(self.model), after, limit)

    async def stream(self, *, batch: int = PAGE_SIZE) -> AsyncIterator[M]:
        """Yield every row in the order of this repository, reading *batch* rows at a time.

        Database:
            One SELECT a batch; no locks; memory for one batch.
        """
        cursor: str | None = None
        while True:
            page = await self.page(after=cursor, limit=batch)
            for row in page.items:
                yield row
            cursor = page.next_cursor
            if cursor is None:
                return

    async def add(self, row: M) -> M:
        """Insert *row* and return it with what the database filled in.

        Raises:
            InvalidError: It is of another ledger.
            FinanceError: A rule of the database refuses it; the transaction is aborted then.

        Database:
            One INSERT.
        """
        session = self._scope.require_open()
        if self._is_scoped and getattr(row, "ledger_id", None) is None:
            row.ledger_id = self._scope.ledger_id  # type: ignore[attr-defined]
        self._require_own(row)
        session.add(row)
        await self._flush()
        return row

    async def remove(self, row: M) -> None:
        """Delete *row*, where the books allow it.

        Raises:
            InvalidError: It is of another ledger.
            SealedError: The row is part of committed books.

        Database:
            One DELETE.
        """
        session = self._scope.require_open()
        self._require_own(row)
        await session.delete(row)
        await self._flush()

    def _require_own(self, row: Any) -> None:
        if self._is_scoped and row.ledger_id != self._scope.ledger_id:
            raise InvalidError(f"{row!r} is of another ledger than this unit of work")

    async def _flush(self) -> None:
        with translated():
            await self._scope.session.flush()

    async def _page(self, statement: Select[M], after: str | None, limit: int) -> Page[M]:
        session = self._scope.require_open()
        if self._is_scoped:
            statement = statement.where(self.model.ledger_id == self._scope.ledger_id)
        if after is not None:
            statement = statement.where(tuple_(*self.order) > tuple_(*self._key_of(after)))
        statement = statement.order_by(*self.order).limit(require_limit(limit) + 1)
        with translated():
            result = await session.scalars(statement.execution_options(populate_existing=True))
        rows: Sequence[M] = result.all()
        has_more = len(rows) > limit
        return Page(rows[:limit], self._cursor_of(rows[limit - 1]) if has_more else None)

    def _cursor_of(self, row: M) -> str:
        return encode_cursor(self.model.__tablename__, [getattr(row, column.key) for column in self.order])

    def _key_of(self, cursor: str) -> list[Any]:
        return decode_key(cursor, self.model.__tablename__, [column.type.python_type for column in self.order])

    def _identity(self, key: Any) -> Any:
        if not self._is_scoped:
            return key
        return (self._scope.ledger_id, *key) if isinstance(key, tuple) else (self._scope.ledger_id, key)

    @property
    def _is_scoped(self) -> bool:
        return len(inspect(self.model).primary_key) > 1

    def _not_found(self, key: Any) -> NotFoundError:
        return NotFoundError(f"no {self.model.__name__.lower()} {key!r}")
