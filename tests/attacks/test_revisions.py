"""Descriptions that change, and the history that nobody writes but the database."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest
from sqlalchemy import update

from finance import FinanceError, JournalEntry
from finance.errors import (
    AlreadyReversedError,
    EntryNotFoundError,
    InvalidError,
    SealedError,
    UnbalancedEntryError,
)
from tests.attacks.test_postings import REVERSAL
from tests.attacks.victim import HEAD, Victim, assert_refused, lines

_BACK = lines(("{food}", -40), ("{checking}", 40))
#: The entry reversed, and another in its place.
_AMENDMENT = (
    "INSERT INTO journal_entries (ledger_id, id, date, amends_id) VALUES ({ledger}, {new2}, {day}, {entry});"
    + lines(("{food}", 41), ("{checking}", -41), entry="{new2}")
)

REFUSED: dict[str, tuple[str, type[FinanceError]]] = {
    "an amendment of an entry that stands": (_AMENDMENT, InvalidError),
    "an amendment of nothing": (_AMENDMENT.replace("{entry}", "{new}"), EntryNotFoundError),
    "an amendment of itself": (_AMENDMENT.replace("{entry}", "{new2}"), InvalidError),
    "an amendment that is a reversal": (
        REVERSAL.replace("reverses_id)", "reverses_id, amends_id)").replace("{entry})", "{entry}, {entry})") + _BACK,
        InvalidError,
    ),
    "two amendments of one entry": (
        REVERSAL + _BACK + _AMENDMENT + _AMENDMENT.replace("{new2}", "gen_random_uuid()"),
        AlreadyReversedError,
    ),
    "an amendment that does not balance": (
        REVERSAL + _BACK + _AMENDMENT.replace("-41", "-40"),
        UnbalancedEntryError,
    ),
    "a description of none": ("UPDATE journal_entries SET description = NULL WHERE id = {entry};", InvalidError),
    "an upsert that changes a date": (
        HEAD.replace("{new}", "{entry}").rstrip(";")
        + " ON CONFLICT (ledger_id, id) DO UPDATE SET description = 'x', date = excluded.date - 1;",
        SealedError,
    ),
    "a date changed by a trigger of one's own": (
        "CREATE FUNCTION pg_temp.later() RETURNS trigger LANGUAGE plpgsql"
        " AS $t$ BEGIN NEW.date := NEW.date - 1; RETURN NEW; END $t$;"
        "CREATE TRIGGER zzz BEFORE UPDATE ON journal_entries FOR EACH ROW EXECUTE FUNCTION pg_temp.later();"
        "UPDATE journal_entries SET description = 'x' WHERE id = {entry};",
        SealedError,
    ),
}


@pytest.mark.direct("one of them makes a function of the session")
@pytest.mark.parametrize("name", REFUSED)
async def test_an_entry_is_amended_by_the_rules(steady: Victim, name: str) -> None:
    """An amendment stands for an entry that was taken back; what it says of it is checked at COMMIT."""
    await assert_refused(steady, *REFUSED[name])


async def test_an_amendment_by_hand_is_an_entry_like_any(victim: Victim) -> None:
    """The reversal may come before it or after it."""
    await victim.run(_AMENDMENT + REVERSAL + _BACK)

    assert await victim.balances() == (-41, 41)


async def _revisions(victim: Victim, entry: UUID | None = None) -> list[tuple[int, str]]:
    rows = await victim.db.fetch(
        "SELECT revision, description FROM entry_revisions WHERE entry_id = $1 ORDER BY revision", entry or victim.entry
    )
    return [tuple(row) for row in rows]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE journal_entries SET description = 'new' WHERE id = {entry};",
        HEAD.replace("{new}", "{entry}").rstrip(";")
        + " ON CONFLICT (ledger_id, id) DO UPDATE SET description = 'new', date = excluded.date;",
        "MERGE INTO journal_entries AS e USING (SELECT 1) AS v ON e.id = {entry}"
        " WHEN MATCHED THEN UPDATE SET description = 'new';",
        "WITH c AS (UPDATE journal_entries SET description = 'new' WHERE id = {entry} RETURNING 1) SELECT * FROM c;",
        "DO $$ BEGIN UPDATE journal_entries SET description = 'new' WHERE id = {entry}; END $$;",
        "SET LOCAL finance.applying = 'books 0'; UPDATE journal_entries SET description = 'new' WHERE id = {entry};",
    ],
)
async def test_whoever_describes_an_entry_leaves_a_revision(victim: Victim, change: str) -> None:
    """However the UPDATE is written, what it replaced is kept."""
    await victim.run(change)

    assert await _revisions(victim) == [(1, "Something")]


async def test_the_orm_and_core_leave_revisions(victim: Victim) -> None:
    """A changed row that is flushed, and a statement of Core."""
    async with victim.db.unit_of_work(victim.ledger) as uow:
        stored = await uow.journal.get_one(victim.entry)
        stored.description = "by the ORM"
    async with victim.db.unit_of_work(victim.ledger) as uow:
        await uow.session.execute(
            update(JournalEntry).where(JournalEntry.id == victim.entry).values(description="by Core")
        )

    assert await _revisions(victim) == [(1, "Something"), (2, "by the ORM")]


async def test_an_update_that_changes_nothing_leaves_no_revision(victim: Victim) -> None:
    """The same words, no row at all, or sealed columns as they are."""
    await victim.run(
        "UPDATE journal_entries SET description = description, metadata = metadata, date = date"
        " WHERE ledger_id = {ledger}; UPDATE journal_entries SET description = 'x' WHERE false;"
    )

    assert await _revisions(victim) == []


async def test_a_change_within_json_is_a_change(victim: Victim) -> None:
    """1 and 1.0 are equal numbers and different texts."""
    await victim.run("UPDATE journal_entries SET metadata = '{{\"a\": 1}}' WHERE id = {entry};")
    await victim.run("UPDATE journal_entries SET metadata = '{{\"a\": 1.0}}' WHERE id = {entry};")

    assert [number for number, _ in await _revisions(victim)] == [1, 2]


async def test_many_entries_are_described_at_once(victim: Victim) -> None:
    """One statement, one revision for each row that changed."""
    entries = [victim.new_entry() for _ in range(300)]
    async with victim.db.unit_of_work(victim.ledger) as uow:
        await uow.journal.post_many(entries)
    await victim.run("UPDATE journal_entries SET description = 'other' WHERE id = {entry};")

    await victim.run("UPDATE journal_entries SET description = 'other' WHERE ledger_id = {ledger};")

    assert await _revisions(victim) == [(1, "Something")]
    assert [await _revisions(victim, entry.id) for entry in entries] == [[(1, "Something")]] * 300


async def test_describing_at_once_leaves_a_chain_without_gaps(victim: Victim) -> None:
    """Whoever waits for the row counts on from what the other has written."""

    async def describe(number: int) -> None:
        await victim.db.execute(
            "UPDATE journal_entries SET description = $2 WHERE id = $1", victim.entry, f"number {number}"
        )

    await asyncio.gather(*(describe(number) for number in range(20)))

    assert [number for number, _ in await _revisions(victim)] == list(range(1, 21))
