"""Payees and tags: what no hand-written statement makes of them."""

from __future__ import annotations

import asyncio

import pytest

from finance import FinanceError
from finance.errors import AlreadyExistsError, InvalidError, NotFoundError, SealedError
from tests.attacks.victim import HEAD, Victim, assert_refused, lines

#: One payee of each ledger, one that was merged, and a tag.
_NAMES = (
    "INSERT INTO payees (ledger_id, name) VALUES ({ledger}, 'Rewe'), ({ledger}, 'Old'), ({other}, 'Foreign');"
    "UPDATE payees SET merged_into_id = (SELECT id FROM payees WHERE ledger_id = {ledger} AND name = 'Rewe')"
    " WHERE ledger_id = {ledger} AND name = 'Old';"
    "INSERT INTO tags (ledger_id, name) VALUES ({ledger}, 'new'), ({ledger}, 'old'), ({other}, 'foreign');"
    "UPDATE tags SET merged_into_id = (SELECT id FROM tags WHERE ledger_id = {ledger} AND name = 'new')"
    " WHERE ledger_id = {ledger} AND name = 'old';"
)


def _payee(name: str) -> str:
    return f"(SELECT id FROM payees WHERE name = '{name}' AND ledger_id IN ({{ledger}}, {{other}}))"


def _tag(name: str) -> str:
    return f"(SELECT id FROM tags WHERE name = '{name}' AND ledger_id IN ({{ledger}}, {{other}}))"


_GIVE = "UPDATE journal_entries SET payee_id = {} WHERE id = {{entry}};"
_WITH_PAYEE = HEAD.replace("date)", "date, payee_id)").replace("{day})", "{day}, {payee})") + lines(
    ("{food}", 10), ("{checking}", -10)
)
_MARK = "INSERT INTO entry_tags VALUES ({{ledger}}, {{entry}}, {});"

REFUSED: dict[str, tuple[str, type[FinanceError]]] = {
    "a payee of nobody": (_GIVE.format("10 ^ 15"), NotFoundError),
    "a payee of another ledger": (_GIVE.format(_payee("Foreign")), NotFoundError),
    "a payee that was merged": (_GIVE.format(_payee("Old")), NotFoundError),
    "an entry posted with a payee of nobody": (_WITH_PAYEE.replace("{payee}", "10 ^ 15"), NotFoundError),
    "an entry posted with a merged payee": (_WITH_PAYEE.replace("{payee}", _payee("Old")), NotFoundError),
    "a tag of nobody": (_MARK.format("10 ^ 15"), NotFoundError),
    "a tag of another ledger": (_MARK.format(_tag("foreign")), NotFoundError),
    "a tag that was merged": (_MARK.format(_tag("old")), NotFoundError),
    "a name that is there in other letters": (
        "INSERT INTO payees (ledger_id, name) VALUES ({ledger}, 'REWE');",
        AlreadyExistsError,
    ),
    "a name renamed into another": ("UPDATE tags SET name = 'OLD' WHERE id = " + _tag("new") + ";", AlreadyExistsError),
    "a name with blanks around it": ("INSERT INTO tags (ledger_id, name) VALUES ({ledger}, ' x');", InvalidError),
    "a payee merged into an alias": (
        "INSERT INTO payees (ledger_id, name, merged_into_id) VALUES ({ledger}, 'x', " + _payee("Old") + ");",
        SealedError,
    ),
    "a payee merged into itself": ("UPDATE payees SET merged_into_id = id WHERE ledger_id = {ledger};", InvalidError),
    "a payee that others were merged into": (
        "INSERT INTO payees (ledger_id, name) VALUES ({ledger}, 'x');"
        "UPDATE payees SET merged_into_id = " + _payee("x") + " WHERE id = " + _payee("Rewe") + ";",
        SealedError,
    ),
    "a payee merged while entries have it": (
        "INSERT INTO payees (ledger_id, name) VALUES ({ledger}, 'x');" + _GIVE.format(_payee("x"))
        + "UPDATE payees SET merged_into_id = " + _payee("Rewe") + " WHERE id = " + _payee("x") + ";",
        SealedError,
    ),
    "a tag merged while entries have it": (
        "INSERT INTO tags (ledger_id, name) VALUES ({ledger}, 'x');" + _MARK.format(_tag("x"))
        + "UPDATE tags SET merged_into_id = " + _tag("new") + " WHERE id = " + _tag("x") + ";",
        SealedError,
    ),
    "a payee taken from its entries": (
        _GIVE.format(_payee("Rewe")) + "DELETE FROM payees WHERE ledger_id = {ledger};", SealedError,
    ),
    "a payee taken from the history of an entry": (
        _GIVE.format(_payee("Rewe")) + _GIVE.format("NULL") + "DELETE FROM payees WHERE ledger_id = {ledger};",
        SealedError,
    ),
    "a tag taken from its entries": (
        _MARK.format(_tag("new")) + "DELETE FROM tags WHERE ledger_id = {ledger};", SealedError,
    ),
    "a payee moved to another ledger": (
        "UPDATE payees SET ledger_id = {other} WHERE id = " + _payee("Rewe") + ";", SealedError,
    ),
    "payees truncated": ("TRUNCATE payees CASCADE;", SealedError),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
async def test_payees_and_tags_keep_their_rules(steady: Victim, name: str) -> None:
    """Whoever writes the statement."""
    text, error = REFUSED[name]
    await assert_refused(steady, _NAMES + text, error)


async def test_an_entry_may_be_posted_with_its_payee(victim: Victim) -> None:
    """By one INSERT, and without a revision."""
    await victim.run(_NAMES + _WITH_PAYEE.replace("{payee}", _payee("Rewe")))

    assert await victim.fetchval("SELECT payee_id = " + _payee("Rewe") + " FROM journal_entries WHERE id = {new}")
    assert await victim.fetchval("SELECT count(*) FROM entry_revisions WHERE ledger_id = {ledger}") == 0


async def test_a_payee_changed_by_hand_leaves_a_revision(victim: Victim) -> None:
    """With the one that was replaced."""
    await victim.run(_NAMES + _GIVE.format(_payee("Rewe")))
    await victim.run(_GIVE.format("NULL"))

    rows = await victim.db.fetch("SELECT revision, payee_id FROM entry_revisions WHERE entry_id = $1", victim.entry)
    rewe = await victim.fetchval("SELECT " + _payee("Rewe"))
    assert sorted(tuple(row) for row in rows) == [(1, None), (2, rewe)]


async def test_merging_and_giving_at_once_leaves_no_entry_behind(victim: Victim) -> None:
    """Whichever comes first, no entry has the payee that was merged."""
    await victim.run("INSERT INTO payees (ledger_id, name) VALUES ({ledger}, 'x'), ({ledger}, 'Rewe');")

    async def merge() -> None:
        async with victim.db.unit_of_work(victim.ledger) as uow:
            await uow.payees.merge(*[await uow.payees.get_or_create(name) for name in ("x", "Rewe")])

    async def give() -> None:
        async with victim.db.unit_of_work(victim.ledger) as uow:
            await uow.journal.label(victim.entry, payee="x")

    await asyncio.gather(*(call() for call in (give, give, merge, give, merge, give)))

    assert await victim.fetchval("SELECT payee_id = " + _payee("Rewe") + " FROM journal_entries WHERE id = {entry}")
