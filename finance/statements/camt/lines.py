"""From an entry (`Ntry`) to a line.

An entry is what changes the account's balance. Where the bank books several payments in one sum, their details
(`NtryDtls/TxDtls`) are in `raw` and make no lines: they may lack amounts, be in other currencies, or not add up.
"""

from __future__ import annotations

from finance.statements.camt.values import day, money
from finance.statements.flaw import FlawError, plain, shown
from finance.statements.markup import Element
from finance.statements.statement import StatementLine
from finance.statements.values import bank_reference

#: `Sts`, which is text up to version 6 and has a `Cd` since: booked, or merely announced.
_BOOKED = ("BOOK",)
_PENDING = ("PDNG", "INFO", "FUTR")


def is_booked(entry: Element, number: int) -> bool:
    """Tell whether *entry* is booked: `BOOK`, and not `PDNG`, `INFO` or `FUTR`.

    Raises:
        FlawError: It says neither.
    """
    status = (entry.text_of("Sts") or entry.text_of("Sts", "Cd") or "").upper()
    if status not in (*_BOOKED, *_PENDING):
        stated = shown(status or entry.text_of("Sts", "Prtry") or "")
        raise FlawError(f"entry {number}: Sts {stated} does not say whether it is booked", entry.line)
    return status in _BOOKED


def read_line(entry: Element, number: int) -> StatementLine:
    """Read *entry*, which is booked.

    Raises:
        FlawError: It has no amount, sign, currency or date, or one that cannot be right.
    """
    details = entry.children("NtryDtls", "TxDtls") or entry.children("TxDtls")  # version 1 has no NtryDtls
    bank_id = _bank_id(entry, details)
    owner = f"entry {number} ({plain(bank_id)})" if bank_id else f"entry {number}"
    moved = money(owner, entry)
    booked_on = day(owner, entry.child("BookgDt")) or day(owner, entry.child("ValDt"))
    if booked_on is None:
        raise FlawError(f"{owner}: BookgDt and ValDt are missing or empty", entry.line)
    return StatementLine(
        number=number,
        date=booked_on,
        amount=moved.amount,
        bank_id=bank_id,
        type=_type(entry),
        payee=_payee(entry, details),
        memo=_memo(entry, details),
        check_number=details[0].text_of("Refs", "ChqNb") if len(details) == 1 else None,
        currency=moved.currency,
        raw=dict(entry.flattened()),
    )


def _bank_id(entry: Element, details: list[Element]) -> str | None:
    """Return the bank's reference of the entry, or of the only payment in it.

    `NtryRef` is none: it counts the entries of one message, and `EndToEndId` is the payer's.
    """
    own = bank_reference(entry.text_of("AcctSvcrRef"))
    return own or (bank_reference(details[0].text_of("Refs", "AcctSvcrRef")) if len(details) == 1 else None)


def _type(entry: Element) -> str | None:
    """Return the bank transaction code, `"PMNT-ICDT-DMCT"`, or the bank's own."""
    domain = entry.child("BkTxCd", "Domn")
    if domain:
        codes = (domain.text_of("Cd"), domain.text_of("Fmly", "Cd"), domain.text_of("Fmly", "SubFmlyCd"))
        return "-".join(code.upper() for code in codes if code) or None
    return (entry.text_of("BkTxCd", "Prtry", "Cd") or "").upper() or None


def _payee(entry: Element, details: list[Element]) -> str | None:
    """Return the other party, where all payments of the entry have the same one.

    Money that comes is from a debtor, money that goes is to a creditor; in what undoes a payment they have kept their
    roles.
    """
    is_credit = entry.text_of("CdtDbtInd") == "CRDT"
    is_reversed = entry.text_of("RvslInd") in ("true", "1")
    role = "Dbtr" if is_credit != is_reversed else "Cdtr"
    names = {_name(each, role) for each in details}
    return names.pop() if len(names) == 1 else None


def _name(details: Element, role: str) -> str | None:
    """Return the name in *role*, also below `Pty` or `Agt` as since version 8, or its ultimate party's."""
    for party in (role, f"Ultmt{role}"):
        for path in ((party,), (party, "Pty"), (party, "Agt", "FinInstnId")):
            if name := details.text_of("RltdPties", *path, "Nm"):
                return " ".join(name.split())
    return None


def _memo(entry: Element, details: list[Element]) -> str | None:
    """Return what the only payment is for, or else what the bank says about the entry."""
    texts = _remittance(details[0]) if len(details) == 1 else []
    texts = texts or [entry.text_of("AddtlNtryInf") or ""]
    return " ".join(" ".join(texts).split()) or None


def _remittance(details: Element) -> list[str]:
    texts: list[str | None] = [each.text for each in details.children("RmtInf", "Ustrd")]
    for structured in details.children("RmtInf", "Strd"):
        texts += [structured.text_of("CdtrRefInf", "Ref"), *(each.text for each in structured.children("AddtlRmtInf"))]
    texts = texts if any(texts) else [details.text_of("AddtlTxInf")]
    return [text for text in texts if text]
