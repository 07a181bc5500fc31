"""Books that are drawn at random and posted, and what plain Python makes of their lines."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from finance import Account, NewEntry, NewPosting, UnitOfWork

FIRST, DAYS = date(2025, 11, 20), 140
NAMES = {
    "EUR": [
        "Assets:Bank:Checking", "Assets:Bank:Savings:Old", "Assets:House", "Liabilities:Card:Gold:Partner",
        "Equity:Opening", "Income:Salary", "Income:Interest:Bank", "Expenses:Food", "Expenses:Food:Out",
        "Expenses:Food:Out:Lunch", "Expenses:Foods", "Expenses:Rent:Flat:Cellar:Shelf",
    ],
    "JPY": ["Assets:Bank:Checking", "Assets:Yen", "Income:Gift", "Expenses:Food:Out", "Liabilities:Loan"],
    "BTC": ["Assets:Wallet", "Equity:Found"],
}  # fmt: skip
_AMOUNTS = {"EUR": -2, "JPY": 0, "BTC": -18}


@dataclass(frozen=True)
class Line:
    """One posting that was stored, and where: all that a report is made of."""

    on: date
    entry: int
    name: str
    type: str
    currency: str
    amount: Decimal


@dataclass(frozen=True)
class Drawn:
    """The accounts and lines of a ledger."""

    accounts: list[Account]
    lines: list[Line]

    def sum(self, wanted: Callable[[Line], bool]) -> Decimal:
        """Add up the lines that are wanted."""
        return sum((line.amount for line in self.lines if wanted(line)), Decimal(0))


async def draw_books(uow: UnitOfWork, seed: int, entries: int = 120) -> Drawn:
    """Post entries of one and of several currencies, in no order of days, and reverse some of them on later days."""
    chance = random.Random(seed)
    if await uow.currencies.get("BTC") is None:
        await uow.currencies.open("BTC", exponent=18)
    accounts = {code: [await uow.accounts.open(name, currency=code) for name in names] for code, names in NAMES.items()}
    lines: list[Line] = []
    for number in range(entries):
        postings = [line for code in _codes(chance) for line in _balanced(chance, accounts[code], code)]
        entry = NewEntry(FIRST + timedelta(chance.randrange(DAYS)), "Drawn", postings)
        await uow.journal.post(entry)
        lines += _stored(number, entry.date, postings)
        if chance.random() < 0.15:
            on = FIRST + timedelta(chance.randrange(DAYS))
            await uow.journal.reverse(entry.id, on=on)
            opposite = [NewPosting(each.account, each.value.copy_negate()) for each in postings]
            lines += _stored(entries + number, on, opposite)
    return Drawn([each for some in accounts.values() for each in some], lines)


def periods(seed: int) -> Iterable[tuple[date, date]]:
    """Draw periods: of whole months, of parts of months, of a day, and of more than there is."""
    chance = random.Random(seed)
    yield date(2026, 1, 1), date(2026, 2, 28)
    yield date(2026, 1, 1), date(2026, 1, 31)
    yield date(2026, 1, 20), date(2026, 2, 10)
    yield date(2025, 12, 3), date(2026, 3, 29)
    yield date(2026, 2, 14), date(2026, 2, 14)
    yield date(1, 1, 1), date(90, 12, 31)
    for _ in range(12):
        one, other = (FIRST + timedelta(chance.randrange(-10, DAYS + 10)) for _ in range(2))
        yield min(one, other), max(one, other)


def months(starts_on: date, ends_on: date) -> list[date]:
    """Name the months of a period by walking through its days."""
    days = (date.fromordinal(day) for day in range(starts_on.toordinal(), ends_on.toordinal() + 1))
    return sorted({day.replace(day=1) for day in days})


def cut(name: str, depth: int | None) -> str:
    """Cut a name behind its first segments."""
    return ":".join(name.split(":")[:depth])


def _codes(chance: random.Random) -> list[str]:
    return chance.sample(list(NAMES), 1 if chance.random() < 0.8 else 2)


def _balanced(chance: random.Random, accounts: list[Account], code: str) -> list[NewPosting]:
    amounts = [Decimal(chance.randint(1, 10**6) * chance.choice([1, -1])).scaleb(_AMOUNTS[code]) for _ in range(2)]
    amounts = amounts[: chance.choice([1, 2])]
    rest = -sum(amounts, Decimal(0)) or Decimal(1)
    if rest == 1 and sum(amounts, Decimal(0)) == 0:
        amounts[0] -= 1
    amounts = [amount for amount in (*amounts, rest) if amount]
    return [NewPosting(chance.choice(accounts), amount) for amount in amounts]


def _stored(entry: int, on: date, postings: Iterable[NewPosting]) -> list[Line]:
    found = []
    for each in postings:
        assert isinstance(each.account, Account)
        account = each.account
        found.append(Line(on, entry, account.name, account.type, account.currency, each.value))
    return found
