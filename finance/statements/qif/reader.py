"""From the bytes of a QIF file to statements."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from finance.money import total
from finance.statements.amounts import AmountFormat, separators
from finance.statements.dates import DateOrder
from finance.statements.decoding import decoded
from finance.statements.flaw import FlawError, shown
from finance.statements.qif.dates import WrittenDate, order_of, written_date
from finance.statements.qif.records import CASH, SECURITIES, Contents, Record, Section, contents_of, raw_of
from finance.statements.statement import Statement, StatementFile, StatementLine
from finance.statements.unstated import Unstated

_HEADS = ("!type:", "!account", "!option:", "!clear:")


def is_qif(data: bytes) -> bool:
    """Tell whether *data* is QIF, whatever its file is called: it begins with one of the format's headers."""
    head = data[:256]
    encoding = "utf-16" if head.startswith((b"\xff\xfe", b"\xfe\xff")) else "latin-1"
    text = head.removeprefix(b"\xef\xbb\xbf").decode(encoding, "replace")
    return text.lstrip().lower().startswith(_HEADS)


def read_qif(data: bytes, name: str, unstated: Unstated) -> StatementFile:
    """Read *data*, the content of the QIF file *name*.

    Each section of an account is a statement. A line's splits, category and transfer are in its `raw`. A record
    "Opening Balance" is a line as any other. What an investment account did is lines of kind `"security"`, with
    their figures in `raw`.

    Raises:
        FlawError: The file is damaged, is of no known kind, or does not decide what *unstated* leaves open.
    """
    text = decoded(data, unstated.encoding, "say which with encoding='windows-1252' or --encoding")
    contents = contents_of(text)
    _check_named(contents.sections)
    if not contents.sections:
        raise FlawError("the file holds no lines of an account")
    reader = _Reader(contents, unstated)
    statements = tuple(map(reader.statement, contents.sections))
    sha256 = hashlib.sha256(data).hexdigest()
    return StatementFile(name, "qif", None, sha256, None, statements, tuple(reader.remarks()))


def _check_named(sections: tuple[Section, ...]) -> None:
    if len(sections) > 1:
        for section in sections:
            if not _account(section):
                raise FlawError(
                    "the file has several sections, and nothing (!Account) names the account of this", section.line
                )


def _account(section: Section) -> str:
    """Return the account's name; without `!Account`, the record "Opening Balance" names it as its own category."""
    first = section.records[0]
    category = first.text("L") or ""
    if section.account is None and (first.text("P") or "").lower() == "opening balance" and category.startswith("["):
        return category[1:].partition("]")[0].strip()
    return section.account or ""


@dataclass(frozen=True, slots=True)
class _Dated:
    record: Record
    date: WrittenDate


class _Reader:
    def __init__(self, contents: Contents, unstated: Unstated) -> None:
        stated = unstated.date_order or contents.date_order
        told: DateOrder | None = "dmy" if stated == "dmy" else "mdy" if stated == "mdy" else None
        self._dated = {id(section): list(map(_dated, section.records)) for section in contents.sections}
        self._order = order_of([each.date for dated in self._dated.values() for each in dated], told)
        self._amounts = _amount_format(contents.sections, unstated)
        self._currency = unstated.currency
        self._uneven: list[int] = []

    def remarks(self) -> Iterator[str]:
        """Yield what is to be said of the statements that were read."""
        if self._uneven:
            yield (
                f"records whose splits do not add up to their amount (the first on line {self._uneven[0]}), of which"
                f" the amount counts: {len(self._uneven)}"
            )

    def statement(self, section: Section) -> Statement:
        read = self._cash if section.kind in CASH else self._security
        return Statement(
            bank=None,
            branch=None,
            account=_account(section),
            account_kind=CASH.get(section.kind) or SECURITIES[section.kind],
            currency=self._currency,
            lines=tuple(read(number, each) for number, each in enumerate(self._dated[id(section)], start=1)),
        )

    def _cash(self, number: int, dated: _Dated) -> StatementLine:
        record = dated.record
        amount = self._amount(record)
        if (splits := self._splits(record)) and total(splits) != amount:
            self._uneven.append(record.line)
        return StatementLine(
            number=number,
            date=dated.date.in_order(self._order),
            amount=amount,
            payee=record.text("P"),
            memo=record.text("M"),
            check_number=record.text("N"),
            raw=raw_of(record),
        )

    def _security(self, number: int, dated: _Dated) -> StatementLine:
        record = dated.record
        return StatementLine(
            number=number,
            date=dated.date.in_order(self._order),
            amount=Decimal(0),
            kind="security",
            type=(record.text("N") or "").upper() or None,
            payee=record.text("P") or record.text("Y"),
            memo=record.text("M"),
            raw=raw_of(record),
        )

    def _amount(self, record: Record) -> Decimal:
        found = {code: self._value(code, record) for code in "TU"}
        amounts = [amount for amount in found.values() if amount is not None]
        if not amounts:
            raise FlawError("the record has no amount (T)", record.line)
        if len(set(amounts)) > 1:
            raise FlawError(f"the record has two amounts, T {found['T']:f} and U {found['U']:f}", record.line)
        return amounts[0]

    def _splits(self, record: Record) -> list[Decimal]:
        return [self._read("$", text, line) for code, text, line in record.fields if code == "$" and text]

    def _value(self, code: str, record: Record) -> Decimal | None:
        value = record.value(code)
        return None if value is None else self._read(code, *value)

    def _read(self, code: str, text: str, line: int) -> Decimal:
        try:
            return self._amounts.amount(text, self._currency)
        except ValueError as error:
            raise FlawError(f"{code} {error}", line) from error


def _dated(record: Record) -> _Dated:
    value = record.value("D")
    if value is None:
        raise FlawError("the record has no date (D)", record.line)
    return _Dated(record, written_date(*value))


def _amount_format(sections: Iterable[Section], unstated: Unstated) -> AmountFormat:
    found = separators(_amounts(sections))
    if unstated.decimal is None and len(found.decimals) > 1:
        raise FlawError("some amounts have a decimal point and some a decimal comma")
    decimal = unstated.decimal or next(iter(found.decimals), None)
    if decimal is None and found.ambiguous is not None:
        raise FlawError(
            f"nothing says whether amounts such as {shown(found.ambiguous)} have decimals or thousands:"
            " say decimal='.' or ',', or --decimal"
        )
    decimal = decimal or "."
    return AmountFormat(decimal, found.thousands if found.thousands in ("'", " ") else "," if decimal == "." else ".")


def _amounts(sections: Iterable[Section]) -> Iterator[str]:
    for section in sections:
        for record in section.records if section.kind in CASH else ():
            yield from (text for code, text, _ in record.fields if code in ("T", "U", "$"))
