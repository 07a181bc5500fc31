"""A crowd that does everything at random, allowed or not; the books are clean at the end."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from uuid import UUID

from finance import FinanceError
from finance.errors import DatabaseError
from tests.attacks.victim import DENIED, HEAD, Victim, lines

_ROUNDS = 40
_CROWD = 5


def _entry(rng: random.Random, accounts: list[str], *, off: int = 0) -> str:
    amounts = [rng.choice([-5, -1, 1, 2, 7]) for _ in range(rng.randint(1, 4))]
    rest = -sum(amounts)
    pairs = [(rng.choice(accounts), amount) for amount in [*amounts, *([rest] if rest else [])]]
    if sum(amount for _, amount in pairs) == 0 and off:
        pairs.append((rng.choice(accounts), off))
    cut = rng.randint(0, len(pairs) - 1)
    parts = [HEAD, *([lines(*pairs[:cut])] if cut else []), lines(*pairs[cut:], first=cut + 1)]
    between = rng.choice(
        ["", "SAVEPOINT s;", "SET CONSTRAINTS ALL DEFERRED;", "SELECT set_config('finance.applying', 'books 1', true);"]
    )
    return between.join(parts)


_FORBIDDEN = (
    "UPDATE postings SET amount = amount + 1;",
    "DELETE FROM unsettled;",
    "UPDATE monthly_totals SET debit = debit + 1;",
    "UPDATE accounts SET currency = 'JPY' WHERE id = {food};",
    "DELETE FROM accounts WHERE id = {checking};",
    lines(("{food}", 1), ("{checking}", -1), first=9, entry="{entry}"),
    "INSERT INTO accounts (ledger_id, name, type, currency, balance) VALUES ({ledger}, 'R', 'asset', 'EUR', 1);",
)


def _statements(rng: random.Random) -> str:
    accounts = ["{food}", "{checking}", "{capped}"]
    account, other = rng.sample(accounts, 2)
    acts: list[Callable[[], str]] = [
        lambda: _entry(rng, accounts),
        lambda: _entry(rng, accounts),
        lambda: _entry(rng, accounts, off=rng.choice([0, 1])),
        lambda: f"UPDATE accounts SET balance = balance + {rng.choice([1, -1, '0.5', '0.001'])} WHERE id = {account};",
        lambda: (
            f"UPDATE accounts SET balance = balance + CASE id WHEN {account} THEN 3 ELSE -3 END"
            f" WHERE id IN ({account}, {other});"
        ),
        lambda: rng.choice(_FORBIDDEN),
        lambda: "UPDATE ledgers SET closed_through = {day} - " + str(rng.randint(-1, 3)) + " WHERE id = {ledger};",
    ]
    return "".join(rng.choice(acts)() for _ in range(rng.randint(1, 2)))


async def test_whatever_a_crowd_does_the_books_stay_clean(victim: Victim) -> None:
    """Entries in pieces, raw balances, forbidden statements and closings, in transactions that may be undone."""
    seed = random.randrange(2**32)
    outcomes: Counter[str] = Counter()

    async def member(number: int) -> None:
        rng = random.Random(seed + number)
        for _ in range(_ROUNDS):
            text = _statements(rng).replace("{new}", f"'{UUID(int=rng.getrandbits(128))}'")
            isolation = rng.choice(["read_committed", "read_committed", "repeatable_read", "serializable"])
            try:
                # Entries in two statements may deadlock; the server would take a second to see it.
                await victim.run("SET LOCAL lock_timeout = '50ms';" + text, isolation=isolation)
                outcomes["stored"] += 1
            except FinanceError as error:
                is_denied = getattr(error, "sqlstate", None) == DENIED and not victim.is_owner
                outcomes["denied" if is_denied else type(error).__name__] += 1

    await asyncio.gather(*(member(number) for number in range(_CROWD)))

    problems = (await victim.verify()).problems
    assert problems == (), seed
    assert not outcomes[DatabaseError.__name__], (seed, "a refusal without a class of its own")
    assert outcomes["stored"] > _ROUNDS / 2, (seed, outcomes)
    assert len(outcomes) > 4, (seed, outcomes)
