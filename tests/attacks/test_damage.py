"""What gets past the guards, because a superuser or the owner can, is found by the verification."""

from __future__ import annotations

import asyncpg
import pytest

from finance import DatabaseManager
from tests.attacks.victim import HEAD, PAIR, Victim, lines, make_victim

_THIS = "ledger_id = {ledger} AND entry_id = {entry}"

DAMAGE = {
    "entry unbalanced": HEAD + lines(("{food}", 5)),
    "entry without postings": HEAD,
    "posting without entry": lines(("{food}", 5), ("{checking}", -5)),
    "posting on another date than its entry": f"UPDATE postings SET date = date - 1 WHERE {_THIS};",
    "posting without account": PAIR.replace("{checking}", "987654321"),
    "posting in another currency than its account": f"UPDATE postings SET currency = 'JPY' WHERE {_THIS};",
    "posting finer than its currency": f"UPDATE postings SET amount = amount + sign(amount) * 0.001 WHERE {_THIS};",
    "balance differs from postings": "UPDATE accounts SET balance = balance + 1 WHERE id = {food};",
    "monthly total differs from postings": "UPDATE monthly_totals SET debit = debit + 1 WHERE account_id = {food};",
    "entry left unsettled": "INSERT INTO unsettled (ledger_id, entry_id) VALUES ({ledger}, {entry});",
    "reversal that is not the opposite of its entry": (
        PAIR.replace("id, date)", "id, date, kind, reverses_id)", 1).replace(
            "{day});", "{day}, 'reversal', {entry});", 1
        )
    ),
}


@pytest.mark.parametrize("rule", DAMAGE)
async def test_damage_is_found(
    shared_owner_db: DatabaseManager, superuser: asyncpg.Connection[asyncpg.Record], rule: str
) -> None:
    """A superuser for whom no trigger fires can break each rule; the verification names it."""
    victim = await make_victim(shared_owner_db)
    await superuser.execute(victim.sql(DAMAGE[rule]))

    verification = await victim.verify()

    assert rule in {problem.rule for problem in verification.problems}
    assert not verification.is_clean


async def test_guard_that_is_switched_off_is_found(own_victim: Victim) -> None:
    """The owner of the tables can disable a trigger, and the verification says which."""
    await own_victim.run("ALTER TABLE postings DISABLE TRIGGER postings_apply;")

    (problem,) = (await own_victim.verify()).problems

    assert (problem.rule, problem.subject, problem.found) == ("guard switched off", "postings_apply", "postings")

