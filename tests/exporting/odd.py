"""Odd books, drawn by hypothesis: whatever the repositories take, in names, words, days, currencies and links."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from finance import Account, NewEntry, NewPosting, NewPrice, UnitOfWork
from finance.identifiers import uuid7
from finance.models import Currency
from finance.money import total

#: What beancount or a CSV has for its own, ends of lines, controls, other scripts: whatever PostgreSQL can store.
_ODD = [
    *('"', "\\", "\\n", "\n", "\r\n", "\t", ";", "#", "*", "|", "-", "X--0", "é"),
    *("\x0b", "\x0c", "\x1c", "\x7f", "\x85", "\u2028"),
]
_CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
TEXTS = st.lists(st.one_of(st.sampled_from(_ODD), st.text(_CHARACTERS, max_size=4)), max_size=4).map("".join)
_PLAIN = TEXTS.map(lambda text: text.replace(":", "").strip()).filter(bool)
_CODES = st.one_of(
    st.sampled_from(["EUR", "JPY", "X.1", "X.2", "TRUE", "NULL", "$", "€", "btc", "A", "AA'B", "Ünit", "a b", "A,B"]),
    _PLAIN.filter(lambda code: len(code) <= 20),
)
_NAMES = st.tuples(
    st.sampled_from(["Assets", "Income", "Kasse", "assets", "X--0", "-"]), st.lists(_PLAIN, max_size=2)
).map(lambda parts: ":".join([parts[0], *parts[1]]))
_TYPES = st.sampled_from(["asset", "liability", "equity", "income", "expense"])
_DAYS = st.one_of(st.dates(date(1000, 1, 1), date(2999, 12, 31)), st.dates(date(2026, 1, 28), date(2026, 3, 2)))
_JSON = st.dictionaries(
    TEXTS,
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXTS),
        lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(TEXTS, inner, max_size=2)),
        max_leaves=4,
    ),
    max_size=2,
)


def _amounts(exponent: int) -> st.SearchStrategy[Decimal]:
    """Draw amounts of up to 23 digits before the point, with zeros at their ends and without, and never zero."""
    whole = st.one_of(st.integers(0, 10**23 - 1), st.integers(0, 1000)).map(str)
    parts = st.integers(0, exponent).flatmap(lambda count: st.text("0123456789", min_size=count, max_size=count))
    number = st.tuples(st.sampled_from(["", "-"]), whole, parts).map(lambda each: Decimal("{}{}.{}".format(*each)))
    return number.map(lambda amount: amount or Decimal(1))


@dataclass
class OddBooks:
    """Posts what is drawn in a ledger that has nothing yet."""

    uow: UnitOfWork
    data: st.DataObject
    accounts: dict[str, list[Account]] = field(default_factory=dict)
    exponents: dict[str, int] = field(default_factory=dict)
    posted: list[NewEntry] = field(default_factory=list)

    async def post(self) -> None:
        """Post entries with all that they may have, some of them corrected; close accounts, and limit others."""
        await self._open()
        for _ in range(self._draw(st.integers(0, 5))):
            await self._entry()
        await self._correct()
        await self._price()
        for each in itertools.chain(*self.accounts.values()):
            await self._restrict(each)

    async def _open(self) -> None:
        codes = self._draw(st.lists(_CODES, min_size=1, max_size=3, unique=True))
        for code in codes:
            found = await self.uow.currencies.get(code)
            least = found.exponent if found else 0
            self.exponents[code] = self._draw(st.integers(least, 18))
            if found is None:
                name = self._draw(TEXTS)
                await self.uow.currencies.add(Currency(code=code, exponent=self.exponents[code], name=name))
            else:
                found.exponent = self.exponents[code]
                await self.uow.session.flush()
        places = self._draw(st.lists(st.tuples(_NAMES, st.sampled_from(codes)), min_size=1, max_size=6, unique=True))
        for name, code in places:
            opened_on = self._draw(st.none() | _DAYS | st.just(date(1, 1, 1)))
            account = Account(
                name=name, type=self._draw(_TYPES), currency=code, opened_on=opened_on, details=self._details()
            )
            self.accounts.setdefault(code, []).append(await self.uow.accounts.add(account))

    def _details(self) -> dict[str, Any]:
        """Draw free data, without what would be an IBAN or the like."""
        return {f"_{key}": value for key, value in self._draw(_JSON).items()}

    async def _entry(self) -> None:
        lines: list[NewPosting] = []
        for code in self._draw(st.lists(st.sampled_from(sorted(self.accounts)), min_size=1, max_size=2, unique=True)):
            amounts = [self._draw(_amounts(self.exponents[code])) for _ in range(self._draw(st.integers(1, 2)))]
            lines += self._lines(code, _balanced(amounts))
        if len(lines) < 2:
            return
        entry = NewEntry(self._draw(_DAYS), self._draw(TEXTS), lines, details=self._draw(_JSON))
        await self.uow.journal.post(entry)
        self.posted.append(entry)
        payee = self._draw(st.none() | _PLAIN)
        await self.uow.journal.label(
            entry.id, payee=payee, tags=self._draw(st.lists(_PLAIN | st.just("a.b/c"), max_size=3))
        )

    def _lines(self, code: str, amounts: Sequence[Decimal]) -> list[NewPosting]:
        draw, accounts = self._draw, self.accounts[code]
        # An empty memo is none in a CSV.
        memos = st.none() | TEXTS.filter(bool)
        return [NewPosting(draw(st.sampled_from(accounts)), amount, draw(memos)) for amount in amounts]

    async def _correct(self) -> None:
        for entry in self.posted:
            what = self._draw(st.sampled_from(["nothing", "reverse", "amend"]))
            if what == "reverse":
                await self.uow.journal.reverse(entry.id, on=self._draw(_DAYS), description=self._draw(TEXTS))
            elif what == "amend":
                other = NewEntry(self._draw(_DAYS), self._draw(TEXTS), entry.postings, id=uuid7())
                await self.uow.journal.amend(entry.id, other, on=self._draw(_DAYS))

    async def _price(self) -> None:
        if len(self.exponents) > 1:
            one, other = self._draw(st.permutations(sorted(self.exponents)))[:2]
            rate = self._draw(_amounts(18)).copy_abs()
            await self.uow.prices.record([NewPrice(one, rate, other, self._draw(_DAYS), self._draw(TEXTS))])

    async def _restrict(self, account: Account) -> None:
        balance = await self.uow.accounts.balance(account)
        further = Decimal(self._draw(st.integers(0, 2)))
        least, most = total([balance, further.copy_negate()]), total([balance, further])
        is_limited = self._draw(st.booleans())
        days = st.none() | _DAYS.map(lambda day: max(day, account.opened_on or day)) | st.just(date(9999, 12, 31))
        await self.uow.accounts.update(
            account,
            closed_on=self._draw(days),
            minimum_balance=least if is_limited else None,
            maximum_balance=most if is_limited else None,
        )

    def _draw(self, strategy: st.SearchStrategy[Any]) -> Any:
        return self.data.draw(strategy)


def _balanced(amounts: Sequence[Decimal]) -> list[Decimal]:
    rest = total(amounts).copy_negate()
    return [*amounts, rest] if rest else [*amounts, Decimal(1), Decimal(-1)]
