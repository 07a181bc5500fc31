"""From a bank's file into the books: lines as they came, and a journal entry for each that moves money."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select

from finance import models
from finance.errors import CurrencyError, StatementFileError
from finance.identifiers import uuid7
from finance.integrity import translated
from finance.models import Account, AccountType, NewEntry
from finance.money import decimals
from finance.repositories import Candidate, Labels, is_not_undone
from finance.statements.booking import entry_of, labels_of, moves_money, row_of, why_refused
from finance.statements.claims import claims_of, positions_of
from finance.statements.fingerprint import CountedLine
from finance.statements.placing import opens, place, type_of
from finance.statements.planning import Accept, Plan, decisions, plan
from finance.statements.repeats import without_copies
from finance.statements.result import ImportResult, StatementResult
from finance.statements.securities import entry_of_movement, open_security
from finance.statements.statement import Statement, StatementFile, StatementLine
from finance.statements.turns import take_turn
from finance.unit_of_work import UnitOfWork

_NO_CURRENCY = "it does not say in which currency its lines are; say it with currency='EUR' or --currency"

Progress = Callable[[int, int], object]

#: Lines of one INSERT. More of them do not make it faster, and progress is told in between.
_CHUNK = 2000


class _DryRunError(Exception):
    """Ends a dry run, so that its savepoint is undone."""

    def __init__(self, result: ImportResult) -> None:
        self.result = result


async def import_statements(
    uow: UnitOfWork,
    file: StatementFile,
    *,
    account: str | None = None,
    match: bool | Accept = False,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> ImportResult:
    """Bring the lines of *file* that are new into the books, all of them or none.

    Each statement goes into the account that its bank account was imported into before, or else into the one whose
    details identify it (`AccountDetails`), or else into *account*, or else into one named by its kind and number,
    such as "Assets:Checking:4711". Each new line is stored as it came and posted against the account that the first
    rule of `uow.rules` proposes which is true of it, or else against "Income:Uncategorised" or
    "Expenses:Uncategorised"; a line of amount zero is stored and posts nothing.
    A line in another currency than its account, and one that corrects an earlier line, is stored and counted.
    A movement of securities is posted in the security as a currency, on the same account and through the conversion
    accounts; one whose effect is not known is stored and counted. Which lines are new is told by counting equal
    ones (`finance.statements.fingerprint`): a file that comes again adds nothing, unless its import was undone.

    A statement that the file has twice is imported once, where its balances prove that it is the same.

    The bank's balances are recorded as assertions (`uow.reports.assertions()`) and never enforced: statements of real
    banks do not always add up, and the books may begin later than the bank's account did.

    Args:
        uow: The unit of work, for a ledger; an error undoes what this call did in it, and no more.
        file: What `read_statements()` returned.
        account: The name of the account, for the first import of a file of one account.
        match: Whether a new line is taken for an entry that is there, typed by hand, with the same account and amount
            and at most five days apart, instead of being posted beside it: True, or a function that says so of each.
            Without it the result counts them.
        dry_run: Write nothing, and say of each line what would become of it. Lines that cannot be imported are told,
            and not raised.
        progress: Called now and then with how many lines are done, and of how many.

    Raises:
        StatementFileError: A currency is unknown, or an amount is finer than its currency; or details of accounts fit
            that are two, or hold another currency.
        InvalidError: *account* cannot be the one; or as `uow.journal.post()`, such as a date in a closed period.

    Database:
        Imports into one ledger take turns, by an advisory lock. The accounts that are posted to are locked
        first, in the order of their ids. About fifteen statements for each account, and two for 2,000 new lines. A dry
        run does the same, and undoes it.
    """
    accept = match if callable(match) else _accept_all if match else _accept_none
    run = _Import(uow, file, progress or (lambda _done, _total: None), accept, is_dry_run=dry_run)
    try:
        async with uow.savepoint():
            result = await run.run(account)
            if dry_run:
                raise _DryRunError(result)  # noqa: TRY301 - it undoes the savepoint
    except _DryRunError as end:
        return end.result
    return result


def _accept_all(_line: StatementLine, _entry: Candidate) -> bool:
    return True


def _accept_none(_line: StatementLine, _entry: Candidate) -> bool:
    return False


class _Import:
    def __init__(
        self, uow: UnitOfWork, file: StatementFile, progress: Progress, accept: Accept, *, is_dry_run: bool
    ) -> None:
        self._uow = uow
        self._file = without_copies(file)
        self._progress = progress
        self._accept = accept
        self._is_dry_run = is_dry_run
        self._done = 0
        self._total = sum(len(statement.lines) for statement in self._file.statements)
        self._accounts: dict[tuple[str, str], Account] = {}
        self._stored_id: int | None = None

    async def run(self, account: str | None) -> ImportResult:
        await take_turn(self._uow)
        names = await place(self._uow, self._file, account)
        refused = await self._refused()
        plans = await self._plans(names, refused)
        found = [await decisions(self._uow, each) if self._is_dry_run else () for each in plans]
        await self._open_accounts(plans)
        known = await self._known()
        for each in plans:
            await self._add(each, known)
        last = {_end(each): number for number, each in enumerate(plans)}
        results = [await self._result(each, is_last=last[_end(each)] == number) for number, each in enumerate(plans)]
        if self._is_dry_run:
            results = [replace(result, decisions=each) for result, each in zip(results, found, strict=True)]
        return ImportResult(
            self._file.name,
            self._file.format,
            tuple(results),
            None if self._is_dry_run else self._stored_id,
            self._is_dry_run,
            self._file.remarks,
        )

    # --- before anything is posted -----------------------------------------------------------------

    async def _refused(self) -> list[dict[int, str]]:
        """Return why lines of each statement cannot be imported, by their numbers.

        Raises:
            StatementFileError: A currency is unknown; or, unless this is a dry run, a line cannot be imported.
        """
        found = []
        for statement in self._file.statements:
            reasons: dict[int, str] = {}
            if opens(statement):
                exponent = await self._exponent(statement.currency)
                checked = (
                    (line, why_refused(line, statement, exponent))
                    for line in statement.lines
                    if moves_money(line, statement)
                )
                reasons = {line.number: why for line, why in checked if why is not None}
            if reasons and not self._is_dry_run:
                raise StatementFileError(self._file.name, f"{next(iter(reasons.values()))}; nothing was imported")
            found.append(reasons)
        return found

    async def _exponent(self, currency: str | None) -> int:
        if currency is None:
            raise StatementFileError(self._file.name, _NO_CURRENCY)
        try:
            return (await self._uow.currencies.get_or_open(currency)).exponent
        except CurrencyError as error:
            raise StatementFileError(self._file.name, str(error)) from error

    async def _plans(self, names: Sequence[str], refused: Sequence[dict[int, str]]) -> list[Plan]:
        seen: dict[tuple[str, str | None], Counter[bytes]] = {}
        return [
            await plan(
                self._uow,
                statement,
                name,
                refused=reasons,
                seen=seen.setdefault((name, statement.currency), Counter()),
                accept=self._accept,
            )
            for statement, name, reasons in zip(self._file.statements, names, refused, strict=True)
        ]

    async def _open_accounts(self, plans: Sequence[Plan]) -> None:
        """Open the accounts that are missing, then lock all of them.

        Both in a fixed order, and both before the first posting: every poster locks in the order of the ids, so that
        no two can wait for each other.
        """
        wanted: dict[tuple[str, str], AccountType | None] = {}
        finest: dict[str, int] = {}
        for each in plans:
            for code, units in _amounts_of_securities(each):
                finest[code] = max(finest.get(code, 0), decimals(units))
        for code in sorted(finest):
            await open_security(self._uow, code, finest[code])
        for each in plans:
            if currency := each.statement.currency:
                wanted[each.name, currency] = type_of(each.statement, each.name)
                wanted |= {key: wanted.get(key) for key in self._others(each, currency)}
                wanted |= {(each.name, code): type_of(each.statement, each.name) for code in _securities(each)}
        for name, currency in sorted(wanted):
            kind = wanted[name, currency]
            self._accounts[name, currency] = await self._uow.accounts.get_or_open(name, currency=currency, type=kind)
        for account_id in sorted(account.id for account in self._accounts.values()):
            await self._uow.accounts.get_one(account_id, for_update=True)

    @staticmethod
    def _others(made: Plan, currency: str) -> set[tuple[str, str]]:
        """Return name and currency of the accounts on the other side of what is posted."""
        posted = [new.line for new in made.new if made.is_posted(new.line)]
        plain = {(made.counter_of(line), currency) for line in posted if not made.moves_securities(line)}
        moved = (leg for line in posted if made.moves_securities(line) for leg in made.legs_of(line))
        return plain | {(name, code) for name, code, _ in moved if name != made.name}

    async def _known(self) -> set[int]:
        """Return the ids of the accounts into which this very file was imported before."""
        query = select(models.Statement.account_id).where(
            models.Statement.ledger_id == self._uow.ledger_id,
            models.Statement.account_id.in_([account.id for account in self._accounts.values()]),
            models.Statement.file_sha256 == bytes.fromhex(self._file.sha256),
            is_not_undone(),
        )
        with translated():
            return set(await self._uow.session.scalars(query))

    # --- one statement -----------------------------------------------------------------------------

    async def _add(self, made: Plan, known: set[int]) -> None:
        """Add the lines of a statement that are new, and what it says of its balances."""
        if made.statement.currency is None:
            return
        account = self._accounts[made.name, made.statement.currency]
        self._tell(len(made.lines) - len(made.new))
        if made.new or account.id not in known:
            stored = await self._uow.statements.add(self._row(made.statement, account, await self._import_id()))
            await self._uow.assertions.claim(stored, claims_of(made.statement))
            for code, claim in positions_of(made.statement):
                await self._uow.assertions.claim(stored, [claim], account=self._accounts[made.name, code])
            for start in range(0, len(made.new), _CHUNK):
                await self._add_lines(made, stored, account, made.new[start : start + _CHUNK])

    async def _import_id(self) -> int:
        """Return the id of the import, which is stored with its first statement."""
        if self._stored_id is None:
            sha256 = bytes.fromhex(self._file.sha256)
            self._stored_id = await self._uow.imports.record(
                file_name=self._file_name, sha256=sha256, file_format=self._file.format
            )
        return self._stored_id

    async def _add_lines(
        self, made: Plan, stored: models.Statement, account: Account, lines: Sequence[CountedLine]
    ) -> None:
        # Rising ids, so that the lines of one day keep their order in the register.
        ids = iter(sorted(uuid7() for _ in lines))
        entries = {
            each.line.number: self._entry(made, each.line, account, next(ids))
            for each in lines
            if made.is_posted(each.line)
        }
        await self._uow.journal.post_many(list(entries.values()))
        await self._uow.journal.label_many(_labels(made, entries))
        rows = [
            row_of(
                each,
                entries.get(each.line.number),
                made.matches.get(each.line.number),
                is_kept=made.is_kept(each.line),
            )
            for each in lines
        ]
        await self._uow.statements.add_lines(stored, rows)
        self._tell(len(lines))

    def _entry(self, made: Plan, line: StatementLine, account: Account, entry_id: UUID) -> NewEntry:
        if made.moves_securities(line):
            return entry_of_movement(line, made.legs_of(line), self._accounts, entry_id)
        counter = self._accounts[made.counter_of(line), account.currency]
        return entry_of(line, account, counter, entry_id, made.rule_of(line))

    def _tell(self, lines: int) -> None:
        self._done += lines
        self._progress(self._done, self._total)

    @property
    def _file_name(self) -> str:
        # The name of a file may hold bytes that are not UTF-8, which the database would not take.
        return self._file.name.encode("utf-8", "backslashreplace").decode()

    def _row(self, statement: Statement, account: Account, import_id: int) -> models.Statement:
        return models.Statement(
            import_id=import_id,
            account_id=account.id,
            file_name=self._file_name,
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

    async def _result(self, made: Plan, *, is_last: bool) -> StatementResult:
        statement = made.statement
        return StatementResult(
            account=made.name,
            currency=statement.currency,
            lines=len(statement.lines),
            added=len(made.new),
            sum=statement.sum,
            opening_balance=statement.opening_balance,
            closing_balance=statement.closing_balance,
            closing_on=statement.closing_on,
            books_balance=await self._books_balance(statement, made.name) if is_last else None,
            securities=sum(line.kind == "security" and not made.is_posted(line) for line in statement.lines),
            kept=sum(map(made.is_kept, statement.lines)),
            pending=statement.pending,
            adds_up=statement.adds_up,
            matched=len(made.matches),
            possible_matches=len(made.possible),
        )

    async def _books_balance(self, statement: Statement, name: str) -> Decimal | None:
        if statement.currency is None or statement.closing_balance is None:
            return None
        account = self._accounts[name, statement.currency]
        return (await self._uow.accounts.balances(on=statement.closing_on, accounts=[account]))[account.id]


def _labels(made: Plan, entries: Mapping[int, NewEntry]) -> dict[UUID, Labels]:
    """Return what rules say of payees and tags, by the ids of *entries*, which are by the numbers of their lines."""
    proposed = {entry.id: made.proposals.get(number) for number, entry in entries.items()}
    found = {entry_id: labels_of(each) for entry_id, each in proposed.items() if each is not None}
    return {entry_id: each for entry_id, each in found.items() if each is not None}


def _amounts_of_securities(made: Plan) -> Iterator[tuple[str, Decimal]]:
    """Yield each security that is to be posted or of which a position is told, and an amount of it."""
    for each in made.new:
        if made.moves_securities(each.line):
            yield from (
                (code, amount) for _, code, amount in made.legs_of(each.line) if code != made.statement.currency
            )
    yield from ((code, claim[2]) for code, claim in positions_of(made.statement))


def _securities(made: Plan) -> set[str]:
    return {code for code, _ in _amounts_of_securities(made)}


def _end(made: Plan) -> tuple[object, ...]:
    """Return what statements have in common of whose closing balances only the last can be compared with the books."""
    statement = made.statement
    return made.name, statement.currency, statement.closing_on, statement.closing_balance is None
