"""From a field :61:, and what follows it, to a line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from finance.statements.flaw import FlawError
from finance.statements.mt940.details import Details, keyed, read_details
from finance.statements.mt940.fields import Field
from finance.statements.mt940.values import amount, entry_date, subfields
from finance.statements.statement import StatementLine
from finance.statements.values import bank_reference, signed

#: An entry that the bank of an MT942 expects, and has not booked: marks EC and ED instead of C and D.
_EXPECTED = re.compile(r"[0-9]{6}(?:[0-9]{4})?E[CD]", re.IGNORECASE)
_CUSTOMER_REFERENCE = 16
#: Characters of a line with all that is about it; SWIFT allows 390 for :86:, and banks take a few thousand.
_LONGEST = 20_000
#: The names of mt-940 for the subfields of :61: and ours, which are SWIFT's.
_SUBFIELDS = {
    "status": "mark",
    "funds_code": "funds_code",
    "amount": "amount",
    "id": "type",
    "customer_reference": "customer_reference",
    "bank_reference": "bank_reference",
    "extra_details": "supplementary_details",
}


def is_expected(field: Field) -> bool:
    """Tell whether *field*, a :61:, announces an entry that is not booked."""
    return _EXPECTED.match(field.text) is not None


def grouped(fields: Sequence[Field]) -> Iterator[list[Field]]:
    """Yield each :61: of a message with the :86: and :NS: that are about it."""
    group: list[Field] = []
    for field in fields:
        if field.tag == "61":
            if group:
                yield group
            group = [field]
        elif field.tag not in ("86", "NS"):  # a balance: what follows it is about the statement
            if group:
                yield group
            group = []
        elif group:
            group.append(field)
    if group:
        yield group


def read_line(group: Sequence[Field], number: int, currency: str) -> StatementLine:
    """Read *group*, a :61: and what is about it.

    A reversal (marks RC and RD) has the sign of what it does to the account: a reversed credit is negative.

    Raises:
        FlawError: Its date, mark, amount or type cannot be right.
    """
    field = group[0]
    if sum(len(each.whole) for each in group) > _LONGEST:
        raise FlawError(f"transaction {number}: its text has more than {_LONGEST:,} characters", field.line)
    parts = _parts(field)
    details = read_details([line for each in group[1:] if each.tag == "86" for line in each.lines])
    try:
        mark = (parts["status"] or "").upper()
        return StatementLine(
            number=number,
            date=entry_date(parts),
            amount=signed(amount(parts["amount"] or ""), is_debit=mark in ("D", "RC")),
            bank_id=bank_reference(parts["bank_reference"]),
            type=_type(parts),
            payee=details.payee or _name(parts, field),
            memo=details.memo or _words(parts["extra_details"]),
            currency=currency,
            raw=_raw(group, parts, details),
        )
    except ValueError as error:
        raise FlawError(f"transaction {number}: {error}", field.line) from error


def _type(parts: Mapping[str, str | None]) -> str:
    """Return the type of transaction, without which nobody knows where the amount before it ends.

    It is S, N or F and three more; some banks write other letters. Others with digits are an amount that was damaged:
    "10,O5NMSC" is not 10 of the type O5NM.
    """
    written = (parts["id"] or "").strip().upper()
    if not written:
        raise ValueError("the type of transaction is missing behind the amount")
    if written[0] not in "SNF" and not written.isalpha():
        raise ValueError(f"{written!r} behind the amount is no type of transaction")
    return written


def _parts(field: Field) -> Mapping[str, str | None]:
    """Return the subfields of *field*, in the lines that the format has: one, and one of supplementary details.

    Some banks break the first before its amount, and some write more details, which are in `raw` only. Some write a
    longer reference than SWIFT allows (an IBAN, as ASN Bank), or longer details.
    """
    lines = [line.rstrip() for line in field.lines if line.strip()]
    try:
        return subfields(field, "\n".join(lines[: 2 if "," in field.text else 3]), "STATEMENT")
    except FlawError:
        if len(lines) == 1 or "," not in field.text:
            raise
    parts = dict(subfields(field, lines[0], "STATEMENT"))
    written = (parts["customer_reference"] or "") + (parts["extra_details"] or "")
    reference, _, bank_reference_ = written.partition("//")
    parts["bank_reference"] = parts["bank_reference"] or bank_reference_ or None
    return parts | {"customer_reference": reference, "extra_details": lines[1]}


def _name(parts: Mapping[str, str | None], field: Field) -> str | None:
    """Return the counterparty's name, which Rabobank writes behind a reference that it pads to its 16 characters."""
    reference, rest = parts["customer_reference"] or "", parts["extra_details"] or ""
    is_padded = len(reference) == _CUSTOMER_REFERENCE and reference.endswith(" ")
    return _words(rest) if is_padded and rest and field.text.endswith(rest) else None


def _raw(group: Sequence[Field], parts: Mapping[str, str | None], details: Details) -> dict[str, str]:
    raw = keyed((field.tag, field.whole) for field in group)
    raw["61.value_date"] = "".join(parts[name] or "" for name in ("year", "month", "day"))
    raw["61.entry_date"] = "".join(parts[name] or "" for name in ("entry_month", "entry_day"))
    raw |= {f"61.{ours}": text for theirs, ours in _SUBFIELDS.items() if (text := (parts[theirs] or "").strip())}
    return raw | {f"86.{number}": text for number, text in details.parts.items()}


def _words(text: str | None) -> str | None:
    return " ".join((text or "").split()) or None
