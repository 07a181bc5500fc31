"""Prices: what one unit of a currency is worth in another, on a day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import cast

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from finance.errors import AmountError, CurrencyError, InvalidError
from finance.models.base import Base
from finance.models.new_entry import require_text
from finance.money import Amount, exact


class Price(Base):
    """What one unit of `currency` was worth in `quote` at the end of the day `date`.

    A ledger has one price of a pair on a day; a better one replaces it. Prices change no balance: they value what
    the postings say.
    """

    __tablename__ = "prices"
    __table_args__ = (
        ForeignKeyConstraint(["ledger_id", "currency"], ["currencies.ledger_id", "currencies.code"]),
        ForeignKeyConstraint(["ledger_id", "quote"], ["currencies.ledger_id", "currencies.code"]),
        CheckConstraint("currency <> quote", name="of_another"),
        CheckConstraint("rate > 0 AND rate < 1e24", name="rate_positive"),
        CheckConstraint("date BETWEEN '0001-01-01' AND '9999-12-31'", name="date_of_calendar"),
    )

    ledger_id: Mapped[int] = mapped_column(primary_key=True)
    currency: Mapped[str] = mapped_column(primary_key=True)
    quote: Mapped[str] = mapped_column(primary_key=True)
    date: Mapped[date] = mapped_column(primary_key=True)
    rate: Mapped[Decimal]
    #: Who says so: a bank, a web site, a purchase; for people.
    source: Mapped[str] = mapped_column(server_default=text("''"))
    recorded_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))

    def __repr__(self) -> str:
        return f"Price({self.currency}/{self.quote}, date={self.date}, rate={self.rate})"


@dataclass(frozen=True, slots=True)
class NewPrice:
    """A price to record: one unit of *currency* is worth *rate* of *quote*.

    Args:
        currency: The code of what is priced.
        rate: A Decimal, int or string, more than zero, with as many decimals as it has.
        quote: The code of what it is priced in.
        date: The day at whose end it holds.
        source: Who says so, for people.

    Raises:
        AmountError: The rate is a float, not finite, too large, or not more than zero.
        CurrencyError: Both codes are the same.
        InvalidError: The date is not a plain day, or a text none that PostgreSQL can store.
    """

    currency: str
    rate: Amount
    quote: str
    date: date
    source: str = ""

    def __post_init__(self) -> None:
        rate = exact(self.rate)
        if rate <= 0:
            raise AmountError(self.rate, "a price is more than zero")
        object.__setattr__(self, "rate", rate)
        for what, value in (("a currency", self.currency), ("a quote", self.quote), ("the source", self.source)):
            require_text(what, value)
        if self.currency == self.quote:
            raise CurrencyError(self.currency, "is always worth 1 of itself")
        if not isinstance(self.date, date) or isinstance(self.date, datetime):
            raise InvalidError(f"date {self.date!r}: give a datetime.date, the day at whose end the price holds")

    @property
    def value(self) -> Decimal:
        """The rate as the Decimal that it was made into."""
        return cast("Decimal", self.rate)
