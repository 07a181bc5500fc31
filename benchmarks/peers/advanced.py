"""advanced-alchemy as its documentation has it: a session of its configuration, and repositories of its models."""

from __future__ import annotations

import datetime
import functools
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal

import asyncpg
from advanced_alchemy.base import DefaultBase
from advanced_alchemy.config import AsyncSessionConfig, SQLAlchemyAsyncConfig
from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from sqlalchemy import BigInteger, ForeignKey, select
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import Mapped, mapped_column, relationship

from benchmarks.peers import SCHEMA, Transfer
from finance.identifiers import uuid7


class _Account(DefaultBase):
    __tablename__ = "accounts"
    __table_args__ = {"schema": SCHEMA}  # noqa: RUF012 - the form that SQLAlchemy documents

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    balance: Mapped[Decimal]


class _Entry(DefaultBase):
    __tablename__ = "journal_entries"
    __table_args__ = {"schema": SCHEMA}  # noqa: RUF012

    ledger_id: Mapped[int] = mapped_column(BigInteger)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    date: Mapped[datetime.date]
    description: Mapped[str]
    postings: Mapped[list[_Posting]] = relationship()


class _Posting(DefaultBase):
    __tablename__ = "postings"
    __table_args__ = {"schema": SCHEMA}  # noqa: RUF012

    ledger_id: Mapped[int] = mapped_column(BigInteger)
    entry_id: Mapped[uuid.UUID] = mapped_column(ForeignKey(_Entry.id), primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(BigInteger)
    date: Mapped[datetime.date]
    currency: Mapped[str]
    amount: Mapped[Decimal]


class _Accounts(SQLAlchemyAsyncRepository[_Account]):
    model_type = _Account


class _Entries(SQLAlchemyAsyncRepository[_Entry]):
    model_type = _Entry


class Advanced:
    """Sessions of one configuration, a connection for each caller."""

    def __init__(self, ledger_id: int, config: SQLAlchemyAsyncConfig) -> None:
        self._ledger_id = ledger_id
        self._config = config

    async def post(self, _caller: int, transfer: Transfer, /) -> None:
        """Lock both accounts, change their balances, add the entry with its postings, commit."""
        both = (transfer.debit, transfer.credit)
        found = select(_Account).order_by(_Account.id).with_for_update()
        async with self._config.get_session() as session:
            repository = _Accounts(session=session, statement=found)  # type: ignore[arg-type]  # typed for 2.0's Select
            accounts = {each.id: each for each in await repository.list(_Account.id.in_(both))}
            accounts[transfer.debit].balance += transfer.amount
            accounts[transfer.credit].balance -= transfer.amount
            await _Entries(session=session).add(self._entry(transfer), auto_commit=True, auto_refresh=False)

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
async def advanced(dsn: str, ledger_id: int, callers: int) -> AsyncIterator[Advanced]:
    """Make a configuration whose pool has a connection for each of *callers*."""
    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=functools.partial(asyncpg.connect, dsn), pool_size=callers
    )
    try:
        session = AsyncSessionConfig(expire_on_commit=False)
        yield Advanced(ledger_id, SQLAlchemyAsyncConfig(engine_instance=engine, session_config=session))
    finally:
        await engine.dispose()
