"""The prices of a ledger, and the rates that they give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from finance.errors import InvalidError, NotFoundError
from finance.models import NewPrice, Price
from finance.repositories.base import Repository, Scope
from finance.repositories.currencies import CurrencyRepository
from finance.repositories.rates import KnownPrice, Rate, Rates

#: How old a price may be, unless the caller says otherwise: monthly prices serve.
MAX_AGE = timedelta(days=31)

_RECORD = """
INSERT INTO prices AS p (ledger_id, currency, quote, date, rate, source)
SELECT $1, n.currency, n.quote, n.date, n.rate, n.source
  FROM unnest($2::text[], $3::text[], $4::date[], $5::numeric[], $6::text[]) AS n(currency, quote, date, rate, source)
ON CONFLICT (ledger_id, currency, quote, date) DO UPDATE
   SET rate = excluded.rate, source = excluded.source, recorded_at = clock_timestamp()
 WHERE (p.rate, p.source) IS DISTINCT FROM (excluded.rate, excluded.source)
"""
# One step along the index for each pair, and one for its newest price, however long the history.
_NEWEST = """
WITH RECURSIVE pairs AS (
    (SELECT currency, quote FROM prices WHERE ledger_id = $1 ORDER BY currency, quote LIMIT 1)
    UNION ALL
    SELECT n.currency, n.quote
      FROM pairs AS p, LATERAL (SELECT currency, quote FROM prices
                                 WHERE ledger_id = $1 AND (currency, quote) > (p.currency, p.quote)
                                 ORDER BY currency, quote LIMIT 1) AS n
)
SELECT p.currency, p.quote, n.rate, n.date
  FROM pairs AS p, LATERAL (SELECT rate, date FROM prices
                             WHERE ledger_id = $1 AND currency = p.currency AND quote = p.quote AND date <= $2
                             ORDER BY date DESC LIMIT 1) AS n
"""
# Of the prices behind one day up to the next, the newest of each pair; `place` says which day that is.
_NEWEST_BETWEEN = """
SELECT n.place, p.currency, p.quote, p.rate, p.date
  FROM (SELECT currency, quote, width_bucket(date - 1, $2::date[]) AS place, max(date) AS date FROM prices
         WHERE ledger_id = $1 AND date > $3 AND date <= $4 GROUP BY 1, 2, 3) AS n
  JOIN prices AS p ON p.ledger_id = $1 AND p.currency = n.currency AND p.quote = n.quote AND p.date = n.date
 ORDER BY n.place
"""
_EXPONENTS = "SELECT code, exponent FROM currencies WHERE ledger_id = $1"


class PriceRepository(Repository[Price]):
    """The prices of this ledger, in order of currency, quote and date."""

    model = Price
    order = (Price.currency, Price.quote, Price.date)

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope)
        self._currencies = CurrencyRepository(scope)

    async def record(self, prices: Sequence[NewPrice]) -> int:
        """Record *prices*; one of the same pair and day replaces what was recorded before.

        Currencies of ISO 4217 are added to the ledger on first use, others have to be opened before.

        Returns:
            How many were new or other than before.

        Raises:
            CurrencyError: Neither the ledger nor ISO 4217 knows a currency.
            InvalidError: Two of them are of one pair and day.

        Database:
            One INSERT; for each currency one SELECT, and on its first use what `currencies.get_or_open()` takes.
        """
        if not prices:
            return 0
        codes = {code: code for each in prices for code in (each.currency, each.quote)}
        for code in sorted(codes):
            codes[code] = (await self._currencies.get_or_open(code)).code
        rows = {(codes[each.currency], codes[each.quote], each.date): (each.value, each.source) for each in prices}
        if len(rows) < len(prices):
            raise InvalidError("two prices of one call are of the same pair and day; give the one that counts")
        # In one order whoever records, so that two who record the same pairs do not wait for each other.
        columns = zip(*((*key, *rows[key]) for key in sorted(rows)), strict=True)
        status = await self._scope.connection.execute(_RECORD, self._scope.ledger_id, *map(list, columns))
        return int(status.rpartition(" ")[2])

    async def rates(self, *, on: date, max_age: timedelta | None = MAX_AGE) -> Rates:
        """Return the rates on a day, from the newest price of each pair up to then.

        Args:
            on: The day.
            max_age: Leave older prices out; None uses the newest however old it is.

        Raises:
            InvalidError: *on* is not a plain day, or *max_age* less than nothing.

        Database:
            Two SELECTs, which read one price for each pair.
        """
        (found,) = await self.rates_of_days([on], max_age=max_age)
        return found

    async def rates_of_days(self, days: Sequence[date], *, max_age: timedelta | None = MAX_AGE) -> list[Rates]:
        """Return the rates on each of several days, which are in rising order.

        Args:
            days: The days, at least one.
            max_age: As in `rates()`.

        Raises:
            InvalidError: As `rates()`.

        Database:
            Three SELECTs, which read one price for each pair, and the days of all prices between the first day and the
            last.
        """
        for on in days:
            if not isinstance(on, date) or isinstance(on, datetime):
                raise InvalidError(f"on {on!r}: give a datetime.date, the day whose rates are asked for")
        if max_age is not None and max_age < timedelta(0):
            raise InvalidError(f"max_age {max_age!r}: give a timedelta of nothing or more, or None for any age")
        fetch, ledger_id = self._scope.connection.fetch, self._scope.ledger_id
        rows: list[Sequence[Any]] = [(0, *row) for row in await fetch(_NEWEST, ledger_id, days[0])]
        if len(days) > 1:
            rows += map(tuple, await fetch(_NEWEST_BETWEEN, ledger_id, list(days), days[0], days[-1]))
        exponents = {row["code"]: row["exponent"] for row in await fetch(_EXPONENTS, ledger_id)}
        return _rates(rows, days, exponents, max_age)

    async def rate(self, currency: str, quote: str, *, on: date, max_age: timedelta | None = MAX_AGE) -> Rate:
        """Return what one unit of *currency* was worth in *quote* on a day.

        Raises:
            PriceNotFoundError: No prices up to that day that are new enough lead from one to the other.

        Database:
            As `rates()`, which is for several of one day.
        """
        return (await self.rates(on=on, max_age=max_age)).rate(currency, quote)

    def _not_found(self, key: object) -> NotFoundError:
        return NotFoundError(f"this ledger has no price {key!r}")


def _rates(
    rows: Sequence[Sequence[Any]], days: Sequence[date], exponents: Mapping[str, int], max_age: timedelta | None
) -> list[Rates]:
    """Return the rates of each day: the newest price of each pair that *rows*, in order of the days, have up to it."""
    newest: dict[tuple[str, str], KnownPrice] = {}
    found, at = [], 0
    for place, on in enumerate(days):
        while at < len(rows) and rows[at][0] <= place:
            price = KnownPrice(*rows[at][1:])
            newest[price.currency, price.quote] = price
            at += 1
        found.append(Rates.of(newest.values(), exponents, on, max_age))
    return found
