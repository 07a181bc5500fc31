"""What a file does not say about itself, and whoever reads it has to."""

from __future__ import annotations

from dataclasses import dataclass

from finance.errors import InvalidError
from finance.statements.dates import ORDERS, DateOrder
from finance.statements.decoding import is_encoding

DECIMALS = (".", ",")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unstated:
    """Each is None where the file's values decide, or the format states it.

    Attributes:
        currency: ISO 4217; of a file that names none.
        date_order: Whether 01/02 is the first of February (`"dmy"`) or the second of January (`"mdy"`).
        decimal: `"."` or `","`.
        encoding: Of text that has no byte order mark and is not UTF-8.

    Raises:
        InvalidError: One of them cannot be.
    """

    currency: str | None = None
    date_order: DateOrder | None = None
    decimal: str | None = None
    encoding: str | None = None

    def __post_init__(self) -> None:
        if self.date_order not in (None, *ORDERS):
            raise InvalidError(f"date_order {self.date_order!r}: say 'dmy' or 'mdy'")
        if self.decimal not in (None, *DECIMALS):
            raise InvalidError(f"decimal {self.decimal!r}: say '.' or ','")
        if self.currency is not None and not (
            len(self.currency) == 3 and self.currency.isalpha() and self.currency.isupper()
        ):
            raise InvalidError(f"currency {self.currency!r} is not a code of three capital letters (ISO 4217)")
        if self.encoding is not None and not is_encoding(self.encoding):
            raise InvalidError(f"encoding {self.encoding!r} is unknown; say 'windows-1252', for example")
