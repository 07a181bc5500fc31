"""From the elements of an OFX document to statements (specification 2.2, chapters 11 and 13).

A file is read whole or refused: what was read is counted against the text before anything is returned.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from finance.statements.flaw import FlawError, plain
from finance.statements.ofx.completeness import check_complete
from finance.statements.ofx.fields import optional, optional_date
from finance.statements.ofx.header import decode
from finance.statements.ofx.lines import read_lines
from finance.statements.ofx.markup import normalise
from finance.statements.ofx.movements import read_positions
from finance.statements.ofx.tree import Element, build
from finance.statements.ofx.values import amount
from finance.statements.statement import Statement, StatementFile, StatementLine
from finance.statements.values import currency

#: The kind of account, where no ACCTTYPE says it.
_STATEMENTS = {"STMTRS": None, "CCSTMTRS": "CREDITCARD", "INVSTMTRS": "INVESTMENT"}
_LISTINGS = {"BANKACCTINFO": None, "CCACCTINFO": "CREDITCARD", "INVACCTINFO": "INVESTMENT"}
_LISTS = ("BANKTRANLIST", "INVTRANLIST")
_OWNER = "the statement"


def read_ofx(data: bytes, name: str) -> StatementFile:
    """Read *data*, the bytes of the OFX or QFX file called *name*.

    Raises:
        FlawError: The file is damaged, or says something that cannot be right.
        ConfigurationError: The extra `statements` is not installed.
    """
    source = decode(data)
    root = build(normalise(source.text, source.start))
    statements = tuple(_statements(root))
    check_complete(source.text[source.start :], statements)
    statements += tuple(_listed(root, {statement.account for statement in statements}))
    if not statements:
        raise FlawError(_why_empty(root))
    return StatementFile(
        name=name,
        format="ofx",
        version=source.version,
        sha256=hashlib.sha256(data).hexdigest(),
        institution=_institution(root),
        statements=statements,
    )


def _statements(root: Element) -> Iterator[Statement]:
    for element in root.walk():
        if element.name in _STATEMENTS:
            yield _statement(element)


def _statement(element: Element) -> Statement:
    account = _account(element)
    lists = [child for child in element.children if child.name in _LISTS]
    lines = tuple(read_lines(lists))
    period = lists[0] if lists else element
    balance = _balance(element)
    return Statement(
        bank=account.value("BANKID") or account.value("BROKERID"),
        branch=account.value("BRANCHID"),
        account=_number(account),
        account_kind=account.value("ACCTTYPE") or _STATEMENTS[element.name],
        currency=_currency(element, lines),
        lines=lines,
        starts_on=optional_date(_OWNER, period, "DTSTART"),
        ends_on=optional_date(_OWNER, period, "DTEND"),
        closing_balance=optional(_OWNER, balance, "BALAMT", amount) if balance else None,
        closing_on=optional_date(_OWNER, balance, "DTASOF") if balance else None,
        positions=tuple(read_positions(_OWNER, element)),
        positions_on=optional_date(_OWNER, element, "DTASOF"),
        pending=sum(inner.name == "STMTTRNP" for inner in element.walk()),
    )


def _balance(element: Element) -> Element | None:
    if sum(child.name == "LEDGERBAL" for child in element.children) > 1:
        raise FlawError(f"{_OWNER}: LEDGERBAL is there more than once", element.line)
    balance = element.child("LEDGERBAL")
    if balance and balance.child("BALAMT") is None:  # an empty one claims nothing; without one, a tag was lost
        raise FlawError(f"{_OWNER}: LEDGERBAL has no BALAMT", balance.line)
    return balance


def _listed(root: Element, with_statement: set[str]) -> Iterator[Statement]:
    """Yield the accounts that the file merely lists (specification 2.2, section 8.5), without lines and currency."""
    for element in root.walk():
        if element.name not in _LISTINGS:
            continue
        account = _account(element)
        number = _number(account)
        if number not in with_statement:
            yield Statement(
                bank=account.value("BANKID") or account.value("BROKERID"),
                branch=account.value("BRANCHID"),
                account=number,
                account_kind=account.value("ACCTTYPE") or _LISTINGS[element.name],
                currency=None,
            )


def _account(element: Element) -> Element:
    """Return BANKACCTFROM, CCACCTFROM or INVACCTFROM; some banks put a card into BANKACCTFROM."""
    found = next((child for child in element.children if child.name.endswith("ACCTFROM")), None)
    if found is None:
        raise FlawError(f"{_OWNER} names no account: BANKACCTFROM, CCACCTFROM or INVACCTFROM is missing", element.line)
    return found


def _number(account: Element) -> str:
    number = account.value("ACCTID")
    if number is None:
        raise FlawError(f"{_OWNER} names no account: ACCTID is missing or empty", account.line)
    return number


def _currency(element: Element, lines: tuple[StatementLine, ...]) -> str | None:
    """Return CURDEF, or where that is missing the one currency that every line states."""
    stated = optional(_OWNER, element, "CURDEF", currency)
    if stated or not lines:
        return stated
    of_lines = {line.currency for line in lines}
    if len(of_lines) > 1 or None in of_lines:
        raise FlawError(f"{_OWNER} states no currency: CURDEF is missing or empty", element.line)
    return of_lines.pop()


def _institution(root: Element) -> str | None:
    names = (element.value("ORG") for element in root.walk() if element.name == "FI")
    return next((name for name in names if name), None)


def _why_empty(root: Element) -> str:
    """Say what the bank says: a file without statements is often its answer to a failed download."""
    for element in root.walk():
        if element.name == "STATUS" and (element.value("SEVERITY") or "").upper() == "ERROR":
            code, message = element.value("CODE") or "", element.value("MESSAGE") or ""
            return f"the bank answered with an error and no statement: {plain(f'{code} {message}', 200)}"
    return "the file holds no statement and no account"
