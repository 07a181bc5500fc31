"""How one bank writes its CSV files, declared once and kept in a TOML file."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from finance.errors import InvalidError
from finance.statements.amounts import AmountFormat
from finance.statements.decoding import is_encoding
from finance.statements.delimited.dates import date_reader

#: A column by the name in the header, or by its number from 1.
Column = str | int

_LARGEST = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvColumns:
    """Which column is what, by the name in the header (case does not matter) or by its number from 1.

    Attributes:
        date: The day that counts, best the booking day.
        amount: Signed; or without a sign, where `sign` is another column. Alternatively there are `debit` and `credit`.
        debit: What leaves the account; one of `debit` and `credit` has an amount in each row.
        credit: What comes in.
        sign: Words that say which it is; see `CsvProfile.debit_words`.
        payee: One column or several, whose texts are joined by a blank.
        memo: As `payee`.
        type: The bank's word for the kind of line.
        check_number: Of a cheque.
        bank_id: The bank's own id of a line, only if it never changes between two exports.
        balance: After each line. It is checked: see `read_csv`.
        currency: ISO 4217 codes, where the lines of a file have several.
        account: The number, where the file has lines of several accounts.
    """

    date: Column
    amount: Column | None = None
    debit: Column | None = None
    credit: Column | None = None
    sign: Column | None = None
    payee: Column | tuple[Column, ...] | None = None
    memo: Column | tuple[Column, ...] | None = None
    type: Column | None = None
    check_number: Column | None = None
    bank_id: Column | None = None
    balance: Column | None = None
    currency: Column | None = None
    account: Column | None = None

    def __post_init__(self) -> None:
        for name, column in self._each():
            is_number = isinstance(column, int) and not isinstance(column, bool) and column > 0
            if not (is_number or (isinstance(column, str) and column)):
                raise InvalidError(f"columns.{name}: name a column, or give its number from 1")
        pair = self.debit is not None and self.credit is not None
        if (self.amount is not None) == pair or (self.debit is None) != (self.credit is None):
            raise InvalidError("columns: name either amount, or both debit and credit")
        if self.sign is not None and pair:
            raise InvalidError("columns.sign goes with amount, not with debit and credit")

    def _each(self) -> Iterator[tuple[str, Any]]:
        for each in fields(self):
            value = getattr(self, each.name)
            several = value if isinstance(value, tuple) and each.name in ("payee", "memo") else (value,)
            yield from ((each.name, column) for column in several if column is not None or each.name == "date")


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvProfile:
    """How one bank writes its CSV files. Nothing of it is guessed while a file is read.

    Attributes:
        columns: Which column is what.
        date_format: Such as `"DD.MM.YYYY"`, `"MM/DD/YY"`, `"YYYY-MM-DD"`, `"DD MMM YYYY"`.
        decimal: What stands before decimals, `"."` or `","`.
        thousands: What stands between thousands: `"."`, `","`, `"'"`, `" "`, or `""`.
        delimiter: One character.
        quote: One character, or `""` where cells are never quoted.
        encoding: Of files without a byte order mark that are not UTF-8; None refuses those.
        skip_lines: How many lines stand before the header, or before the first row where there is no header.
        skip_last: How many rows at the end are no lines of the account, such as a sum.
        has_header: Whether the first row names the columns.
        negate: Whether amounts are written the other way round: what leaves the account without a minus, as on cards.
        debits_are_negative: Whether the column `debit` is written with its minus.
        debit_words: Words of the column `sign` for what leaves the account; case does not matter.
        credit_words: Words for what comes in.
        currency: ISO 4217; of lines for which no column says it.
        bank: The bank's id, where one is wanted.
        account: The account's number, where no column says it.
        account_kind: As `Statement.account_kind`, `"CHECKING"` or `"CREDITCARD"`, for example.

    Raises:
        InvalidError: Something of it cannot be; says what.
    """

    columns: CsvColumns
    date_format: str
    decimal: str = "."
    thousands: str = ""
    delimiter: str = ","
    quote: str = '"'
    encoding: str | None = None
    skip_lines: int = 0
    skip_last: int = 0
    has_header: bool = True
    negate: bool = False
    debits_are_negative: bool = False
    debit_words: tuple[str, ...] = field(default=())
    credit_words: tuple[str, ...] = field(default=())
    currency: str | None = None
    bank: str | None = None
    account: str | None = None
    account_kind: str | None = None

    def __post_init__(self) -> None:
        _check_types(self)
        _check_marks(self)
        try:
            date_reader(self.date_format)
        except ValueError as error:
            raise InvalidError(f"date_format: {error}") from error
        if self.encoding is not None and not is_encoding(self.encoding):
            raise InvalidError(f"encoding {self.encoding!r} is unknown; say 'windows-1252', for example")
        if self.skip_lines < 0 or self.skip_last < 0:
            raise InvalidError("skip_lines and skip_last count from 0")
        if (self.columns.sign is not None) != bool(self.debit_words and self.credit_words):
            raise InvalidError("columns.sign needs debit_words and credit_words, and they need it")
        if self.currency is not None and not (
            len(self.currency) == 3 and self.currency.isalpha() and self.currency.isupper()
        ):
            raise InvalidError(f"currency {self.currency!r} is not a code of three capital letters (ISO 4217)")

    @property
    def amounts(self) -> AmountFormat:
        """How its amounts are written."""
        return AmountFormat(self.decimal, self.thousands)

    @classmethod
    def from_toml(cls, text: str) -> CsvProfile:
        """Make the profile that *text* declares: the attributes by name, the columns in the table `[columns]`.

        Raises:
            InvalidError: It is not TOML, or no profile; says what is wrong.
        """
        try:
            found = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise InvalidError(f"not TOML: {error}") from error
        columns = found.pop("columns", None)
        if not isinstance(columns, dict):
            raise InvalidError("the table [columns] is missing")
        return cls(columns=_made(CsvColumns, columns, "columns."), **_known(cls, found, ""))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> CsvProfile:
        """Read the profile in the TOML file at *path*.

        Raises:
            InvalidError: The file cannot be read, or is no profile; begins with its name.
        """
        path = Path(path)
        try:
            with path.open("rb") as file:
                return cls.from_toml(file.read(_LARGEST).decode("utf-8-sig"))
        except InvalidError as error:
            raise InvalidError(f"{path.name}: {error}") from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8"
            raise InvalidError(f"{path.name}: the profile cannot be read: {reason}") from error

    def to_toml(self) -> str:
        """Write the profile as TOML, without what is as the defaults have it."""
        lines = [f"{name} = {_toml(value)}" for name, value in self.as_mapping().items() if name != "columns"]
        columns = [f"{name} = {_toml(value)}" for name, value in self.as_mapping()["columns"].items()]
        return "\n".join([*lines, "", "[columns]", *columns, ""])

    def as_mapping(self) -> dict[str, Any]:
        """Return what differs from the defaults, and how dates and amounts are written, as `to_toml` writes it."""
        always = {"delimiter", "decimal", "thousands"}
        mine = {
            each.name: getattr(self, each.name)
            for each in fields(self)
            if each.name in always or getattr(self, each.name) != each.default
        }
        named = {each.name: getattr(self.columns, each.name) for each in fields(self.columns)}
        return mine | {"columns": {name: column for name, column in named.items() if column is not None}}


def _made(kind: type[CsvColumns], found: Mapping[str, Any], inside: str) -> CsvColumns:
    known = _known(kind, found, inside)
    if "date" not in known:
        raise InvalidError(f"{inside}date is missing")
    return kind(**known)


def _known(kind: type[CsvColumns | CsvProfile], found: Mapping[str, Any], inside: str) -> dict[str, Any]:
    names = {each.name for each in fields(kind)}
    if unknown := sorted(found.keys() - names):
        raise InvalidError(f"{inside}{unknown[0]} is no part of a profile; it may have {', '.join(sorted(names))}")
    if kind is CsvProfile and "date_format" not in found:
        raise InvalidError("date_format is missing")
    return {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}


def _check_types(profile: CsvProfile) -> None:
    """Check what a TOML file may hold in place of a text, a number, a truth or several words."""
    for each in fields(profile):
        value = getattr(profile, each.name)
        if each.name == "columns":
            fits = isinstance(value, CsvColumns)
        elif isinstance(each.default, bool | int):
            fits = type(value) is type(each.default)
        elif isinstance(each.default, tuple):
            fits = isinstance(value, tuple) and all(isinstance(word, str) for word in value)
        else:
            fits = isinstance(value, str) or (value is None and each.default is None)
        if not fits:
            raise InvalidError(f"{each.name}: a value of type {type(value).__name__} cannot be")


def _check_marks(profile: CsvProfile) -> None:
    if profile.decimal not in (".", ","):
        raise InvalidError(f"decimal {profile.decimal!r}: say '.' or ','")
    if profile.thousands not in (".", ",", "'", " ", "") or profile.thousands == profile.decimal:
        raise InvalidError(f"thousands {profile.thousands!r}: say '.', ',', \"'\", ' ' or '', but not the decimal")
    if len(profile.delimiter) != 1 or profile.delimiter in "\r\n":
        raise InvalidError(f"delimiter {profile.delimiter!r} is not one character")
    if len(profile.quote) > 1 or profile.quote in ("\r", "\n", profile.delimiter):
        raise InvalidError(f"quote {profile.quote!r} is not one character")


def _toml(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    # JSON's strings, numbers and truths are TOML's. What could command a terminal is escaped.
    written = json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in written)
