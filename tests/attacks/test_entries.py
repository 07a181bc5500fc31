"""Entries that do not balance, and entries that arrive in pieces."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import insert

from finance import FinanceError, JournalEntry, NewPosting, Posting
from finance.errors import EntryNotFoundError, InvalidError, UnbalancedEntryError
from tests.attacks.victim import HEAD, PAIR, Victim, assert_refused, lines
from tests.factories import TODAY

REFUSED: dict[str, tuple[str, type[FinanceError]]] = {
    "unbalanced": (HEAD + lines(("{food}", 10), ("{checking}", "-9.99")), UnbalancedEntryError),
    "unbalanced in one statement": (
        "WITH e AS (" + HEAD.rstrip(";") + ") " + lines(("{food}", 10), ("{checking}", -9)),
        UnbalancedEntryError,
    ),
    "balanced in total but not per currency": (
        HEAD + lines(("{food}", 10)) + lines(("{yen}", -10), first=2, currency="'JPY'"),
        UnbalancedEntryError,
    ),
    "no posting": (HEAD, UnbalancedEntryError),
    "one posting": (HEAD + lines(("{food}", 10)), UnbalancedEntryError),
    "second half missing": (
        HEAD + lines(("{food}", 10), ("{food}", 5), first=1) + lines(("{checking}", -10), first=3),
        UnbalancedEntryError,
    ),
    "one good entry beside a bad one": (
        PAIR + HEAD.replace("{new}", "{new2}") + lines(("{food}", 1), entry="{new2}"),
        UnbalancedEntryError,
    ),
    "balanced only together with another entry": (
        HEAD + HEAD.replace("{new}", "{new2}") + lines(("{food}", 10)) + lines(("{checking}", -10), entry="{new2}"),
        UnbalancedEntryError,
    ),
    "balanced, then half a pair more": (PAIR + lines(("{food}", 1), first=3), UnbalancedEntryError),
    "posting without an entry": (lines(("{food}", 10), ("{checking}", -10)), EntryNotFoundError),
    "entry of a ledger that is not there": (
        "INSERT INTO journal_entries (ledger_id, id, date) VALUES (987654321, {new}, {day});",
        UnbalancedEntryError,
    ),
    "line 0": (HEAD + lines(("{food}", 10), ("{checking}", -10), first=0), InvalidError),
}

ACCEPTED = {
    "entry, then both postings": PAIR,
    "entry and postings in one statement": (
        "WITH e AS (" + HEAD.rstrip(";") + ") " + lines(("{food}", 10), ("{checking}", -10))
    ),
    "postings in two statements": HEAD + lines(("{food}", 10)) + lines(("{checking}", -10), first=2),
    "postings in two parts of one statement": (
        "WITH e AS (" + HEAD.rstrip(";") + "), "
        "one AS (" + lines(("{food}", 10)).rstrip(";") + ") " + lines(("{checking}", -10), first=2)
    ),
    "postings in three parts, the entry last": (
        "WITH one AS (" + lines(("{food}", 7)).rstrip(";") + "), "
        "two AS (" + lines(("{food}", 3), first=2).rstrip(";") + "), "
        "three AS (" + lines(("{checking}", -10), first=3).rstrip(";") + ") " + HEAD
    ),
    "half the entry in a statement with its head": (
        "WITH e AS (" + HEAD.rstrip(";") + ") " + lines(("{food}", 10)) + lines(("{checking}", -10), first=2)
    ),
    "a second pair in the same transaction": PAIR + lines(("{food}", 5), ("{checking}", -5), first=3),
    "a MERGE that inserts": HEAD
    + "MERGE INTO postings AS p USING (VALUES (1, {food}, 10), (2, {checking}, -10)) AS v(line, account, amount)"
    " ON p.entry_id = {new} AND p.line = v.line WHEN NOT MATCHED THEN INSERT"
    " (ledger_id, entry_id, line, account_id, date, currency, amount)"
    " VALUES ({ledger}, {new}, v.line, v.account, {day}, 'EUR', v.amount);",
    "the same lines twice, skipped on conflict": PAIR
    + lines(("{food}", 10), ("{checking}", -10)).rstrip(";")
    + " ON CONFLICT DO NOTHING;",
}


@pytest.mark.parametrize("name", REFUSED)
async def test_an_entry_that_does_not_balance_is_refused(steady: Victim, name: str) -> None:
    """At COMMIT at the latest, and nothing of its transaction is stored."""
    await assert_refused(steady, *REFUSED[name])


@pytest.mark.parametrize("name", ACCEPTED)
async def test_an_entry_may_arrive_in_pieces(victim: Victim, name: str) -> None:
    """What counts is the whole of it at COMMIT."""
    checking, food = await victim.balances()

    await victim.run(ACCEPTED[name])

    moved = Decimal(15 if "second pair" in name else 10)
    assert await victim.balances() == (checking - moved, food + moved)
    assert (await victim.verify()).is_clean


async def test_the_error_names_the_entry_and_its_difference(victim: Victim) -> None:
    """Whoever reads the error knows what to mend."""
    with pytest.raises(UnbalancedEntryError) as caught:
        await victim.run(REFUSED["unbalanced"][0])

    error = caught.value
    assert (error.entry_id, error.currency, error.difference) == (victim.new, "EUR", Decimal("0.01"))


def _rows(victim: Victim, *amounts: int) -> list[tuple[Any, ...]]:
    """Return a balanced entry's postings as records: each amount on food, and the opposite of all on checking."""
    accounts = [(victim.food, amount) for amount in amounts] + [(victim.checking, -sum(amounts))]
    return [
        (victim.ledger.id, victim.new, number, account, TODAY, "EUR", Decimal(amount))
        for number, (account, amount) in enumerate(accounts, 1)
    ]


_COLUMNS = ("ledger_id", "entry_id", "line", "account_id", "date", "currency", "amount")
_INSERT = f"INSERT INTO postings ({', '.join(_COLUMNS)}) VALUES ($1, $2, $3, $4, $5, $6, $7)"


async def _head(victim: Victim, driver: Any) -> None:
    await driver.execute(victim.sql(HEAD))


async def test_executemany_sends_rows_one_by_one(victim: Victim) -> None:
    """The driver's executemany is one statement a row, and two calls are no other than one."""
    rows = _rows(victim, 1, 2, 3, 4)

    async with victim.driver() as driver:
        await _head(victim, driver)
        await driver.executemany(_INSERT, rows[:2])
        await driver.executemany(_INSERT, rows[2:])

    assert await victim.balances() == (Decimal(-50), Decimal(50))


async def test_executemany_of_half_an_entry_is_refused(victim: Victim) -> None:
    """The last row is missing at COMMIT."""
    rows = _rows(victim, 1, 2, 3)

    with pytest.raises(UnbalancedEntryError):
        async with victim.driver() as driver:
            await _head(victim, driver)
            await driver.executemany(_INSERT, rows[:-1])

    assert await victim.balances() == (Decimal(-40), Decimal(40))


@pytest.mark.owners("COPY FROM is not for tables with row-level security")
@pytest.mark.parametrize("cut", [1, 2, 3])
async def test_copy_may_be_cut_at_any_row(victim: Victim, cut: int) -> None:
    """A load that is cut in two, wherever, is one entry all the same."""
    rows = _rows(victim, 1, 2, 7)

    async with victim.driver() as driver:
        await _head(victim, driver)
        for part in (rows[:cut], rows[cut:]):
            await driver.copy_records_to_table("postings", records=part, columns=_COLUMNS)

    assert await victim.balances() == (Decimal(-50), Decimal(50))


@pytest.mark.owners("COPY FROM is not for tables with row-level security")
async def test_copy_of_half_an_entry_is_refused(victim: Victim) -> None:
    """COPY fires the guards as INSERT does."""
    with pytest.raises(UnbalancedEntryError):
        async with victim.driver() as driver:
            await _head(victim, driver)
            await driver.copy_records_to_table("postings", records=_rows(victim, 1)[:1], columns=_COLUMNS)

    assert await victim.balances() == (Decimal(-40), Decimal(40))


@pytest.mark.owners("COPY FROM is not for tables with row-level security")
async def test_copy_of_entries_comes_before_that_of_their_postings(victim: Victim) -> None:
    """Both by COPY, in one transaction, is how a load is written."""
    async with victim.driver() as driver:
        entries = [(victim.ledger.id, victim.new, TODAY)]
        await driver.copy_records_to_table("journal_entries", records=entries, columns=["ledger_id", "id", "date"])
        await driver.copy_records_to_table("postings", records=_rows(victim, 10), columns=_COLUMNS)

    assert await victim.balances() == (Decimal(-50), Decimal(50))


def _postings(victim: Victim, *amounts: int) -> list[Posting]:
    return [Posting(**dict(zip(_COLUMNS, row, strict=True))) for row in _rows(victim, *amounts)]


@pytest.mark.parametrize("amounts", [(10,), (1, 2, 3, 4)])
async def test_the_orm_writes_an_entry_by_itself(victim: Victim, amounts: Sequence[int]) -> None:
    """`session.add()` of an entry with its postings needs no repository."""
    async with victim.db.unit_of_work(victim.ledger) as uow:
        uow.session.add(
            JournalEntry(ledger_id=victim.ledger.id, id=victim.new, date=TODAY, postings=_postings(victim, *amounts))
        )

    assert await victim.balances() == (Decimal(-50), Decimal(50))


async def test_the_orm_cannot_write_half_an_entry(victim: Victim) -> None:
    """The unit of work's COMMIT is refused as any other."""
    with pytest.raises(UnbalancedEntryError) as caught:
        async with victim.db.unit_of_work(victim.ledger) as uow:
            half = _postings(victim, 10)[:1]
            uow.session.add(JournalEntry(ledger_id=victim.ledger.id, id=victim.new, date=TODAY, postings=half))

    assert caught.value.entry_id == victim.new
    assert await victim.balances() == (Decimal(-40), Decimal(40))


async def test_the_orm_writes_what_is_pending_before_raw_sql(victim: Victim) -> None:
    """A head from the session and lines from a raw statement meet in one transaction."""
    async with victim.db.unit_of_work(victim.ledger) as uow:
        uow.session.add(JournalEntry(ledger_id=victim.ledger.id, id=victim.new, date=TODAY))
        await uow.connection.execute(victim.sql(lines(("{food}", 10), ("{checking}", -10))))

    assert await victim.balances() == (Decimal(-50), Decimal(50))


@pytest.mark.parametrize("whole", [True, False])
async def test_core_executemany_is_guarded(victim: Victim, whole: bool) -> None:  # noqa: FBT001 - a parameter
    """SQLAlchemy's own executemany sends rows one by one; the whole passes, half of it does not."""
    rows = [dict(zip(_COLUMNS, row, strict=True)) for row in _rows(victim, 4, 6)]

    async def write() -> None:
        async with victim.db.unit_of_work(victim.ledger) as uow:
            head = {"ledger_id": victim.ledger.id, "id": victim.new, "date": TODAY}
            await uow.session.execute(insert(JournalEntry.__table__), [head])  # type: ignore[arg-type]
            await uow.session.execute(insert(Posting.__table__), rows if whole else rows[:2])  # type: ignore[arg-type]

    if whole:
        await write()
    else:
        with pytest.raises(UnbalancedEntryError):
            await write()

    moved = Decimal(10 if whole else 0)
    assert await victim.balances() == (-40 - moved, 40 + moved)


async def test_an_entry_of_a_thousand_rows_sent_one_by_one_is_quick(victim: Victim) -> None:
    """The queue holds an entry once, so that settling it does not take the square of its lines."""
    async with victim.driver() as driver:
        await _head(victim, driver)
        await driver.executemany(_INSERT, _rows(victim, *[1] * 1000))
        queued = await driver.fetchval(victim.sql("SELECT count(*) FROM unsettled WHERE ledger_id = {ledger}"))

    assert queued == 1
    assert await victim.balance(victim.food) == 1040


async def test_the_repository_refuses_before_the_database_does(victim: Victim) -> None:
    """`uow.journal.post()` checks the sum itself, so that the transaction goes on."""
    async with victim.db.unit_of_work(victim.ledger) as uow:
        wrong = victim.new_entry(10)
        with pytest.raises(UnbalancedEntryError):
            await uow.journal.post(
                type(wrong)(TODAY, "wrong", [NewPosting(victim.food, 10), NewPosting(victim.checking, -9)])
            )
        await uow.journal.post(wrong)

    assert await victim.balances() == (Decimal(-50), Decimal(50))
