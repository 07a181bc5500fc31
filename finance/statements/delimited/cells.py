"""What the cells of a row mean, by the profile: one line of a statement."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from finance.statements.delimited.dates import date_reader
from finance.statements.delimited.profile import Column, CsvProfile
from finance.statements.delimited.table import Header, Row
from finance.statements.flaw import FlawError, shown
from finance.statements.statement import StatementLine

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Booked:
    """A line, whose number is still 0, the account and the currency that it belongs to, and the balance after it."""

    at: int
    line: StatementLine
    account: str
    currency: str | None
    balance: Decimal | None


class CellReader:
    """Reads the rows of one table, whose amounts are in *currency* where neither it nor the profile says it."""

    def __init__(self, profile: CsvProfile, header: Header, currency: str | None = None) -> None:
        self._profile = profile
        self._currency = profile.currency or currency
        self._names = header.names
        self._needed = len("\0".join(header.names).rstrip("\0").split("\0"))  # nameless last columns may be missing
        self._date = date_reader(profile.date_format)
        self._words = dict.fromkeys(map(str.casefold, profile.credit_words), 1)
        self._words |= dict.fromkeys(map(str.casefold, profile.debit_words), -1)
        columns = profile.columns
        self._at = {
            name: None if column is None else header.position(column)
            for name, column in (
                ("date", columns.date),
                ("amount", columns.amount),
                ("debit", columns.debit),
                ("credit", columns.credit),
                ("sign", columns.sign),
                ("balance", columns.balance),
                ("currency", columns.currency),
                ("account", columns.account),
                ("bank_id", columns.bank_id),
                ("type", columns.type),
                ("check_number", columns.check_number),
            )
        }
        self._payee = [header.position(column) for column in _several(columns.payee)]
        self._memo = [header.position(column) for column in _several(columns.memo)]

    def read(self, row: Row) -> Booked:
        """Read *row*.

        Raises:
            FlawError: It has more or fewer cells than the header, or one that does not fit.
        """
        self._check_width(row)
        currency = self._text(row, "currency")
        currency = self._convert(row, "currency", _code) if currency else self._currency
        line = StatementLine(
            number=0,
            date=self._convert(row, "date", self._date),
            amount=self._amount(row, currency),
            bank_id=self._text(row, "bank_id"),
            type=self._text(row, "type"),
            payee=_joined(row, self._payee),
            memo=_joined(row, self._memo),
            check_number=self._text(row, "check_number"),
            raw=dict(zip(self._names, row.cells, strict=False)),
        )
        balance = self._money(row, "balance", currency) if self._text(row, "balance") else None
        account = self._text(row, "account") or self._profile.account or ""
        return Booked(row.line, line, account, currency, balance)

    def has_date(self, row: Row) -> bool:
        """Tell whether *row* has a date where lines have theirs, so that it is one."""
        try:
            self._date(self._text(row, "date") or "")
        except ValueError:
            return False
        return True

    def _check_width(self, row: Row) -> None:
        width = len(self._names)
        if len(row.cells) < self._needed or any(row.cells[width:]):
            raise FlawError(f"the row has {len(row.cells)} cells, the header {width}", row.line)

    def _text(self, row: Row, what: str) -> str | None:
        at = self._at[what]
        return None if at is None or at >= len(row.cells) else row.cells[at] or None

    def _convert(self, row: Row, what: str, convert: Callable[[str], Value]) -> Value:
        text = self._text(row, what) or ""
        try:
            return convert(text)
        except ValueError as error:
            reason = str(error) if text else "is empty"
            raise FlawError(f"column {shown(self._names[self._at[what] or 0])}: {reason}", row.line) from error

    def _money(self, row: Row, what: str, currency: str | None) -> Decimal:
        return self._convert(row, what, lambda text: self._profile.amounts.amount(text, currency))

    def _amount(self, row: Row, currency: str | None) -> Decimal:
        amount = self._of_pair(row, currency) if self._at["amount"] is None else self._money(row, "amount", currency)
        if self._at["sign"] is not None:
            amount = self._signed(row, amount)
        return amount.copy_negate() if self._profile.negate and amount else amount

    def _of_pair(self, row: Row, currency: str | None) -> Decimal:
        found = {what: self._money(row, what, currency) for what in ("debit", "credit") if self._text(row, what)}
        if not found or all(found.get(what) for what in ("debit", "credit")):
            how = "both" if found else "neither"
            raise FlawError(f"the row has {how} of debit and credit, and one of them is needed", row.line)
        what = next((what for what in found if found[what]), next(iter(found)))
        if what == "credit" or self._profile.debits_are_negative or not found[what]:
            return found[what]
        return found[what].copy_negate()

    def _signed(self, row: Row, amount: Decimal) -> Decimal:
        text = self._text(row, "sign") or ""
        sign = self._words.get(text.casefold())
        if sign is None:
            raise FlawError(
                f"column {shown(self._names[self._at['sign'] or 0])}: {shown(text)} is none of its words", row.line
            )
        if amount < 0:
            raise FlawError("the amount has a sign, and the column for signs one, too", row.line)
        return amount.copy_negate() if sign < 0 and amount else amount


def _several(columns: Column | tuple[Column, ...] | None) -> tuple[Column, ...]:
    return () if columns is None else columns if isinstance(columns, tuple) else (columns,)


def _joined(row: Row, positions: Iterable[int]) -> str | None:
    return " ".join(row.cells[at] for at in positions if at < len(row.cells) and row.cells[at]) or None


def _code(text: str) -> str:
    if len(text) != 3 or not (text.isascii() and text.isalpha()):
        raise ValueError(f"{shown(text)} is not a currency code of three letters (ISO 4217)")
    return text.upper()
