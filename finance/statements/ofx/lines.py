"""From the elements of a transaction list to lines.

Cash is `<STMTTRN>` (specification 2.2, section 11.4.4), which a broker wraps into `<INVBANKTRAN>` (13.9.2.3); every
other aggregate of a broker's list moves securities (13.9.2.4), also one that the specification does not know.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from finance.statements.flaw import FlawError, plain
from finance.statements.ofx.fields import optional, required
from finance.statements.ofx.movements import read_movement
from finance.statements.ofx.tree import Element
from finance.statements.ofx.values import amount, calendar_date
from finance.statements.statement import StatementLine
from finance.statements.values import bank_reference, currency

_PERIOD = ("DTSTART", "DTEND")


def read_lines(lists: Iterable[Element]) -> Iterator[StatementLine]:
    """Read every line of *lists*, the transaction lists of one statement, in the order of the file.

    Raises:
        FlawError: A line has no amount or no date, or one that cannot be right; or a bank's list holds
            something unknown, which may be a line.
    """
    number = 0
    for transactions in lists:
        for element in transactions.children:
            for line in _read(element, transactions.name, number + 1):
                number += 1
                yield line


def _read(element: Element, inside: str, number: int) -> Iterator[StatementLine]:
    if element.name in _PERIOD:
        return
    if element.name == "STMTTRN":
        yield _cash(element, number)
    elif element.name == "INVBANKTRAN":
        yield from _broker_cash(element, number)
    elif element.children and inside == "INVTRANLIST":
        yield _security(element, number)
    elif element.children:
        raise FlawError(f"<{element.name}> in {inside} is unknown, and may be a transaction", element.line)


def _broker_cash(element: Element, number: int) -> Iterator[StatementLine]:
    """Read the transactions in *element*; what stands beside them (`SUBACCTFUND`) goes into their raw elements."""
    transactions = [child for child in element.children if child.name == "STMTTRN"]
    beside = {key: text for key, text in element.flattened().items() if not key.startswith("STMTTRN")}
    for offset, transaction in enumerate(transactions):
        yield _cash(transaction, number + offset, beside)


def _cash(element: Element, number: int, beside: Mapping[str, str] | None = None) -> StatementLine:
    bank_id = element.value("FITID")
    owner = _owner("transaction", number, bank_id)
    return StatementLine(
        number=number,
        amount=required(owner, element, "TRNAMT", amount),
        date=required(owner, element, "DTPOSTED", calendar_date),
        kind="cash",
        bank_id=bank_id,
        type=(element.value("TRNTYPE") or "").upper() or None,
        payee=_payee(element),
        memo=element.value("MEMO"),
        check_number=element.value("CHECKNUM"),
        currency=_currency(owner, element),
        raw={**(beside or {}), **element.flattened()},
        corrects=bank_reference(element.value("CORRECTFITID")),
    )


def _security(element: Element, number: int) -> StatementLine:
    details = next((inner for inner in element.walk() if inner.name == "INVTRAN"), element)
    bank_id = details.value("FITID")
    owner = _owner(element.name, number, bank_id)
    return StatementLine(
        number=number,
        amount=Decimal(0),
        date=required(owner, details, "DTTRADE", calendar_date),
        kind="security",
        bank_id=bank_id,
        type=element.name,
        memo=details.value("MEMO"),
        currency=_currency(owner, element),
        raw=element.flattened(),
        movement=read_movement(owner, element),
    )


def _currency(owner: str, element: Element) -> str | None:
    """Return the currency that the line says its amount is in.

    That is CURRENCY's; ORIGCURRENCY merely tells what the amount was before the bank converted it to the statement's
    currency (specification 1.6 and 2.2, section 5.2).
    """
    stated = next((inner for inner in element.walk() if inner.name == "CURRENCY"), None)
    if stated is None:
        return None
    if not stated.children:  # not in the specification, but written: <CURRENCY>EUR
        return optional(owner, Element(element.name, "", stated.line, (stated,)), "CURRENCY", currency)
    if stated.child("CURSYM") is None:
        raise FlawError(f"{owner}: CURRENCY has no CURSYM", stated.line)
    return optional(owner, stated, "CURSYM", currency)


def _payee(element: Element) -> str | None:
    """Return NAME, or the name in PAYEE, of which a line has one or the other; or else the long name beside them."""
    payee = element.child("PAYEE")
    return element.value("NAME") or (payee.value("NAME") if payee else None) or element.value("EXTDNAME")


def _owner(what: str, number: int, bank_id: str | None) -> str:
    return f"{what} {number} (FITID {plain(bank_id)})" if bank_id else f"{what} {number}"
