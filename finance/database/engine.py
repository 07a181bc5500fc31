"""SQLAlchemy's engine over our pool: what it is made to do otherwise, at the places that it offers for that."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any

from sqlalchemy import event
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, NullPool
from sqlalchemy.pool import Pool as EnginePool
from sqlalchemy.pool.base import _ConnectionRecord
from sqlalchemy.util import await_only

from finance.connection import Observer, PooledConnection
from finance.database.connector import Connector
from finance.database.pool import Pool
from finance.integrity import translate

# SQLAlchemy's URL names the dialect and nothing else: the real one goes whole to asyncpg, which reads
# sslmode, several hosts, .pgpass and service files, and no password is ever in `engine.url`.
_URL = "postgresql+asyncpg://"
_STARTED = "finance_started"


class _Borrowing(EnginePool):
    """SQLAlchemy's side of the pool: each connection that it asks for is borrowed from ours."""

    _is_asyncio = True
    lender: Pool

    def _do_get(self) -> ConnectionPoolEntry:
        driver: PooledConnection = await_only(self.lender.take())
        record: Any = driver.record
        if record is None:
            driver.record = record = _ConnectionRecord(self, connect=False)
        record.driver = driver
        return record  # type: ignore[no-any-return]

    def _do_return_conn(self, record: Any) -> None:
        self.lender.give_back(record.driver)

    def dispose(self) -> None:
        """Do nothing: the manager closes its connections."""

    def recreate(self) -> _Borrowing:
        """Return the same pool: there is one for each manager."""
        return self

    def status(self) -> str:
        """Return what SQLAlchemy logs of a pool."""
        return str(self.lender.stats())


def make_engine(pool: Pool, observer: Observer) -> AsyncEngine:
    """Make the engine whose connections come from *pool*."""

    def adapt(record: Any) -> Any:
        async def borrowed(*_: Any, **__: Any) -> PooledConnection:
            driver: PooledConnection = record.driver
            return driver

        return engine.dialect.loaded_dbapi.connect(async_creator_fn=borrowed)

    engine = create_async_engine(
        _URL, poolclass=_Borrowing, creator=adapt, pool_reset_on_return=None, hide_parameters=True
    )
    engine.sync_engine.pool.lender = pool  # type: ignore[attr-defined]  # there is no other way in
    _leave_json_alone(engine)
    _listen(engine, observer)
    return engine


def make_engine_outside(connector: Connector) -> AsyncEngine:
    """Make an engine whose connections are made for it, without time limits, and closed afterwards."""

    async def connect(*_: Any, **__: Any) -> PooledConnection:
        return await connector.connect_apart(is_limited=False)

    engine = create_async_engine(_URL, async_creator=connect, poolclass=NullPool, hide_parameters=True)
    _leave_json_alone(engine)
    return engine


def _leave_json_alone(engine: AsyncEngine) -> None:
    """Have SQLAlchemy decode its JSON columns itself.

    It would put a codec into each connection that it uses: raw SQL would read text on one connection of the pool
    and objects, with floats in them, on the next.
    """

    async def leave(_adapter: Any) -> None:
        return

    dialect: Any = engine.dialect
    dialect.setup_asyncpg_json_codec = dialect.setup_asyncpg_jsonb_codec = leave
    dialect.supports_native_json_deserialization = False


def _listen(engine: AsyncEngine, observer: Observer) -> None:
    sync = engine.sync_engine
    event.listen(sync, "connect", _refuse_to_wait)
    event.listen(sync, "begin", _send_begin)

    @event.listens_for(sync, "before_cursor_execute")
    def _start(_connection: Any, _cursor: Any, _sql: str, _values: Any, context: Any, _many: bool) -> None:  # noqa: FBT001
        setattr(context, _STARTED, time.perf_counter())

    @event.listens_for(sync, "after_cursor_execute")
    def _end(_connection: Any, _cursor: Any, sql: str, _values: Any, context: Any, many: bool) -> None:  # noqa: FBT001
        if not many:  # the driver tells of those
            observer.statement(sql, time.perf_counter() - getattr(context, _STARTED), None)

    @event.listens_for(sync, "handle_error")
    def _fail(context: Any) -> None:
        started = getattr(context.execution_context, _STARTED, None)
        if started is not None and not context.execution_context.executemany:
            observer.statement(context.statement, time.perf_counter() - started, context.original_exception)


def _refuse_to_wait(adapter: Any, _record: Any) -> None:
    """Have a second task refused: statements of two tasks would follow each other in no order that anybody chose."""
    adapter._execute_mutex = _OneTask(adapter.driver_connection)  # noqa: SLF001 - there is no other place for it


class _OneTask:
    """Stands where SQLAlchemy's adapter has a lock that queues; it is the driver's own section, which refuses."""

    def __init__(self, driver: PooledConnection) -> None:
        self._section = driver.one_task

    async def __aenter__(self) -> None:
        self._section.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._section.__exit__(kind, error, traceback)


def _send_begin(connection: Any) -> None:
    """Send BEGIN now.

    SQLAlchemy's adapter would send it before the first statement that goes through SQLAlchemy: one that goes
    straight to the driver before that would commit by itself.
    """
    adapter = connection.connection.dbapi_connection
    try:
        adapter.run_async(lambda _driver: adapter._start_transaction())  # noqa: SLF001 - there is no public way
    except AsyncAdapt_asyncpg_dbapi.Error as error:
        raise translate(error.__cause__ or error) from error
