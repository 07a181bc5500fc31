"""One database transaction and the repositories that work in it."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any, Self, TypeVar

from sqlalchemy import event
from sqlalchemy import exc as sa_exc
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Session

from finance.connection import (
    ERRORS_OF_THE_DATABASE,
    Connection,
    PooledConnection,
    is_cancellation,
    leaving_block,
    require_in_transaction,
    settle,
    typed,
    undo,
)
from finance.errors import (
    AfterCommitError,
    ClosedError,
    LedgerNotFoundError,
    Outcome,
    TransactionAbortedError,
    UsageError,
)
from finance.integrity import translated
from finance.models import Ledger
from finance.reports import Reports
from finance.repositories import (
    AccountRepository,
    AssertionRepository,
    BudgetRepository,
    CurrencyRepository,
    HoldRepository,
    ImportRepository,
    JournalRepository,
    KnownCurrencies,
    LedgerRepository,
    PayeeRepository,
    PriceRepository,
    ReconciliationRepository,
    RuleRepository,
    ScheduleRepository,
    Scope,
    StatementRepository,
    TagRepository,
)

_R = TypeVar("_R")


class UnitOfWork:
    """One database transaction: it commits when its block ends, and rolls back when an error leaves it.

    It belongs to one task. Opened for a ledger it has all the repositories; without one it has `ledgers`
    and `session` only. Every error that leaves the block is one of `finance.errors`, where it came from
    the database.
    """

    def __init__(
        self,
        connection: AsyncConnection,
        driver: PooledConnection,
        ledger: Ledger | int | str | None,
        base_currency: str | None = None,
        *,
        reads_only: bool = False,
        currencies: KnownCurrencies | None = None,
    ) -> None:
        self._transaction = connection
        self._driver = driver
        self._connection = Connection(driver, reads_only=reads_only, before_each=self._flush)
        self._reads_only = reads_only
        self._currencies = currencies or KnownCurrencies()
        self._wanted = ledger
        self._base_currency = base_currency
        # It joins the transaction that has begun, and can neither commit it nor begin another.
        self._session = AsyncSession(connection, sync_session_class=_Session, autobegin=False, expire_on_commit=False)
        self._scope: Scope | None = None
        self._repositories: dict[Callable[[Scope], Any], Any] = {}
        self._after_commit: list[Callable[[], Any]] = []
        self._is_abandoned = False

    # --- what it offers --------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Whether it can be used: inside its block, and not rolled back."""
        return self._scope is not None and self._scope.connection.is_open

    @property
    def outcome(self) -> Outcome | None:
        """What became of the transaction; None while it is open. As `Connection.outcome`."""
        return self._connection.outcome

    @property
    def session(self) -> AsyncSession:
        """A plain SQLAlchemy session in this transaction: `expire_on_commit=False`, nothing loads lazily."""
        return self._opened.require_open()

    @property
    def connection(self) -> Connection:
        """Raw SQL with `$1` placeholders in this transaction; pending changes are flushed before each call."""
        return self._opened.connection

    @property
    def ledger_id(self) -> int:
        """The id of the ledger that this unit of work is for."""
        return self._of_ledger()[1]

    @property
    def ledgers(self) -> LedgerRepository:
        """Every ledger of the database."""
        return self._repository(LedgerRepository, self._opened)

    @property
    def accounts(self) -> AccountRepository:
        """The accounts of this ledger."""
        return self._repository(AccountRepository, self._of_ledger()[0])

    @property
    def assertions(self) -> AssertionRepository:
        """The balances that statements and users claim, of this ledger."""
        return self._repository(AssertionRepository, self._of_ledger()[0])

    @property
    def budgets(self) -> BudgetRepository:
        """The budgets of this ledger."""
        return self._repository(BudgetRepository, self._of_ledger()[0])

    @property
    def currencies(self) -> CurrencyRepository:
        """The currencies of this ledger."""
        return self._repository(CurrencyRepository, self._of_ledger()[0])

    @property
    def holds(self) -> HoldRepository:
        """The holds of this ledger."""
        return self._repository(HoldRepository, self._of_ledger()[0])

    @property
    def imports(self) -> ImportRepository:
        """The files that were imported into this ledger."""
        return self._repository(ImportRepository, self._of_ledger()[0])

    @property
    def journal(self) -> JournalRepository:
        """The journal entries of this ledger."""
        return self._repository(JournalRepository, self._of_ledger()[0])

    @property
    def payees(self) -> PayeeRepository:
        """The payees of this ledger."""
        return self._repository(PayeeRepository, self._of_ledger()[0])

    @property
    def prices(self) -> PriceRepository:
        """The prices of this ledger."""
        return self._repository(PriceRepository, self._of_ledger()[0])

    @property
    def reconciliation(self) -> ReconciliationRepository:
        """What lines of statements and postings have in common, of this ledger."""
        return self._repository(ReconciliationRepository, self._of_ledger()[0])

    @property
    def rules(self) -> RuleRepository:
        """The rules that propose what lines of statements are, of this ledger."""
        return self._repository(RuleRepository, self._of_ledger()[0])

    @property
    def schedules(self) -> ScheduleRepository:
        """The schedules of this ledger: entries that come again and again."""
        return self._repository(ScheduleRepository, self._of_ledger()[0])

    @property
    def statements(self) -> StatementRepository:
        """The bank statements of this ledger."""
        return self._repository(StatementRepository, self._of_ledger()[0])

    @property
    def tags(self) -> TagRepository:
        """The tags of this ledger."""
        return self._repository(TagRepository, self._of_ledger()[0])

    @property
    def reports(self) -> Reports:
        """Trial balance, balance sheet, register and verification of this ledger."""
        return self._repository(Reports, self._of_ledger()[0])

    async def rollback(self) -> None:
        """Abandon the transaction: nothing of it is stored, and the block ends without an error."""
        scope = self._opened
        scope.require_open()
        self._is_abandoned = True
        self._after_commit.clear()
        scope.connection.close()
        scope.connection.note(Outcome.NOT_APPLIED)
        await undo(self._driver, self._transaction.rollback)

    @contextlib.asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """Open a savepoint: an error that leaves the block undoes what the block did, and no more.

        What was read before is not refreshed; read it again after an undone block. Callbacks that
        `after_commit()` took in an undone block are dropped with it.
        """
        session = self.session
        callbacks = len(self._after_commit)
        with translated():
            savepoint = await session.begin_nested()
            await session.connection()  # SQLAlchemy would send SAVEPOINT only before its own next statement
        try:
            with leaving_block(self._driver, reads_only=self._reads_only):
                yield
            if self.is_open:
                with translated():
                    await savepoint.commit()
        except BaseException:
            del self._after_commit[callbacks:]
            if self.is_open:
                await undo(self._driver, savepoint.rollback)
            raise

    def after_commit(self, callback: Callable[[], Any]) -> None:
        """Call *callback*, which may be a coroutine function, once the server has said COMMIT.

        It is not called after a rollback. What callbacks raise cannot undo the commit: it leaves the
        block together, as one `AfterCommitError`, after all of them have run.
        """
        self._opened.require_open()
        self._after_commit.append(callback)

    async def call_back(self) -> None:
        """Run the callbacks of `after_commit()`; the owner of the transaction calls it after COMMIT.

        Raises:
            AfterCommitError: Some of them failed; all of them have run.
        """
        errors = []
        for callback in self._after_commit:
            try:
                result = callback()
                if inspect.isawaitable(result):
                    await result
            except Exception as error:  # the commit stands, so that every callback gets its turn
                errors.append(error)
        if errors:
            raise AfterCommitError(errors)

    # --- its life ----------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        connection = self._connection
        try:
            with translated():
                await self._transaction.run_sync(self._join)
            self._scope = Scope(self._session, connection, None, self._currencies)
            self._scope = Scope(self._session, connection, await self._find_ledger(), self._currencies)
        except BaseException as error:
            connection.note(Outcome.NOT_APPLIED)
            await self._close(error)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if error is None and not self._is_abandoned:
                with leaving_block(self._driver, reads_only=self._reads_only):
                    await self._flush()
                    self._connection.close()
                    await self._commit()
        except BaseException as failure:
            error = failure
            raise
        finally:
            if self._connection.outcome is None:
                self._connection.note(Outcome.NOT_APPLIED)
            await self._close(error)
        if isinstance(error, ERRORS_OF_THE_DATABASE):
            raise typed(error, self._driver, reads_only=self._reads_only) from error

    async def _commit(self) -> None:
        """Send COMMIT straight on the driver, which knows how to await its answer; SQLAlchemy is told afterwards."""
        adapter: Any = self._driver.record.dbapi_connection
        transaction, adapter._transaction = adapter._transaction, None  # noqa: SLF001 - there is no public way
        await settle(self._driver, transaction.commit(), self._connection.note)

    async def _close(self, error: BaseException | None) -> None:
        self._connection.close()
        if is_cancellation(error):
            return  # it must not be held up; the pool rolls back
        with contextlib.suppress(sa_exc.SQLAlchemyError):  # another task is in the middle of it
            await self._transaction.run_sync(self._part)

    # SQLAlchemy takes a greenlet for each of its calls: these are some calls in one.

    def _join(self, _: Any) -> None:
        session = self._session.sync_session
        session.begin()
        session.connection()

    def _part(self, connection: Any) -> None:
        if self._connection.outcome is Outcome.APPLIED:
            connection.commit()  # sends nothing any more
        self._session.sync_session.close()

    async def _flush(self) -> None:
        """Send pending changes, so that raw SQL sees them; check that the transaction is not over."""
        session = self._session
        if not session.is_active:
            # A flush had failed: SQLAlchemy rolled the transaction back.
            raise TransactionAbortedError
        require_in_transaction(self._driver)
        if session.new or session.dirty or session.deleted:
            with translated():
                await session.flush()

    async def _find_ledger(self) -> int | None:
        wanted = self._wanted
        if wanted is None:
            return None
        if isinstance(wanted, Ledger):
            found: Ledger | None = wanted
        elif isinstance(wanted, str) and self._base_currency is not None:
            found = await self.ledgers.get_or_create(wanted, base_currency=self._base_currency)
        elif isinstance(wanted, str):
            found = await self.ledgers.get_by_name(wanted)
        else:
            found = await self.ledgers.get(wanted)
        if found is None or found.id is None:
            raise LedgerNotFoundError(wanted.name if isinstance(wanted, Ledger) else wanted)
        return found.id

    @property
    def _opened(self) -> Scope:
        if self._scope is None:
            raise ClosedError("unit of work")
        return self._scope

    def _of_ledger(self) -> tuple[Scope, int]:
        scope = self._opened
        if scope.ledger_id is None:
            raise UsageError("this unit of work is for no ledger: open it with db.unit_of_work(ledger=...)")
        return scope, scope.ledger_id

    def _repository(self, kind: Callable[[Scope], _R], scope: Scope) -> _R:
        if kind not in self._repositories:
            self._repositories[kind] = kind(scope)
        repository: _R = self._repositories[kind]
        return repository


class _Session(Session):
    """A session that leaves COMMIT to its unit of work."""


@event.listens_for(_Session, "before_commit")
def _refuse_commit(session: Session) -> None:
    if session.in_nested_transaction():
        return
    raise UsageError("a unit of work commits when its block ends: leave the block instead of session.commit()")
