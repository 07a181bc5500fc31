"""What the elements of a CAMT message mean: dates, amounts and their signs (ISO 20022 message definitions)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TypeVar

from finance.statements.flaw import FlawError, shown
from finance.statements.markup import Element
from finance.statements.values import currency, signed, unsigned

Value = TypeVar("Value")

_AMOUNT = re.compile(r"(?=.*[0-9])[0-9]*(?:\.([0-9]*))?")
_RULE = "digits with at most one decimal point, and no sign: CdtDbtInd says it"
#: xs:date and xs:dateTime, of which the day counts that is written, in whatever time zone.
_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:T[0-9:.]+)?(?:Z|[+-][0-9]{2}:[0-9]{2})?")
_MARKS = {"CRDT": False, "DBIT": True}


@dataclass(frozen=True, slots=True)
class Money:
    """An amount with its sign, and the currency that it is in."""

    amount: Decimal
    currency: str


def required(owner: str, element: Element, name: str, convert: Callable[[str], Value]) -> Value:
    """Read the child *name* of *element*.

    Raises:
        FlawError: It is missing, empty, not what *convert* accepts, or there twice.
    """
    found = element.children(name)
    if len(found) != 1 or not found[0].text:
        how = f"is there {len(found)} times" if len(found) > 1 else "is missing or empty"
        raise FlawError(f"{owner}: {name} {how}", element.line)
    return converted(owner, found[0], convert)


def converted(owner: str, element: Element, convert: Callable[[str], Value]) -> Value:
    """Read the text of *element*.

    Raises:
        FlawError: It is not what *convert* accepts.
    """
    try:
        return convert(element.text)
    except ValueError as error:
        raise FlawError(f"{owner}: {element.name} {error}", element.line) from error


def money(owner: str, element: Element) -> Money:
    """Read `Amt` with its currency, and its sign from `CdtDbtInd`.

    The sign is the entry's own: an entry with a `RvslInd` that undoes a debit says CRDT itself.
    """
    value = required(owner, element, "Amt", _amount)
    is_debit = required(owner, element, "CdtDbtInd", _is_debit)
    code = element.children("Amt")[0].attribute("Ccy")
    try:
        return Money(signed(value, is_debit=is_debit), currency(code or ""))
    except ValueError as error:
        raise FlawError(f"{owner}: Amt Ccy {error}", element.line) from error


def day(owner: str, element: Element | None) -> date | None:
    """Read the day in *element*, a choice of `Dt` and `DtTm`; None where neither is there."""
    for name in ("Dt", "DtTm"):
        if element and (found := element.child(name)) and found.text:
            return converted(owner, found, calendar_date)
    return None


def calendar_date(text: str) -> date:
    """Return the date that is written, without moving it into any time zone."""
    written = _DATE.fullmatch(text)
    if written is None:
        raise ValueError(f"{shown(text)} is not a date (YYYY-MM-DD)")
    try:
        return date(int(written[1]), int(written[2]), int(written[3]))
    except ValueError as error:
        raise ValueError(f"{shown(text)} is not a date in the calendar") from error


def _amount(text: str) -> Decimal:
    return unsigned(text, _AMOUNT, _RULE)


def _is_debit(text: str) -> bool:
    if text not in _MARKS:
        raise ValueError(f"{shown(text)} is neither CRDT nor DBIT")
    return _MARKS[text]
