"""From a bank's file into the books: lines as they came, and a journal entry for each that moves money."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from decimal import Decimal

from sqlalchemy import func, select

from finance import models
from finance.errors import CurrencyError, StatementFileError
from finance.identifiers import uuid7
from finance.integrity import translated
from finance.models import Account, AccountType
from finance.statements.booking import check_bookable, counter_name, entry_of, moves_money, row_of
from finance.statements.fingerprint import CountedLine, counted
from finance.statements.placing import opens, place, type_of
from finance.statements.result import ImportResult, StatementResult
from finance.statements.statement import Statement, StatementFile
from finance.unit_of_work import UnitOfWork

_NO_CURRENCY = "it does not say in which currency its lines are; say it with currency='EUR' or --currency"

Progress = Callable[[int, int], object]

#: Lines of one INSERT. More of them do not make it faster, and progress is told in between.
_CHUNK = 2000

#: The class of the advisory lock by which imports into one ledger take turns.
_LOCK_CLASS = 1179209297


async def import_statements(
    uow: UnitOfWork, file: StatementFile, *, account: str | None = None, progress: Progress | None = None
) -> ImportResult:
    """Bring the lines of *file* that are new into the books, all of them or none.

    Each statement goes into the account that its bank account was imported into before, or else into *account*,
    or else into one that is named by its kind and number, such as "Assets:Checking:4711". Each new line is
    stored as it came and posted against "Income:Uncategorised" or "Expenses:Uncategorised"; a line of amount
    zero and a movement of securities are stored and post nothing. Which lines are new is told by counting equal
    ones (`finance.statements.fingerprint`): a file that comes again adds nothing.

    The bank's closing balance is compared with the books and never enforced: statements of real banks do not
    always add up, and the books may begin later than the bank's account did.

    Args:
        uow: The unit of work, for a ledger; an error undoes what this call did in it, and no more.
        file: What `read_statements()` returned.
        account: The name of the account, for the first import of a file of one account.
        progress: Called now and then with how many lines are done, and of how many.

    Raises:
        StatementFileError: A currency is unknown, an amount is finer than its currency, or a line is in
            another currency than its account.
        InvalidError: *account* cannot be the one; or as `uow.journal.post()`, such as a date in a closed period.

    Database:
        Imports into one ledger take turns, by an advisory lock. The accounts that are posted to are locked
        first, in the order of their ids. About ten statements for each account, and two for 2,000 new lines.
    """
    async with uow.savepoint():
        return await _Import(uow, file, progress or (lambda _done, _total: None)).run(account)


class _Import:
    def __init__(self, uow: UnitOfWork, file: StatementFile, progress: Progress) -> None:
        self._uow = uow
        self._file = file
        self._progress = progress
        self._done = 0
        self._total = sum(len(statement.lines) for statement in file.statements)
        self._accounts: dict[tuple[str, str], Account] = {}
        self._seen: dict[int, Counter[bytes]] = {}

    async def run(self, account: str | None) -> ImportResult:
        await self._take_turn()
        names = await place(self._uow, self._file, account)
        placed = list(zip(self._file.statements, names, strict=True))
        await self._check()
        await self._open_accounts(placed)
        known = await self._known()
        added = [await self._add(statement, name, known) for statement, name in placed]
        last = {_end(*each): number for number, each in enumerate(placed)}
        results = [
            await self._result(*each, added[number], is_last=last[_end(*each)] == number)
            for number, each in enumerate(placed)
        ]
        return ImportResult(self._file.name, self._file.format, tuple(results))

    # --- before anything is posted -----------------------------------------------------------------

    async def _take_turn(self) -> None:
        with translated():
            await self._uow.session.execute(
                select(func.pg_advisory_xact_lock(_LOCK_CLASS, func.hashint8(self._uow.ledger_id)))
            )

    async def _check(self) -> None:
        for statement in sorted(filter(opens, self._file.statements), key=lambda each: each.currency or ""):
            exponent = await self._exponent(statement.currency)
            for line in filter(moves_money, statement.lines):
                check_bookable(line, statement, exponent, self._file.name)

    async def _exponent(self, currency: str | None) -> int:
        if currency is None:
            raise StatementFileError(self._file.name, _NO_CURRENCY)
        try:
            return (await self._uow.currencies.get_or_open(currency)).exponent
        except CurrencyError as error:
            raise StatementFileError(self._file.name, str(error)) from error

    async def _open_accounts(self, placed: Sequence[tuple[Statement, str]]) -> None:
        """Open the accounts that are missing, then lock all of them.

        Both in a fixed order, and both before the first posting: every poster locks in the order of the ids, so that
        no two can wait for each other.
        """
        wanted: dict[tuple[str, str], AccountType | None] = {}
        for statement, name in placed:
            if statement.currency:
                wanted[name, statement.currency] = type_of(statement, name)
                counters = {counter_name(line) for line in statement.lines if moves_money(line)}
                wanted |= {(counter, statement.currency): None for counter in counters}
        for name, currency in sorted(wanted):
            kind = wanted[name, currency]
            self._accounts[name, currency] = await self._uow.accounts.get_or_open(name, currency=currency, type=kind)
        for account_id in sorted(account.id for account in self._accounts.values()):
            await self._uow.accounts.get_one(account_id, for_update=True)

    async def _known(self) -> set[int]:
        """Return the ids of the accounts into which this very file was imported before."""
        query = select(models.Statement.account_id).where(
            models.Statement.ledger_id == self._uow.ledger_id,
            models.Statement.account_id.in_([account.id for account in self._accounts.values()]),
            models.Statement.file_sha256 == bytes.fromhex(self._file.sha256),
        )
        with translated():
            return set(await self._uow.session.scalars(query))

    # --- one statement -----------------------------------------------------------------------------

    async def _add(self, statement: Statement, name: str, known: set[int]) -> int:
        """Add the lines of *statement* that are new, and return how many they are."""
        if statement.currency is None:
            return 0
        account = self._accounts[name, statement.currency]
        new = await self._new_lines(statement, account)
        self._tell(len(statement.lines) - len(new))
        if new or account.id not in known:
            stored = await self._uow.statements.add(self._row(statement, account))
            for start in range(0, len(new), _CHUNK):
                await self._add_lines(stored, account, new[start : start + _CHUNK])
        return len(new)

    async def _new_lines(self, statement: Statement, account: Account) -> list[CountedLine]:
        """Return the lines that the books do not hold, the oldest first: many banks begin with the newest."""
        lines = counted(statement.lines, self._seen.setdefault(account.id, Counter()))
        stored = await self._uow.statements.occurrences(account.id, [each.fingerprint for each in lines])
        new = [each for each in lines if each.occurrence > stored.get(each.fingerprint, 0)]
        return new[::-1] if new and new[0].line.date > new[-1].line.date else new

    async def _add_lines(self, stored: models.Statement, account: Account, lines: Sequence[CountedLine]) -> None:
        # Rising ids, so that the lines of one day keep their order in the register.
        ids = iter(sorted(uuid7() for _ in lines))
        entries = {
            each.line.number: entry_of(
                each.line, account, self._accounts[counter_name(each.line), account.currency], next(ids)
            )
            for each in lines
            if moves_money(each.line)
        }
        await self._uow.journal.post_many(list(entries.values()))
        await self._uow.statements.add_lines(stored, [row_of(each, entries.get(each.line.number)) for each in lines])
        self._tell(len(lines))

    def _tell(self, lines: int) -> None:
        self._done += lines
        self._progress(self._done, self._total)

    def _row(self, statement: Statement, account: Account) -> models.Statement:
        return models.Statement(
            account_id=account.id,
            # The name of a file may hold bytes that are not UTF-8, which the database would not take.
            file_name=self._file.name.encode("utf-8", "backslashreplace").decode(),
            file_sha256=bytes.fromhex(self._file.sha256),
            format=self._file.format,
            format_version=self._file.version,
            bank=statement.bank,
            bank_account=statement.account,
            currency=account.currency,
            starts_on=statement.starts_on,
            ends_on=statement.ends_on,
            opening_balance=statement.opening_balance,
            closing_balance=statement.closing_balance,
            closing_on=statement.closing_on,
        )

    async def _result(self, statement: Statement, name: str, added: int, *, is_last: bool) -> StatementResult:
        return StatementResult(
            account=name,
            currency=statement.currency,
            lines=len(statement.lines),
            added=added,
            sum=statement.sum,
            opening_balance=statement.opening_balance,
            closing_balance=statement.closing_balance,
            closing_on=statement.closing_on,
            books_balance=await self._books_balance(statement, name) if is_last else None,
            securities=sum(line.kind == "security" for line in statement.lines),
            pending=statement.pending,
            adds_up=statement.adds_up,
        )

    async def _books_balance(self, statement: Statement, name: str) -> Decimal | None:
        if statement.currency is None or statement.closing_balance is None:
            return None
        account = self._accounts[name, statement.currency]
        return (await self._uow.accounts.balances(on=statement.closing_on, accounts=[account]))[account.id]


def _end(statement: Statement, name: str) -> tuple[object, ...]:
    """Return what statements have in common of whose closing balances only the last can be compared with the books."""
    return name, statement.currency, statement.closing_on, statement.closing_balance is None
