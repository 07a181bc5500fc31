"""Payees and tags: named once, merged, and given to posted entries."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest

from finance import DatabaseManager, JournalEntry, Labels, UnitOfWork
from finance.errors import (
    AlreadyExistsError,
    EntryNotFoundError,
    InvalidError,
    NotFoundError,
    SealedError,
)
from tests.conftest import Queries
from tests.factories import Books, entry, open_books


async def _posted(uow: UnitOfWork, count: int = 1, prefix: str = "") -> list[UUID]:
    """Post some entries of the same two accounts, and return their ids."""
    books = await open_books(uow, prefix)
    entries = [entry(books.food, books.checking, number) for number in range(1, count + 1)]
    await uow.journal.post_many(entries)
    return [each.id for each in entries]


def _names(stored: JournalEntry) -> tuple[str | None, list[str]]:
    return stored.payee.name if stored.payee else None, [tag.name for tag in stored.tags]


# --- names -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["payees", "tags"])
async def test_a_name_is_one_without_regard_to_case_and_blanks(uow: UnitOfWork, kind: str) -> None:
    """It is kept as it was written first."""
    repository = getattr(uow, kind)
    made = await repository.create(" Rewe Markt ")

    assert made.name == "Rewe Markt"
    assert (await repository.get_or_create("REWE MARKT  ")).id == made.id
    assert (await repository.get_by_name("rewe markt")).id == made.id
    assert await repository.get_by_name("Rewe") is None
    with pytest.raises(AlreadyExistsError):
        await repository.create("rewe markt")


async def test_capitals_beyond_ascii_are_those_of_the_locale(uow: UnitOfWork) -> None:
    """The embedded server's knows all of Unicode."""
    made = await uow.payees.create("Bäckerei MÜLLER Жук")

    assert (await uow.payees.get_or_create("BÄCKEREI müller жУК")).id == made.id


@pytest.mark.parametrize("name", ["", "  ", "x" * 501, "a\x00b"])
async def test_a_name_that_cannot_be_one_is_refused_and_not_quoted(uow: UnitOfWork, name: str) -> None:
    """Payees are people: no error shows their names."""
    with pytest.raises(InvalidError) as refused:
        await uow.payees.get_or_create(name)

    assert not name.strip() or name not in str(refused.value)


async def test_names_made_at_once_are_made_once(db: DatabaseManager) -> None:
    """Whoever comes second finds what the first has made."""
    ledger = await db.ledgers.create("Household", base_currency="EUR")

    async def make(name: str) -> int:
        async with db.unit_of_work(ledger) as uow:
            return (await uow.payees.get_or_create(name)).id

    assert len(set(await asyncio.gather(*(make(name) for name in ["Rewe", "rewe", "REWE"] * 5)))) == 1


async def test_pages_are_in_order_of_names(uow: UnitOfWork) -> None:
    """Without regard to case, and without what was merged."""
    for name in ("b", "C", "a", "D", "e"):
        await uow.tags.create(name)
    await uow.tags.merge((await uow.tags.get_or_create("e")).id, (await uow.tags.get_or_create("a")).id)

    first = await uow.tags.page(limit=3)
    rest = await uow.tags.page(after=first.next_cursor)

    assert [tag.name for tag in [*first.items, *rest.items]] == ["a", "b", "C", "D"]
    assert [tag.name async for tag in uow.tags.stream(batch=2)] == ["a", "b", "C", "D"]


async def test_rename_changes_the_name_everywhere(uow: UnitOfWork) -> None:
    """Also its case alone; a name that another has is refused."""
    (entry_id,) = await _posted(uow)
    await uow.journal.label(entry_id, payee="rewe", tags=["food"])
    payee = await uow.payees.get_or_create("rewe")

    assert (await uow.payees.rename(payee, "REWE")).key == "rewe"
    assert _names(await uow.journal.get_one(entry_id)) == ("REWE", ["food"])
    with pytest.raises(NotFoundError):
        await uow.payees.rename(10**9, "x")
    await uow.payees.create("Edeka")
    with pytest.raises(AlreadyExistsError):
        async with uow.savepoint():
            await uow.payees.rename(payee.id, "EDEKA")


# --- merging ---------------------------------------------------------------------------------------------


async def test_merge_moves_entries_and_leaves_an_alias(db: DatabaseManager) -> None:
    """The old name finds the survivor, an importer that uses it makes nothing new, and the history is kept."""
    ledger = await db.ledgers.create("Household", base_currency="EUR")
    async with db.unit_of_work(ledger) as uow:
        one, other = await _posted(uow, 2)
        await uow.journal.label_many({one: Labels("REWE SAGT DANKE"), other: Labels("Rewe", ["x"])})
    async with db.unit_of_work(ledger) as uow:
        source, into = [await uow.payees.get_or_create(name) for name in ("REWE SAGT DANKE", "Rewe")]
        assert (await uow.payees.merge(source, into)).id == into.id
        assert (await uow.payees.merge(source, into)).id == into.id  # nothing changes

        assert _names(await uow.journal.get_one(one)) == ("Rewe", [])
        assert (await uow.payees.get_or_create("rewe sagt danke")).id == into.id
        assert await uow.payees.aliases(into) == ("REWE SAGT DANKE",)
        await uow.journal.label(other, payee="Rewe sagt Danke")
        assert [r.payee for r in await uow.journal.history(one)] == ["REWE SAGT DANKE", "Rewe"]
        assert len(await uow.journal.history(other)) == 1
    assert (await db.verify(ledger)).is_clean


async def test_aliases_follow_a_second_merge(uow: UnitOfWork) -> None:
    """One step leads from each old name to what stands."""
    a, b, c = [await uow.tags.create(name) for name in "abc"]
    (entry_id,) = await _posted(uow)
    await uow.journal.label(entry_id, tags=[a, b, "c"])

    await uow.tags.merge(a, b)
    await uow.tags.merge(b, c)

    assert _names(await uow.journal.get_one(entry_id)) == (None, ["c"])
    assert await uow.tags.aliases(c) == ("a", "b")
    assert (await uow.tags.get_or_create("A")).id == c.id


async def test_merges_that_make_no_sense_are_refused(uow: UnitOfWork) -> None:
    """Into itself, into an alias, of an alias, of what is not there."""
    a, b, c = [await uow.payees.create(name) for name in "abc"]
    await uow.payees.merge(a, b)

    for source, into in ((c, c), (c, a), (a, c)):
        with pytest.raises(InvalidError):
            await uow.payees.merge(source, into)
    for source_id, into_id in ((c.id, 10**9), (10**9, c.id)):
        with pytest.raises(NotFoundError):
            await uow.payees.merge(source_id, into_id)


async def test_labels_given_while_a_payee_is_merged_follow_it(db: DatabaseManager) -> None:
    """Whoever labels waits for the merge, and then gives what the name leads to."""
    ledger = await db.ledgers.create("Household", base_currency="EUR")
    async with db.unit_of_work(ledger) as uow:
        entries = await _posted(uow, 8)
        await uow.journal.label_many({each: Labels("Old") for each in entries[:4]})
        old, new = await uow.payees.get_or_create("Old"), await uow.payees.create("New")

    async def give(entry_id: UUID) -> None:
        async with db.unit_of_work(ledger) as uow:
            await uow.journal.label(entry_id, payee="old")

    async with db.unit_of_work(ledger) as uow:
        await uow.payees.merge(old, new)
        waiting = [asyncio.create_task(give(each)) for each in entries[4:]]
        await asyncio.sleep(0.1)
    await asyncio.gather(*waiting)

    async with db.unit_of_work(ledger) as uow:
        assert {_names(await uow.journal.get_one(each))[0] for each in entries} == {"New"}


async def test_remove_takes_what_nothing_uses(uow: UnitOfWork) -> None:
    """With its aliases; what entries have, or had, stays."""
    used, unused, alias = [await uow.payees.create(name) for name in ("Used", "Unused", "Alias")]
    tag = await uow.tags.create("tag")
    (entry_id,) = await _posted(uow)
    await uow.journal.label(entry_id, payee=used, tags=[tag])
    await uow.payees.merge(alias, unused)

    await uow.payees.remove(unused)

    assert await uow.payees.get_by_name("Alias") is None
    await uow.payees.create("Unused")
    for repository, row in ((uow.payees, used), (uow.tags, tag)):
        with pytest.raises(SealedError):
            async with uow.savepoint():
                await repository.remove(row)  # type: ignore[arg-type]
    await uow.journal.label(entry_id, tags=[])
    await uow.tags.remove(tag)


async def test_a_payee_that_an_entry_had_is_not_removed(db: DatabaseManager) -> None:
    """Its history would have no name."""
    ledger = await db.ledgers.create("Household", base_currency="EUR")
    async with db.unit_of_work(ledger) as uow:
        (entry_id,) = await _posted(uow)
        await uow.journal.label(entry_id, payee="First")
    async with db.unit_of_work(ledger) as uow:
        await uow.journal.label(entry_id, payee=None)
        with pytest.raises(SealedError):
            async with uow.savepoint():
                await uow.payees.remove(await uow.payees.get_or_create("First"))


# --- entries ---------------------------------------------------------------------------------------------


async def test_label_changes_what_is_given(uow: UnitOfWork) -> None:
    """Payee and tags each by themselves; the tags are all that the entry has then."""
    (entry_id,) = await _posted(uow)

    assert _names(await uow.journal.label(entry_id, payee="Rewe", tags=["b", "A"])) == ("Rewe", ["A", "b"])
    stored = await uow.journal.label(entry_id, tags=["B", "c", "C"])
    assert _names(stored) == ("Rewe", ["b", "c"])
    assert _names(await uow.journal.label(stored, payee=None)) == (None, ["b", "c"])
    assert _names(await uow.journal.label(entry_id)) == (None, ["b", "c"])


async def test_a_payee_of_the_posting_transaction_is_no_change(db: DatabaseManager) -> None:
    """What an importer gives belongs to the posting; a later one is kept in the history, with who gave it."""
    ledger = await db.ledgers.create("Household", base_currency="EUR")
    async with db.unit_of_work(ledger) as uow:
        (entry_id,) = await _posted(uow)
        await uow.journal.label(entry_id, payee="First")
        assert [r.payee for r in await uow.journal.history(entry_id)] == ["First"]
    async with db.unit_of_work(ledger) as uow:
        await uow.journal.label(entry_id, payee="Second")
        await uow.journal.describe(entry_id, description="Other")
        found = await uow.journal.history(entry_id)

    assert [(r.payee, r.description) for r in found] == [
        ("First", "Something"), ("Second", "Something"), ("Second", "Other"),
    ]  # fmt: skip


async def test_labels_are_not_part_of_the_content(db: DatabaseManager) -> None:
    """Posting an entry again after it was labelled is a replay, and verification has nothing to say."""
    ledger = await db.ledgers.create("Household", base_currency="EUR")
    async with db.unit_of_work(ledger) as uow:
        books = await open_books(uow)
        given = entry(books.food, books.checking, 1)
        await uow.journal.post(given)
    async with db.unit_of_work(ledger) as uow:
        await uow.journal.label(given.id, payee="Rewe", tags=["x"])
        assert (await uow.journal.post(given)).is_replay
    assert (await db.verify(ledger)).is_clean


async def test_an_amendment_takes_over_payee_and_tags(uow: UnitOfWork) -> None:
    """Who mends an amount says nothing else anew."""
    (entry_id,) = await _posted(uow)
    books = await _accounts(uow)
    await uow.journal.label(entry_id, payee="Rewe", tags=["x"])

    amended = await uow.journal.amend(entry_id, entry(books.food, books.checking, 7))

    assert _names(await uow.journal.get_one(amended.id)) == ("Rewe", ["x"])
    assert len(await uow.journal.history(amended.id)) == 1


async def _accounts(uow: UnitOfWork) -> Books:
    names = ("Assets:Checking", "Expenses:Food", "Income:Salary")
    return Books(*[await uow.accounts.get_or_open(name, currency="EUR") for name in names])


async def test_what_cannot_be_labelled_is_told(uow: UnitOfWork) -> None:
    """An entry that is not there, tags as one string, a payee of nobody."""
    (entry_id,) = await _posted(uow)
    with pytest.raises(EntryNotFoundError):
        await uow.journal.label(uuid4(), payee="x")
    with pytest.raises(InvalidError):
        await uow.journal.label(entry_id, tags="food")
    merged, into = await uow.payees.create("merged"), await uow.payees.create("into")
    await uow.payees.merge(merged, into)
    with pytest.raises(NotFoundError):
        await uow.journal.label(entry_id, payee=merged)
    await uow.rollback()


@pytest.mark.parametrize("count", [1, 40])
async def test_many_are_labelled_and_read_in_a_fixed_number_of_statements(
    db: DatabaseManager, queries: Queries, count: int
) -> None:
    """However many entries, payees and tags."""
    ledger = await db.ledgers.create("Household", base_currency="EUR")
    async with db.unit_of_work(ledger) as uow:
        entries = await _posted(uow, count)
        labels = {each: Labels(f"Payee {place}", [f"tag {place}", "all"]) for place, each in enumerate(entries)}

        made = await queries.of(uow.journal.label_many(labels))
        again = await queries.of(uow.journal.label_many(labels))

        assert made == [*["SELECT", "INSERT", "SELECT"] * 2, "SELECT", "UPDATE", "DELETE", "INSERT"]
        assert again == ["SELECT", "SELECT", "SELECT", "UPDATE", "DELETE", "INSERT"]
        assert await queries.of(uow.journal.page()) == ["SELECT"] * 3
        page = await uow.journal.page()
        assert {each.id: _names(each) for each in page.items} == {
            each: (f"Payee {place}", ["all", f"tag {place}"]) for place, each in enumerate(entries)
        }


async def test_ledgers_keep_their_names_apart(db: DatabaseManager) -> None:
    """The same name is another payee in another ledger, and none that an entry of this one may have."""
    ledgers = [await db.ledgers.create(name, base_currency="EUR") for name in ("One", "Two")]
    async with db.unit_of_work(ledgers[0]) as uow:
        foreign = await uow.payees.create("Rewe")
    async with db.unit_of_work(ledgers[1]) as uow:
        (entry_id,) = await _posted(uow)
        assert (await uow.payees.get_or_create("Rewe")).id != foreign.id
        with pytest.raises(NotFoundError):
            await uow.journal.label(entry_id, payee=foreign)
        await uow.rollback()
