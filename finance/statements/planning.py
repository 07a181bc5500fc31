"""What an import is going to do with the lines of one statement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from finance.models import Account
from finance.repositories import Candidate, OpenLine, Proposal, RuledLine
from finance.repositories.matching import MOST_DAYS, candidates
from finance.statements import securities
from finance.statements.booking import counter_name, moves_money, why_kept
from finance.statements.decisions import LineDecision, why_known
from finance.statements.fingerprint import CountedLine, counted
from finance.statements.securities import Leg
from finance.statements.statement import Statement, StatementLine
from finance.unit_of_work import UnitOfWork

#: Says whether a line is the entry that it may be.
Accept = Callable[[StatementLine, Candidate], bool]


@dataclass(frozen=True, slots=True)
class Plan:
    """A statement, the name of its account, and what becomes of its lines.

    Attributes:
        refused: Why a line cannot be imported, by its number.
        lines: All that can be.
        new: Those that the books do not hold, the oldest first: many banks begin with the newest.
        proposals: What rules say of new lines, by their numbers.
        matches: The entries that new lines are, by the lines' numbers.
        possible: The entries that new lines may be, though they are posted, by the lines' numbers.
        exponent: The decimals of the statement's currency, where a line moves securities.
    """

    statement: Statement
    name: str
    refused: Mapping[int, str]
    lines: list[CountedLine]
    new: list[CountedLine]
    proposals: Mapping[int, Proposal] = field(default_factory=dict)
    matches: Mapping[int, Candidate] = field(default_factory=dict)
    possible: Mapping[int, Candidate] = field(default_factory=dict)
    exponent: int = 0

    def is_posted(self, line: StatementLine) -> bool:
        """Tell whether a new *line* becomes an entry."""
        return (moves_money(line, self.statement) and line.number not in self.matches) or self.moves_securities(line)

    def moves_securities(self, line: StatementLine) -> bool:
        """Tell whether *line* moves securities and is posted."""
        return securities.is_posted(line, self.statement, self.exponent)

    def is_kept(self, line: StatementLine) -> bool:
        """Tell whether *line* is of money, and posts nothing."""
        return why_kept(line, self.statement) is not None

    def legs_of(self, line: StatementLine) -> list[Leg]:
        """Return the postings of a *line* that moves securities."""
        assert line.movement is not None  # noqa: S101 - it is asked for lines that are posted
        return list(securities.legs(line.movement, self.name, self.statement.currency or ""))

    def counter_of(self, line: StatementLine) -> str:
        """Return the name of the account that takes the other side of *line*."""
        proposal = self.proposals.get(line.number)
        if proposal is None or proposal.counter in (None, self.name):
            return counter_name(line)
        return proposal.counter

    def rule_of(self, line: StatementLine) -> int | None:
        """Return the rule that decided on *line*."""
        proposal = self.proposals.get(line.number)
        return None if proposal is None else proposal.rule


async def plan(
    uow: UnitOfWork,
    statement: Statement,
    name: str,
    *,
    refused: Mapping[int, str],
    seen: Counter[bytes],
    accept: Accept,
) -> Plan:
    """Find out what becomes of the lines of *statement* in the account *name*, and write nothing.

    Args:
        uow: The unit of work.
        statement: What the bank sent.
        name: Of its account.
        refused: Why lines cannot be imported, by their numbers.
        seen: How often each fingerprint was in earlier statements of the file and account; it is counted on.
        accept: Says whether a new line is the entry that it may be.

    Database:
        Up to five SELECTs.
    """
    currency = statement.currency
    if currency is None:
        return Plan(statement, name, refused, [], [])
    account = await uow.accounts.get_by_name(name, currency)
    lines = counted((line for line in statement.lines if line.number not in refused), seen)
    new = await _new_lines(uow, lines, account)
    posted = [each.line for each in new if moves_money(each.line, statement)]
    ruled = [RuledLine(line.number, line.amount, line.payee or "", line.memo or "") for line in posted]
    proposals = await uow.rules.propose(ruled, account=account, currency=currency) if ruled else {}
    possible = await _possible(uow, posted, account)
    accepted = {line.number for line in posted if line.number in possible and accept(line, possible[line.number])}
    return Plan(
        statement,
        name,
        refused,
        lines,
        new,
        proposals,
        matches={number: each for number, each in possible.items() if number in accepted},
        possible={number: each for number, each in possible.items() if number not in accepted},
        exponent=(await uow.currencies.get_or_open(currency)).exponent if _moves_securities(statement) else 0,
    )


def _moves_securities(statement: Statement) -> bool:
    return any(line.kind == "security" for line in statement.lines)


async def _new_lines(uow: UnitOfWork, lines: list[CountedLine], account: Account | None) -> list[CountedLine]:
    stored = set()
    if account is not None:
        stored = await uow.statements.occurrences(account.id, [each.fingerprint for each in lines])
    new = [each for each in lines if (each.fingerprint, each.occurrence) not in stored]
    return new[::-1] if new and new[0].line.date > new[-1].line.date else new


async def _possible(uow: UnitOfWork, lines: list[StatementLine], account: Account | None) -> dict[int, Candidate]:
    if account is None:
        return {}
    opened = [OpenLine(line.number, line.date, line.amount) for line in lines]
    return await candidates(uow.connection, uow.ledger_id, account.id, opened, MOST_DAYS)


async def decisions(uow: UnitOfWork, made: Plan) -> tuple[LineDecision, ...]:
    """Say of each line of the statement what becomes of it, and why, in the order of the file.

    Database:
        One or two SELECTs.
    """
    known = {each.line.number: each for each in made.lines} if made.lines else {}
    for each in made.new:
        known.pop(each.line.number)
    account = await uow.accounts.get_by_name(made.name, made.statement.currency)
    origins = {}
    if known and account is not None:
        origins = await uow.statements.origins(account.id, [each.fingerprint for each in known.values()])
    found = {number: why_known(each, origins) for number, each in known.items()}
    return tuple(_decided(made, found))


def _decided(made: Plan, known: Mapping[int, str]) -> Iterator[LineDecision]:
    for line in made.statement.lines:
        number = line.number
        head = (number, line.date, line.amount, line.payee or line.memo or line.type or "")
        if number in made.refused:
            yield LineDecision(*head, "refused", reason=made.refused[number])
        elif number in known:
            yield LineDecision(*head, "known", reason=known[number])
        elif number in made.matches:
            match = made.matches[number]
            reason = f"the entry of {match.date} has the same account and amount"
            yield LineDecision(*head, "matched", entry=match.entry_id, reason=reason)
        else:
            yield _new(made, line, head)


def _why_nothing(line: StatementLine, statement: Statement) -> str:
    if line.kind == "cash":
        return why_kept(line, statement) or "its amount is zero"
    if line.movement is None:
        return "what it moves of securities is not known"
    if line.currency not in (None, statement.currency):
        return f"its amount is in {line.currency}, its account in {statement.currency}"
    return "an amount of it is finer than its currency"


def _new(made: Plan, line: StatementLine, head: tuple[int, date, Decimal, str]) -> LineDecision:
    if made.moves_securities(line):
        return LineDecision(*head, "new", counter=next(leg[0] for leg in made.legs_of(line) if leg[0] != made.name))
    if not moves_money(line, made.statement):
        reason = f"{_why_nothing(line, made.statement)}: it is kept, and posts nothing"
        return LineDecision(*head, "new", reason=reason)
    proposal, possible = made.proposals.get(line.number), made.possible.get(line.number)
    return LineDecision(
        *head,
        "new",
        counter=made.counter_of(line),
        payee=proposal.payee if proposal else None,
        tags=proposal.tags if proposal else (),
        rule=made.rule_of(line),
        entry=possible.entry_id if possible else None,
        reason=f"it may be the entry of {possible.date}, of the same account and amount" if possible else None,
    )
