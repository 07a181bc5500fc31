"""From the aggregates of a broker's list to what they move (specification 2.2, section 13.9.2.4)."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from finance.errors import CurrencyError
from finance.money import iso_currency, total
from finance.statements.ofx.fields import optional
from finance.statements.ofx.tree import Element
from finance.statements.ofx.values import amount
from finance.statements.statement import Movement, MovementKind

_KINDS: dict[str, MovementKind] = {
    **dict.fromkeys(("BUYDEBT", "BUYMF", "BUYOPT", "BUYOTHER", "BUYSTOCK"), "exchange"),
    **dict.fromkeys(("SELLDEBT", "SELLMF", "SELLOPT", "SELLOTHER", "SELLSTOCK"), "exchange"),
    "REINVEST": "reinvest",
    **dict.fromkeys(("INCOME", "INVEXPENSE", "RETOFCAP", "MARGININTEREST"), "cash"),
    "TRANSFER": "transfer",
    "SPLIT": "split",
}
#: What a purchase does to units and money, and a sale; a reinvestment buys.
_SIGNS = {"BUY": (1, -1), "REINVEST": (1, -1), "SELL": (-1, 1)}


def read_movement(owner: str, element: Element) -> Movement | None:
    """Return what *element* moves; None for an aggregate whose effect is not known, or that lacks a figure.

    Journals between the sub-accounts of one account (JRNLFUND, JRNLSEC) move nothing between accounts. A split that
    pays fractions out in money (FRACCASH) is an exchange.

    Raises:
        FlawError: A figure is no number, or there twice.
    """
    kind = _KINDS.get(element.name)
    security = _security(element)
    units, cash = _units(owner, element), _figure(owner, element, "TOTAL") or Decimal(0)
    if kind == "split" and (paid := _figure(owner, element, "FRACCASH")):
        kind, cash = "exchange", paid
    needs_units, needs_cash = kind != "cash", kind in ("exchange", "reinvest", "cash")
    if kind is None or (needs_units and (security is None or not units)) or (needs_cash and not cash):
        return None
    if needs_units and needs_cash:
        signed = _signed(element, units, cash)
        if signed is None:
            return None
        units, cash = signed
    return Movement(kind, security or "", Decimal(0) if kind == "cash" else units, cash if needs_cash else Decimal(0))


def _signed(element: Element, units: Decimal, cash: Decimal) -> tuple[Decimal, Decimal] | None:
    """Return *units* and *cash* of a purchase or sale with their signs; None where those contradict it.

    The specification has a minus for what leaves, and both signs the other way round for what takes a purchase or sale
    back. Some brokers write one of the two figures, or both, without a sign.
    """
    expected = next((signs for name, signs in _SIGNS.items() if element.name.startswith(name)), None)
    if expected is None or (units > 0) != (cash > 0):
        return units, cash
    if units < 0:  # a sale whose fees are more than its proceeds costs money
        return (units, cash) if element.name.startswith("SELL") else None
    return units.copy_sign(Decimal(expected[0])), cash.copy_sign(Decimal(expected[1]))


def read_positions(owner: str, element: Element) -> Iterator[tuple[str, Decimal]]:
    """Yield the securities that a statement lists as held, and how much of each; sub-accounts are added up.

    Raises:
        FlawError: A figure is no number.
    """
    held: dict[str, list[Decimal]] = {}
    for inner in element.walk():
        if inner.name == "INVPOS" and (security := _security(inner)) is not None:
            units = optional(owner, inner, "UNITS", amount)
            if units is not None:
                is_short = (inner.value("POSTYPE") or "").upper() == "SHORT"
                held.setdefault(security, []).append(units.copy_abs().copy_negate() if is_short else units)
    for security, amounts in held.items():
        yield security, total(amounts)


def _security(element: Element) -> str | None:
    """Return the security's id; one that is also the code of a currency is told apart by its type."""
    for inner in element.walk():
        if inner.name == "SECID" and (found := " ".join((inner.value("UNIQUEID") or "").split())):
            return f"{inner.value('UNIQUEIDTYPE') or 'SECURITY'}:{found}" if _is_currency(found) else found
    return None


def _is_currency(code: str) -> bool:
    try:
        iso_currency(code)
    except CurrencyError:
        return False
    return True


def _units(owner: str, element: Element) -> Decimal:
    if element.name == "SPLIT":
        new, old = _figure(owner, element, "NEWUNITS"), _figure(owner, element, "OLDUNITS")
        return Decimal(0) if new is None or old is None else total((new, old.copy_negate()))
    units = _figure(owner, element, "UNITS") or Decimal(0)
    action = (element.value("TFERACTION") or "").upper()
    if action not in ("IN", "OUT"):
        return units
    # A short position that comes in is owed from then on.
    goes = (action == "OUT") != ((element.value("POSTYPE") or "").upper() == "SHORT")
    return units.copy_abs().copy_negate() if goes else units.copy_abs()


def _figure(owner: str, element: Element, name: str) -> Decimal | None:
    """Return the figure *name*, which stands in the aggregate or in one inside it (INVBUY, INVSELL)."""
    for inner in element.walk():
        if inner.child(name) is not None:
            return optional(owner, inner, name, amount)
    return None
