"""From a CAMT message to statements: `Stmt` (053), `Rpt` (052) and `Ntfctn` (054), which differ in names only."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date

from finance.statements.camt.lines import is_booked, read_line
from finance.statements.camt.markup import CONTAINERS, ENTRY, elements, version_of
from finance.statements.camt.values import Money, calendar_date, converted, day, money
from finance.statements.flaw import FlawError
from finance.statements.markup import Element
from finance.statements.statement import Statement, StatementFile, StatementLine
from finance.statements.values import currency

_OWNER = "the statement"
#: Booked balances: of the beginning (PRCD is the closing balance of the statement before), and of the end.
_OPENING = ("OPBD", "PRCD")
_CLOSING = ("CLBD",)
#: The versions whose definitions were read; another one is read by the same names, and told.
_VERSIONS = frozenset(f"{number:02d}" for number in range(1, 14))
#: Account types that have a counterpart in OFX, whose words are ours.
_KINDS = {"CACC": "CHECKING", "SVGS": "SAVINGS", "MOMA": "MONEYMRKT"}


@dataclass(slots=True)
class _Read:
    """What was read so far: the lines of the statement that is being read, and the statements before it."""

    lines: list[StatementLine] = field(default_factory=list)
    pending: int = 0
    statements: list[Statement] = field(default_factory=list)
    formats: set[str] = field(default_factory=set)
    version: str | None = None
    institution: str | None = None

    def take(self, element: Element) -> None:
        if element.name != ENTRY:
            self._end(element)
        elif is_booked(element, len(self.lines) + self.pending + 1):
            self.lines.append(read_line(element, len(self.lines) + 1))
        else:
            self.pending += 1

    def remarks(self) -> tuple[str, ...]:
        if self.version is None or self.version in _VERSIONS:
            return ()
        return (f"version {self.version} of the message is not known here; it was read as those before it",)

    def _end(self, element: Element) -> None:
        _check_known(element)
        self.statements.append(_statement(element, tuple(self.lines), self.pending))
        self.lines, self.pending = [], 0
        self.formats.add(CONTAINERS[element.name])
        self.version = self.version or version_of(element)
        self.institution = self.institution or element.text_of("Acct", "Svcr", "FinInstnId", "Nm")


def read_camt(data: bytes, name: str) -> StatementFile:
    """Read *data*, the bytes of the CAMT file called *name*.

    Raises:
        FlawError: The file is damaged, or says something that cannot be right.
        ConfigurationError: The extra `statements` is not installed.
    """
    read = _Read()
    for element in elements(data):
        read.take(element)
    if read.lines or read.pending:
        raise FlawError(f"the message has {len(read.lines) + read.pending} entries (Ntry) outside of every statement")
    if not read.statements:
        raise FlawError("the message holds no statement (Stmt), report (Rpt) or notification (Ntfctn)")
    if len(read.formats) > 1:
        raise FlawError(f"the file holds messages of several kinds: {', '.join(sorted(read.formats))}")
    return StatementFile(
        name=name,
        format=read.formats.pop(),
        version=read.version,
        sha256=hashlib.sha256(data).hexdigest(),
        institution=read.institution,
        statements=tuple(read.statements),
        remarks=read.remarks(),
    )


def _check_known(element: Element) -> None:
    """Refuse what has the amount and the sign of an entry, under a name that no version has."""
    for child in element.children():
        if child.name not in (ENTRY, "Bal") and child.child("Amt") and child.child("CdtDbtInd"):
            raise FlawError(f"<{child.name}> in {element.name} is unknown, and may be an entry", child.line)


def _statement(element: Element, lines: tuple[StatementLine, ...], pending: int) -> Statement:
    balances = [(each, money(f"balance {_kind(each)}", each)) for each in element.children("Bal")]
    code = _currency(element, lines, [stated for _, stated in balances])
    ours = [(each, stated) for each, stated in balances if stated.currency == code]
    opening, closing = _first(ours, _OPENING), _first(ours, _CLOSING)
    return Statement(
        bank=_bank(element),
        branch=element.text_of("Acct", "Svcr", "BrnchId", "Id"),
        account=_account(element),
        account_kind=_KINDS.get(element.text_of("Acct", "Tp", "Cd") or ""),
        currency=code,
        lines=lines,
        starts_on=_period(element, "FrDtTm"),
        ends_on=_period(element, "ToDtTm"),
        opening_balance=opening[1].amount if opening else None,
        closing_balance=closing[1].amount if closing else None,
        closing_on=day(_OWNER, closing[0].child("Dt")) if closing else None,
        pending=pending,
    )


def _first(balances: Sequence[tuple[Element, Money]], kinds: Iterable[str]) -> tuple[Element, Money] | None:
    """Return the balance of the first of *kinds* that is there; None where it is stated in two ways."""
    for kind in kinds:
        found = [each for each in balances if _kind(each[0]) == kind]
        if found:
            return found[0] if len({stated.amount for _, stated in found}) == 1 else None
    return None


def _account(element: Element) -> str:
    number = element.text_of("Acct", "Id", "IBAN") or element.text_of("Acct", "Id", "Othr", "Id")
    if number is None:
        raise FlawError(f"{_OWNER} names no account: Acct has neither IBAN nor Othr/Id", element.line)
    return number


def _bank(element: Element) -> str | None:
    """Return the BIC or clearing number of an account that has no IBAN, which names its bank itself.

    Messages of one bank differ in whether they state it, and must not become two accounts by that.
    """
    if element.text_of("Acct", "Id", "IBAN"):
        return None
    servicer = ("Acct", "Svcr", "FinInstnId")
    paths = (("BICFI",), ("BIC",), ("ClrSysMmbId", "MmbId"))
    return next((found for path in paths if (found := element.text_of(*servicer, *path))), None)


def _currency(element: Element, lines: Sequence[StatementLine], balances: Sequence[Money]) -> str | None:
    """Return what the account states, or where it does not, the one currency of the entries, or of the balances.

    None where nothing states any: the account is merely listed.
    """
    if stated := element.child("Acct", "Ccy"):
        return converted(_OWNER, stated, currency)
    codes = {line.currency for line in lines} or {each.currency for each in balances}
    if len(codes) > 1:
        raise FlawError(f"{_OWNER} states no currency of the account (Acct/Ccy), and several in it", element.line)
    return next(iter(codes), None)


def _kind(balance: Element) -> str:
    """Return the kind of balance, which in version 1 is a level higher."""
    return balance.text_of("Tp", "CdOrPrtry", "Cd") or balance.text_of("Tp", "Cd") or "of no known kind"


def _period(element: Element, name: str) -> date | None:
    found = element.child("FrToDt", name)
    return converted(_OWNER, found, calendar_date) if found and found.text else None
