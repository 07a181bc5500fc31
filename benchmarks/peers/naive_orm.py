"""SQLAlchemy's ORM as its tutorial has it: a session and a commit for each entry."""

from __future__ import annotations

import datetime
import functools
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal

import asyncpg
from sqlalchemy import BigInteger, ForeignKey, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from benchmarks.peers import SCHEMA, Transfer
from finance.identifiers import uuid7


class _Base(DeclarativeBase):
    type_annotation_map = {int: BigInteger}  # noqa: RUF012 - the form that SQLAlchemy documents


class _Account(_Base):
    __tablename__ = "accounts"
    __table_args__ = {"schema": SCHEMA}  # noqa: RUF012

    id: Mapped[int] = mapped_column(primary_key=True)
    balance: Mapped[Decimal]


class _Entry(_Base):
    __tablename__ = "journal_entries"
    __table_args__ = {"schema": SCHEMA}  # noqa: RUF012

    ledger_id: Mapped[int]
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    date: Mapped[datetime.date]
    description: Mapped[str]
    postings: Mapped[list[_Posting]] = relationship()


class _Posting(_Base):
    __tablename__ = "postings"
    __table_args__ = {"schema": SCHEMA}  # noqa: RUF012

    ledger_id: Mapped[int]
    entry_id: Mapped[uuid.UUID] = mapped_column(ForeignKey(_Entry.id), primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int]
    date: Mapped[datetime.date]
    currency: Mapped[str]
    amount: Mapped[Decimal]


class NaiveOrm:
    """Sessions of one engine, a connection for each caller."""

    def __init__(self, ledger_id: int, sessions: async_sessionmaker[AsyncSession]) -> None:
        self._ledger_id = ledger_id
        self._sessions = sessions

    async def post(self, _caller: int, transfer: Transfer, /) -> None:
        """Lock both accounts, change their balances, add the entry with its postings, commit."""
        both = (transfer.debit, transfer.credit)
        found = select(_Account).where(_Account.id.in_(both)).order_by(_Account.id).with_for_update()
        async with self._sessions() as session, session.begin():
            accounts = {account.id: account for account in await session.scalars(found)}
            accounts[transfer.debit].balance += transfer.amount
            accounts[transfer.credit].balance -= transfer.amount
            session.add(self._entry(transfer))

    async def post_many(self, transfers: Sequence[Transfer]) -> None:
        """One after another."""
        for transfer in transfers:
            await self.post(0, transfer)

    def _entry(self, transfer: Transfer) -> _Entry:
        lines = ((1, transfer.debit, transfer.amount), (2, transfer.credit, -transfer.amount))
        postings = [
            _Posting(
                ledger_id=self._ledger_id,
                line=line,
                account_id=account_id,
                date=transfer.date,
                currency="EUR",
                amount=amount,
            )
            for line, account_id, amount in lines
        ]
        return _Entry(
            ledger_id=self._ledger_id,
            id=uuid7(),
            date=transfer.date,
            description=transfer.description,
            postings=postings,
        )


@asynccontextmanager
async def naive_orm(dsn: str, ledger_id: int, callers: int) -> AsyncIterator[NaiveOrm]:
    """Make an engine whose pool has a connection for each of *callers*."""
    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=functools.partial(asyncpg.connect, dsn), pool_size=callers
    )
    try:
        yield NaiveOrm(ledger_id, async_sessionmaker(engine, expire_on_commit=False))
    finally:
        await engine.dispose()
